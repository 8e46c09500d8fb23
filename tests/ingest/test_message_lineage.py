"""Columns in Kafka's messages: what Debezium writes into them, by the schemas in its events, and what Spark takes out of them, by its plan.

The plans, of Spark from Kafka, are recorded by scripts/record-spark-plans, whose queries are in scripts/servers/spark-kafka/plans.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, build_job_key
from meshline.graph.naming import Naming
from meshline.ingest.openlineage import spark_plan
from meshline.ingest.openlineage.debezium_topics import is_neutral
from meshline.ingest.openlineage.message_schemas import MAX_FIELDS, Schema, SchemaTooLargeError, read_avro_fields
from meshline.ingest.openlineage.restricted_record import restrict_record
from meshline.ingest.openlineage.run_state import RunEnd, RunRecord
from tests.ingest.lineage_events import (
    Event,
    build_dataset,
    build_event,
    build_lineage_facet,
    build_schema_facet,
    build_source_field,
    format_column_flows,
    format_dataset_flows,
    ingest_each,
    ingest_groups,
)

PLANS: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress((Path(__file__).parent / "spark_plans.json.gz").read_bytes()))
KAFKA = "kafka://kafka:9092"
SPARK = {"jobType": {"integration": "SPARK", "processingType": "BATCH", "jobType": "SQL_JOB"}}
SOURCE = build_schema_facet("key", "value", "topic", "partition", "offset", "timestamp", "timestampType")  # of Spark's Kafka source

# By the name of the query: what flows, as `field -> column KIND`, a star for rows; None: the plan is not understood.
FLOWS: dict[str, set[str] | None] = {
    "copy": {"after.order_id -> id IDENTITY", "after.email -> email TRANSFORMATION"},
    "json": {
        "after.amount -> amount IDENTITY",
        "after.lines -> lines IDENTITY",
        "after.lines.element -> lines IDENTITY",
        "after.lines.element.sku -> lines IDENTITY",
    },
    "hash": {"after.email -> buyer TRANSFORMATION masked"},
    "case": {"after.amount -> amount TRANSFORMATION", "op -> amount CONDITIONAL"},
    "if": {"after.order_id -> id TRANSFORMATION", "before.order_id -> id TRANSFORMATION", "op -> id CONDITIONAL"},
    "sum": {
        "after.status -> status IDENTITY",
        "after.amount -> total AGGREGATION",
        "after.email -> buyers AGGREGATION masked",
        "after.status -> * GROUP_BY",
        "op -> * FILTER",
    },
    "window": {"after.amount -> total TRANSFORMATION", "after.status -> total WINDOW"},
    "fields of several": {"after.order_id -> id TRANSFORMATION", "before.order_id -> id TRANSFORMATION"},
    # The optimizer adds that the key is not null.
    "join": {"after.amount -> euros TRANSFORMATION", "after.status -> * JOIN", "after.status -> * FILTER", "op -> * SORT"},
    "undecoded": set(),
    "metadata": set(),
    "join with an RDD": None,
    "no messages": None,
    "union": None,
    "generate": None,
    "subquery": None,
}
ROW = ("order_id", "amount", "email", "status", "lines", "lines.element", "lines.element.sku", "counts", "counts.value")
FLOWS["row"] = {"after -> row IDENTITY", *(f"after.{name} -> row IDENTITY" for name in ROW)}
FLOWS["text"] = {"after -> text TRANSFORMATION", *(f"after.{name} -> text TRANSFORMATION" for name in ROW)}


def encode_plan(nodes: object) -> bytes:
    return json.dumps({"plan": nodes}).encode()


def format_flow(flow: spark_plan.MessageFlow) -> str:
    direct = flow.subtype in ("IDENTITY", "TRANSFORMATION", "AGGREGATION")
    assert (flow.type.value == "DIRECT") == direct
    return f"{flow.field} -> {flow.target or '*'} {flow.subtype}{' masked' if flow.masking else ''}"


def test_every_recorded_plan_has_an_expectation() -> None:
    assert PLANS.keys() == FLOWS.keys()


@pytest.mark.parametrize("name", PLANS)
def test_what_flows_out_of_messages_is_read_from_a_plan(name: str) -> None:
    found = spark_plan.read_message_flows(encode_plan(PLANS[name]))
    assert (None if found is None else {format_flow(flow) for flow in found.flows}) == FLOWS[name]
    assert (found is not None and found.whole) == (name == "undecoded")


@pytest.mark.parametrize(
    "plan",
    [
        b"",
        b"[]",
        b'{"plan": 1}',
        b'{"plan": "Unable to serialize logical plan"}',
        encode_plan([]),
        encode_plan([{"class": 1, "num-children": 0}]),
        encode_plan([{"class": "Project", "num-children": 1, "projectList": [[{"class": "Alias", "num-children": 9}]]}]),
        encode_plan(PLANS["copy"][:-1]),
        b'{"plan": ' + b"[" * 100_000,
        encode_plan(PLANS["copy"]) + b" " * spark_plan.MAX_BYTES,
    ],
)
def test_a_plan_that_is_none_gives_nothing(plan: bytes) -> None:
    assert spark_plan.read_message_flows(plan) is None


def nest(schema: object, times: int) -> object:
    for number in range(times):
        schema = {"type": "record", "name": f"R{number}", "fields": [{"name": "f", "type": schema}]}
    return schema


@pytest.mark.parametrize(
    ("schema", "fields"),
    [
        ("string", None),
        (["null", {"type": "map", "values": {"type": "array", "items": "int"}}], {"value": {"element": None}}),
        ({"type": "record", "name": "a.T", "fields": [{"name": "up", "type": ["null", "a.T"]}]}, {"up": None}),
        ({"type": "record", "name": "T", "namespace": "a", "fields": [{"name": "x", "type": {"type": "bytes"}}]}, {"x": None}),
        ({"type": "record", "name": "T", "fields": [{"name": "x", "type": ["int", "string"]}]}, {"x": None}),
        ({"type": {"type": "record", "name": "T", "fields": [{"name": "x", "type": "int"}]}}, {"x": None}),
    ],
)
def test_fields_of_avro(schema: object, fields: Schema) -> None:
    assert read_avro_fields(json.dumps(schema)) == fields


def test_schemas_have_limits() -> None:
    with pytest.raises(SchemaTooLargeError):
        read_avro_fields(json.dumps(nest("int", 100)))
    twice: object = {"type": "record", "name": "R0", "fields": [{"name": "f", "type": "int"}]}
    for number in range(1, 40):  # doubled forty times: small as a text, huge as a tree
        fields = [{"name": "a", "type": twice}, {"name": "b", "type": f"R{number - 1}"}]
        twice = {"type": "record", "name": f"R{number}", "fields": fields}
    with pytest.raises(SchemaTooLargeError):
        read_avro_fields(json.dumps(twice))
    wide = [{"name": f"f{number}", "type": "int"} for number in range(MAX_FIELDS + 1)]
    with pytest.raises(SchemaTooLargeError):
        read_avro_fields(json.dumps({"type": "record", "name": "R", "fields": wide}))


# -- in the events of Spark


def build_copy(*, plan: str = "", topics: Sequence[str] = ("changes",), facet: Event | None = None, listed: Sequence[str] = ()) -> Event:
    """A run of Spark that fills `silver` from Kafka."""
    stated = {"columnLineage": facet} if facet else {}
    output = build_dataset("silver", schema=build_schema_facet(*(listed or ("id", "email"))), **stated)
    inputs = [build_dataset(topic, KAFKA, schema=SOURCE) for topic in topics]
    run_facets = {"spark.logicalPlan": {"plan": PLANS[plan]}} if plan else {}
    return build_event("COMPLETE", 1, inputs, [output], job_facets=SPARK, run_facets=run_facets)


def test_a_plan_covers_the_messages_of_its_topic() -> None:
    facts = ingest_each(build_copy(plan="copy")).read_output_facts("silver")
    assert format_column_flows(facts) == {
        "changes.after.order_id -> silver.id IDENTITY",
        "changes.after.email -> silver.email TRANSFORMATION",
    }
    assert format_dataset_flows(facts) == {"changes -> silver": True}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (build_copy(), "there is no plan"),
        (build_copy(plan="union"), "the plan is not understood"),
        (build_copy(plan="metadata"), "nothing of a message is used"),
        (build_copy(plan="undecoded"), "the message is not decoded"),
        (build_copy(plan="copy", topics=("changes", "others")), "the plan does not name which of two topics it is about"),
        (build_copy(facet=build_lineage_facet(id=[build_source_field("changes", "value", namespace=KAFKA)])), "a message is no column"),
        (build_copy(plan="copy", listed=("other",)), "the output has no such columns"),
    ],
)
def test_otherwise_each_field_may_flow(event: Event, why: str) -> None:
    facts = ingest_each(event).read_output_facts("silver")
    assert not format_column_flows(facts), why
    assert all(not covered for covered in format_dataset_flows(facts).values()), why
    assert "changes -> silver" in format_dataset_flows(facts), why


def test_a_plan_adds_to_the_lineage_of_other_inputs() -> None:
    facet = build_lineage_facet(email=[build_source_field("people", "email", "DIRECT/IDENTITY")])
    event = build_copy(plan="copy", facet=facet)
    event["inputs"].append(build_dataset("people", schema=build_schema_facet("email")))
    facts = ingest_each(event).read_output_facts("silver")
    assert format_column_flows(facts) == {
        "changes.after.order_id -> silver.id IDENTITY",
        "changes.after.email -> silver.email TRANSFORMATION",
        "people.email -> silver.email IDENTITY",
    }
    assert format_dataset_flows(facts) == {"changes -> silver": True, "people -> silver": True}


def test_the_columns_of_sparks_source_are_not_those_of_the_topic() -> None:
    written = build_event("COMPLETE", 0, [], [build_dataset("changes", KAFKA, schema=build_schema_facet("after.amount"))], job="writer")
    index = LiveGraph.open(ingest_each(written, build_copy()).store).index
    topic = index.assets.find_by_key(Naming().normalise_dataset(KAFKA, "changes"))
    assert topic is not None
    assert [index.assets.get_column_name(column) for column in index.assets.list_columns(topic)] == ["after.amount"]


class PartlyHidden:
    """What a caller sees of an index that may read every dataset of a run, and not the SQL of its job."""

    is_restricted = True

    def __init__(self) -> None:
        self.assets = self

    def find_by_key(self, _key: AssetKey) -> int:
        return 0

    def may_name(self, _key: AssetKey) -> bool:
        return True

    def may_read(self, _node: int) -> bool:
        return True

    def is_partly_hidden(self, _node: int, *, sql: bool) -> bool:
        return sql


def test_a_plan_is_left_out_where_the_sql_is() -> None:
    facets = {spark_plan.FACET: "{}", "processing_engine": "{}"}
    record = RunRecord(0, 0, RunEnd.COMPLETE, 0, (None, None), None, None, facets, {"sql": "{}", "jobType": "{}"}, {}, {})
    found = restrict_record(cast("LineageIndex", PartlyHidden()), Naming(), build_job_key("jobs", "etl"), record)
    assert (found.withheld, [*found.record.run_facets], [*found.record.job_facets]) == (False, ["processing_engine"], ["jobType"])


# -- in the events of Debezium

CONFIG = ("transforms=openlineage", "transforms.openlineage.type=io.debezium.transforms.openlineage.OpenLineage", "topic.prefix=shop")


def build_capture(*config: str, columns: Sequence[str] = ("id", "email"), fields: Sequence[str] = ()) -> list[Event]:
    """Events of Debezium: of a table, and of its topic."""
    facets = {"jobType": {"integration": "DEBEZIUM", "processingType": "STREAMING", "jobType": "TASK"}}
    about = {"debezium_config": {"configs": list(config)}} if config else {}
    rows = [{"name": row, "type": "STRUCT", "fields": [{"name": name} for name in columns]} for row in ("before", "after")]
    listed = build_schema_facet(*fields) if fields else {"fields": [*rows, {"name": "op", "type": "STRING"}]}
    table = build_dataset("shop.raw.users", "postgres", schema=build_schema_facet("id", "email"))
    topic = build_dataset("shop.raw.users", schema=listed)
    return [
        build_event("RUNNING", minute, inputs, outputs, job_facets=facets, run_facets=about)
        for minute, (inputs, outputs) in enumerate([([table], []), ([], [topic])])
    ]


def test_columns_of_a_table_are_in_the_rows_of_its_topic() -> None:
    events = build_capture(*CONFIG)
    for known in (ingest_each(*events), ingest_each(*reversed(events)), ingest_groups(events)):
        facts = known.read_output_facts("shop.raw.users")
        assert format_column_flows(facts) == {
            f"shop.raw.users.{name} -> shop.raw.users.{row}.{name} IDENTITY" for name in ("id", "email") for row in ("before", "after")
        }
        assert format_dataset_flows(facts) == {"shop.raw.users -> shop.raw.users": True}


@pytest.mark.parametrize(
    ("events", "flows"),
    [
        (build_capture(), False),
        (build_capture(*CONFIG, "column.mask.with.5.chars=raw.users.email"), False),
        (build_capture("transforms=unwrap", "transforms.unwrap.type=io.debezium.transforms.ExtractNewRecordState"), False),
        (build_capture(*CONFIG, columns=("id",)), True),
        (build_capture(*CONFIG, columns=("id", "email", "added")), True),
        (build_capture(*CONFIG, fields=("id", "email")), False),
    ],
    ids=["no config", "masked", "transformed", "column left out", "column added", "flat"],
)
def test_where_rows_may_be_changed_each_column_may_flow(events: list[Event], *, flows: bool) -> None:
    facts = ingest_each(*events).read_output_facts("shop.raw.users")
    assert bool(format_column_flows(facts)) is flows
    assert format_dataset_flows(facts) == {"shop.raw.users -> shop.raw.users": False}


@pytest.mark.parametrize("facet", [b"", b"{}", b'{"configs": {}}', b'{"configs": [1]}', b"\xff"])
def test_a_config_that_cannot_be_read_leaves_nothing_certain(facet: bytes) -> None:
    assert not is_neutral(facet)
