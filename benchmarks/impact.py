"""Impact through GraphQL, against the traversal that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.closures import PlainGraph, find_node, key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best, measure_time
from benchmarks.traversal import CLOSURES, run_kernel
from meshline.api.graphql import Bounds, Executor
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The GraphQL request `impact` of one column, executed in process: totals, groups by domain, product and owner, and the first 25
assets. The reference is the traversal alone (`LineageIndex.lineage.traverse`) from the same column. The goal, three times the kernel's
time and 5 ms, is shown as a ratio. `first` is what
the first request of that size took, in ms: what is looked up once and then remembered."""

QUERY = """
query Impact($of: [ID!]!) {
  impact(of: $of) {
    total
    byKind { key count } byReach { key count }
    byDomain { label count } byProduct { label count } byOwner { label count }
    assets(first: 25) { nodes { node { id qualifiedName } reach distance masked } }
    completeness { truncated possibleOnly undescribed staleEdges provisional revision }
  }
}
"""
ALLOWED_TIMES, ALLOWED_MS = 3, 5


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPES[size][-1]
    sizes, rounds = CLOSURES[size]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    graphql = Executor(live, Naming(), Bounds(seconds=600, nodes=10_000_000))
    collect_seldom()
    index = live.index
    for wanted, closures in PlainGraph(mesh).find_closures(sizes).items():
        first = measure_time(partial(ask_impact, graphql, key_of(mesh, closures[0].start).id)).wall * 1000
        pairs = [
            find_best(
                [
                    partial(ask_impact, graphql, key_of(mesh, closure.start).id),
                    partial(run_kernel, index, find_node(index, mesh, closure.start)),
                ],
                rounds,
            )
            for closure in closures
        ]
        ours, reference = (sum(times.wall for times in column) / len(pairs) * 1000 for column in zip(*pairs, strict=True))
        yield Figure(
            case=f"{wanted:,} columns of {mesh.columns:,}",
            unit="ms",
            ours=ours,
            reference=reference,
            against="the traversal alone",
            goal=build_maximum(ALLOWED_TIMES + ALLOWED_MS / reference),
            more={"reached": ", ".join(f"{closure.columns:,}" for closure in closures), "first, ms": round(first)},
        )
    store.close()


def ask_impact(graphql: Executor, asset_id: str) -> None:
    answer = graphql.execute(QUERY, {"of": [asset_id]})
    assert "errors" not in answer.body, answer.body["errors"]


LIMITS = """\
For small closures, GraphQL itself: half a millisecond for the request, two or three for some 430 groups and 25 assets, each an object
that is made, filled in and counted in Python. For large ones, the jobs: each flow that leaves a reached column is read once
more, at a random place in memory. The first request by an id after the start hashes the ids of all columns; the containers of a dataset
are found at the first request, and again only after a change that names it.
Next to try: flows in the order of their jobs, so that the jobs are found in passes that read memory in order."""

BENCHMARK = Benchmark("impact", ABOUT, run, LIMITS)
