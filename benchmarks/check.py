"""A check of a contract, against the impact question about what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.closures import PlainGraph, key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Mesh
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.queries import Question, ask_query, read_query
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import find_best, measure_time
from benchmarks.traversal import CLOSURES
from meshline.api.graphql import Bounds, Executor
from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
A check of a contract that drops one column, in process: both versions are read from their texts, bound to the graph, compared and
judged; the report has all consumers with their paths, the recipients, and the reasons for uncertainty. Policies are not evaluated.
The reference is the query of `meshline impact` about the same column (`meshline/cli/queries/impact.graphql`, 25 assets of each
kind). `findings` and `consumers` are those of the report. `first` is the time of the first check, in ms."""

ALLOWED_TIMES = 1.5
SHOWN = 25


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    shape = SHAPES[size][-1]
    sizes, rounds = CLOSURES[size]
    mesh = build_mesh(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    graphql = Executor(live, Naming(), Bounds(seconds=600, nodes=10_000_000))
    collect_seldom()
    for wanted, closures in PlainGraph(mesh).find_closures(sizes).items():
        start = closures[0].start
        check = partial(run_check, live, Naming(), build_dropping_version(mesh, start))
        question = Question("", read_query("impact"), {"of": [key_of(mesh, start).id], "reach": "POSSIBLE", "limit": SHOWN})
        report = check()
        first = measure_time(check).wall * 1000
        ours, theirs = find_best([check, partial(ask_query, graphql, question)], rounds)
        yield Figure(
            case=f"{wanted:,} columns of {mesh.columns:,}",
            unit="ms",
            ours=ours.wall * 1000,
            reference=theirs.wall * 1000,
            against="the impact question",
            goal=build_maximum(ALLOWED_TIMES),
            more={
                "reached": f"{closures[0].columns:,}",
                "findings": len(report.findings),
                "consumers": len(report.findings[0].hits),
                "first, ms": round(first),
            },
        )
    store.close()


def build_dropping_version(mesh: Mesh, column: int) -> CheckRequest:
    """A contract about the dataset of a column; its next version has all columns but that."""
    dataset, name = mesh.build_column(column)
    schema, _, table = mesh.build_dataset_name(dataset).partition(".")
    names = [mesh.build_column(one)[1] for one in range(int(mesh.first[dataset]), int(mesh.first[dataset + 1]))]
    before, after = (
        File(file, write_contract(schema, table, [one for one in names if one not in without]))
        for file, without in (("before.yaml", ()), ("after.yaml", (name,)))
    )
    return CheckRequest((CheckInput("contract", before, after),), namespaces={HOST: mesh.namespace})


HOST = "mysql://warehouse:3306"


def write_contract(schema: str, table: str, columns: list[str]) -> str:
    fields = "".join(f"      - {{ name: {column}, logicalType: string }}\n" for column in columns)
    return (
        "apiVersion: v3.0.2\nkind: DataContract\nid: checked\nversion: 1.0.0\nstatus: active\n"
        f"servers:\n  - {{ server: warehouse, type: mysql, host: warehouse, port: 3306, database: {schema} }}\n"
        f"schema:\n  - name: {table}\n    properties:\n{fields}"
    )


LIMITS = """\
Almost all of it is the question itself: the same traversal, the same counts. What is more are the paths to every consumer, not to 25;
what is less is GraphQL. Next to try: the paths to all consumers in one pass of a kernel, as to the 25."""

BENCHMARK = Benchmark("check", ABOUT, run, LIMITS)
