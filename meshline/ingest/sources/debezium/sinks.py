"""Connectors that take topics on: to files of a bucket, or to tables of Iceberg. Their configs do not tell of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow
from meshline.graph.naming import Naming
from meshline.ingest.sources.debezium.configs import Config
from meshline.ingest.sources.debezium.regexes import listed

NAMESPACE = "connect"  # of the jobs: a config does not say which Connect cluster runs it


class Place(NamedTuple):
    """A dataset as a sink names it."""

    namespace: str
    name: str


def is_sink(config: Config) -> bool:
    return _kind(config) in _PLACES


def facts(config: Config, broker: str, naming: Naming) -> Facts:
    """A job that reads topics and writes what they become: datasets only, for columns are not told. Raises InvalidInput."""
    job = model.job(NAMESPACE, config.name)
    topics = list(listed(config.first("topics")))
    if not topics:
        raise InvalidInput(
            "it is not there; topics.regex is not followed, for it does not say which topics there are", config.where("topics")
        )
    flows = [
        Flow(naming.dataset(f"kafka://{broker}", topic), naming.dataset(*place), job=job)
        for topic in topics
        for place in _PLACES[_kind(config)](config, topic)
    ]
    edges = [EdgeFact(EdgeType.READS, job, topic) for topic in _distinct(flow.start for flow in flows)]
    edges += [EdgeFact(EdgeType.WRITES, job, place) for place in _distinct(flow.end for flow in flows)]
    said = {"title": config.name, "job_type": "CONNECTOR", "processing_type": "STREAMING", "integration": "KAFKA_CONNECT"}
    about = AssetFact(job, {**said, "connector_class": config.first("connector.class")})
    return Facts(assets=(about,), edges=tuple(edges), flows=tuple(flows))


def _kind(config: Config) -> str:
    return config.first("connector.class").rpartition(".")[2]


def _distinct(keys: Iterator[AssetKey]) -> list[AssetKey]:
    return list(dict.fromkeys(keys))


def _bucket(config: Config, topic: str) -> Iterator[Place]:
    """Confluent's S3 sink: `<topics.dir>/<topic>/partition=...`."""
    bucket = config.first("s3.bucket.name")
    if not bucket:
        raise InvalidInput("it is not there", config.where("s3.bucket.name"))
    yield Place(f"s3://{bucket}", f"{config.first('topics.dir') or 'topics'}/{topic}")


def _iceberg(config: Config, topic: str) -> Iterator[Place]:
    """Iceberg's own sink. What goes where by a field's value is not told: each topic may be in each table."""
    catalog = config.first("iceberg.catalog.uri") or config.first("iceberg.catalog")
    for table in listed(config.first("iceberg.tables")):
        yield Place(catalog, table)
    if config.first("iceberg.tables.dynamic-enabled").lower() == "true":
        raise InvalidInput(
            f"the table of a record of {topic} is in a field of it: accepted are iceberg.tables", config.where("iceberg.tables")
        )


_PLACES: Mapping[str, Callable[[Config, str], Iterator[Place]]] = {"S3SinkConnector": _bucket, "IcebergSinkConnector": _iceberg}
