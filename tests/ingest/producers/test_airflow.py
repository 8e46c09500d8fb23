"""Airflow with the provider `openlineage`: the DAGs of scripts/servers/airflow, recorded in every run, run by it with --all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, build_job_key, get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest import mesh
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.reading_loader import load_reading
from meshline.ingest.sources.sql.source import Sql
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import Event
from tests.ingest.producers.recordings import (
    BOTH,
    DATABASE,
    ROOT,
    build_key,
    describe_shapes,
    find_affected,
    list_columns,
    list_datasets,
    open_graph,
    read_events,
    read_recording,
)

MESH = """version: 1
source: shop
teams:
  - {name: orders-engineering, email: orders-engineering@company.com}
  - {name: finance-analytics, email: finance@company.com}
people: [{name: finn, title: Finn Berg, email: finn@company.com}]
consumers:
  - {name: revenue-board, type: dashboard, owner: finance-analytics, consumes: [{dataset: pg/shop.mart.report, columns: [revenue]}]}
namespaces: {pg: "postgres://db.internal:5432"}
"""
TABLES = ROOT / "scripts" / "servers" / "airflow" / "tables.sql"
NIGHTLY = "shop_nightly"
REVENUE = ("customer_id", "email", "country", "revenue", "n")


@pytest.fixture(scope="module", params=BOTH)
def events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return read_events("airflow", request.param, tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def graph(events: list[Event]) -> Iterator[LiveGraph]:
    """What the events state, beside a mesh file with the owners' addresses."""
    with open_graph(events) as live:
        parsed = mesh.parse_mesh_file(MESH.encode(), "mesh.yaml", strict=True)
        mesh.load_mesh(live, parsed, Naming(), get_current_micros())
        yield live


def build_table_key(table: str, column: str = "") -> AssetKey:
    return build_key(DATABASE, f"shop.{table}", column)


def find_affected_in(graph: LiveGraph, column: str, *tables: str) -> dict[str, str]:
    """What a column (`raw.orders.amount`) affects in these tables, without the database."""
    table, _, name = column.rpartition(".")
    found = {key.removeprefix("shop."): reach for key, reach in find_affected(graph, build_table_key(table, name)).items()}
    return {key: reach for key, reach in found.items() if key.rpartition(".")[0] in tables}


def read_job(ask: AskGraph, name: str, fields: str) -> Any:
    of = build_job_key("prod", name).id
    return ask(f"query($id: ID!) {{ node(id: $id) {{ ... on Job {{ {fields} }} }} }}", id=of)["node"]


def test_an_insert_fills_the_columns_that_it_names(graph: LiveGraph) -> None:
    """The provider names them `id`, `_0` and `_1`, after the SELECT list."""
    for column, filled in {
        "raw.customers.id": "customer_id",
        "raw.customers.email": "email",
        "raw.customers.country": "country",
        "raw.orders.amount": "revenue",
    }.items():
        found = find_affected_in(graph, column, "mart.customer_revenue")
        assert {key for key, reach in found.items() if reach == "DIRECT"} == {f"mart.customer_revenue.{filled}"}, column
    status = find_affected_in(graph, "raw.orders.status", "mart.customer_revenue")
    assert status == {f"mart.customer_revenue.{name}": "INDIRECT" for name in REVENUE}, "it is in the WHERE, which Airflow never states"
    assert list_columns(graph, build_table_key("mart.customer_revenue")) == list(REVENUE)


def test_an_insert_without_a_column_list_fills_them_by_position(graph: LiveGraph) -> None:
    assert find_affected_in(graph, "mart.customer_revenue.n", "mart.report") == {"mart.report.orders": "DIRECT"}
    assert find_affected_in(graph, "mart.customer_revenue.revenue", "mart.report") == {"mart.report.revenue": "DIRECT"}
    assert find_affected_in(graph, "mart.customer_revenue.country", "mart.report") == {
        "mart.report.region": "DIRECT",
        "mart.report.revenue": "INDIRECT",
        "mart.report.orders": "INDIRECT",
    }
    assert list_columns(graph, build_table_key("mart.report")) == ["region", "revenue", "orders"]


