"""dbt: what flows into models, by their compiled SQL and by what they refer to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshline.graph import model
from meshline.graph.model import AssetKey, FlowType
from meshline.graph.naming import Naming
from tests.ingest.sources.dbt_target import (
    EXAMPLE,
    PG,
    RECORDED,
    SHOP,
    TargetReading,
    build_catalog,
    build_manifest,
    build_model_node,
    build_source_node,
    needs_corpus,
    read_again,
    read_target,
    target,
)

__all__ = ["target"]

Write = Callable[..., Path]
RAW, A, B = ("source.shop.raw.orders", "model.shop.a", "model.shop.b")
SQL_A = 'select * from "db"."raw"."orders"'
SQL_B = 'select id, upper(status) as status from "db"."marts"."a" where amount > 0'


def build_key(name: str) -> AssetKey:
    return model.build_dataset_key(PG, f"db.{name}")


def list_column_flows(reading: TargetReading, name: str) -> set[tuple[str, str, str]]:
    """(from, to, subtype) of a dataset's column flows, without its namespace."""
    end = build_key(name)
    flows = [flow for flow in reading.list_flows(end) if flow.start.kind is model.AssetKind.COLUMN]
    return {(".".join(flow.start.parts[1:]), ".".join(flow.end.parts[1:]), flow.subtype) for flow in flows}


def list_dataset_flows(reading: TargetReading, name: str) -> set[tuple[str, bool]]:
    """(from, covered) of a dataset's flows at the grain of datasets."""
    return {(flow.start.name, flow.covered) for flow in reading.list_flows(build_key(name)) if flow.start.kind is model.AssetKind.DATASET}


def build_project(**changes: dict[str, Any]) -> dict[str, Any]:
    nodes = {A: build_model_node("a", SQL_A, (RAW,)), B: build_model_node("b", SQL_B, (A,))}
    for name, change in changes.items():
        nodes[f"model.shop.{name}"].update(change)
    return build_manifest(nodes, sources={RAW: build_source_node("orders")})


LISTED = build_catalog(**{RAW: ("id", "status", "amount")})


def test_a_star_is_resolved_with_the_catalog_and_passed_on(target: Write) -> None:
    reading = read_target(target(manifest=build_project(), catalog=LISTED))
    assert list_column_flows(reading, "marts.a") == {
        (f"db.raw.orders.{c}", f"db.marts.a.{c}", "IDENTITY") for c in ("id", "status", "amount")
    }
    assert list_column_flows(reading, "marts.b") == {
        ("db.marts.a.id", "db.marts.b.id", "IDENTITY"),
        ("db.marts.a.status", "db.marts.b.status", "TRANSFORMATION"),
        ("db.marts.a.amount", "db.marts.b", "FILTER"),
    }
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", True)}
    assert reading.list_columns(build_key("marts.a")) == ["id", "status", "amount"]  # as its SQL has it: the catalog does not list it
    assert not reading.warnings


def test_a_source_that_a_seed_makes_is_one_table(target: Write) -> None:
    seed = {**build_source_node("orders"), "resource_type": "seed", "alias": "orders", "source_name": None}
    document = build_project()
    document["nodes"] = {"seed.shop.orders": seed, **document["nodes"]}
    reading = read_target(target(manifest=document, catalog=LISTED))
    assert len(list_column_flows(reading, "marts.a")) == 3
    assert list_dataset_flows(reading, "marts.a") == {("db.raw.orders", True)}


def test_without_a_catalog_a_star_is_not_guessed(target: Write) -> None:
    sources = {RAW: build_source_node("orders", columns={"id": {"name": "id"}})}
    nodes = {A: build_model_node("a", SQL_A, (RAW,))}
    reading = read_target(target(manifest=build_manifest(nodes, sources=sources)))
    assert list_column_flows(reading, "marts.a") == set()
    assert list_dataset_flows(reading, "marts.a") == {("db.raw.orders", False)}
    assert any(warning.startswith("models/a.sql: ") for warning in reading.warnings)
    assert any("run `dbt docs generate`" in warning for warning in reading.warnings)


def test_an_enforced_contract_lists_all_columns(target: Write) -> None:
    columns = {name: {"name": name} for name in ("id", "status")}
    nodes = {
        A: build_model_node("a", columns=columns, contract={"enforced": True}),
        B: build_model_node("b", 'select * from "db"."marts"."a"', (A,)),
    }
    reading = read_target(target(manifest=build_manifest(nodes)))
    assert list_column_flows(reading, "marts.b") == {(f"db.marts.a.{c}", f"db.marts.b.{c}", "IDENTITY") for c in ("id", "status")}


def test_sql_that_cannot_be_parsed_leaves_what_is_referred_to(target: Write) -> None:
    reading = read_target(target(manifest=build_project(b={"compiled_code": "selec id frm a"}), catalog=LISTED))
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", False)}
    (warning,) = reading.warnings
    assert warning.startswith("models/b.sql: its compiled SQL cannot be read as postgres: ")
    assert not reading.refused


