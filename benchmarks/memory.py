"""Memory: what the index of a mesh keeps resident, by column and by column edge."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.sizes import SHAPES, Size
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.sqlite import SqliteStore

ABOUT = """\
Resident memory of a process of its own, after the index of a mesh is loaded, less that before; compiled kernels and a small index
are loaded beforehand. The reference is what it may use: 400 bytes a column, names and keys included, and 40 a column edge.
A column and an edge are measured separately by two meshes of the same columns, one with about twice the edges of the other.
`at most` is the greatest amount while it loaded."""

COLUMN, EDGE = 400, 40  # bytes
SPLIT = {Size.TINY: 1_000, Size.QUICK: 10_000, Size.FULL: 100_000}  # columns of the two meshes
FEW, MANY = 3.0, 7.0


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    for shape in SHAPES[size]:
        mesh = build_mesh(shape)
        grown, most = measure_memory(meshes, shape)
        yield Figure(
            case=f"{mesh.columns:,} columns, {mesh.edges:,} column edges",
            unit="MiB",
            ours=grown / 2**20,
            reference=(COLUMN * mesh.columns + EDGE * mesh.edges) / 2**20,
            against=f"{COLUMN} B a column and {EDGE} B an edge",
            goal=build_maximum(1),
            more={"bytes a column, all in all": round(grown / mesh.columns), "at most, MiB": round(most / 2**20, 1)},
        )
    yield from split_memory(meshes, SPLIT[size])


def split_memory(meshes: Meshes, columns: int) -> Iterator[Figure]:
    """What a column and what an edge takes, each for itself."""
    few, many = Shape(columns, edges_per_column=FEW), Shape(columns, edges_per_column=MANY)
    grown = [measure_memory(meshes, shape)[0] for shape in (few, many)]
    edges = [build_mesh(shape).edges for shape in (few, many)]
    edge = (grown[1] - grown[0]) / (edges[1] - edges[0])
    column = (grown[0] - edge * edges[0]) / build_mesh(few).columns
    for name, used, allowed in (("column", column, COLUMN), ("column edge", edge, EDGE)):
        yield Figure(
            case=f"a {name}, at {columns:,} columns",
            unit="B",
            ours=used,
            reference=allowed,
            against="what it may use",
            goal=build_maximum(1),
        )


def measure_memory(meshes: Meshes, shape: Shape) -> tuple[int, int]:
    """Bytes that the loaded index keeps, and the most while it was loaded; measured in another process."""
    command = [sys.executable, "-m", "benchmarks.memory", str(meshes.store(Shape(500))), str(meshes.store(shape))]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parent.parent)
    before, after, most = map(int, answer.stdout.split())
    return after - before, most - before


def run_main(small: str, large: str) -> None:
    """In the other process: resident bytes before, after, and at most."""
    compile_kernels()
    LiveGraph.open(SqliteStore(small))
    before = measure_settled("VmRSS")
    live = LiveGraph.open(SqliteStore(large))
    live.store.close()
    most = read_status("VmHWM")
    print(before, measure_settled("VmRSS"), most)


def measure_settled(field: str) -> int:
    """After garbage has gone back to the system, where the C library can be asked for that."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return read_status(field)


def read_status(field: str) -> int:
    """Bytes, as Linux reports them in /proc/self/status."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


BENCHMARK = Benchmark("memory", ABOUT, run)

if __name__ == "__main__":
    run_main(*sys.argv[1:])
