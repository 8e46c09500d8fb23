"""Ingest over HTTP: our server, a process of its own, against a handler that only parses the JSON."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Benchmark, Figure, Goal, build_event_cost, build_minimum
from benchmarks.ingest import build_large_mesh, build_mesh
from benchmarks.meshes import Meshes, split_groups
from benchmarks.posting import post_bodies
from benchmarks.sizes import SHAPES, Size
from benchmarks.timing import Spent, measure_time

ABOUT = """\
The events of `ingest`, each a `POST /api/v1/lineage` of its own, over so many connections that are kept open. Each sends its next
event when the last is acknowledged: durable in SQLite and shown by the index. `meshline serve` with its settings as they come is a
process of its own, and so is the reference: a Starlette application on the same uvicorn that parses the JSON
(`await request.json()`) and answers 201. Both in turns, by the same client. Events a second, by the clock; `server ms` and
`reference ms` are the processor time of the server's process for an event. `12 KB`: events of 10 to 40 columns, each of which comes from
two others; their goals are 0.65 ms of processor and 1,500 events a second for new ones, 0.25 ms and 4,000 for unchanged ones, on an idle
machine, shown as ratios."""

AGAINST = "parse, answer 201"
THIRD = build_minimum(1 / 3)
CONNECTIONS = 32
EVENTS = {Size.TINY: 20, Size.QUICK: 1_000, Size.FULL: 5_000}
LARGE_EVENTS = {Size.TINY: 20, Size.QUICK: 500, Size.FULL: 3_000}  # of 12 KB
LARGE_GOALS = {"new": (0.65, 1_500), "unchanged": (0.25, 4_000)}  # ms of processor an event, and events a second on an idle machine
ROUND = 250  # events that one of both takes before the other
WARM = 100  # events before the measured ones
PATIENCE = 120  # seconds that a server may take to get ready
TICKS = os.sysconf("SC_CLK_TCK")

SERVE = "from meshline.cli import main; main()"


class Server(NamedTuple):
    port: int
    pid: int

    @property
    def processor(self) -> float:
        """Seconds of processor that the process has used; 0 if the system does not report it."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()  # the state is field 3 of proc(5); utime 14, stime 15
        return (int(fields[11]) + int(fields[12])) / TICKS


class Ingested(NamedTuple):
    """What the same events cost both; `cpu` of `Spent` is that of the server's process."""

    events: int
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
                "server ms": round(self.ours.cpu / self.events * 1000, 3),
                "reference ms": round(self.reference.cpu / self.events * 1000, 3),
            },
        )

    def build_processor_figure(self, case: str, milliseconds: float) -> Figure:
        """`milliseconds`: the goal for one event of ours. What takes less than the system's unit counts as that unit."""
        ours, reference = (max(spent.cpu, 1 / TICKS) / self.events * 1000 for spent in (self.ours, self.reference))
        return build_event_cost(case, ours, reference, AGAINST, milliseconds)


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    shape = SHAPES[size][0]
    store = meshes.copy(shape, "http-ingest.db")
    with run_server(store) as ours, _run_parser() as reference:
        measure_both(ours, reference, list(build_mesh(WARM, seed=9).build_events()), CONNECTIONS)
        events = build_mesh(EVENTS[size])
        for case, day in (("new", 0), ("unchanged", 1)):
            ingested = measure_both(ours, reference, list(events.build_events(day)), CONNECTIONS)
            yield ingested.build_figure(f"{case}, {CONNECTIONS} connections", THIRD)
        events = build_large_mesh(LARGE_EVENTS[size])
        for day, (case, (milliseconds, a_second)) in enumerate(LARGE_GOALS.items()):
            ingested = measure_both(ours, reference, list(events.build_events(day)), CONNECTIONS)
            goal = build_minimum(a_second * ingested.reference.wall / ingested.events)
            yield ingested.build_figure(f"12 KB, {case}, {CONNECTIONS} connections", goal)
            yield ingested.build_processor_figure(f"12 KB, {case}, processor", milliseconds)
        for connections, seed in ((8, 10), (1, 11)):
            few = build_mesh(max(EVENTS[size] * connections // CONNECTIONS, 10), seed)
            yield measure_both(ours, reference, list(few.build_events()), connections).build_figure(f"new, {connections} at a time", None)


def measure_both(ours: Server, reference: Server, bodies: Sequence[bytes], connections: int) -> Ingested:
    """The same events to both, in turns."""
    ingested = Ingested(0, Spent(), Spent())
    for some in split_groups(bodies, ROUND):
        ingested = Ingested(
            ingested.events + len(some),
            ingested.ours.add(_post_bodies(ours, some, connections)),
            ingested.reference.add(_post_bodies(reference, some, connections)),
        )
    return ingested


def _post_bodies(server: Server, bodies: Sequence[bytes], connections: int) -> Spent:
    before = server.processor
    wall = measure_time(lambda: post_bodies(server.port, bodies, connections)).wall
    return Spent(wall, server.processor - before)


@contextmanager
def run_server(store: Path | str, *options: str) -> Iterator[Server]:
    """`meshline serve` over an SQLite file, or over the store at an address."""
    url = store if isinstance(store, str) else f"sqlite:///{store}"
    with _process("-c", SERVE, "serve", "--store", url, *options, "--port") as server:
        yield server


@contextmanager
def _run_parser() -> Iterator[Server]:
    with _process("-m", "benchmarks.parsing") as server:
        yield server


@contextmanager
def _process(*arguments: str) -> Iterator[Server]:
    """A server on a free port, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, *arguments, str(port)]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=errors) as running:
        try:
            if not _wait_until_ready(port, running):
                errors.seek(0)
                raise RuntimeError(f"a server did not get ready: {errors.read().decode()}")
            yield Server(port, running.pid)
        finally:
            running.terminate()


def _wait_until_ready(port: int, running: subprocess.Popen[bytes]) -> bool:
    """Wait until it answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and running.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


LIMITS = """\
One processor: Python runs one thread at a time, so that what a request costs and what its event costs add up, and the reference pays
for the request alone. Of the server's time for a `new` event half is the writer's (see `ingest`; the groups are of 32 events at most)
and half the request's: the server's answer, the envelope's log line and counts, parsing. The goal for an `unchanged` event of 12 KB leaves
a tenth of a millisecond beside what the reference takes; deflating the event and its run's state alone takes 0.06.
Next to try: as in `ingest`, and a cheaper line of the log."""

BENCHMARK = Benchmark("http_ingest", ABOUT, run, LIMITS)
