"""Three servers over one Neo4j: what an event costs both sides, how far the graph for people is behind, and when the others answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple

import httpx
import msgspec
import neo4j
import numpy as np

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, build_maximum, build_minimum
from benchmarks.http_ingest import CONNECTIONS, Server, run_server
from benchmarks.ingest import build_large_mesh
from benchmarks.meshes import Meshes
from benchmarks.posting import post_bodies
from benchmarks.sizes import Size
from benchmarks.timing import measure_time
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.store.neo4j import Neo4jStore

ABOUT = """\
Events of 12 KB (10 to 40 columns, each from two others), each a `POST /api/v1/lineage` of its own over 32 connections, to one of
three `meshline serve` over one Neo4j, after others that warmed it up: until then Java compiles what it runs, and an event
costs up to five times as much. Events a second by the clock, until all are acknowledged.
Processor time of an event: of the server that takes them, and of Neo4j's process as Java reports it, `acknowledged` until the last
answer and `drawn` until the graph for people shows all. Lag: the most that the graph for people was behind, of samples. Seen by
others: after a single event is acknowledged, until both other servers answer with its revision. The references are the goals, for an
idle machine."""

EVENTS = {Size.TINY: 40, Size.QUICK: 600, Size.FULL: 6_000}
WARM_UP = {Size.TINY: 10, Size.QUICK: 1_000, Size.FULL: 12_000}  # Java compiles for so long
SEEN = {Size.TINY: 3, Size.QUICK: 50, Size.FULL: 300}
EVENTS_A_SECOND, PROCESSOR_MS, LAG_SECONDS, SEEN_MS = 300.0, 6.0, 5.0, 300.0
SAMPLE_SECONDS = 0.1
POLL_SECONDS = 0.005
AGAINST = "the goal"
PROCESSOR = """CALL dbms.queryJmx('java.lang:type=OperatingSystem') YIELD attributes AS process
CALL dbms.queryJmx('java.lang:type=Compilation') YIELD attributes AS compilation
RETURN process.ProcessCpuTime.value / 1e9, compilation.TotalCompilationTime.value / 1e3"""


class Costs(NamedTuple):
    """Seconds of processor of both sides, of theirs for Java's compiler, and by the clock."""

    ours: float
    theirs: float
    compiling: float
    clock: float

    @classmethod
    def read(cls, server: Server, session: neo4j.Session) -> Costs:
        theirs, compiling = session.run(PROCESSOR).single(strict=True)
        return cls(server.processor, theirs, compiling, time.perf_counter())

    def subtract(self, before: Costs) -> Costs:
        return Costs(*(now - then for now, then in zip(self, before, strict=True)))


class LagWatch:
    """Samples how far the graph for people is behind, in a thread of its own."""

    def __init__(self, store: Neo4jStore) -> None:
        self.seconds = 0.0
        self._store = store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.seconds = max(self.seconds, self._store.read_projection().behind)

    def end(self) -> float:
        self._ended.set()
        self._thread.join()
        return self.seconds


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    url = meshes.open_neo4j()
    with ExitStack() as stack:
        store = stack.enter_context(closing(Neo4jStore(url)))
        session = stack.enter_context(servers.open_session(url))
        replicas = [stack.enter_context(run_server(url)) for _ in range(3)]
        post_bodies(replicas[0].port, list(build_large_mesh(WARM_UP[size], seed=9).build_events()), CONNECTIONS)
        _wait_until_drawn(store)
        events = build_large_mesh(EVENTS[size])
        for case, day in (("new", 0), ("unchanged", 1)):
            yield from _measure_posting(case, replicas[0], store, session, list(events.build_events(day)))
        yield _measure_seeing(replicas, list(build_large_mesh(SEEN[size], seed=12).build_events()))


