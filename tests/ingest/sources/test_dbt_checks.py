"""dbt: data tests and their results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshline.graph import model
from meshline.graph.model import AssetKey, Json
from tests.ingest.sources.dbt_target import (
    PG,
    RECORDED,
    SHOP,
    TargetReading,
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
ORDERS = model.build_dataset_key(PG, "db.marts.orders")
T1, T2 = "test.shop.unique_orders_id.1", "test.shop.total_is_right"


def find_checks(reading: TargetReading, of: AssetKey, attribute: str = "quality") -> dict[str, Any]:
    found: Json = reading.find_attributes(of).get(attribute, {})
    assert isinstance(found, dict)
    return found


def list_outcomes(reading: TargetReading, of: AssetKey) -> dict[str, Any]:
    return {name: check["outcome"] for name, check in find_checks(reading, of).items()}


def build_generic_test(**more: Any) -> dict[str, Any]:
    return {
        "resource_type": "test",
        "name": "unique_orders_id",
        "column_name": "id",
        "attached_node": "model.shop.orders",
        "test_metadata": {"name": "unique", "kwargs": {"column_name": "id", "model": "{{ get_where_subquery(ref('orders')) }}"}},
        "config": {"severity": "ERROR"},
        "depends_on": {"nodes": ["model.shop.orders"]},
        **more,
    }


def build_singular_test(**more: Any) -> dict[str, Any]:
    return {
        "resource_type": "test",
        "name": "total_is_right",
        "config": {"severity": "warn", "where": "day > '2026-01-01'"},
        "depends_on": {"nodes": ["model.shop.orders", "model.shop.totals"]},
        **more,
    }


def build_project(**tests: dict[str, Any]) -> dict[str, Any]:
    return build_manifest({"model.shop.orders": build_model_node("orders"), "model.shop.totals": build_model_node("totals"), **tests})


def build_result(id_: str, status: str, at: str = "2026-03-08T02:10:00Z", **more: Any) -> dict[str, Any]:
    return {"unique_id": id_, "status": status, "timing": [{"name": "execute", "completed_at": at}], **more}


def build_run_results(*results: dict[str, Any], which: str = "build") -> dict[str, Any]:
    return {"metadata": {"generated_at": "2026-03-08T02:11:00Z"}, "args": {"which": which}, "results": list(results)}


@needs_corpus
def test_recorded_results() -> None:
    reading = read_target(RECORDED / "dbt", namespace=SHOP)

    def find_column_checks(table: str, column: str) -> dict[str, Any]:
        return find_checks(reading, model.build_column_key(model.build_dataset_key(SHOP, f"shop.{table}"), column))

    assert find_column_checks("main.customer_ltv", "tier")["accepted_values_customer_ltv_tier__std"] == {
        "kind": "accepted_values",
        "outcome": "FAILED",
        "suite": "dbt/shop",
        "expected": {"severity": "error", "values": ["std"]},
        "observed": 1,
        "message": "Got 1 result, configured to fail if != 0",
        "at": 1795254730155667,
    }
    (relationship,) = find_column_checks("main.stg_orders", "customer_id").values()
    assert relationship["outcome"] == "WARNED"
    assert relationship["expected"] == {"severity": "warn", "to": "ref('stg_customers')", "field": "customer_id"}
    assert {check["outcome"] for check in find_column_checks("main_raw.raw_customers", "id").values()} == {"PASSED"}
    assert reading.times["quality", "dbt/shop", SHOP, "shop.main.customer_ltv"] == 1795254730155667


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("pass", "PASSED"), ("fail", "FAILED"), ("warn", "WARNED"), ("error", "ERROR"), ("skipped", "SKIPPED"), ("new word", None)],
)
def test_statuses(target: Write, status: str, outcome: str | None) -> None:
    folder = target(
        manifest=build_project(**{T1: build_generic_test()}),
        run_results=build_run_results(build_result(T1, status, failures=3, message="why\nnot")),
    )
    found = find_checks(read_target(folder), model.build_column_key(ORDERS, "id"))
    if outcome is None:
        assert found == {}
    else:
        assert (found["unique_orders_id"]["outcome"], found["unique_orders_id"]["observed"]) == (outcome, 3)
        assert found["unique_orders_id"]["message"] == "why"


def test_a_singular_test_is_of_all_that_it_reads(target: Write) -> None:
    reading = read_target(
        target(manifest=build_project(**{T2: build_singular_test()}), run_results=build_run_results(build_result(T2, "warn")))
    )
    for table in ("orders", "totals"):
        (check,) = find_checks(reading, model.build_dataset_key(PG, f"db.marts.{table}")).values()
        assert (check["kind"], check["outcome"]) == ("singular", "WARNED")
        assert check["expected"] == {"severity": "warn", "where": "day > '2026-01-01'"}


def test_a_test_of_a_source_is_found_by_its_argument(target: Write) -> None:
    metadata = {"name": "relationships", "namespace": None, "kwargs": {"model": "{{ get_where_subquery(source('raw', 'events')) }}"}}
    reads = {"nodes": ["model.shop.orders", "source.shop.raw.events"]}
    test = build_generic_test(attached_node=None, test_metadata=metadata, depends_on=reads)
    document = build_manifest(
        {"model.shop.orders": build_model_node("orders"), T1: test}, sources={"source.shop.raw.events": build_source_node("events")}
    )
    reading = read_target(target(manifest=document, run_results=build_run_results(build_result(T1, "pass"))))
    assert list_outcomes(reading, model.build_column_key(model.build_dataset_key(PG, "db.raw.events"), "id")) == {
        "unique_orders_id": "PASSED"
    }


def test_tests_are_expectations_though_none_was_run(target: Write) -> None:
    metadata = {"name": "between", "namespace": "dbt_utils", "kwargs": {"min": 1, "column_name": "id", "model": "x"}}
    reading = read_target(target(manifest=build_project(**{T1: build_generic_test(test_metadata=metadata)})))
    expected = find_checks(reading, model.build_column_key(ORDERS, "id"), "expectations")
    assert expected == {"unique_orders_id": {"kind": "dbt_utils.between", "suite": "dbt/shop", "expected": {"min": 1, "severity": "error"}}}
    assert find_checks(reading, model.build_column_key(ORDERS, "id")) == {}


def test_two_tests_of_one_name_are_two(target: Write) -> None:
    other = "test.other.unique_orders_id.2"
    folder = target(
        manifest=build_project(**{T1: build_generic_test(), other: build_generic_test()}),
        run_results=build_run_results(build_result(T1, "pass"), build_result(other, "fail")),
    )
    assert sorted(list_outcomes(read_target(folder), model.build_column_key(ORDERS, "id")).values()) == ["FAILED", "PASSED"]


def test_results_of_tests_that_the_last_command_left_out_are_kept(target: Write) -> None:
    tests = {T1: build_generic_test(), T2: build_singular_test(depends_on={"nodes": ["model.shop.totals"]})}
    totals = model.build_dataset_key(PG, "db.marts.totals")
    first = read_target(
        target(manifest=build_project(**tests), run_results=build_run_results(build_result(T1, "fail"), build_result(T2, "pass")))
    )
    second = read_again(target(run_results=build_run_results(build_result(T2, "warn", "2026-03-09T02:10:00Z"), which="test")), first)
    assert list_outcomes(second, model.build_column_key(ORDERS, "id")) == {"unique_orders_id": "FAILED"}
    assert list_outcomes(second, totals) == {"total_is_right": "WARNED"}
    older = read_again(target(run_results=build_run_results(build_result(T2, "pass", "2026-03-01T02:10:00Z"))), second)
    assert list_outcomes(older, totals) == {"total_is_right": "WARNED"}
    gone = read_again(target(manifest=build_project(**{T2: tests[T2]})), older)
    assert find_checks(gone, model.build_column_key(ORDERS, "id")) == {}


@pytest.mark.parametrize("which", ["compile", "generate"])
def test_a_test_that_was_only_compiled_has_no_result(target: Write, which: str) -> None:
    """`dbt docs generate` writes run results too, in which a test that does not compile has an error."""
    folder = target(
        manifest=build_project(**{T1: build_generic_test()}), run_results=build_run_results(build_result(T1, "error"), which=which)
    )
    assert find_checks(read_target(folder), model.build_column_key(ORDERS, "id")) == {}


def test_a_result_without_a_time_has_that_of_the_file(target: Write) -> None:
    without = {"unique_id": T1, "status": "skipped", "timing": []}
    reading = read_target(target(manifest=build_project(**{T1: build_generic_test()}), run_results=build_run_results(without)))
    assert reading.times["quality", "dbt/shop", PG, "db.marts.orders"] == 1_772_935_860_000_000