def test_create_table_as_and_the_other_dag_carry_on(graph: LiveGraph) -> None:
    amount = find_affected_in(graph, "raw.orders.amount", "mart.top", "mart.final")
    assert amount == {
        "mart.final.total": "DIRECT",
        "mart.top.twice": "DIRECT",
        "mart.top.region": "INDIRECT",  # by the condition of the join
        "mart.top.status": "INDIRECT",
    }
    assert find_affected_in(graph, "mart.report.region", "mart.top", "mart.final") == {
        "mart.top.region": "DIRECT",
        "mart.final.region": "DIRECT",
    }


def test_merge_and_views_are_read_from_the_sql(graph: LiveGraph) -> None:
    """The provider states no columns of a MERGE at all."""
    assert find_affected_in(graph, "raw.orders.amount", "mart.payments") == {"mart.payments.paid": "DIRECT"}
    assert find_affected_in(graph, "raw.orders.id", "mart.payments") == {
        "mart.payments.order_id": "DIRECT",
        "mart.payments.paid": "INDIRECT",
    }
    assert find_affected_in(graph, "raw.orders.status", "mart.payments") == {}
    assert find_affected_in(graph, "raw.customers.country", "mart.mails") == {
        "mart.mails.customer_id": "INDIRECT",
        "mart.mails.email": "INDIRECT",
    }


def test_each_index_of_a_mapped_task_copies_its_own_table(graph: LiveGraph, ask: AskGraph) -> None:
    assert find_affected_in(graph, "raw.orders.amount", "mart.order_amounts", "mart.customer_mails") == {
        "mart.order_amounts.amount": "DIRECT"
    }
    assert find_affected_in(graph, "raw.customers.email", "mart.order_amounts", "mart.customer_mails") == {
        "mart.customer_mails.mail": "DIRECT"
    }
    copy = read_job(ask, f"{NIGHTLY}.copy", "reads { name } writes { name } runs { totalCount }")
    assert {one["name"] for one in copy["reads"]} == {"shop.raw.orders", "shop.raw.customers"}
    assert {one["name"] for one in copy["writes"]} == {"shop.mart.order_amounts", "shop.mart.customer_mails"}
    assert copy["runs"]["totalCount"] == 2


def test_a_query_of_a_hook_has_the_columns_of_its_sql(graph: LiveGraph) -> None:
    """It is a job of its own, whose output has no schema."""
    assert find_affected_in(graph, "raw.orders.amount", "mart.audit") == {"mart.audit.amount": "DIRECT"}
    assert list_columns(graph, build_table_key("mart.audit")) == ["amount"]


def test_a_failed_task_leaves_nothing(graph: LiveGraph, ask: AskGraph) -> None:
    failing = read_job(ask, f"{NIGHTLY}.failing", "writes { name } lastRun { state error }")
    assert failing["writes"] == []
    assert failing["lastRun"]["state"] == "FAIL"
    assert 'column "no_such_column" does not exist' in failing["lastRun"]["error"]
    assert list_columns(graph, build_table_key("raw.customers")) == ["id", "email", "country", "created_at"], "and no such column"
    flaky = read_job(ask, f"{NIGHTLY}.flaky", "runs { nodes { state } }")
    assert [one["state"] for one in flaky["runs"]["nodes"]] == ["FAIL", "FAIL"], "the task and its retry"


def test_checks_are_those_of_the_tables(ask: AskGraph) -> None:
    query = """query($namespace: String!, $name: String!) { dataset(namespace: $namespace, name: $name) { quality {
        name outcome expected observed asset { kind name } } } }"""

    def read_checks(table: str) -> dict[str, Any]:
        checks = ask(query, namespace=DATABASE, name=f"shop.{table}")["dataset"]["quality"]
        return {one["name"]: (one["outcome"], one["asset"]["name"], one["expected"], one["observed"]) for one in checks}

    assert read_checks("raw.orders") == {"amount.max": ("FAILED", "amount", "<=15", "30.00")}
    assert {name: found[:2] for name, found in read_checks("mart.customer_revenue").items()} == {
        "customer_id.null_check": ("PASSED", "customer_id"),
        "customer_id.unique_check": ("PASSED", "customer_id"),
        "revenue.min": ("PASSED", "revenue"),
        "row_count": ("PASSED", "shop.mart.customer_revenue"),
    }


