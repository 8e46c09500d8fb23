"""Iceberg tables of a real REST catalog: a sync of all, and one with nothing changed, against pyiceberg loading them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from benchmarks.figures import Benchmark, Figure, build_minimum
from benchmarks.meshes import Meshes, split_groups
from benchmarks.servers import ServerMissing
from benchmarks.sizes import Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.iceberg.source import Iceberg
from meshline.ingest.sources.reading_loader import Loading, load_reading

ABOUT = """\
Tables of 19 columns (nested ones among them), partitioned, with properties and an owner, in Iceberg's own REST catalog over SQLite, a
process of its own. `first`: all are read and written to an empty store in SQLite, the index follows. The reference is a bare loop of
pyiceberg that lists the same tables and calls `load_table` for each, with as many threads; both in turns, the best of the rounds.
`again`: nothing has changed since; the reference is our first sync, and pyiceberg, which reads all again. Tables a second."""

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "servers" / "iceberg_rest.py"

TABLES = {Size.TINY: 20, Size.QUICK: 200, Size.FULL: 10_000}
ROUNDS = {Size.TINY: 1, Size.QUICK: 3, Size.FULL: 2}
A_NAMESPACE = 500  # tables
PARALLEL = 8

SCHEMA = Schema(
    NestedField(1, "order_id", LongType(), required=True, doc="the order's number"),
    NestedField(2, "customer_id", LongType()),
    NestedField(3, "status", StringType()),
    NestedField(4, "currency", StringType()),
    NestedField(5, "total_amount", DecimalType(18, 2)),
    NestedField(6, "created_at", TimestamptzType()),
    NestedField(7, "address", StructType(NestedField(8, "street", StringType()), NestedField(9, "city", StringType()))),
    NestedField(10, "tags", ListType(11, StringType())),
    NestedField(12, "scores", MapType(13, StringType(), 14, DoubleType())),
    *(NestedField(20 + i, f"measure_{i}", DoubleType()) for i in range(5)),
)
PARTITIONS = PartitionSpec(PartitionField(source_id=6, field_id=1000, transform=DayTransform(), name="created_day"))


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    with run_catalog(meshes.open_fresh("iceberg-rest")) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = TABLES[size]
        make_tables(url, tables)
        first, again, bare = Spent(), Spent(), Spent()
        for i in range(ROUNDS[size]):
            spent_bare = measure_time(lambda: run_bare_loop(url, tables))
            spent_first, spent_again = measure_syncs(url, tables, meshes.open_fresh(f"iceberg-{i}.db"))
            first, again, bare = (choose_faster(*pair) for pair in ((first, spent_first), (again, spent_again), (bare, spent_bare)))
    yield build_figure(f"first, {tables:,} tables", tables, first, bare, "pyiceberg", 0.8)
    yield build_figure(f"again, {tables:,} tables", tables, again, first, "the first sync", 5)
    yield build_figure(f"again, {tables:,} tables", tables, again, bare, "pyiceberg", None)


@contextmanager
def run_catalog(home: Path) -> Iterator[str]:
    """The URL of a catalog of its own."""
    with subprocess.Popen([sys.executable, str(SCRIPT), str(home)], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            if not url:
                raise ServerMissing("no Iceberg REST catalog can be had")
            yield url
        finally:
            running.terminate()


def choose_faster(known: Spent, new: Spent) -> Spent:
    return new if not known.wall or new.wall < known.wall else known


def build_figure(case: str, tables: int, ours: Spent, reference: Spent, against: str, bound: float | None) -> Figure:
    return Figure(
        case=case,
        unit="tables/s",
        ours=tables / ours.wall,
        reference=tables / reference.wall,
        against=against,
        goal=None if bound is None else build_minimum(bound),
        more={"our processor ms": round(ours.cpu / tables * 1000, 2), "reference ms": round(reference.cpu / tables * 1000, 2)},
    )


def measure_syncs(url: str, tables: int, path: Path) -> tuple[Spent, Spent]:
    """A first sync into an empty store, and one after it."""
    store = SqliteStore(str(path))
    try:
        graph = LiveGraph.open(store)
        done: list[Loading] = []
        times = [measure_time(lambda: done.append(run_sync(graph, url))) for _ in range(2)]
    finally:
        store.close()
    assert [(one.new, one.changed, len(one.refused)) for one in done] == [(2 * tables, 0, 0), (0, 0, 0)], done
    return times[0], times[1]


def run_sync(graph: LiveGraph, url: str) -> Loading:
    source = Iceberg(name="lake", uri=url, parallel=PARALLEL)
    return load_reading(graph, source.read(build_context(graph, Naming(), Path(), source.source)), get_current_micros())


def run_bare_loop(url: str, tables: int) -> None:
    """What a bare loop does with the same parallelism."""
    # Without this pyiceberg tries for each table to import pyarrow, which takes ten times as long where that is not installed.
    catalog = load_catalog("lake", **{"type": "rest", "uri": url, "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})
    names = [name for namespace in catalog.list_namespaces() for name in catalog.list_tables(namespace)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        loaded = sum(1 for _ in pool.map(catalog.load_table, names))
    assert loaded == tables, loaded


def make_tables(url: str, tables: int) -> None:
    print(f"making {tables:,} Iceberg tables", file=sys.stderr, flush=True)
    catalog = load_catalog("lake", type="rest", uri=url)
    names = [(f"domain_{i // A_NAMESPACE}", f"table_{i}") for i in range(tables)]
    for namespace in sorted({namespace for namespace, _ in names}):
        catalog.create_namespace(namespace, {"owner": "lake@example.com"})
    with ThreadPoolExecutor(PARALLEL) as pool:
        for some in split_groups(names, 1_000):
            list(pool.map(lambda name: create_table(catalog, name), some))


def create_table(catalog: Catalog, name: Sequence[str]) -> None:
    properties = {"owner": f"{name[0]}@example.com", "comment": f"The table {name[1]}", "data-product.name": f"product-{name[1]}"}
    catalog.create_table(tuple(name), SCHEMA, partition_spec=PARTITIONS, properties=properties)


LIMITS = """\
`again` asks for each table and gets 304. That costs this server as much as the whole answer (it reads the table's metadata to know its
ETag), and it is most of the time; the first sync, which it is measured against, takes less than half of pyiceberg's time.
Next to try: lists of what changed since, where a catalog has one; the REST specification has none."""

BENCHMARK = Benchmark("iceberg", ABOUT, run, LIMITS)
