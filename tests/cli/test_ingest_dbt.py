"""`meshline ingest dbt`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cli.command import EXAMPLE, run_command, run_successfully
from tests.ingest.sources.dbt_target import RECORDED, SHOP, needs_corpus

TARGET = EXAMPLE / "dbt" / "target"
MARTS = "duckdb:///warehouse/marts.duckdb"


def test_the_example_is_loaded_once(new: str) -> None:
    first = run_successfully("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    assert first.err.startswith("dbt/default: 2")
    assert first.err.endswith(" new, 0 changed, 0 retracted, 0 refused\n")
    second = run_successfully("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    assert " 0 new, 0 changed, 0 retracted, 0 refused\n" in second.err
    lineage = run_successfully("lineage", "marts.lake.payment_confirmed.amount", "--store", new)
    assert "revenue_daily" in lineage.out
    assert "churn_model" in run_successfully("impact", "marts.lake.customer_orders.buyer_key", "--store", new).out


def test_the_namespace_is_known_from_profiles(new: str, tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.yml"
    profiles.write_text("marts: {target: dev, outputs: {dev: {type: duckdb, path: /warehouse/marts.duckdb}}}")
    run_successfully("ingest", "dbt", TARGET, "--profiles", tmp_path, "--store", new)  # the folder, as dbt's option has it
    assert " 0 new, 0 changed" in run_successfully("ingest", "dbt", TARGET, "--profiles", profiles, "--store", new).err
    assert f"{MARTS}/marts.finance.revenue_daily" in run_successfully("search", "revenue", "--store", new).out


def test_without_a_namespace_the_message_names_the_option(new: str) -> None:
    ran = run_command("ingest", "dbt", TARGET, "--store", new)
    assert ran.code == 1
    assert "set --namespace (duckdb:///path/file.duckdb, as in its OpenLineage events) or --profiles FILE" in ran.err


def test_a_mistake_on_the_command_line_is_no_source(new: str, tmp_path: Path) -> None:
    nowhere = run_command("ingest", "dbt", TARGET, "--profiles", tmp_path, "--name", "marts", "--store", new)
    assert nowhere.code == 1
    assert f"{tmp_path / 'profiles.yml'}" in nowhere.err
    assert "marts" not in run_successfully("sources", "--store", new).out
    run_successfully("ingest", "dbt", TARGET, "--namespace", MARTS, "--name", "marts", "--store", new)
    assert run_command("ingest", "dbt", tmp_path / "gone", "--namespace", MARTS, "--name", "marts", "--store", new).code == 1
    assert "gone" in run_successfully("sources", "--store", new).out, "of a source that was read once, the last failure is shown"


def test_a_bad_node_is_exit_code_1_and_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    shutil.copytree(TARGET, tmp_path / "target")
    file = tmp_path / "target" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["nodes"]["model.marts.revenue_daily"]["columns"] = 7
    file.write_text(json.dumps(manifest))
    refused = f"refused: {file}: nodes.model.marts.revenue_daily.columns: Expected `object | null`, got `int`\n"
    strict = run_command("ingest", "dbt", tmp_path / "target", "--namespace", MARTS, "--strict", "--store", new)
    assert (strict.code, strict.err) == (1, refused)
    some = run_command("ingest", "dbt", tmp_path / "target", "--namespace", MARTS, "--store", new)
    assert some.code == 1
    assert refused in some.err
    assert "buyer_ledger" in run_successfully("search", "buyer_ledger", "--store", new).out


# -- beside the events of dbt-ol


def write_events(folder: Path, *, renamed: str = "") -> Path:
    """The example's runs of dbt-ol, as if their producer could not read the SQL. `renamed`: as another tool's job of this name."""
    lines = []
    for line in (EXAMPLE / "events" / "dbt.ndjson").read_text().splitlines():
        event = json.loads(line)
        for output in event["outputs"]:
            output["facets"].pop("columnLineage", None)
        if renamed:
            event["job"]["facets"].pop("dbt_node", None)
            event["job"]["name"] = renamed
        if event["outputs"] or not renamed:
            lines.append(json.dumps(event))
    file = folder / f"{renamed or 'dbt-ol'}.ndjson"
    file.write_text("\n".join(lines))
    return file


def list_affected(store: str, name: str) -> set[tuple[str, str]]:
    """(asset, reach) of the data and the consumers that are affected."""
    answer: Any = run_successfully("impact", name, "--format", "json", "--store", store).json
    return {(row["node"]["qualifiedName"], row["reach"]) for part in ("data", "others") for row in answer[part]["nodes"]}


ORDERS = "marts.lake.customer_orders.buyer_key"


def test_a_project_ends_what_its_own_runs_leave_possible(new: str, tmp_path: Path) -> None:
    project = ("ingest", "dbt", TARGET, "--namespace", MARTS)
    after, alone, before = new, *(f"sqlite:///{tmp_path / name}.db" for name in ("alone", "before"))
    run_successfully(*project, "--store", alone)
    expected = list_affected(alone, ORDERS)
    run_successfully("ingest", "openlineage", write_events(tmp_path), "--store", after)
    assert len(list_affected(after, ORDERS)) > len(expected)
    run_successfully(*project, "--store", after)
    run_successfully(*project, "--store", before)
    run_successfully("ingest", "openlineage", write_events(tmp_path), "--store", before)
    assert list_affected(after, ORDERS) == list_affected(before, ORDERS) == expected
    assert "no column lineage" not in run_successfully("impact", ORDERS, "--store", after).out


def test_another_job_that_writes_the_same_tables_stays_possible(new: str, tmp_path: Path) -> None:
    run_successfully("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    expected = list_affected(new, ORDERS)
    run_successfully("ingest", "openlineage", write_events(tmp_path), write_events(tmp_path, renamed="backfill"), "--store", new)
    both = list_affected(new, ORDERS)
    assert {reach for _, reach in both - expected} == {"POSSIBLE"}
    assert "via backfill" in run_successfully("impact", ORDERS, "--store", new).out


def test_a_model_that_left_the_project_is_possible_again(new: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    shutil.copytree(TARGET, target)
    run_successfully("ingest", "openlineage", write_events(tmp_path), "--store", new)
    project = ("ingest", "dbt", target, "--namespace", MARTS, "--store", new)
    run_successfully(*project)
    staged = "marts.staging.stg_customer_orders.buyer_key"
    end = (f"{MARTS}/marts.analytics.customer_value", "POSSIBLE")
    assert end not in list_affected(new, staged)
    manifest = json.loads((target / "manifest.json").read_text())
    del manifest["nodes"]["model.marts.customer_value"]
    (target / "manifest.json").write_text(json.dumps(manifest))
    assert " 0 retracted" not in run_successfully(*project).err
    assert end in list_affected(new, staged)


@needs_corpus
def test_a_subquery_that_dbt_ol_takes_for_a_table_adds_nothing(new: str, tmp_path: Path) -> None:
    project = ("ingest", "dbt", RECORDED / "dbt", "--namespace", SHOP)
    alone = f"sqlite:///{tmp_path / 'alone.db'}"
    run_successfully(*project, "--store", alone)
    run_successfully("ingest", "openlineage", RECORDED / "dbt_duckdb.ndjson", "--store", new)
    orders = "shop.main.stg_orders.order_id"
    assert "1 pair of datasets has no column lineage" in run_successfully("impact", orders, "--store", new).out
    run_successfully(*project, "--store", new)
    assert list_affected(new, orders) == list_affected(alone, orders)
    assert "no column lineage" not in run_successfully("impact", orders, "--store", new).out
