"""What a format or an SQL dialect makes of names: which are one name although they differ in case; and the dialect of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from meshline.governance.types.form import FAMILIES
from meshline.graph.promises import Server

Fold: TypeAlias = Callable[[str], str]

# Formats whose names are case-sensitive: a reader that asks for `Email` does not find `email`.
_EXACT = frozenset({"avro", "json", "protobuf", "iceberg", "parquet", "clickhouse"})
# SQL dialects (and Delta, whose protocol is case-insensitive) in which names of columns that differ in case only are one name, unless
# they are quoted. Postgres folds to lower case, Snowflake and Oracle to upper case, the others compare without case.
_FOLDING = frozenset(
    {
        *("postgres", "snowflake", "oracle", "redshift", "bigquery", "delta", "trino", "duckdb", "mysql", "tsql", "sqlite", "db2"),
        *("impala", "teradata", "vertica", "exasol", "dremio", "denodo", "informix", "drill", "dbt"),
    }
)
_QUOTED = frozenset({"postgres", "snowflake", "oracle", "db2"})  # where a quoted name keeps its case
_TABLES_EXACT = frozenset({"bigquery", "mysql"})  # names of tables are case-sensitive there, those of columns are not

# Type of a server in a contract, where it is not the name of the dialect.
_SERVERS = {"glue": "delta", "athena": "trino", "cloudsql": "postgres", "zen": "", "api": "", "custom": ""}
_FILES = frozenset({"s3", "azure", "gcs", "gs", "local", "sftp", "file", "kafka", "kinesis", "pubsub"})  # their `format` decides


def folding(formats: Iterable[str], *, tables: bool = False) -> Fold:
    """How names are compared that both of these formats have. A format that is not known decides nothing; without one that folds,
    names are case-sensitive: an alarm that is false costs less than a change that is not seen.
    """
    families = {FAMILIES.get(one, one) for one in formats}
    exact = families & _EXACT or (tables and families & _TABLES_EXACT)
    return str.casefold if families & _FOLDING and not exact else str


def keeps_quoted(form: str) -> bool:
    """Whether a rename that changes the case alone is one, as a quoted name keeps its case."""
    return FAMILIES.get(form, form) in _QUOTED


def is_sql(form: str) -> bool:
    return FAMILIES.get(form, form) in _FOLDING or form == "clickhouse"


def of_server(server: Server) -> str:
    """The format in which the data of a server has its names and physical types; empty: not known."""
    kind = server.type.strip().lower()
    if kind in _FILES:
        return str(server.settings.get("format") or "").strip().lower()
    return _SERVERS.get(kind, kind)