def test_a_column_that_cannot_be_resolved_leaves_the_pair_possible(target: Write) -> None:
    sql = 'select id, unknown_column as x from "db"."marts"."a" join "db"."raw"."orders" using (id)'
    reading = read_target(target(manifest=build_project(b={"compiled_code": sql, "depends_on": {"nodes": [A, RAW]}}), catalog=LISTED))
    assert ("db.marts.a", False) in list_dataset_flows(reading, "marts.b")
    assert ("db.raw.orders", False) in list_dataset_flows(reading, "marts.b")
    assert any(warning.startswith("models/b.sql: ") and "unknown_column" in warning for warning in reading.warnings)


def test_python_models_are_a_warning(target: Write) -> None:
    reading = read_target(
        target(manifest=build_project(b={"language": "python", "compiled_code": "def model(dbt, session): ..."}), catalog=LISTED)
    )
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", False)}
    assert reading.warnings == ["models/b.sql: the model is written in python, which is not read"]


def test_without_compiled_sql_whole_tables_flow(target: Write) -> None:
    reading = read_target(target(manifest=build_project(a={"compiled_code": None}, b={"compiled_code": None}), catalog=LISTED))
    assert list_dataset_flows(reading, "marts.a") == {("db.raw.orders", False)}
    (warning,) = reading.warnings
    assert warning.startswith("2 models have no compiled SQL in the manifest")
    assert "run `dbt compile`" in warning
    assert read_again(target(), reading).warnings == [warning]


def test_an_adapter_that_sqlglot_does_not_read(target: Write) -> None:
    of_oracle = build_project()
    of_oracle["metadata"]["adapter_type"] = "vertica"
    folder = target(manifest=of_oracle, catalog=LISTED)
    reading = read_target(folder)
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", False)}
    assert any("SQL of 'vertica' is not read" in warning for warning in reading.warnings)
    assert list_column_flows(read_target(folder, dialect="postgres"), "marts.b")


def test_a_table_that_is_no_node(target: Write) -> None:
    sql = 'select id from "other"."raw"."events" union all select id from stray'
    reading = read_target(target(manifest=build_project(b={"compiled_code": sql, "depends_on": {"nodes": []}}), catalog=LISTED))
    (flow,) = [flow for flow in reading.list_flows(build_key("marts.b")) if flow.end.kind is model.AssetKind.COLUMN]
    assert flow.start == model.build_column_key(model.build_dataset_key(PG, "other.raw.events"), "id")
    assert "models/b.sql: it reads stray, which is no node of the project" in reading.warnings


def test_an_incremental_model_reads_itself(target: Write) -> None:
    sql = 'select id from "db"."marts"."a" where id > (select max(id) from "db"."marts"."b")'
    reading = read_target(target(manifest=build_project(b={"compiled_code": sql}), catalog=LISTED))
    assert {flow.start for flow in reading.list_flows(build_key("marts.b")) if flow.type is FlowType.INDIRECT} >= {
        model.build_column_key(build_key("marts.a"), "id")
    }
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", True)}


def test_names_in_another_case_are_the_tables(target: Write) -> None:
    """Snowflake: names without quotes are upper case in the warehouse, however the manifest writes them."""
    nodes = {A: build_model_node("a", "select ID, Status from db.raw.orders", (RAW,), relation_name="db.marts.a")}
    of_snowflake = build_manifest(nodes, sources={RAW: build_source_node("orders", relation_name="db.raw.orders")})
    of_snowflake["metadata"]["adapter_type"] = "snowflake"
    folder = target(manifest=of_snowflake, catalog=build_catalog(**{RAW: ("ID", "STATUS"), A: ("ID", "STATUS")}))
    reading = read_target(folder, namespace="snowflake://acme-main")
    end = model.build_dataset_key("snowflake://acme-main", "db.marts.a")
    start = model.build_dataset_key("snowflake://acme-main", "db.raw.orders")
    flows = {(flow.start, flow.end) for flow in reading.list_flows(end)}
    assert flows == {(start, end), *((model.build_column_key(start, c), model.build_column_key(end, c)) for c in ("ID", "STATUS"))}


def test_columns_are_spelled_as_the_table_has_them(target: Write) -> None:
    listing = build_catalog(**{RAW: ("orderId", "STATUS"), A: ("orderId", "status")})
    folder = target(manifest=build_project(a={"compiled_code": "select orderid, status from db.raw.orders"}), catalog=listing)
    reading = read_target(folder)
    assert list_column_flows(reading, "marts.a") == {
        ("db.raw.orders.orderId", "db.marts.a.orderId", "IDENTITY"),
        ("db.raw.orders.STATUS", "db.marts.a.status", "IDENTITY"),
    }


def test_tables_that_refer_to_each_other_end(target: Write) -> None:
    reading = read_target(target(manifest=build_project(a={"depends_on": {"nodes": [B, A]}}), catalog=LISTED))
    assert ("db.marts.b", False) in list_dataset_flows(reading, "marts.a")
    assert list_column_flows(reading, "marts.b")


