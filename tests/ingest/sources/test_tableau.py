"""Tableau: a change of a column names the dashboards and sheets that use it. The answers are written by hand after its documentation."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.sources.dashboards.tableau import Tableau
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import open_graph

QUERY = "query($of: [ID!]!) { impact(of: $of) { assets(kinds: [CONSUMER], first: 100) { nodes { reach node { name } } } } }"
POSTGRES = {"name": "shop", "connectionType": "postgres", "hostName": "db.internal", "port": 5432}
ORDERS = {"id": "t1", "name": "orders", "schema": "public", "database": POSTGRES}
RAW = {"id": "t2", "name": "RAW_EVENTS", "schema": "RAW", "database": {
    "name": "LAKE", "connectionType": "snowflake", "hostName": "acme-eu.snowflakecomputing.com",
}}  # fmt: skip
FILE = {"id": "t3", "name": "Budget$", "schema": "", "database": {"name": "Budget.xlsx", "connectionType": "excel-direct"}}


def make_sheet(id_: str, name: str, columns: list[str], tables: list[dict[str, Any]]) -> dict[str, Any]:
    upstream = [{"name": column, "table": {"id": "t1"}} for column in columns]
    return {"id": id_, "name": name, "path": f"Sales/{name}", "upstreamColumns": upstream, "upstreamTables": tables}


WORKBOOK = {
    "id": "w1",
    "name": "Sales",
    "projectName": "Finance",
    "updatedAt": "2026-05-01T10:00:00Z",
    "owner": {"email": "ada@company.com", "name": "Ada"},
    "tags": [{"name": "official"}],
    "dashboards": [
        {"id": "d1", "name": "Overview", "path": "Sales/Overview", "sheets": [{"id": "s1"}, {"id": "s2"}, {"id": "hidden"}]},
        {"id": "d2", "name": "Overview", "path": "Sales/Overview2", "sheets": []},
    ],
    "sheets": [
        make_sheet("s1", "Revenue", ["amount"], [ORDERS]),
        make_sheet("s2", "Events", [], [RAW]),
        make_sheet("s3", "Détails ✓", ["id", "amount"], [ORDERS, FILE]),
    ],
}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def make_answer() -> dict[str, Any]:
    return copy.deepcopy({"data": {"workbooks": [WORKBOOK]}})


def load(live: LiveGraph, folder: Path, answer: object, **keys: object) -> SyncOutcome:
    (folder / "answer.json").write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    source = Tableau.model_validate({"files": ["answer.json"], **keys})
    return sync_source(LocalTarget(live, Naming()), source, folder, variables=lambda _: None)


def find_affected(live: LiveGraph, namespace: str, table: str, column: str = "") -> dict[str, str]:
    dataset = build_dataset_key(namespace, table)
    key = build_column_key(dataset, column) if column else dataset
    found = AskGraph(live)(QUERY, of=[key.id])["impact"]["assets"]["nodes"]
    return {one["node"]["name"]: one["reach"] for one in found}


def list_refusals(done: SyncOutcome) -> list[str]:
    assert done.loading is not None
    return [str(refusal) for refusal in done.loading.refused]


def test_a_column_reaches_the_dashboards_and_sheets_that_use_it(live: LiveGraph, tmp_path: Path) -> None:
    done = load(live, tmp_path, make_answer())
    assert done.loading is not None
    assert [str(warning) for warning in done.loading.warnings] == [
        "database 'Budget.xlsx' (excel-direct): its address does not state where its tables are: state it under `databases`"
    ]
    orders = ("postgres://db.internal", "shop.public.orders")
    assert find_affected(live, *orders, "amount") == {"Sales / Overview": "DIRECT", "Sales / Détails ✓": "DIRECT"}
    assert find_affected(live, *orders, "id") == {"Sales / Détails ✓": "DIRECT"}
    assert set(find_affected(live, "snowflake://acme-eu", "LAKE.RAW.RAW_EVENTS")) == {"Sales / Overview"}, "the whole table"


def test_what_is_known_of_a_dashboard(live: LiveGraph, tmp_path: Path) -> None:
    load(live, tmp_path, make_answer(), url="https://tableau/#/site/acme/")
    query = """query($id: ID!) { node(id: $id) { owners { owner { name } } facts { attribute value } ... on Consumer { consumerType } } }"""
    found: dict[str, Any] = AskGraph(live)(query, id=build_consumer_key("Sales / Overview").id)["node"]
    facts = {fact["attribute"]: fact["value"] for fact in found["facts"]}
    assert found["consumerType"] == "dashboard"
    assert [owner["owner"]["name"] for owner in found["owners"]] == ["ada@company.com"]
    assert (facts["charts"], facts["project"], facts["url"]) == (2, "Finance", "https://tableau/#/site/acme/views/Sales/Overview")
    assert live.index.assets.find_by_key(build_consumer_key("Sales / Overview (dashboard/d2)")) is not None


def test_what_is_in_no_answer_is_retracted_unless_it_is_incomplete(live: LiveGraph, tmp_path: Path) -> None:
    load(live, tmp_path, make_answer())
    fewer = make_answer()
    del fewer["data"]["workbooks"][0]["sheets"][2]
    fewer["errors"] = [{"message": "Showing partial results", "extensions": {"code": "NODE_LIMIT_EXCEEDED"}}]
    key = build_consumer_key("Sales / Détails ✓")
    assert "Showing partial results" in list_refusals(load(live, tmp_path, fewer))[0]
    assert live.index.assets.find_by_key(key) is not None
    del fewer["errors"]
    load(live, tmp_path, fewer)
    assert live.index.assets.find_by_key(key) is None


def test_pages_of_answers_and_a_stated_database(live: LiveGraph, tmp_path: Path) -> None:
    page = {"data": {"workbooksConnection": {"nodes": make_answer()["data"]["workbooks"]}}}
    done = load(live, tmp_path, page, databases={"Budget.xlsx": {"namespace": "files", "catalog": ""}})
    assert done.loading is not None
    assert not done.loading.warnings
    assert set(find_affected(live, "files", "Budget$")) == {"Sales / Détails ✓"}


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b"", "no answer of Tableau"),
        (b"<html>", "no answer of Tableau"),
        (b"\xff\xfe", "no answer of Tableau"),
        (b"[" * 100_000, "no answer of Tableau"),
        ([], "no answer of Tableau"),
        ({}, "found no workbooks"),
        ({"data": None, "errors": [{"message": "Validation error: no such field"}]}, "Validation error"),
        ({"data": {"workbooks": [{"name": "without an id"}]}}, "no answer of Tableau"),
        ({"data": {"workbooks": [{"id": 5}]}}, "no answer of Tableau"),
    ],
)
def test_what_is_no_answer_is_refused_and_changes_nothing(live: LiveGraph, tmp_path: Path, answer: object, part: str) -> None:
    load(live, tmp_path, make_answer())
    assert part in list_refusals(load(live, tmp_path, answer))[0]
    assert live.index.assets.find_by_key(build_consumer_key("Sales / Overview")) is not None


@pytest.mark.parametrize(
    "sheet",
    [
        {"id": "x", "upstreamColumns": [{"name": "a", "table": None}, {"name": None, "table": {"id": "t9"}}, {"name": "a", "table": {}}]},
        {"id": "x", "upstreamTables": [{"id": "t9", "name": "", "database": POSTGRES}, {"id": None}, {"id": "t8", "name": "a"}]},
        {"id": "x", "upstreamTables": [{"id": "t9", "name": "a", "database": {**POSTGRES, "hostName": "[", "port": 99_999_999}}]},
        {"id": "x", "name": "\u202e\u0000 'x'", "upstreamColumns": None, "upstreamTables": None, "updatedAt": "yesterday"},
    ],
)
def test_a_sheet_with_little_or_hostile_is_a_consumer(live: LiveGraph, tmp_path: Path, sheet: dict[str, Any]) -> None:
    answer = make_answer()
    answer["data"]["workbooks"][0]["sheets"].append(sheet)
    done = load(live, tmp_path, answer)
    assert done.error is None
    assert done.loading is not None
    assert (done.loading.new, list_refusals(done)) == (4, [])
    assert find_affected(live, "postgres://db.internal", "shop.public.orders", "id") == {"Sales / Détails ✓": "DIRECT"}
