"""Runs: what their lists cost ingest, and how long the newest ones of many take to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

import msgspec
from msgspec import structs

from benchmarks import ingest
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import PRODUCER, SCHEMA_URL, START, Mesh
from benchmarks.meshes import Meshes, build_received, split_groups
from benchmarks.sizes import Size
from benchmarks.timing import Spent, find_best, measure_time
from meshline.api.graphql import Executor
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.run_state import decode_state, encode_state

ABOUT = """\
`lists`: the events of `ingest`, each day another run of the same jobs with unchanged lineage, in turns into a store with the lists of
runs and events and the counts of events, and into one without (the same batches without their places). Processor time an event.
`ten newest`: one job has all these runs; a request for the ten newest, with state, start, end and duration, in process, as the page
asks for them. `rounds`: jobs that run again and again, all of a round with one time; each states another source of the datasets that it
names, so that several contents of one scope have the same time. Processor time an event in the last rounds, against that in the first.
The reference of `ten newest` is the smallest request there is, `{ __typename }`; the goal, 5 ms, is shown as a ratio."""

DAYS = {Size.TINY: 1, Size.QUICK: 4, Size.FULL: 8}
EVENTS = {Size.TINY: 20, Size.QUICK: 400, Size.FULL: 1_000}
RUNS = {Size.TINY: 20, Size.QUICK: 10_000, Size.FULL: 100_000}
ROUNDS = {Size.TINY: 1, Size.QUICK: 10, Size.FULL: 30}
ROUND_JOBS = 30
RUN_ROUNDS = {Size.TINY: 4, Size.QUICK: 120, Size.FULL: 1_000}
GROWTH = build_maximum(1.25)
GROUP = 1000  # runs of one commit
COST = build_maximum(1.05)
GOAL_MS = 5
SECOND = 1_000_000  # microseconds
NEWEST = "{ jobs { nodes { name runs(first: 10) { nodes { runId state startedAt endedAt durationMs } } } } }"
SMALLEST = "{ __typename }"


class WithoutLists(ingest.Ours):
    """The same path, but for the places of runs and events, and the counts."""

    def take(self, bodies: Sequence[bytes]) -> None:
        parsed = build_received(self.builder, bodies)

        def build(runs: RunReader) -> Batch:
            batch = self.builder.build_batch(parsed, runs)
            return batch._replace(
                runs=[run._replace(begun=None, reads=(), writes=()) for run in batch.runs],
                raw=[event._replace(at=None) for event in batch.raw],
                event_counts={},
            )

        self.live.commit(build)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    yield measure_lists(size, meshes)
    yield measure_rounds(size, meshes)
    for name, store in (("SQLite", SqliteStore(str(meshes.open_fresh("runs.db")))), ("Neo4j", Neo4jStore(meshes.open_neo4j()))):
        yield measure_newest(f"ten newest of {RUNS[size]:,}, {name}", store, size)
        store.close()


def measure_lists(size: Size, meshes: Meshes) -> Figure:
    """Both take the same groups in turns, so that other load affects both."""
    ours = ingest.Ours(SqliteStore(str(meshes.open_fresh("lists.db"))))
    without = WithoutLists(SqliteStore(str(meshes.open_fresh("without-lists.db"))))
    events, number, mine, reference = ingest.build_mesh(EVENTS[size]), 0, Spent(), Spent()
    for day in range(DAYS[size] + 1):
        for bodies in split_groups(events.build_events(day), ingest.GROUP):
            spent = [measure_time(partial(each.take, bodies)) for each in (ours, without)]
            if day > 0:
                number, mine, reference = number + len(bodies), mine.add(spent[0]), reference.add(spent[1])
    ours.close()
    without.close()
    return Figure(
        case="lists, unchanged",
        unit="us of processor an event",
        ours=mine.cpu / number * SECOND,
        reference=reference.cpu / number * SECOND,
        against="without lists",
        goal=COST,
        more={"events": number, "events a commit": ingest.GROUP},
    )


def measure_rounds(size: Size, meshes: Meshes) -> Figure:
    """Rounds after the first, whose events are new."""
    ours = ingest.Ours(SqliteStore(str(meshes.open_fresh("rounds.db"))))
    mesh, rounds = ingest.build_mesh(ROUND_JOBS), RUN_ROUNDS[size]
    costs: list[float] = []
    for number in range(rounds + 1):
        events = [build_round_event(mesh, job, number) for job in mesh.jobs]
        costs.append(sum(measure_time(partial(ours.take, bodies)).cpu for bodies in split_groups(events, ROUND_JOBS // 3)) / len(events))
    ours.close()
    part = max(rounds // 10, 1)
    first, last = costs[1 : 1 + part], costs[-part:]
    return Figure(
        case=f"rounds of one time, growth over {rounds:,}",
        unit="us of processor an event",
        ours=sum(last) / part * SECOND,
        reference=sum(first) / part * SECOND,
        against="the first rounds",
        goal=GROWTH,
        more={"events": rounds * ROUND_JOBS},
    )


def build_round_event(mesh: Mesh, job: int, number: int) -> bytes:
    """An event of a job with the time of its round."""
    event = mesh.build_event(job, number)
    event["eventTime"] = (START + timedelta(hours=number)).isoformat()
    for dataset in (*event["inputs"], *event["outputs"]):
        dataset["facets"]["dataSource"] = {"_producer": PRODUCER, "_schemaURL": SCHEMA_URL, "name": f"seen by {job}"}
    return msgspec.json.encode(event)


def measure_newest(case: str, store: Store, size: Size) -> Figure:
    add_runs(store, RUNS[size])
    executor = Executor(LiveGraph.open(store), Naming())
    answered = executor.execute(NEWEST).body["data"]["jobs"]["nodes"][0]["runs"]["nodes"]
    assert [one["runId"] for one in answered] == [f"run {RUNS[size] - number}" for number in range(1, 11)]
    ours, reference = find_best([partial(executor.execute, NEWEST), partial(executor.execute, SMALLEST)], ROUNDS[size])
    milliseconds = reference.wall * 1000
    return Figure(
        case=case,
        unit="ms",
        ours=ours.wall * 1000,
        reference=milliseconds,
        against=SMALLEST,
        goal=build_maximum(GOAL_MS / milliseconds),
        more={"processor here, ms": round(ours.cpu * 1000, 2)},
    )


def add_runs(store: Store, number: int) -> None:
    """Runs of one job, one a second, each with the state that one real event gives."""
    builder = BatchBuilder(Naming())
    body = next(iter(ingest.build_mesh(1).build_events()))
    received = build_received(builder, [body])
    first = None

    def build(runs: RunReader) -> Batch:
        nonlocal first
        batch = builder.build_batch(received, runs)
        (first,) = batch.runs
        return batch._replace(runs=[])

    store.commit(build)
    assert first is not None
    state = decode_state(first.state)
    for at in range(0, number, GROUP):
        runs = [
            first._replace(
                key=first.key._replace(run_id=f"run {n}"),
                begun=state.first + n * SECOND,
                state=encode_state(structs.replace(state, first=state.first + n * SECOND)),
            )
            for n in range(at, min(at + GROUP, number))
        ]
        store.commit(lambda _, runs=runs: Batch(runs=runs))  # type: ignore[misc]


LIMITS = """\
Each run adds a row with its place, and one to the list of its job and of each dataset that it names, which are on other pages of the file
than those of the last run; each event adds a row and an entry of the index by time. Most of the cost of lists is SQLite's.
Next to try: one row for all datasets of a run, since most runs of a job name the same ones."""

BENCHMARK = Benchmark("runs", ABOUT, run, LIMITS)
