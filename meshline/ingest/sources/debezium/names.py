"""The names of a connector's tables, as datasets and for Debezium, and of its topics, after its transforms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.sources.debezium.java_regex import Matcher, compiled, listed, replaced
from meshline.ingest.sources.debezium.parse import Config

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


_ILLEGAL = re.compile(r"[^A-Za-z0-9._-]")
_CASE_COUNTS = re.RegexFlag(0)
_TOPIC_MATCHES = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"


class Columns(NamedTuple):
    """What one transform does with the fields of a flat record: `include` empty: all that are not in `exclude`."""

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    renames: Mapping[str, str] = {}
    masked: frozenset[str] = frozenset()


class Record(NamedTuple):
    """Where a table's changes go. `flat`: whether the record is the row, not Debezium's envelope around it.
    `columns`: what was done with the row's fields, in order.
    """

    topic: str
    flat: bool = False
    columns: tuple[Columns, ...] = ()


class Transform(NamedTuple):
    """One of `transforms`. `type`: the class without its package."""

    name: str
    type: str
    config: Config

    def key(self, *options: str) -> str:
        return self.config.key(*(f"transforms.{self.name}.{option}" for option in options))

    def option(self, *options: str) -> str:
        return self.config.first(*(f"transforms.{self.name}.{option}" for option in options))

    def names(self, *options: str) -> frozenset[str]:
        return frozenset(listed(self.option(*options)))


class Routing:
    """The transforms of a connector, in their order. `warnings`: those that are not followed."""

    def __init__(self, config: Config, matcher: Matcher) -> None:
        """Raises InvalidInput."""
        self._config = config
        self._matcher = matcher
        self._patterns: dict[str, re.Pattern[str]] = {}
        self.warnings: list[str] = []
        self._transforms = [*self._known()]

    def record(self, table: str) -> Record:
        """Where the changes of a table go; `table` as a topic names it. Raises InvalidInput."""
        config = self._config
        prefix = config.first("topic.prefix", "database.server.name", "mongodb.name")
        if not prefix:
            raise InvalidInput("it is not there, so the topics have no name", config.where("topic.prefix"))
        delimiter = config.first("topic.delimiter") or "."
        record = Record(_ILLEGAL.sub("_", delimiter.join((prefix, *table.split(".")))))
        for transform in self._transforms:
            if self._applies(transform, record.topic):
                record = self._transformed(transform, record)
        return record

    def _known(self) -> Iterator[Transform]:
        for name in listed(self._config.first("transforms")):
            key = f"transforms.{name}.type"
            transform = Transform(name, self._config.first(key).rpartition(".")[2], self._config)
            if transform.type in _FOLLOWED:
                yield transform
            elif transform.type in _ROUTERS:
                self.warnings.append(f"{self._config.where(key)}: {transform.type} chooses topics by what is in the records: not followed")

    def _applies(self, transform: Transform, topic: str) -> bool:
        predicate = transform.option("predicate")
        if not predicate:
            return True
        config = self._config
        if config.first(f"predicates.{predicate}.type") != _TOPIC_MATCHES:
            return transform.type not in _BY_TOPIC  # it is about single records, such as tombstones
        matches = self._match(f"predicates.{predicate}.pattern", topic) is not None
        return matches != (transform.option("negate").lower() == "true")

    def _transformed(self, transform: Transform, record: Record) -> Record:
        match transform.type:
            case "RegexRouter":
                return record._replace(topic=self._routed(transform, record.topic, "regex", "replacement"))
            case "ByLogicalTableRouter" | "ToLogicalTopicRouter":
                return record._replace(topic=_ILLEGAL.sub("_", self._routed(transform, record.topic, "topic.regex", "topic.replacement")))
            case "ExtractNewRecordState" | "ExtractNewDocumentState":
                return record._replace(flat=True)
            case "ReplaceField$Value":
                renames = dict(pair.split(":", 1) for pair in transform.names("renames") if ":" in pair)
                change = Columns(transform.names("include", "whitelist"), transform.names("exclude", "blacklist"), renames)
            case _:
                change = Columns(masked=transform.names("fields"))
        return record._replace(columns=(*record.columns, change)) if record.flat else record

    def _routed(self, transform: Transform, topic: str, regex: str, replacement: str) -> str:
        match = self._match(transform.key(regex), topic)
        return topic if match is None else replaced(match, transform.option(replacement), self._config.where(transform.key(replacement)))

    def _match(self, key: str, topic: str) -> re.Match[str] | None:
        if key not in self._patterns:
            self._patterns[key] = compiled(self._config.first(key), self._config.where(key), _CASE_COUNTS)
        return self._matcher.matches(self._patterns[key], topic)


_BY_TOPIC = frozenset({"RegexRouter", "ByLogicalTableRouter", "ToLogicalTopicRouter"})
_FOLLOWED = _BY_TOPIC | {"ExtractNewRecordState", "ExtractNewDocumentState", "ReplaceField$Value", "MaskField$Value"}
_ROUTERS = frozenset(
    {"EventRouter", "ContentBasedRouter", "TimestampRouter", "PartitionRouting", "ExtractTopic", "ExtractTopic$Value", "TopicRegexRouter"}
)
