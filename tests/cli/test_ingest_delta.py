"""`meshline ingest delta`."""

from __future__ import annotations

from pathlib import Path

import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from tests.cli.command import run_command, run_successfully

COLUMNS = Schema([Field("order_id", PrimitiveType("long"))])


def test_tables_are_loaded_once(new: str, tmp_path: Path) -> None:
    for name in ("orders", "customers"):
        DeltaTable.create(tmp_path / "lake" / name, COLUMNS)
    assert (
        run_successfully("ingest", "delta", "lake/*", "--store", new).err
        == "delta/default: 2 of 2 statements read, 0 unchanged, 2 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert (
        run_successfully("ingest", "delta", "lake/*", "--store", new).err
        == "delta/default: 0 of 2 statements read, 2 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert "orders.order_id" in run_successfully("search", "order_id", "--store", new).out


def test_a_refused_table_is_exit_code_1_and_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "orders", COLUMNS)
    strict = run_command("ingest", "delta", "orders", "nothing", "--strict", "--store", new)
    assert strict.code == 1
    assert strict.err == f"refused: {tmp_path / 'nothing'}: this is not a Delta table; accepted is a folder with a _delta_log\n"
    some = run_command("ingest", "delta", "orders", "nothing", "--store", new)
    assert some.code == 1
    assert "1 new, 0 changed, 0 retracted, 1 refused" in some.err


@pytest.mark.parametrize("option", ["AWS_REGION", "AWS_REGION="])
def test_an_option_without_a_value_is_refused(new: str, option: str) -> None:
    ran = run_command("ingest", "delta", "orders", "--storage-option", option, "--store", new)
    assert ran.code != 0
    assert "--storage-option: accepted are options such as AWS_REGION=eu-west-1" in ran.err