def _measure_posting(case: str, server: Server, store: Neo4jStore, session: neo4j.Session, bodies: Sequence[bytes]) -> Iterator[Figure]:
    before, watch = Costs.read(server, session), LagWatch(store)
    post_bodies(server.port, bodies, CONNECTIONS)
    acknowledged = Costs.read(server, session).subtract(before)
    _wait_until_drawn(store)
    drawn, lag = Costs.read(server, session).subtract(before), watch.end()
    yield Figure(
        case=f"{case}, {CONNECTIONS} connections",
        unit="events/s",
        ours=len(bodies) / acknowledged.clock,
        reference=EVENTS_A_SECOND,
        against=AGAINST,
        goal=build_minimum(1),
        more={"events": len(bodies), "seconds until it is drawn, after the last answer": round(drawn.clock - acknowledged.clock, 2)},
    )
    for what, costs in (("acknowledged", acknowledged), ("drawn", drawn)):
        ours, theirs = costs.ours / len(bodies) * 1000, costs.theirs / len(bodies) * 1000
        yield Figure(
            case=f"{case}, {what}: processor of both sides",
            unit="ms an event",
            ours=ours + theirs,
            reference=PROCESSOR_MS,
            against=AGAINST,
            goal=build_maximum(1),
            more={
                "server ms": round(ours, 2),
                "Neo4j ms": round(theirs, 2),
                "of these Java's compiler": round(costs.compiling / len(bodies) * 1000, 2),
            },
        )
    yield Figure(
        case=f"{case}: lag of the graph for people",
        unit="s",
        ours=lag,
        reference=LAG_SECONDS,
        against=AGAINST,
        goal=build_maximum(1),
    )


def _measure_seeing(replicas: Sequence[Server], bodies: Sequence[bytes]) -> Figure:
    """Post to each in turn, and ask the others until they answer with the revision of the event."""
    times: list[float] = []
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{one.port}")) for one in replicas]
        for number, body in enumerate(bodies):
            writer = clients[number % len(clients)]
            writer.post("/api/v1/lineage", content=body, headers={"content-type": "application/json"}).raise_for_status()
            revision = _read_revision(writer)
            spent = measure_time(lambda: _wait_for([one for one in clients if one is not writer], revision))  # noqa: B023 - called at once
            times.append(spent.wall)
    return Figure(
        case="seen by two others, 99th of 100",
        unit="ms",
        ours=float(np.percentile(times, 99)) * 1000,
        reference=SEEN_MS,
        against=AGAINST,
        goal=build_maximum(1),
        more={"median ms": round(float(np.median(times)) * 1000, 1), "events": len(bodies)},
    )


def _read_revision(client: httpx.Client) -> int:
    answer = client.post("/graphql", json={"query": "{ about { revision } }"}).raise_for_status().content
    return int(msgspec.json.decode(answer)["data"]["about"]["revision"])


def _wait_for(clients: Sequence[httpx.Client], revision: int) -> None:
    for client in clients:
        while _read_revision(client) < revision:
            time.sleep(POLL_SECONDS)


def _wait_until_drawn(store: Neo4jStore) -> None:
    while (state := store.read_projection()).drawn < state.revision:
        time.sleep(SAMPLE_SECONDS)


LIMITS = """\
Neo4j. The graph for people has thirty nodes and a hundred relationships of a `new` event, with the full-text index of the names; of warm
Java, a node takes 35 µs of processor, a relationship 7 to 14 (half of it in its commit, most of that for its properties), finding a
node 5. The log of an event is about twenty nodes, a fifth of all that. A commit has 26 to 31 events of 32 connections. The graph is
drawn in turns: an event takes 1.6 ms here, then 3.7 there. What the store has already costs nothing: without the two other servers, which
follow, 27,000 events came at 150 to 165 a second, for 8.5 to 9 ms each from the first 6,000 to the last. Next to try: the next scopes are
decoded while Neo4j writes; names without `parts` and `kind`, which `sort` has; one row for each edge instead of one for each column's
position."""

BENCHMARK = Benchmark("neo4j-serving", ABOUT, run, LIMITS)
