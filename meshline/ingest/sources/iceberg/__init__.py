"""Iceberg: tables and views of a catalog (REST, SQL, Glue, Hive), or from files of metadata.

`metadata` (bytes -> typed values), `columns`, `history` (which schema held when), `facts` and `products` (what is said),
`entries` (under which scopes, since when), `remembered` (what is kept between readings), `catalogs` and `rest` (I/O),
`walking` (all tables of a catalog), `recorded` (files), `source`.
"""

from meshline.ingest.sources.iceberg.source import Iceberg

__all__ = ["Iceberg"]
