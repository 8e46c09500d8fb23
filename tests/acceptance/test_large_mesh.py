"""A large mesh over HTTP, by 1, 8 and 32 connections, with kills in between; then lineage and impact against an oracle.

Its size is `MESHLINE_TEST_MESH`, jobs x columns. The full size takes some ten minutes and 5 GB; `-s` shows the figures:

    scripts/test --all tests/acceptance/test_large_mesh.py -s
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from tests.acceptance.large_mesh import CATALOG, LAKE, LAYERS, LargeMesh
from tests.acceptance.oracle import Oracle
from tests.acceptance.reaching import DOWNSTREAM, UPSTREAM, Array, Edge, Found, Reaching
from tests.acceptance.service import CLASSES
from tests.faults.served import Started, run_server
from tests.faults.wire import GRAPHQL, Posted, send_request
from tests.sizes import ALL, choose_size

JOBS, COLUMNS = (int(part) for part in os.environ.get("MESHLINE_TEST_MESH", "10000x300000" if ALL else "300x9000").split("x"))
SEED = int(os.environ.get("MESHLINE_FAULT_SEED", "11"))
PHASES = ((1, 0.15), (8, 0.35), (32, 0.5))  # connections, share of the events
KILLS = choose_size(1, 3)  # in each phase, and one at its end
DEPTHS = (2, 5, 20)
STARTS = (8, 4)  # columns, datasets
SMALL, LARGE = 25, 1000  # assets on a page: the default, and the maximum
DRAWN = 500  # nodes of a drawing by default

DATASET = "query($ns:String!,$n:String!){dataset(namespace:$ns,name:$n){id qualifiedName columns(first:500){nodes{id qualifiedName}}}}"
LINEAGE = """query($id:ID!,$direction:Direction!,$depth:Int!){lineage(of:[$id],direction:$direction,depth:$depth){
  nodes{asset{qualifiedName} reach distance masked start}
  edges{from{qualifiedName} to{qualifiedName} reach subtype masking jobs{qualifiedName}}
  completeness{truncated}}}"""
AFFECTED = """total byKind{key count} completeness{truncated} assets(first:$first,after:$after){
  nodes{node{kind qualifiedName} reach distance masked} pageInfo{hasNextPage endCursor}}"""
IMPACT = {
    direction: f"query($id:ID!,$depth:Int!,$first:Int!,$after:String){{{name}(of:[$id],depth:$depth){{{AFFECTED}}}}}"
    for direction, name in ((DOWNSTREAM, "impact"), (UPSTREAM, "provenance"))
}


class Figures:
    """What was measured, in seconds by name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seconds: dict[str, list[float]] = {}
        self.stopped: Counter[str] = Counter()

    @contextmanager
    def measure_time(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)

    def __str__(self) -> str:
        times = [
            f"{name}: {len(each)} times, median {1000 * sorted(each)[len(each) // 2]:.1f} ms,"
            f" slowest {1000 * max(each):.1f} ms, last {1000 * each[-1]:.1f} ms"
            for name, each in self.seconds.items()
        ]
        return "\n".join([*self.lines, *times, *(f"{what}: {count} answers" for what, count in sorted(self.stopped.items()))])


@pytest.mark.timeout(7200)
def test_a_large_mesh(tmp_path: Path) -> None:
    figures = Figures()
    mesh = LargeMesh(JOBS, COLUMNS, SEED)
    events = list(mesh.generate_events())
    bodies = [msgspec.json.encode(event) for event in events]
    figures.lines.append(f"{len(bodies)} events, {sum(map(len, bodies)) / 1e6:.0f} MB, of {JOBS} jobs and {COLUMNS} columns, seed {SEED}")
    with figures.measure_time("oracle"):
        reaching = Reaching(Oracle(events))
    del events
    figures.lines.append(f"oracle: {reaching.columns} columns, {len(reaching.flows.start)} flows")
    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    Sending(store, tmp_path, figures).send_all(bodies)
    with start_server(store, tmp_path, figures) as server:
        figures.lines.append(f"server, loaded: {load_of(server).memory}")
        differing = Asking(server, reaching, figures).find_differences(choose_starts(mesh))
        figures.lines.append(f"server, asked: {load_of(server).memory}; store: {(tmp_path / 'mesh.db').stat().st_size / 1e6:.0f} MB")
        assert "Traceback" not in server.log
    print(f"\n{figures}")  # noqa: T201 - shown with a failure, and by -s
    assert not differing, "\n".join(differing[:100])


