"""Capacity: what a graph of each size takes to start, to keep in memory, and to ask about an ordinary column."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.closures import key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Mesh
from benchmarks.impact import QUERY
from benchmarks.memory import measure_settled
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import LARGEST, SHAPES, Size
from benchmarks.timing import measure_time
from meshline.api.graphql import Bounds, Executor
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
A graph of each size, in a process of its own, prepared as a server prepares it. `start`: from all statements of the store in SQLite until
questions are answered as fast as later ones, by the clock; for starts from the kept index see `startup`. `memory`: resident after all
questions, less what an empty graph takes. `impact`: the request of the benchmark `impact` for 1,000 of the columns that jobs read, drawn
at random; of those that reach at most 5,000 assets, the ordinary ones, the time of the processor at the 99th of 100. Each against the
goal for that size (of `memory`: 6 GiB for ten million columns, in proportion for fewer, and at least 64 MiB)."""

SIZES = {
    Size.TINY: SHAPES[Size.TINY],
    Size.QUICK: SHAPES[Size.QUICK],
    Size.FULL: (*SHAPES[Size.FULL], LARGEST),
}
QUESTIONS = {Size.TINY: 20, Size.QUICK: 300, Size.FULL: 1_000}
ORDINARY = 5_000  # assets that an ordinary column reaches at most

START_SECONDS, START_COLUMNS = 1.0, 1_000_000  # a second for each million columns; at least a second
COLUMN_BYTES = 6 * 2**30 / 10_000_000
LEAST_BYTES = 64 * 2**20
IMPACT_MS = 15.0


class Capacity(NamedTuple):
    """What a process measured. `ordinary`, `all`: the milliseconds of processor at the 99th of 100, and `share`, how many are ordinary."""

    start: float  # seconds by the clock
    memory: int  # bytes
    ordinary: float
    all: float
    share: float


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    for shape in SIZES[size]:
        path, mesh = meshes.store(shape), build_mesh(shape)
        found = _measure_apart(path, mesh, QUESTIONS[size])
        about = f"{mesh.columns:,} columns, {mesh.edges:,} column edges"
        goal = None if size is Size.TINY else build_maximum(1)
        start = max(START_SECONDS, START_SECONDS * mesh.columns / START_COLUMNS)
        yield Figure(case=f"start, {about}", unit="s", ours=found.start, reference=start, against="the goal", goal=goal)
        yield Figure(
            case=f"memory, {about}",
            unit="MiB",
            ours=found.memory / 2**20,
            reference=max(LEAST_BYTES, COLUMN_BYTES * mesh.columns) / 2**20,
            against="the goal",
            goal=goal,
            more={
                "bytes a column, all in all": round(found.memory / mesh.columns),
                "MiB of the file": round(path.stat().st_size / 2**20, 1),
            },
        )
        yield Figure(
            case=f"impact, {about}",
            unit="ms of processor",
            ours=found.ordinary,
            reference=IMPACT_MS,
            against="the goal",
            goal=goal,
            more={"of all columns, ms": round(found.all, 1), "ordinary, %": round(100 * found.share)},
        )


def _measure_apart(path: Path, mesh: Mesh, questions: int) -> Capacity:
    """What a graph takes, in another process."""
    chance = np.random.default_rng(mesh.shape.seed)
    ids = [key_of(mesh, column).id for column in chance.choice(np.unique(mesh.start), questions).tolist()]
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.capacity", str(path)],
        check=True,
        input=json.dumps(ids),
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    return msgspec.json.decode(answer.stdout, type=Capacity)


def measure_capacity(path: str, ids: list[str]) -> Capacity:
    """Load the graph here, and ask for the impact of these columns."""
    compile_kernels()
    _prepare_graph(":memory:")
    empty = measure_settled("VmRSS")
    began = time.perf_counter()
    live = _prepare_graph(path)
    start = time.perf_counter() - began
    graphql = Executor(live, Naming(), Bounds(seconds=600, nodes=100_000_000))
    collect_seldom()
    ordinary: list[float] = []
    others: list[float] = []
    for id_ in ids:
        total = 0

        def ask(asset: str = id_) -> None:
            nonlocal total
            body = graphql.execute(QUERY, {"of": [asset]}).body
            assert "errors" not in body, body["errors"]
            total = body["data"]["impact"]["total"]

        spent = measure_time(ask).cpu * 1000
        (ordinary if total <= ORDINARY else others).append(spent)
    return Capacity(
        start,
        measure_settled("VmRSS") - empty,
        float(np.percentile(ordinary, 99)),
        float(np.percentile([*ordinary, *others], 99)),
        len(ordinary) / len(ids),
    )


def _prepare_graph(path: str) -> LiveGraph:
    live = LiveGraph.open(SqliteStore(path))
    live.prepare_lookup()
    return live


LIMITS = """\
`start`: reading the heads, and what is prepared for ids, suggestions and searches, in about equal parts; both grow with the columns. For
the heads see `loading`, with what to try next. Next to try for the rest: words of names split and sorted by kernels, not in Python."""

BENCHMARK = Benchmark("capacity", ABOUT, run, LIMITS)

if __name__ == "__main__":
    print(msgspec.json.encode(measure_capacity(sys.argv[1], json.loads(sys.stdin.read()))).decode())
