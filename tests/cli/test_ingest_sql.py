"""`meshline ingest sql`: views and scripts, and lineage over both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import EXAMPLE, run_command, run_successfully


def test_lineage_through_a_script_and_a_view(new: str) -> None:
    load = ("ingest", "sql", "--dialect", "trino", "--namespace", "trino://trino.internal", EXAMPLE / "trino" / "*.sql", "--store", new)
    assert run_successfully(*load).err == "sql/default: 3 of 3 statements read, 0 unchanged, 3 new, 0 changed, 0 retracted, 0 refused\n"
    assert run_successfully(*load).err == "sql/default: 3 of 3 statements read, 3 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"
    shown = json.dumps(run_successfully("lineage", "iceberg.orders.customer_orders.order_id", "--format", "json", "--store", new).json)
    assert "trino://trino.internal/delta.orders.open_orders.order_id" in shown


def test_a_bad_statement_is_exit_code_1_and_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE VIEW v AS SELECT a FROM t;\nINSERT INTO x SELECT FROM WHERE;")
    load = ("ingest", "sql", "--dialect", "spark", "--catalog", "lake", "--schema", "raw", "a.sql", "--store", new)
    ran = run_command(*load, "--strict")
    assert ran.code == 1
    assert ran.err.startswith("refused: a.sql:2:27: it is no spark: ")
    ran = run_command(*load)
    assert ran.code == 1
    assert ran.err.endswith("sql/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 1 refused\n")
    assert "spark/lake.raw.v" in run_successfully("search", "v", "--store", new).out


def test_files_that_are_gone_are_retracted_if_these_are_all(new: str, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE VIEW a AS SELECT x FROM t")
    (tmp_path / "b.sql").write_text("CREATE VIEW b AS SELECT x FROM t")
    load = ("ingest", "sql", "--dialect", "duckdb", "*.sql", "--store", new)
    run_successfully(*load)
    (tmp_path / "b.sql").unlink()
    assert "1 not found and kept" in run_successfully(*load).err
    assert "1 unchanged, 0 new, 0 changed, 1 retracted" in run_successfully(*load, "--complete").err


def test_an_unresolved_part_is_a_warning(new: str, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("CREATE VIEW a AS\nSELECT * FROM t;\nSELECT 1;\nCALL x()")
    err = run_successfully("ingest", "sql", "--dialect", "snowflake", "a.sql", "--store", new).err
    assert "warning: a.sql:1: the columns of T are not known, and all are asked for\n" in err
    assert "warning: a.sql:4: CALL: what it does is not read\n" in err


@pytest.mark.parametrize("text", ['{"nodes": {"a": 1}, "b": [1, 2]}', '{\n  "a": "b"\n}', "[]", "SHIPPED\n"])
@pytest.mark.parametrize("dialect", ["trino", "postgres", "tsql"])
def test_a_file_without_a_statement_is_refused(new: str, tmp_path: Path, text: str, dialect: str) -> None:
    """sqlglot reads a value as an expression, so that a JSON file once was `0 read`, and a check of it COMPATIBLE."""
    (tmp_path / "a.sql").write_text(f"-- a comment\n{text}")
    ran = run_command("ingest", "sql", "--dialect", dialect, "a.sql", "--store", new)
    assert ran.code == 1
    assert ran.err.startswith("refused: a.sql:2:")
    assert f"no statement of {dialect}; accepted is SQL: CREATE, INSERT" in ran.err
    checked = run_command("check", "ddl", "a.sql", "--dialect", dialect, "--store", new)
    assert (checked.code, checked.out) == (2, "")
    assert f"no statement of {dialect}" in checked.err


@pytest.mark.parametrize("text", ["GRANT SELECT ON a TO b", "-- later", ""])
def test_a_file_that_states_nothing_is_a_warning(new: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.sql").write_text(text)
    (tmp_path / "b.sql").write_text("CREATE VIEW v AS SELECT a FROM t")
    assert run_successfully("ingest", "sql", "--dialect", "trino", "*.sql", "--store", new).err == (
        "warning: a.sql: no statement in the file reads, writes or defines a table\n"
        "sql/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert run_successfully("check", "ddl", "a.sql", "--dialect", "trino", "--store", new).code == 0


def test_an_unknown_dialect(new: str, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT 1")
    ran = run_command("ingest", "sql", "--dialect", "trini", "a.sql", "--store", new)
    assert ran.code != 0
    assert "did you mean 'trino'" in ran.err
