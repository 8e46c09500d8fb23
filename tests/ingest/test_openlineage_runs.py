"""The lineage that a run states: provisional and completed, failed, streaming, and the runs that cover each other's datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import pytest

from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.model import AssetFact, EdgeType, build_job_key
from meshline.graph.store.base import RunKey, RunPair, RunReader
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, Received
from meshline.ingest.openlineage.run_state import decode_run_record
from tests.ingest.lineage_events import (
    CLOCK,
    RUN,
    build_dataset,
    build_event,
    build_lineage_facet,
    build_schema_facet,
    build_source_field,
    format_column_flows,
    format_dataset_flows,
    format_edges,
    ingest_each,
    ingest_groups,
    to_micros,
)

ID = build_lineage_facet(id=[build_source_field("orders", "id", "DIRECT/IDENTITY")])
MART = build_dataset("mart", columnLineage=ID)
ORDERS = build_dataset("orders")
OUTPUT = ("job-output", "jobs", "etl", "db", "mart")


def test_a_completed_run_reads_writes_and_moves_columns() -> None:
    stated = ingest_each(build_event("START", 0, [ORDERS], [MART]), build_event("COMPLETE", 1, [ORDERS], [MART])).read_output_facts("mart")
    assert format_edges(stated) == {"etl READS orders", "etl WRITES mart"}
    assert format_column_flows(stated) == {"orders.id -> mart.id IDENTITY"}
    assert format_dataset_flows(stated) == {"orders -> mart": True}
    assert {flow.job for flow in stated.flows} == {build_job_key("jobs", "etl")}


def test_it_is_provisional_from_its_first_event_and_settled_from_its_first_complete() -> None:
    known = ingest_each(build_event("START", 0, [ORDERS], [MART]), build_event("COMPLETE", 2, [ORDERS], [MART]), build_event("COMPLETE", 3))
    assert not known.find_heads("job-output", as_of=to_micros(-1))
    early, late = known.read_heads(to_micros(1))[OUTPUT], known.read_heads()[OUTPUT]
    assert (early.provisional, early.observed_at) == (True, to_micros(0))
    assert (late.provisional, late.observed_at) == (False, to_micros(2))


def test_a_run_without_an_event_type_stays_provisional() -> None:
    assert ingest_each(build_event(None, 0, [ORDERS], [MART])).read_heads()[OUTPUT].provisional


def test_the_latest_completed_run_counts_before_any_that_runs() -> None:
    known = ingest_each(
        build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("START", 5, [build_dataset("other")], [build_dataset("mart")], run=2)
    )
    assert format_column_flows(known.read_output_facts("mart")) == {"orders.id -> mart.id IDENTITY"}


def test_a_restated_scope_loses_what_the_new_run_omits() -> None:
    known = ingest_each(
        build_event("COMPLETE", 1, [ORDERS, build_dataset("x")], [MART]), build_event("COMPLETE", 5, [ORDERS], [MART], run=2)
    )
    assert format_edges(known.read_output_facts("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_a_job_that_writes_another_table_keeps_what_it_wrote() -> None:
    known = ingest_each(
        build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("COMPLETE", 5, [ORDERS], [build_dataset("second")], run=2)
    )
    assert set(known.find_heads("job-output")) == {OUTPUT, ("job-output", "jobs", "etl", "db", "second")}
    assert known.read_heads()[OUTPUT].last_observed == to_micros(1)


def test_inside_a_run_empty_never_means_none() -> None:
    known = ingest_each(
        build_event("START", 0, [ORDERS], [MART]),
        build_event("RUNNING", 1, [], [build_dataset("mart", columnLineage={"fields": {}}, schema={"fields": []})]),
        build_event("COMPLETE", 2, [], [build_dataset("mart")]),
    )
    assert format_column_flows(known.read_output_facts("mart")) == {"orders.id -> mart.id IDENTITY"}
    assert format_edges(known.read_output_facts("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_an_output_alone_is_written_and_leaves_the_lineage_alone() -> None:
    known = ingest_each(build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("COMPLETE", 5, [], [build_dataset("mart")], run=2))
    assert format_column_flows(known.read_output_facts("mart")) == {"orders.id -> mart.id IDENTITY"}
    assert format_edges(known.read_facts("job-writes", "jobs", "etl", "db", "mart")) == {"etl WRITES mart"}


def test_an_empty_column_lineage_is_none_but_fields_without_inputs_are_one() -> None:
    known = ingest_each(
        build_event("COMPLETE", 1, [ORDERS], [MART]),
        build_event("COMPLETE", 5, [], [build_dataset("mart", columnLineage={"fields": {}, "dataset": []})], run=2),
    )
    assert format_column_flows(known.read_output_facts("mart")) == {"orders.id -> mart.id IDENTITY"}
    known.ingest([build_event("COMPLETE", 6, [], [build_dataset("mart", columnLineage=build_lineage_facet(id=[]))], run=3)])
    assert format_edges(known.read_output_facts("mart")) == {"etl WRITES mart"}
    assert format_column_flows(known.read_output_facts("mart")) == set()


def test_what_was_only_written_at_first_becomes_lineage_with_the_inputs() -> None:
    known = ingest_each(build_event("START", 0, [], [build_dataset("mart")]), build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart")]))
    assert not known.find_heads("job-writes")
    assert format_dataset_flows(known.read_output_facts("mart")) == {"orders -> mart": False}
    assert known.find_heads("job-writes", as_of=to_micros(0)) == {}


def test_inputs_alone_are_read() -> None:
    known = ingest_each(build_event("COMPLETE", 1, [ORDERS, build_dataset("x")]))
    assert format_edges(known.read_facts("job-reads", "jobs", "etl")) == {"etl READS orders", "etl READS x"}
    known.ingest([build_event("OTHER", 2, [], [build_dataset("mart")])])
    assert not known.find_heads("job-reads")
    assert format_dataset_flows(known.read_output_facts("mart")) == {"orders -> mart": False, "x -> mart": False}


def test_a_run_of_nothing_states_no_lineage_but_its_job_is_seen() -> None:
    known = ingest_each(build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("COMPLETE", 5, run=2))
    assert format_column_flows(known.read_output_facts("mart"))
    for alone in (build_event("COMPLETE", 1, job="alone"), build_event("FAIL", 1, [ORDERS], [MART], job="alone")):
        assert ingest_each(alone).read_facts("job", "jobs", "alone", "seen").assets == (AssetFact(build_job_key("jobs", "alone"), {}),)


def test_fail_is_sticky_in_any_order() -> None:
    start, complete, fail = (
        build_event("START", 0, [ORDERS], [MART]),
        build_event("COMPLETE", 2, [ORDERS], [MART]),
        build_event("FAIL", 3, [], [MART]),
    )
    for known in (ingest_each(start, complete, fail), ingest_each(fail, complete, start), ingest_groups([complete, fail, start])):
        assert not known.find_heads("job-output")
        assert known.read_heads(to_micros(2))[OUTPUT].provisional
        assert not known.find_heads("job-output", as_of=to_micros(3))
        assert known.find_heads("job-output", as_of=to_micros(2))


def test_abort_is_as_final_as_fail() -> None:
    assert not ingest_each(build_event("START", 0, [ORDERS], [MART]), build_event("ABORT", 3)).find_heads("job-output")


def test_a_failed_run_leaves_what_was_active_before() -> None:
    known = ingest_each(
        build_event("COMPLETE", 0, [ORDERS], [MART]),
        build_event("START", 5, [build_dataset("x")], [MART], run=2),
        build_event("FAIL", 6, run=2),
    )
    assert format_edges(known.read_output_facts("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_an_outputs_schema_counts_only_from_a_run_that_did_not_fail() -> None:
    written, read = build_dataset("mart", schema=build_schema_facet("new")), build_dataset("orders", schema=build_schema_facet("id"))
    known = ingest_each(
        build_event("COMPLETE", 0, [ORDERS], [build_dataset("mart", schema=build_schema_facet("old"))]),
        build_event("START", 5, [read], [written], run=2),
    )
    listed = ("dataset", "db", "mart", "schema")
    assert format_edges(known.read_facts(*listed)) == {"mart HAS_COLUMN new"}
    known.ingest([build_event("FAIL", 6, run=2)])
    assert format_edges(known.read_facts(*listed)) == {"mart HAS_COLUMN old"}
    (listed_by_reader,) = known.find_heads("dataset", "db", "orders", "schema-part")
    assert format_edges(known.read_facts(*listed_by_reader)) == {"orders HAS_COLUMN id"}


def test_other_facets_count_whatever_the_outcome() -> None:
    known = ingest_each(build_event("FAIL", 0, [], [build_dataset("mart", documentation={"description": "kept"})]))
    assert known.read_attributes("dataset", "db", "mart", "documentation") == {"description": "kept"}


def test_a_streaming_job_takes_effect_at_every_event_and_keeps_it_when_it_fails() -> None:
    for kind in ("STREAMING", "service"):
        facets = {"jobType": {"processingType": kind, "integration": "FLINK"}}
        mart = build_dataset("mart", columnLineage=ID, schema=build_schema_facet("id"))
        known = ingest_each(
            build_event("START", 0, [ORDERS], [mart], job_facets=facets), build_event("RUNNING", 5, [], [build_dataset("mart")])
        )
        assert known.find_heads("dataset", "db", "mart", "schema")
        known.ingest([build_event("FAIL", 9)])
        assert not known.find_heads("dataset", "db", "mart", "schema")
        head = known.read_heads()[OUTPUT]
        assert not head.provisional
        assert (head.valid_from, head.last_observed) == (to_micros(0), to_micros(5))


@pytest.mark.parametrize(("kind", "kept"), [("STREAMING", True), ("BATCH", False)])
def test_a_stream_that_is_cancelled_keeps_the_columns_of_its_output(kind: str, kept: bool) -> None:  # noqa: FBT001
    """Streams end so: Flink sends ABORT for a job that was cancelled."""
    facets = {"jobType": {"processingType": kind, "integration": "FLINK"}}
    mart = build_dataset("mart", schema=build_schema_facet("id"))
    events = [build_event("START", 0, [ORDERS], [mart], job_facets=facets), build_event("ABORT", 9)]
    for order in (events, events[::-1]):
        assert bool(ingest_each(*order).find_heads("dataset", "db", "mart", "schema")) is kept
    assert not ingest_each(*events, build_event("FAIL", 5)).find_heads("dataset", "db", "mart", "schema"), "it failed before"


def test_two_jobs_may_share_a_run_id() -> None:
    known = ingest_each(build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("FAIL", 2, [build_dataset("x")], [MART], job="other"))
    assert set(known.find_heads("job-output")) == {OUTPUT}


def test_two_jobs_with_one_run_id_do_not_withdraw_each_others_schema() -> None:
    written = build_dataset("mart", schema=build_schema_facet("id"))
    known = ingest_each(
        build_event("COMPLETE", 1, [], [written]),
        build_event("START", 2, [], [build_dataset("mart", schema=build_schema_facet("x"))], job="other"),
    )
    known.ingest([build_event("FAIL", 3, job="other")])
    assert format_edges(known.read_facts("dataset", "db", "mart", "schema")) == {"mart HAS_COLUMN id"}


def test_a_sibling_with_the_column_lineage_covers_the_pair_in_any_order() -> None:
    plain = build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart")], job="ctas", run=1, parent=1)
    described = build_event("COMPLETE", 2, [], [MART], job="append", run=2, parent=1)
    for known in (ingest_each(plain, described), ingest_each(described, plain), ingest_groups([plain, described])):
        assert format_dataset_flows(known.read_output_facts("mart", job="ctas")) == {"orders -> mart": True}


def test_a_run_that_is_no_sibling_covers_nothing() -> None:
    plain = build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart")], job="ctas", run=1, parent=1)
    for other in (
        build_event("COMPLETE", 2, [], [MART], job="append", run=2, parent=2),
        build_event("COMPLETE", 2, [], [MART], job="append", run=2),
    ):
        assert format_dataset_flows(ingest_each(plain, other).read_output_facts("mart", job="ctas")) == {"orders -> mart": False}


def test_a_sibling_that_fails_covers_no_more() -> None:
    plain = build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart")], job="ctas", run=1, parent=1)
    known = ingest_each(plain, build_event("START", 2, [], [MART], job="append", run=2, parent=1))
    assert format_dataset_flows(known.read_output_facts("mart", job="ctas")) == {"orders -> mart": True}
    known.ingest([build_event("FAIL", 3, job="append", run=2)])
    assert format_dataset_flows(known.read_output_facts("mart", job="ctas")) == {"orders -> mart": False}


def test_any_sibling_that_covers_will_do() -> None:
    plain = build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart")], job="ctas", run=1, parent=1)
    covering = [build_event("START", 2, [], [MART], job="append", run=run, parent=1) for run in range(2, 6)]
    for order in ([2, 3, 4, 5], [5, 3, 4, 2]):
        known = ingest_each(plain, *covering)
        for run in order:
            assert format_dataset_flows(known.read_output_facts("mart", job="ctas")) == {"orders -> mart": True}
            known.ingest([build_event("FAIL", 3, job="append", run=run)])
        assert format_dataset_flows(known.read_output_facts("mart", job="ctas")) == {"orders -> mart": False}


def test_a_thousand_siblings_are_not_read_for_each_event() -> None:
    """Every micro-batch of a stream is a run of one parent."""
    known = ingest_groups([build_event("COMPLETE", run, [ORDERS], [MART], run=run, parent=1) for run in range(100, 1100)])
    read: list[int] = []

    class Counting:
        def __init__(self, runs: RunReader) -> None:
            self.find_runs = runs.find_runs
            self.find_dropped = runs.find_dropped
            self.list_unindexed_runs = runs.list_unindexed_runs
            self.list_unindexed_events = runs.list_unindexed_events
            self._runs = runs

        def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
            found = self._runs.find_siblings(pairs)
            read.append(sum(map(len, found.values())))
            return found

    body = json.dumps(build_event("COMPLETE", 3, [ORDERS], [MART], run=7, parent=1)).encode()
    received = [Received(DEFAULT_SOURCE, known.builder.parser.parse(body, CLOCK), CLOCK, body)]
    known.store.commit(lambda runs: known.builder.build_batch(received, Counting(runs)))
    assert sum(read) <= 1


def test_parent_and_root_are_what_a_job_is_part_of() -> None:
    parent = {
        "run": {"runId": "p"},
        "job": {"namespace": "jobs", "name": "dag"},
        "root": {"run": {"runId": "r"}, "job": {"namespace": "jobs", "name": "top"}},
    }
    stated = ingest_each(build_event("START", 1, run_facets={"parent": parent})).read_facts("job-parent", "jobs", "etl")
    assert format_edges(stated) == {"etl PART_OF dag", "dag PART_OF top"}
    assert {edge.type for edge in stated.edges} == {EdgeType.PART_OF}


def test_job_dependencies_are_no_lineage() -> None:
    facet = {"upstream": [{"job": {"namespace": "jobs", "name": "before"}}]}
    known = ingest_each(build_event("COMPLETE", 1, run_facets={"jobDependencies": facet}))
    assert {scope[0] for scope in known.read_heads()} == {"job"}


def test_the_target_of_a_merge_is_an_input_too() -> None:
    self_edge = build_lineage_facet(id=[build_source_field("mart", "id", "DIRECT/IDENTITY")])
    stated = ingest_each(
        build_event("COMPLETE", 1, [ORDERS, build_dataset("mart")], [build_dataset("mart", columnLineage=self_edge)])
    ).read_output_facts("mart")
    assert format_column_flows(stated) == {"mart.id -> mart.id IDENTITY"}
    assert format_dataset_flows(stated) == {"orders -> mart": False, "mart -> mart": True}


def test_the_record_of_a_run_keeps_every_facet_verbatim() -> None:
    read = {**build_dataset("orders", version={"datasetVersion": "1"}), "inputFacets": {"subset": {"a": 1}}}
    known = ingest_each(
        build_event("START", 1, [read], run_facets={"nominalTime": {"x": "y"}}, job_facets={"own": 3}), build_event("FAIL", 2, [], [MART])
    )
    key = RunKey(DEFAULT_SOURCE, build_job_key("jobs", "etl"), RUN.format(1))
    record = decode_run_record(known.store.read_runs([key])[key].state)
    assert (record.first, record.last, record.state) == (to_micros(1), to_micros(2), "FAIL")
    assert json.loads(record.run_facets["nominalTime"]) == {"x": "y"}
    assert record.job_facets == {"own": "3"}
    assert json.loads(record.inputs["db", "orders"]["version"]) == {"datasetVersion": "1"}
    assert json.loads(record.inputs["db", "orders"]["subset"]) == {"a": 1}
    assert json.loads(record.outputs["db", "mart"]["columnLineage"]) == ID


def test_a_streaming_run_of_many_events_stays_small() -> None:
    facets = {"jobType": {"processingType": "STREAMING", "integration": "FLINK"}}
    known = ingest_groups([build_event("RUNNING", minute, [ORDERS], [MART], job_facets=facets) for minute in range(3)])
    key = RunKey(DEFAULT_SOURCE, build_job_key("jobs", "etl"), RUN.format(1))
    size = len(known.store.read_runs([key])[key].state)
    known.ingest([build_event("RUNNING", minute, [ORDERS], [MART], job_facets=facets) for minute in range(3, 300)])
    assert len(known.store.read_runs([key])[key].state) == size
    assert known.read_heads()[OUTPUT].last_observed == to_micros(299)


def test_a_memory_forgets_when_it_contains_too_much() -> None:
    memory: BoundedCache[str, int] = BoundedCache(10)
    assert memory.keep("a", 1, 6) == 1
    memory.keep("b", 2, 4)
    assert (memory.get("a"), memory.get("b")) == (1, 2)
    memory.keep("c", 3, 100)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (None, None, 3)