@contextmanager
def start_server(store: str, folder: Path, figures: Figures) -> Iterator[Started]:
    """A server, ready; killed in the end."""
    with ExitStack() as stack:
        with figures.measure_time("start until ready, the last with all events"):
            server = stack.enter_context(run_server(store, folder / "server.log"))
        yield server


class Load(NamedTuple):
    """What a server has used: seconds of processor time, and memory in words."""

    processor: float
    memory: str


class Sending:
    """Sends events to one server after the other, each of which is killed, until all are acknowledged."""

    def __init__(self, store: str, folder: Path, figures: Figures) -> None:
        self._store, self._folder, self._figures = store, folder, figures
        self._chance = random.Random(SEED)

    def send_all(self, bodies: Sequence[bytes]) -> None:
        left = iter(bodies)
        for connections, share in PHASES:
            self._send_phase(list(islice(left, round(share * len(bodies)))) if share < 0.5 else list(left), connections)

    def _send_phase(self, bodies: list[bytes], connections: int) -> None:
        seconds = processor = 0.0
        sent, memory = len(bodies), ""
        parts = sorted(self._chance.sample(range(1, sent), KILLS)) if sent > KILLS else []
        for kill_at in (*(at - before for before, at in zip([0, *parts], parts, strict=False)), None):
            posted = Posted()
            with start_server(self._store, self._folder, self._figures) as server:
                begun = time.perf_counter()
                used = asyncio.run(self._post(server, posted, bodies, connections, kill_at))
                seconds += time.perf_counter() - begun
                processor += used.processor
                memory = used.memory
            assert [answer for _, answer in posted.refused] == []
            bodies = [body for body in bodies if body not in posted.acknowledged]
        assert bodies == []
        self._figures.lines.append(
            f"{connections} connections: {sent} events, {sent / seconds:.0f} acknowledged each second;"
            f" server: {1000 * processor / sent:.2f} ms of processor time for each, {memory}"
        )

    async def _post(self, server: Started, posted: Posted, bodies: list[bytes], connections: int, kill_at: int | None) -> Load:
        """Until all are acknowledged, or so many and the server is killed while the next are under way."""
        before = load_of(server)
        posting = asyncio.create_task(posted.post(server.port, bodies, connections))
        while not posting.done() and (kill_at is None or len(posted.acknowledged) < kill_at):  # noqa: ASYNC110 - of answers
            await asyncio.sleep(0.002)
        after = load_of(server)
        if kill_at is not None:
            server.kill()
        await posting
        return after._replace(processor=after.processor - before.processor)


def load_of(server: Started) -> Load:
    """Of its process, where the system reports it."""
    process = Path(f"/proc/{server.pid}")
    if not process.exists():
        return Load(0.0, "memory not known")
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    memory = ", ".join(f"{name} {int(lines[name].split()[0]) / 1000:.0f} MB" for name in ("VmRSS", "VmHWM") if name in lines)
    times = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
    return Load(sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), memory)


def choose_starts(mesh: LargeMesh) -> Iterator[tuple[str, str, str | None]]:
    """Columns and whole datasets (no column), from all layers, mostly of those that are read most."""
    chance = random.Random(SEED)
    for number in range(sum(STARTS)):
        layer = mesh.list_layer(number * 7 % LAYERS)
        dataset = layer[int(len(layer) * chance.random() ** 6)]
        namespace, name = (CATALOG, dataset.catalog_name) if dataset.linked and chance.random() < 0.5 else (LAKE, dataset.name)
        yield namespace, name, dataset.build_column_name(int(dataset.width * chance.random() ** 2)) if number < STARTS[0] else None


