"""Questions through GraphQL, on a mesh of the size of the acceptance tests: 10,000 jobs, 300,000 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

from benchmarks.closures import find_node, key_of
from benchmarks.figures import Benchmark, Figure
from benchmarks.generate import START, Mesh, Shape
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best, measure_time
from meshline.api.graphql import Bounds, Executor
from meshline.graph.index import Direction, LineageIndex
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.model import build_owner_key
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
The requests of the command line (`meshline/cli/queries`) and a few more, executed in process. Lineage and impact begin at the most
read column and go 2, 5 and 20 jobs far; their reference is the traversal alone, as far. `impact` counts and groups and shows
25 assets, `impact, report` also lists the paths to them and the recipients to notify. `compact lineage` draws up to 5,000 nodes as columns,
`neighbours` counts the neighbours of up to 500 nodes. The reference of the others is the smallest request there is,
`{ __typename }`. `first` is what the first request of its kind took, in ms."""

DEPTHS = (2, 5, 20)
SHAPE = {Size.TINY: SHAPES[Size.TINY][-1], Size.QUICK: SHAPES[Size.QUICK][-1], Size.FULL: Shape(300_000)}
ROUNDS = {Size.TINY: 1, Size.QUICK: 3, Size.FULL: 5}
IMPACT = """
query Impact($of: [ID!]!, $depth: Int, $after: String) {
  impact(of: $of, depth: $depth) {
    total
    byKind { key count } byReach { key count }
    byDomain { label count } byProduct { label count } byOwner { label count }
    assets(first: 25, after: $after) { pageInfo { endCursor } nodes { node { id qualifiedName } reach distance masked } }
    completeness { truncated possibleOnly undescribed staleEdges provisional revision }
  }
}
"""
DATASET = """
query Dataset($namespace: String!, $name: String!) {
  dataset(namespace: $namespace, name: $name) {
    id name description owners { owner { name } } product { name } domain { name }
    columns(first: 40) { totalCount nodes { id name dataType position } } writtenBy { name } readBy { name }
  }
}
"""
SUGGEST = "query Suggest($text: String!) { suggest(text: $text) { id kind qualifiedName } }"
COMPACT = """
query Compact($of: [ID!]!, $depth: Int, $granularity: Granularity!) {
  compactLineage(of: $of, depth: $depth, granularity: $granularity, limit: 5000) {
    ids names kinds reach distance masked start domain product domains { id } products { id } edges { from to bits count }
    completeness { truncated total }
  }
}
"""
NEIGHBOURS = """
query Neighbours($of: [ID!]!, $depth: Int, $granularity: Granularity!) {
  lineage(of: $of, depth: $depth, granularity: $granularity) {
    nodes { asset { id } upstream { direct shown } downstream { direct shown } }
  }
}
"""
ITEMS = """
query Items($of: [ID!]!, $depth: Int) {
  lineage(of: $of, depth: $depth, granularity: DATASET, limit: 500) {
    completeness { items(gap: POSSIBLE_ONLY, first: 25) { totalCount flows { from { id } to { id } } } }
  }
}
"""
ORDERED = "query Ordered($order: ListOrder!) { datasets(orderBy: $order, first: 25) { nodes { id name } pageInfo { endCursor } } }"
CHANGES = """
query Changes($from: DateTime!, $to: DateTime!, $of: [ID!]) {
  changes(from: $from, to: $to, of: $of, bucket: HOUR) { at added removed times }
}
"""
SMALLEST = "{ __typename }"
TRAVERSAL, REQUEST = "the traversal alone", SMALLEST


class Question(NamedTuple):
    """A request. `depth`, `direction`: of the traversal that it needs, if any."""

    case: str
    query: str
    variables: Mapping[str, Any]
    depth: int | None = None
    direction: Direction | None = None
    refused: bool = False  # the answer is an error


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPE[size]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    collect_seldom()
    graphql = Executor(live, Naming(), Bounds(seconds=600))
    starts = {Direction.DOWNSTREAM: 0, Direction.UPSTREAM: mesh.columns - 1}
    for asked in (*build_traversal_requests(mesh, starts), *build_page_requests(graphql, mesh), *build_lookup_requests(mesh)):
        request = partial(ask_query, graphql, asked)
        first = measure_time(request).wall * 1000
        node = None if asked.direction is None else find_node(live.index, mesh, starts[asked.direction])
        reference = partial(measure_smallest, graphql) if node is None else partial(measure_walk, live.index, node, asked)
        ours, theirs = find_best([request, reference], ROUNDS[size])
        yield Figure(
            case=asked.case,
            unit="ms",
            ours=ours.wall * 1000,
            reference=theirs.wall * 1000,
            against=REQUEST if node is None else TRAVERSAL,
            more={"columns": mesh.columns, "jobs": len(mesh.jobs), "first, ms": round(first)},
        )
    store.close()


