"""The page in a real browser, over a large mesh: what a user waits for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.figures import Benchmark, Figure, build_maximum
from benchmarks.generate import Mesh
from benchmarks.http_ingest import run_server
from benchmarks.meshes import Meshes, build_mesh
from benchmarks.posting import post_bodies
from benchmarks.queries import SHAPE
from benchmarks.sizes import Size
from meshline.graph.model import build_dataset_key

ABOUT = """\
The explorer in Chromium, headless, 1440 x 900, on a mesh of 10,000 jobs and 300,000 columns in which one dataset has 3,000 readers more.
Each step by the clock, from the click (or the address) until the page shows the answer and asks for nothing more; server and browser
share the machine. First paint: of an empty browser, without anything cached. `longest task`: of the main thread of the page, in ms."""

ROOT = Path(__file__).resolve().parent.parent
READERS = {Size.TINY: 40, Size.QUICK: 600, Size.FULL: 3_000}
AT_ONCE = 500  # events of one request
PAINT, STEP = 1_000, 2_000  # ms
FLAGS = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
COUNT_TASKS = """window.tasks = [0];
new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration)))
  .observe({type: 'longtask', buffered: true})"""
PAINTED = """new Promise((resolve) => new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint')
  .forEach((one) => resolve(one.startTime))).observe({type: 'paint', buffered: true}))"""  # it can be later than `load`
PATIENCE = 120_000  # ms: a server that compiles, on a machine that does other work


def run(size: Size, meshes: Meshes) -> Iterator[Figure]:
    shape = SHAPE[size]
    mesh = build_mesh(shape)
    with run_server(meshes.copy(shape, "views.db")) as server:
        add_readers(server.port, mesh, READERS[size])
        yield from measure_views(f"http://127.0.0.1:{server.port}", mesh)


def measure_views(address: str, mesh: Mesh) -> Iterator[Figure]:
    found = subprocess.run([ROOT / "scripts" / "browser"], capture_output=True, text=True, check=True)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=[*FLAGS, *sandbox])
        yield measure_paint(browser, address)
        page = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce").new_page()
        page.set_default_timeout(PATIENCE)
        page.add_init_script(COUNT_TASKS)
        hub = build_dataset_key(mesh.namespace, mesh.build_dataset_name(0))
        for case, step in list_steps(page, address, hub.name, hub.id):
            page.evaluate("window.tasks?.splice(1)")
            begun = perf_counter()
            step()
            wait_until_idle(page)
            passed = (perf_counter() - begun) * 1000
            longest = page.evaluate("Math.max(...window.tasks)")
            yield Figure(
                case=f"{case}, {mesh.columns:,} columns",
                unit="ms",
                ours=passed,
                reference=STEP,
                against="the goal",
                goal=build_maximum(1),
                more={"longest task, ms": round(longest)},
            )
        browser.close()


def measure_paint(browser: Browser, address: str) -> Figure:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address + "/", wait_until="load")
    painted = float(page.evaluate(PAINTED))
    page.context.close()
    return Figure(case="first paint, cold", unit="ms", ours=painted, reference=PAINT, against="the goal", goal=build_maximum(1))


def list_steps(page: Page, address: str, name: str, asset: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What a user does, one after the other."""
    draw = page.get_by_role("button", name="Draw the picture")
    yield "start", lambda: page.goto(address + "/", wait_until="load")
    yield "suggest while typing", lambda: write_name(page, name)
    yield "search", lambda: page.goto(f"{address}/search?q=customer+order", wait_until="load")
    yield "open a hub", lambda: page.goto(f"{address}/lineage?of={asset}", wait_until="load")
    if draw.count():  # many nodes are listed first
        yield "draw it", draw.click
    yield "impact of the hub", lambda: page.goto(f"{address}/impact?of={asset}", wait_until="load")
    yield "its page, with its owner", lambda: page.goto(f"{address}/asset/{asset}", wait_until="load")
    yield "list of datasets", lambda: page.goto(f"{address}/datasets", wait_until="load")
    yield "differences", lambda: page.goto(f"{address}/diff", wait_until="load")


def write_name(page: Page, name: str) -> None:
    page.locator("input[role=combobox]").first.fill(name)
    page.locator("[role=listbox] [role=option]").first.wait_for()


def wait_until_idle(page: Page) -> None:
    """Until a heading is there and nothing is loading. Polled from outside, because the page's policy forbids scripts of others."""
    page.locator("h1").first.wait_for()
    while page.locator(".busy, [aria-busy=true]").count():
        page.wait_for_timeout(10)


def add_readers(port: int, mesh: Mesh, readers: int) -> None:
    """Jobs that read the first dataset of the mesh, each into a dataset of its own."""
    events = [build_reader(mesh, number) for number in range(readers)]
    post_bodies(port, [json.dumps(event).encode() for event in events], 8)


def build_reader(mesh: Mesh, number: int) -> dict[str, object]:
    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-03-09T00:00:00Z",
        "producer": "https://example.com/benchmark",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": f"00000000-0000-4000-8000-{number:012d}"},
        "job": {"namespace": "readers", "name": f"reader_{number}"},
        "inputs": [{"namespace": mesh.namespace, "name": mesh.build_dataset_name(0)}],
        "outputs": [{"namespace": mesh.namespace, "name": f"readers.reader_{number}"}],
    }


BENCHMARK = Benchmark("views", ABOUT, run)
