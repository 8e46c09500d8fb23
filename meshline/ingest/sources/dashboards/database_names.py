"""The databases that tools connect to, by their addresses: the names that OpenLineage gives their tables (Naming.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context
from meshline.sql.statement_lineage import Relation


class System(NamedTuple):
    """A kind of database. `dialect`: as sqlglot calls it. `scheme`, `port`: of OpenLineage's namespaces. `catalogs`: whether its names
    have a database before the schema. `schema`: where tables are whose name has none.
    """

    dialect: str
    scheme: str
    port: int | None = None
    catalogs: bool = True
    schema: str = ""


_POSTGRES = System("postgres", "postgres", 5432, schema="public")
SYSTEMS: Mapping[str, System] = {
    **dict.fromkeys(("postgresql", "postgres", "cockroachdb"), _POSTGRES),
    "redshift": System("redshift", "redshift", 5439, schema="public"),
    **dict.fromkeys(("mysql", "mariadb"), System("mysql", "mysql", 3306, catalogs=False)),
    **dict.fromkeys(("mssql", "sqlserver"), System("tsql", "mssql", 1433, schema="dbo")),
    "oracle": System("oracle", "oracle", 1521),
    "trino": System("trino", "trino", 8080),
    **dict.fromkeys(("presto", "prestodb"), System("presto", "presto", 8080)),
    "snowflake": System("snowflake", "snowflake", schema="PUBLIC"),
    "bigquery": System("bigquery", "bigquery"),
    "databricks": System("databricks", "databricks", schema="default"),
    **dict.fromkeys(("hive", "impala"), System("hive", "hive", 10000, catalogs=False, schema="default")),
    **dict.fromkeys(("clickhouse", "clickhousedb"), System("clickhouse", "clickhouse", 8123, catalogs=False)),
    "duckdb": System("duckdb", "duckdb", schema="main"),
    "sqlite": System("sqlite", "sqlite", catalogs=False),
    **dict.fromkeys(("awsathena", "athena"), System("athena", "awsathena", catalogs=True)),
}
UNKNOWN = System("", "")
UNLOCATED = "its address does not state where its tables are: state it under `databases`"


class DatabaseName(BaseModel):
    """Where the tables of a database are, if its address in the tool does not state it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: str = Field(min_length=1, max_length=2000, description="The namespace of its tables, or an alias of one.")
    catalog: str | None = Field(default=None, max_length=500, description="The first part of their names; '' if they have none.")


class Database(NamedTuple):
    """A database of a tool. `namespace`: of its tables, '' if its address is not known. `catalog`, `schema`: of names without them.

    `fixed`: all names have this catalog, or none if it is '', whatever the tool calls it: the user stated it.
    """

    system: System
    namespace: str
    catalog: str = ""
    schema: str = ""
    fixed: bool = False

    @property
    def defaults(self) -> Relation:
        """The catalog and schema of names that have none, as SQL is read."""
        return (self.catalog, self.schema) if self.system.catalogs else (self.schema,)

    def move(self, stated: DatabaseName | None, context: Context) -> Database:
        """This database where the user states that it is."""
        if stated is None:
            return self
        catalog = self.catalog if stated.catalog is None else stated.catalog
        namespace, schema = context.resolve_namespace(stated.namespace), self.schema or self.system.schema
        return self._replace(namespace=namespace, catalog=catalog, schema=schema, fixed=stated.catalog is not None)

    def build_key(self, relation: Relation, context: Context) -> AssetKey | None:
        """The dataset of a table's name, outermost part first; None if the database is not located."""
        parts = [part for part in relation if part]
        if not self.namespace or not parts:
            return None
        schema = parts[-2] if len(parts) > 1 else self.schema
        catalog = parts[-3] if len(parts) > 2 and not self.fixed else self.catalog
        above = [catalog] if self.fixed or self.system.catalogs else []
        return context.naming.normalise_dataset(self.namespace, ".".join(filter(None, (*above, schema, parts[-1]))))


def parse_address(address: str, backend: str = "") -> Database:
    """The database at an address of SQLAlchemy's or JDBC's form; without a namespace if that is not known.

    `backend`: the name of the system, if the tool states it. Passwords in the address are ignored.
    """
    scheme, _, rest = address.strip().removeprefix("jdbc:").partition(":")
    system = SYSTEMS.get((backend or scheme.split("+")[0]).lower(), UNKNOWN)
    try:
        parts = urlsplit(f"any:{rest}")
        host, port = parts.hostname or "", parts.port or system.port
    except ValueError:
        return Database(system, "")
    path = [unquote(part) for part in parts.path.split("/") if part]
    if system.scheme in ("duckdb", "sqlite"):
        return _build_file(system, unquote(parts.path).replace("//", "/"))
    if system.scheme == "bigquery":
        project, dataset = (*filter(None, (host, *path)), "", "")[:2]
        return Database(system, "bigquery", project, dataset)
    if system is UNKNOWN or not host:
        return Database(system, "")
    if system.scheme == "snowflake":
        host, port = host.removesuffix(".snowflakecomputing.com"), None
    first, second = (*path, "", "")[:2]
    catalog, schema = (first, second) if system.catalogs else ("", first)
    return Database(system, f"{system.scheme}://{host}{f':{port}' if port else ''}", catalog, schema or system.schema)


def _build_file(system: System, file: str) -> Database:
    """A database in a file, which names its catalog."""
    catalog = PurePosixPath(file).stem if system.catalogs else ""
    return Database(system, f"{system.scheme}://{file}" if file.strip("/") else "", catalog, system.schema)
