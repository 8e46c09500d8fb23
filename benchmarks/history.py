"""History: what runs with unchanged lineage leave in a store after compaction, and in a process that takes them in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import ingest
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import START
from benchmarks.memory import measure_settled
from benchmarks.meshes import Meshes, build_received, split_groups
from benchmarks.sizes import Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.base import Retention
from meshline.graph.store.sqlite import SqliteStore, connection
from meshline.graph.store.sqlite.maintenance import compact_file
from meshline.ingest.openlineage import builder
from meshline.ingest.openlineage.builder import BatchBuilder, find_run_age
from meshline.ingest.pipeline import Pipeline

ABOUT = """\
50 jobs run once an hour, each run with a START and a COMPLETE of 20 columns, and their lineage never changes. `left by a run`: the size of
the SQLite file after `store compact` with everything past its retention, less that after one round of the jobs, for each run; the goal
is 100 bytes. `compaction`: its processor time for each run, against that of ingesting the run. `resident`: the memory of a process that
takes in such events through the pipeline, after all of them against after the first fifth; the goal is that it stays. So that it shows
what grows, the caches that fill up to a bound (128 MiB of SQLite's pages, 64 MiB of runs) have 4 MiB each there."""

JOBS = 50
RUNS = {Size.TINY: 200, Size.QUICK: 10_000, Size.FULL: 100_000}
EVENTS = {Size.TINY: 500, Size.QUICK: 50_000, Size.FULL: 200_000}
GOAL = 100  # bytes
END = 2**61  # microseconds: after everything
GROUP = 500  # events of one commit
MICROSECONDS = 1_000_000
SMALL = 4 * 2**20  # bytes of a cache that is to be full soon


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    yield from measure_compaction(RUNS[size], meshes, size)
    yield measure_resident(EVENTS[size], meshes, size)


def build_rounds(first: int, rounds: int) -> Iterator[bytes]:
    """The events of some rounds, in order."""
    mesh = ingest.build_mesh(JOBS)
    events = [mesh.build_event(job) for job in list(mesh.jobs)[:JOBS]]
    encode = msgspec.json.Encoder().encode
    for number in range(first, first + rounds):
        for job, event in enumerate(events):
            begun = START + timedelta(hours=number, seconds=job, microseconds=number * 7919 * (job + 1) % 999_983)  # as clocks have it
            run = {"runId": f"{number:08x}-0000-4000-8000-{job:012x}", "facets": {}}
            yield encode({**event, "eventType": "START", "eventTime": begun.isoformat(), "run": run, "outputs": []})
            yield encode({**event, "eventTime": (begun + timedelta(seconds=31)).isoformat(), "run": run})


def measure_compaction(runs: int, meshes: Meshes, size: Size) -> Iterator[Figure]:
    path, small = meshes.open_fresh("history.db"), meshes.open_fresh("history-small.db")
    store, batches, ingested = SqliteStore(str(path)), BatchBuilder(Naming()), Spent()

    def take(bodies: Sequence[bytes]) -> None:
        parsed = build_received(batches, bodies)
        store.commit(lambda reader: batches.build_batch(parsed, reader)._replace(raw=()))  # as after their retention

    for bodies in split_groups(build_rounds(0, 1), GROUP):
        take(bodies)
    store.close()
    shutil.copyfile(path, small)
    store = SqliteStore(str(path))
    for bodies in split_groups(build_rounds(1, runs // JOBS), GROUP):
        ingested = ingested.add(measure_time(partial(take, bodies)))
    store.close()
    retention = Retention(observations=END, runs=END)
    base = compact_file(str(small), END, retention, find_run_age).after
    spent = measure_time(lambda: compact_file(str(path), END, retention, find_run_age))
    left = path.stat().st_size - base
    yield Figure(
        case=f"left by a run, of {runs:,}",
        unit="B",
        ours=left / runs,
        reference=GOAL,
        against="what it may leave",
        goal=None if size is Size.TINY else build_maximum(1),
        more={"file, bytes": path.stat().st_size},
    )
    yield Figure(
        case=f"compaction of {runs:,} runs",
        unit="us of processor a run",
        ours=spent.cpu / runs * MICROSECONDS,
        reference=ingested.cpu / runs * MICROSECONDS,
        against="ingest of the run",
        goal=None if size is Size.TINY else build_maximum(1),
    )


def measure_resident(events: int, meshes: Meshes, size: Size) -> Figure:
    """In a process of its own."""
    command = [sys.executable, "-m", "benchmarks.history", str(meshes.open_fresh("resident.db")), str(events)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parent.parent)
    first, last = map(int, answer.stdout.split())
    return Figure(
        case=f"resident after {events:,} repeated events",
        unit="MiB",
        ours=last / 2**20,
        reference=first / 2**20,
        against="after the first fifth",
        goal=None if size is Size.TINY else build_maximum(1.1),
    )


def run_main(path: str, events: int) -> None:
    """In the other process: resident bytes after the first fifth of the events, and after all."""
    compile_kernels()
    connection.WRITER_CACHE_KIB, builder.MAX_RUNS = 4096, SMALL
    live = LiveGraph.open(SqliteStore(path))
    pipeline = Pipeline(live, BatchBuilder(Naming()))
    part = max(1, events // 5 // (2 * JOBS))  # rounds
    sizes: list[int] = []
    for fifth in range(5):
        for bodies in split_groups(build_rounds(fifth * part, part), GROUP):
            for future in [pipeline.submit(body, wait=True) for body in bodies]:
                future.result()
        sizes.append(measure_settled("VmRSS"))
    pipeline.close()
    live.store.close()
    print(sizes[0], sizes[-1])


LIMITS = """\
Of what a run leaves, 20 bytes are the digest by which it is known for a year that it was dropped, and the rest times: about five bytes for
each of its statements. Dropping a run removes rows from four tables and their indexes, which is most of the cost of compaction."""

BENCHMARK = Benchmark("history", ABOUT, run, LIMITS)

if __name__ == "__main__":
    run_main(sys.argv[1], int(sys.argv[2]))
