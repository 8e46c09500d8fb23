"""Dropping old runs and packing what they stated changes no graph, as of whichever time, whatever comes afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_job_key
from meshline.graph.store.base import RUNS_SINCE, Batch, Retention, RunKey, RunReader, RunRole, Store
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, find_run_age
from tests.ingest.lineage_events import RUN, Event, Graph, build_dataset, build_event, ingest_each, ingest_groups, to_micros
from tests.ingest.test_openlineage_laws import events
from tests.sizes import count_examples

MINUTES = range(-1, 12)
JOB = build_job_key("jobs", "etl")


def prune(graph: Graph, minute: float, packed: float | None = None) -> int:
    retention = Retention(observations=to_micros(minute if packed is None else packed), runs=to_micros(minute))
    return graph.store.prune_history(retention, find_run_age).runs


def read_graphs(graph: Graph) -> list[Any]:
    """The whole graph of now and as of each time, with its times and what is stale, and the history of each scope."""
    live = LiveGraph.open(graph.store)
    dumps = [live.get_index(at).dump() for at in (None, *(to_micros(minute) for minute in MINUTES))]
    return [*dumps, read_intervals(graph.store)]


def read_intervals(store: Store) -> dict[object, object]:
    names = {head.scope_id: (head.source, head.scope) for head in store.read_changes(0).heads}
    found = store.read_history(list(names)).items()
    return {names[scope]: [(one[:3], one.observation.provisional, content.digest) for one, content in history] for scope, history in found}


def find_dropped(store: Store, keys: Iterable[RunKey]) -> set[RunKey]:
    found: set[RunKey] = set()

    def build(runs: RunReader) -> Batch:
        found.update(runs.find_dropped(keys))
        return Batch()

    store.commit(build)
    return found


def build_key(event: Event) -> RunKey | None:
    if "run" not in event:
        return None
    return RunKey(DEFAULT_SOURCE, build_job_key(event["job"]["namespace"], event["job"]["name"]), event["run"]["runId"])


def find_parent(event: Event) -> str | None:
    parent: str | None = event.get("run", {}).get("facets", {}).get("parent", {}).get("run", {}).get("runId")
    return parent


steps = st.lists(st.lists(events, min_size=1, max_size=4) | st.integers(1, 8), min_size=2, max_size=6)


@settings(
    max_examples=count_examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
@given(steps, st.randoms(use_true_random=False))
def test_pruning_changes_no_graph(steps: list[list[Event] | int], chance: random.Random) -> None:
    check_pruning_changes_no_graph(ingest_groups(), steps, chance)


def check_pruning_changes_no_graph(pruned: Graph, steps: list[list[Event] | int], chance: random.Random) -> int:
    """Both graphs, of which the given one is empty, get the same events: any, at any time, but of runs that were dropped and of their
    siblings. Returns the number of dropped runs.
    """
    whole = ingest_groups()
    parents: dict[RunKey, set[str]] = {}
    for step in steps:
        if isinstance(step, int):
            prune(pruned, step, chance.choice([step, step, 1, 9]))
            assert read_graphs(pruned) == read_graphs(whole)
            continue
        gone = find_dropped(pruned.store, parents)
        lost = {parent for key in gone for parent in parents[key]}
        group = [event for event in step if build_key(event) not in gone and find_parent(event) not in lost]
        for event in group:
            if (key := build_key(event)) is not None:
                parents.setdefault(key, set()).update(filter(None, [find_parent(event)]))
        if group:
            pruned.ingest(group)
            whole.ingest(group)
    assert read_graphs(pruned) == read_graphs(whole)
    return len(find_dropped(pruned.store, parents))


def build_rounds(number: int, *, job: str = "etl", first: int = 0) -> list[Event]:
    """Runs with the same lineage, one a minute."""
    return [
        build_event(kind, minute + (kind == "COMPLETE") / 2, [build_dataset("a")], [build_dataset("b")], job=job, run=first + minute)
        for minute in range(1, number)
        for kind in ("START", "COMPLETE")
    ]


def list_runs(graph: Graph) -> list[str]:
    return [stored.run.key.run_id for stored in graph.store.list_runs([JOB], RunRole.JOB)]


def test_only_the_newest_run_of_unchanged_lineage_stays() -> None:
    check_only_the_newest_run_stays(ingest_groups())


def check_only_the_newest_run_stays(graph: Graph) -> None:
    """`graph` is empty."""
    graph.ingest(*([event] for event in build_rounds(9)))
    whole = ingest_each(*build_rounds(9))
    assert prune(graph, 20) == 7
    assert list_runs(graph) == [RUN.format(8)]
    assert prune(graph, 100) == 0
    assert graph.store.read_setting(RUNS_SINCE) == str(to_micros(7) + 1)
    assert read_graphs(graph) == read_graphs(whole)
    assert graph.store.read_event_counts(0, 2**60) == {}


def test_late_events_of_dropped_runs_change_nothing() -> None:
    """Nor does the end of one, of which only a part would be known again; but the event is kept."""
    graph = ingest_each(*build_rounds(9))
    prune(graph, 20)
    before = read_graphs(graph)
    late = [
        build_event("COMPLETE", 3.5, [build_dataset("a")], [build_dataset("b")], run=3),
        build_event("COMPLETE", 30, [], [build_dataset("b")], run=4),
        build_event("FAIL", 5.6, [], [build_dataset("c")], run=5),
    ]
    graph.ingest(late)
    assert read_graphs(graph) == before
    assert list_runs(graph) == [RUN.format(8)]
    assert len(graph.store.read_raw_events(limit=100)) == 19


def test_a_late_failure_of_a_stored_run_withdraws_what_it_stated() -> None:
    graph, whole = ingest_each(*build_rounds(9)), ingest_each(*build_rounds(9))
    prune(graph, 4, packed=20)
    assert list_runs(graph) == [RUN.format(run) for run in (8, 7, 6, 5, 4)]
    for each in (graph, whole):
        each.ingest([build_event("FAIL", 8.7, run=8)], [build_event("FAIL", 5.7, run=5)])
    assert read_graphs(graph) == read_graphs(whole)
    prune(graph, 30)
    assert list_runs(graph) == [RUN.format(run) for run in (8, 7)]  # the newest, and the one whose statement is active
    assert read_graphs(graph) == read_graphs(whole)


def test_a_late_run_between_packed_times_splits_the_history() -> None:
    other = build_event("COMPLETE", 4.25, [build_dataset("x")], [build_dataset("b")], run=20)
    graph, whole = ingest_each(*build_rounds(9)), ingest_each(*build_rounds(9))
    prune(graph, 20)
    for each in (graph, whole):
        each.ingest([other])
    assert read_graphs(graph) == read_graphs(whole)
    assert [flow.start.parts[1] for flow in graph.read_output_facts("b", as_of=to_micros(4.4)).flows] == ["x"]


def test_an_open_run_stays_while_it_is_the_newest() -> None:
    graph = ingest_each(*build_rounds(5), build_event("START", 6, [build_dataset("a")], [build_dataset("b")], run=6))
    prune(graph, 20)
    assert list_runs(graph) == [RUN.format(6), RUN.format(4)]
    graph.ingest([build_event("COMPLETE", 25, [build_dataset("a")], [build_dataset("b")], run=6)])
    prune(graph, 20)
    assert list_runs(graph) == [RUN.format(6)]
