"""Spark's streams from Kafka (scripts/servers/spark-kafka/streams.py), recorded in every run, run by a real Spark and Kafka with --all."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_job_key
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import Event
from tests.ingest.producers.recordings import (
    BOTH,
    KAFKA,
    ROOT,
    build_key,
    describe_shapes,
    find_affected,
    ingest_events,
    list_columns,
    list_datasets,
    open_graph,
    read_events,
    read_recording,
)

LAKE = "http://iceberg-rest.internal:8181"
TOPIC = "kafka://kafka.internal/shop."
ORDERS, CUSTOMERS, PAID = (build_key(KAFKA, f"shop.{name}") for name in ("orders", "customers", "paid"))
STREAM = "streams.write_to_data_source_v2"  # the name of each stream that does not write files
IMPACT = "query($of: [ID!]!) { impact(of: $of) { assets(first: 100) { nodes { reach node { name } } } } }"


@pytest.fixture(scope="module", params=BOTH)
def events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return read_events("spark-streams", request.param, tmp_path_factory.mktemp("spark-streams"))


def read_job(ask: AskGraph, name: str) -> Any:
    fields = "reads { qualifiedName } writes { qualifiedName } processingType"
    return ask(f"query($id: ID!) {{ node(id: $id) {{ ... on Job {{ {fields} }} }} }}", id=build_job_key("lakehouse", name).id)["node"]


def list_exchanged(ask: AskGraph, name: str) -> tuple[set[str], set[str]]:
    job = read_job(ask, name)
    return {one["qualifiedName"] for one in job["reads"]}, {one["qualifiedName"] for one in job["writes"]}


def test_a_stream_into_a_topic_possibly_affects_it(ask: AskGraph) -> None:
    found = ask(IMPACT, of=[ORDERS.id])["impact"]["assets"]["nodes"]
    assert {one["node"]["name"]: one["reach"] for one in found} == dict.fromkeys(["shop.paid", STREAM, "streams.project"], "POSSIBLE")
    assert read_job(ask, STREAM)["processingType"] == "STREAMING"


def test_the_columns_of_messages_are_not_those_of_a_topic(graph: LiveGraph) -> None:
    """Spark reads a topic as `key`, `value`, `offset`, ..., and writes it as `key` and `value`."""
    for topic in (ORDERS, CUSTOMERS, PAID):
        assert list_columns(graph, topic) == [], topic


def test_the_newest_micro_batch_of_an_application_decides_what_its_streams_exchange(ask: AskGraph) -> None:
    """Their jobs have one name. Of those into tables (orders, contacts, revenue) and the one into a topic, the last was the latter."""
    assert list_exchanged(ask, STREAM) == ({f"{TOPIC}orders"}, {f"{TOPIC}paid"})


def test_a_stream_into_a_table_or_files_names_no_output(graph: LiveGraph, ask: AskGraph) -> None:
    """What OpenLineage's listener sends names the topic only; the plan in it has no name of the table, either."""
    assert list_exchanged(ask, "streams.project") == ({f"{TOPIC}customers", f"{TOPIC}orders"}, set())
    tables = {f"{LAKE}/silver.{name}" for name in ("orders", "contacts", "revenue", "newest_orders")}
    assert list_datasets(graph) == {f"{TOPIC}orders", f"{TOPIC}customers", f"{TOPIC}paid", *tables}
    assert find_affected(graph, ORDERS) == {}


def test_a_batch_that_a_stream_merges_names_no_topic(ask: AskGraph) -> None:
    """In `foreachBatch` the listener takes the batch for an RDD."""
    table = {f"{LAKE}/silver.newest_orders"}
    assert list_exchanged(ask, "streams.replace_data.lake_silver_newest_orders") == (table, table)


def test_a_stated_flow_makes_up_for_what_is_missing(events: list[Event]) -> None:
    """The event that docs/openlineage.md shows."""
    page = (ROOT / "docs" / "openlineage.md").read_text("utf-8")
    (stated,) = (
        event
        for text in re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if "JobEvent" in (event := json.loads(text))["schemaURL"]
    )
    with open_graph(events) as live:
        ingest_events(live, [stated])
        assert find_affected(live, build_key(KAFKA, "shop.customers", "email")) == {"silver.contacts.contact": "DIRECT"}


@pytest.mark.parametrize("events", BOTH[1:], indirect=True)
def test_a_new_recording_has_the_shape_of_the_old_one(events: list[Event]) -> None:
    """The ends of runs: the listener loses some of their starts."""
    found, expected = ([one for one in part if one["eventType"] == "COMPLETE"] for part in (events, read_recording("spark-streams")))
    assert describe_shapes(found) == describe_shapes(expected)
