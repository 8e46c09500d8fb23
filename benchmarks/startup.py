"""How long a command takes from nothing: whole processes, Python and imports included."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.meshes import Meshes
from benchmarks.sizes import Size
from benchmarks.timing import find_best
from meshline.cli.demo import fill_store

ABOUT = """\
Whole processes by the clock, the best of several: `meshline --help`, and `meshline impact customers.email` on the store of
`meshline demo`, where it opens the store, loads the index and writes the report. The references are what Python takes itself
(`python -c pass`) and with the one library that no graph goes without (`python -c "import numpy"`).
The goals, 0.3 s and 1.5 s, are shown as ratios."""

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
Imports: of what `meshline impact` takes, Strawberry with graphql-core, the schema made with it and numpy are two thirds."""

BENCHMARK = Benchmark("startup", ABOUT, run, LIMITS)
