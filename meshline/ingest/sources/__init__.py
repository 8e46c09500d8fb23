"""What is read from where: catalogs, files of promises, results of checks. One source, one file; see `table`."""
