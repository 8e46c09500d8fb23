"""What a real Trino sent of queries of every kind (scripts/record-trino): answers at column grain, alone and with its Iceberg catalog."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_dataset_key
from meshline.graph.store.factory import open_store
from tests.api.conftest import AskGraph
from tests.cli.command import run_successfully
from tests.ingest.lineage_events import Graph, ingest_each
from tests.ingest.sources.json_server import Answer, Failure, serve_json
from tests.recording_comparison import simplify_events, simplify_files
from tests.sizes import ALL

HERE = Path(__file__).parent
EVENTS = [json.loads(line) for line in (HERE / "trino_events.ndjson").read_text(encoding="utf-8").splitlines()]
TRINO, LAKE = "trino://trino.internal", "http://iceberg-rest.internal:8181"
CUSTOMERS, ORDERS = "pg.public.customers", "lake.silver.orders"
MESH = """\
version: 1
source: shop
namespaces: {{lake: "{lake}"}}
catalogs: [{{names: lake, also: ["trino://trino.internal:8080/lake"]}}]
sources:
  - {{kind: iceberg, name: lake, uri: "{uri}", namespace: lake}}
  - {{kind: openlineage, name: trino, files: ["{events}"]}}
"""


def find_time(part: str) -> str:
    """When the query ended whose SQL has this text."""
    (found,) = (event["eventTime"] for event in EVENTS if event["eventType"] != "START" and part in event["job"]["facets"]["sql"]["query"])
    return str(found)


@pytest.fixture(scope="module")
def events() -> Graph:
    return ingest_each(*EVENTS)


@pytest.fixture(scope="module")
def live(events: Graph) -> LiveGraph:
    return LiveGraph.open(events.store)


def answer_as_catalog(state: str) -> Answer:
    """The answers of the recorded catalog before or after the rename, which has the one namespace `gold`."""
    tables = {file.stem.partition(".")[2]: json.loads(file.read_text()) for file in (HERE / "trino_tables" / state).glob("*.json")}
    answers = {
        "/v1/config": {"defaults": {}, "overrides": {}},
        "/v1/namespaces": {"namespaces": [["gold"]]},
        "/v1/namespaces/gold": {"namespace": ["gold"], "properties": {}},
        "/v1/namespaces/gold/tables": {"identifiers": [{"namespace": ["gold"], "name": name} for name in tables]},
        **{f"/v1/namespaces/gold/tables/{name}": found for name, found in tables.items()},
    }
    return lambda asked: answers.get(asked.path, Failure(404, {"error": {"message": "no such", "type": "NoSuch", "code": 404}}))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGraph]:
    """With the Iceberg catalog, which was read before the rename and at the end."""
    folder = tmp_path_factory.mktemp("trino")
    address = f"sqlite:///{folder / 'graph.db'}"
    for state in ("before", "after"):
        with serve_json(answer_as_catalog(state)) as uri:
            (folder / "mesh.yaml").write_text(MESH.format(lake=LAKE, uri=uri, events=HERE / "trino_events.ndjson"), encoding="utf-8")
            run_successfully("sync", folder / "mesh.yaml", "--store", address)
    store = open_store(address)
    yield LiveGraph.open(store)
    store.close()


QUERY = """query($of: [ID!]!, $at: DateTime) { impact(of: $of, asOf: $at) {
    assets(kinds: [COLUMN], first: 200) { nodes { reach node { qualifiedName } } } } }"""
MARKS = {"DIRECT": "{}", "INDIRECT": "[{}]", "POSSIBLE": "{}?"}


def list_affected(live: LiveGraph, dataset: str, column: str, at: str | None = None, namespace: str = TRINO) -> set[str]:
    """The columns that a column reaches; in brackets those of which only the rows depend on it, with a `?` those that may."""
    of = build_column_key(build_dataset_key(namespace, dataset), column)
    found = AskGraph(live)(QUERY, of=[of.id], at=at)["impact"]["assets"]["nodes"]
    return {MARKS[one["reach"]].format(one["node"]["qualifiedName"].rpartition("/")[2]) for one in found}


def list_columns(live: LiveGraph, dataset: str, namespace: str = TRINO) -> list[str]:
    index = live.index
    node = index.assets.find_by_key(build_dataset_key(namespace, dataset))
    assert node is not None
    return [index.assets.get_column_name(one) for one in index.assets.list_columns(node)]


def mark_rest(table: str, *columns: str) -> set[str]:
    """Columns of which only the rows depend on the start."""
    return {f"[{table}.{column}]" for column in columns}


def test_every_event_is_ingested(events: Graph) -> None:
    kinds = [event["eventType"] for event in EVENTS]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"START": 22, "COMPLETE": 20, "FAIL": 2}
    assert {event["job"]["facets"]["jobType"]["integration"] for event in EVENTS} == {"TRINO"}
    assert len(events.find_heads("job-output")) == 14, "the failed ones, the renames and the drops write nothing"


@pytest.mark.parametrize(
    ("table", "column", "affected"),
    [
        # a join of two catalogs; the same statement masks the column, and a view passes it on
        (
            CUSTOMERS,
            "email",
            {
                "lake.gold.order_facts.contact",
                "lake.gold.order_facts.email_hash",
                "lake.gold.contacts.email",
                "memory.default.letters.address",
            }
            | mark_rest("lake.gold.order_facts", "order_id", "country", "doubled"),
        ),
        # of a filter only the rows depend; what reads a hidden column of the table may depend on all of it
        (
            ORDERS,
            "status",
            mark_rest("lake.gold.order_facts", "order_id", "country", "doubled", "contact", "email_hash")
            | {"memory.default.sümmen 2.file?", "memory.default.sümmen 2.Anzahl?"},
        ),
        # an INSERT by position, then an UPDATE and a MERGE that only set `total`, into PostgreSQL
        (
            ORDERS,
            "placed_at",
            {"lake.gold.daily.day"}
            | mark_rest("lake.gold.daily", "country", "total", "note")
            | mark_rest("pg.public.totals", "country", "total")
            | {"memory.default.sümmen 2.file?", "memory.default.sümmen 2.Anzahl?"},
        ),
        (
            "lake.gold.daily",
            "total",
            {"pg.public.totals.total"} | mark_rest("lake.gold.daily", "country", "day", "note") | mark_rest("pg.public.totals", "country"),
        ),
        ("lake.gold.contacts", "email", {"memory.default.letters.address"}),
    ],
)
def test_a_column_reaches_what_is_made_of_it(live: LiveGraph, table: str, column: str, affected: set[str]) -> None:
    assert list_affected(live, table, column) == affected


def test_a_query_that_fails_writes_nothing(live: LiveGraph) -> None:
    """It would have put an address into `country`."""
    assert not {one for one in list_affected(live, CUSTOMERS, "email") if "daily" in one}
    assert live.index.assets.find_by_key(build_dataset_key(TRINO, "lake.gold.nothing")) is None
    assert list_columns(live, "lake.gold.daily") == ["day", "country", "total", "note"], "`total` alone was set by a later query"


def test_a_table_that_is_replaced_loses_what_it_no_longer_has(live: LiveGraph) -> None:
    assert list_columns(live, "lake.gold.facts") == ["order_id", "doubled"]
    assert list_affected(live, "lake.gold.facts", "contact") == {"memory.default.mails.contact"}


def test_a_table_that_dbt_makes_again_is_the_same_table(live: LiveGraph) -> None:
    """Its second version was created under another name and then renamed, which no event states."""
    assert list_columns(live, "lake.gold.by_country")[:2] == ["country", "customers"]
    assert list_affected(live, CUSTOMERS, "country") >= {"lake.gold.by_country.country", "[lake.gold.by_country.customers]"}
    assert "lake.gold.by_country.last_name" not in list_affected(live, CUSTOMERS, "name")
    assert "lake.gold.by_country.last_name" in list_affected(live, CUSTOMERS, "name", find_time("max(name)"))
    assert live.index.assets.find_by_key(build_dataset_key(TRINO, "lake.gold.by_country__dbt_tmp")) is None


def test_hidden_columns_are_none(live: LiveGraph) -> None:
    assert set(list_columns(live, ORDERS)) == {"order_id", "customer_id", "amount", "status", "placed_at"}
    assert list_columns(live, "memory.default.sümmen 2") == ["file", "Anzahl"]


def test_one_rule_joins_the_names_of_a_catalog(lake: LiveGraph) -> None:
    affected = list_affected(lake, ORDERS, "amount")
    assert "gold.daily.total" in affected, "shown by its name in the catalog"
    assert list_affected(lake, "gold.daily", "total", namespace=LAKE) >= {"pg.public.totals.total", "[pg.public.totals.country]"}
    assert list_columns(lake, "lake.gold.daily") == ["day", "country", "total"], "as the catalog lists them: `note` was dropped"


def test_a_renamed_table_is_found_by_its_identity_in_the_catalog(live: LiveGraph, lake: LiveGraph) -> None:
    """No event names the two; the catalog's identifier of the table stays."""
    at = find_time("TABLE memory.default.mails")
    assert "memory.default.mails.contact" not in list_affected(live, CUSTOMERS, "email", at)
    assert list_affected(lake, CUSTOMERS, "email", at) >= {"gold.facts.contact", "gold.facts.email_hash", "memory.default.mails.contact"}


@pytest.mark.skipif(not ALL, reason="takes minutes: scripts/test --all")
def test_a_trino_that_runs_sends_the_same(live: LiveGraph, tmp_path: Path) -> None:
    subprocess.run([sys.executable, HERE.parents[1] / "scripts" / "record-trino", tmp_path], check=True)
    lines = (tmp_path / "trino_events.ndjson").read_text(encoding="utf-8").splitlines()
    again = LiveGraph.open(ingest_each(*map(json.loads, lines)).store)
    assert simplify_events(lines) == simplify_events((HERE / "trino_events.ndjson").read_text(encoding="utf-8").splitlines())
    assert simplify_files(tmp_path, ("trino_tables",)) == simplify_files(HERE, ("trino_tables",))
    for table, column in (
        (CUSTOMERS, "email"),
        (CUSTOMERS, "country"),
        (ORDERS, "amount"),
        (ORDERS, "status"),
        ("lake.gold.daily", "total"),
    ):
        assert list_affected(again, table, column) == list_affected(live, table, column), column
