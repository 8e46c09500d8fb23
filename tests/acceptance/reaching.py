"""How far the oracle's graph reaches from some starts: level by level over plain arrays, either way, to any depth.

Shares no code with the index. Columns and datasets are numbered through, the columns first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tests.acceptance.oracle import DIRECT, INDIRECT, POSSIBLE, Dataset, Flow, Oracle

Array: TypeAlias = npt.NDArray[Any]
Found: TypeAlias = tuple[int, int, bool]  # reach class, distance, masked
Edge: TypeAlias = tuple[str, str, int, str, bool]  # start, end, class, subtype, masking

DOWNSTREAM, UPSTREAM = "DOWNSTREAM", "UPSTREAM"
CLASSES = (DIRECT, INDIRECT, POSSIBLE)
FAR = 1 << 30


class Flows(NamedTuple):
    """The oracle's flows by column, ends by number."""

    start: Array
    end: Array
    kind: Array
    masked: Array
    job: Array
    subtype: Sequence[str]


class Links(NamedTuple):
    """What follows each node: `other[ptr[node]:ptr[node + 1]]`."""

    ptr: Array
    other: Array

    def list_neighbours(self, nodes: Array) -> Array:
        counts = self.ptr[nodes + 1] - self.ptr[nodes]
        before = np.repeat(self.ptr[nodes] - (np.cumsum(counts) - counts), counts)
        found: Array = self.other[before + np.arange(len(before))]
        return found


class Reaching:
    """Answers about an oracle's graph. Assets are identified by their names in lower case."""

    def __init__(self, oracle: Oracle) -> None:
        datasets = sorted({oracle.find(d) for d in [*oracle.columns, *_ends(oracle)]} | set(oracle.dataset_out))
        columns = sorted(set(oracle.list_columns()))
        self.columns = len(columns)
        place: dict[tuple[str, ...], int] = {asset: at for at, asset in enumerate((*columns, *datasets))}
        self.size = len(place)
        of = np.array([place[column[:2]] for column in columns], np.int64)
        self.dataset_of = np.concatenate([of, np.arange(self.columns, self.size)])
        order = np.argsort(of, kind="stable")
        self._children = Links(np.searchsorted(of[order], np.arange(self.size + 1)), order)
        self.number = _number_names(oracle, place)
        self.jobs: list[str] = []
        self.flows = self._number_flows(oracle, place)

    def _number_flows(self, oracle: Oracle, place: dict[tuple[str, ...], int]) -> Flows:
        def find_number(node: tuple[str, ...]) -> int:
            return place[oracle.resolve_column(node) if len(node) == 3 else oracle.find((node[0], node[1]))]

        jobs: dict[tuple[str, ...], int] = {}
        found = [*oracle.column_edges, *oracle.dataset_edges]
        rows = np.array(
            [
                (find_number(f.start), find_number(f.end), classify_flow(f), f.masked, jobs.setdefault(f.job, len(jobs)) if f.job else -1)
                for f in found
            ],
            np.int64,
        ).reshape(-1, 5)
        self.jobs = ["/".join(job).casefold() for job in jobs]
        return Flows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3] != 0, rows[:, 4], [f.subtype for f in found])

    # -- walking

    def _ends(self, direction: str) -> tuple[Array, Array]:
        """Of each flow, the end that a walk comes from and the one that it goes to."""
        return (self.flows.start, self.flows.end) if direction == DOWNSTREAM else (self.flows.end, self.flows.start)

    @cache  # noqa: B019 - lives as long as the test
    def _build_links(self, direction: str, k: int, *, masked: bool) -> Links:
        followed = (self.flows.kind <= k) & (masked | ~self.flows.masked)
        near, far = (ends[followed] for ends in self._ends(direction))
        order = np.argsort(near, kind="stable")
        return Links(np.searchsorted(near[order], np.arange(self.size + 1)), far[order])

    def walk(self, starts: Array, direction: str, k: int, depth: int, *, masked: bool) -> tuple[Array, bool]:
        """By node its distance over flows of class `k` and stronger, or FAR; and whether there is more beyond `depth`."""
        links = self._build_links(direction, k, masked=masked)
        distance = np.full(self.size, FAR)
        visited = np.zeros(self.size, np.bool_)  # datasets with a visited node: their own flows are followed
        level, new = 0, np.unique(starts)
        while new.size:
            new = np.unique(np.concatenate([new, self._children.list_neighbours(new[new >= self.columns])]))
            new = new[distance[new] == FAR]
            distance[new] = level
            own = np.unique(self.dataset_of[new])
            own = own[~visited[own]]
            visited[own] = True
            new = links.list_neighbours(np.concatenate([new[new < self.columns], own]))
            new = np.unique(new[distance[new] == FAR])
            if level == depth:
                return distance, bool(new.size)
            level += 1
        return distance, False

    def reach(self, starts: Array, direction: str, depth: int) -> tuple[dict[int, Found], bool]:
        """What is reached, without the starts and the columns of datasets among them; and whether `depth` matters."""
        begun = np.concatenate([starts, self._children.list_neighbours(starts[starts >= self.columns])])
        result: dict[int, Found] = {}
        cut = False
        for k in CLASSES:
            distance, more = self.walk(starts, direction, k, depth, masked=True)
            clean, more_clean = self.walk(starts, direction, k, depth, masked=False)
            distance[begun] = FAR
            nodes = np.flatnonzero(distance != FAR)
            cut = cut or more or (more_clean and any(node not in result for node in nodes.tolist()))
            for node, far, hidden in zip(nodes.tolist(), distance[nodes].tolist(), (clean[nodes] == FAR).tolist(), strict=True):
                result.setdefault(node, (k, far, hidden))
        return result, cut

    # -- answers

    def compute_impact(self, starts: Array, direction: str, reached: dict[int, Found]) -> dict[str, Found]:
        """Columns, datasets (as their strongest column, or as a whole) and jobs, by name."""
        result: dict[int, Found] = {}
        for node, found in reached.items():
            for asset in {node, int(self.dataset_of[node])}:
                result[asset] = choose_stronger(result.get(asset), found)
        for start in starts.tolist():
            result.pop(start, None)
        return {self._name[node]: found for node, found in result.items()} | self._find_passing_jobs(starts, direction, reached)

    def _find_passing_jobs(self, starts: Array, direction: str, reached: dict[int, Found]) -> dict[str, Found]:
        """The jobs of the flows that go on from what is reached: the weaker of the flow and where it begins, one further."""
        known = dict(reached)
        for node in (*starts.tolist(), *self._children.list_neighbours(starts[starts >= self.columns]).tolist()):
            known[node] = (DIRECT, 0, False)
        for node, found in list(known.items()):
            dataset = int(self.dataset_of[node])
            known[dataset] = choose_stronger(known.get(dataset), found)
        inside = np.zeros(self.size, np.bool_)
        inside[list(known)] = True
        near = self._ends(direction)[0]
        result: dict[str, Found] = {}
        for flow in np.flatnonzero(inside[near] & (self.flows.job >= 0)).tolist():
            k, distance, masked = known[int(near[flow])]
            name = self.jobs[self.flows.job[flow]]
            passed = (max(k, int(self.flows.kind[flow])), distance + 1, masked or bool(self.flows.masked[flow]))
            result[name] = choose_stronger(result.get(name), passed)
        return result

    def build_drawing(self, starts: Array, direction: str, shown: dict[int, Found]) -> tuple[dict[int, Found], dict[Edge, set[str]]]:
        """What is drawn beside `shown` (the starts among it): datasets, columns of starts; and the flows, with their jobs."""
        inside, visited = np.zeros(self.size, np.bool_), np.zeros(self.size, np.bool_)
        own = self._children.list_neighbours(starts[starts >= self.columns]).tolist()
        inside[[*shown, *own]] = True
        visited[self.dataset_of[inside]] = True
        near, far = self._ends(direction)
        rows = np.flatnonzero(np.where(near >= self.columns, visited[near], inside[near]) & inside[far])
        ends = set(self.flows.start[rows].tolist()) | set(self.flows.end[rows].tolist())
        beside: dict[int, Found] = {}
        for node, found in shown.items():
            dataset = int(self.dataset_of[node])
            if node < self.columns and dataset in ends and dataset not in shown:
                beside[dataset] = min(beside.get(dataset, found), found)
        drawn = {*shown, *beside, *own}
        edges: dict[Edge, set[str]] = {}
        for row in rows.tolist():
            a, b = int(self.flows.start[row]), int(self.flows.end[row])
            if a != b and a in drawn and b in drawn:
                beside |= {end: (DIRECT, 0, False) for end in (a, b) if end not in shown and end not in beside}
                kind, masked = int(self.flows.kind[row]), bool(self.flows.masked[row])
                edge = (self._name[a], self._name[b], kind, self.flows.subtype[row], masked)
                edges.setdefault(edge, set()).update([self.jobs[self.flows.job[row]]] if self.flows.job[row] >= 0 else [])
        return beside, edges

    @cached_property
    def _name(self) -> dict[int, str]:
        """One name of each asset; `find_name` maps all its names to this one."""
        return {number: name for name, number in self.number.items()}

    def find_name(self, name: str) -> str:
        """The one name for all names of a column, dataset or job."""
        number = self.number.get(name.casefold())
        return name.casefold() if number is None else self._name[number]


