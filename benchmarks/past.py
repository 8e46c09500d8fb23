"""As-of questions: the first one of a time, the next one, what a past graph takes in memory, and commits beside ten times in turn."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from time import perf_counter

import msgspec
import numpy as np

from benchmarks.closures import key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import START, Mesh
from benchmarks.ingest import build_mesh as build_events_mesh
from benchmarks.meshes import Meshes, build_mesh, build_received, split_groups
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best
from meshline.graph.index import Direction
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index_file import Snapshots
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import to_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder

ABOUT = """\
A mesh that was observed on two days: on the second all of it again, and one job in twenty with other columns and other lineage. The index
is kept in a file; questions are as of the noon between. *First*: the graph of a new time, in milliseconds of the processor, against
loading it from all contents (`LineageIndex.load`). *Next*: the impacts of 31 columns, against the same ones now. *Memory*: the arrays of
the present graph and what a past one has for itself, against the present ones alone. *Commits*: the median time of a commit of 20 new
events by the clock, while one of ten new times after another is asked for, against alone, in one process."""

ROUNDS = {Size.TINY: 1, Size.QUICK: 5, Size.FULL: 5}
SECOND = 1_000.0  # ms
CHANGED = 20  # one job in so many
EVERY = 1_000  # columns asked about: the one that is read most, and of the others that are read one in so many
ASKED = 30
TIMES = 10
COMMITS = {Size.TINY: 3, Size.QUICK: 60, Size.FULL: 200}
GROUP = 200
NOON = timedelta(hours=12)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape, rounds = SHAPES[size][-1], ROUNDS[size]
    mesh, path = build_mesh(shape), meshes.copy(shape, "past.db")
    with closing(SqliteStore(str(path))) as store:
        fill_second_day(store, mesh)
        live = open_kept(store, meshes)
        times = (to_micros(START + NOON) + number for number in itertools.count())
        first, loaded = find_best([lambda: live.get_index(next(times)), partial(load_past, store, to_micros(START + NOON))], rounds)
        yield Figure(
            case=f"first question of a time, {mesh.columns:,} columns",
            unit="ms of processor",
            ours=first.cpu * 1000,
            reference=loaded.cpu * 1000,
            against="loading the graph of the time",
            goal=None if size is Size.TINY else build_maximum(SECOND / (loaded.cpu * 1000)),
        )
        past = live.get_index(next(times))
        ids = list_asked(mesh)
        then, now = find_best([partial(ask, past, ids), partial(ask, live.index, ids)], rounds)
        yield Figure(
            case="next question",
            unit="ms of processor",
            ours=then.cpu * 1000,
            reference=now.cpu * 1000,
            against="now",
            goal=build_maximum(3),
        )
        present = live.index.changes.count_bytes()
        yield Figure(
            case="memory with a past time",
            unit="MiB",
            ours=(present + past.count_private_bytes()) / 2**20,
            reference=present / 2**20,
            against="the present graph alone",
            goal=None if size is Size.TINY else build_maximum(1.4),
        )
        yield measure_commits(live, times, COMMITS[size])


def fill_second_day(store: Store, mesh: Mesh) -> None:
    batches = BatchBuilder(Naming())
    for bodies in split_groups(build_second_day(mesh), GROUP):
        commit_events(store, batches, bodies)


def build_second_day(mesh: Mesh) -> Iterator[bytes]:
    """The events of another run of each job. Of some, the first column has another type, and the last one lacks an input."""
    encode = msgspec.json.Encoder().encode
    for job in mesh.jobs:
        event = mesh.build_event(job, 1)
        if job % CHANGED == 0:
            facets = event["outputs"][0]["facets"]
            facets["schema"]["fields"][0]["type"] = "int"
            for field in [*facets.get("columnLineage", {"fields": {}})["fields"].values()][-1:]:
                del field["inputFields"][:1]
        yield encode(event)


def commit_events(store: Store | LiveGraph, batches: BatchBuilder, bodies: list[bytes]) -> None:
    parsed = build_received(batches, bodies)
    store.commit(lambda runs: batches.build_batch(parsed, runs)._replace(raw=()))


def open_kept(store: Store, meshes: Meshes) -> LiveGraph:
    """A graph that was mapped from its file, as of a server that has started again."""
    kept = Snapshots(meshes.open_fresh("past.db.index"))
    live = LiveGraph.open(store, snapshots=kept)
    live.index.prepare_ids()
    assert kept.write(store, live.index, live.titles, lambda copy: copy())
    return LiveGraph.open(store, snapshots=kept)


def load_past(store: Store, as_of: int) -> LineageIndex:
    return LineageIndex.load(store.iterate_heads(as_of), store.read_revision(), as_of)


def list_asked(mesh: Mesh) -> list[str]:
    read = np.unique(mesh.start)
    hub = int(np.argmax(np.bincount(mesh.start)))
    return [key_of(mesh, column).id for column in [hub, *read[:: max(1, min(EVERY, len(read) // ASKED))][:ASKED].tolist()]]


def ask(index: LineageIndex, ids: list[str]) -> None:
    for id_ in ids:
        node = index.assets.find(id_)
        assert node is not None
        index.lineage.traverse([node], Direction.DOWNSTREAM)


def measure_commits(live: LiveGraph, times: Iterator[int], commits: int) -> Figure:
    batches = BatchBuilder(Naming())
    groups = list(split_groups(build_events_mesh(2 * commits * 20, 99).build_events(day=2), 20))
    alone = [commit_timed(live, batches, bodies) for bodies in groups[:commits]]
    wanted, ended, answered = [next(times) for _ in range(TIMES)], threading.Event(), 0

    def ask_in_turn() -> None:
        nonlocal answered
        for at in itertools.cycle(wanted):
            if ended.is_set():
                return
            live.get_index(at)
            answered += 1

    asking = threading.Thread(target=ask_in_turn)
    asking.start()
    beside = [commit_timed(live, batches, bodies) for bodies in groups[commits : 2 * commits]]
    ended.set()
    asking.join()
    return Figure(
        case="commits beside ten times in turn",
        unit="ms",
        ours=float(np.median(beside)),
        reference=float(np.median(alone)),
        against="alone",
        more={"longest": round(max(beside), 1), "longest alone": round(max(alone), 1), "answered": answered},
    )


def commit_timed(live: LiveGraph, batches: BatchBuilder, bodies: list[bytes]) -> float:
    """Milliseconds by the clock."""
    begun = perf_counter()
    commit_events(live, batches, bodies)
    return (perf_counter() - begun) * 1000


LIMITS = """\
Of the first question half is reading the times of all statements from the store, a third replacing the statements that were different.
Graphs of past times are made one after the other, so the tenth of ten users waits for nine others; and in a process without readers a
commit shares the interpreter with them."""

BENCHMARK = Benchmark("as-of", ABOUT, run, LIMITS)
