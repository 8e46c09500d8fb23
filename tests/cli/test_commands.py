"""The reading commands over the example mesh, and the command line itself."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshline import __version__
from tests.cli.running import done, executable, run

GROUPS = {
    "ingest": ["openlineage", "mesh"],
    "check": ["contract", "product", "dbt", "schema", "ddl", "change"],
    "store": ["check", "compact", "backup"],
    "token": ["new"],
}
COMMANDS = ["serve", "demo", "ingest", "search", "lineage", "impact", "owners", "export", "replay", "check", "store", "token"]


def test_help_names_every_command_and_is_quick() -> None:
    begun = time.perf_counter()
    shown = subprocess.run([executable(), "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    assert time.perf_counter() - begun < 3  # 0.3 s on an idle machine
    assert shown.count("...") == 1  # COMMAND [ARGS]...: no summary is cut short


def test_help_imports_nothing_heavy() -> None:
    heavy = ("numpy", "numba", "strawberry", "pydantic", "httpx", "rich", "ruamel")
    code = f"import sys, meshline.cli.app; print(*(m for m in {heavy} if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize(
    "command",
    [[c] for c in COMMANDS if c not in GROUPS] + [[group, c] for group, commands in GROUPS.items() for c in commands],
    ids=" ".join,
)
def test_every_command_has_help(command: list[str]) -> None:
    shown = done(*command, "--help").out
    assert shown.startswith(f"Usage: meshline {' '.join(command)} ")


def test_version() -> None:
    assert done("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["impact"], ["owners"], ["owners", "a", "--orphans"], ["lineage", "a", "--depth", "-1"], ["impact", "a", "--reach", "x"]],
    ids=" ".join,
)
def test_wrong_use(arguments: list[str]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert "Usage: meshline" in ran.err


def test_search(example: str) -> None:
    shown = done("search", "customers email", "--store", example).out
    assert re.search(
        r"^column  http://iceberg-rest.internal:8181/customers.customers.email +customer-directory in customers$", shown, re.MULTILINE
    )
    assert done("search", "zzzzz", "--store", example).out == "nothing is called or described with 'zzzzz'\n"
    found = done("search", "customers", "--kind", "dataset", "--limit", "1", "--format", "json", "--store", example).json
    assert found["totalCount"] != 1
    assert isinstance(found["nodes"], list)
    assert len(found["nodes"]) == 1


def test_owners(example: str) -> None:
    shown = done("owners", "customers.customers.email", "--store", example).out
    assert shown == (
        "http://iceberg-rest.internal:8181/customers.customers.email\n"
        "  data-protection  steward  dpo@company.com, #data-protection  its own, says mesh/example-mesh\n"
    )
    inherited = done("owners", "receipts.amount", "--store", example).out
    assert "payments-engineering" in inherited
    assert "from its data product receipts, says mesh/example-mesh" in inherited
    owned = done("owners", "--owned-by", "omar", "--store", example).out
    assert "orders.customer_orders" in owned


def test_an_ambiguous_name_lists_candidates(example: str) -> None:
    ran = run("impact", "customer_id", "--store", example)
    assert ran.code == 2
    assert "customers.customers.customer_id" in ran.err
    assert ran.err.count("\n") == 1


def test_a_name_that_nothing_has(example: str) -> None:
    ran = run("impact", "customers.customers.emial", "--store", example)
    assert ran.code == 2
    assert "did you mean" in ran.err


def test_as_of(example: str) -> None:
    before = done("impact", "customers.customers.email", "--as-of", "2026-03-07", "--store", example).out
    now = done("impact", "customers.customers.email", "--store", example).out
    assert "as of 2026-03-07T00:00:00+00:00" in before
    assert "contact_email" in before
    assert "contact_email" not in now


def test_lineage_formats(example: str, tmp_path: Path) -> None:
    del tmp_path
    text = done("lineage", "customers.customers.email", "--depth", "1", "--store", example).out
    assert text.startswith("customers.customers.email flows to ")
    drawn = done("lineage", "customers.customers", "--granularity", "dataset", "--format", "dot", "--store", example).out
    assert drawn.startswith("digraph lineage {\n")
    assert drawn.endswith("}\n")
    data = done("lineage", "finance-marts", "--upstream", "--granularity", "product", "--format", "json", "--store", example).json
    assert isinstance(data["nodes"], list)
    assert {node["asset"]["kind"] for node in data["nodes"] if isinstance(node, dict) and isinstance(node["asset"], dict)} == {
        "DATA_PRODUCT"
    }
