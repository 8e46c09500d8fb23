"""Questions beside writes over HTTP: what each waits for the other, with reader processes and without."""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.closures import key_of
from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.ingest import build_mesh
from benchmarks.meshes import Meshes
from benchmarks.meshes import build_mesh as build_large_mesh
from benchmarks.sizes import SHAPES, Size

ABOUT = """\
8 writers post the events of `ingest` to `meshline serve`, 32 readers ask for the impact of columns, each over a connection of its own that
sends its next request when the last is answered: first the writers alone, then the readers alone, then both at once, for the same time.
One question in ten is about one of the 20 columns that most others come from; each question asks for all pages, of 500 assets, one after
the other, and each page counts as a question. `/healthz` is asked every 20 ms beside both. The clients are three processes of their own.
Milliseconds at the 99th of 100, both at once against alone, by the clock; `median`, `alone` (the median alone), and the requests a second
of both and alone. `one process` is the server without readers (`--readers 0`), `readers` with as many as `auto` starts, at least one."""

ALONE = "alone"
TWICE = build_maximum(2.0)
SHAPE = {Size.TINY: SHAPES[Size.TINY][-1], Size.QUICK: SHAPES[Size.QUICK][-1], Size.FULL: Shape(300_000)}
SECONDS = {Size.TINY: 1.0, Size.QUICK: 15.0, Size.FULL: 40.0}
WARM_SECONDS = {Size.TINY: 0.2, Size.QUICK: 3.0, Size.FULL: 10.0}
WRITERS, READERS = 8, 32
HUBS, STARTS = 20, 2_000
PAGE = 500
HEALTH_PAUSE = 0.02
HEALTH_MS = 20.0  # at the 99th of 100
PATIENCE = 900  # seconds that a server may take to get ready
SERVE = "from meshline.cli import main; main()"
IMPACT = """query($id:ID!,$after:String){impact(of:[$id]){total byReach{key count}
  assets(first:%d,after:$after){nodes{reach distance node{id qualifiedName}} pageInfo{hasNextPage endCursor}}}}"""
IMPACT %= PAGE


class Measured(NamedTuple):
    """The milliseconds that each request of one kind took, in `seconds`."""

    times: Sequence[float]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def find(self, percent: float) -> float:
        return float(np.percentile(self.times, percent)) if self.times else float("nan")


class Load(NamedTuple):
    """What is measured together; empty for what was not sent."""

    writes: Measured
    reads: Measured
    health: Measured


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    shape = SHAPE[size]
    starts = list_starts(shape)
    for case, readers in (("one process", 0), ("readers", max((os.cpu_count() or 1) - 1, 1))):
        store = meshes.copy(shape, f"concurrency-{readers}.db")
        with serve(store, readers) as port, ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as clients:
            send = _Sender(clients, port, starts)
            send.measure(WARM_SECONDS[size], writes=True, reads=True)
            writes = send.measure(SECONDS[size], writes=True, reads=False).writes
            reads = send.measure(SECONDS[size], writes=False, reads=True).reads
            both = send.measure(SECONDS[size], writes=True, reads=True)
        yield _build_figure(f"writes, {case}", both.writes, writes, aims=bool(readers))
        yield _build_figure(f"questions, {case}", both.reads, reads, aims=bool(readers))
        yield Figure(
            case=f"/healthz, {case}",
            unit="ms",
            ours=both.health.find(99),
            reference=HEALTH_MS,
            against="the limit",
            goal=build_maximum(1.0) if readers else None,
            more={"median": round(both.health.find(50), 2), "longest": round(both.health.find(100), 1)},
        )


def _build_figure(case: str, both: Measured, alone: Measured, *, aims: bool) -> Figure:
    return Figure(
        case=case,
        unit="ms",
        ours=both.find(99),
        reference=alone.find(99),
        against=ALONE,
        goal=TWICE if aims else None,
        more={
            "median": round(both.find(50), 1),
            "alone": round(alone.find(50), 1),
            "a second": round(both.rate),
            "a second alone": round(alone.rate),
        },
    )


def list_starts(shape: Shape) -> list[str]:
    """The ids of columns to ask about: the hubs first, then any."""
    mesh = build_large_mesh(shape)
    hubs = np.argsort(np.bincount(mesh.start, minlength=mesh.columns))[::-1][:HUBS].tolist()
    read = np.unique(mesh.start).tolist()  # no event names the others
    any_columns = random.Random(1).sample(read, min(STARTS, len(read)))
    return [key_of(mesh, column).id for column in (*hubs, *any_columns)]


