"""The answer of one traversal."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

import numpy as np

from meshline.graph.index.affected import Reckoning, Rows
from meshline.graph.index.answers import Affected, Bytes, Completeness, Direction, Flags, FlowStep, Ints, KnownLater
from meshline.graph.index.between import FlowTable, rows_between, table_of
from meshline.graph.index.feed import Feed
from meshline.graph.index.holders import Holders
from meshline.graph.index.silent_jobs import silent_on
from meshline.graph.index.slots import Slots
from meshline.graph.index.starting import Starts
from meshline.graph.index.steps import flow_step, masking, order
from meshline.graph.index.tables import CLASS, COLUMN, DATASET, I64, N_NODES, PASSED_OVER, U8
from meshline.graph.index.walks import Limits, Walked, Walker

Distances: TypeAlias = Ints  # by node; -1: not visited
View: TypeAlias = tuple[int | None, int, tuple[KnownLater, ...]]  # the index's as_of, revision and known_later


class Traversal:
    """What a traversal reached: columns, and datasets that were reached as a whole; never a start.

    `nodes`, `reach` (a Reach), `distance` and `masked` are of equal length, sorted by reach, then distance.
    `starts` are the representatives that it began with (columns and datasets; a dataset's columns
    are implied); `silent_jobs` are the jobs that `Completeness.silent_on_filters` counts. It is a view of the index as it was:
    use it before the index changes.
    """

    def __init__(
        self,
        feed: Feed,
        holders: Holders,
        slots: Slots,
        walker: Walker,
        begin: Starts,
        direction: Direction,
        limits: Limits,
        view: View,
    ) -> None:
        walked = walker.traverse(begin.nodes, direction, limits)
        self.direction = direction
        self.starts = begin.nodes
        self.nodes: Ints = walked.nodes
        self.reach: Bytes = walked.reach
        self.distance: Ints = walked.distance
        self.masked: Flags = walked.masked
        self._feed = feed
        self._core = feed.core
        self._holders = holders
        self._slots = slots
        self._walker = walker
        self._assets = begin.named
        self._limits = limits
        answer = (begin.nodes, walked.nodes)
        self.silent_jobs: Ints = silent_on(feed.core, feed.silent_jobs, slots, answer, direction, limits.reach, self._wanted)
        self.completeness = _completeness(walked, begin.unbound, self.silent_jobs, feed.silent_jobs.producers(self.silent_jobs), view)
        self._distances: dict[int, Distances] = {}
        self._steps: dict[tuple[int, int], tuple[FlowStep, int]] = {}  # by node and class: the last step to it

    def path(self, node: int) -> list[FlowStep]:
        """A shortest path between a start and a reached node in the node's class, in the order in which data flows.

        Downstream it begins at a start, upstream it ends there. Of several, the first by names: the
        same statements give the same path. Empty for a node that was not reached. A dataset that was
        reached through columns only has the path of the first of those.
        """
        rep = int(self._core.nodes.rep[node])
        row = self._row(rep)
        if row is None:
            rep, row = self._nearest_column(rep)
        if row is None:
            return []
        k = int(self.reach[row])
        if k not in self._distances:
            self._distances[k] = self._walker.distances(self.starts, k, self.direction, self._limits)
        steps = self._back(rep, k, self._distances[k])
        return steps[::-1] if self.direction is Direction.DOWNSTREAM else steps

    def flows(self) -> list[FlowStep]:
        """The flow edges between starts and reached nodes, one of each kind; none from a dataset to itself."""
        core = self._core
        found: dict[tuple[object, ...], FlowStep] = {}
        for flow in self._flow_rows.tolist():
            step = flow_step(core, flow)
            if step.start != step.end:
                known = found.get(step[:-1])
                if known is None or step.scope_id < known.scope_id:
                    found[step[:-1]] = step
        return sorted(found.values(), key=lambda step: order(core, step))

    def flow_table(self) -> FlowTable:
        """The same flows and those from a dataset to itself, as columns, as often as they are said."""
        return table_of(self._core, self._flow_rows)

    def affected(self) -> Affected:
        """Everything affected, containers and consumers included (see `meshline.graph.index.affected`)."""
        reached = Rows(self.nodes, self.reach, self.distance, self.masked)
        found = Reckoning(self._feed, self._holders, self._slots, self.direction, self._limits.reach, reached, self.starts, self._assets)
        return found.affected()

    @cached_property
    def _flow_rows(self) -> I64:
        return rows_between(self._core, self.starts, self.nodes, self.direction, int(self._limits.reach), self._wanted)

    @cached_property
    def _rows(self) -> Ints:
        """By node: its row, or -1."""
        rows = np.full(int(self._core.counts[N_NODES]), -1, np.int32)
        rows[self.nodes] = np.arange(self.nodes.size, dtype=np.int32)
        return rows

    def _row(self, node: int) -> int | None:
        row = int(self._rows[node])
        return None if row < 0 else row

    @cached_property
    def _wanted(self) -> U8 | None:
        return self._walker.wanted(self._limits.seen_since)

    def _nearest_column(self, dataset: int) -> tuple[int, int | None]:
        core = self._core
        if core.nodes.kind[dataset] != DATASET:
            return dataset, None
        own = {int(core.nodes.rep[column]) for member in core.ring(dataset) for column in core.children(member)}
        columns = [column for column in own if self._rows[column] >= 0]

        def strength(column: int) -> tuple[int, int, tuple[str, ...]]:
            row = int(self._rows[column])
            return int(self.reach[row]), int(self.distance[row]), core.label(column)

        best = min(columns, key=strength, default=None)
        return (dataset, None) if best is None else (best, int(self._rows[best]))

    def _back(self, node: int, k: int, distances: Distances) -> list[FlowStep]:
        """The steps from a node back to a start."""
        steps: list[FlowStep] = []
        while distances[node] > 0:
            known = self._steps.get((node, k))
            if known is None:
                flow, origin = self._step_back(node, k, distances)
                known = self._steps[node, k] = (flow_step(self._core, flow), origin)
            step, node = known
            steps.append(step)
        return steps

    def _step_back(self, node: int, k: int, distances: Distances) -> tuple[int, int]:
        """(flow, where it comes from) by which a node is reached at its distance: the strongest, then the first by names."""
        core = self._core
        down = self.direction is Direction.DOWNSTREAM
        distance = int(distances[node])
        near = core.ring(node)
        if core.nodes.kind[node] == COLUMN and distances[core.nodes.part1[node]] == distance:
            near = near + core.ring(int(core.nodes.part1[node]))
        best = 2 * int(CLASS) + 1
        found: list[tuple[int, int]] = []
        for own in near:
            for flow in core.flow_rows(own, incoming=down):
                flags = int(core.flows.flags[flow])
                if flags & PASSED_OVER or flags & CLASS > k or not (self._wanted is None or self._wanted[flow]):
                    continue
                strength = 2 * (flags & CLASS) + masking(core, flow)
                if strength > best:
                    continue
                origin = self._origin(int((core.flows.start if down else core.flows.end)[flow]), distance - 1, distances)
                if origin is not None:
                    if strength < best:
                        best, found = strength, []
                    found.append((flow, origin))
        assert found, "a node at a distance has an edge from one that is nearer"
        if len(found) == 1:
            return found[0]
        return min(found, key=lambda one: (core.label(one[1]), order(core, flow_step(core, one[0]))))

    def _origin(self, end: int, distance: int, distances: Distances) -> int | None:
        """The node from which an edge at `end` was followed, if at that distance: a dataset's own edges from any column, too."""
        core = self._core
        rep = int(core.nodes.rep[end])
        if core.nodes.kind[end] == COLUMN or distances[end] == distance:
            return rep if distances[end] == distance else None
        columns = {int(core.nodes.rep[column]) for member in core.ring(end) for column in core.children(member)}
        near = [column for column in columns if distances[column] == distance]
        nearer = any(0 <= distances[one] < distance for one in (*columns, end))
        return None if nearer else min(near, key=core.parts, default=None)


def _completeness(walked: Walked, unbound: int, silent: Ints, producers: tuple[str, ...], view: View) -> Completeness:
    counts = (walked.possible_only, walked.undescribed, walked.stale_edges, walked.provisional, unbound, len(silent))
    return Completeness(walked.truncated, *counts, producers, *view)
