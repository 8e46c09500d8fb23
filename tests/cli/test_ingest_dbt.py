"""`meshline ingest dbt`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.cli.command import EXAMPLE, done, run
from tests.ingest.sources.dbt_target import RECORDED, SHOP, needs_corpus

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
    assert "set --namespace (duckdb:///path/file.duckdb, as in its OpenLineage events) or --profiles FILE" in ran.err


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


# -- beside the events of dbt-ol


def events(folder: Path, *, renamed: str = "") -> Path:
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


def reached(store: str, name: str) -> set[tuple[str, str]]:
    """(asset, reach) of the data and the consumers that are affected."""
    answer: Any = done("impact", name, "--format", "json", "--store", store).json
    return {(row["node"]["qualifiedName"], row["reach"]) for part in ("data", "others") for row in answer[part]["nodes"]}


ORDERS = "marts.lake.customer_orders.buyer_key"


def test_a_project_ends_what_its_own_runs_leave_possible(new: str, tmp_path: Path) -> None:
    project = ("ingest", "dbt", TARGET, "--namespace", MARTS)
    after, alone, before = new, *(f"sqlite:///{tmp_path / name}.db" for name in ("alone", "before"))
    done(*project, "--store", alone)
    expected = reached(alone, ORDERS)
    done("ingest", "openlineage", events(tmp_path), "--store", after)
    assert len(reached(after, ORDERS)) > len(expected)
    done(*project, "--store", after)
    done(*project, "--store", before)
    done("ingest", "openlineage", events(tmp_path), "--store", before)
    assert reached(after, ORDERS) == reached(before, ORDERS) == expected
    assert "no column lineage" not in done("impact", ORDERS, "--store", after).out


def test_another_job_that_writes_the_same_tables_stays_possible(new: str, tmp_path: Path) -> None:
    done("ingest", "dbt", TARGET, "--namespace", MARTS, "--store", new)
    expected = reached(new, ORDERS)
    done("ingest", "openlineage", events(tmp_path), events(tmp_path, renamed="backfill"), "--store", new)
    both = reached(new, ORDERS)
    assert {reach for _, reach in both - expected} == {"POSSIBLE"}
    assert "via backfill" in done("impact", ORDERS, "--store", new).out


def test_a_model_that_left_the_project_is_possible_again(new: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    shutil.copytree(TARGET, target)
    done("ingest", "openlineage", events(tmp_path), "--store", new)
    project = ("ingest", "dbt", target, "--namespace", MARTS, "--store", new)
    done(*project)
    staged = "marts.staging.stg_customer_orders.buyer_key"
    end = (f"{MARTS}/marts.analytics.customer_value", "POSSIBLE")
    assert end not in reached(new, staged)
    manifest = json.loads((target / "manifest.json").read_text())
    del manifest["nodes"]["model.marts.customer_value"]
    (target / "manifest.json").write_text(json.dumps(manifest))
    assert " 0 retracted" not in done(*project).err
    assert end in reached(new, staged)


@needs_corpus
def test_a_subquery_that_dbt_ol_takes_for_a_table_adds_nothing(new: str, tmp_path: Path) -> None:
    project = ("ingest", "dbt", RECORDED / "dbt", "--namespace", SHOP)
    alone = f"sqlite:///{tmp_path / 'alone.db'}"
    done(*project, "--store", alone)
    done("ingest", "openlineage", RECORDED / "dbt_duckdb.ndjson", "--store", new)
    orders = "shop.main.stg_orders.order_id"
    assert "1 pair of datasets has no column lineage" in done("impact", orders, "--store", new).out
    done(*project, "--store", new)
    assert reached(new, orders) == reached(alone, orders)
    assert "no column lineage" not in done("impact", orders, "--store", new).out
