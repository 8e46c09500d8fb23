"""A Metabase as its documentation describes it: written by hand, no real one ran. Queries are in both forms of its language."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.ingest.sources.dashboards.metabase import Metabase
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.ingest.sources.answer_server import Request, serve_answers

DATABASE = "postgres://db.internal"
ADA = {"id": 1, "email": "ada@company.com", "common_name": "Ada L"}

ID, AMOUNT, TAX, CUSTOMER, ORDERED, STATUS = 11, 12, 13, 14, 15, 16  # fields of orders
CUSTOMER_ID, EMAIL, COUNTRY = 21, 22, 23  # fields of customers
ORDERS, CUSTOMERS = 1, 2


def name_fields(names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [{"id": id_, "name": name, "base_type": "type/Text", "parent_id": None} for id_, name in names.items()]


def ask(query: dict[str, Any]) -> dict[str, Any]:
    """A query in the older form."""
    return {"database": 1, "type": "query", "query": query}


def ask_stages(*stages: dict[str, Any]) -> dict[str, Any]:
    """A query in the newer form."""
    return {"lib/type": "mbql/query", "database": 1, "stages": [{"lib/type": "mbql.stage/mbql", **stage} for stage in stages]}


def ask_sql(sql: str, tags: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"database": 1, "type": "native", "native": {"query": sql, "template-tags": tags or {}}}


def make_card(id_: int, name: str, query: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"type": "question", "archived": False, "creator_id": 1, "creator": ADA, "database_id": 1, "collection_id": None}
    return {"id": id_, "name": name, **base, "dataset_query": query, "updated_at": "2026-05-01T10:00:00.123Z", **more}


CARDS = [
    make_card(
        1,
        "Revenue by country",
        ask({
            "source-table": ORDERS,
            "joins": [{
                "source-table": CUSTOMERS,
                "alias": "Customers",
                "fields": "all",
                "condition": ["=", ["field", CUSTOMER, None], ["field", CUSTOMER_ID, {"join-alias": "Customers"}]],
            }],
            "expressions": {"net": ["-", ["field", AMOUNT, None], ["field", TAX, None]]},
            "breakout": [["field", COUNTRY, {"join-alias": "Customers"}]],
            "aggregation": [["sum", ["expression", "net"]]],
        }),
    ),
    make_card(
        2,
        "Orders by month",
        ask_stages({
            "source-table": ORDERS,
            "breakout": [["field", {"temporal-unit": "month"}, ORDERED]],
            "aggregation": [["count", {}]],
            "filters": [["=", {}, ["field", {}, STATUS], "PAID"]],
        }),
    ),
    make_card(
        3,
        "Paid orders",
        ask({
            "source-table": ORDERS,
            "filter": ["=", ["field", STATUS, None], "PAID"],
            "fields": [["field", ID, None], ["field", AMOUNT, None]],
        }),
        type="model",
        result_metadata=[
            {"name": "id", "base_type": "type/Integer", "id": ID},
            {"name": "amount", "base_type": "type/Decimal", "id": AMOUNT},
        ],
    ),
    make_card(4, "Average paid", ask({"source-table": "card__3", "aggregation": [["avg", ["field", "amount", {"base-type": "x"}]]]})),
    make_card(5, "Paid list", ask_stages({"source-card": 3}), last_used_at="2026-05-02T08:00:00Z", view_count=7, collection_id=9),
    make_card(
        6,
        "Emails",
        ask_sql(
            "SELECT email FROM customers WHERE true [[AND {{country}}]] AND {{snippet: recent}}",
            {"country": {"name": "country", "type": "dimension", "dimension": ["field", COUNTRY, None]}},
        ),
    ),
    make_card(7, "Over a model in SQL", ask_sql("SELECT max(m.amount) AS top FROM {{#3-paid-orders}} m WHERE m.amount > {{least}}")),
    make_card(8, "All customers", ask({"source-table": CUSTOMERS})),
    make_card(
        9,
        "Monthly totals",
        ask({"source-table": ORDERS, "breakout": [["field", ORDERED, None]], "aggregation": [["sum", ["field", AMOUNT, None]], ["count"]]}),
        result_metadata=[{"name": "ordered_at"}, {"name": "sum"}, {"name": "count"}],
    ),
    make_card(10, "Best month", ask_stages({"source-card": 9, "aggregation": [["max", {}, ["field", {"base-type": "x"}, "sum"]]]})),
]  # fmt: skip


def make_dashcard(id_: int, **more: Any) -> dict[str, Any]:
    card = next(card for card in CARDS if card["id"] == id_)
    return {"id": 100 + id_, "card_id": id_, "card": card, "series": [], "parameter_mappings": [], **more}


DASHBOARDS = [
    {
        "id": 1,
        "name": "Sales",
        "creator_id": 1,
        "collection_id": 9,
        "parameters": [{"id": "p", "name": "Who", "slug": "who", "type": "number/="}],
        "dashcards": [
            make_dashcard(
                1,
                parameter_mappings=[{"parameter_id": "p", "card_id": 1, "target": ["dimension", ["field", ID, None], {"stage-number": 0}]}],
            ),
            make_dashcard(2, series=[CARDS[3]]),
            {"id": 500, "card_id": None, "card": {"query_average_duration": None}, "visualization_settings": {"text": "a heading"}},
        ],
        "updated_at": "2026-05-03T10:00:00Z",
        "last_viewed_at": "2026-05-04T10:00:00Z",
        "view_count": 42,
    },
    {"id": 2, "name": "Sales", "creator_id": 2, "dashcards": [make_dashcard(6)], "updated_at": "2026-05-03T10:00:00Z"},
]


def make_answers() -> dict[str, Any]:
    """The answers by address, for a test to change."""
    answers: dict[str, Any] = {
        "/api/database": {
            "data": [{
                "id": 1,
                "name": "Shop",
                "engine": "postgres",
                "details": {"host": "db.internal", "port": 5432, "dbname": "shop", "user": "reader", "password": "**MetabasePass**"},
            }],
            "total": 1,
        },
        "/api/database/1/metadata?include_hidden=true": {
            "id": 1,
            "tables": [
                {"id": ORDERS, "name": "orders", "schema": "public", "fields": name_fields(
                    {ID: "id", AMOUNT: "amount", TAX: "tax", CUSTOMER: "customer_id", ORDERED: "ordered_at", STATUS: "status"}
                )},
                {"id": CUSTOMERS, "name": "customers", "schema": "public", "fields": name_fields(
                    {CUSTOMER_ID: "id", EMAIL: "email", COUNTRY: "country"}
                )},
            ],
        },
        "/api/card?f=all": CARDS,
        "/api/dashboard?f=all": [{"id": one["id"], "name": one["name"], "creator": ADA} for one in DASHBOARDS],
        **{f"/api/dashboard/{one['id']}": one for one in DASHBOARDS},
        "/api/collection": [{"id": "root", "name": "Our analytics"}, {"id": 8, "name": "Finance", "location": "/"},
                            {"id": 9, "name": "Weekly", "location": "/8/"}],
        "/api/native-query-snippet": [{"id": 1, "name": "recent", "content": "id > 5 AND {{snippet: recent}}"}],
        "/api/segment": [],
        "/api/user": {"data": [ADA, {"id": 2, "email": "bob@company.com"}], "total": 2},
    }  # fmt: skip
    return copy.deepcopy(answers)


Answer = Callable[[Request], tuple[int, bytes]]


def replay(answers: Mapping[str, Any]) -> Answer:
    """Answers for the key `key` or the session `session`."""

    def answer(request: Request) -> tuple[int, bytes]:
        if request.address == "/api/session":
            return 200, b'{"id": "session"}'
        if request.headers.get("x-api-key") != "key" and request.headers.get("x-metabase-session") != "session":
            return 401, b"Unauthenticated"
        if request.address not in answers:
            return 404, b'"Not found."'
        return 200, json.dumps(answers[request.address]).encode()

    return answer


def serve(answer: Answer) -> AbstractContextManager[str]:
    return serve_answers(answer)


def read_metabase(live: LiveGraph, url: str, **keys: object) -> SyncOutcome:
    given = {"api_key": "${KEY}"} if "user" not in keys else {}
    source = Metabase.model_validate({"url": url, **given, **keys})
    return sync_source(LocalTarget(live, Naming()), source, Path(), variables={"KEY": "key", "PASSWORD": "secret"}.get)
