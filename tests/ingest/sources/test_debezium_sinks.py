"""Sink connectors: topics into files and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.content import decode_facts
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, Refusal
from meshline.ingest.sources.debezium.source import Debezium

S3 = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "cdc.orders, cdc.items",
    "s3.bucket.name": "landing",
    "bootstrap.servers": "kafka:9092",
}
ICEBERG = {
    "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
    "topics": "cdc.orders",
    "iceberg.catalog.uri": "http://catalog:8181",
    "iceberg.tables": "shop.orders,shop.audit",
    "bootstrap.servers": "kafka:9092",
}


def read_sink(folder: Path, config: dict[str, Any]) -> Entry | Refusal:
    (folder / "sink.json").write_text(json.dumps({"name": "sink", "config": config}), encoding="utf-8")
    [found] = Debezium(files=("sink.json",)).read(Context(Naming(), folder)).items
    assert isinstance(found, Entry | Refusal)
    return found


@pytest.mark.parametrize(
    ("config", "flows"),
    [
        (S3, {("cdc.orders", "s3://landing/topics/cdc.orders"), ("cdc.items", "s3://landing/topics/cdc.items")}),
        (S3 | {"topics.dir": "raw"}, {("cdc.orders", "s3://landing/raw/cdc.orders"), ("cdc.items", "s3://landing/raw/cdc.items")}),
        (ICEBERG, {("cdc.orders", "http://catalog:8181/shop.orders"), ("cdc.orders", "http://catalog:8181/shop.audit")}),
    ],
)
def test_topics_flow_into_datasets(tmp_path: Path, config: dict[str, Any], flows: set[tuple[str, str]]) -> None:
    entry = read_sink(tmp_path, config)
    assert isinstance(entry, Entry)
    facts = decode_facts(entry.content.blob)
    assert {(flow.start.name, flow.end.qualified_name) for flow in facts.flows} == flows
    assert {flow.start.parts[0] for flow in facts.flows} == {"kafka://kafka"}
    assert {flow.job for flow in facts.flows} == {facts.assets[0].key}
    assert not any(flow.covered for flow in facts.flows)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**S3, "topics": "", "topics.regex": "cdc.*"}, "topics.regex does not determine which topics exist"),
        ({**S3, "s3.bucket.name": ""}, "s3.bucket.name"),
        ({**ICEBERG, "iceberg.tables.dynamic-enabled": "true"}, "names its table, which is not supported"),
    ],
)
def test_a_sink_whose_datasets_cannot_be_located_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    refused = read_sink(tmp_path, config)
    assert isinstance(refused, Refusal)
    assert message in str(refused.error)
    assert "sink.json" in str(refused.error)
