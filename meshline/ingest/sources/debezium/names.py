"""The names of a connector's tables, as datasets and in Debezium's lists, and of its topics after the transforms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.sources.debezium.java_regex import Matcher, compile_regex, expand_replacement, split_list
from meshline.ingest.sources.debezium.parse import ConnectorConfig

CLASSES = "io.debezium.connector."
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class Kind(NamedTuple):
    """How one kind of database names its tables. `parts`: the number of parts of a dataset's name. `matched`: how many of them,
    counted from the last, the names in include lists and in topics have.
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
    """The database of a connector. `names`: of its databases, if the connector's config names them and its include list does not."""

    kind: Kind
    namespace: str
    names: tuple[str, ...]
    in_topic: int  # how many parts of a dataset's name, from the last, a topic's name has

    def list_dataset_names(self, table: str) -> Sequence[str]:
        """The names of the datasets that a table in an include list means: one in each database."""
        parts = table.split(".")
        if len(parts) < self.kind.matched:
            return []
        return [table] if not self.names or len(parts) >= self.kind.parts else [f"{name}.{table}" for name in self.names]

    def list_matched_names(self, dataset: str) -> Sequence[str]:
        """The names that include lists may use for a dataset of this namespace; empty if the connector does not read its database."""
        parts = dataset.split(".")
        if self.names and (len(parts) < self.kind.parts or parts[0] not in self.names):
            return []
        return [".".join(parts[-self.kind.matched :]), dataset] if self.names else [dataset]

    def format_topic_name(self, dataset: str) -> str:
        """The table's part of a topic's name."""
        return ".".join(dataset.split(".")[-self.in_topic :])


def parse_database(config: ConnectorConfig) -> Database:
    """The database of a connector. Raises InvalidInput if the connector's class is unknown, or if the config does not locate it."""
    class_name = config.find_value("connector.class")
    kind = KINDS.get(class_name.removeprefix(CLASSES))
    if kind is None:
        accepted = ", ".join(f"{CLASSES}{name}" for name in KINDS)
        raise InvalidInput(f"unknown connector class {class_name!r}; accepted: {accepted}", config.locate("connector.class"))
    several = kind.scheme == "mssql" and bool(config.find_value("database.names"))  # before version 2 there could be only one
    return Database(
        kind,
        f"{kind.scheme}://{_parse_address(config, kind)}",
        _parse_database_names(config, kind),
        kind.parts if several else kind.matched,
    )


def _parse_address(config: ConnectorConfig, kind: Kind) -> str:
    if kind.scheme == "mongodb":
        return _parse_first_host(config, kind)
    return f"{_get_required(config, 'database.hostname')}:{config.find_value('database.port') or kind.port}"


def _parse_first_host(config: ConnectorConfig, kind: Kind) -> str:
    """The first host of a connection string (never its password) or of a list of hosts."""
    keys = ("mongodb.connection.string", "mongodb.hosts")
    text = config.find_value(*keys)
    hosts = text.split("://", 1)[1].split("/", 1)[0].rpartition("@")[2] if "://" in text else text.rpartition("/")[2]
    host = _check_value(hosts.split(",")[0].strip(), config.locate(config.find_key(*keys)))
    return host if ":" in host else f"{host}:{kind.port}"


def _parse_database_names(config: ConnectorConfig, kind: Kind) -> tuple[str, ...]:
    if kind.matched == kind.parts:
        return ()
    if config.find_value("database.names"):
        return tuple(split_list(_get_required(config, "database.names")))
    return (_get_required(config, *(("database.pdb.name",) if config.find_value("database.pdb.name") else ()), "database.dbname"),)


def _get_required(config: ConnectorConfig, *keys: str) -> str:
    return _check_value(config.find_value(*keys), config.locate(config.find_key(*keys)))


def _check_value(value: str, where: str) -> str:
    """The value of a required key, which must not be a placeholder. Raises InvalidInput."""
    if not value:
        raise InvalidInput("the key is missing, so the tables cannot be named", where)
    if _PLACEHOLDER.search(value):
        raise InvalidInput("the value is a placeholder; accepted is the value that the connector runs with", where)
    return value


_ILLEGAL = re.compile(r"[^A-Za-z0-9._-]")
_CASE_COUNTS = re.RegexFlag(0)
_TOPIC_MATCHES = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"


class FieldChange(NamedTuple):
    """The change of a flat record's fields by one transform. If `include` is empty, all fields that are not in `exclude` are kept."""

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    renames: Mapping[str, str] = {}
    masked: frozenset[str] = frozenset()


class Record(NamedTuple):
    """The record of a table's changes, in its topic. `flat`: whether the record is the row itself, without Debezium's envelope.
    `columns`: the changes of the row's fields, in order.
    """

    topic: str
    flat: bool = False
    columns: tuple[FieldChange, ...] = ()


