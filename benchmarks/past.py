"""As-of questions: the first one of a time, the next one, what a past graph takes in memory, and writes beside users at ten times."""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.closures import key_of
from benchmarks.concurrency import Measured, build_request, send_all, send_writes, serve
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import START, Mesh
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
the present graph and what a past one has for itself, against the present ones alone. *Writes*: `meshline serve` with the store, 8
connections on each of which a new event is sent 50 ms after the last was answered, and ten more of users who ask for the impact of a
column as of a time of their own, each 200 ms after the last answer. Milliseconds of a write at the 99th of 100, beside the users from
their first question on, against alone, by the clock; in one process, and with a reader."""

ROUNDS = {Size.TINY: 1, Size.QUICK: 5, Size.FULL: 5}
GOAL_MS = 1_000.0
CHANGED = 20  # one job in so many
EVERY = 1_000  # columns asked about: the one that is read most, and of the others that are read one in so many
ASKED = 30
TIMES = 10
SECONDS = {Size.TINY: 1.0, Size.QUICK: 15.0, Size.FULL: 40.0}
WARM_SECONDS = {Size.TINY: 0.2, Size.QUICK: 2.0, Size.FULL: 5.0}
WRITER_PAUSE, USER_PAUSE = 0.05, 0.2  # seconds between an answer and the next request
IMPACT = "query($id: ID!, $at: DateTime) { impact(of: [$id], asOf: $at) { total byReach { key count } } }"
AGAIN = (b"STORE_UNAVAILABLE", b"QUEUE_FULL", b"LIMIT_EXCEEDED")  # answers while the graph of the time is made, or others wait for theirs
LATER = 2  # the day of events that are written beside
GROUP = 200
NOON = timedelta(hours=12)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPES[size][-1]
    mesh, path = build_mesh(shape), meshes.copy(shape, "past.db")
    ids = list_asked(mesh)
    with closing(SqliteStore(str(path))) as store:
        fill_second_day(store, mesh)
        yield from measure_index(open_kept(store, meshes), size, ids)
    for readers in (0, 1):
        yield measure_writes(path, readers, size, ids)


def measure_index(live: LiveGraph, size: Size, ids: Sequence[str]) -> Iterator[Figure]:
    times, rounds = (to_micros(START + NOON) + number for number in itertools.count()), ROUNDS[size]
    first, loaded = find_best([lambda: live.get_index(next(times)), partial(load_past, live.store, to_micros(START + NOON))], rounds)
    yield Figure(
        case=f"first question of a time, {live.index.changes.measure_size().columns:,} columns",
        unit="ms of processor",
        ours=first.cpu * 1000,
        reference=loaded.cpu * 1000,
        against="loading the graph of the time",
        goal=None if size is Size.TINY else build_maximum(GOAL_MS / (loaded.cpu * 1000)),
    )
    past = live.get_index(next(times))
    then, now = find_best([partial(ask, past, ids), partial(ask, live.index, ids)], rounds)
    yield Figure(
        case="next question", unit="ms of processor", ours=then.cpu * 1000, reference=now.cpu * 1000, against="now", goal=build_maximum(3)
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


def ask(index: LineageIndex, ids: Sequence[str]) -> None:
    for id_ in ids:
        node = index.assets.find(id_)
        assert node is not None
        index.lineage.traverse([node], Direction.DOWNSTREAM)


def measure_writes(store: Path, readers: int, size: Size, ids: Sequence[str]) -> Figure:
    times = [START + NOON + timedelta(minutes=number) for number in range(TIMES)]
    with serve(store, readers) as port, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as clients:

        def write(seconds: float, seed: int) -> Future[Measured]:
            return clients.submit(send_writes, port, seconds, seed, LATER, WRITER_PAUSE)

        write(WARM_SECONDS[size], 30).result()
        alone = write(SECONDS[size], 31).result()
        asking = clients.submit(send_past_questions, port, SECONDS[size], ids, times)
        beside, asked = write(SECONDS[size], 32).result(), asking.result()
    return Figure(
        case=f"writes beside ten times, {'readers' if readers else 'one process'}",
        unit="ms",
        ours=beside.find(99),
        reference=alone.find(99),
        against="alone",
        goal=build_maximum(2) if readers else None,
        more={
            "median": round(beside.find(50), 1),
            "alone": round(alone.find(50), 1),
            "questions": len(asked.times),
            "median question": round(asked.find(50), 1),
            "longest question": round(asked.find(100)),
        },
    )


def send_past_questions(port: int, seconds: float, ids: Sequence[str], times: Sequence[datetime]) -> Measured:
    """Impacts as of times, each time over a connection of its own, for so long."""
    return asyncio.run(send_all(port, seconds, [_build_user(ids, at.isoformat()) for at in times], USER_PAUSE))


def _build_user(ids: Sequence[str], at: str) -> Callable[[bytes], bytes]:
    turns = itertools.cycle(ids)

    def build(answer: bytes) -> bytes:
        if answer and not any(word in answer for word in (b'"total"', *AGAIN)):
            raise RuntimeError(answer[:1000].decode())
        return build_request("/graphql", json.dumps({"query": IMPACT, "variables": {"id": next(turns), "at": at}}).encode())

    return build


LIMITS = """\
Of the first question half is reading the times of all statements from the store, a third replacing the statements that were different.
The first impact also prepares what an impact now has already. Graphs of past times are made one after the other, so the tenth of ten users
waits for nine others; and in a process without readers a write shares the interpreter with them. With a reader, writes take 1.4 to 2.1
times as long on two processors, from run to run: the reader that makes graphs has one of them. Next to try: making them with less priority
than answers."""

BENCHMARK = Benchmark("as-of", ABOUT, run, LIMITS)
