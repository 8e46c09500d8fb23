"""dbt: a project of thousands of models with compiled SQL, against sqlglot alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlglot import MappingSchema, parse_one
from sqlglot.optimizer.qualify import qualify

from benchmarks.dbt_project import COLUMNS, DATABASE, SCHEMA, Project, build_name, build_project, change_project, write_project
from benchmarks.figures import Benchmark, Figure, build_maximum, build_minimum
from benchmarks.memory import read_status
from benchmarks.meshes import Meshes
from benchmarks.sizes import Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.dbt.source import Dbt
from meshline.ingest.sources.reading_loader import Loading, load_reading

ABOUT = """\
`meshline ingest dbt` of a made-up project: models of about 40 lines (four CTEs, two joins, a window, a star, 12 columns), a test for
each, and a catalog; from the files until all is committed in SQLite, in the time of the processor. The reference is sqlglot alone:
`parse_one` and `qualify` of the same SQL with a schema of all tables. The second load has other lineage in some models. `memory` is the
most that a process of its own had resident, against what it may use."""

MODELS = {Size.TINY: 20, Size.QUICK: 500, Size.FULL: 5_000}
CHANGED = 10
MOST = 1024  # MiB


def run(size: Size, _meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    models = MODELS[size]
    of = build_project(models)
    with tempfile.TemporaryDirectory() as folder:
        target = write_project(of, Path(folder) / "target")
        megabytes = round((target / "manifest.json").stat().st_size / 2**20, 1)
        reference = measure_time(lambda: qualify_columns(of))
        first, second = measure_loads(target, of, Path(folder) / "meshline.db")
        most = measure_memory(write_project(of, Path(folder) / "again"), Path(folder) / "resident.db")
    yield Figure(
        case=f"{models:,} models, first load",
        unit="s of processor",
        ours=first.cpu,
        reference=reference.cpu,
        against="sqlglot: parse and qualify",
        goal=build_maximum(2),
        more={"MiB of the manifest": megabytes, "models a second": round(models / first.cpu)},
    )
    yield Figure(
        case=f"{models:,} models, second load, {CHANGED} changed: how often as fast",
        unit="loads an hour",
        ours=3600 / second.cpu,
        reference=3600 / first.cpu,
        against="the first load",
        goal=build_minimum(20) if size is Size.FULL else None,
        more={"seconds": round(second.cpu, 2)},
    )
    yield Figure(
        case=f"{models:,} models, memory", unit="MiB", ours=most / 2**20, reference=MOST, against="what it may use", goal=build_maximum(1)
    )


def qualify_columns(of: Project) -> None:
    """What sqlglot does alone."""
    tables = {build_name(table): dict.fromkeys(COLUMNS, "text") for table in range(of.sources + len(of.models))}
    mapping: dict[str, Any] = {DATABASE: {SCHEMA: tables}}
    schema = MappingSchema(mapping, dialect="postgres")
    for model in of.models:
        qualify(parse_one(model.sql, dialect="postgres"), schema=schema, dialect="postgres")


def measure_loads(target: Path, of: Project, database: Path) -> tuple[Spent, Spent]:
    """Times of the first load, and of the second after some models changed."""
    graph = LiveGraph.open(SqliteStore(str(database)))
    first = measure_time(lambda: check_loading(ingest_project(graph, target), new=len(of.models), changed=0))
    write_project(change_project(of, CHANGED), target)
    gc.collect()
    second = measure_time(lambda: check_loading(ingest_project(graph, target), new=0, changed=CHANGED))
    graph.store.close()
    return first, second


def ingest_project(graph: LiveGraph, target: Path) -> Loading:
    source = Dbt(path=target, namespace="postgres://warehouse:5432")
    return load_reading(graph, source.read(build_context(graph, Naming(), target, source.source)), get_current_micros())


def check_loading(loading: Loading, new: int, changed: int) -> None:
    assert not loading.refused, loading.refused[0]
    assert loading.new >= new, "the project is not there"
    assert loading.changed == changed, f"{loading.changed} changed"


def measure_memory(target: Path, database: Path) -> int:
    """Bytes: the most that a process of its own had resident while it loaded a project."""
    command = [sys.executable, "-m", "benchmarks.dbt", str(target), str(database)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parent.parent)
    return int(answer.stdout)


def run_main(target: str, database: str) -> None:
    """In the other process."""
    graph = LiveGraph.open(SqliteStore(database))
    ingest_project(graph, Path(target))
    graph.store.close()
    print(read_status("VmHWM"))


BENCHMARK = Benchmark("dbt", ABOUT, run)

if __name__ == "__main__":
    run_main(*sys.argv[1:])
