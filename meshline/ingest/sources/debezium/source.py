"""Debezium connectors: their configs, from database tables to Kafka topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey
from meshline.ingest.documents import MAX_BYTES
from meshline.ingest.file_times import read_file_time
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Refusal, Source
from meshline.ingest.sources.debezium.facts import Capture, build_connector_facts, build_sink_facts, is_sink
from meshline.ingest.sources.debezium.filters import CapturedColumn, ColumnLists, find_captured_tables, match_topic
from meshline.ingest.sources.debezium.java_regex import Matcher
from meshline.ingest.sources.debezium.names import CLASSES, Database, Record, Routing, parse_database
from meshline.ingest.sources.debezium.parse import ConnectorConfig, parse_configs
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
        min_length=1,
        description="Files of connector configs, and patterns such as connectors/*.json; relative ones begin at the mesh file.",
    )
    kafka: str = Field(default="", max_length=255, description="The broker of the topics, host:port; by default the one in the config.")
    complete: bool = Field(default=True, description="Whether these are all files, so that connectors of removed files are retracted.")

    def read(self, context: Context) -> Reading:
        reader = _ConnectorReader(self, context)
        return Reading(self.source, reader.read_items(), complete=self.complete, warnings=reader.warnings)


class _ConnectorReader:
    def __init__(self, source: Debezium, context: Context) -> None:
        self._source = source
        self._context = context
        self._matcher = Matcher()
        self.warnings: list[str] = []

    def read_items(self) -> Iterator[Item]:
        return read_each_file(self._source.files, self._context.folder, self._read_file)

    def _read_file(self, path: Path) -> Iterator[Item]:
        time = read_file_time(path)
        for config in parse_configs(read_bytes(path, MAX_BYTES), str(path)):
            if isinstance(config, InvalidInput):
                yield Refusal(config)
            elif not (is_sink(config) or config.find_value("connector.class").startswith(CLASSES)):
                self.warnings.append(
                    f"{config.locate('connector.class')}: {config.name} is skipped: neither a Debezium connector nor an S3 or Iceberg sink"
                )
            else:
                try:
                    yield self._build_entry(config, time)
                except InvalidInput as error:
                    yield Refusal(error, ("connector", config.name))

    def _build_entry(self, config: ConnectorConfig, time: int) -> Entry:
        scope = ("connector", config.name)
        if is_sink(config):
            return Entry(scope, encode_facts(build_sink_facts(config, self._get_broker(config), self._context.naming)), time)
        of = parse_database(config)
        known = [key.name for key in self._context.datasets_in(of.namespace)]
        tables = find_captured_tables(config, of, known, self._matcher)
        routing, columns = Routing(config, self._matcher), ColumnLists(config, self._matcher)
        broker = self._get_broker(config)
        captures = [self._build_capture(of, name, routing.route(of.format_topic_name(name)), broker, columns) for name in tables.names]
        self.warnings += [*tables.warnings, *routing.warnings]
        return Entry(scope, encode_facts(build_connector_facts(config, captures)), time)

    def _build_capture(self, of: Database, name: str, record: Record, broker: str, columns: ColumnLists) -> Capture:
        table = self._context.naming.normalise_dataset(of.namespace, name)
        topic = self._context.naming.normalise_dataset(f"kafka://{broker}", record.topic)
        passed = self._capture_columns(of, table, record, columns)
        if passed is not None:
            passed = match_topic(passed, [column.name for column in self._context.columns_of(topic)], flat=record.flat)
        return Capture(table, topic, record, passed)

    def _capture_columns(self, of: Database, table: AssetKey, record: Record, columns: ColumnLists) -> list[CapturedColumn] | None:
        known = [column.name for column in self._context.columns_of(table)]
        return list(columns.capture(of.list_matched_names(table.name), known, record)) if known else None

    def _get_broker(self, config: ConnectorConfig) -> str:
        """The first bootstrap server. Raises InvalidInput."""
        servers = self._source.kafka or config.find_value(*_BROKERS)
        first = servers.split(",")[0].strip().rpartition("://")[2]
        if not first or "${" in first:
            raise InvalidInput("the config does not name the Kafka broker of its topics; set kafka (--kafka host:port)", config.place)
        return first
