"""Iceberg tables and views. `crawl` walks over a catalog (`catalogs`, `rest_catalog`), `parse` decodes metadata, `table_scopes` builds
the scopes of a table or view from `facts` and `view_lineage`; `source` has the keys, and also reads files of metadata.
"""