def test_assets_in_inlets_and_outlets_are_datasets(graph: LiveGraph, ask: AskGraph) -> None:
    """An asset of a table has the name of the table."""
    export = read_job(ask, f"{NIGHTLY}.reporting.to_csv", "reads { qualifiedName } writes { qualifiedName }")
    assert export == {
        "reads": [{"qualifiedName": "postgres://db.internal/shop.mart.report"}],
        "writes": [{"qualifiedName": "file//srv/shop/export/report.csv"}],
    }
    assert list_datasets(graph) == {
        "file//srv/shop/export/report.csv",
        *(f"postgres://db.internal/shop.raw.{name}" for name in ("customers", "orders")),
        *(
            f"postgres://db.internal/shop.mart.{name}"
            for name in ("audit", "customer_mails", "customer_revenue", "final", "mails", "order_amounts", "payments", "report", "top")
        ),
    }


def test_owners_are_the_teams_and_people_of_the_mesh(ask: AskGraph) -> None:
    def list_owners(name: str) -> set[tuple[str, str]]:
        found = read_job(ask, name, "owners { owner { name ... on Owner { contact } } }")["owners"]
        return {(one["owner"]["name"], one["owner"]["contact"]) for one in found}

    orders, finance = ("orders-engineering", "orders-engineering@company.com"), ("finance-analytics", "finance@company.com")
    assert list_owners(f"{NIGHTLY}.customer_revenue") == {orders, finance}
    assert list_owners(f"{NIGHTLY}.copy") == {orders}
    assert list_owners("shop_export.final") == {("finn", "finn@company.com")}
    assert list_owners(NIGHTLY) == {orders, finance, ("finn", "finn@company.com")}


def test_a_dag_is_the_parent_of_its_tasks(ask: AskGraph) -> None:
    dag = read_job(ask, NIGHTLY, "description tags { key value } children { name } lastRun { state }")
    assert dag["description"] == "# Shop nightly\nLoads **revenue** per customer."
    assert {(one["key"], one["value"]) for one in dag["tags"]} >= {("finance", None)}
    assert {one["name"].removeprefix(f"{NIGHTLY}.") for one in dag["children"]} >= {"customer_revenue", "copy", "reporting.report", "audit"}
    assert dag["lastRun"]["state"] == "FAIL"
    task = read_job(ask, f"{NIGHTLY}.customer_revenue", "description parents { name } jobType integration")
    expected = {
        "description": "Sums up paid orders per customer",
        "parents": [{"name": NIGHTLY}],
        "jobType": "TASK",
        "integration": "AIRFLOW",
    }
    assert task == expected


def test_an_impact_reaches_the_dashboard_and_is_complete(ask: AskGraph) -> None:
    query = """query($of: [ID!]!) { impact(of: $of) { assets(kinds: [CONSUMER], first: 10) { nodes { reach node { name } } }
        completeness { possibleOnly silentOnFilters staleEdges provisional } } }"""
    found = ask(query, of=[build_table_key("raw.orders", "amount").id])["impact"]
    assert [(one["node"]["name"], one["reach"]) for one in found["assets"]["nodes"]] == [("revenue-board", "DIRECT")]
    assert found["completeness"] == {"possibleOnly": 1, "silentOnFilters": 0, "staleEdges": 0, "provisional": 0}, (
        "only the file has no columns"
    )


def test_names_are_those_of_the_database(events: list[Event], tmp_path: Path) -> None:
    """DDL of the same PostgreSQL describes the tables that the tasks write."""
    source = Sql(files=(str(TABLES),), dialect="postgres", namespace=DATABASE, catalog="shop", schema="public")
    with open_graph(events) as live:
        before = list_datasets(live)
        reading = source.read(build_context(live, Naming(), tmp_path, source.source))
        assert not load_reading(live, reading, get_current_micros()).refused
        assert list_datasets(live) == before
        assert list_columns(live, build_table_key("mart.audit")) == ["orders", "amount"], "which no event lists"


@pytest.mark.parametrize("events", BOTH[1:], indirect=True)
def test_a_new_recording_has_the_shape_of_the_old_one(events: list[Event]) -> None:
    assert describe_shapes(events) == describe_shapes(read_recording("airflow"))
