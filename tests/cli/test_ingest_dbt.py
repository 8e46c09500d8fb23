"""`meshline ingest dbt`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.running import EXAMPLE, done, run

TARGET = EXAMPLE / "dbt" / "target"
MARTS = "duckdb:///warehouse/marts.duckdb"


def test_the_example_is_loaded_once(new: str) -> None:
    first = done("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    assert first.err.startswith("dbt/default: 2")
    assert first.err.endswith(" new, 0 changed, 0 retracted, 0 refused\n")
    second = done("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    assert " 0 new, 0 changed, 0 retracted, 0 refused\n" in second.err
    lineage = done("lineage", "marts.lake.payment_confirmed.amount", "--store", new)
    assert "revenue_daily" in lineage.out
    assert "churn_model" in done("impact", "marts.lake.customer_orders.buyer_key", "--store", new).out


def test_the_namespace_is_known_from_profiles(new: str, tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text("marts: {target: dev, outputs: {dev: {type: duckdb, path: /warehouse/marts.duckdb}}}")
    done("ingest", "dbt", TARGET, "--profiles", tmp_path, "--store", new)  # the folder, as dbt's option has it
    assert " 0 new, 0 changed" in done("ingest", "dbt", TARGET, "--profiles", profiles, "--store", new).err
    assert f"{MARTS}/marts.finance.revenue_daily" in done("search", "revenue", "--store", new).out


def test_without_a_namespace_it_says_what_to_give(new: str) -> None:
    ran = run("ingest", "dbt", TARGET, "--store", new)
    assert ran.code == 1
    assert "give --namespace (duckdb:///path/file.duckdb, as its OpenLineage events have it) or --profiles FILE" in ran.err


def test_a_mistake_on_the_command_line_is_no_source(new: str, tmp_path: Path) -> None:
    nowhere = run("ingest", "dbt", TARGET, "--profiles", tmp_path, "--name", "marts", "--store", new)
    assert nowhere.code == 1
    assert f"{tmp_path / 'profiles.yml'}" in nowhere.err
    assert "marts" not in done("sources", "--store", new).out
    done("ingest", "dbt", TARGET, "--namespace", MARTS, "--name", "marts", "--store", new)
    assert run("ingest", "dbt", tmp_path / "gone", "--namespace", MARTS, "--name", "marts", "--store", new).code == 1
    assert "gone" in done("sources", "--store", new).out, "of a source that was read once, the last failure is shown"


def test_a_bad_node_is_exit_code_1_and_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    shutil.copytree(TARGET, tmp_path / "target")
    file = tmp_path / "target" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["nodes"]["model.marts.revenue_daily"]["columns"] = 7
    file.write_text(json.dumps(manifest))
    refused = f"refused: {file}: nodes.model.marts.revenue_daily.columns: Expected `object | null`, got `int`\n"
    strict = run("ingest", "dbt", tmp_path / "target", "--namespace", MARTS, "--strict", "--store", new)
    assert (strict.code, strict.err) == (1, refused)
    some = run("ingest", "dbt", tmp_path / "target", "--namespace", MARTS, "--store", new)
    assert some.code == 1
    assert refused in some.err
    assert "buyer_ledger" in done("search", "buyer_ledger", "--store", new).out
