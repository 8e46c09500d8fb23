"""One benchmark's run."""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

from benchmarks.catalog import BENCHMARKS
from benchmarks.figures import Figure, Record
from benchmarks.machine import describe_machine
from benchmarks.meshes import Meshes
from benchmarks.sizes import Size
from benchmarks.table import format_row


def run_apart(name: str, size: Size, meshes: Meshes) -> Record:
    """In a process of its own: what one leaves in memory does not change the next."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measure_apart, name, size, meshes).result()


def measure_apart(name: str, size: Size, meshes: Meshes) -> Record:
    """Run one benchmark here."""
    on = describe_machine()
    began = time.perf_counter()
    figures: list[Figure] = []
    for figure in BENCHMARKS[name].run(size, meshes):
        figures.append(figure)
        print(f"{name}: {' | '.join(format_row(figure))}", file=sys.stderr, flush=True)
    return Record(
        benchmark=name,
        size=size,
        date=datetime.now(tz=UTC).date().isoformat(),
        seconds=round(time.perf_counter() - began, 1),
        machine=on,
        figures=figures,
    )
