"""Traversal: everything downstream of a column, by the kernel, against igraph on the same graph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.closures import Closure, PlainGraph, find_node
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best
from meshline.graph.index import Direction, LineageIndex
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
`LineageIndex.lineage.traverse` downstream from one column, without limits: every column that it reaches, with reach class, distance and
masking (a pass for each
reach class, which goes on from the one before), for closures of about so many columns. The reference is igraph on the same graph
(whole datasets and jobs without column lineage as vertices), which only finds what can be reached: `bfs`, with order and parents
as Python lists, and `subcomponent`, which lists the vertices and nothing else. Both reach the same columns (checked).
The mean of three starts of each size, of each the best of several rounds. `growth` is of closures that take about the same share of
their mesh, in the smallest mesh and in the largest."""

# Sizes of closures, rounds; in the largest mesh of the run.
CLOSURES = {
    Size.TINY: ((50,), 2),
    Size.QUICK: ((300, 3_000), 10),
    Size.FULL: ((5_000, 20_000, 280_000), 5),
}


SHARE = 0.28  # of a mesh, in a closure for the growth


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    yield from compare_with_igraph(size, meshes)
    yield measure_growth(size, meshes)


def compare_with_igraph(size: Size, meshes: Meshes) -> Iterator[Figure]:
    shape = SHAPES[size][-1]
    sizes, rounds = CLOSURES[size]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    index = LiveGraph.open(store).index
    plain = PlainGraph(mesh)
    about = {"columns": mesh.columns, "column edges": mesh.edges}
    for wanted, closures in plain.find_closures(sizes).items():
        starts = [find_node(index, mesh, closure.start) for closure in closures]
        for closure, start in zip(closures, starts, strict=True):
            check_closures(index, start, closure)
        for name, goal in (("bfs", build_maximum(1)), ("subcomponent", None)):
            action = getattr(plain.graph, name)
            pairs = [
                find_best([partial(run_kernel, index, start), partial(action, closure.start, mode="out")], rounds)
                for closure, start in zip(closures, starts, strict=True)
            ]
            ours, reference = (sum(times.wall for times in column) / len(pairs) * 1000 for column in zip(*pairs, strict=True))
            yield Figure(
                case=f"{wanted:,} columns of {mesh.columns:,}",
                unit="ms",
                ours=ours,
                reference=reference,
                against=f"igraph {name}",
                goal=goal,
                more={**about, "reached": ", ".join(f"{closure.columns:,}" for closure in closures)},
            )
    store.close()


def measure_growth(size: Size, meshes: Meshes) -> Figure:
    """What a reached column costs."""
    shapes = SHAPES[size]
    costs = [measure_cost(meshes, shape, CLOSURES[size][1]) for shape in (shapes[0], shapes[-1])]
    return Figure(
        case="growth of the cost",
        unit="µs of processor a reached column",
        ours=costs[-1],
        reference=costs[0],
        against=f"{shapes[0].columns:,} columns; ours {shapes[-1].columns:,}",
        goal=build_maximum(2),
    )


def measure_cost(meshes: Meshes, shape: Shape, rounds: int) -> float:
    """Microseconds of the processor for each column of the closures that take SHARE of this mesh."""
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    index = LiveGraph.open(store).index
    store.close()
    (closures,) = PlainGraph(mesh).find_closures([int(SHARE * mesh.columns)]).values()
    times = find_best([partial(run_kernel, index, find_node(index, mesh, closure.start)) for closure in closures], 2 * rounds)
    return sum(time.cpu for time in times) / sum(closure.columns for closure in closures) * 1e6


def run_kernel(index: LineageIndex, start: int) -> object:
    return index.lineage.traverse([start], Direction.DOWNSTREAM, max_nodes=10_000_000)


def check_closures(index: LineageIndex, start: int, closure: Closure) -> None:
    """That ours reaches as many columns as igraph."""
    found = index.lineage.traverse([start], Direction.DOWNSTREAM, max_nodes=10_000_000)
    columns = sum(index.assets.get_kind(node) is AssetKind.COLUMN for node in found.nodes.tolist())
    assert columns == closure.columns, f"ours reaches {columns} columns from column {closure.start}, igraph {closure.columns}"


BENCHMARK = Benchmark("traversal", ABOUT, run)
