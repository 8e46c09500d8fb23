"""From a table through Debezium's topic to who reads it: `meshline sync` of events, a real registry and a connector, and what is affected.

The schemas are written by hand as Debezium's documentation shows what its Avro and JSON Schema converters register.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run_successfully
from tests.schema_registry import RegistryServer

COLUMNS = ("id", "amount", "country")
SOURCE = {"type": "record", "name": "Source", "namespace": "io.debezium.connector.postgresql", "fields": [{"name": "db", "type": "string"}]}
FLAT = {"transforms": "flat", "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState"}


def build_row(name: str) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": one, "type": ["null", "string"], "default": None} for one in COLUMNS]}


def build_envelope(topic: str) -> dict[str, Any]:
    """As Avro: `after` refers to the type that `before` defines."""
    fields = [
        {"name": "before", "type": ["null", build_row("Value")], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "source", "type": SOURCE},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ]
    return {"type": "record", "name": "Envelope", "namespace": topic, "fields": fields, "connect.name": f"{topic}.Envelope"}


def build_json_envelope() -> dict[str, Any]:
    texts = {one: {"connect.index": i, "oneOf": [{"type": "null"}, {"type": "string"}]} for i, one in enumerate(COLUMNS)}
    row = {"oneOf": [{"type": "null"}, {"type": "object", "title": "Value", "properties": texts}]}
    properties = {
        "before": row,
        "after": row,
        "op": {"type": "string"},
        "source": {"type": "object", "properties": {"db": {"type": "string"}}},
    }
    return {"type": "object", "title": "Envelope", "properties": properties}


def build_flat(name: str) -> dict[str, Any]:
    row = build_row(name)
    return {**row, "fields": [*row["fields"], {"name": "__deleted", "type": ["null", "string"], "default": None}]}


def build_events(topic: str, field: str) -> str:
    """A job that describes the table, and one that reads a field of the topic."""
    table = {"namespace": "postgres://db:5432", "name": "shop.raw.orders"}
    schema = {"_producer": "https://x", "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"}
    described = {**table, "facets": {"schema": {**schema, "fields": [{"name": one, "type": "text"} for one in COLUMNS]}}}
    read = {"namespace": "kafka://kafka:9092", "name": topic}
    lineage = {
        **schema,
        "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json",
        "fields": {
            "revenue": {"inputFields": [{**read, "field": field, "transformations": [{"type": "DIRECT", "subtype": "AGGREGATION"}]}]}
        },
    }
    output = {"namespace": "s3://lake", "name": "revenue", "facets": {"columnLineage": lineage}}
    base = {"producer": "https://x", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json", "eventTime": "2026-01-01T00:00:00Z"}
    run = {
        "eventType": "COMPLETE",
        "run": {"runId": "01941f29-7c00-7000-8000-000000000000"},
        "job": {"namespace": "flink", "name": "revenue"},
    }
    return "\n".join(json.dumps(one) for one in ({**base, "dataset": described}, {**base, **run, "inputs": [read], "outputs": [output]}))


@pytest.mark.parametrize(
    ("form", "more", "field"),
    [
        ("avro", {}, "after.amount"),
        ("json", {}, "after.amount"),
        ("flat", FLAT, "amount"),
    ],
)
def test_a_column_reaches_who_reads_its_field(new: str, registry: RegistryServer, form: str, more: dict[str, str], field: str) -> None:
    topic = f"{form}.raw.orders"
    schema = {"avro": build_envelope(topic), "json": build_json_envelope(), "flat": build_flat("Value")}[form]
    registry.register(f"{topic}-value", schema, "JSON" if form == "json" else "AVRO")
    registry.register(f"{topic}-key", {"type": "record", "name": "Key", "namespace": topic, "fields": [{"name": "id", "type": "string"}]})
    Path("events.ndjson").write_text(build_events(topic, field))
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "db", "database.dbname": "shop", "topic.prefix": form, "table.include.list": "raw.orders", **more,
    }  # fmt: skip
    Path("connector.json").write_text(json.dumps({"name": "shop", "config": config}))
    Path("mesh.yaml").write_text(f"""
version: 1
source: shop
sources:
  - {{kind: openlineage, files: [events.ndjson]}}
  - {{kind: registry, url: '{registry.url}', namespace: 'kafka://kafka:9092', subjects: ['{form}.*']}}
  - {{kind: debezium, files: [connector.json], kafka: 'kafka:9092'}}
""")
    run_successfully("sync", "--store", new)
    rows = {f"kafka://kafka/{topic}.{field}"} | ({f"kafka://kafka/{topic}.before.amount"} if form != "flat" else set())
    assert list_affected("shop.raw.orders.amount", new) == {*rows, "s3://lake/revenue.revenue"}
    assert list_affected("shop.raw.orders.country", new) == {one.replace("amount", "country") for one in rows}


def list_affected(column: str, store: str) -> set[str]:
    """The columns that get values from a column."""
    answer: Any = run_successfully("impact", column, "--format", "json", "--store", store).json
    found = [one for one in answer["data"]["nodes"] if one["node"]["kind"] == "COLUMN"]
    assert {one["reach"] for one in found} == {"DIRECT"}
    return {one["node"]["qualifiedName"] for one in found}
