"""`meshline ingest postgres`, `duckdb`, `snowflake`, `bigquery`, `redshift` and `ranger`, and the same sources in a mesh file."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.cli.command import run_command, run_successfully
from tests.postgres import Database, PostgresServer


@pytest.fixture
def shop(postgres: PostgresServer) -> Database:
    return postgres.make_database(
        [
            "CREATE TABLE orders (id int PRIMARY KEY, email text)",
            "CREATE VIEW mails AS SELECT lower(email) AS mail FROM orders",
            "GRANT SELECT ON orders TO PUBLIC",
        ]
    )


def test_a_database_by_a_url_without_its_password(new: str, shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", shop.password)
    url = f"postgresql://postgres@{shop.address}/{shop.name}"
    arguments = ("ingest", "postgres", url, "--password", "${SHOP_PASSWORD}", "--no-history", "--store", new)
    assert run_successfully(*arguments).err == (
        "postgres/default: 4 of 4 statements read, 0 unchanged, 4 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert "4 unchanged, 0 new" in run_successfully(*arguments).err
    lineage = run_successfully("lineage", "public.mails.mail", "--upstream", "--store", new).out
    assert "public.orders.email" in lineage


def test_options_of_a_database(new: str, shop: Database) -> None:
    shop.execute("CREATE SCHEMA other", "CREATE TABLE other.t (id int)")
    arguments = ("ingest", "postgres", shop.url, "--no-history", "--no-grants", "--namespace", "pg", "--store", new)
    ran = run_successfully(*arguments, "--schema", "public", "--exclude", "public.mails", "--owner", "postgres=team:orders")
    assert "1 new" in ran.err
    assert "team:orders" in run_successfully("owners", "public.orders", "--store", new).out
    wrong = run_command(*arguments, "--owner", "postgres")
    assert wrong.code == 2
    assert wrong.err == "meshline: --owner: accepted is ROLE=OWNER, such as orders_rw=team:orders\n"


def test_a_mesh_file_with_a_database(new: str, shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", shop.password)
    url = f"postgresql://postgres:${{SHOP_PASSWORD}}@{shop.address}/{shop.name}"
    source = {"kind": "postgres", "name": "shop", "url": url, "history": False, "every": "10m"}
    (tmp_path / "mesh.yaml").write_text(json.dumps({"version": 1, "source": "m", "sources": [source]}))
    assert (
        "postgres/shop: 4 of 4 statements read, 0 unchanged, 4 new" in run_successfully("sync", tmp_path / "mesh.yaml", "--store", new).err
    )
    monkeypatch.setenv("SHOP_PASSWORD", "another-word")
    failed = run_command("sync", tmp_path / "mesh.yaml", "--store", new)
    assert failed.code == 1
    assert "postgres/shop: not read: PostgreSQL does not answer: " in failed.err
    assert "another-word" not in failed.err + failed.out


def test_a_file_of_duckdb(new: str, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    assert "2 new" in run_successfully("ingest", "duckdb", "shop.duckdb", "--store", new).err
    assert run_command("ingest", "duckdb", "missing.duckdb", "--store", new).code == 1


@pytest.mark.parametrize(
    ("kind", "options", "row", "name"),
    [
        ("snowflake", ("--account", "acme"), {"TABLE_CATALOG": "A", "TABLE_SCHEMA": "B", "TABLE_NAME": "C", "TABLE_TYPE": "T"}, "A.B.C"),
        ("bigquery", (), {"table_catalog": "a", "table_schema": "b", "table_name": "c", "table_type": "BASE TABLE"}, "a.b.c"),
        ("redshift", ("--cluster", "c.r:1"), {"table_catalog": "a", "table_schema": "b", "table_name": "c", "table_type": "T"}, "a.b.c"),
    ],
)
def test_exports(new: str, tmp_path: Path, kind: str, options: tuple[str, ...], row: dict[str, str], name: str) -> None:
    (tmp_path / "tables.ndjson").write_text(json.dumps(row) + "\n")
    arguments = ("ingest", kind, "*.ndjson", *options, "--store", new)
    assert run_successfully(*arguments).err == (
        f"{kind}/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert name in run_successfully("search", name, "--store", new).out
    (tmp_path / "more.ndjson").write_text("[]\n")
    refused = run_command(*arguments)
    assert refused.code == 1
    assert "refused: more.ndjson:1: found no row" in refused.err


def test_policies_of_ranger(new: str, tmp_path: Path) -> None:
    row = {"TABLE_CATALOG": "A", "TABLE_SCHEMA": "B", "TABLE_NAME": "C", "TABLE_TYPE": "T"}
    (tmp_path / "tables.ndjson").write_text(json.dumps(row) + "\n")
    run_successfully("ingest", "snowflake", "tables.ndjson", "--account", "acme", "--store", new)
    item = {"accesses": [{"type": "select", "isAllowed": True}], "users": ["ann"]}
    resources = {level: {"values": ["*"]} for level in ("catalog", "schema", "table", "column")}
    policy = {"name": "all", "service": "s", "serviceType": "trino", "resources": resources, "policyItems": [item]}
    (tmp_path / "policies.json").write_text(json.dumps({"policies": [policy]}))
    arguments = ("ingest", "ranger", "policies.json", "--namespace", "snowflake://acme", "--store", new)
    assert "1 new" in run_successfully(*arguments).err
    assert "1 unchanged" in run_successfully(*arguments).err


def test_exports_of_superset(new: str) -> None:
    exported = Path(__file__).parents[1] / "ingest" / "sources" / "superset_export.zip"
    arguments = ("ingest", "superset", exported, "--database", "Shop=postgres://db.internal:5432", "--store", new)
    ran = run_successfully(*arguments, "--url", "https://superset.company.com")
    assert "6 of 6 statements read, 0 unchanged, 6 new" in ran.err
    assert "Emails" in run_successfully("impact", "shop.shop.customers.email", "--store", new).out
    for wrong in (["http://superset:8088", "x.zip"], ["http://superset:8088", "--url", "http://superset:8088"]):
        failed = run_command("ingest", "superset", *wrong, "--store", new)
        assert (failed.code, "WHAT: " in failed.err) == (2, True)