class Asking:
    """Asks a server, and compares its answers with the oracle's."""

    def __init__(self, server: Started, reaching: Reaching, figures: Figures) -> None:
        self._server, self._reaching, self._figures = server, reaching, figures

    def find_differences(self, wanted: Iterator[tuple[str, str, str | None]]) -> list[str]:
        return [f"{start}: {difference}" for start in wanted for difference in self._compare_start(*start)]

    def _compare_start(self, namespace: str, name: str, column: str | None) -> Iterator[str]:
        found = self._ask("dataset", DATASET, ns=namespace, n=name)["dataset"]
        if found is None:
            yield "is not there"
            return
        assets = {node["qualifiedName"].casefold(): node["id"] for node in (found, *found["columns"]["nodes"])}
        title = found["qualifiedName"] if column is None else f"{found['qualifiedName']}.{column}"
        number = np.array([self._reaching.number[title.casefold()]])
        for direction in (DOWNSTREAM, UPSTREAM):
            for depth in DEPTHS:
                reached, cut = self._reaching.reach(number, direction, depth)
                question = f"{direction} to {depth}"
                for difference in self._compare_lineage(assets[title.casefold()], number, direction, depth, reached, cut=cut):
                    yield f"lineage {question}: {difference}"
                for difference in self._compare_impact(assets[title.casefold()], number, direction, depth, reached, cut=cut):
                    yield f"impact {question}: {difference}"

    def _compare_lineage(
        self, start: str, number: Array, direction: str, depth: int, reached: dict[int, Found], *, cut: bool
    ) -> Iterator[str]:
        answer = self._ask(f"lineage at depth {depth}", LINEAGE, id=start, direction=direction, depth=depth)["lineage"]
        truncated = "NODES" if len(reached) + 1 > DRAWN else "DEPTH" if cut else "NONE"
        self._figures.stopped[f"lineage at depth {depth}, truncated: {truncated}"] += 1
        if answer["completeness"]["truncated"] != truncated:
            yield f"truncated: expected {truncated}, found {answer['completeness']['truncated']}"
        nodes = {self._number(node["asset"]["qualifiedName"]): _parse_found(node) for node in answer["nodes"]}
        if len(nodes) != len(answer["nodes"]):
            yield "nodes are drawn twice"
        expected = {int(number[0]): (0, 0, False), **reached}
        if truncated == "NODES":  # so many of them, no others; what is drawn beside them comes after them
            expected = {node: expected[node] for node in islice(nodes, DRAWN) if node in expected}
            if len(expected) != DRAWN:
                yield f"expected {DRAWN} nodes, found {len(expected)}"
        beside, edges = self._reaching.build_drawing(number, direction, expected)
        yield from _list_differences(expected | beside, nodes)
        yield from _list_differences(
            edges, {self._parse_edge(edge): {job["qualifiedName"] for job in edge["jobs"]} for edge in answer["edges"]}
        )

    def _compare_impact(
        self, start: str, number: Array, direction: str, depth: int, reached: dict[int, Found], *, cut: bool
    ) -> Iterator[str]:
        expected = self._reaching.compute_impact(number, direction, reached)
        found: dict[str, Found] = {}
        first = SMALL if len(expected) <= 40 * SMALL else LARGE
        after = None
        with self._figures.measure_time(f"impact at depth {depth}, all pages"):
            while True:
                name = f"impact at depth {depth}, {'the first' if after is None else 'a later'} page of {first}"
                (answer,) = self._ask(name, IMPACT[direction], id=start, depth=depth, first=first, after=after).values()
                for node in answer["assets"]["nodes"]:
                    title = self._reaching.find_name(node["node"]["qualifiedName"])
                    if title in found:
                        yield f"{title} twice"
                    found[title] = _parse_found(node)
                after = answer["assets"]["pageInfo"]["endCursor"]
                if not answer["assets"]["pageInfo"]["hasNextPage"]:
                    break
        truncated = "DEPTH" if cut else "NONE"
        self._figures.stopped[f"impact at depth {depth}, truncated: {truncated}"] += 1
        if (answer["completeness"]["truncated"], answer["total"]) != (truncated, len(expected)):
            yield f"expected {truncated}, {len(expected)}; found {answer['completeness']['truncated']}, {answer['total']}"
        yield from _list_differences(expected, found)

    def _number(self, name: str) -> int:
        return self._reaching.number[name.casefold()]

    def _parse_edge(self, edge: dict[str, Any]) -> Edge:
        start, end = (self._reaching.find_name(edge[side]["qualifiedName"]) for side in ("from", "to"))
        return start, end, CLASSES[edge["reach"]], edge["subtype"], edge["masking"]

    def _ask(self, name: str, query: str, **variables: object) -> dict[str, Any]:
        body = msgspec.json.encode({"query": query, "variables": variables})
        with self._figures.measure_time(name):
            answer = send_request(self._server.port, "POST", GRAPHQL, body)
        answered = msgspec.json.decode(answer.body)
        assert "errors" not in answered, answered["errors"]
        data = answered["data"]
        assert isinstance(data, dict)
        return data


def _parse_found(node: dict[str, Any]) -> Found:
    return CLASSES[node["reach"]], node["distance"], node["masked"]


def _list_differences(expected: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    """The first few differences."""
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    return [f"{key}: expected {expected.get(key)}, found {found.get(key)}" for key in wrong[:5]] + [f"{len(wrong)} differ"] * bool(wrong)
