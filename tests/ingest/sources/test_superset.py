"""Superset: a change of a column names the dashboards that show it, or filter by it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.dashboards import superset_api
from meshline.ingest.sources.dashboards.database_names import parse_address
from meshline.ingest.sources.dashboards.sql_models import list_expression_columns, read_query
from meshline.ingest.sources.dashboards.superset import Superset
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.superset_server import DATABASE, Answer, read_answers, read_superset, replay, serve
from tests.servers import run_server_script
from tests.sizes import ALL

ROOT = Path(__file__).resolve().parents[3]
QUERY = "query($of: [ID!]!) { impact(of: $of) { assets(kinds: [CONSUMER], first: 100) { nodes { reach node { name } } } } }"
ORDERS, CUSTOMERS = "shop.shop.orders", "shop.shop.customers"


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    return read_answers()


def load(live: LiveGraph, answer: Answer, **keys: object) -> SyncOutcome:
    with serve(answer) as url:
        return read_superset(live, url, **keys)


def find_affected(live: LiveGraph, table: str, column: str, namespace: str = DATABASE) -> dict[str, str]:
    """The dashboards that a column affects, with their reach."""
    key = build_column_key(build_dataset_key(namespace, table), column)
    found = AskGraph(live)(QUERY, of=[key.id])["impact"]["assets"]["nodes"]
    return {one["node"]["name"]: one["reach"] for one in found}


def check_example(live: LiveGraph, namespace: str = DATABASE, sales: str = "Sales", twin: str = "Sales (dashboard/3)") -> None:
    """What the dashboards of scripts/servers/superset.py use. `sales`, `twin`: two of one name."""
    assert find_affected(live, ORDERS, "amount", namespace) == {
        sales: "DIRECT",  # the metric, the calculated column, and the dataset of SQL
        "Überblick ✓": "DIRECT",
        twin: "POSSIBLE",  # no column was found in its chart
    }
    assert find_affected(live, ORDERS, "ordered_at", namespace)[sales] == "DIRECT"
    assert find_affected(live, ORDERS, "customer_id", namespace) == {sales: "INDIRECT", twin: "POSSIBLE"}
    assert find_affected(live, ORDERS, "id", namespace) == {"Überblick ✓": "DIRECT", twin: "POSSIBLE"}, "no filter's value"
    assert find_affected(live, CUSTOMERS, "email", namespace) == {"Emails": "DIRECT"}
    assert find_affected(live, CUSTOMERS, "country", namespace) == {"Emails": "DIRECT", sales: "DIRECT"}


def test_a_column_reaches_the_dashboards_that_use_it(live: LiveGraph, answers: dict[str, str]) -> None:
    done = load(live, replay(answers))
    assert done.error is None
    assert done.loading is not None
    assert [str(warning) for warning in done.loading.warnings] == ["dataset 'recent orders': it has templates, whose values are unknown"]
    check_example(live)


def test_what_is_known_of_a_dashboard(live: LiveGraph, answers: dict[str, str]) -> None:
    load(live, replay(answers))
    query = """query($id: ID!) { node(id: $id) { name owners { owner { name } } facts { attribute value }
        ... on Consumer { consumerType } } }"""
    found: dict[str, Any] = AskGraph(live)(query, id=build_consumer_key("Sales").id)["node"]
    facts = {fact["attribute"]: fact["value"] for fact in found["facts"]}
    assert found["consumerType"] == "dashboard"
    assert [owner["owner"]["name"] for owner in found["owners"]] == ["ada@company.com"]
    assert (facts["charts"], facts["status"]) == (3, "published")
    assert facts["url"].endswith("/superset/dashboard/sales/")
    assert "last_viewed" not in facts, "the account that reads is no viewer"


def test_again_nothing_is_written_and_what_is_deleted_is_retracted(live: LiveGraph, answers: dict[str, str]) -> None:
    load(live, replay(answers))
    with serve(replay(answers)) as url:  # the address of datasets of SQL is another one: the port
        first = read_superset(live, url).loading
        again = read_superset(live, url).loading
    assert first is not None
    assert again is not None
    assert (again.new, again.changed, again.retracted) == (0, 0, 0)
    fewer = dict(answers)
    (address,) = (one for one in answers if one.startswith("GET /api/v1/dashboard/?q="))
    listed = json.loads(answers[address])
    fewer[address] = json.dumps({**listed, "count": 2, "result": [one for one in listed["result"] if one["id"] != 3]})
    assert load(live, replay(fewer)).error is None
    assert live.index.assets.find_by_key(build_consumer_key("Sales")) is not None
    assert live.index.assets.find_by_key(build_consumer_key("Sales (dashboard/3)")) is None


def test_the_mesh_file_states_where_tables_are(live: LiveGraph, answers: dict[str, str]) -> None:
    load(live, replay(answers), databases={"Shop": {"namespace": "lake", "catalog": ""}})
    assert find_affected(live, "shop.customers", "email", "lake") == {"Emails": "DIRECT"}
    load(live, replay(answers), databases={"Shop": {"namespace": "lake", "catalog": "prod"}})
    assert find_affected(live, "prod.shop.customers", "email", "lake") == {"Emails": "DIRECT"}


def test_an_account_that_may_read_neither_users_nor_the_log(live: LiveGraph, answers: dict[str, str]) -> None:
    def answer(method: str, address: str) -> tuple[int, str]:
        return (403, "{}") if "/log/" in address or "/security/users/" in address else replay(answers)(method, address)

    done = load(live, answer)
    assert done.loading is not None
    assert any("last viewed" in warning for warning in done.loading.warnings)
    check_example(live)


def test_lists_of_several_pages(live: LiveGraph, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superset_api, "PAGE", 2)

    def answer(method: str, address: str) -> tuple[int, str]:
        if "page_size:2" not in address:
            return replay(answers)(method, address)
        page = int(address.partition("(page:")[2].partition(",")[0])
        status, body = replay(answers)(method, address.replace(f"(page:{page},page_size:2", "(page:0,page_size:100"))
        listed = json.loads(body)
        return status, json.dumps({**listed, "result": listed["result"][2 * page : 2 * page + 2]})

    load(live, answer)
    check_example(live)


@pytest.mark.parametrize(
    ("status", "body", "part"),
    [
        (401, '{"message": "Not authorized"}', "refuses access"),
        (500, "oops", "HTTP status 500"),
        (503, "", "does not answer"),
        (200, "<html>", "does not answer like Superset"),
        (200, '{"result": 5}', "does not answer like Superset"),
        (302, "", "HTTP status 302"),
    ],
)
def test_what_is_no_superset(live: LiveGraph, answers: dict[str, str], status: int, body: str, part: str) -> None:
    def answer(method: str, address: str) -> tuple[int, str]:
        return replay(answers)(method, address) if method == "POST" else (status, body)

    done = load(live, answer)
    assert part in str(done.error)
    assert "admin" not in str(done.error).replace("administrator", ""), "no password"


def test_a_reading_that_fails_changes_nothing(live: LiveGraph, answers: dict[str, str]) -> None:
    load(live, replay(answers))
    revision = live.revision

    def answer(method: str, address: str) -> tuple[int, str]:
        return (500, "") if "/dataset/4" in address else replay(answers)(method, address)

    assert load(live, answer).error is not None
    check_example(live)
    assert find_affected(live, CUSTOMERS, "email") == {"Emails": "DIRECT"}
    assert live.index.assets.find_by_key(build_consumer_key("Emails")) is not None
    assert revision


@pytest.mark.parametrize("params", ["no json", "[" * 5000, '{"groupby": 5}', "null", '{"metrics": [{"sqlExpression": "SUM(((("}]}', ""])
def test_parameters_that_cannot_be_read_use_the_whole_dataset(live: LiveGraph, answers: dict[str, str], params: str) -> None:
    (address,) = (one for one in answers if one.startswith("GET /api/v1/chart/?q="))
    listed = json.loads(answers[address])
    for chart in listed["result"]:
        chart["params"] = params
    load(live, replay({**answers, address: json.dumps(listed)}))
    affected = find_affected(live, ORDERS, "customer_id")
    assert (affected["Überblick ✓"], affected["Sales (dashboard/3)"]) == ("POSSIBLE", "POSSIBLE")


@pytest.mark.parametrize(
    ("address", "backend", "namespace", "catalog", "schema"),
    [
        ("postgresql+psycopg2://u:XXXX@db:5432/shop", "postgresql", "postgres://db:5432", "shop", "public"),
        ("postgresql://u@db/shop", "", "postgres://db:5432", "shop", "public"),
        ("trino://u@trino.internal:8080/lake/silver", "trino", "trino://trino.internal:8080", "lake", "silver"),
        ("mysql://u:p@db/shop", "mysql", "mysql://db:3306", "", "shop"),
        ("snowflake://u:p@acme-eu/SHOP/RAW?warehouse=x", "snowflake", "snowflake://acme-eu", "SHOP", "RAW"),
        ("bigquery://project/dataset", "bigquery", "bigquery", "project", "dataset"),
        ("bigquery://", "bigquery", "bigquery", "", ""),
        ("duckdb:////warehouse/marts.duckdb", "duckdb", "duckdb:///warehouse/marts.duckdb", "marts", "main"),
        ("redshift+psycopg2://u:p@c.x.eu-west-1.redshift.amazonaws.com:5439/dev", "redshift",
         "redshift://c.x.eu-west-1.redshift.amazonaws.com:5439", "dev", "public"),
        ("databricks://token:x@host:443/default", "databricks", "databricks://host:443", "default", "default"),
        ("jdbc:postgresql://db:5433/shop", "", "postgres://db:5433", "shop", "public"),
        ("strange://u@db/x", "strange", "", "", ""),
        ("postgresql://db:99999999/x", "postgresql", "", "", ""),
        ("", "", "", "", ""),
    ],
)  # fmt: skip
def test_where_a_database_is(address: str, backend: str, namespace: str, catalog: str, schema: str) -> None:
    found = parse_address(address, backend)
    assert (found.namespace, found.catalog, found.schema) == (namespace, catalog, schema)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SUM(amount - tax)", ["amount", "tax"]),
        ("COUNT(*)", []),
        ("COUNT(DISTINCT CASE WHEN status = 'PAID' THEN id END)", ["status", "id"]),
        ("sum(amount) / {{ factor }}", ["amount"]),
        ('"Total Amount"', ["Total Amount"]),
    ],
)
def test_columns_of_an_expression(sql: str, columns: list[str]) -> None:
    assert sorted(list_expression_columns(sql, "postgres")) == sorted(columns)


def test_a_query_that_cannot_be_read_uses_the_tables_that_it_names() -> None:
    target = build_dataset_key("superset://x", "model")
    found = read_query(
        "SELEC x FRO y JOIN shop.orders o ON {% if %}",
        "postgres",
        ("db", "public"),
        target,
        lambda r: build_dataset_key("pg", ".".join(r)),
        lambda _: (),
    )
    assert [flow.start.name for flow in found.flows] == ["db.shop.orders"]
    assert found.notes


@pytest.mark.skipif(not ALL, reason="takes minutes: scripts/test --all")
def test_a_real_superset(live: LiveGraph, postgres: Any, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "scripts" / "servers"))
    superset = import_module("superset")
    database = postgres.make_database([superset.TABLES])
    with run_server_script("superset", tmp_path) as url:
        superset.fill_example(url, database.url)
        assert read_superset(live, url).error is None
        host, name = f"postgres://{database.address}", database.name
        for table, column in (("orders", "amount"), ("customers", "country")):
            assert "Sales" in find_affected(live, f"{name}.shop.{table}", column, host)
        (tmp_path / "all.zip").write_bytes(superset.Api(url).load("assets/export/"))
        exports = Superset.model_validate({"name": "exports", "files": ["all.zip"]})
        done = sync_source(LocalTarget(live, Naming()), exports, tmp_path, variables=lambda _: None)
        assert done.loading is not None
        assert (done.loading.refused, done.loading.new) == ((), 6)
