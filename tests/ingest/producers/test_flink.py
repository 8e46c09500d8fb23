"""Flink 2 with OpenLineage's listener: the SQL jobs of scripts/servers/flink, recorded in every run, run by a real Flink with --all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, build_job_key, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.queries.identity_conflicts import ConflictKind, list_conflicts
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.debezium.source import Debezium
from meshline.ingest.sources.reading_loader import load_reading
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import Event
from tests.ingest.producers.recordings import (
    BOTH,
    DATABASE,
    KAFKA,
    ask_graph,
    build_key,
    describe_shapes,
    find_affected,
    list_columns,
    list_datasets,
    open_graph,
    read_events,
    read_recording,
)

JOBS = "flink-jobs"  # the listener's namespace, unless `openlineage.job.namespace` names another
ORDERS = build_key(KAFKA, "shop.orders")
CONNECTOR = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "database.hostname": "db.internal",
    "database.port": "5432",
    "database.dbname": "shop",
    "topic.prefix": "shop",
    "table.include.list": "raw.orders",
    "transforms": "flat,route",
    "transforms.flat.type": "io.debezium.transforms.ExtractNewRecordState",
    "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
    "transforms.route.regex": "shop[.]raw[.](.*)",
    "transforms.route.replacement": "shop.$1",
}


@pytest.fixture(scope="module", params=BOTH)
def events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return read_events("flink", request.param, tmp_path_factory.mktemp("flink"))


def read_job(ask: AskGraph, name: str) -> Any:
    fields = "reads { qualifiedName } writes { qualifiedName } processingType integration runs { nodes { state } }"
    return ask(f"query($id: ID!) {{ node(id: $id) {{ ... on Job {{ {fields} }} }} }}", id=build_job_key(JOBS, name).id)["node"]


def list_exchanged(ask: AskGraph, name: str) -> tuple[set[str], set[str]]:
    job = read_job(ask, name)
    return {one["qualifiedName"] for one in job["reads"]}, {one["qualifiedName"] for one in job["writes"]}


def build_orders_key(column: str) -> AssetKey:
    return build_key(KAFKA, "shop.orders", column)


def test_topics_tables_and_files_are_read_and_written(ask: AskGraph) -> None:
    topic, database, session = "kafka://kafka.internal", "postgres://db.internal", "default_catalog.default_database"
    for name, exchanged in {
        "fill_orders": ({f"{JOBS}/fill_orders/{session}.generated"}, {f"{topic}/shop.orders"}),
        "paid_orders": ({f"{topic}/shop.orders"}, {f"{topic}/shop.paid"}),
        "split_orders": ({f"{topic}/shop.orders"}, {f"{topic}/shop.amounts", f"{JOBS}/split_orders/{session}.files"}),
        "count_states": ({f"{JOBS}/count_states/{session}.states"}, {f"{JOBS}/count_states/{session}.files"}),
        "store_amounts": ({f"{topic}/shop.orders", f"{database}/shop.raw.customers"}, {f"{database}/shop.mart.order_amounts"}),
        "live_orders": ({f"{topic}/shop.orders"}, {f"{topic}/shop.live"}),
    }.items():
        assert list_exchanged(ask, name) == exchanged, name


def test_columns_of_a_topic_possibly_affect_those_of_all_that_is_made_of_it(graph: LiveGraph) -> None:
    """Flink states no columns of lineage: whatever is behind a job is possible, and nothing is certain."""
    found = find_affected(graph, build_orders_key("amount"))
    assert set(found.values()) == {"POSSIBLE"}
    assert found.keys() == {
        *(
            "shop.paid.order_id",
            "shop.paid.total",
            "shop.amounts.order_id",
            "shop.amounts.amount",
            "shop.live.order_id",
            "shop.live.amount",
        ),
        *("orders.enriched.order_id", "orders.enriched.amount", "payments.enriched.order_id", "payments.enriched.total"),
        *("shop.mart.order_amounts.order_id", "shop.mart.order_amounts.amount"),
        *(f"split_orders/default_catalog.default_database.files.{name}" for name in ("order_id", "status")),
    }
    assert find_affected(graph, build_key(DATABASE, "shop.raw.customers", "country")).keys() == {
        "shop.mart.order_amounts.order_id",
        "shop.mart.order_amounts.amount",
    }, "the table that the job joins, and no topic"


def test_names_of_a_session_join_nothing(graph: LiveGraph) -> None:
    """Both jobs call their tables `src` and `snk`, and two have `files`: of other topics and paths."""
    assert list_columns(graph, build_key(KAFKA, "orders.enriched")) == ["order_id", "amount"]
    assert list_columns(graph, build_key(KAFKA, "payments.enriched")) == ["order_id", "total"]
    assert not any(key.startswith("payments.") for key in find_affected(graph, build_key(KAFKA, "shop.amounts", "amount")))
    files = {name.rpartition("/")[0] for name in list_datasets(graph) if name.endswith(".files")}
    assert files == {f"{JOBS}/split_orders", f"{JOBS}/count_states"}
    with graph.lock:
        conflicts = list_conflicts(graph.index)
    assert {one.kind for one in conflicts} == {ConflictKind.SESSION_NAME}
    assert find_affected(graph, build_key(JOBS, "split_orders/default_catalog.default_database.files", "status")) == {}


def test_topics_are_shown_by_their_names(ask: AskGraph) -> None:
    found = ask('{ search(text: "orders", kinds: [DATASET]) { nodes { qualifiedName } } }')["search"]["nodes"]
    assert found[0]["qualifiedName"] == "kafka://kafka.internal/shop.orders"
    assert not [one for one in found if one["qualifiedName"].startswith("kafka://kafka.internal/default_catalog")]


def test_columns_are_those_of_the_jobs_tables(graph: LiveGraph) -> None:
    """A job that declares fewer columns of a topic takes none away."""
    assert list_columns(graph, ORDERS) == ["order_id", "customer_id", "amount", "status"]


def test_ends_of_jobs_are_known(ask: AskGraph) -> None:
    states = {
        name: [one["state"] for one in read_job(ask, name)["runs"]["nodes"]] for name in ("paid_orders", "live_orders", "broken_orders")
    }
    assert states == {"paid_orders": ["COMPLETE"], "live_orders": ["ABORT"], "broken_orders": ["FAIL"]}
    assert read_job(ask, "paid_orders")["processingType"] == "BATCH"
    assert read_job(ask, "live_orders")["processingType"] == "STREAMING"


def test_a_job_that_failed_leaves_nothing_and_a_stream_stays(graph: LiveGraph, ask: AskGraph) -> None:
    assert list_exchanged(ask, "broken_orders")[1] == set()
    assert not any("no_such_table" in key for key in find_affected(graph, build_orders_key("amount")))
    assert list_exchanged(ask, "live_orders")[1] == {"kafka://kafka.internal/shop.live"}, "what it wrote before it was cancelled"


def test_nothing_is_provisional_once_the_jobs_have_ended(ask: AskGraph) -> None:
    query = "query($of: [ID!]!) { impact(of: $of) { completeness { provisional staleEdges } } }"
    assert ask(query, of=[ORDERS.id])["impact"]["completeness"] == {"provisional": 0, "staleEdges": 0}


def test_tables_are_those_of_airflow(events: list[Event]) -> None:
    """Both name a table of PostgreSQL in the same way: what Flink stores is what Airflow's tasks write, too."""
    with open_graph([*read_recording("airflow"), *events]) as live:
        writers = ask_graph(live)(
            "query($namespace: String!, $name: String!) { dataset(namespace: $namespace, name: $name) { writtenBy { name } } }",
            namespace=DATABASE,
            name="shop.mart.order_amounts",
        )["dataset"]["writtenBy"]
        assert {one["name"] for one in writers} == {"store_amounts", "shop_nightly.copy"}
        assert find_affected(live, build_key(DATABASE, "shop.raw.orders", "amount"))["shop.mart.order_amounts.amount"] == "DIRECT"


def test_topics_are_those_of_a_connector(events: list[Event], tmp_path: Path) -> None:
    """One answer runs from a table of PostgreSQL by Debezium into the topic, and by Flink back into another table."""
    (tmp_path / "orders.json").write_text(json.dumps({"name": "orders", "config": CONNECTOR}))
    source = Debezium(files=("orders.json",), kafka="kafka.internal:9092")
    with open_graph([*read_recording("airflow"), *events]) as live:
        reading = source.read(build_context(live, Naming(), tmp_path, source.source))
        loaded = load_reading(live, reading, get_current_micros())
        assert (loaded.refused, loaded.new) == ((), 1)
        found = find_affected(live, build_key(DATABASE, "shop.raw.orders", "amount"))
    assert found["shop.orders.amount"] == "DIRECT"
    assert found["orders.enriched.amount"] == "POSSIBLE"
    assert found["shop.mart.order_amounts.order_id"] == "POSSIBLE", "by Flink; Airflow copies another column into it"


@pytest.mark.parametrize("events", BOTH[1:], indirect=True)
def test_a_new_recording_has_the_shape_of_the_old_one(events: list[Event]) -> None:
    assert describe_shapes(events) == describe_shapes(read_recording("flink"))
