"""Loading from Neo4j: the index from the store, against reading the same graph in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import neo4j

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes, build_mesh, fill_store
from benchmarks.sizes import Size
from benchmarks.timing import Action, find_best
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.neo4j import Neo4jStore

GRAPH = (
    "MATCH (a:Asset) RETURN collect([id(a), a.kind, a.parts])",
    "MATCH (a)-[r:FLOWS_TO]->(b) RETURN collect([id(a), id(b)])",
)
ROWS = (
    """
    MATCH (s:Scope)
    RETURN collect([s.id, s.source, s.parts, s.digest, s.observedMicros, s.validFromMicros, s.lastObservedMicros, s.version, s.provisional])
    """,
    "MATCH (c:Content) RETURN collect([c.digest, c.blob])",
)

ABOUT = """\
The index of a whole mesh, from the store in Neo4j until it answers. The references are the best bulk reads, each list collected on
the server and fetched as one record (a record for each row takes ten times as long), nothing made of them: `the graph`, the keys of
all assets and the ends of all FLOWS_TO; `the rows`, what our store keeps of the same and the index is made of (scopes and contents).
The best of several rounds. A mesh comes into the same database as the one before."""

ROUNDS = {Size.TINY: 1, Size.QUICK: 3, Size.FULL: 5}

# A million columns would take the server half an hour to write.
MESHES = {
    Size.TINY: (Shape(500, name="first"),),
    Size.QUICK: (Shape(4_000),),
    Size.FULL: (Shape(10_000, name="first"), Shape(90_000, name="second")),
}


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    url = meshes.open_neo4j()
    store = Neo4jStore(url)
    costs: list[tuple[int, float]] = []
    columns = edges = 0
    with servers.open_session(url) as session:
        for shape in MESHES[size]:
            mesh = build_mesh(shape)
            fill_store(store, mesh)
            columns, edges = columns + mesh.columns, edges + mesh.edges
            actions: list[Action] = [
                partial(LiveGraph.open, store),
                partial(read_graph, session, GRAPH),
                partial(read_graph, session, ROWS),
            ]
            ours, graph, rows = find_best(actions, ROUNDS[size])
            costs.append((columns, ours.cpu / columns * 1e6))
            for against, reference in (("the graph", graph), ("the rows", rows)):
                yield Figure(
                    case=f"{columns:,} columns, {edges:,} column edges",
                    unit="ms",
                    ours=ours.wall * 1000,
                    reference=reference.wall * 1000,
                    against=against,
                    goal=build_maximum(3),
                )
    store.close()
    if len(costs) > 1:
        yield measure_growth(costs)


def measure_growth(costs: list[tuple[int, float]]) -> Figure:
    (few, before), (many, after) = costs[0], costs[-1]
    return Figure(
        case="growth of the cost",
        unit="µs of our processor a column",
        ours=after,
        reference=before,
        against=f"{few:,} columns; ours {many:,}",
        goal=build_maximum(2),
    )


def read_graph(session: neo4j.Session, queries: tuple[str, ...]) -> int:
    """How many rows there are."""
    return sum(len(session.run(query).single(strict=True)[0]) for query in queries)


LIMITS = """\
Of the small store two thirds are what does not grow with it: from 10,000 to 100,000 columns a column takes 2.6 µs, and 50 ms are left,
which have not been divided further. Next to try: fewer round trips, with the heads and their contents in one."""

BENCHMARK = Benchmark("neo4j-loading", ABOUT, run, LIMITS)