def build_traversal_requests(mesh: Mesh, starts: Mapping[Direction, int]) -> Iterator[Question]:
    for depth in DEPTHS:
        for direction, granularity in (
            (Direction.DOWNSTREAM, "COLUMN"),
            (Direction.DOWNSTREAM, "DATASET"),
            (Direction.DOWNSTREAM, "DOMAIN"),
            (Direction.UPSTREAM, "COLUMN"),
        ):
            of = {"of": [key_of(mesh, starts[direction]).id], "depth": depth, "reach": "POSSIBLE"}
            drawn = {**of, "direction": direction.value, "granularity": granularity, "limit": 500}
            name = f"lineage {direction.lower()}, {granularity.lower()}s, depth {depth}"
            yield Question(name, read_query("lineage"), drawn, depth, direction)
        for granularity in ("COLUMN", "DATASET"):
            of = {"of": [key_of(mesh, starts[Direction.DOWNSTREAM]).id], "depth": depth, "granularity": granularity}
            yield Question(f"compact lineage, {granularity.lower()}s, depth {depth}", COMPACT, of, depth, Direction.DOWNSTREAM)
            yield Question(f"neighbours, {granularity.lower()}s, depth {depth}", NEIGHBOURS, of, depth, Direction.DOWNSTREAM)
        of = {"of": [key_of(mesh, starts[Direction.DOWNSTREAM]).id], "depth": depth}
        yield Question(f"items of completeness, depth {depth}", ITEMS, of, depth, Direction.DOWNSTREAM)
        yield Question(f"impact, depth {depth}", IMPACT, of, depth, Direction.DOWNSTREAM)
        report = {**of, "reach": "POSSIBLE", "limit": 25}
        yield Question(f"impact, report, depth {depth}", read_query("impact"), report, depth, Direction.DOWNSTREAM)


def build_page_requests(graphql: Executor, mesh: Mesh) -> Iterator[Question]:
    """A page in the midst of an impact."""
    variables: dict[str, Any] = {"of": [key_of(mesh, 0).id], "depth": DEPTHS[-1], "after": None}
    for _ in range(10):
        answer = graphql.execute(IMPACT, variables).body["data"]["impact"]
        variables = {**variables, "after": answer["assets"]["pageInfo"]["endCursor"] or variables["after"]}
    yield Question("impact, page 11", IMPACT, variables, DEPTHS[-1], Direction.DOWNSTREAM)


def build_lookup_requests(mesh: Mesh) -> Iterator[Question]:
    dataset = mesh.datasets // 2
    name = mesh.build_dataset_name(dataset)
    yield Question("dataset by name", DATASET, {"namespace": mesh.namespace, "name": name})
    yield Question("name by its end", read_query("resolve"), {"name": name.partition(".")[2]})
    yield Question("column by the end of its name", read_query("resolve"), {"name": f"{name}.{mesh.build_column_name(0)}"})
    for case, unknown in (("a dataset", f"{name}7"), ("a column", f"{name}.{mesh.build_column_name(0)}x"), ("nothing", "nosuchname")):
        yield Question(f"a name that nothing has, like {case}", read_query("resolve"), {"name": unknown}, refused=True)
    yield Question("search, one dataset", read_query("search"), {"text": name, "limit": 25})
    yield Question("search, a word of all datasets", read_query("search"), {"text": "dataset", "limit": 25})
    for case, text in (
        ("the beginning of all datasets", "layer"),
        ("a word of all datasets", "dataset"),
        ("the beginning of some", "dataset_1"),
        ("a name of many columns", mesh.build_column_name(0)),
        ("a dataset and the beginning of a column", f"{name} {mesh.build_column_name(0)[:2]}"),
        ("a part of names and the beginning of a column", f"{name}.{mesh.build_column_name(0)[:2]}"),
        ("three words", f"{name.replace('.', ' ')} {mesh.build_column_name(0)[:2]}"),
        ("eight words", f"dataset layer {mesh.build_column_name(0)[:2]} da la 1 2 3"),
        ("nothing", "nosuchname"),
    ):
        yield Question(f"suggest, {case}", SUGGEST, {"text": text})
    for order in ("LAST_OBSERVED", "DEPENDANTS"):
        yield Question(f"a list of datasets by {order}", ORDERED, {"order": order})
    end = START + timedelta(milliseconds=mesh.datasets)
    span = {"from": (end - timedelta(milliseconds=101)).isoformat(), "to": end.isoformat()}
    yield Question("changes, a hundred jobs are new", CHANGES, span)
    yield Question("changes, a hundred jobs are new, of a column", CHANGES, {**span, "of": [key_of(mesh, mesh.columns - 1).id]})
    whole = {"from": (START - timedelta(hours=1)).isoformat(), "to": (end + timedelta(hours=1)).isoformat()}
    yield Question("changes, all jobs are new", CHANGES, whole)
    yield Question("changes, all jobs are new, of a column", CHANGES, {**whole, "of": [key_of(mesh, mesh.columns - 1).id]})
    after = {"from": (end + timedelta(hours=1)).isoformat(), "to": (end + timedelta(days=2)).isoformat()}
    yield Question("changes of a time without any", CHANGES, after)
    yield Question("owners", read_query("owners"), {"id": key_of(mesh, mesh.columns - 1).id})
    yield Question("what a team owns", read_query("owned-by"), {"owner": build_owner_key("team:team_0").id, "limit": 25})
    yield Question("orphans", read_query("orphans"), {"limit": 25})
    yield Question("coverage", "{ coverage { total { datasets described owned withColumnLineage } } }", {})


def read_query(name: str) -> str:
    return (files("meshline.cli") / "queries" / f"{name}.graphql").read_text(encoding="utf-8")


def ask_query(graphql: Executor, asked: Question) -> None:
    answer = graphql.execute(asked.query, asked.variables)
    assert ("errors" in answer.body) == asked.refused, (asked.case, answer.body)


def measure_smallest(graphql: Executor) -> None:
    graphql.execute(SMALLEST)


def measure_walk(index: LineageIndex, node: int, asked: Question) -> object:
    assert asked.direction is not None
    return index.lineage.traverse([node], asked.direction, depth=asked.depth, max_nodes=10_000_000)


LIMITS = """\
A drawing of 500 columns or datasets is half a megabyte of JSON: names, products and domains of each node and of both ends of each
edge are made in Python. A report finds a path to each asset that it shows. A search for a word that thousands of names have
ranks up to 10,000 of them by their names."""

BENCHMARK = Benchmark("queries", ABOUT, run, LIMITS)
