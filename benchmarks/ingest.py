"""Ingest: OpenLineage events through parsing, statements, durable commit and index."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.figures import Benchmark, Figure, Goal, build_event_cost, build_maximum, build_minimum
from benchmarks.generate import Mesh, Shape
from benchmarks.meshes import Meshes, build_received, split_groups
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import Spent, measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph, collect_seldom
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder

ABOUT = """\
Events of 20 columns with column lineage, from the JSON text until they are durable in SQLite and the index answers with them:
`new` brings lineage that is not known yet, `unchanged` is another day's run of the same jobs. They go into a store that already
contains a mesh of so many columns. The reference parses the same JSON (msgspec), compresses the text (zlib, level 1) and inserts it
into SQLite, in the same groups, WAL, `synchronous=FULL`. Events a second, by the clock; `processor` is the ratio of processor times.
`12 KB`: events of 10 to 40 columns, each of which comes from two others, into the smallest of the stores. The goals of these are 0.4 ms
of processor and 2,500 events a second on an idle machine, shown as ratios."""

AGAINST = "parse, compress, insert"
GROUP = 100  # events of one commit
NEW, UNCHANGED = build_minimum(1 / 8), build_minimum(1 / 3)
EVENTS = {Size.TINY: 20, Size.QUICK: 400, Size.FULL: 3_000}
LARGE_EVENTS = {Size.TINY: 20, Size.QUICK: 400, Size.FULL: 3_000}  # of 12 KB
LARGE_MS, LARGE_EVENTS_A_SECOND = 0.4, 2_500  # goals for new ones on an idle machine
SINGLE = {Size.TINY: 3, Size.QUICK: 50, Size.FULL: 200}  # events that are committed one by one

CREATE = "CREATE TABLE raw (position INTEGER PRIMARY KEY, source TEXT NOT NULL, received_at INTEGER NOT NULL, body BLOB NOT NULL) STRICT"
INSERT = "INSERT INTO raw (source, received_at, body) VALUES (?, ?, ?)"


class Ours:
    """The whole path, without HTTP."""

    def __init__(self, store: Store) -> None:
        self.live = LiveGraph.open(store)
        self.builder = BatchBuilder(Naming())
        collect_seldom()

    def take(self, bodies: Sequence[bytes]) -> None:
        parsed = build_received(self.builder, bodies)
        changes = self.live.commit(lambda runs: self.builder.build_batch(parsed, runs))
        assert changes.revision == self.live.index.revision, "the index is behind the store"

    def close(self) -> None:
        self.live.store.close()


class Reference:
    """The least that a durable ingest does."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(CREATE)

    def take(self, bodies: Sequence[bytes]) -> None:
        at = get_current_micros()
        rows = []
        for body in bodies:
            msgspec.json.decode(body)
            rows.append((DEFAULT_SOURCE, at, zlib.compress(body, 1)))
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(INSERT, rows)
        self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()


class Ingested(NamedTuple):
    """What the same events cost both."""

    events: int
    bytes: int
    ours: Spent
    reference: Spent

    def build_figure(self, case: str, goal: Goal | None) -> Figure:
        return Figure(
            case=case,
            unit="events/s",
            ours=self.events / self.ours.wall,
            reference=self.events / self.reference.wall,
            against=AGAINST,
            goal=goal,
            more={
                "processor": round(self.reference.cpu / self.ours.cpu, 4),
                "bytes an event": round(self.bytes / self.events),
                "events a commit": GROUP,
            },
        )

    def build_processor_figure(self, case: str, milliseconds: float | None) -> Figure:
        """`milliseconds`: the goal for one event of ours."""
        ours, reference = (spent.cpu / self.events * 1000 for spent in (self.ours, self.reference))
        return build_event_cost(case, ours, reference, AGAINST, milliseconds)

    def build_latency(self, case: str) -> Figure:
        return Figure(
            case=case,
            unit="ms",
            ours=self.ours.wall / self.events * 1000,
            reference=self.reference.wall / self.events * 1000,
            against=AGAINST,
            more={"events a commit": 1},
        )


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    costs: dict[str, list[float]] = {"new": [], "unchanged": []}
    for shape in SHAPES[size]:
        ours = Ours(SqliteStore(str(meshes.copy(shape, "ingest.db"))))
        reference = Reference(meshes.open_fresh("ingest-reference.db"))
        into = f"into {shape.columns:,} columns"
        events = build_mesh(EVENTS[size])
        for case, day, goal in (("new", 0, NEW), ("unchanged", 1, UNCHANGED)):
            ingested = measure_both(ours, reference, split_groups(events.build_events(day), GROUP))
            costs[case].append(ingested.ours.cpu / ingested.events)
            yield ingested.build_figure(f"{case}, {into}", goal)
        single = build_mesh(SINGLE[size], seed=8)
        yield measure_both(ours, reference, ([body] for body in single.build_events())).build_latency(f"new, one by one, {into}")
        ours.close()
        reference.close()
    yield from run_large_events(size, meshes)
    for case, by_size in costs.items():
        yield measure_growth(case, by_size, [shape.columns for shape in SHAPES[size]])