class _Sender:
    """Has client processes send requests, and measures them."""

    def __init__(self, clients: ProcessPoolExecutor, port: int, starts: Sequence[str]) -> None:
        self._clients = clients
        self._port = port
        self._starts = starts
        self._seeds = itertools.count(20)

    def measure(self, seconds: float, *, writes: bool, reads: bool) -> Load:
        asked: list[Future[Measured] | None] = [
            self._clients.submit(send_writes, self._port, seconds, next(self._seeds)) if writes else None,
            self._clients.submit(send_questions, self._port, seconds, self._starts) if reads else None,
            self._clients.submit(send_health, self._port, seconds),
        ]
        return Load(*(Measured((), seconds) if one is None else one.result() for one in asked))


def send_writes(port: int, seconds: float, seed: int, day: int = 0, pause: float = 0) -> Measured:
    """New events over connections, for so long."""
    bodies = build_mesh(int(1_000 * max(seconds, 1)), seed).build_events(day)
    return asyncio.run(send_all(port, seconds, [_build_writer(bodies)] * WRITERS, pause))


def _build_writer(bodies: Iterator[bytes]) -> Callable[[bytes], bytes]:
    def build(answer: bytes) -> bytes:
        if answer and not answer.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(answer[:1000].decode())
        return build_request("/api/v1/lineage", next(bodies))

    return build


def send_questions(port: int, seconds: float, starts: Sequence[str]) -> Measured:
    """Impacts over connections, for so long."""
    return asyncio.run(send_all(port, seconds, [_build_reader(starts, random.Random(n)) for n in range(READERS)]))


def _build_reader(starts: Sequence[str], chance: random.Random) -> Callable[[bytes], bytes]:
    start = ""

    def build(answer: bytes) -> bytes:
        nonlocal start
        after = None
        if answer:
            head, _, body = answer.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body[:20]:
                raise RuntimeError(answer[:1000].decode())
            at = body.rindex(b'"pageInfo"')  # at the end: to parse it all would make the client the slowest part
            page = json.loads(body[at + len(b'"pageInfo":') : body.index(b"}", at) + 1])
            after = page["endCursor"] if page["hasNextPage"] else None
        if after is None:
            start = chance.choice(starts[:HUBS]) if chance.random() < 0.1 else chance.choice(starts[HUBS:])
        return build_request("/graphql", json.dumps({"query": IMPACT, "variables": {"id": start, "after": after}}).encode())

    return build


def send_health(port: int, seconds: float) -> Measured:
    """`/healthz` again and again, for so long."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return asyncio.run(send_all(port, seconds, [lambda _: request], HEALTH_PAUSE))


def build_request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def send_all(port: int, seconds: float, builders: Sequence[Callable[[bytes], bytes]], pause: float = 0) -> Measured:
    """One connection for each builder, which makes the next request of the last answer (the first of none)."""
    times: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_send_some(port, begun + seconds, build, pause, times) for build in builders))
    return Measured(times, time.perf_counter() - begun)


async def _send_some(port: int, end: float, build: Callable[[bytes], bytes], pause: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    answer = b""
    while time.perf_counter() < end:
        request = build(answer)
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        answer = head + await reader.readexactly(length)
        times.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(pause)
    writer.close()


@contextmanager
def serve(store: Path, readers: int) -> Iterator[int]:
    """The port of a server with so many readers, which all answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVE, "serve", "--store", f"sqlite:///{store}", "--port", str(port), "--readers", str(readers)]
    with tempfile.TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors) as running:
        try:
            end = time.monotonic() + PATIENCE
            while not _has_readers(port, readers):
                if time.monotonic() > end or running.poll() is not None:
                    errors.seek(0)
                    raise RuntimeError(f"a server did not get ready: {errors.read().decode()}")
                time.sleep(0.2)
            yield port
        finally:
            running.terminate()


def _has_readers(port: int, readers: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            found = json.load(answer).get("readers", [])
    except OSError:
        return False
    return sum(one["revision"] is not None for one in found) == readers


LIMITS = """\
The processors: the server's process, each reader and the clients want one each. On a machine with two, what is measured together shares
what each had alone: questions beside writes take 1.5 to 2.2 times as long, from run to run. Next to try: three processors. What `/healthz`
waits longest for are pauses of Python's garbage collector, during which no thread runs: up to 4 ms each 5,000 values, and 0.2 to 0.3 s once
in some 50,000 new events, when what caches keep is scanned."""

BENCHMARK = Benchmark("concurrency", ABOUT, run, LIMITS)
