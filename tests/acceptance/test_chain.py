"""The chain from a database to a dashboard (examples/chain), from its recordings; with `--all`, it is recorded again and compared.

PostgreSQL, Debezium in Kafka Connect, Confluent's wire format with a registry, Spark from Kafka, Iceberg, dbt on Trino, Superset.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.cli.store import open_graph
from meshline.governance.report import Report
from tests.acceptance.service import Service, run_service
from tests.cli.command import ROOT, run_successfully
from tests.postgres import PostgresServer
from tests.recording_comparison import simplify_files
from tests.servers import Neo4jServer
from tests.sizes import ALL

CHAIN = ROOT / "examples" / "chain"
DATABASE, KAFKA = "postgres://db.internal:5432", "kafka://kafka.internal:9092"
QUERY = """query($id:ID!){impact(of:[$id]){
  assets(kinds:[COLUMN,CONSUMER],first:500){nodes{reach distance masked node{kind name ... on Column{dataset{name}}}}}
  completeness{possibleOnly undescribed staleEdges provisional}}}"""
RECORDED = ("connect/connectors.json", "dbt/target", "events", "iceberg", "registry", "superset")


def sync(folder: Path, store: str) -> list[str]:
    """Read all sources of the chain; the lines that report it."""
    return run_successfully("sync", folder / "mesh.yaml", "--store", store).err.splitlines()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the chain."""
    address = f"sqlite:///{tmp_path_factory.mktemp('chain')}/chain.db"
    lines = sync(CHAIN, address)
    assert len(lines) == 10
    assert all(line.endswith("0 refused") for line in lines), lines
    return address


@pytest.fixture(scope="module")
def service(store: str) -> Iterator[Service]:
    with run_service(store, mesh=CHAIN / "mesh.yaml") as found:
        yield found


def read_impact(service: Service, table: str, column: str) -> dict[str, Any]:
    """What a change of a column of the shop's database affects: columns as `dataset.column` and consumers, each with its reach."""
    found = service.ask(QUERY, id=service.list_columns(DATABASE, f"shop.public.{table}")[column])["impact"]
    nodes = found["assets"]["nodes"]
    names = [
        f"{one['node']['dataset']['name']}.{one['node']['name']}" if "dataset" in one["node"] else one["node"]["name"] for one in nodes
    ]
    assert len(set(names)) == len(names)
    return {"assets": {name: (one["reach"], one["distance"]) for name, one in zip(names, nodes, strict=True)}, **found["completeness"]}


