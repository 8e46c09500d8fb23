"""Results of checks in OpenLineage's facet dataQualityAssertions, as dbt sends them and as the specification allows them."""

from __future__ import annotations

import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any, cast

import pytest

from meshline.graph.model import AssetKey, build_column_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.run_statements import rename_scope
from tests.ingest.lineage_events import (
    Event,
    Graph,
    build_dataset,
    build_event,
    ingest_each,
    ingest_groups,
    read_observable_state,
    to_micros,
)

CORPUS = Path(os.environ.get("MESHLINE_CORPUS", "."))
needs_corpus = pytest.mark.skipif("MESHLINE_CORPUS" not in os.environ, reason="MESHLINE_CORPUS is not set")
T = build_dataset_key("db", "t")
SCOPE = ("job-quality", "jobs", "etl", "db", "t")
DBT = {"jobType": {"jobType": "TEST", "integration": "DBT", "processingType": "BATCH"}}


def build_assertions(*assertions: Event) -> Event:
    return {"dataQualityAssertions": {"assertions": list(assertions)}}


def build_results_event(kind: str, minute: float, *assertions: Event, run: int = 1, **more: Any) -> Event:
    """An event of a run that tested db/t."""
    return build_event(kind, minute, [{**build_dataset("t"), "inputFacets": build_assertions(*assertions)}], run=run, **more)


def find_results(known: Graph, *scope: str) -> dict[AssetKey, dict[str, Any]]:
    """The results by asset and check."""
    return {
        fact.key: cast("dict[str, Any]", fact.attributes["quality"])
        for fact in known.read_facts(*(scope or SCOPE)).assets
        if fact.attributes
    }


def ingest_recorded(name: str) -> Graph:
    return ingest_each(*(json.loads(line) for line in (CORPUS / "recorded" / name).read_text().splitlines()))


def list_recorded_outcomes(known: Graph) -> dict[str, str]:
    """Outcome by check, of all jobs."""
    return {
        f"{scope[2]}: {name}": check["outcome"]
        for scope in known.find_heads("job-quality")
        for checks in find_results(known, *scope).values()
        for name, check in checks.items()
    }


# As dbt-ol sends the result of a test from dbt's structured logs: the count of a test that was not run is 0, too.
LOGGED = {
    "assertion": "accepted_values",
    "column": "tier",
    "name": "accepted_values_t_tier__std",
    "success": False,
    "expected": "0",
    "actual": "0",
    "severity": "error",
    "params": {},
}
AUDIT = {
    **build_dataset("db.t_dbt_test__audit.accepted_values_t_tier__std", "DB:///", dbt_model={"config": {"materialized": "test"}}),
    "outputFacets": {},
}


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (["START", "ABORT"], "SKIPPED"),
        (["ABORT"], "SKIPPED"),
        (["START", "FAIL"], "FAILED"),
        (["FAIL", "ABORT"], "FAILED"),
        (["COMPLETE", "ABORT"], "FAILED"),
    ],
)
def test_a_test_that_dbt_aborted_was_left_out(kinds: list[str], outcome: str) -> None:
    events = [build_results_event(kind, minute, LOGGED, job_facets=DBT) for minute, kind in enumerate(kinds)]
    for order in permutations(events):
        ((check,),) = (checks.values() for checks in find_results(ingest_each(*order)).values())
        assert check["outcome"] == outcome
        assert check.get("observed") == (None if outcome == "SKIPPED" else "0")
    ((other,),) = (checks.values() for checks in find_results(ingest_each(build_results_event("ABORT", 1, LOGGED))).values())
    assert other["outcome"] == "FAILED", "of other tools an aborted run is not known to have left its checks out"


def test_the_tables_that_dbt_names_for_its_tests_are_none() -> None:
    tested = {
        **build_event("COMPLETE", 1, [{**build_dataset("t"), "inputFacets": build_assertions(LOGGED)}], [AUDIT], job_facets=DBT),
        "producer": "dbt",
    }
    known = ingest_each(tested)
    assert {scope[0] for scope in known.find_heads()} == {"job", "job-quality", "job-reads"}
    built = {
        **tested,
        "job": {**tested["job"], "facets": {"jobType": {"jobType": "MODEL", "integration": "DBT", "processingType": "BATCH"}}},
    }
    assert "job-output" in {scope[0] for scope in ingest_each(built).find_heads()}, "what a model writes is a table"


