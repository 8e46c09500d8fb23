"""`meshline ingest gx` and `meshline ingest soda`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import run_command, run_successfully

RESULTS = Path(__file__).parents[1] / "ingest" / "sources" / "great_expectations"
CHECKS = "checks for orders:\n  - row_count > 0\n  - schema:\n      fail:\n        when required column missing: [order_id]\n"
OF = ("--dataset", "sqlite:///shop.db/orders")


def test_results_are_loaded_once(new: str, tmp_path: Path) -> None:
    shutil.copy(RESULTS / "validation_1_24.json", tmp_path)
    warning = "warning: sqlite:///shop.db/orders: no other source knows this dataset; check its name in the catalog\n"
    for counts in (
        f"{warning}gx/default: 1 of 1 statements read, 0 unchanged, 1 new",
        "gx/default: 1 of 1 statements read, 1 unchanged, 0 new",
    ):
        ran = run_successfully("ingest", "gx", tmp_path / "*.json", *OF, "--store", new)
        assert ran.err == f"{counts}, 0 changed, 0 retracted, 0 refused\n"


def test_the_dataset_is_found_by_map_or_namespace_and_who_uses_a_column_is_named(new: str, tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text(CHECKS)
    refused = run_command("ingest", "soda", tmp_path / "checks.yml", "--store", new)
    assert refused.code == 1
    assert refused.err.startswith("refused: checks.yml:1: no known dataset is called 'orders'; accepted are the options dataset")
    for option in (("--map", "orders=pg://db/shop.orders", "--name", "a"), ("--namespace", "pg://other", "--name", "b")):
        run_successfully("ingest", "soda", tmp_path / "checks.yml", *option, "--store", new)
    assert "checks.yml" in run_successfully("impact", "pg://db/shop.orders.order_id", "--store", new).out
    assert "pg://other/orders" in run_successfully("search", "orders", "--store", new).out


def test_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    shutil.copy(RESULTS / "validation_1_24.json", tmp_path / "b.json")
    (tmp_path / "a.json").write_text("{")
    strict = run_command("ingest", "gx", tmp_path / "*.json", *OF, "--strict", "--store", new)
    assert (strict.code, strict.err) == (
        1,
        "refused: a.json:1: the file is not valid JSON: Expecting property name enclosed in double quotes\n",
    )
    some = run_command("ingest", "gx", tmp_path / "*.json", *OF, "--store", new)
    assert some.code == 1
    assert "1 new, 0 changed, 0 retracted, 1 refused" in some.err


@pytest.mark.parametrize(
    ("kind", "text"), [("gx", "[]"), ("gx", "[[]]"), ("soda", '{"checks": []}'), ("debezium", "[]"), ("debezium", "[[]]")]
)
def test_a_file_of_nothing_is_refused(new: str, tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    ran = run_command("ingest", kind, "a.json", "--store", new)
    assert ran.code == 1
    assert "a.json" in ran.err.splitlines()[0]
    assert "accepted" in ran.err.splitlines()[0]
    assert "0 of 0 statements read" in ran.err.splitlines()[1]
    assert "1 refused" in ran.err.splitlines()[1]


@pytest.mark.parametrize("mapping", ["orders", "=pg://db/orders", "orders="])
def test_a_bad_mapping_is_refused(new: str, mapping: str) -> None:
    ran = run_command("ingest", "gx", RESULTS / "validation_1_24.json", "--map", mapping, "--store", new)
    assert ran.code == 2
    assert f"--map: found '{mapping}'; accepted is NAME=NAMESPACE/NAME" in ran.err
