"""Laws 1 to 3 (semantics) on OpenLineage events, through a real store."""

from __future__ import annotations

import json
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.ingest.openlineage.events import EventParser, RunEvent
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.openlineage.run_state import decode_state, encode_state, join_states, merge_events
from tests.ingest.lineage_events import (
    CLOCK,
    Event,
    Graph,
    build_dataset,
    build_event,
    build_lineage_facet,
    build_schema_facet,
    build_source_field,
    ingest_groups,
    read_observable_state,
    to_micros,
)
from tests.sizes import count_examples

NAMES = ["a", "b", "A", "x.b"]
COLUMNS = ["id", "v", "_file"]
TRANSFORMATIONS = ["DIRECT/IDENTITY", "INDIRECT/JOIN", "INDIRECT/FILTER", "INDIRECT/CONDITIONAL"]

sources = st.builds(
    lambda name, column, how: build_source_field(name, column, *how),
    st.sampled_from([*NAMES, "cte"]),
    st.sampled_from(COLUMNS),
    st.lists(st.sampled_from(TRANSFORMATIONS), max_size=2),
)
lineages = st.builds(
    lambda fields, whole: build_lineage_facet(whole, **fields),
    st.dictionaries(st.sampled_from(["id", "v", "w"]), st.lists(sources, max_size=3), max_size=3),
    st.lists(sources, max_size=1),
)
feeding = st.fixed_dictionaries({"type": st.just("DATASET"), "namespace": st.just("db"), "name": st.sampled_from(NAMES)})
explicit = st.builds(
    lambda names, fields: {"inputs": [{"type": "DATASET", "namespace": "db", "name": n} for n in names], "fields": fields},
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.dictionaries(
        st.sampled_from(["id", "v"]),
        st.fixed_dictionaries({"inputs": st.lists(feeding, max_size=1)}),
        max_size=1,
    ),
)
symlinks = st.builds(lambda name: {"identifiers": [{"namespace": "cat", "name": name, "type": "TABLE"}]}, st.sampled_from(["t", "u"]))
lifecycles = st.sampled_from(
    [
        {"lifecycleStateChange": "DROP"},
        {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": "db", "name": "old"}},
        {"lifecycleStateChange": "CREATE"},
    ]
)
facets = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.builds(lambda names: build_schema_facet(*names), st.lists(st.sampled_from(["id", "v", "w"]), max_size=2)),
        "symlinks": symlinks,
        "documentation": st.sampled_from([{"description": "one"}, {"description": "two"}, {"_deleted": True}, "bad"]),
        "ownership": st.sampled_from([{"owners": [{"name": "team:a"}]}, {"owners": 3}]),
        "lifecycleStateChange": lifecycles,
        "unknown": st.sampled_from([{"k": 1}, {"k": 2}]),
    },
)
inputs = st.builds(lambda name, f: build_dataset(name, **f), st.sampled_from(NAMES), facets)
outputs = st.builds(
    lambda name, f, c: build_dataset(name, **{**f, **c}),
    st.sampled_from(NAMES),
    facets,
    st.fixed_dictionaries({}, optional={"columnLineage": lineages, "lineage": explicit}),
)
run_events = st.builds(
    build_event,
    st.sampled_from(["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL", "ABORT", "OTHER", None]),
    st.integers(0, 6),
    st.lists(inputs, max_size=2),
    st.lists(outputs, max_size=2),
    job=st.sampled_from(["etl", "copy"]),
    run=st.integers(1, 3),
    parent=st.sampled_from([None, 1, 1, 2]),
    job_facets=st.sampled_from([{}, {}, {"jobType": {"processingType": "STREAMING", "integration": "X"}}, {"sql": {"query": "select 1"}}]),
)


def to_job_event(of: Event) -> Event:
    return {key: value for key, value in of.items() if key not in {"run", "eventType"}}


def to_dataset_event(of: Event, dataset: Event) -> Event:
    return {"eventTime": of["eventTime"], "dataset": dataset}