@needs_corpus
def test_dbt_tests() -> None:
    known = ingest_recorded("dbt_duckdb.ndjson")
    found = list_recorded_outcomes(known)
    assert len(found) == 11
    assert {name for name, outcome in found.items() if outcome != "PASSED"} == {
        "shop.main.shop.customer_ltv.build.test: accepted_values_customer_ltv_tier__std",
        "shop.main.shop.stg_orders.build.test: relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
        "shop.main.shop.stg_orders.test: relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
    }
    scope = (
        "job-quality",
        "dbt-shop",
        "shop.main.shop.customer_ltv.build.test",
        "duckdb:///warehouse/shop.duckdb",
        "shop.main.customer_ltv",
    )
    of_tier = find_results(known, *scope)[build_column_key(build_dataset_key(*scope[3:]), "tier")]
    assert of_tier["accepted_values_customer_ltv_tier__std"] == {
        "kind": "accepted_values", "outcome": "FAILED", "suite": "shop.main.shop.customer_ltv.test", "expected": "0", "observed": "1",
    }  # fmt: skip
    assert list_recorded_outcomes(known)[
        "shop.main.shop.stg_orders.test: relationships_stg_orders_customer_id__customer_id__ref_stg_customers_"
    ] == "WARNED"  # fmt: skip


@needs_corpus
def test_a_test_that_dbt_skipped_did_not_fail() -> None:
    found = list_recorded_outcomes(ingest_recorded("dbt_duckdb_failed.ndjson"))
    assert {name for name, outcome in found.items() if outcome == "SKIPPED"} == {
        "shop.main.shop.customer_orders.build.test: unique_customer_orders_customer_id",
        "shop.main.shop.customer_ltv.build.test: accepted_values_customer_ltv_tier__std",
        "shop.main.shop.customer_ltv.build.test: not_null_customer_ltv_customer_id",
        "shop.main.shop.stg_orders.build.test: accepted_values_stg_orders_state__paid__void",
        "shop.main.shop.stg_orders.build.test: relationships_stg_orders_customer_id__customer_id__ref_stg_customers_",
    }
    assert "FAILED" not in found.values()


@needs_corpus
def test_the_specifications_own_example() -> None:
    known = ingest_each(json.loads((CORPUS / "openlineage-edge-cases" / "event_full.json").read_text()))
    (scope,) = known.find_heads("job-quality")
    of = build_dataset_key(*scope[3:])
    assert find_results(known, *scope) == {
        of: {"row_count_equal_to": {"kind": "row_count_equal_to", "outcome": "PASSED", "suite": scope[2]}},
        build_column_key(of, "id"): {"no_null_values(id)": {"kind": "no_null_values", "outcome": "PASSED", "suite": scope[2]}},
    }


@pytest.mark.parametrize(
    ("assertion", "job_facets", "outcome"),
    [
        ({"success": True}, {}, "PASSED"),
        ({"success": False}, {}, "FAILED"),
        ({"success": False, "severity": "error"}, {}, "FAILED"),
        ({"success": False, "severity": "WARN"}, {}, "WARNED"),
        ({"success": False, "severity": "error", "params": {}}, {}, "FAILED"),  # a producer that does not state what was observed
        ({"success": False, "severity": "error", "params": {}}, DBT, "SKIPPED"),
        ({"success": False, "severity": "error", "params": {}, "actual": "3"}, DBT, "FAILED"),
        ({"success": False, "severity": "error"}, DBT, "FAILED"),  # a version that never states what was observed
        ({"success": True, "params": {}}, DBT, "PASSED"),
    ],
)
def test_outcomes(assertion: Event, job_facets: Event, outcome: str) -> None:
    known = ingest_each(build_results_event("COMPLETE", 1, {"assertion": "unique", **assertion}, job_facets=job_facets))
    assert find_results(known)[T]["unique"]["outcome"] == outcome


