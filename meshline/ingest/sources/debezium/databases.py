"""Which database a connector reads: the names of its tables, for Debezium, for its topics, and as datasets.

Namespaces and names are those of OpenLineage (Naming.md), which Debezium's own events have, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.sources.debezium.configs import Config
from meshline.ingest.sources.debezium.regexes import listed

CLASSES = "io.debezium.connector."
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class Kind(NamedTuple):
    """How one kind of database names its tables. `parts`: of a dataset's name. `matched`: how many of them, from the
    last, an include list names, and a topic.
    """

    scheme: str
    port: int
    parts: int
    matched: int


KINDS = {
    "postgresql.PostgresConnector": Kind("postgres", 5432, 3, 2),
    "mysql.MySqlConnector": Kind("mysql", 3306, 2, 2),
    "mariadb.MariaDbConnector": Kind("mariadb", 3306, 2, 2),
    "sqlserver.SqlServerConnector": Kind("mssql", 1433, 3, 2),
    "oracle.OracleConnector": Kind("oracle", 1521, 3, 2),
    "db2.Db2Connector": Kind("db2", 50000, 3, 2),
    "mongodb.MongoDbConnector": Kind("mongodb", 27017, 2, 2),
}


class Database(NamedTuple):
    """`names`: of the databases, where a connector is given them and its include list does not name them."""

    kind: Kind
    namespace: str
    names: tuple[str, ...]
    in_topic: int  # how many parts of a dataset's name, from the last, a topic's name has

    def dataset_names(self, table: str) -> Sequence[str]:
        """The names of the datasets that a table of an include list means: one in each database."""
        parts = table.split(".")
        if len(parts) < self.kind.matched:
            return []
        return [table] if not self.names or len(parts) >= self.kind.parts else [f"{name}.{table}" for name in self.names]

    def matched_names(self, dataset: str) -> Sequence[str]:
        """What include lists may call a dataset of this namespace; empty if the connector does not look there."""
        parts = dataset.split(".")
        if self.names and (len(parts) < self.kind.parts or parts[0] not in self.names):
            return []
        return [".".join(parts[-self.kind.matched :]), dataset] if self.names else [dataset]

    def topic_name(self, dataset: str) -> str:
        """The part of a topic's name that is the table's."""
        return ".".join(dataset.split(".")[-self.in_topic :])


def database(config: Config) -> Database:
    """Raises InvalidInput for a connector that is not known, and for a place that is not said."""
    class_name = config.first("connector.class")
    kind = KINDS.get(class_name.removeprefix(CLASSES))
    if kind is None:
        accepted = ", ".join(f"{CLASSES}{name}" for name in KINDS)
        raise InvalidInput(f"found {class_name!r}, which is not known; accepted: {accepted}", config.where("connector.class"))
    several = kind.scheme == "mssql" and bool(config.first("database.names"))  # before version 2 it could be but one
    return Database(kind, f"{kind.scheme}://{_address(config, kind)}", _names(config, kind), kind.parts if several else kind.matched)


def _address(config: Config, kind: Kind) -> str:
    if kind.scheme == "mongodb":
        return _first_host(config, kind)
    return f"{_given(config, 'database.hostname')}:{config.first('database.port') or kind.port}"


def _first_host(config: Config, kind: Kind) -> str:
    """Of a connection string (never its password) or a list of hosts."""
    keys = ("mongodb.connection.string", "mongodb.hosts")
    text = config.first(*keys)
    hosts = text.split("://", 1)[1].split("/", 1)[0].rpartition("@")[2] if "://" in text else text.rpartition("/")[2]
    host = _checked(hosts.split(",")[0].strip(), config.where(config.key(*keys)))
    return host if ":" in host else f"{host}:{kind.port}"


def _names(config: Config, kind: Kind) -> tuple[str, ...]:
    if kind.matched == kind.parts:
        return ()
    if config.first("database.names"):
        return tuple(listed(_given(config, "database.names")))
    return (_given(config, *(("database.pdb.name",) if config.first("database.pdb.name") else ()), "database.dbname"),)


def _given(config: Config, *keys: str) -> str:
    return _checked(config.first(*keys), config.where(config.key(*keys)))


def _checked(value: str, where: str) -> str:
    """A value that must be there, and be what the connector runs with. Raises InvalidInput."""
    if not value:
        raise InvalidInput("it is not there, so the tables have no name", where)
    if _PLACEHOLDER.search(value):
        raise InvalidInput("it is a placeholder; accepted is the value that the connector runs with", where)
    return value
