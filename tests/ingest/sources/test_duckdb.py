"""Databases of DuckDB, made by DuckDB itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.registry import build_source
from tests.ingest.sources.catalog_reading import CatalogReading

SHOP = """
CREATE SCHEMA raw;
CREATE TABLE raw.orders (
    id INTEGER PRIMARY KEY, status VARCHAR NOT NULL DEFAULT 'new', twice AS (id * 2), tags VARCHAR[], CHECK (id > 0)
);
COMMENT ON TABLE raw.orders IS 'all of them';
COMMENT ON COLUMN raw.orders.status IS 'of delivery';
CREATE TABLE raw.lines (order_id INTEGER REFERENCES raw.orders (id), price DECIMAL(10, 2));
INSERT INTO raw.orders (id) SELECT i FROM range(1, 1235) t(i);
CREATE VIEW totals (id, total) AS
    SELECT o.id, sum(l.price) FROM raw.orders o JOIN raw.lines l ON l.order_id = o.id WHERE o.status = 'done' GROUP BY o.id;
CREATE VIEW stars AS FROM totals;
"""


def make_database(path: Path, statements: str = SHOP) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)
    return path


def read_file(path: Path, **keys: str) -> CatalogReading:
    return CatalogReading(build_source({"kind": "duckdb", "path": path.name, **keys}), path.parent)


def test_tables_views_and_keys(tmp_path: Path) -> None:
    path = make_database(tmp_path / "shop.duckdb")
    reading = read_file(path)
    assert {scope[1] for scope in reading.facts} == {f"duckdb://{path}"}, "the name that dbt's events have"
    assert reading.tables == {
        "shop.main.stars": ["id", "total"],
        "shop.main.totals": ["id", "total"],
        "shop.raw.lines": ["order_id", "price"],
        "shop.raw.orders": ["id", "status", "twice", "tags"],
    }
    orders = reading.describe("shop.raw.orders")
    assert (orders["description"], orders["dataset_type"]) == ("all of them", "TABLE")
    found = orders["constraints"]
    assert isinstance(found, list)
    assert [one["type"] for one in found if isinstance(one, dict)] == ["CHECK", "PRIMARY KEY"]
    [key] = [one for one in reading.describe("shop.raw.lines")["constraints"] or [] if isinstance(one, dict)]  # type: ignore[union-attr]
    assert (key["type"], key["to"], key["to_columns"]) == ("FOREIGN KEY", "shop.raw.orders", ["id"])
    assert reading.describe("shop.raw.orders:id") == {"type": "INTEGER", "nullable": False, "identifies": True}
    status = {"type": "VARCHAR", "nullable": False, "default": "'new'", "description": "of delivery"}
    assert reading.describe("shop.raw.orders:status") == status
    assert "id * 2" in str(reading.describe("shop.raw.orders:twice")["generation_expression"])
    assert reading.get_size("shop.raw.orders") == {"record_count": 1200}


def test_the_lineage_of_views(tmp_path: Path) -> None:
    reading = read_file(make_database(tmp_path / "shop.duckdb"), namespace="duck")
    assert reading.list_view_flows("shop.main.totals") == {
        ("shop.raw.orders:id", "shop.main.totals:id", "IDENTITY"),
        ("shop.raw.lines:price", "shop.main.totals:total", "AGGREGATION"),
        ("shop.raw.orders:id", "shop.main.totals", "JOIN"),
        ("shop.raw.lines:order_id", "shop.main.totals", "JOIN"),
        ("shop.raw.orders:status", "shop.main.totals", "FILTER"),
        ("shop.raw.orders:id", "shop.main.totals", "GROUP_BY"),
    }
    assert reading.list_view_flows("shop.main.stars") == {
        (f"shop.main.totals:{name}", f"shop.main.stars:{name}", "IDENTITY") for name in ("id", "total")
    }
    assert {scope[1] for scope in reading.facts} == {"duck"}


def test_a_view_of_a_file_comes_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("i,j\n1,2\n")
    reading = read_file(make_database(tmp_path / "files.duckdb", f"CREATE VIEW v AS SELECT i FROM '{tmp_path}/x.csv'"))
    (tmp_path / "x.csv").unlink()  # the view is not evaluated
    assert reading.list_view_flows("files.main.v") == {(f"{tmp_path}/x.csv:i", "files.main.v:i", "IDENTITY")}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing.duckdb: there is no such file; accepted is a database of DuckDB"):
        read_file(tmp_path / "missing.duckdb")
    (tmp_path / "text.duckdb").write_text("no database " * 1000)
    with pytest.raises(InvalidInput, match=r"text\.duckdb"):
        read_file(tmp_path / "text.duckdb")


def test_a_file_that_another_process_writes(tmp_path: Path) -> None:
    path = make_database(tmp_path / "shop.duckdb")
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(StoreUnavailable, match=r"another process has .* open to write"):
            read_file(path)
        writer.stdin.close()
    assert read_file(path).tables


def test_nothing_is_written(tmp_path: Path) -> None:
    path = make_database(tmp_path / "shop.duckdb")
    before = path.read_bytes()
    read_file(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
