"""Looker: a change of a column names the dashboards and looks that use it. The answers are written after its API's documentation."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_consumer_key
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.dashboards.looker import Looker
from meshline.ingest.sources.sync import SyncOutcome
from tests.ingest.sources.answer_server import Request, serve_answers
from tests.ingest.sources.consumer_loading import find_reached, list_refusals, list_warnings, read_facts, sync_files, sync_keys
from tests.ingest.sources.fake_source import open_graph

SHOP = "postgres://db.internal"  # with 5432, its usual port


def make_field(name: str, sql: str | None = None, **more: object) -> dict[str, object]:
    return {"name": name, "sql": sql, "category": "dimension", **more}


EXPLORE: dict[str, Any] = {
    "id": "shop::orders", "name": "orders", "model_name": "shop", "view_name": "orders", "connection_name": "warehouse",
    "sql_table_name": "public.orders", "always_filter": [{"name": "orders.status", "value": "paid"}],
    "joins": [
        {"name": "buyers", "sql_table_name": '"public"."Customers" AS c', "sql_on": "${orders.customer_id} = ${buyers.id}"},
        {"name": "regions", "sql_table_name": "public.regions", "sql_on": "${buyers.region} = ${regions.id}", "required_joins": ["buyers"]},
        {"name": "daily", "sql_table_name": None, "sql_on": "${orders.created_date} = ${daily.day}"},
    ],
    "fields": {
        "dimensions": [
            make_field("orders.id", "${TABLE}.id"), make_field("orders.status", "${TABLE}.status"),
            make_field("orders.customer_id", "${TABLE}.customer_id"), make_field("orders.created_date", "${TABLE}.created_at"),
            make_field("orders.net", "${amount} - ${TABLE}.tax"), make_field("orders.amount", "${TABLE}.amount"),
            make_field("orders.loop", "${orders.loop2}"), make_field("orders.loop2", "${loop}"),
            make_field("buyers.id", "${TABLE}.id"), make_field("buyers.region", "${TABLE}.region"),
            make_field("buyers.email", '{% if x %} ${TABLE}."E-Mail" {% else %} NULL {% endif %}'),
            make_field("regions.id", "${TABLE}.id"), make_field("regions.name", None), make_field("daily.day", "${TABLE}.day"),
        ],
        "measures": [
            make_field("orders.count", None, category="measure"),
            make_field("orders.revenue", "${net}", category="measure", measure_filters=[{"field": "buyers.region", "condition": "EU"}]),
        ],
    },
}  # fmt: skip


def make_query(*fields: str, **more: object) -> dict[str, object]:
    return {"id": "q", "model": "shop", "view": "orders", "fields": list(fields), **more}


CONTENT: dict[str, Any] = {
    "connections": [
        {"name": "warehouse", "host": "db.internal", "port": "5432", "database": "shop", "schema": "public", "dialect_name": "postgres"}
    ],
    "users": [{"id": 7, "email": "ada@company.com", "display_name": "Ada"}],
    "explores": [EXPLORE],
    "dashboards": [
        {"id": "1", "title": "Sales", "user_id": 7, "folder": {"name": "Finance"}, "updated_at": "2026-05-01T10:00:00.000+00:00",
         "last_viewed_at": "2026-05-03T08:00:00.000+00:00", "view_count": 12,
         "dashboard_filters": [{"model": "shop", "explore": "orders", "dimension": "regions.name"}],
         "dashboard_elements": [
             {"id": "e1", "query": make_query("orders.revenue", filters={"orders.created_date": "7 days"})},
             {"id": "e2", "look": {"id": "20", "query": make_query("buyers.email")}},
             {"id": "e3", "result_maker": {"filterables": [{"model": "shop", "view": "orders", "listen": [{"field": "orders.id"}]}]}},
             {"id": "e4", "type": "text"}]},
        {"id": "2", "title": "Sales", "dashboard_elements": [{"query": make_query("orders.count")}]},
        {"id": "shop::lookml", "title": "In LookML", "dashboard_elements": [{"query": make_query("regions.name", "orders.loop")}]},
        {"id": "9", "title": "Deleted", "deleted": True, "dashboard_elements": [{"query": make_query("orders.amount")}]},
    ],
    "looks": [
        {"id": "20", "title": "On a dashboard", "query": make_query("buyers.email")},
        {"id": "21", "title": "Überblick ✓", "user_id": 7, "query": make_query(
            "calc", sorts=["orders.id desc"], filter_expression="${orders.amount} > 5",
            dynamic_fields=json.dumps([{"dimension": "calc", "expression": "${buyers.region}"}, {"based_on": "orders.net"}]))},
        {"id": "22", "title": "Derived", "query": make_query(
            "daily.day", sql="WITH daily AS (SELECT ordered_on AS day FROM public.daily_orders) SELECT day FROM daily ORDER BY 1")},
        {"id": "23", "title": "Derived without SQL", "query": make_query("daily.day", "orders.amount")},
        {"id": "24", "title": "Other explore", "query": {"model": "shop", "view": "hidden", "fields": ["hidden.x"]}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveGraph, list[str]]]:
    with open_graph() as live:
        yield live, list_warnings(sync_files(live, "looker", tmp_path_factory.mktemp("looker"), CONTENT))


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("orders", "amount", {"Sales": "DIRECT", "Überblick ✓": "DIRECT", "Sales (dashboard/2)": None}),
        ("orders", "tax", {"Sales": "DIRECT", "Überblick ✓": "DIRECT"}),
        ("orders", "created_at", {"Sales": "DIRECT"}),
        ("orders", "status", {"Sales": "DIRECT", "Sales (dashboard/2)": "DIRECT", "In LookML": "DIRECT", "Überblick ✓": "DIRECT"}),
        ("orders", "customer_id", {"Sales": "DIRECT", "In LookML": "DIRECT", "Überblick ✓": "DIRECT"}),
        ("Customers", "E-Mail", {"Sales": "DIRECT"}),
        ("Customers", "region", {"Sales": "DIRECT", "In LookML": "DIRECT", "Überblick ✓": "DIRECT"}),
        ("regions", "name", {"Sales": "DIRECT", "In LookML": "DIRECT"}),
        ("daily_orders", "ordered_on", {"Derived": "DIRECT"}),
    ],
)
def test_a_column_reaches_the_dashboards_and_looks_that_use_it(
    loaded: tuple[LiveGraph, list[str]], table: str, column: str, expected: dict[str, str | None]
) -> None:
    found = find_reached(loaded[0], SHOP, f"shop.public.{table}", column)
    assert found == {name: reach for name, reach in expected.items() if reach}


def test_what_is_known_of_a_dashboard(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, warnings = loaded
    facts, owners = read_facts(live, build_consumer_key("Sales").id)
    assert owners == ["ada@company.com"]
    assert (facts["charts"], facts["folder"], facts["views"], facts["consumer_type"]) == (4, "Finance", 12, "dashboard")
    assert facts["last_viewed"].startswith("2026-05-03")
    assert live.index.assets.find_by_key(build_consumer_key("Deleted")) is None
    assert live.index.assets.find_by_key(build_consumer_key("On a dashboard")) is None
    assert [warning.partition(":")[0] for warning in warnings] == ["Derived without SQL", "Other explore"]


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (b"", "no exported answers of Looker"),
        (b"<html>", "no exported answers of Looker"),
        (b"\xff\xfe", "no exported answers of Looker"),
        (b"[" * 100_000, "no exported answers of Looker"),
        ({}, "no exported answers of Looker"),
        ({"dashboards": [{"title": "without an id"}], "looks": []}, "no exported answers of Looker"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, document: object, part: str) -> None:
    with open_graph() as live:
        assert part in list_refusals(sync_files(live, "looker", tmp_path, document))[0]


def test_hostile_content_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    explore = content["explores"][0]
    explore["sql_table_name"] = "{% if x %} a {% endif %}"
    explore["fields"]["dimensions"] += [make_field(f"orders.f{n}", f"${{f{n + 1}}}") for n in range(300)]
    explore["joins"][0]["sql_table_name"] = "SELECT 1; DROP TABLE x"
    queries = [make_query("orders.f0", "orders", "", "a.b.c", dynamic_fields="[" * 10_000, filters={"\u202e": None}),
               {"model": None, "view": None, "fields": None}]  # fmt: skip
    content["dashboards"] = [{"id": f"d{n}", "title": None, "dashboard_elements": [{"query": one}]} for n, one in enumerate(queries)] * 2
    content["looks"] = []
    with open_graph() as live:
        done = sync_files(live, "looker", tmp_path, content)
        assert list_refusals(done) == []
        assert live.index.assets.find_by_key(build_consumer_key("dashboard d0")) is not None


def serve_looker(refused: frozenset[str] = frozenset()) -> Any:
    """An API that answers with CONTENT to accounts with a token, but `refused` addresses."""

    def answer(request: Request) -> tuple[int, bytes]:
        path = request.address.partition("?")[0].removeprefix("/api/4.0/")
        parts = path.split("/")
        if path == "login":
            return 200, b'{"access_token": "t0ken", "token_type": "Bearer"}'
        if request.headers.get("authorization") != "Bearer t0ken":
            return 401, b'{"message": "Requires authentication."}'
        if path in refused or parts[0] in refused:
            return 403, b'{"message": "Forbidden"}'
        if path == "queries/q/run/sql":
            return 200, b"SELECT day FROM public.daily_orders"
        if parts[0] == "lookml_models":
            return (200, json.dumps(EXPLORE).encode()) if parts[-1] == "orders" else (404, b'{"message": "Not found"}')
        if len(parts) > 1:
            found: Any = next(one for one in CONTENT[parts[0]] if one["id"] == parts[1].replace("%3A", ":"))
            return 200, json.dumps(found).encode()
        return 200, json.dumps(CONTENT[path]).encode()

    return serve_answers(answer)


def sync_server(live: LiveGraph, url: str, **keys: object) -> SyncOutcome:
    return sync_keys(live, "looker", Path(), {"SECRET": "s3cret"}, url=url, client_id="id", client_secret="${SECRET}", **keys)


def test_a_server_is_read_by_its_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))
    with open_graph() as live, serve_looker() as url:
        warnings = list_warnings(sync_server(live, url))
        assert [warning.partition(":")[0] for warning in warnings] == ["Other explore"]
        assert set(find_reached(live, SHOP, "shop.public.orders", "amount")) == {"Sales", "Überblick ✓"}
        assert set(find_reached(live, SHOP, "shop.public.daily_orders", "day")) == {"Derived without SQL"}, "by its SQL"
        assert read_facts(live, build_consumer_key("Sales").id)[0]["url"] == f"{url}/dashboards/1"
        again = sync_server(live, url).loading
        assert again is not None
        assert (again.new, again.changed, again.retracted) == (0, 0, 0)


@pytest.mark.parametrize(
    ("refused", "part"),
    [("dashboards", "refuses access"), ("looks", "refuses access"), ("users", ""), ("connections", ""), ("queries", "")],
)
def test_an_account_with_fewer_rights(monkeypatch: pytest.MonkeyPatch, refused: str, part: str) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))
    with open_graph() as live, serve_looker(frozenset({refused})) as url:
        done = sync_server(live, url)
        assert part in str(done.error or "")
        assert bool(done.error) == bool(part)
        assert "s3cret" not in str(done.error)


@pytest.mark.parametrize("keys", [{}, {"url": "http://looker", "files": ["a.json"]}])
def test_either_an_address_or_files_must_be_stated(keys: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="give either url"):
        Looker.model_validate(keys)


def test_a_key_must_be_stated(tmp_path: Path) -> None:
    with open_graph() as live:
        assert "give the id and the secret" in str(sync_keys(live, "looker", tmp_path, {}, url="http://looker").error)
