"""Several servers that share the partitions of a topic, over one Neo4j: what more of them add."""

from __future__ import annotations

import json
import re
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import neo4j
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.http_ingest import Server, run_server
from benchmarks.ingest import build_large_mesh
from benchmarks.meshes import Meshes
from benchmarks.neo4j_serving import PROCESSOR
from benchmarks.sizes import Size
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.store.neo4j import Neo4jStore

ABOUT = """\
A topic of Kafka with 1, 2 or 4 partitions and as many `meshline serve --kafka` in one group, over one Neo4j, which is empty before each.
Each has its partition and has read other events when the measured ones come: new ones of 12 KB on average, keyed by their job as
OpenLineage's clients do. Events a second by the clock, from the first message until the last one is durable. Processor time of an event:
of all these servers, and of Neo4j's process as Java reports it, until the graph for people shows all. The best of some rounds, in turns,
after one that only warms Neo4j up.
The reference is one partition with one server."""

EVENTS = {Size.TINY: 20, Size.QUICK: 400, Size.FULL: 3_000}
WARM_UP = {Size.TINY: 10, Size.QUICK: 200, Size.FULL: 1_000}
ROUNDS = {Size.TINY: 1, Size.QUICK: 1, Size.FULL: 3}
WIDTHS = (1, 2, 4)
POLL_SECONDS = 0.02
AGAINST = "one partition, one server"
LAG = re.compile(r'^meshline_kafka_lag_messages\{partition="\d+"\} ', re.MULTILINE)
COUNT = "MATCH (m:Meta) RETURN m.events"


class Cost(NamedTuple):
    """Seconds until all events are durable, and seconds of processor until they are drawn, of an event."""

    clock: float
    ours: float
    theirs: float


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    compile_kernels()
    costs: dict[int, list[Cost]] = {width: [] for width in WIDTHS}
    with servers.run_kafka(meshes.folder / "kafka") as broker:
        _measure(1, size, meshes.open_neo4j(), broker)  # what Neo4j's process does first is slow
        for _ in range(ROUNDS[size]):
            for width in WIDTHS:
                costs[width].append(_measure(width, size, meshes.open_neo4j(), broker))
    best = {width: Cost(*map(min, zip(*found, strict=True))) for width, found in costs.items()}
    for width in WIDTHS[1:]:
        yield from _build_figures(width, best[width], best[1], EVENTS[size])


def _build_figures(width: int, cost: Cost, single: Cost, events: int) -> Iterator[Figure]:
    yield Figure(
        case=f"{width} partitions, {width} servers",
        unit="events/s",
        ours=1 / cost.clock,
        reference=1 / single.clock,
        against=AGAINST,
        more={"events": events},
    )
    yield Figure(
        case=f"{width} partitions, {width} servers: processor of both sides",
        unit="ms an event",
        ours=(cost.ours + cost.theirs) * 1000,
        reference=(single.ours + single.theirs) * 1000,
        against=AGAINST,
        goal=build_maximum(1.25),
        more={
            "servers ms": round(cost.ours * 1000, 2),
            "Neo4j ms": round(cost.theirs * 1000, 2),
            "one server ms": round(single.ours * 1000, 2),
            "its Neo4j ms": round(single.theirs * 1000, 2),
        },
    )


def _measure(width: int, size: Size, store: str, broker: str) -> Cost:
    topic = f"events-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": broker})
    admin.create_topics([NewTopic(topic, width, 1)])[topic].result(60)
    warm, bodies = list(build_large_mesh(WARM_UP[size], seed=9).build_events()), list(build_large_mesh(EVENTS[size]).build_events())
    with ExitStack() as stack:
        session = stack.enter_context(servers.open_session(store))
        shown = Neo4jStore(store)
        stack.callback(shown.close)
        running = [stack.enter_context(run_server(store, "--kafka", broker, "--kafka-topic", topic)) for _ in range(width)]
        while any(_count_partitions(server) != 1 for server in running):
            time.sleep(POLL_SECONDS)
        for some in (warm, bodies):
            _wait_until_drawn(shown)
            before, count = _read_costs(running, session), _count_events(session) + len(some)
            _send(broker, topic, some)
            while _count_events(session) < count:
                time.sleep(POLL_SECONDS)
            durable = time.perf_counter()
        _wait_until_drawn(shown)
        after = _read_costs(running, session)
    return Cost(*((end - begin) / len(bodies) for end, begin in zip(after._replace(clock=durable), before, strict=True)))


def _send(broker: str, topic: str, bodies: Sequence[bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker})
    for body in bodies:
        job = json.loads(body)["job"]
        producer.produce(topic, body, key=f"run:{job['namespace']}/{job['name']}")
    producer.flush()


def _read_costs(running: Sequence[Server], session: neo4j.Session) -> Cost:
    return Cost(time.perf_counter(), sum(server.processor for server in running), session.run(PROCESSOR).value()[0])


def _count_partitions(server: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        return len(LAG.findall(answer.read().decode()))


def _count_events(session: neo4j.Session) -> int:
    return int(session.run(COUNT).value()[0])


def _wait_until_drawn(store: Neo4jStore) -> None:
    while (state := store.read_projection()).drawn < state.revision:
        time.sleep(POLL_SECONDS)


LIMITS = """\
Neo4j. The commits of all servers are one after the other, since each takes the next revision of one counter; what more servers add is
the parsing and building of the next commits beside it. With fewer cores than servers and Neo4j need, nothing is added.
Next to try: as many cores as servers and Neo4j have processes."""

BENCHMARK = Benchmark("fan-in", ABOUT, run, LIMITS)
