"""The best few paths from one asset to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, PASSED_OVER
from meshline.graph.index.flow_tables import build_flow_step, build_order_key
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.passes import NO_LIMIT, Limits, Walker
from meshline.graph.index.results import Direction, FlowStep, Reach

WORK = 5_000  # partial paths that are examined for each class before the search ends


class Partial(NamedTuple):
    """The beginning of a path; ordered by its length with the least remaining distance, then by names."""

    length: int
    names: tuple[tuple[str, ...], ...]
    nodes: tuple[int, ...]
    steps: tuple[FlowStep, ...]


class PathSearch:
    """Searches best first, guided by the exact distances to the end: few partial paths are examined in vain."""

    def __init__(
        self,
        tables: IndexTables,
        walker: Walker,
        start: int,
        end: int,
        depth: int | None,
        get_label: Callable[[int], tuple[str, ...]] | None = None,
    ) -> None:
        """`get_label`: what decides between equally good paths; if not given, the names of nodes."""
        self._tables = tables
        self._get_label = get_label or tables.get_label
        self._walker = walker
        self._start = int(tables.nodes.rep[start])
        self._end = int(tables.nodes.rep[end])
        self._depth = depth

    def find_best(self, reach: Reach, first: int) -> list[list[FlowStep]]:
        """Up to `first` simple paths: the strongest class first, then the shortest, then the first by names."""
        found: list[list[FlowStep]] = []
        for k in range(int(reach) + 1):
            limits = Limits(Reach(k), self._depth, NO_LIMIT, None, None)
            left = self._walker.compute_levels(np.array([self._end], np.int32), k, Direction.UPSTREAM, limits)
            for path in self._find_of_class(k, left):
                if len(found) >= first:
                    return found
                found.append(path)
        return found

    def _find_of_class(self, k: int, left: dict[int, int]) -> Iterator[list[FlowStep]]:
        """The paths whose weakest edge is of class k."""
        heap: list[Partial] = []
        remaining = self._measure_remaining(self._start, left)
        if remaining is not None:
            heappush(heap, Partial(remaining, (), (self._start,), ()))
        work = 0
        while heap and work < WORK:
            work += 1
            partial = heappop(heap)
            node = partial.nodes[-1]
            if partial.steps and self._measure_remaining(node, left) == 0:
                if max(step.reach for step in partial.steps) == k:
                    yield list(partial.steps)
                continue
            for step, following in self._list_steps(node, k):
                rest = self._measure_remaining(following, left)
                length = len(partial.steps) + 1
                if rest is None or following in partial.nodes or (self._depth is not None and length + rest > self._depth):
                    continue
                names = (*partial.names, self._get_label(following))
                heappush(heap, Partial(length + rest, names, (*partial.nodes, following), (*partial.steps, step)))

    def _measure_remaining(self, node: int, left: dict[int, int]) -> int | None:
        """The least number of edges from here to the end; for a dataset as a whole, from it or any of its columns."""
        if self._tables.nodes.kind[node] == COLUMN:
            return left.get(node)
        return min((left[own] for own in self._list_own_nodes(node) if own in left), default=None)

    def _list_own_nodes(self, node: int) -> list[int]:
        """The own nodes from which a path continues: the class, and for a dataset all its columns."""
        tables = self._tables
        members = tables.list_ring(node)
        if tables.nodes.kind[node] == DATASET:
            return members + [column for member in members for column in tables.list_children(member)]
        return members + tables.list_ring(int(tables.nodes.part1[node]))

    def _list_steps(self, node: int, k: int) -> list[tuple[FlowStep, int]]:
        """The best edge to each asset that a single edge reaches."""
        tables = self._tables
        best: dict[int, tuple[tuple[object, ...], FlowStep]] = {}
        for own in self._list_own_nodes(node):
            for flow in tables.list_flow_rows(own):
                flags = int(tables.flows.flags[flow])
                if flags & PASSED_OVER or flags & CLASS > k:
                    continue
                step = build_flow_step(tables, flow)
                strength = (step.reach, step.masking, build_order_key(tables, step, self._get_label))
                if step.end not in best or strength < best[step.end][0]:
                    best[step.end] = (strength, step)
        return [(step, end) for end, (_, step) in best.items()]
