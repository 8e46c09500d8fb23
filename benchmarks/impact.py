"""Impact through GraphQL, against the traversal that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.closures import PlainGraph, key_of, node_of
from benchmarks.figures import Benchmark, Figure, Size, at_most
from benchmarks.meshes import Meshes, mesh_of
from benchmarks.timing import best
from benchmarks.traversal import SIZES, kernel_run
from meshline.api.graphql import Bounds, GraphQL
from meshline.graph.index.compiled import compile_kernels
from meshline.graph.live import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The GraphQL request `impact` of one column, executed in process: totals, groups by domain, product and owner, and the first 25
assets. The reference is the traversal alone (`LineageIndex.traverse`) from the same column. The goal, three times the kernel's
time and 5 ms, is shown as a ratio."""

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
    shape, sizes, rounds = SIZES[size]
    mesh = mesh_of(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    graphql = GraphQL(live, Naming(), Bounds(seconds=600, nodes=10_000_000))
    index = live.index
    for wanted, closures in PlainGraph(mesh).closures(sizes).items():
        pairs = [
            best(
                [
                    partial(ask, graphql, key_of(mesh, closure.start).id),
                    partial(kernel_run, index, node_of(index, mesh, closure.start)),
                ],
                rounds,
            )
            for closure in closures
        ]
        ours, reference = (sum(column) / len(pairs) * 1000 for column in zip(*pairs, strict=True))
        yield Figure(
            case=f"{wanted:,} columns of {mesh.columns:,}",
            unit="ms",
            ours=ours,
            reference=reference,
            against="the traversal alone",
            goal=at_most(ALLOWED_TIMES + ALLOWED_MS / reference),
            more={"reached": ", ".join(f"{closure.columns:,}" for closure in closures)},
        )
    store.close()


def ask(graphql: GraphQL, asset_id: str) -> None:
    answer = graphql.execute(QUERY, {"of": [asset_id]})
    assert "errors" not in answer.body, answer.body["errors"]


BENCHMARK = Benchmark("impact", ABOUT, run)
