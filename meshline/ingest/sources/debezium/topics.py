"""The topic of a table, and what the transforms of a connector make of topic and record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.sources.debezium.configs import Config
from meshline.ingest.sources.debezium.regexes import Matcher, compiled, listed, replaced

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