def classify_flow(flow: Flow) -> int:
    return max(flow.kind, INDIRECT) if len(flow.end) == 2 else flow.kind


def choose_stronger(known: Found | None, found: Found) -> Found:
    """The surer; of equal ones the shorter distance, masked only if both are."""
    if known is None or found[0] < known[0]:
        return found
    if found[0] > known[0]:
        return known
    return known[0], min(known[1], found[1]), known[2] and found[2]


def _ends(oracle: Oracle) -> Iterable[Dataset]:
    """The datasets at the ends of all flows."""
    for flow in (*oracle.column_edges, *oracle.dataset_edges):
        for node in (flow.start, flow.end):
            yield node[0], node[1]


def _number_names(oracle: Oracle, place: dict[tuple[str, ...], int]) -> dict[str, int]:
    """Each name of each column and dataset, in lower case -> its number."""
    members: dict[Dataset, set[Dataset]] = {}
    linked = {other for _, others in oracle.symlinks.values() for other in others}
    for dataset in {*oracle.schemas, *oracle.symlinks, *linked, *_ends(oracle)}:
        members.setdefault(oracle.find(dataset), set()).add(dataset)
    result: dict[str, int] = {}
    for asset, number in place.items():
        for namespace, name in members[asset[0], asset[1]]:
            title = f"{namespace}/{'.'.join((name, *asset[2:]))}".casefold()
            assert title not in result, f"{title} names two"
            result[title] = number
    return result
