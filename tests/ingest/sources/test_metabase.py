"""Metabase: a change of a column names the dashboards and questions that show it, or filter by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.dashboards import metabase_api as api
from meshline.ingest.sources.dashboards.mbql import Reference, find_references, parse_query
from meshline.ingest.sources.sync import SyncOutcome
from tests.api.conftest import AskGraph
from tests.ingest.sources.answer_server import Request
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.metabase_server import (
    DATABASE,
    ORDERED,
    ORDERS,
    STATUS,
    ask,
    ask_sql,
    ask_stages,
    make_answers,
    make_card,
    read_metabase,
    replay,
    serve,
)

QUERY = "query($of: [ID!]!) { impact(of: $of) { assets(kinds: [CONSUMER], first: 100) { nodes { reach node { name } } } } }"


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))


def load(live: LiveGraph, answers: dict[str, Any], **keys: object) -> SyncOutcome:
    with serve(replay(answers)) as url:
        return read_metabase(live, url, **keys)


def list_warnings(done: SyncOutcome) -> list[str]:
    assert done.error is None
    assert done.loading is not None
    return [str(warning) for warning in done.loading.warnings]


def find_affected(live: LiveGraph, table: str, column: str, namespace: str = DATABASE) -> dict[str, str]:
    """The consumers that a column affects, with their reach."""
    key = build_column_key(build_dataset_key(namespace, table), column)
    if live.index.assets.find_by_key(key) is None:
        return {}
    found = AskGraph(live)(QUERY, of=[key.id])["impact"]["assets"]["nodes"]
    return {one["node"]["name"]: one["reach"] for one in found}


def check_example(live: LiveGraph) -> None:
    orders, customers = "shop.public.orders", "shop.public.customers"
    assert find_affected(live, orders, "amount") == {
        "Sales": "DIRECT",
        "Paid list": "DIRECT",  # all columns of the model
        "Over a model in SQL": "DIRECT",
        "Best month": "DIRECT",  # the sum of another question
        "Monthly totals": "DIRECT",
    }
    assert find_affected(live, orders, "tax") == {"Sales": "DIRECT"}, "of an expression"
    assert find_affected(live, orders, "id") == {"Sales": "DIRECT", "Paid list": "DIRECT"}, "a filter of the dashboard; of the model"
    assert find_affected(live, orders, "ordered_at") == {"Sales": "DIRECT", "Monthly totals": "DIRECT", "Best month": "INDIRECT"}
    assert find_affected(live, orders, "status")["Paid list"] == "INDIRECT", "the model's filter"
    assert find_affected(live, orders, "status")["Sales"] == "DIRECT", "the question's own filter"
    assert find_affected(live, customers, "email") == {"Sales (dashboard/2)": "DIRECT", "All customers": "DIRECT"}
    assert find_affected(live, customers, "country") == {"Sales": "DIRECT", "Sales (dashboard/2)": "DIRECT", "All customers": "DIRECT"}


def test_a_column_reaches_the_dashboards_and_questions_that_use_it(live: LiveGraph) -> None:
    done = load(live, make_answers())
    assert list_warnings(done) == [
        "card 'Emails' (6): it has templates, whose values are unknown",
        "card 'Over a model in SQL' (7): it has templates, whose values are unknown",
    ]
    check_example(live)


def test_what_is_known_of_a_consumer(live: LiveGraph) -> None:
    load(live, make_answers())
    query = """query($id: ID!) { node(id: $id) { name owners { owner { name } } facts { attribute value }
        ... on Consumer { consumerType } } }"""

    def describe(name: str) -> tuple[str, list[str], dict[str, Any]]:
        found: dict[str, Any] = AskGraph(live)(query, id=build_consumer_key(name).id)["node"]
        facts = {fact["attribute"]: fact["value"] for fact in found["facts"]}
        return found["consumerType"], [owner["owner"]["name"] for owner in found["owners"]], facts

    kind, owners, facts = describe("Sales")
    assert (kind, owners) == ("dashboard", ["ada@company.com"])
    assert (facts["charts"], facts["views"], facts["last_viewed"]) == (3, 42, "2026-05-04T10:00:00Z")
    assert facts["collection"] == "Finance / Weekly"
    assert facts["url"].endswith("/dashboard/1")
    kind, owners, facts = describe("Paid list")
    assert (kind, facts["views"], facts["last_viewed"]) == ("question", 7, "2026-05-02T08:00:00Z")
    assert describe("Sales (dashboard/2)")[1] == ["bob@company.com"], "by the list of users"
    assert live.index.assets.find_by_key(build_consumer_key("Paid orders")) is None, "a model is a dataset"
    assert live.index.assets.find_by_key(build_consumer_key("Emails")) is None, "it is on a dashboard"


def test_again_nothing_is_written_and_what_is_archived_is_retracted(live: LiveGraph) -> None:
    answers = make_answers()
    with serve(replay(answers)) as url:
        read_metabase(live, url)
        again = read_metabase(live, url).loading
        assert again is not None
        assert (again.new, again.changed, again.retracted) == (0, 0, 0)
        answers["/api/dashboard/1"]["archived"] = True
        assert read_metabase(live, url).error is None
    assert live.index.assets.find_by_key(build_consumer_key("Sales")) is not None, "the other one, which now has the name"
    assert live.index.assets.find_by_key(build_consumer_key("Sales (dashboard/2)")) is None


def test_an_account_signs_in(live: LiveGraph) -> None:
    assert load(live, make_answers(), user="ada@company.com", password="${PASSWORD}").error is None
    check_example(live)


def test_an_account_needs_a_key_or_a_password(live: LiveGraph) -> None:
    assert "give an API key, or a user and a password" in str(load(live, make_answers(), user="ada@company.com").error)


def test_an_account_that_reads_little(live: LiveGraph) -> None:
    """No details of databases, no users, no collections, no list of dashboards but the search."""
    answers = make_answers()
    answers["/api/database"]["data"][0]["details"] = None
    answers["/api/search?models=dashboard&limit=1000000"] = {"data": answers.pop("/api/dashboard?f=all"), "total": 2}
    for address in ("/api/user", "/api/collection", "/api/segment"):
        del answers[address]
    done = load(live, answers)
    assert any("this account may not read its address" in warning for warning in list_warnings(done))
    assert find_affected(live, "shop.public.orders", "amount") == {}
    answers["/api/database"] = answers["/api/database"]["data"]  # as old versions answer
    load(live, answers, databases={"Shop": {"namespace": DATABASE, "catalog": "shop"}})
    check_example(live)


def test_a_segment_and_a_metric(live: LiveGraph) -> None:
    answers = make_answers()
    answers["/api/segment"] = [{"id": 5, "definition": {"source-table": ORDERS, "filter": ["=", ["field", STATUS, None], "PAID"]}}]
    metric = make_card(20, "Amount", ask({"source-table": ORDERS, "aggregation": [["sum", ["field-id", 12]]]}), type="metric")
    used = make_card(21, "Uses both", ask_stages({
        "source-table": ORDERS, "aggregation": [["metric", {}, 20]], "filters": [["segment", {}, 5]],
    }))  # fmt: skip
    answers["/api/card?f=all"] = [metric, used]
    answers["/api/dashboard?f=all"] = []
    load(live, answers)
    assert find_affected(live, "shop.public.orders", "amount") == {"Amount": "DIRECT", "Uses both": "DIRECT"}
    assert find_affected(live, "shop.public.orders", "status") == {"Uses both": "DIRECT"}


def nest(depth: int) -> list[Any]:
    found: list[Any] = ["field", STATUS, None]
    for _ in range(depth):
        found = ["not", found]
    return found


def nest_source(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"source-table": ORDERS}
    for _ in range(depth):
        found = {"source-query": found}
    return found


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"type": "query"},
        {"type": "native", "native": 5},
        {"stages": []},
        {"stages": [5, None]},
        ask({"source-table": ORDERS, "filter": nest(150)}),
        ask(nest_source(150)),
        ask({"source-table": ORDERS, "joins": [{"source-table": ORDERS, "condition": nest(150)}]}),
        ask_sql("SELECT 1", {"x": {"dimension": nest(150)}}),
    ],
)
def test_a_query_that_cannot_be_read_is_a_warning(live: LiveGraph, query: dict[str, Any]) -> None:
    answers = make_answers()
    answers["/api/card?f=all"].append(make_card(66, "Ümläut \u202e", query))
    done = load(live, answers)
    assert any("(66)" in warning for warning in list_warnings(done))
    check_example(live)


@pytest.mark.parametrize(
    "query",
    [
        ask({"source-table": "card__66"}),  # of itself
        ask({"source-table": "card__999999999999999999"}),
        ask({"source-table": "card__x"}),
        ask({"source-table": -1, "breakout": "x", "joins": [None, 5], "expressions": [[], 5, ["+"]], "filter": {"a": [["field"]]}}),
        ask({"source-table": ORDERS, "expressions": {"a": ["expression", "b"], "b": ["expression", "a"]}, "fields": [["expression", "a"]]}),
        ask({"source-table": ORDERS, "aggregation": [["metric", 66]]}),
        ask({"source-table": ORDERS, "expressions": {
            f"e{n}": ["+", ["expression", f"e{n - 1}"], ["expression", f"e{n - 2}"]] for n in range(2, 80)
        }, "aggregation": [["sum", ["expression", "e79"]]]}),
        ask({"source-table": ORDERS, "fields": [["field", True, None], ["field", [], {}], ["field", 10**30, None], ["field", None]]}),
        ask_sql("SELECT * FROM {{#66}} JOIN {{#999}} ON [[ {{x}}"),
        ask_sql("{{snippet: recent}} " * 1000),
        ask_sql("SELEC {% \x00 ''' {{"),
        ask_sql(""),
    ],
)  # fmt: skip
def test_hostile_queries_end(live: LiveGraph, query: dict[str, Any]) -> None:
    answers = make_answers()
    answers["/api/card?f=all"].append(make_card(66, "Hostile", query))
    answers["/api/native-query-snippet"][0]["content"] = "{{snippet: recent}} {{snippet: recent}}"
    assert load(live, answers).error is None
    assert live.index.assets.find_by_key(build_consumer_key("Hostile")) is not None
    assert find_affected(live, "shop.public.orders", "tax")["Sales"] == "DIRECT"


@pytest.mark.parametrize(
    ("status", "body", "part"),
    [
        (401, b"Unauthenticated", "refuses access"),
        (403, b'"You don\'t have permissions to do that."', "refuses access"),
        (500, b"oops", "HTTP status 500"),
        (503, b"", "does not answer"),
        (200, b"<html>", "does not answer like Metabase"),
        (200, b"{}", "does not answer like Metabase"),
        (200, b'[{"id": "x", "name": 5}]', "does not answer like Metabase"),
        (302, b"", "HTTP status 302"),
    ],
)
def test_what_is_no_metabase(live: LiveGraph, status: int, body: bytes, part: str) -> None:
    load(live, make_answers())
    with serve(lambda _: (status, body)) as url:
        done = read_metabase(live, url)
    assert part in str(done.error)
    check_example(live)


def test_a_reading_that_fails_half_way_changes_nothing(live: LiveGraph) -> None:
    load(live, make_answers())

    def answer(request: Request) -> tuple[int, bytes]:
        return (500, b"") if request.address == "/api/dashboard/2" else replay(make_answers())(request)

    with serve(answer) as url:
        assert read_metabase(live, url).error is not None
    check_example(live)


@pytest.mark.parametrize(
    ("clause", "value", "alias"),
    [
        (["field", 3, None], 3, ""),
        (["field", {"join-alias": "C"}, 3], 3, "C"),
        (["field", "sum", {"base-type": "type/Integer", "join-alias": "C"}], "sum", "C"),
        (["field-id", 3], 3, ""),
        (["field-literal", "x", "type/Text"], "x", ""),
        (["datetime-field", ["field-id", 3], "month"], 3, ""),
        ([["asc", {}, ["field", {}, 3]]], 3, ""),
    ],
)
def test_references_in_both_forms(clause: object, value: int | str, alias: str) -> None:
    assert list(find_references(clause)) == [Reference("field", value, alias)]


def test_a_foreign_key_that_leads_to_a_field_is_read() -> None:
    assert set(find_references(["field", 22, {"source-field": 14}])) == {Reference("field", 22), Reference("field", 14)}


def test_a_query_over_sql_keeps_what_the_sql_reads(live: LiveGraph) -> None:
    answers = make_answers()
    nested = ask({"source-query": {"native": "SELECT tax AS t FROM orders"}, "aggregation": [["sum", ["field", "t", {}]]]})
    answers["/api/card?f=all"].append(make_card(30, "Nested", nested))
    load(live, answers)
    assert find_affected(live, "shop.public.orders", "tax") == {"Sales": "DIRECT", "Nested": "DIRECT"}


def test_stages_over_stages_find_the_columns_of_the_first() -> None:
    pipeline = parse_query(ask_stages(
        {"source-table": ORDERS, "breakout": [["field", {}, ORDERED]], "aggregation": [["count", {}]]},
        {"filters": [[">", {}, ["field", {"base-type": "type/Integer"}, "count"], 5]]},
    ))  # fmt: skip
    assert pipeline.origin is not None
    assert (pipeline.origin.kind, pipeline.origin.id, len(pipeline.stages)) == ("table", ORDERS, 2)
    assert not pipeline.is_open


@pytest.mark.parametrize(
    ("engine", "details", "namespace", "catalog", "schema"),
    [
        ("mysql", {"host": "db", "port": "3306", "dbname": "shop"}, "mysql://db:3306", "", "shop"),
        ("redshift", {"host": "c.redshift.amazonaws.com", "db": "dev"}, "redshift://c.redshift.amazonaws.com:5439", "dev", "public"),
        ("sqlserver", {"host": "db", "port": None, "db": "shop"}, "mssql://db:1433", "shop", "dbo"),
        ("oracle", {"host": "db", "port": 1521, "service-name": "ORCL"}, "oracle://db:1521", "ORCL", ""),
        ("snowflake", {"account": "acme-eu", "db": "SHOP", "warehouse": "X"}, "snowflake://acme-eu", "SHOP", "PUBLIC"),
        ("bigquery-cloud-sdk", {"project-id": "acme", "dataset-filters-type": "all"}, "bigquery", "acme", ""),
        ("starburst", {"host": "trino", "port": 8080, "catalog": "lake", "schema": "silver"}, "trino://trino:8080", "lake", "silver"),
        ("athena", {"region": "eu-west-1"}, "awsathena://athena.eu-west-1.amazonaws.com:443", "AwsDataCatalog", ""),
        ("duckdb", {"database_file": "/warehouse/marts.duckdb"}, "duckdb:///warehouse/marts.duckdb", "marts", "main"),
        ("sqlite", {"db": "/data/a.db"}, "sqlite:///data/a.db", "", ""),
        ("postgres", {}, "", "", ""),
        ("mongo", {"host": "db", "dbname": "shop"}, "", "", ""),
        ("postgres", {"host": "[", "port": "99999999"}, "", "", ""),
    ],
)  # fmt: skip
def test_where_a_database_is(engine: str, details: dict[str, Any], namespace: str, catalog: str, schema: str) -> None:
    found = api.locate_database(msgspec.convert({"id": 1, "engine": engine, "details": details}, api.Database))
    assert (found.namespace, found.catalog, found.schema) == (namespace, catalog, schema)