def read_table(heading: str) -> list[list[str]]:
    """The cells of the table of the page with this heading."""
    lines = (CHAIN / "README.md").read_text(encoding="utf-8").splitlines()
    begin = lines.index(heading) + 2
    end = next(i for i in range(begin, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]


def read_answer(heading: str) -> dict[str, tuple[str, int]]:
    return {name: (reach, int(distance)) for name, reach, distance in read_table(heading)}


def test_what_amount_reaches_is_what_the_page_states(service: Service) -> None:
    found = read_impact(service, "orders", "amount")
    assert found["assets"] == read_answer("| `orders.amount` reaches | reach | steps |")
    assert (found["undescribed"], found["staleEdges"], found["provisional"]) == (0, 0, 0)


def test_what_email_reaches_is_what_the_page_states(service: Service) -> None:
    assert read_impact(service, "customers", "email")["assets"] == read_answer("| `customers.email` reaches | reach | steps |")


@pytest.mark.parametrize("table", ["orders", "customers"])
def test_every_column_is_copied_to_the_field_and_the_column_of_its_name(service: Service, table: str) -> None:
    for column in service.list_columns(DATABASE, f"shop.public.{table}"):
        direct = {
            name for name, (reach, distance) in read_impact(service, table, column)["assets"].items() if reach == "DIRECT" and distance < 3
        }
        topic = f"shop.public.{table}"
        assert direct == {f"{topic}.after.{column}", f"{topic}.before.{column}", f"silver.{table}.{column}"}


def test_the_registry_describes_the_topics(service: Service) -> None:
    for table in ("orders", "customers"):
        columns = {*service.list_columns(KAFKA, f"shop.public.{table}")}
        assert {"op", "source.lsn", "before", "after", "ts_ms"} <= columns
        assert not columns & {"key", "value", "offset"}, "columns of Spark's source"


@pytest.mark.server
def test_both_stores_have_the_same_answers(service: Service, neo4j: Neo4jServer) -> None:
    sync(CHAIN, neo4j.url)
    with run_service(neo4j.url, mesh=CHAIN / "mesh.yaml") as other:
        for table, column in (("orders", "amount"), ("customers", "email")):
            assert read_impact(service, table, column) == read_impact(other, table, column)


@pytest.mark.server
def test_a_running_postgresql_has_the_columns_that_the_statements_make(service: Service, postgres: PostgresServer, tmp_path: Path) -> None:
    shop = postgres.make_database([(CHAIN / "postgres" / "shop.sql").read_text(encoding="utf-8")])
    address = f"sqlite:///{tmp_path}/shop.db"
    run_successfully("ingest", "postgres", shop.url, "--namespace", "postgres://shop", "--no-history", "--store", address)
    with run_service(address) as running:
        for table in ("orders", "customers"):
            found = [*running.list_columns("postgres://shop", f"{shop.name}.public.{table}")]
            assert found == [*service.list_columns(DATABASE, f"shop.public.{table}")]


def test_a_second_sync_changes_nothing(store: str) -> None:
    assert all(", 0 new, 0 changed, 0 retracted, 0 refused" in line for line in sync(CHAIN, store))


def check_change(store: str, text: str) -> Report:
    with open_graph(store) as graph:
        return run_check(graph.graph, graph.naming, CheckRequest((CheckInput("change", None, File("words", text)),)))


def test_dropping_amount_names_the_dashboard_and_its_owner(store: str) -> None:
    report = check_change(store, "drop shop.public.orders.amount")
    assert (report.verdict, report.passed) == ("breaking", False)
    hits = {hit.consumer.name: hit for finding in report.findings for hit in finding.hits}
    assert hits["Revenue"].reach == "DIRECT"
    assert [step.asset.name for step in hits["Revenue"].path][:4] == ["amount", "after.amount", "amount", "revenue"]
    notices = {notice.recipient.name: notice for notice in report.notify}
    assert notices["finance-analytics"].contacts["email"] == "finance@company.com"
    assert "silver-orders" in {one.name for finding in report.findings for one in finding.contracts}


def test_dropping_email_does_not_name_the_dashboards(store: str) -> None:
    report = check_change(store, "drop shop.public.customers.email")
    assert not {hit.consumer.name for finding in report.findings for hit in finding.hits}


@pytest.mark.parametrize(
    ("name", "old", "new", "same"),
    [
        ("iceberg/silver.orders.json", '"name": "status"', '"name": "state"', False),
        ("events/debezium.ndjson", '"name":"email"', '"name":"mail"', False),
        ("superset/charts/Revenue_by_country_1.yaml", "viz_type: pie", "viz_type: bar", False),
        ("dbt/target/manifest.json", "'PAID'", "'OPEN'", False),
        ("events/trino.ndjson", "2026-03-02T02:0", "2026-03-02T03:1", True),
    ],
)
def test_a_comparison_of_recordings_finds_what_matters(tmp_path: Path, name: str, old: str, new: str, *, same: bool) -> None:
    shutil.copytree(CHAIN, tmp_path / "chain")
    changed = tmp_path / "chain" / name
    text = changed.read_text(encoding="utf-8")
    assert old in text
    changed.write_text(text.replace(old, new), encoding="utf-8")
    top = name.rpartition("/")[0]
    assert (simplify_files(tmp_path / "chain", (top,)) == simplify_files(CHAIN, (top,))) is same


@pytest.mark.server
@pytest.mark.skipif(not ALL, reason="only with --all: it takes a quarter of an hour")
def test_the_chain_recorded_again_is_the_same_and_has_the_same_answers(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    shutil.copytree(CHAIN, folder)
    for name in RECORDED:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run([sys.executable, ROOT / "scripts" / "record-chain", folder], check=True)
    found, expected = (simplify_files(place, RECORDED) for place in (folder, CHAIN))
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name], name
    address = f"sqlite:///{tmp_path}/again.db"
    assert all(line.endswith("0 refused") for line in sync(folder, address))
    with run_service(address, mesh=folder / "mesh.yaml") as again:
        for table in ("orders", "customers"):
            for column in service.list_columns(DATABASE, f"shop.public.{table}"):
                assert read_impact(again, table, column) == read_impact(service, table, column), column
