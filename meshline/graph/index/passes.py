"""Walks: the passes of a traversal over the tables, and the nodes that one pass visits."""

from __future__ import annotations

import time
from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import (
    BEYOND,
    CUT,
    DONE,
    FIRST_END,
    FIRST_NEXT,
    FOUND,
    HEAD,
    I64,
    LATE,
    LEVEL,
    LEVEL_END,
    N_FLOWS,
    N_NODES,
    N_STATE,
    PAIRS,
    PROVISIONAL_EDGES,
    PUT_OFF,
    SAW_MASKED,
    SCAN,
    SECOND_END,
    SECOND_NEXT,
    STALE_EDGES,
    STAMP,
    TAIL,
    U8,
    UNDESCRIBED,
    Csr,
    Flows,
    Scratch,
    allocate_group,
)
from meshline.graph.index.heads import FLOWS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import traverse
from meshline.graph.index.results import Bytes, Direction, Flags, Ints, Reach, Truncated

STEP = 50_000  # nodes between two checks of the deadline
NO_LIMIT = 1 << 60
_NONE = -1  # no limit of depth, no last level
_LAST_SCAN = 1 << 30  # before Scratch.paired overflows


class Limits(NamedTuple):
    """The limits of a walk: `deadline` as `time.monotonic()` in seconds, `seen_since` in microseconds."""

    reach: Reach
    depth: int | None
    max_nodes: int
    deadline: float | None
    seen_since: int | None


class Visit(NamedTuple):
    """How far a traversal came: the class of the graph that it walked, and the last level whose edges it followed (-1: all levels)."""

    k: int
    until: int


class WalkResult(NamedTuple):
    """What a traversal reached, as arrays of equal length ordered by reach and distance; and counts of `Completeness`.

    `visit`: how far it came; None if its deadline ended it.
    """

    nodes: Ints
    reach: Bytes
    distance: Ints
    masked: Flags
    truncated: Truncated
    visit: Visit | None
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int


