"""Loading: the index from SQLite, against reading the same rows raw."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import Spent, find_best, measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.index_file import Snapshots
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The index of a whole mesh, from the store in SQLite until it answers (`LiveGraph.open`). The reference runs the query that gives
the same rows (`all_heads`) and fetches them as they are, nothing decompressed or decoded. The best of several rounds; the file is
in the system's cache.

*Kept*: the same from the file in which the index is kept for the next start, in milliseconds of the processor, against loading it from
the store, both with the store open. *Locked*: how long queries wait while the arrays are copied into that file."""

ROUNDS = {Size.TINY: 1, Size.QUICK: 5, Size.FULL: 3}


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    costs = []
    for shape in SHAPES[size]:
        path, mesh = meshes.store(shape), build_mesh(shape)
        ours, reference = find_best([partial(load_graph, path), partial(read_store, path)], ROUNDS[size])
        costs.append(ours.cpu / mesh.columns * 1e6)
        yield Figure(
            case=f"{mesh.columns:,} columns, {mesh.edges:,} column edges",
            unit="ms",
            ours=ours.wall * 1000,
            reference=reference.wall * 1000,
            against="the rows as they are",
            goal=build_maximum(8),
            more={"MiB of the file": round(path.stat().st_size / 2**20, 1)},
        )
    for shape in SHAPES[size]:
        yield from measure_kept(meshes, shape, ROUNDS[size])
    yield Figure(
        case="growth of the cost",
        unit="µs of processor a column",
        ours=costs[-1],
        reference=costs[0],
        against=f"{SHAPES[size][0].columns:,} columns; ours {SHAPES[size][-1].columns:,}",
        goal=build_maximum(2),
    )


def measure_kept(meshes: Meshes, shape: Shape, rounds: int) -> Iterator[Figure]:
    mesh, path = build_mesh(shape), meshes.copy(shape, "kept.db")
    kept = Snapshots(meshes.open_fresh("kept.db.index"))
    with closing(SqliteStore(str(path))) as store:
        live = LiveGraph.open(store)
        locked: list[Spent] = []
        assert kept.write(store, live.index, live.titles, lambda copy: locked.append(measure_time(copy)))
        mapped, loaded = find_best([partial(kept.restore, store, live.precedence), partial(LiveGraph.open, store)], rounds)
    yield Figure(
        case=f"kept: {mesh.columns:,} columns",
        unit="ms of processor",
        ours=mapped.cpu * 1000,
        reference=loaded.cpu * 1000,
        against="loading from the store",
        goal=build_maximum(0.1),
        more={
            "MiB of the file": round(kept.path.stat().st_blocks * 512 / 2**20, 1),
            "locked, ms of processor": round(locked[0].cpu * 1000, 1),
        },
    )


def load_graph(path: Path) -> None:
    store = SqliteStore(str(path))
    LiveGraph.open(store)
    store.close()


# The rows that loading reads, without their checksums.
ROWS = """
SELECT head.scope_id, source, scope, observed_at, valid_from, last_observed, label, provisional, digest, deflated, blob
FROM head
LEFT JOIN scope USING (scope_id)
LEFT JOIN label ON label_id = version_id
LEFT JOIN content USING (content_id)
WHERE head.content_id > 0
ORDER BY head.scope_id
"""


def read_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    cursor = connection.execute(ROWS)
    while cursor.fetchmany(1000):
        pass
    connection.close()


LIMITS = """\
Of a million columns' 2.5 s (3.1 of processor), 0.6 go into opening the file, whose whole it checks; then two threads work, on two cores
if there are. One reads, 1.2 s alone: a fifth is SQLite, the rest inflating each content by itself and checking digests and checksums.
The other makes the tables, without an object for each column, 1.1 s alone: three quarters are the kernel that reads contents (which waits
for memory: every name and column is looked up in tables that are larger than the processor's cache) and Python for each scope: hashes of
jobs and runs, and what kind it is. Both do half of that in the interpreter, one at a time. Next to try: the parts of a scope in columns
of their own, so that nothing is parsed or hashed for it. Starts rarely load so: what is kept is mapped, and most of the time that takes
compares checksums."""

BENCHMARK = Benchmark("loading", ABOUT, run, LIMITS)
