"""The canvas of the explorer beside two libraries, in a real browser, on the same seeded graphs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.meshes import Meshes
from benchmarks.sizes import Size

ABOUT = """\
The canvas of the explorer, React Flow (drawing only what is visible) and cytoscape draw the same seeded graph in Chromium, headless,
1600 x 900, without a GPU; the peers get the places of our layout, so that what is compared is the drawing. First drawing: from the
start of the script to the first frame after the drawing, by the clock; ours includes the layout, which the page does in a worker.
Busy: milliseconds of the main thread for one frame while the picture moves, script, style and layout of the page included,
the painting of a canvas, too; at zoom 1 (near), 0.3 (mid) and with everything visible (fit). Script: our drawing alone, the median."""

FOLDER = Path(__file__).resolve().parent.parent / "explorer" / "bench"
ROUNDS = {Size.TINY: 1, Size.QUICK: 3, Size.FULL: 5}
COUNTS = {Size.TINY: (60,), Size.QUICK: (500, 1_000), Size.FULL: (500, 1_000, 5_000, 20_000)}
PEERS = {"react-flow": "React Flow 12", "cytoscape": "cytoscape 3"}
PEERS_UP_TO = 5_000  # above, one frame of a peer takes seconds
SCRIPT_MS, FIRST_MS = 2, 100


class Case(msgspec.Struct):
    """What explorer/bench/run.mjs prints; milliseconds, and megabytes of heap."""

    library: str
    count: int
    first: float
    layout: float
    heap: float
    near: float = msgspec.field(name="near busy")
    mid: float = msgspec.field(name="mid busy")
    fit: float = msgspec.field(name="fit busy")
    fit_fps: float = msgspec.field(name="fit fps")
    fit_p95: float = msgspec.field(name="fit p95")
    fit_script: float = msgspec.field(name="fit script", default=0)
    near_script: float = msgspec.field(name="near script", default=0)


def run(size: Size, _: Meshes) -> Iterator[Figure]:
    install_peers()
    for count in COUNTS[size]:
        peers = list(PEERS) if count <= PEERS_UP_TO else []
        ours, *others = measure_cases([f"{library}:{count}" for library in ("canvas", *peers)], ROUNDS[size])
        name = f"{count:,} nodes"
        yield Figure(
            case=f"{name}: script of a frame, fit",
            unit="ms",
            ours=ours.fit_script,
            reference=SCRIPT_MS,
            against="the goal, 2 ms",
            goal=build_maximum(1) if count <= PEERS_UP_TO else None,
            more={
                "near": round(ours.near_script, 2),
                "frames per second, fit": round(ours.fit_fps),
                "95th percentile, ms": round(ours.fit_p95),
            },
        )
        yield Figure(
            case=f"{name}: first drawing",
            unit="ms",
            ours=ours.first,
            reference=FIRST_MS,
            against="the goal, 100 ms",
            goal=build_maximum(1) if count == 500 else None,
            more={"layout, ms": round(ours.layout, 1), "heap, MB": round(ours.heap, 1)},
        )
        for other in others:
            against = PEERS[other.library]
            yield Figure(
                case=f"{name}: first drawing",
                unit="ms",
                ours=ours.first,
                reference=other.first,
                against=against,
                goal=build_maximum(0.5),
                more={"heap of the reference, MB": round(other.heap, 1)},
            )
            for view in ("near", "mid", "fit"):
                yield Figure(
                    case=f"{name}: busy for a frame, {view}",
                    unit="ms",
                    ours=getattr(ours, view),
                    reference=getattr(other, view),
                    against=against,
                    goal=build_maximum(1),
                )


def measure_cases(cases: list[str], rounds: int) -> list[Case]:
    result = subprocess.run(["node", "run.mjs", str(rounds), *cases], cwd=FOLDER, check=False, capture_output=True, text=True)
    if result.returncode:
        message = f"{FOLDER / 'run.mjs'} ended with {result.returncode}:\n{result.stderr[-3000:]}"
        raise RuntimeError(message)
    return [msgspec.convert(json.loads(line), Case) for line in result.stdout.splitlines()]


def install_peers() -> None:
    """React Flow, cytoscape and what builds and opens the page, which goes without them; and what our canvas needs of the page's own."""
    if shutil.which("npm") is None:
        message = "the benchmark of the explorer needs Node with npm, and Chromium"
        raise RuntimeError(message)
    for folder in (FOLDER.parent, FOLDER):
        if not (folder / "node_modules").exists():
            subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=folder, check=True)


LIMITS = """\
Near, a frame is the painting of rounded boxes, dashes and letters in software; the script is a small part of it.
Next to try: the same on a machine with a graphics card, and edges without dashes while the picture moves."""

BENCHMARK = Benchmark("explorer", ABOUT, run, LIMITS)