def test_a_change_of_columns_upstream_reads_those_below_again(target: Write) -> None:
    below = {"b": {"compiled_code": 'select * from "db"."marts"."a"'}}
    first = read_target(target(manifest=build_project(**below), catalog=LISTED))
    more = target(manifest=build_project(**below, a={"compiled_code": 'select id, status as state from "db"."raw"."orders"'}))
    second = read_again(more, first)
    assert {scope for scope in second.facts if scope[-1] == "lineage"} == {("dbt", A, "lineage"), ("dbt", B, "lineage")}
    assert second.list_columns(build_key("marts.b")) == ["id", "state"]


def test_a_change_that_leaves_the_columns_reads_one_again(target: Write) -> None:
    first = read_target(target(manifest=build_project(), catalog=LISTED))
    second = read_again(target(manifest=build_project(a={"compiled_code": f"{SQL_A} where id > 7"})), first)
    assert {scope for scope in second.facts if scope[-1] == "lineage"} == {("dbt", A, "lineage")}
    assert ("dbt", B, "lineage") in second.unchanged


def test_a_description_is_changed_without_reading_sql(target: Write) -> None:
    first = read_target(target(manifest=build_project(), catalog=LISTED))
    second = read_again(target(manifest=build_project(b={"description": "new"})), first)
    assert set(second.facts) == {("dbt", B)}
    assert second.list_columns(build_key("marts.b")) == ["id", "status"]


def test_models_that_the_last_command_left_out_keep_their_lineage(target: Write) -> None:
    """`dbt run --select a` leaves a manifest in which b is not compiled."""
    first = read_target(target(manifest=build_project(), catalog=LISTED))
    second = read_again(target(manifest=build_project(b={"compiled_code": None})), first)
    assert ("dbt", B, "lineage") in second.unchanged
    assert second.list_columns(build_key("marts.b")) == ["id", "status"]
    assert not second.warnings
    moved = read_again(target(manifest=build_project(b={"compiled_code": None, "schema": "other"})), second)
    assert [flow.end for flow in moved.list_flows(build_key("other.b"))] == [build_key("other.b")]
    third = read_again(target(manifest=build_project(b={"compiled_code": None, "checksum": {"checksum": "edited"}})), second)
    assert {flow.covered for flow in third.list_flows(build_key("marts.b"))} == {False}
    assert any("1 models have no compiled SQL" in warning for warning in third.warnings)


def test_sql_that_ran_counts_where_the_manifest_has_none(target: Write) -> None:
    ran = {"results": [{"unique_id": B, "status": "success", "compiled_code": SQL_B}]}
    reading = read_target(target(manifest=build_project(b={"compiled_code": None}), catalog=LISTED, run_results=ran))
    assert ("db.marts.a.id", "db.marts.b.id", "IDENTITY") in list_column_flows(reading, "marts.b")


def test_warnings_come_again_though_nothing_is_read(target: Write) -> None:
    first = read_target(target(manifest=build_project(b={"compiled_code": "selec 1"}), catalog=LISTED))
    second = read_again(target(manifest=build_project(b={"compiled_code": "selec 1"})), first)
    assert not second.facts
    assert second.warnings == first.warnings != []


@needs_corpus
def test_recorded_lineage_of_the_seeds_address() -> None:
    reading = read_target(RECORDED / "dbt", namespace=SHOP)
    email = model.build_column_key(model.build_dataset_key(SHOP, "shop.main_raw.raw_customers"), "email")
    (flow,) = [flow for facts in reading.facts.values() for flow in facts.flows if flow.start == email]
    assert flow.end == model.build_column_key(model.build_dataset_key(SHOP, "shop.main.stg_customers"), "email_hash")
    assert flow.masking


def test_agrees_with_the_column_lineage_of_the_examples_events() -> None:
    """Each DIRECT edge that dbt's events give between tables of the project is one that its SQL gives."""
    reading = read_target(EXAMPLE / "dbt" / "target", namespace="duckdb:///warehouse/marts.duckdb")
    ours = {(flow.start, flow.end) for facts in reading.facts.values() for flow in facts.flows}
    tables = {key for facts in reading.facts.values() for key, _ in facts.assets}
    naming, compared = Naming(), 0
    for line in (EXAMPLE / "events" / "dbt.ndjson").read_text().splitlines():
        for output in json.loads(line).get("outputs", ()):
            end = naming.normalise_dataset(output["namespace"], output["name"])
            fields = output.get("facets", {}).get("columnLineage", {}).get("fields", {})
            for column, of_column in fields.items():
                for origin in of_column["inputFields"]:
                    start = naming.normalise_dataset(origin["namespace"], origin["name"])
                    if start in tables:
                        compared += 1
                        assert (model.build_column_key(start, origin["field"]), model.build_column_key(end, column)) in ours
    assert compared > 20


@pytest.mark.parametrize("depth", [200, 3000])
def test_sql_that_nests_too_deeply_is_a_warning(target: Write, depth: int) -> None:
    reading = read_target(target(manifest=build_project(b={"compiled_code": f"select {'(' * depth}1{')' * depth}"}), catalog=LISTED))
    assert any(warning.startswith("models/b.sql: its compiled SQL cannot be read") for warning in reading.warnings)
    assert list_dataset_flows(reading, "marts.b") == {("db.marts.a", False)}
