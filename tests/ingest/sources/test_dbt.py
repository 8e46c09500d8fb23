"""dbt: what becomes of a project's nodes. Real artifacts, and such as dbt writes of what they do not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from meshline.graph import model
from meshline.graph.model import AssetKey, EdgeType
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context
from tests.ingest.sources.dbt_target import (
    EXAMPLE,
    PG,
    RECORDED,
    SHOP,
    TargetReading,
    build_manifest,
    build_model_node,
    build_source_node,
    catch_error,
    needs_corpus,
    read_again,
    read_target,
    target,
)

__all__ = ["target"]

Write = Callable[..., Path]


def build_shop_key(name: str) -> AssetKey:
    return model.build_dataset_key(SHOP, f"shop.{name}")


def build_key(name: str) -> AssetKey:
    return model.build_dataset_key(PG, name)


def read_recorded() -> TargetReading:
    return read_target(RECORDED / "dbt", namespace=SHOP)


def list_event_datasets(file: Path) -> set[AssetKey]:
    naming = Naming()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    named = [dataset for event in events for role in ("inputs", "outputs") for dataset in event.get(role, ())]
    return {naming.normalise_dataset(dataset["namespace"], dataset["name"]) for dataset in named}


def list_described(reading: TargetReading) -> set[AssetKey]:
    """The datasets that have a statement."""
    return {key for facts in reading.facts.values() for key, _ in facts.assets if key.kind is model.AssetKind.DATASET}


@needs_corpus
def test_datasets_are_those_of_dbts_own_events() -> None:
    events = list_event_datasets(RECORDED / "dbt_duckdb.ndjson")
    assert list_described(read_recorded()) == events
    assert len(events) == 6


def test_datasets_of_the_example_are_those_of_its_events() -> None:
    reading = read_target(EXAMPLE / "dbt" / "target", namespace="duckdb:///warehouse/marts.duckdb")
    events = list_event_datasets(EXAMPLE / "events" / "dbt.ndjson")
    assert list_described(reading) == events
    assert len(events) == 7
    assert not reading.refused
    assert not reading.warnings


@needs_corpus
def test_a_model() -> None:
    reading = read_recorded()
    assert reading.find_attributes(build_shop_key("main.customer_ltv")) == {
        "dataset_type": "TABLE",
        "materialized": "incremental",
        "access": "protected",
        "group": "retail",
        "meta": {"data_product": "customer-360", "domain": "retail"},
        "dbt_id": "model.shop.customer_ltv",
        "path": "models/marts/customer_ltv.sql",
    }
    assert reading.list_columns(build_shop_key("main.customer_ltv")) == ["customer_id", "ltv", "tier"]
    assert reading.find_attributes(model.build_column_key(build_shop_key("main.customer_ltv"), "ltv")) == {"type": "DECIMAL(38,2)"}
    assert reading.find_attributes(build_shop_key("main.stg_orders"))["dataset_type"] == "VIEW"


@needs_corpus
def test_the_time_is_the_manifests() -> None:
    reading = read_recorded()
    at = model.to_micros(datetime.fromisoformat("2026-11-21T09:52:21.576200Z"))
    assert {time for scope, time in reading.times.items() if scope[0] == "dbt"} == {at}


@needs_corpus
def test_owners_of_groups_meta_and_exposures() -> None:
    reading = read_recorded()
    owns = {(edge.start.name, edge.end.qualified_name) for edge in reading.list_edges(EdgeType.OWNS)}
    assert ("Retail Team", build_shop_key("main.customer_ltv").qualified_name) in owns
    assert ("@ingest", build_shop_key("main_raw.raw_customers").qualified_name) in owns
    assert ("Ana", "revenue_dashboard") in owns
    retail = reading.find_attributes(model.build_owner_key("Retail Team"))
    assert retail == {"email": "retail@example.com", "slack": "retail", "contact": "retail@example.com, retail"}


@needs_corpus
def test_exposures_are_consumers() -> None:
    reading = read_recorded()
    consumed = {(edge.start.name, edge.end) for edge in reading.list_edges(EdgeType.CONSUMES)}
    assert consumed == {("revenue_dashboard", build_shop_key("main.customer_ltv")), ("churn_model", build_shop_key("main.customer_orders"))}
    assert reading.find_attributes(model.build_consumer_key("revenue_dashboard")) == {
        "consumer_type": "dashboard",
        "url": "https://bi.example.com/d/1",
        "maturity": "high",
        "dbt_id": "exposure.shop.revenue_dashboard",
    }


def test_declarations_of_columns_in_yaml(target: Write) -> None:
    columns = {
        "ID": {
            "name": "ID",
            "description": "which",
            "data_type": "int",
            "meta": {"pii": "no"},
            "tags": ["key"],
            "constraints": [{"type": "not_null", "name": None}],
            "config": {"meta": {"a": 1}, "tags": ["key", "b"]},
        },
        "gone": {"name": "gone", "description": "is in no table"},
    }
    node = build_model_node(
        "orders", columns=columns, contract={"enforced": True}, constraints=[{"type": "primary_key", "columns": ["id"]}]
    )
    listing = {
        "id": {"name": "id", "type": "bigint", "index": 2, "comment": "not shown"},
        "at": {"name": "at", "type": "date", "index": 1, "comment": "when"},
    }
    reading = read_target(
        target(
            manifest=build_manifest({"model.shop.orders": node}),
            catalog={"nodes": {"model.shop.orders": {"metadata": {"type": "BASE TABLE"}, "columns": listing}}},
        )
    )
    orders = build_key("db.marts.orders")
    assert reading.list_columns(orders) == ["at", "id"]
    assert reading.find_attributes(model.build_column_key(orders, "at")) == {"type": "date", "description": "when"}
    assert reading.find_attributes(model.build_column_key(orders, "id")) == {
        "type": "bigint",
        "nullable": False,
        "description": "which",
        "tags": ["b", "key"],
        "meta": {"a": 1, "pii": "no"},
        "constraints": [{"type": "not_null"}],
    }
    assert reading.find_attributes(orders)["contract_enforced"] is True
    assert reading.find_attributes(orders)["constraints"] == [{"type": "primary_key", "columns": ["id"]}]


def test_without_a_catalog_yaml_lists_the_columns(target: Write) -> None:
    node = build_source_node("orders", columns={"id": {"name": "id", "data_type": "int"}})
    reading = read_target(target(manifest=build_manifest({}, sources={"source.shop.raw.orders": node})))
    assert reading.list_columns(build_key("db.raw.orders")) == ["id"]
    assert reading.find_attributes(model.build_column_key(build_key("db.raw.orders"), "id")) == {"type": "int"}
    assert any("there is no catalog.json" in warning for warning in reading.warnings)


def test_versions_of_a_model_are_datasets_side_by_side(target: Write) -> None:
    nodes = {
        "model.shop.orders.v1": build_model_node(
            "orders", alias="orders_v1", version=1, latest_version=2, deprecation_date="2026-12-31T00:00:00Z"
        ),
        "model.shop.orders.v2": build_model_node("orders", alias="orders_v2", version=2, latest_version=2, config={"access": "public"}),
    }
    reading = read_target(target(manifest=build_manifest(nodes)))
    first, second = reading.find_attributes(build_key("db.marts.orders_v1")), reading.find_attributes(build_key("db.marts.orders_v2"))
    assert (first["model_version"], first["latest_version"], first["deprecation_date"]) == ("1", "2", "2026-12-31T00:00:00Z")
    assert (second["model_version"], second["latest_version"], second["access"]) == ("2", "2", "public")


def test_ephemeral_models_are_none_and_are_passed_through(target: Write) -> None:
    nodes = {
        "model.shop.a": build_model_node("a"),
        "model.shop.b": build_model_node("b", reads=("model.shop.a",), config={"materialized": "ephemeral"}, relation_name=None),
        "model.shop.c": build_model_node("c", reads=("model.shop.b",)),
    }
    exposure = {"name": "report", "type": "dashboard", "owner": {"email": "x@example.com"}, "depends_on": {"nodes": ["metric.shop.m"]}}
    metric = {"name": "m", "depends_on": {"nodes": ["model.shop.b", "metric.shop.m"]}}
    reading = read_target(
        target(manifest=build_manifest(nodes, exposures={"exposure.shop.report": exposure}, metrics={"metric.shop.m": metric}))
    )
    assert list_described(reading) == {build_key("db.marts.a"), build_key("db.marts.c")}
    assert [(flow.start, flow.covered) for flow in reading.list_flows(build_key("db.marts.c"))] == [(build_key("db.marts.a"), False)]
    assert [edge.end for edge in reading.list_edges(EdgeType.CONSUMES)] == [build_key("db.marts.a")]


def test_a_source_whose_table_has_another_name(target: Write) -> None:
    node = build_source_node("orders", identifier="ORDERS_2019", relation_name='"db"."raw"."ORDERS_2019"')
    reading = read_target(target(manifest=build_manifest({}, sources={"source.shop.raw.orders": node})))
    (same,) = reading.list_edges(EdgeType.SAME_AS)
    assert (same.start, same.end) == (build_key("db.raw.orders"), build_key("db.raw.ORDERS_2019"))


def test_freshness_of_sources(target: Write) -> None:
    freshness = {"warn_after": {"count": 12, "period": "hour"}, "error_after": {"count": None, "period": None}, "filter": None}
    node = build_source_node("orders", freshness=freshness, loaded_at_field="at", loader="fivetran")
    result = {
        "unique_id": "source.shop.raw.orders",
        "status": "warn",
        "max_loaded_at": "2026-03-07T02:00:00Z",
        "snapshotted_at": "2026-03-08T03:00:00Z",
        "max_loaded_at_time_ago_in_s": 90000.0,
        "criteria": freshness,
    }
    reading = read_target(target(manifest=build_manifest({}, sources={"source.shop.raw.orders": node}), sources={"results": [result]}))
    attributes = reading.find_attributes(build_key("db.raw.orders"))
    assert attributes["freshness"] == {"warn_after": {"count": 12, "period": "hour"}}
    assert (attributes["loaded_at_field"], attributes["loader"]) == ("at", "fivetran")
    assert attributes["quality"] == {
        "freshness": {
            "kind": "freshness",
            "outcome": "WARNED",
            "suite": "dbt/shop",
            "expected": {"warn_after": {"count": 12, "period": "hour"}},
            "observed": {"max_loaded_at": "2026-03-07T02:00:00Z", "age_seconds": 90000.0},
            "at": model.to_micros(datetime.fromisoformat("2026-03-08T03:00:00Z")),
        }
    }


def test_unit_tests_are_skipped_with_a_warning(target: Write) -> None:
    reading = read_target(target(manifest=build_manifest({}, unit_tests={"unit_test.shop.a.b": {"name": "b"}})))
    assert any("1 unit tests are skipped" in warning for warning in reading.warnings)


def test_the_same_again_is_not_read_again(target: Write) -> None:
    nodes = {"model.shop.a": build_model_node("a"), "model.shop.b": build_model_node("b", reads=("model.shop.a",))}
    folder = target(manifest=build_manifest(nodes))
    first = read_target(folder)
    second = read_again(folder, first)
    assert second.unchanged == set(first.facts)
    assert second.memory == first.memory
    nodes["model.shop.b"]["description"] = "now described"
    third = read_again(target(manifest=build_manifest(nodes)), second)
    assert set(third.facts) == {("dbt", "model.shop.b")}
    assert third.unchanged == {("dbt", "model.shop.a"), ("dbt", "model.shop.b", "lineage")}


def test_a_changed_owner_is_read_again(target: Write) -> None:
    first = read_target(target(manifest=build_manifest({"model.shop.a": build_model_node("a", meta={"owner": "ana@example.com"})})))
    assert [edge.start.name for edge in first.list_edges(EdgeType.OWNS)] == ["ana@example.com"]
    second = read_again(target(manifest=build_manifest({"model.shop.a": build_model_node("a", meta={"owner": "bob@example.com"})})), first)
    assert [edge.start.name for edge in second.list_edges(EdgeType.OWNS)] == ["bob@example.com"]


def test_memory_of_another_version_is_forgotten(target: Write) -> None:
    folder = target(manifest=build_manifest({"model.shop.a": build_model_node("a")}))
    first = read_target(folder)
    spoilt = first._replace(memory={**first.memory, "node:model.shop.a": '{"x": 1}', "result:test.shop.x": "[]"})
    assert set(read_again(folder, spoilt).facts) == set(first.facts)


def test_two_projects_do_not_share_a_name(target: Write) -> None:
    folder = target(manifest=build_manifest({}))
    other = Context(Naming(), folder, memory={"project": "finance"})
    assert catch_error(folder, context=other) == (
        "name: dbt/default is the project 'finance'; give the project 'shop' a name of its own (--name)"
    )


def test_there_is_no_manifest(tmp_path: Path) -> None:
    assert catch_error(tmp_path) == (
        f"{tmp_path}/manifest.json: the file does not exist; `dbt compile` (or build, or docs generate) writes it into target/"
    )


@needs_corpus
@pytest.mark.parametrize("version", ["v9", "v11"])
def test_older_manifests_state_the_same(version: str) -> None:
    """Of the project that was recorded as v12, by dbt 1.5 and 1.7."""
    older, newest = read_target(Path(__file__).parent / "dbt_older" / version, namespace=SHOP), read_recorded()
    assert not older.messages
    assert {scope: facts for scope, facts in newest.facts.items() if scope[0] == "dbt"} == {
        scope: facts for scope, facts in older.facts.items() if scope[0] == "dbt"
    }
    assert {scope for scope in newest.facts if scope[0] == "checks"} == {scope for scope in older.facts if scope[0] == "checks"}
