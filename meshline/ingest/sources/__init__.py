"""Sources: catalogs, files of contracts and products, results of checks. Each is one file or folder; `registry` lists them."""
