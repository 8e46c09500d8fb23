"""What a run states of lineage: provisional and completed, failed, streaming, and who covers what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.model import AssetFact, EdgeType, build_job_key
from meshline.graph.store.base import RunKey, RunPair, RunReader
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, Received
from meshline.ingest.openlineage.run_state import decode_run_record
from tests.ingest.speaking import CLOCK, RUN, at, columns, ds, edges, event, graph, ingest_each, lineage, pairs, schema, source_field

ID = lineage(id=[source_field("orders", "id", "DIRECT/IDENTITY")])
MART = ds("mart", columnLineage=ID)
ORDERS = ds("orders")
OUTPUT = ("job-output", "jobs", "etl", "db", "mart")


def test_a_completed_run_reads_writes_and_moves_columns() -> None:
    stated = ingest_each(event("START", 0, [ORDERS], [MART]), event("COMPLETE", 1, [ORDERS], [MART])).output("mart")
    assert edges(stated) == {"etl READS orders", "etl WRITES mart"}
    assert columns(stated) == {"orders.id -> mart.id IDENTITY"}
    assert pairs(stated) == {"orders -> mart": True}
    assert {flow.job for flow in stated.flows} == {build_job_key("jobs", "etl")}


def test_it_is_provisional_from_its_first_event_and_settled_from_its_first_complete() -> None:
    known = ingest_each(event("START", 0, [ORDERS], [MART]), event("COMPLETE", 2, [ORDERS], [MART]), event("COMPLETE", 3))
    assert not known.find_heads("job-output", as_of=at(-1))
    early, late = known.heads(at(1))[OUTPUT], known.heads()[OUTPUT]
    assert (early.provisional, early.observed_at) == (True, at(0))
    assert (late.provisional, late.observed_at) == (False, at(2))


def test_a_run_without_an_event_type_stays_provisional() -> None:
    assert ingest_each(event(None, 0, [ORDERS], [MART])).heads()[OUTPUT].provisional


def test_the_latest_completed_run_counts_before_any_that_runs() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS], [MART]), event("START", 5, [ds("other")], [ds("mart")], run=2))
    assert columns(known.output("mart")) == {"orders.id -> mart.id IDENTITY"}


def test_a_restated_scope_loses_what_the_new_run_omits() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS, ds("x")], [MART]), event("COMPLETE", 5, [ORDERS], [MART], run=2))
    assert edges(known.output("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_a_job_that_writes_another_table_keeps_what_it_wrote() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS], [MART]), event("COMPLETE", 5, [ORDERS], [ds("second")], run=2))
    assert set(known.find_heads("job-output")) == {OUTPUT, ("job-output", "jobs", "etl", "db", "second")}
    assert known.heads()[OUTPUT].last_observed == at(1)


def test_inside_a_run_empty_never_means_none() -> None:
    known = ingest_each(
        event("START", 0, [ORDERS], [MART]),
        event("RUNNING", 1, [], [ds("mart", columnLineage={"fields": {}}, schema={"fields": []})]),
        event("COMPLETE", 2, [], [ds("mart")]),
    )
    assert columns(known.output("mart")) == {"orders.id -> mart.id IDENTITY"}
    assert edges(known.output("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_an_output_alone_is_written_and_leaves_the_lineage_alone() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS], [MART]), event("COMPLETE", 5, [], [ds("mart")], run=2))
    assert columns(known.output("mart")) == {"orders.id -> mart.id IDENTITY"}
    assert edges(known.facts("job-writes", "jobs", "etl", "db", "mart")) == {"etl WRITES mart"}


def test_an_empty_column_lineage_is_none_but_fields_without_inputs_are_one() -> None:
    known = ingest_each(
        event("COMPLETE", 1, [ORDERS], [MART]), event("COMPLETE", 5, [], [ds("mart", columnLineage={"fields": {}, "dataset": []})], run=2)
    )
    assert columns(known.output("mart")) == {"orders.id -> mart.id IDENTITY"}
    known.ingest([event("COMPLETE", 6, [], [ds("mart", columnLineage=lineage(id=[]))], run=3)])
    assert edges(known.output("mart")) == {"etl WRITES mart"}
    assert columns(known.output("mart")) == set()


def test_what_was_only_written_at_first_becomes_lineage_with_the_inputs() -> None:
    known = ingest_each(event("START", 0, [], [ds("mart")]), event("COMPLETE", 1, [ORDERS], [ds("mart")]))
    assert not known.find_heads("job-writes")
    assert pairs(known.output("mart")) == {"orders -> mart": False}
    assert known.find_heads("job-writes", as_of=at(0)) == {}


def test_inputs_alone_are_read() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS, ds("x")]))
    assert edges(known.facts("job-reads", "jobs", "etl")) == {"etl READS orders", "etl READS x"}
    known.ingest([event("OTHER", 2, [], [ds("mart")])])
    assert not known.find_heads("job-reads")
    assert pairs(known.output("mart")) == {"orders -> mart": False, "x -> mart": False}


def test_a_run_of_nothing_states_no_lineage_but_its_job_is_seen() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS], [MART]), event("COMPLETE", 5, run=2))
    assert columns(known.output("mart"))
    for alone in (event("COMPLETE", 1, job="alone"), event("FAIL", 1, [ORDERS], [MART], job="alone")):
        assert ingest_each(alone).facts("job", "jobs", "alone", "seen").assets == (AssetFact(build_job_key("jobs", "alone"), {}),)


def test_fail_is_sticky_in_any_order() -> None:
    start, complete, fail = event("START", 0, [ORDERS], [MART]), event("COMPLETE", 2, [ORDERS], [MART]), event("FAIL", 3, [], [MART])
    for known in (ingest_each(start, complete, fail), ingest_each(fail, complete, start), graph([complete, fail, start])):
        assert not known.find_heads("job-output")
        assert known.heads(at(2))[OUTPUT].provisional
        assert not known.find_heads("job-output", as_of=at(3))
        assert known.find_heads("job-output", as_of=at(2))


def test_abort_is_as_final_as_fail() -> None:
    assert not ingest_each(event("START", 0, [ORDERS], [MART]), event("ABORT", 3)).find_heads("job-output")


def test_a_failed_run_leaves_what_was_active_before() -> None:
    known = ingest_each(event("COMPLETE", 0, [ORDERS], [MART]), event("START", 5, [ds("x")], [MART], run=2), event("FAIL", 6, run=2))
    assert edges(known.output("mart")) == {"etl READS orders", "etl WRITES mart"}


def test_an_outputs_schema_counts_only_from_a_run_that_did_not_fail() -> None:
    written, read = ds("mart", schema=schema("new")), ds("orders", schema=schema("id"))
    known = ingest_each(event("COMPLETE", 0, [ORDERS], [ds("mart", schema=schema("old"))]), event("START", 5, [read], [written], run=2))
    listed = ("dataset", "db", "mart", "schema")
    assert edges(known.facts(*listed)) == {"mart HAS_COLUMN new"}
    known.ingest([event("FAIL", 6, run=2)])
    assert edges(known.facts(*listed)) == {"mart HAS_COLUMN old"}
    (listed_by_reader,) = known.find_heads("dataset", "db", "orders", "schema-part")
    assert edges(known.facts(*listed_by_reader)) == {"orders HAS_COLUMN id"}


def test_other_facets_count_whatever_the_outcome() -> None:
    known = ingest_each(event("FAIL", 0, [], [ds("mart", documentation={"description": "kept"})]))
    assert known.attributes("dataset", "db", "mart", "documentation") == {"description": "kept"}


def test_a_streaming_job_takes_effect_at_every_event_and_keeps_it_when_it_fails() -> None:
    for kind in ("STREAMING", "service"):
        facets = {"jobType": {"processingType": kind, "integration": "FLINK"}}
        mart = ds("mart", columnLineage=ID, schema=schema("id"))
        known = ingest_each(event("START", 0, [ORDERS], [mart], job_facets=facets), event("RUNNING", 5, [], [ds("mart")]))
        assert known.find_heads("dataset", "db", "mart", "schema")
        known.ingest([event("FAIL", 9)])
        assert not known.find_heads("dataset", "db", "mart", "schema")
        head = known.heads()[OUTPUT]
        assert not head.provisional
        assert (head.valid_from, head.last_observed) == (at(0), at(5))


def test_two_jobs_may_share_a_run_id() -> None:
    known = ingest_each(event("COMPLETE", 1, [ORDERS], [MART]), event("FAIL", 2, [ds("x")], [MART], job="other"))
    assert set(known.find_heads("job-output")) == {OUTPUT}


def test_two_jobs_with_one_run_id_do_not_withdraw_each_others_schema() -> None:
    written = ds("mart", schema=schema("id"))
    known = ingest_each(event("COMPLETE", 1, [], [written]), event("START", 2, [], [ds("mart", schema=schema("x"))], job="other"))
    known.ingest([event("FAIL", 3, job="other")])
    assert edges(known.facts("dataset", "db", "mart", "schema")) == {"mart HAS_COLUMN id"}


def test_a_sibling_with_the_column_lineage_covers_the_pair_in_any_order() -> None:
    plain = event("COMPLETE", 1, [ORDERS], [ds("mart")], job="ctas", run=1, parent=1)
    described = event("COMPLETE", 2, [], [MART], job="append", run=2, parent=1)
    for known in (ingest_each(plain, described), ingest_each(described, plain), graph([plain, described])):
        assert pairs(known.output("mart", job="ctas")) == {"orders -> mart": True}


def test_who_is_no_sibling_covers_nothing() -> None:
    plain = event("COMPLETE", 1, [ORDERS], [ds("mart")], job="ctas", run=1, parent=1)
    for other in (event("COMPLETE", 2, [], [MART], job="append", run=2, parent=2), event("COMPLETE", 2, [], [MART], job="append", run=2)):
        assert pairs(ingest_each(plain, other).output("mart", job="ctas")) == {"orders -> mart": False}


def test_a_sibling_that_fails_covers_no_more() -> None:
    plain = event("COMPLETE", 1, [ORDERS], [ds("mart")], job="ctas", run=1, parent=1)
    known = ingest_each(plain, event("START", 2, [], [MART], job="append", run=2, parent=1))
    assert pairs(known.output("mart", job="ctas")) == {"orders -> mart": True}
    known.ingest([event("FAIL", 3, job="append", run=2)])
    assert pairs(known.output("mart", job="ctas")) == {"orders -> mart": False}


def test_any_sibling_that_covers_will_do() -> None:
    plain = event("COMPLETE", 1, [ORDERS], [ds("mart")], job="ctas", run=1, parent=1)
    covering = [event("START", 2, [], [MART], job="append", run=run, parent=1) for run in range(2, 6)]
    for order in ([2, 3, 4, 5], [5, 3, 4, 2]):
        known = ingest_each(plain, *covering)
        for run in order:
            assert pairs(known.output("mart", job="ctas")) == {"orders -> mart": True}
            known.ingest([event("FAIL", 3, job="append", run=run)])
        assert pairs(known.output("mart", job="ctas")) == {"orders -> mart": False}


def test_a_thousand_siblings_are_not_read_for_each_event() -> None:
    """Every micro-batch of a stream is a run of one parent."""
    known = graph([event("COMPLETE", run, [ORDERS], [MART], run=run, parent=1) for run in range(100, 1100)])
    read: list[int] = []

    class Counting:
        def __init__(self, runs: RunReader) -> None:
            self.find_runs = runs.find_runs
            self._runs = runs

        def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
            found = self._runs.find_siblings(pairs)
            read.append(sum(map(len, found.values())))
            return found

    body = json.dumps(event("COMPLETE", 3, [ORDERS], [MART], run=7, parent=1)).encode()
    received = [Received(DEFAULT_SOURCE, known.builder.parser.parse(body, CLOCK), CLOCK, body)]
    known.store.commit(lambda runs: known.builder.build_batch(received, Counting(runs)))
    assert sum(read) <= 1


def test_parent_and_root_are_what_a_job_is_part_of() -> None:
    parent = {
        "run": {"runId": "p"},
        "job": {"namespace": "jobs", "name": "dag"},
        "root": {"run": {"runId": "r"}, "job": {"namespace": "jobs", "name": "top"}},
    }
    stated = ingest_each(event("START", 1, run_facets={"parent": parent})).facts("job-parent", "jobs", "etl")
    assert edges(stated) == {"etl PART_OF dag", "dag PART_OF top"}
    assert {edge.type for edge in stated.edges} == {EdgeType.PART_OF}


def test_job_dependencies_are_no_lineage() -> None:
    facet = {"upstream": [{"job": {"namespace": "jobs", "name": "before"}}]}
    known = ingest_each(event("COMPLETE", 1, run_facets={"jobDependencies": facet}))
    assert {scope[0] for scope in known.heads()} == {"job"}


def test_the_target_of_a_merge_is_an_input_too() -> None:
    self_edge = lineage(id=[source_field("mart", "id", "DIRECT/IDENTITY")])
    stated = ingest_each(event("COMPLETE", 1, [ORDERS, ds("mart")], [ds("mart", columnLineage=self_edge)])).output("mart")
    assert columns(stated) == {"mart.id -> mart.id IDENTITY"}
    assert pairs(stated) == {"orders -> mart": False, "mart -> mart": True}


def test_the_record_of_a_run_keeps_every_facet_verbatim() -> None:
    read = {**ds("orders", version={"datasetVersion": "1"}), "inputFacets": {"subset": {"a": 1}}}
    known = ingest_each(
        event("START", 1, [read], run_facets={"nominalTime": {"x": "y"}}, job_facets={"own": 3}), event("FAIL", 2, [], [MART])
    )
    key = RunKey(DEFAULT_SOURCE, build_job_key("jobs", "etl"), RUN.format(1))
    record = decode_run_record(known.store.read_runs([key])[key].state)
    assert (record.first, record.last, record.state) == (at(1), at(2), "FAIL")
    assert json.loads(record.run_facets["nominalTime"]) == {"x": "y"}
    assert record.job_facets == {"own": "3"}
    assert json.loads(record.inputs["db", "orders"]["version"]) == {"datasetVersion": "1"}
    assert json.loads(record.inputs["db", "orders"]["subset"]) == {"a": 1}
    assert json.loads(record.outputs["db", "mart"]["columnLineage"]) == ID


def test_a_streaming_run_of_many_events_stays_small() -> None:
    facets = {"jobType": {"processingType": "STREAMING", "integration": "FLINK"}}
    known = graph([event("RUNNING", minute, [ORDERS], [MART], job_facets=facets) for minute in range(3)])
    key = RunKey(DEFAULT_SOURCE, build_job_key("jobs", "etl"), RUN.format(1))
    size = len(known.store.read_runs([key])[key].state)
    known.ingest([event("RUNNING", minute, [ORDERS], [MART], job_facets=facets) for minute in range(3, 300)])
    assert len(known.store.read_runs([key])[key].state) == size
    assert known.heads()[OUTPUT].last_observed == at(299)


def test_a_memory_forgets_when_it_contains_too_much() -> None:
    memory: BoundedCache[str, int] = BoundedCache(10)
    assert memory.keep("a", 1, 6) == 1
    memory.keep("b", 2, 4)
    assert (memory.get("a"), memory.get("b")) == (1, 2)
    memory.keep("c", 3, 100)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (None, None, 3)
