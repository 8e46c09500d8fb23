"""PostgreSQL. `reader` asks the system catalogs with the queries of `queries/`."""
