"""A check of a contract, against the impact question about what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.closures import PlainGraph, key_of
from benchmarks.figures import Benchmark, Figure, at_most
from benchmarks.generate import Mesh
from benchmarks.meshes import Meshes, mesh_of
from benchmarks.queries import Asked as Question
from benchmarks.queries import ask, of_command_line
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import best, spent
from benchmarks.traversal import CLOSURES
from meshline.api.graphql import Bounds, Executor
from meshline.app.check import run_check
from meshline.app.check_request import CheckInput, CheckRequest, File
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
    mesh = mesh_of(shape)
    store = SqliteStore(str(meshes.store(shape)))
    live = LiveGraph.open(store)
    graphql = Executor(live, Naming(), Bounds(seconds=600, nodes=10_000_000))
    collect_seldom()
    for wanted, closures in PlainGraph(mesh).closures(sizes).items():
        start = closures[0].start
        check = partial(run_check, live, Naming(), dropping(mesh, start))
        question = Question("", of_command_line("impact"), {"of": [key_of(mesh, start).id], "reach": "POSSIBLE", "limit": SHOWN})
        report = check()
        first = spent(check).wall * 1000
        ours, theirs = best([check, partial(ask, graphql, question)], rounds)
        yield Figure(
            case=f"{wanted:,} columns of {mesh.columns:,}",
            unit="ms",
            ours=ours.wall * 1000,
            reference=theirs.wall * 1000,
            against="the impact question",
            goal=at_most(ALLOWED_TIMES),
            more={
                "reached": f"{closures[0].columns:,}",
                "findings": len(report.findings),
                "consumers": len(report.findings[0].hits),
                "first, ms": round(first),
            },
        )
    store.close()


def dropping(mesh: Mesh, column: int) -> CheckRequest:
    """A contract about the dataset of a column; its next version has all columns but that."""
    dataset, name = mesh.column(column)
    schema, _, table = mesh.dataset_name(dataset).partition(".")
    names = [mesh.column(one)[1] for one in range(int(mesh.first[dataset]), int(mesh.first[dataset + 1]))]
    before, after = (
        File(file, contract(schema, table, [one for one in names if one not in without]))
        for file, without in (("before.yaml", ()), ("after.yaml", (name,)))
    )
    return CheckRequest((CheckInput("contract", before, after),), namespaces={HOST: mesh.namespace})


HOST = "mysql://warehouse:3306"


def contract(schema: str, table: str, columns: list[str]) -> str:
    fields = "".join(f"      - {{ name: {column}, logicalType: string }}\n" for column in columns)
    return (
        "apiVersion: v3.0.2\nkind: DataContract\nid: checked\nversion: 1.0.0\nstatus: active\n"
        f"servers:\n  - {{ server: warehouse, type: mysql, host: warehouse, port: 3306, database: {schema} }}\n"
        f"schema:\n  - name: {table}\n    properties:\n{fields}"
    )


LIMITS = """\
Almost all of it is the question itself: the same traversal, the same counts. What is more are the paths to every consumer, not to 25;
what is less is GraphQL."""

BENCHMARK = Benchmark("check", ABOUT, run, LIMITS)
