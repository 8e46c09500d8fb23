"""Churn: what comes and goes without end costs at the end what it costs at first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.meshes import Meshes, build_received
from benchmarks.sizes import Size
from benchmarks.timing import measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder

ABOUT = """\
What comes and goes for ever: tables that a job makes and drops, each of a name of its own; one table that is made and dropped again
and again; one table that is renamed again and again, and two that are exchanged again and again; and rounds of 50 jobs of which all events
have one time, as a scheduler gives it. Committed and in the index, a table or a round at a time, in the time of the processor: the last
fifth against the first, after each of 50 jobs has run once. The goal is that history does not cost."""
LIMITS = """\
A rename moves the few members that join or leave the class of its table, and looks for the place of each in the class, which takes a few
nanoseconds for each past name. Where columns were renamed, too, the meaning of their names is computed for all members of the class.
An exchange is three renames. What parts a class in two that both have more than 64 members, as what is withdrawn or late may, and what
comes to a table that more than 64 statements join with others, computes the class as a whole (`Identity._recompute_classes`):
microseconds for each past name."""

TIMES = {Size.TINY: 25, Size.QUICK: 1_000, Size.FULL: 20_000}
JOBS = 50
SCHEMA = {"fields": [{"name": f"c{n}", "type": "int"} for n in range(5)]}

Event = dict[str, Any]
Commits = Callable[[int], list[list[Event]]]  # what is committed for one table or round, event by event


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    del meshes
    compile_kernels()
    cases: list[tuple[str, Commits, int]] = [
        ("a table of its own name is made and dropped", lambda at: _create_and_drop(f"tmp{at}", at), TIMES[size]),
        ("a table of one name is made and dropped", lambda at: _create_and_drop("tmp", at), TIMES[size] // 5),
        ("a table is renamed", lambda at: [[_rename(f"t{at}", f"t{at + 1}", at)]], TIMES[size] // 5),
        ("two tables are exchanged", _exchange, TIMES[size] // 5),
        (f"{JOBS} jobs of one time", _build_round, TIMES[size] // 5),
    ]
    for case, commits, times in cases:
        early, late = _measure_costs(commits, times)
        yield Figure(
            case=case,
            unit="ms of processor",
            ours=late * 1000,
            reference=early * 1000,
            against="the first fifth",
            goal=None if size is Size.TINY else build_maximum(1.5),
            more={"times": times},
        )


def _measure_costs(commits: Commits, times: int) -> tuple[float, float]:
    """Seconds for each of the first fifth, and of the last."""
    live, builder = LiveGraph.open(SqliteStore()), BatchBuilder(Naming())

    def commit(events: Sequence[Event]) -> None:
        parsed = build_received(builder, [json.dumps(event).encode() for event in events])
        live.commit(lambda runs: builder.build_batch(parsed, runs))

    def commit_all(span: range) -> None:
        for at in span:
            for events in commits(at):
                commit(events)

    commit_all(range(JOBS))  # until each job has stated something: from then on, nothing but history grows
    part = times // 5
    begins = range(JOBS, JOBS + 5 * part, part)
    seconds = [measure_time(partial(commit_all, range(begin, begin + part))).cpu / part for begin in begins]
    live.store.close()
    return seconds[0], seconds[-1]


def _create_and_drop(name: str, at: int) -> list[list[Event]]:
    made = _build_event(at, 2 * at, name, {"schema": SCHEMA})
    return [[made], [_build_event(at, 2 * at + 1, name, {"lifecycleStateChange": {"lifecycleStateChange": "DROP"}})]]


def _exchange(at: int) -> list[list[Event]]:
    return [[_rename("a", "between", 3 * at)], [_rename("b", "a", 3 * at + 1)], [_rename("between", "b", 3 * at + 2)]]


def _rename(old: str, new: str, second: int) -> Event:
    lifecycle = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": "db", "name": old}}
    return _build_event(second, second, new, {"schema": SCHEMA, "lifecycleStateChange": lifecycle})


def _build_round(at: int) -> list[list[Event]]:
    return [[_build_event(job, at, f"out{job}", {"schema": SCHEMA}, run=f"{job}-{at}") for job in range(JOBS)]]


def _build_event(job: int, second: int, output: str, facets: Event, run: str = "") -> Event:
    return {
        "eventTime": f"2026-01-{1 + second // 86_400:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",
        "eventType": "COMPLETE",
        "run": {"runId": run or f"{job}-{second}"},
        "job": {"namespace": "churn", "name": f"job{job % JOBS}"},
        "inputs": [{"namespace": "db", "name": "source", "facets": {"schema": {"fields": [{"name": "id", "type": "int"}]}}}],
        "outputs": [{"namespace": "db", "name": output, "facets": facets}],
    }


BENCHMARK = Benchmark("churn", ABOUT, run, LIMITS)