class Walker:
    """Runs walks over the tables, on working arrays of its own."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._scratch = allocate_group(Scratch, 0)
        self._stamp = 0
        self._state: I64 = np.zeros(N_STATE, np.int64)

    def traverse(self, starts: Ints, direction: Direction, limits: Limits) -> WalkResult:
        """The passes over `G_0`, `G_1`, `G_2`: `G_k` has the flows of class k or stronger."""
        wanted = self.mark_wanted(limits.seen_since)
        aside = self._aside
        self._begin(starts, limits.depth)
        state = self._state
        truncated = Truncated.NONE
        visit: Visit | None = Visit(int(limits.reach), _NONE)
        for k in range(int(limits.reach) + 1):
            if k > 0 and not state[BEYOND] & (1 << k):
                continue
            found = int(state[FOUND])
            if k > 0:
                self._go_back()
            in_time = self._walk(k, direction, limits, wanted, weakest=int(limits.reach))
            met, reached = self.count_met(k), int(state[FOUND])
            if in_time and reached > limits.max_nodes and k > 0:
                in_time = aside.walk_again(starts, k, direction, limits, wanted, until=int(state[LEVEL]))
                met = aside.count_met(k)
            if in_time and reached > found and state[SAW_MASKED] & ((2 << k) - 1):
                in_time = self._unmask(starts, k, direction, limits, wanted, range(found, reached))
            if not in_time:
                self.correct(range(found, reached), self._scratch)
                truncated, visit = Truncated.TIME, None
                break
            if reached > limits.max_nodes:
                truncated, visit = Truncated.NODES, Visit(k, int(state[LEVEL]))
                break
        if truncated is Truncated.NONE and self.cut:
            truncated = Truncated.DEPTH
        return self._build_result(limits.max_nodes, truncated, met, visit)

    def compute_levels(self, starts: Ints, k: int, direction: Direction, limits: Limits) -> dict[int, int]:
        """Every node that a walk over `G_k` visits, with its distance in flows."""
        visited, distances = self._walk_levels(starts, k, direction, limits)
        return dict(zip(visited.tolist(), distances.tolist(), strict=True))

    def compute_distances(self, starts: Ints, k: int, direction: Direction, limits: Limits) -> Ints:
        """The same distances as an int32 array by node; -1: not visited."""
        visited, distances = self._walk_levels(starts, k, direction, limits)
        found = np.full(int(self._tables.counts[N_NODES]), _NONE, np.int32)
        found[visited] = distances
        return found

    def _walk_levels(self, starts: Ints, k: int, direction: Direction, limits: Limits) -> tuple[Ints, Ints]:
        self.walk_again(starts, k, direction, limits._replace(max_nodes=NO_LIMIT, deadline=None), self.mark_wanted(limits.seen_since))
        return self.list_visited()

    def list_visited(self) -> tuple[Ints, Ints]:
        """The nodes that the last separate pass (`walk_again`) visited, and their distances in flows: int32 arrays of equal length."""
        visited = self._scratch.queue[: self._state[TAIL]] >> 2
        return visited, ((self._scratch.seen[visited] - self._state[STAMP]) >> 1).astype(np.int32)

    def mark_wanted(self, seen_since: int | None) -> U8 | None:
        """uint8 array by flow: whether its head was observed since then (microseconds); None: all flows count."""
        if seen_since is None:
            return None
        heads = self._tables.heads
        seen = (heads.last_observed[: heads.n] >= seen_since).astype(np.uint8)
        return np.repeat(seen, np.diff(heads.starts[: heads.n + 1, FLOWS]))

    def walk_again(
        self, starts: Ints, k: int, direction: Direction, limits: Limits, wanted: U8 | None, *, until: int = _NONE, unmasked: bool = False
    ) -> bool:
        """A separate pass from the starts; whether it ended before the deadline. `until`: the last level to walk."""
        self._begin(starts, limits.depth, until)
        return self._walk(k, direction, limits._replace(max_nodes=NO_LIMIT), wanted, weakest=k, unmasked=unmasked)

    def count_met(self, k: int) -> list[int]:
        """Counts of the passes up to this one: pairs, undescribed datasets, stale and provisional edges."""
        state = self._state
        pairs = int(state[PAIRS]) if k == Reach.POSSIBLE else 0
        stale, provisional = (int(state[first : first + k + 1].sum()) for first in (STALE_EDGES, PROVISIONAL_EDGES))
        return [pairs, int(state[UNDESCRIBED]), stale, provisional]

    @property
    def cut(self) -> int:
        """Whether the limit of depth cut anything off."""
        return int(self._state[CUT])

    def correct(self, rows: range, answer: Scratch) -> None:
        """Unmask the rows of an answer to which the marks of this walker have a path without masking."""
        traverse.unmask_rows(rows.start, rows.stop, answer, self._scratch, self._state)

    @cached_property
    def _aside(self) -> Walker:
        """A walker for passes that must not change the marks of a traversal."""
        return Walker(self._tables)

    def _begin(self, starts: Ints, depth: int | None, until: int = _NONE) -> None:
        tables, state = self._tables, self._state
        nodes, flows = len(tables.nodes.kind), len(tables.flows.flags)
        room = 2 * int(tables.counts[N_NODES]) + 4  # more than twice the greatest distance
        if (
            len(self._scratch.seen) < tables.counts[N_NODES]
            or len(self._scratch.later) < 2 * tables.counts[N_FLOWS] + room
            or state[SCAN] > _LAST_SCAN
        ):
            self._scratch = _allocate_scratch(nodes, 2 * (flows + nodes) + 4)
            self._stamp = 0
            state[:] = 0
        ceiling, self._stamp = self._stamp, self._stamp - room
        traverse.begin_traversal(starts, self._stamp, ceiling, _NONE if depth is None else depth, until, tables.nodes, self._scratch, state)

    def _go_back(self) -> None:
        """Begin the next pass with the edges that the earlier passes postponed."""
        state = self._state
        if not state[FIRST_END]:
            state[FIRST_END] = state[PUT_OFF]
        state[FIRST_NEXT], state[SECOND_NEXT], state[SECOND_END] = 0, state[FIRST_END], state[PUT_OFF]
        state[[HEAD, TAIL, LEVEL, LEVEL_END]] = 0

    def _walk(self, k: int, direction: Direction, limits: Limits, wanted: U8 | None, *, weakest: int, unmasked: bool = False) -> bool:
        """Walk to the end of a pass; whether it ended before the deadline."""
        step = NO_LIMIT if limits.deadline is None else STEP
        edges = self._select_edges(direction, wanted)
        while traverse.walk_pass(k, weakest, int(unmasked), limits.max_nodes, step, *edges, self._tables.nodes, self._scratch, self._state):
            if limits.deadline is not None and time.monotonic() > limits.deadline:
                return False
        self._state[DONE] = k
        return True

    def _unmask(self, starts: Ints, k: int, direction: Direction, limits: Limits, wanted: U8 | None, found: range) -> bool:
        """Find out which rows of the answer are masked; whether it ended before the deadline.

        The marks of the passes serve if nothing stopped them; else a path without masking may lead through
        what they did not visit, or be too long, and the pass is done again without masking edges.
        """
        if limits.depth is None and found.stop <= limits.max_nodes:
            in_time = not self._state[LATE] or self._spread(k, direction, limits.deadline, wanted)
            self.correct(found, self._scratch)
            return in_time
        in_time = self._aside.walk_again(starts, k, direction, limits, wanted, unmasked=True)
        self._scratch.masked[found.start : found.stop] = 1
        self._aside.correct(found, self._scratch)
        self._state[CUT] |= self._aside.cut  # also of paths without masking
        return in_time

    def _spread(self, k: int, direction: Direction, deadline: float | None, wanted: U8 | None) -> bool:
        """Propagate nodes that turned out to be clean late; whether it ended before the deadline."""
        self._state[HEAD] = 0
        step = NO_LIMIT if deadline is None else STEP
        edges = self._select_edges(direction, wanted)
        while traverse.spread_clean_paths(k, step, *edges, self._tables.nodes, self._scratch, self._state):
            if deadline is not None and time.monotonic() > deadline:
                return False
        return True

    def _select_edges(self, direction: Direction, wanted: U8 | None) -> tuple[int, int, Csr, Ints, Ints, Ints, Flows, int, U8]:
        """The arrays of flows that the kernels expect, for a direction."""
        tables = self._tables
        down = direction is Direction.DOWNSTREAM
        return (
            tables.folded,
            int(tables.folded < tables.counts[N_FLOWS]),
            tables.outgoing if down else tables.incoming,
            tables.nodes.over_out if down else tables.nodes.over_in,
            tables.overlay.next_out if down else tables.overlay.next_in,
            tables.flows.end if down else tables.flows.start,
            tables.flows,
            0 if wanted is None else 1,
            _ANY if wanted is None else wanted,
        )

    def _build_result(self, max_nodes: int, truncated: Truncated, met: list[int], visit: Visit | None) -> WalkResult:
        n = int(self._state[FOUND])
        nodes, distance = self._scratch.nodes[:n].copy(), self._scratch.distance[:n].copy()
        reach, masked = self._scratch.reach[:n].copy(), self._scratch.masked[:n] != 0
        if n > max_nodes:
            kept = self.select_first(nodes, reach, distance, max_nodes)
            nodes, reach, distance, masked = nodes[kept], reach[kept], distance[kept], masked[kept]
        return WalkResult(nodes, reach, distance, masked, truncated, visit, *met)

    def select_first(self, nodes: Ints, reach: Bytes, distance: Ints, most: int) -> Ints:
        """The rows of the `most` nearest nodes; at the last distance the first by name, so that equal graphs give equal answers."""
        last = most - 1 if most else 0
        edge = np.flatnonzero((reach == reach[last]) & (distance == distance[last]))
        order = sorted(edge.tolist(), key=lambda row: self._tables.get_label(int(nodes[row])))
        return np.array([*range(edge[0]), *order][:most], np.int32)


_ANY: U8 = np.ones(1, np.uint8)


def _allocate_scratch(nodes: int, edges: int) -> Scratch:
    """Working memory for so many nodes and postponed edges.

    What is looked up by node is written at once: else each question that comes to a part of the graph first would wait for its memory.
    """
    scratch = allocate_group(Scratch, nodes)
    for array in (scratch.seen, scratch.scanned, scratch.paired):
        array.fill(0)
    return scratch._replace(later=np.zeros(edges, np.int32))
