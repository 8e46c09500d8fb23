"""A connector's config -> facts: a job, the datasets that it reads and writes, and the flows between them; also for sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json
from meshline.graph.naming import Naming
from meshline.ingest.sources.debezium.filters import CapturedColumn
from meshline.ingest.sources.debezium.java_regex import split_list
from meshline.ingest.sources.debezium.names import Record
from meshline.ingest.sources.debezium.parse import ConnectorConfig

_NEVER = frozenset({"no_data", "never", "schema_only", "recovery", "schema_only_recovery"})


class Capture(NamedTuple):
    """The capture of one table into its topic. `columns`: the captured columns; None if the graph does not know the table's."""

    table: AssetKey
    topic: AssetKey
    record: Record
    columns: Sequence[CapturedColumn] | None


def build_job_key(config: ConnectorConfig) -> AssetKey:
    """The job under the name that Debezium's own OpenLineage events give it, which is that of the first task."""
    prefix = config.find_value("topic.prefix", "database.server.name", "mongodb.name")
    return model.build_job_key(config.find_value("openlineage.integration.job.namespace") or prefix, f"{prefix}.0")


def build_connector_facts(config: ConnectorConfig, captures: Sequence[Capture]) -> Facts:
    """The connector as a job, the tables that it reads, the topics that it writes, and the flows between them."""
    job = build_job_key(config)
    edges = [EdgeFact(EdgeType.READS, job, table) for table in dict.fromkeys(capture.table for capture in captures)]
    edges += [EdgeFact(EdgeType.WRITES, job, topic) for topic in dict.fromkeys(capture.topic for capture in captures)]
    edges += [EdgeFact(EdgeType.OWNS, model.build_owner_key(name), job, {"type": role}) for name, role in _parse_pairs(config, "owners")]
    topics = {capture.topic: AssetFact(capture.topic, {"dataset_type": "TOPIC"}) for capture in captures}
    return Facts(
        assets=(AssetFact(job, _build_job_attributes(config, captures)), *topics.values()),
        edges=tuple(edges),
        flows=tuple(flow for capture in captures for flow in _build_flows(job, capture)),
    )


def _build_job_attributes(config: ConnectorConfig, captures: Sequence[Capture]) -> dict[str, Json]:
    mode = config.find_value("snapshot.mode")
    tags: list[Json] = [f"{key}={value}" if value else key for key, value in _parse_pairs(config, "tags")]
    attributes: dict[str, Json] = {
        "title": config.name,
        "description": config.find_value("openlineage.integration.job.description"),
        "tags": tags,
        "job_type": "CONNECTOR",
        "processing_type": "STREAMING",
        "integration": "DEBEZIUM",
        "connector_class": config.find_value("connector.class"),
        "snapshot_mode": mode or "initial",
        "snapshot_data": mode.lower() not in _NEVER,
        "record_format": "row" if captures and all(capture.record.flat for capture in captures) else "envelope",
    }
    return {name: value for name, value in attributes.items() if value not in ("", [])}


def _parse_pairs(config: ConnectorConfig, of: str) -> Iterator[tuple[str, str]]:
    for pair in split_list(config.find_value(f"openlineage.integration.job.{of}")):
        name, _, value = pair.partition("=")
        yield name.strip(), value.strip() or ("technical" if of == "owners" else "")


def _build_flows(job: AssetKey, capture: Capture) -> Iterator[Flow]:
    table, topic = capture.table, capture.topic
    yield Flow(table, topic, covered=capture.columns is not None, job=job)
    for one in capture.columns or ():
        subtype = "TRANSFORMATION" if one.changed else "IDENTITY"
        yield Flow(
            model.build_column_key(table, one.column),
            model.build_column_key(topic, one.field),
            FlowType.DIRECT,
            subtype,
            one.masked,
            job=job,
        )


NAMESPACE = "connect"  # of the sinks' jobs, as a config does not name the Connect cluster that runs it


class Place(NamedTuple):
    """Namespace and name of a dataset that a sink writes."""

    namespace: str
    name: str


def is_sink(config: ConnectorConfig) -> bool:
    """Whether the connector is a sink whose datasets can be located."""
    return _get_class_name(config) in _LOCATORS


def build_sink_facts(config: ConnectorConfig, broker: str, naming: Naming) -> Facts:
    """A job that reads topics and writes the datasets made from them, without columns, which the config does not name. Raises
    InvalidInput.
    """
    job = model.build_job_key(NAMESPACE, config.name)
    topics = list(split_list(config.find_value("topics")))
    if not topics:
        raise InvalidInput(
            "the key is missing; accepted is a list of topics (topics.regex does not determine which topics exist)", config.locate("topics")
        )
    flows = [
        Flow(naming.normalise_dataset(f"kafka://{broker}", topic), naming.normalise_dataset(*place), job=job)
        for topic in topics
        for place in _LOCATORS[_get_class_name(config)](config, topic)
    ]
    edges = [EdgeFact(EdgeType.READS, job, topic) for topic in _deduplicate(flow.start for flow in flows)]
    edges += [EdgeFact(EdgeType.WRITES, job, place) for place in _deduplicate(flow.end for flow in flows)]
    attributes = {"title": config.name, "job_type": "CONNECTOR", "processing_type": "STREAMING", "integration": "KAFKA_CONNECT"}
    about = AssetFact(job, {**attributes, "connector_class": config.find_value("connector.class")})
    return Facts(assets=(about,), edges=tuple(edges), flows=tuple(flows))


def _get_class_name(config: ConnectorConfig) -> str:
    return config.find_value("connector.class").rpartition(".")[2]


def _deduplicate(keys: Iterator[AssetKey]) -> list[AssetKey]:
    return list(dict.fromkeys(keys))


def _locate_bucket(config: ConnectorConfig, topic: str) -> Iterator[Place]:
    """Confluent's S3 sink: `<topics.dir>/<topic>/partition=...`."""
    bucket = config.find_value("s3.bucket.name")
    if not bucket:
        raise InvalidInput("the key is missing; an S3 sink needs it", config.locate("s3.bucket.name"))
    yield Place(f"s3://{bucket}", f"{config.find_value('topics.dir') or 'topics'}/{topic}")


def _locate_iceberg(config: ConnectorConfig, topic: str) -> Iterator[Place]:
    """Iceberg's own sink. If records are routed by the value of a field, each topic may be written to each table."""
    catalog = config.find_value("iceberg.catalog.uri") or config.find_value("iceberg.catalog")
    for table in split_list(config.find_value("iceberg.tables")):
        yield Place(catalog, table)
    if config.find_value("iceberg.tables.dynamic-enabled").lower() == "true":
        raise InvalidInput(
            f"a field of each record of {topic} names its table, which is not supported; accepted is iceberg.tables",
            config.locate("iceberg.tables"),
        )


_LOCATORS: Mapping[str, Callable[[ConnectorConfig, str], Iterator[Place]]] = {
    "S3SinkConnector": _locate_bucket,
    "IcebergSinkConnector": _locate_iceberg,
}
