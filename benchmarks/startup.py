"""How long a command takes from nothing: whole processes, Python and imports included."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Shape
from benchmarks.meshes import Meshes
from benchmarks.sizes import LARGEST, SHAPES, Size
from benchmarks.timing import Spent, find_best
from meshline.cli.demo import fill_store

ABOUT = """\
Whole processes by the clock, the best of several: `meshline --help`, and `meshline impact customers.email` on the store of
`meshline demo`, where it opens the store, loads the index and writes the report. The references are what Python takes itself
(`python -c pass`) and with the one library that no graph goes without (`python -c "import numpy"`).
The goals, 0.3 s and 1.5 s, are shown as ratios.
`meshline serve` on a store with a kept index, without readers, until `/readyz` is 200; kernels were compiled before. `first answer`: until
a first question is answered, too; `first search`: until a first search is, for which kernels may still be loaded. Ready against the goals,
1 s for 300,000 columns, 2 s for a million, 10 s for ten million; the first search against ready."""

SERVED = {  # the seconds in which a server of this size is to be ready
    Size.TINY: {SHAPES[Size.TINY][0]: 1.0},
    Size.QUICK: {Shape(300_000): 1.0},
    Size.FULL: {Shape(300_000): 1.0, SHAPES[Size.FULL][-1]: 2.0, LARGEST: 10.0},
}
PATIENCE = 600.0  # seconds that a server may take to get ready, and to end
LOOK_SECONDS = 0.01
SERVE_ROUNDS = {Size.TINY: 1, Size.QUICK: 5, Size.FULL: 5}
QUESTION = "{ datasets(first: 1) { totalCount nodes { name } } }"
SEARCH = '{ search(text: "customer order", first: 3) { nodes { name } } }'

ROUNDS = {Size.TINY: 1, Size.QUICK: 5, Size.FULL: 15}
HELP_MS, IMPACT_MS = 300, 1500
MESHLINE = ("-c", "from meshline.cli import main; main()")  # as the installed script does


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    store = meshes.open_fresh("demo.db")
    fill_store(f"sqlite:///{store}")
    cases = (
        ("meshline --help", (*MESHLINE, "--help"), HELP_MS),
        ("meshline impact", (*MESHLINE, "impact", "customers.email", "--store", f"sqlite:///{store}"), IMPACT_MS),
    )
    for name, arguments, allowed in cases:
        for against, reference in (("python -c pass", ("-c", "pass")), ('python -c "import numpy"', ("-c", "import numpy"))):
            ours, theirs = find_best([partial(run_python, arguments), partial(run_python, reference)], ROUNDS[size])
            milliseconds = theirs.wall * 1000
            yield Figure(
                case=name,
                unit="ms",
                ours=ours.wall * 1000,
                reference=milliseconds,
                against=against,
                goal=build_maximum(allowed / milliseconds),
                more={
                    "processor, ms": round(measure_processor(arguments) * 1000),
                    "processor of the reference, ms": round(measure_processor(reference) * 1000),
                },
            )

    for shape, seconds in SERVED[size].items():
        yield from _measure_serve(meshes.copy(shape, "serve.db"), shape, seconds, SERVE_ROUNDS[size])


class Started(NamedTuple):
    """What a server took until it was ready, until it had answered a question, and until it had answered a search."""

    ready: Spent
    answered: Spent
    searched: Spent


def _measure_serve(store: Path, shape: Shape, seconds: float, rounds: int) -> Iterator[Figure]:
    serve_once(store)  # compiles the kernels and keeps the index, if that is not done yet
    starts = [serve_once(store) for _ in range(rounds)]
    ready = min((start.ready for start in starts), key=attrgetter("wall"))
    searched = min((start.searched for start in starts), key=attrgetter("wall"))
    yield Figure(
        case=f"meshline serve, {shape.columns:,} columns",
        unit="ms",
        ours=ready.wall * 1000,
        reference=seconds * 1000,
        against="the goal",
        goal=build_maximum(1.0),
        more={
            "processor, ms": round(ready.cpu * 1000),
            "first answer, ms": round(min(start.answered.wall for start in starts) * 1000),
            "MiB of the store": round(store.stat().st_size / 2**20, 1),
        },
    )
    yield Figure(
        case=f"first search, {shape.columns:,} columns",
        unit="ms",
        ours=searched.wall * 1000,
        reference=ready.wall * 1000,
        against="ready",
        more={"processor, ms": round(searched.cpu * 1000)},
    )


def serve_once(store: Path) -> Started:
    """What a server takes. It has ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    began = time.perf_counter()
    arguments = (*MESHLINE, "serve", "--store", f"sqlite:///{store}", "--port", str(port), "--readers", "0")
    with subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL) as server:
        try:
            while not _is_ready(port):
                if server.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError("the server did not get ready")
                time.sleep(LOOK_SECONDS)
            spent = [Spent(time.perf_counter() - began, _measure_process(server.pid))]
            for question in (QUESTION, SEARCH):
                _ask(port, question)
                spent.append(Spent(time.perf_counter() - began, _measure_process(server.pid)))
        finally:
            server.terminate()
    return Started(*spent)


def _ask(port: int, question: str) -> None:
    sent = json.dumps({"query": question}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        body = answer.read()
    if b'"errors"' in body:
        raise RuntimeError(f"a question was refused: {body[:300].decode()}")


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _measure_process(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_python(arguments: tuple[str, ...]) -> None:
    root = Path(__file__).resolve().parent.parent
    subprocess.run([sys.executable, *arguments], cwd=root, check=True, stdout=subprocess.DEVNULL)


def measure_processor(arguments: tuple[str, ...]) -> float:
    """Seconds of the processor that a process takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_python(arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


LIMITS = """\
Of what `meshline serve` takes until it is ready at 300,000 columns, imports are two thirds (Strawberry with graphql-core, the schema made
with it, and numpy), and a seventh is SQLite's check of the file, which grows with it. Next to try: the check in a thread while modules are
imported."""

BENCHMARK = Benchmark("startup", ABOUT, run, LIMITS)