def run_large_events(size: Size, meshes: Meshes) -> Iterator[Figure]:
    """Events of 12 KB in groups."""
    ours = Ours(SqliteStore(str(meshes.copy(SHAPES[size][0], "large-ingest.db"))))
    reference = Reference(meshes.open_fresh("large-ingest-reference.db"))
    for bodies in split_groups(build_large_mesh(GROUP, seed=9).build_events(), GROUP):
        ours.take(bodies)  # what an empty store costs at first is not part of it
    events = build_large_mesh(LARGE_EVENTS[size])
    for case, day in (("new", 0), ("unchanged", 1)):
        ingested = measure_both(ours, reference, split_groups(events.build_events(day), GROUP))
        is_new = day == 0
        goal = build_minimum(LARGE_EVENTS_A_SECOND * ingested.reference.wall / ingested.events) if is_new else None
        yield ingested.build_figure(f"12 KB, {case}", goal)
        yield ingested.build_processor_figure(f"12 KB, {case}, processor", LARGE_MS if is_new else None)
    ours.close()
    reference.close()


def build_large_mesh(jobs: int, seed: int = 7) -> Mesh:
    """Events of 12 KB on average: 10 to 40 columns, each from two columns of one or two other datasets; of about so many jobs."""
    shape = Shape(0, edges_per_column=2, inputs=(1, 2), coarse=0, seed=seed, name=f"large-ingest-{seed}")
    return Mesh(shape._replace(columns=sum(shape.widths) // 2 * jobs * shape.layers // (shape.layers - 1)))


def build_mesh(jobs: int, seed: int = 7) -> Mesh:
    """Events of 20 columns, each from one column of another dataset; of so many jobs."""
    shape = Shape(0, edges_per_column=0, widths=(20, 20), inputs=(1, 1), coarse=0, seed=seed, name=f"ingest-{seed}")
    return Mesh(shape._replace(columns=20 * (jobs * shape.layers // (shape.layers - 1) + 1)))


def measure_both(ours: Ours, reference: Reference, batches: Iterable[Sequence[bytes]]) -> Ingested:
    """The same batches to both, in turns."""
    ingested = Ingested(0, 0, Spent(), Spent())
    for bodies in batches:
        ingested = Ingested(
            ingested.events + len(bodies),
            ingested.bytes + sum(map(len, bodies)),
            ingested.ours.add(measure_time(lambda: ours.take(bodies))),  # noqa: B023 - called at once
            ingested.reference.add(measure_time(lambda: reference.take(bodies))),  # noqa: B023
        )
    return ingested


def measure_growth(case: str, costs: list[float], columns: Sequence[int]) -> Figure:
    """The processor time of an event in the largest store, against that in the smallest: not at the same time, so not by the clock."""
    return Figure(
        case=f"{case}: growth of the cost",
        unit="ms of processor an event",
        ours=costs[-1] * 1000,
        reference=costs[0] * 1000,
        against=f"{columns[0]:,} columns; ours {columns[-1]:,}",
        goal=build_maximum(2),
    )


LIMITS = """\
Python. Of the processor time of a `new` event half goes into reading the facets and encoding the statements (two statements of 20
columns), a tenth into parsing, an eighth into the search index, less than a tenth into the lineage index, the rest into rows of
SQLite; of an `unchanged` one a third into merging the run and comparing, a seventh into parsing, a sixth into deflating the event and
the run's state. Compiled by mypyc it was 1.1 times as fast. Next to try: fewer pages of SQLite's log, since a run's state and its event
keep the same facets, and names that are checked once."""

BENCHMARK = Benchmark("ingest", ABOUT, run, LIMITS)
