"""Names that hold within one session only, and so are no identity of a dataset.

Flink's integration sends the name that a job gave its table as a symlink of type TABLE, in the namespace of the physical
dataset. Of a table in the built-in in-memory catalog (`default_catalog.default_database`, GenericInMemoryCatalog) the name
ends with the session, and every job that calls its sink `snk` has the same. In-memory catalogs may have other names, too;
but a broker of Kafka has topics and no tables, so no table's name in its namespace is one that the broker knows.
"""

from __future__ import annotations

from meshline.graph.model import AssetKey

_BUILT_IN = "default_catalog.default_database."  # Flink: table.builtin-catalog-name, table.builtin-database-name


def is_session_name(key: AssetKey, type_: object) -> bool:
    """`key`: a symlink. `type_`: what its facet calls it."""
    namespace, name = key.parts
    return name.startswith(_BUILT_IN) or (namespace.startswith("kafka://") and type_ == "TABLE")
