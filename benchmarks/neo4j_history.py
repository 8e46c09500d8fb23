"""History in Neo4j: what runs with unchanged lineage leave in the database once they are dropped and packed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import START
from benchmarks.history import GOAL, GROUP, JOBS, MICROSECONDS, build_rounds
from benchmarks.meshes import Meshes, build_received, split_groups
from benchmarks.sizes import Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.model import to_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Retention, RunReader
from meshline.graph.store.neo4j import Neo4jStore
from meshline.ingest.openlineage.builder import BatchBuilder, find_run_age

ABOUT = """\
The runs of `history` in a store in Neo4j, without their events: 50 jobs run once an hour, each run with a START and a COMPLETE of 20
columns, and their lineage never changes. After each tenth of them, what is past its retention is dropped and packed: everything but the
newest run of each job. `left by a run`: what the files of the database have grown by from the fifth tenth to the last, with the
server stopped, for each run; Neo4j uses the room of what was dropped for what comes, and gives none back. The goal is 100 bytes.
`compaction`: this process's time of the processor for each run, against that of ingesting it."""

RUNS = {Size.TINY: 1_000, Size.QUICK: 10_000, Size.FULL: 100_000}
PARTS = 10
BASE = 5  # parts after which the database is measured first: then there is room of what was dropped


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    url, runs = meshes.open_neo4j(fresh=True), RUNS[size]
    rounds = runs // JOBS // PARTS
    ingested, packed = Spent(), Spent()
    sizes: list[int] = []
    for part in range(PARTS):
        with closing(Neo4jStore(url)) as store:
            ingested = ingested.add(measure_time(partial(ingest_rounds, store, part * rounds, rounds)))
            before = to_micros(START + timedelta(hours=(part + 1) * rounds))
            packed = packed.add(measure_time(partial(store.prune_history, Retention(observations=before, runs=before), find_run_age)))
        if part + 1 in (BASE, PARTS):
            sizes.append(meshes.measure_neo4j())
    yield Figure(
        case=f"left by a run, of {runs:,}",
        unit="B",
        ours=max(1, sizes[1] - sizes[0]) / (runs * (PARTS - BASE) / PARTS),
        reference=GOAL,
        against="what it may leave",
        goal=None if size is Size.TINY else build_maximum(1),
        more={"files, bytes": sizes[1]},
    )
    yield Figure(
        case=f"compaction of {runs:,} runs",
        unit="us of processor a run",
        ours=packed.cpu / runs * MICROSECONDS,
        reference=ingested.cpu / runs * MICROSECONDS,
        against="ingest of the run",
        goal=None if size is Size.TINY else build_maximum(1),
        more={"seconds by the clock": round(packed.wall, 1)},
    )


def ingest_rounds(store: Neo4jStore, first: int, rounds: int) -> None:
    batches = BatchBuilder(Naming())
    for bodies in split_groups(build_rounds(first, rounds), GROUP):
        parsed = build_received(batches, bodies)

        def build(reader: RunReader) -> Batch:
            return batches.build_batch(parsed, reader)._replace(raw=())  # noqa: B023 - called at once; as after their retention

        store.commit(build)


LIMITS = """\
A run leaves four times of about six bytes, 128 of them in a node, and the ten bytes by which it is known for a year that it was dropped, a
hundred runs in a node. The rest is indexes and Neo4j's lists of free records. Neo4j takes most of the time of compaction, for it deletes
eight nodes with their entries in indexes for each run."""

BENCHMARK = Benchmark("neo4j-history", ABOUT, run, LIMITS)