class Transform(NamedTuple):
    """One of the connector's `transforms`. `type`: the class without its package."""

    name: str
    type: str
    config: ConnectorConfig

    def find_key(self, *options: str) -> str:
        """The first of these options that has a value, as a key of the config."""
        return self.config.find_key(*(f"transforms.{self.name}.{option}" for option in options))

    def find_option(self, *options: str) -> str:
        """The value of the first of these options that has one; else an empty text."""
        return self.config.find_value(*(f"transforms.{self.name}.{option}" for option in options))

    def list_names(self, *options: str) -> frozenset[str]:
        """The names in the list that an option has."""
        return frozenset(split_list(self.find_option(*options)))


class Routing:
    """The transforms of a connector, in their order. `warnings`: about transforms that are not evaluated."""

    def __init__(self, config: ConnectorConfig, matcher: Matcher) -> None:
        """Raises InvalidInput."""
        self._config = config
        self._matcher = matcher
        self._patterns: dict[str, re.Pattern[str]] = {}
        self.warnings: list[str] = []
        self._transforms = [*self._list_transforms()]

    def route(self, table: str) -> Record:
        """The record of a table's changes after the transforms; `table`: the table's name in a topic. Raises InvalidInput."""
        config = self._config
        prefix = config.find_value("topic.prefix", "database.server.name", "mongodb.name")
        if not prefix:
            raise InvalidInput("the key is missing, so the topics cannot be named", config.locate("topic.prefix"))
        delimiter = config.find_value("topic.delimiter") or "."
        record = Record(_ILLEGAL.sub("_", delimiter.join((prefix, *table.split(".")))))
        for transform in self._transforms:
            if self._applies(transform, record.topic):
                record = self._apply_transform(transform, record)
        return record

    def _list_transforms(self) -> Iterator[Transform]:
        for name in split_list(self._config.find_value("transforms")):
            key = f"transforms.{name}.type"
            transform = Transform(name, self._config.find_value(key).rpartition(".")[2], self._config)
            if transform.type in _FOLLOWED:
                yield transform
            elif transform.type in _ROUTERS:
                self.warnings.append(
                    f"{self._config.locate(key)}: {transform.type} chooses topics by the content of records, which is not evaluated"
                )

    def _applies(self, transform: Transform, topic: str) -> bool:
        predicate = transform.find_option("predicate")
        if not predicate:
            return True
        config = self._config
        if config.find_value(f"predicates.{predicate}.type") != _TOPIC_MATCHES:
            return transform.type not in _BY_TOPIC  # the predicate is about single records, such as tombstones
        matches = self._match(f"predicates.{predicate}.pattern", topic) is not None
        return matches != (transform.find_option("negate").lower() == "true")

    def _apply_transform(self, transform: Transform, record: Record) -> Record:
        match transform.type:
            case "RegexRouter":
                return record._replace(topic=self._rename_topic(transform, record.topic, "regex", "replacement"))
            case "ByLogicalTableRouter" | "ToLogicalTopicRouter":
                return record._replace(
                    topic=_ILLEGAL.sub("_", self._rename_topic(transform, record.topic, "topic.regex", "topic.replacement"))
                )
            case "ExtractNewRecordState" | "ExtractNewDocumentState":
                return record._replace(flat=True)
            case "ReplaceField$Value":
                renames = dict(pair.split(":", 1) for pair in transform.list_names("renames") if ":" in pair)
                change = FieldChange(transform.list_names("include", "whitelist"), transform.list_names("exclude", "blacklist"), renames)
            case _:
                change = FieldChange(masked=transform.list_names("fields"))
        return record._replace(columns=(*record.columns, change)) if record.flat else record

    def _rename_topic(self, transform: Transform, topic: str, regex: str, replacement: str) -> str:
        match = self._match(transform.find_key(regex), topic)
        return (
            topic
            if match is None
            else expand_replacement(match, transform.find_option(replacement), self._config.locate(transform.find_key(replacement)))
        )

    def _match(self, key: str, topic: str) -> re.Match[str] | None:
        if key not in self._patterns:
            self._patterns[key] = compile_regex(self._config.find_value(key), self._config.locate(key), _CASE_COUNTS)
        return self._matcher.matches(self._patterns[key], topic)


_BY_TOPIC = frozenset({"RegexRouter", "ByLogicalTableRouter", "ToLogicalTopicRouter"})
_FOLLOWED = _BY_TOPIC | {"ExtractNewRecordState", "ExtractNewDocumentState", "ReplaceField$Value", "MaskField$Value"}
_ROUTERS = frozenset(
    {"EventRouter", "ContentBasedRouter", "TimestampRouter", "PartitionRouting", "ExtractTopic", "ExtractTopic$Value", "TopicRegexRouter"}
)
