"""Catalogs that list tables as they are now, without their history: Hive metastore, AWS Glue, Unity Catalog, Gravitino.

Each has a file with its keys and its requests, and yields `catalog_table.CatalogTable`; `walk` makes items of these. Hive and Glue
share `hive_tables`; `table_storage` reads the metadata of Iceberg and Delta tables, `type_text` the texts of nested types.
"""
