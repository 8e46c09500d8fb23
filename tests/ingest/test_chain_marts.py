"""The marts and dashboards of examples/chain, from real systems: Trino's, dbt's, Iceberg's and Superset's names of a table are one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.graph.store.factory import open_store
from tests.api.conftest import AskGraph
from tests.cli.command import run_successfully

CHAIN = Path(__file__).resolve().parents[2] / "examples" / "chain"
LAKE, TRINO = "http://iceberg-rest.internal:8181", "trino://trino.internal"
MESH = f"""\
version: 1
source: marts
namespaces: {{lake: "{LAKE}", trino: "trino://trino.internal:8080"}}
catalogs: [{{names: lake, also: ["trino://trino.internal:8080/lake"]}}]
sources:
  - {{kind: openlineage, name: trino, files: ["{CHAIN}/events/trino.ndjson"]}}
  - {{kind: iceberg, name: lake, files: ["{CHAIN}/iceberg/gold.*.json"], namespace: lake}}
  - {{kind: dbt, name: marts, path: "{CHAIN}/dbt/target", namespace: trino}}
  - {{kind: superset, name: bi, files: ["{CHAIN}/superset/**/*.yaml"], url: "http://superset.internal"}}
"""
IMPACT = """query($of: [ID!]!) { impact(of: $of) { assets(kinds: [COLUMN, CONSUMER, JOB], first: 100) {
    nodes { reach node { kind name qualifiedName } } } } }"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGraph]:
    folder = tmp_path_factory.mktemp("marts")
    (folder / "mesh.yaml").write_text(MESH, encoding="utf-8")
    run_successfully("sync", folder / "mesh.yaml", "--store", f"sqlite:///{folder / 'graph.db'}")
    store = open_store(f"sqlite:///{folder / 'graph.db'}")
    yield LiveGraph.open(store)
    store.close()


def list_affected(live: LiveGraph, dataset: str, column: str, kind: str, namespace: str = TRINO) -> dict[str, str]:
    of = build_column_key(build_dataset_key(namespace, dataset), column)
    found = AskGraph(live)(IMPACT, of=[of.id])["impact"]["assets"]["nodes"]
    return {one["node"]["qualifiedName"].rpartition("/")[2]: one["reach"] for one in found if one["node"]["kind"] == kind}


@pytest.mark.parametrize("table", ["daily_revenue", "customer_value"])
def test_the_names_of_a_table_are_one_dataset(live: LiveGraph, table: str) -> None:
    query = "query($n: String!, $t: String!) { dataset(namespace: $n, name: $t) { identity { members { name { namespace name } } } } }"
    found = AskGraph(live)(query, n=LAKE, t=f"gold.{table}")["dataset"]["identity"]["members"]
    names = {(one["name"]["namespace"], one["name"]["name"]) for one in found}
    assert {(LAKE, f"gold.{table}"), (TRINO, f"lake.gold.{table}")} <= names
    query = "query($n: String!, $t: String!) { dataset(namespace: $n, name: $t) { columns { nodes { name } } facts { source } } }"
    dataset = AskGraph(live)(query, n=TRINO, t=f"lake.gold.{table}")["dataset"]
    assert {"iceberg/lake", "dbt/marts"} <= {fact["source"] for fact in dataset["facts"]}
    if table == "daily_revenue":
        assert [column["name"] for column in dataset["columns"]["nodes"]] == ["day", "country", "revenue", "orders"]


def test_an_amount_reaches_the_dashboard_that_shows_it(live: LiveGraph) -> None:
    assert list_affected(live, "lake.silver.orders", "amount", "COLUMN") == {
        "gold.daily_revenue.revenue": "DIRECT",
        "gold.customer_value.lifetime_value": "DIRECT",
        # Trino names every column that a query reads as one that all others depend on
        **dict.fromkeys(("gold.daily_revenue.day", "gold.daily_revenue.country", "gold.daily_revenue.orders"), "INDIRECT"),
        **dict.fromkeys(("gold.customer_value.customer_id", "gold.customer_value.country"), "INDIRECT"),
    }
    assert list_affected(live, "lake.silver.orders", "amount", "CONSUMER")["Revenue"] == "DIRECT"
    assert list_affected(live, "lake.silver.orders", "amount", "CONSUMER")["Orders"] == "INDIRECT"


def test_a_dashboard_consumes_the_columns_of_its_charts(live: LiveGraph) -> None:
    assert list_affected(live, "gold.daily_revenue", "revenue", "CONSUMER", LAKE) == {"Revenue": "DIRECT", "monthly_close": "POSSIBLE"}
    assert list_affected(live, "gold.daily_revenue", "orders", "CONSUMER", LAKE) == {"Orders": "DIRECT", "monthly_close": "POSSIBLE"}
    assert list_affected(live, "gold.daily_revenue", "country", "CONSUMER", LAKE) == {"Revenue": "DIRECT", "monthly_close": "POSSIBLE"}


def test_a_column_that_no_mart_reads_is_in_no_lineage(live: LiveGraph) -> None:
    assert list_affected(live, "lake.silver.customers", "email", "CONSUMER") == {}
    assert list_affected(live, "lake.silver.customers", "email", "COLUMN") == {}


def test_the_exposure_has_its_owner(live: LiveGraph) -> None:
    query = "query($id: ID!) { node(id: $id) { owners { owner { name } } ... on Consumer { consumerType } } }"
    node = AskGraph(live)(query, id=build_consumer_key("monthly_close").id)["node"]
    assert node["consumerType"] == "analysis"
    assert [one["owner"]["name"] for one in node["owners"]] == ["finance-analytics"]


def test_a_build_ends_the_lineage_of_the_one_before(live: LiveGraph) -> None:
    """dbt ran twice, and each of its queries is a job of Trino."""
    events = [json.loads(line) for line in (CHAIN / "events" / "trino.ndjson").read_text(encoding="utf-8").splitlines()]
    marts = [event["job"]["name"] for event in events if event["eventType"] == "COMPLETE" and event.get("outputs")]
    assert len(marts) == 4
    jobs = {name.rpartition("/")[2] for name in list_affected(live, "lake.silver.orders", "amount", "JOB")}
    assert jobs & set(marts) == set(marts[2:])
