"""What a connector says -> facts: a job that reads tables and writes topics, and the flows between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json
from meshline.ingest.sources.debezium.columns import Passed
from meshline.ingest.sources.debezium.configs import Config
from meshline.ingest.sources.debezium.regexes import listed
from meshline.ingest.sources.debezium.topics import Record

_NEVER = frozenset({"no_data", "never", "schema_only", "recovery", "schema_only_recovery"})


class Capture(NamedTuple):
    """One table's way into its topic. `passed`: its columns, None if the graph does not know them."""

    table: AssetKey
    topic: AssetKey
    record: Record
    passed: Sequence[Passed] | None


def job_of(config: Config) -> AssetKey:
    """The job by the name that Debezium's own OpenLineage events give it: that of its first task."""
    prefix = config.first("topic.prefix", "database.server.name", "mongodb.name")
    return model.job(config.first("openlineage.integration.job.namespace") or prefix, f"{prefix}.0")


def facts(config: Config, captures: Sequence[Capture]) -> Facts:
    job = job_of(config)
    edges = [EdgeFact(EdgeType.READS, job, table) for table in dict.fromkeys(capture.table for capture in captures)]
    edges += [EdgeFact(EdgeType.WRITES, job, topic) for topic in dict.fromkeys(capture.topic for capture in captures)]
    edges += [EdgeFact(EdgeType.OWNS, model.owner(name), job, {"type": role}) for name, role in _pairs(config, "owners")]
    topics = {capture.topic: AssetFact(capture.topic, {"dataset_type": "TOPIC"}) for capture in captures}
    return Facts(
        assets=(AssetFact(job, _job(config, captures)), *topics.values()),
        edges=tuple(edges),
        flows=tuple(flow for capture in captures for flow in _flows(job, capture)),
    )


def _job(config: Config, captures: Sequence[Capture]) -> dict[str, Json]:
    mode = config.first("snapshot.mode")
    tags: list[Json] = [f"{key}={value}" if value else key for key, value in _pairs(config, "tags")]
    said: dict[str, Json] = {
        "title": config.name,
        "description": config.first("openlineage.integration.job.description"),
        "tags": tags,
        "job_type": "CONNECTOR",
        "processing_type": "STREAMING",
        "integration": "DEBEZIUM",
        "connector_class": config.first("connector.class"),
        "snapshot_mode": mode or "initial",
        "snapshot_data": mode.lower() not in _NEVER,
        "record_format": "row" if captures and all(capture.record.flat for capture in captures) else "envelope",
    }
    return {name: value for name, value in said.items() if value not in ("", [])}


def _pairs(config: Config, of: str) -> Iterator[tuple[str, str]]:
    for pair in listed(config.first(f"openlineage.integration.job.{of}")):
        name, _, value = pair.partition("=")
        yield name.strip(), value.strip() or ("technical" if of == "owners" else "")


def _flows(job: AssetKey, capture: Capture) -> Iterator[Flow]:
    table, topic = capture.table, capture.topic
    yield Flow(table, topic, covered=capture.passed is not None, job=job)
    for one in capture.passed or ():
        subtype = "TRANSFORMATION" if one.changed else "IDENTITY"
        yield Flow(model.column(table, one.column), model.column(topic, one.field), FlowType.DIRECT, subtype, one.masked, job=job)
