"""Debezium connectors: their configs, from database tables to Kafka topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.content import encode
from meshline.graph.model import AssetKey
from meshline.ingest.documents import MAX_BYTES
from meshline.ingest.file_times import file_time
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Refusal, Source
from meshline.ingest.sources.debezium.facts import Capture, connector_facts, is_sink, sink_facts
from meshline.ingest.sources.debezium.filters import Columns, Passed, captured, in_envelope
from meshline.ingest.sources.debezium.java_regex import Matcher
from meshline.ingest.sources.debezium.names import CLASSES, Database, Record, Routing, database
from meshline.ingest.sources.debezium.parse import Config, configs
from meshline.ingest.sources.files import read_bytes, read_each_file

_BROKERS = (
    "openlineage.integration.dataset.kafka.bootstrap.servers",
    "producer.override.bootstrap.servers",
    "kafka.bootstrap.servers",
    "bootstrap.servers",
    "schema.history.internal.kafka.bootstrap.servers",
    "database.history.kafka.bootstrap.servers",
)


class Debezium(Source):
    """Files of connector configs."""

    kind: ClassVar[str] = "debezium"
    files: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        min_length=1, description="Connector configs and patterns such as connectors/*.json; relative ones begin at the mesh file."
    )
    kafka: str = Field(default="", max_length=255, description="The broker of the topics, host:port; by default what a config says.")
    complete: bool = Field(default=True, description="The connectors in the files are all that the source has: others are gone.")

    def read(self, context: Context) -> Reading:
        reader = _Reader(self, context)
        return Reading(self.source, reader.found(), complete=self.complete, warnings=reader.warnings)


class _Reader:
    def __init__(self, source: Debezium, context: Context) -> None:
        self._source = source
        self._context = context
        self._matcher = Matcher()
        self.warnings: list[str] = []

    def found(self) -> Iterator[Item]:
        return read_each_file(self._source.files, self._context.folder, self._file)

    def _file(self, path: Path) -> Iterator[Item]:
        time = file_time(path)
        for config in configs(read_bytes(path, MAX_BYTES), str(path)):
            if isinstance(config, InvalidInput):
                yield Refusal(config)
            elif not (is_sink(config) or config.first("connector.class").startswith(CLASSES)):
                self.warnings.append(
                    f"{config.where('connector.class')}: {config.name} is neither Debezium's nor a sink for S3 or Iceberg: passed over"
                )
            else:
                try:
                    yield self._entry(config, time)
                except InvalidInput as error:
                    yield Refusal(error, ("connector", config.name))

    def _entry(self, config: Config, time: int) -> Entry:
        scope = ("connector", config.name)
        if is_sink(config):
            return Entry(scope, encode(sink_facts(config, self._broker(config), self._context.naming)), time)
        of = database(config)
        known = [key.name for key in self._context.datasets_in(of.namespace)]
        tables = captured(config, of, known, self._matcher)
        routing, columns = Routing(config, self._matcher), Columns(config, self._matcher)
        broker = self._broker(config)
        captures = [self._capture(of, name, routing.record(of.topic_name(name)), broker, columns) for name in tables.names]
        self.warnings += [*tables.warnings, *routing.warnings]
        return Entry(scope, encode(connector_facts(config, captures)), time)

    def _capture(self, of: Database, name: str, record: Record, broker: str, columns: Columns) -> Capture:
        table = self._context.naming.dataset(of.namespace, name)
        topic = self._context.naming.dataset(f"kafka://{broker}", record.topic)
        passed = self._passed(of, table, record, columns)
        if passed is not None and not record.flat:
            passed = in_envelope(passed, {column.name for column in self._context.columns_of(topic)})
        return Capture(table, topic, record, passed)

    def _passed(self, of: Database, table: AssetKey, record: Record, columns: Columns) -> list[Passed] | None:
        known = [column.name for column in self._context.columns_of(table)]
        return list(columns.passed(of.matched_names(table.name), known, record)) if known else None

    def _broker(self, config: Config) -> str:
        """The first bootstrap server. Raises InvalidInput."""
        servers = self._source.kafka or config.first(*_BROKERS)
        first = servers.split(",")[0].strip().rpartition("://")[2]
        if not first or "${" in first:
            raise InvalidInput("it does not say which Kafka its topics are in; say it with kafka (--kafka host:port)", config.place)
        return first
