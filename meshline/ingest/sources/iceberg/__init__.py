"""Iceberg tables and views. `crawl` walks over a catalog (`catalogs`, `rest_catalog`), `parse` reads metadata, `table_scopes` makes a
table's scopes from `facts` and `view_lineage`; `source` also reads files of metadata.
"""