events = st.one_of(run_events, run_events, run_events, run_events.map(to_job_event), st.builds(to_dataset_event, run_events, outputs))
TIMES = [to_micros(minute) for minute in range(7)]


@settings(max_examples=count_examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(events, max_size=9), st.randoms(use_true_random=False))
def test_order_repetition_and_batching_do_not_matter(history: list[Event], chance: random.Random) -> None:
    check_any_order(history, chance)


def check_any_order(history: list[Event], chance: random.Random) -> None:
    other = [*history, *chance.sample(history, len(history) // 2)]
    chance.shuffle(other)
    groups = []
    while other:
        size = chance.randint(1, len(other))
        groups.append(other[:size])
        other = other[size:]
    one = ingest_groups(*[[item] for item in history])
    two = ingest_groups(*groups)
    assert read_observable_state(one.store, TIMES) == read_observable_state(two.store, TIMES)


siblings = st.builds(
    lambda kind, minute, job, run, parent, covers: build_event(
        kind,
        minute,
        [build_dataset("a")],
        [build_dataset("b", **({"columnLineage": build_lineage_facet(id=[build_source_field("a", "id")])} if covers else {}))],
        job=job,
        run=run,
        parent=parent,
    ),
    st.sampled_from(["START", "COMPLETE", "FAIL"]),
    st.integers(0, 6),
    st.sampled_from(["etl", "copy"]),
    st.integers(1, 3),
    st.sampled_from([None, 1, 1, 1, 1, 2]),
    st.booleans(),
)


@settings(max_examples=count_examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(siblings, max_size=8), st.randoms(use_true_random=False))
def test_siblings_know_of_each_other_in_any_order(history: list[Event], chance: random.Random) -> None:
    check_any_order(history, chance)


@settings(max_examples=count_examples(50), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(events, max_size=6))
def test_known_statements_change_nothing(history: list[Event]) -> None:
    known = ingest_groups(history)
    before = read_observable_state(known.store, TIMES)
    known.ingest(history)
    assert read_observable_state(known.store, TIMES) == before


@settings(max_examples=count_examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(run_events, max_size=6))
def test_the_same_run_a_day_later_moves_only_times(history: list[Event]) -> None:
    """Law 3, for unchanged content: a rename alone is a new fact each time, as its time is part of its content."""
    first = [{**item, "run": {**item["run"], "runId": "one"}, "job": {**item["job"], "name": "etl"}} for item in history]
    second = [
        {**item, "run": {**item["run"], "runId": "two"}, "eventTime": item["eventTime"].replace("2023-11-14", "2023-11-15")}
        for item in first
    ]
    known = ingest_groups(first)
    before, run_scopes = list_contents(known), {head.scope for head in known.read_heads().values() if not head.provisional}
    known.ingest(second)
    after = list_contents(known)
    assert {scope: digest for scope, digest in after.items() if scope in run_scopes} == {
        scope: digest for scope, digest in before.items() if scope in run_scopes
    }
    assert after.keys() == before.keys()


def shift_by_a_day(time: str) -> str:
    return time.replace("2023-11-14", "2023-11-15")


def list_contents(known: Graph) -> dict[tuple[str, ...], bytes]:
    return {scope: head.content.digest for scope, head in known.read_heads().items() if head.content and scope[0] != "dataset-renamed"}


@settings(max_examples=count_examples(200), deadline=None)
@given(st.lists(run_events, min_size=3, max_size=3))
def test_run_state_is_a_semilattice(history: list[Event]) -> None:
    reader = FacetReader()
    parser = EventParser(reader)
    parsed = [parser.parse(json.dumps(e).encode(), CLOCK) for e in history]
    a, b, c = (merge_events(None, [e]) for e in parsed if isinstance(e, RunEvent))
    assert encode_state(join_states(a, b)) == encode_state(join_states(b, a))
    assert encode_state(join_states(a, join_states(b, c))) == encode_state(join_states(join_states(a, b), c))
    assert encode_state(join_states(a, a)) == encode_state(a)
    assert decode_state(encode_state(a)) == a
