"""Traversal beside Neo4j: the same closure by the kernel and by Cypher, on the same graph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import neo4j

from benchmarks import servers
from benchmarks.closures import Closure, PlainGraph, find_node
from benchmarks.figures import Benchmark, Figure, build_minimum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes, build_mesh, split_groups
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import measure_time
from benchmarks.traversal import check_closures, run_kernel
from meshline.graph.index import LineageIndex
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.sqlite import SqliteStore

# Whole datasets, and jobs without column lineage, are vertices too, as for igraph (`closures.PlainGraph`).
ADD_VERTICES = "UNWIND $rows AS number CREATE (:Vertex {number: number})"
ADD_COLUMNS = "UNWIND $rows AS number CREATE (:Vertex:VertexOfColumn {number: number})"
ADD_EDGES = """
UNWIND $rows AS row
MATCH (a:Vertex {number: row[0]})
MATCH (b:Vertex {number: row[1]})
CREATE (a)-[:LEADS_TO]->(b)
"""
CLOSURE = """
MATCH (:Vertex {number: $start})-[:LEADS_TO*]->(column:VertexOfColumn)
RETURN count(DISTINCT column)
"""
PRUNING = "VarLengthExpand(Pruning,BFS,All)"
ROWS = 10_000  # of a batch

ABOUT = f"""\
`LineageIndex.lineage.traverse` as above against Neo4j 5, of which a query on the same graph asks how many columns are reached, nothing
else: no reach classes, no distances, no masking, nothing sent back but a number. Of several forms of the query in Cypher this was the
fastest; the planner makes a breadth-first search of it that visits each node once (`{PRUNING}`, checked):

```cypher
{CLOSURE.strip()}
```

Both reach the same columns (checked). Ours is timed around the call; Neo4j by what it reports itself, without
the wire: `result_available_after` and `result_consumed_after`, whole milliseconds. In turns, the best of several rounds after
as many to warm up; the mean of three starts of each size. Closures a second, so that the ratio is how many times faster ours is."""


class Plan(NamedTuple):
    """How large a run is, and what it must reach: closures of so many columns, and how many times faster."""

    shape: Shape
    goals: dict[int, float | None]
    rounds: int


SMALL = Shape(4_000)

PLANS = {
    Size.TINY: Plan(SHAPES[Size.TINY][0], {50: None}, 2),
    Size.QUICK: Plan(SMALL, {300: None, 1_000: None}, 10),
    Size.FULL: Plan(Shape(200_000, edges_per_column=6.8), {1_000: None, 10_000: 20, 98_000: 50}, 10),
}


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    plan = PLANS[size]
    mesh = build_mesh(plan.shape)
    store = SqliteStore(str(meshes.store(plan.shape)))
    index = LiveGraph.open(store).index
    plain = PlainGraph(mesh)
    with servers.open_session(meshes.open_neo4j()) as session:
        write_graph(session, plain)
        operators = list_plan_operators(session)
        assert PRUNING in operators, f"Neo4j plans {', '.join(operators)}"
        for (wanted, goal), closures in zip(plan.goals.items(), plain.find_closures(list(plan.goals)).values(), strict=True):
            pairs = [measure_in_turns(index, find_node(index, mesh, closure.start), session, closure, plan.rounds) for closure in closures]
            ours, reference = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
            yield Figure(
                case=f"{wanted:,} columns of {mesh.columns:,}",
                unit="closures/s",
                ours=1 / ours,
                reference=1 / reference,
                against="Cypher",
                goal=None if goal is None else build_minimum(goal),
                more={
                    "ours, ms": round(ours * 1000, 3),
                    "Neo4j, ms": round(reference * 1000, 1),
                    "vertices": plain.graph.vcount(),
                    "edges": plain.graph.ecount(),
                    "reached": ", ".join(f"{closure.columns:,}" for closure in closures),
                },
            )
        session.run("DROP INDEX vertex_number").consume()
    store.close()


def write_graph(session: neo4j.Session, plain: PlainGraph) -> None:
    """The plain graph into Neo4j."""
    session.run("CREATE INDEX vertex_number IF NOT EXISTS FOR (v:Vertex) ON (v.number)").consume()
    session.run("CALL db.awaitIndexes(300)").consume()
    columns, vertices = plain.mesh.columns, plain.graph.vcount()
    for text, rows in (
        (ADD_COLUMNS, range(columns)),
        (ADD_VERTICES, range(columns, vertices)),
        (ADD_EDGES, plain.graph.get_edgelist()),
    ):
        for part in split_groups(rows, ROWS):
            session.run(text, rows=part).consume()
    session.run("CALL db.prepareForReplanning()").consume()  # so that plans are made for what is there


def list_plan_operators(session: neo4j.Session) -> list[str]:
    """The operators of the query's plan."""
    plan = session.run(f"EXPLAIN {CLOSURE}", start=0).consume().plan
    assert plan is not None
    return list(_collect_operators(plan))


def _collect_operators(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["operatorType"].partition("@")[0]
    for child in plan.get("children", ()):
        yield from _collect_operators(child)


def measure_in_turns(index: LineageIndex, start: int, session: neo4j.Session, closure: Closure, rounds: int) -> tuple[float, float]:
    """The best seconds of ours and of Neo4j."""
    check_closures(index, start, closure)
    for _ in range(rounds):
        ask_neo4j(session, closure)
    times = [(measure_time(partial(run_kernel, index, start)).wall, ask_neo4j(session, closure)) for _ in range(rounds)]
    ours, reference = map(min, zip(*times, strict=True))
    return ours, reference


def ask_neo4j(session: neo4j.Session, closure: Closure) -> float:
    """The seconds that Neo4j reports; half a millisecond if it reports none."""
    result = session.run(CLOSURE, start=closure.start)
    (found,) = result.single(strict=True)
    assert found == closure.columns, f"Neo4j reaches {found} columns from {closure.start}, igraph {closure.columns}"
    summary = result.consume()
    assert summary.result_available_after is not None
    assert summary.result_consumed_after is not None
    return max(summary.result_available_after + summary.result_consumed_after, 0.5) / 1000


LIMITS = """\
The pass over DIRECT edges, more than half of the time of a large closure: the edges, mark, dataset and dataset's mark of a node are at
different places in memory. The passes after it go on from the edges that were put off and walk only what is new or nearer.
Next to try: nodes in the order in which closures meet them, so that what is read together is kept together."""

BENCHMARK = Benchmark("neo4j-traversal", ABOUT, run, LIMITS)