def test_a_failed_run_states_its_results_and_the_next_replaces_them() -> None:
    known = ingest_each(build_results_event("FAIL", 1, {"assertion": "unique", "success": False}))
    assert find_results(known)[T]["unique"]["outcome"] == "FAILED"
    known.ingest([build_results_event("COMPLETE", 5, {"assertion": "unique", "success": True}, run=2)])
    assert find_results(known)[T]["unique"]["outcome"] == "PASSED"
    assert known.read_heads(to_micros(2))[SCOPE].observed_at == to_micros(1)
    known.ingest([build_results_event("COMPLETE", 3, {"assertion": "unique", "success": False}, run=3)])  # late
    assert find_results(known)[T]["unique"]["outcome"] == "PASSED"


def test_the_results_of_a_run_are_its_last_word() -> None:
    known = ingest_each(
        build_results_event("START", 1, {"assertion": "unique", "success": True}),
        build_results_event("COMPLETE", 2, {"assertion": "unique", "success": False}),
    )
    assert find_results(known)[T]["unique"]["outcome"] == "FAILED"
    assert SCOPE not in known.read_heads(to_micros(1))


def test_the_input_facet_counts_before_the_dataset_facet() -> None:
    both = {
        **build_dataset("t", **build_assertions({"assertion": "a", "success": True})),
        "inputFacets": build_assertions({"assertion": "b", "success": True}),
    }
    assert set(find_results(ingest_each(build_event("COMPLETE", 1, [both])))[T]) == {"b"}
    alone = build_dataset("t", **build_assertions({"assertion": "a", "success": True}))
    known = ingest_each(build_event("COMPLETE", 1, [alone]))
    assert set(find_results(known)[T]) == {"a"}
    assert not known.find_heads("dataset", "db", "t")


def test_names_are_unique_and_texts_stay_texts() -> None:
    between = {"assertion": "between", "column": "v", "success": True}
    known = ingest_each(
        build_results_event(
            "COMPLETE", 1, between, between, {"assertion": " ", "success": True},
            {"assertion": "x", "name": "no orphans", "success": False, "expected": 0, "actual": {"rows": 3}, "description": "one\ntwo"},
        )
    )  # fmt: skip
    found = find_results(known)
    assert set(found[build_column_key(T, "v")]) == {"between(v)", "between(v) #2"}
    assert set(found[T]) == {"assertion", "no orphans"}
    assert found[T]["no orphans"] == {
        "kind": "x", "outcome": "FAILED", "suite": "etl", "expected": 0, "observed": '{"rows":3}', "message": "one",
    }  # fmt: skip


def test_what_cannot_be_read_states_nothing() -> None:
    bad = {**build_dataset("t"), "inputFacets": {"dataQualityAssertions": {"assertions": [{"assertion": "a"}]}}}
    assert not ingest_groups([build_event("COMPLETE", 1, [bad])]).find_heads("job-quality")
    assert not find_results(
        ingest_each(build_event("COMPLETE", 1, [{**build_dataset("t"), "inputFacets": {"dataQualityAssertions": {"_deleted": True}}}]))
    )


def test_scopes_follow_naming_rules() -> None:
    naming = Naming([("/day=.*", "")])
    assert rename_scope(("job-quality", "jobs", "etl", "db", "t/day=1"), naming) == SCOPE
    assert rename_scope(("quality", "suite", "db", "t/day=1"), naming) == ("quality", "suite", "db", "t")
    assert rename_scope(("checks", "a/day=1"), naming) == ("checks", "a/day=1")


def test_the_order_of_events_is_nothing() -> None:
    events = [
        build_results_event("START", 1, {"assertion": "a", "success": True}),
        build_results_event("FAIL", 2, {"assertion": "a", "success": False}, job_facets=DBT),
        build_results_event("COMPLETE", 2, {"assertion": "a", "column": "v", "success": True}, run=2),
        build_event(
            "COMPLETE",
            3,
            [build_dataset("t", **build_assertions({"assertion": "b", "success": False, "params": {}}))],
            run=3,
            job_facets=DBT,
        ),
    ]
    seen = [read_observable_state(ingest_each(*order).store, [to_micros(1), to_micros(2), to_micros(3)]) for order in permutations(events)]
    assert all(one == seen[0] for one in seen)
    assert read_observable_state(ingest_groups(events).store, [to_micros(1), to_micros(2), to_micros(3)]) == seen[0]
