"""Increments: one event's change into the index of a mesh, until it can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks import ingest
from benchmarks.closures import find_node
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Mesh
from benchmarks.meshes import Meshes, build_mesh, build_received
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import measure_time
from meshline.graph.index import Direction, LineageIndex
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.base import Changes
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder

ABOUT = """\
What one event of 20 new columns with column lineage changes in the index of a mesh (`LineageIndex.changes.apply`, which is done before the
event is acknowledged), and then the first question: the lineage of its output's first column, upstream. The median of many events, in
the time of the processor; against the same in the smallest mesh."""

EVENTS = {Size.TINY: 5, Size.QUICK: 100, Size.FULL: 300}


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    costs: list[float] = []
    for shape in SHAPES[size]:
        index, last = load_index(str(meshes.store(shape)))
        mesh = ingest.build_mesh(EVENTS[size])
        costs.append(median(_measure_seconds(index, mesh, changes, output) for changes, output in build_increments(index, last, mesh)))
        columns, edges = build_mesh(shape).columns, build_mesh(shape).edges
        yield Figure(
            case=f"one event into {columns:,} columns, {edges:,} column edges",
            unit="ms of processor",
            ours=costs[-1] * 1000,
            reference=costs[0] * 1000,
            against=f"{SHAPES[size][0].columns:,} columns",
            goal=build_maximum(2) if len(costs) > 1 else None,
            more={"events": EVENTS[size]},
        )


def load_index(path: str) -> tuple[LineageIndex, int]:
    """The index of a store, and the highest number of a scope."""
    store = SqliteStore(path)
    index = LiveGraph.open(store).index
    last = max(head.scope_id for heads in store.iterate_heads() for head in heads)
    store.close()
    return index, last


def build_increments(index: LineageIndex, last: int, mesh: Mesh) -> Iterator[tuple[Changes, int]]:
    """(what an event changes, the dataset that it writes); scopes are numbered on from `last`."""
    store, builder = SqliteStore(), BatchBuilder(Naming())
    for output, body in zip(mesh.jobs, mesh.build_events(), strict=True):
        parsed = build_received(builder, [body])
        changes = store.commit(lambda runs: builder.build_batch(parsed, runs))  # noqa: B023 - called at once
        heads = [head._replace(scope_id=last + head.scope_id) for head in changes.heads]
        yield Changes(index.revision + 1, heads), output
    store.close()


def _measure_seconds(index: LineageIndex, mesh: Mesh, changes: Changes, output: int) -> float:
    return measure_time(lambda: _apply_increment(index, mesh, changes, output)).cpu


def _apply_increment(index: LineageIndex, mesh: Mesh, changes: Changes, output: int) -> None:
    index.changes.apply(changes)
    column = find_node(index, mesh, int(mesh.first[output]))
    found = index.lineage.traverse([column], Direction.UPSTREAM)
    assert len(found.nodes), "the event's lineage is not there"


BENCHMARK = Benchmark("increments", ABOUT, run)
