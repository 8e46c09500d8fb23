"""Walks: the passes of a traversal over the tables, and what one pass visited."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from meshline.graph.index import walking
from meshline.graph.index.answers import Bytes, Direction, Flags, Ints, Reach, Truncated
from meshline.graph.index.core import Core
from meshline.graph.index.tables import (
    BEYOND,
    CUT,
    FOUND,
    HEAD,
    I64,
    LEVEL,
    N_FLOWS,
    N_NODES,
    N_STATE,
    PAIRS,
    PROVISIONAL_EDGES,
    SAW_MASKED,
    SCAN,
    STALE_EDGES,
    TAIL,
    TRAVERSAL,
    U8,
    UNDESCRIBED,
    Scratch,
    allocated,
)

STEP = 50_000  # nodes between two looks at the clock
NO_LIMIT = 1 << 60
_LAST_TRAVERSAL = 1 << 27  # before Scratch.first runs over
_LAST_SCAN = 1 << 30  # before Scratch.paired does


class Limits(NamedTuple):
    """How far a walk may go."""

    reach: Reach
    depth: int | None
    max_nodes: int
    deadline: float | None
    seen_since: int | None


class Walked(NamedTuple):
    """What a traversal reached, by reach and distance, and what it met."""

    nodes: Ints
    reach: Bytes
    distance: Ints
    masked: Flags
    truncated: Truncated
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int


class Walker:
    """Runs walks over a core, on scratch arrays of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._scratch = allocated(Scratch, 0)
        self._stamp = 0
        self._state: I64 = np.zeros(N_STATE, np.int64)

    def traverse(self, starts: Ints, direction: Direction, limits: Limits) -> Walked:
        """The passes of `G_0`, `G_1`, `G_2`, as far as edges lead; masked ones again without masking edges."""
        state = self._begin_traversal()
        wanted = self.wanted(limits.seen_since)
        truncated = Truncated.NONE
        cut = False
        beyond = 0
        for k in range(int(limits.reach) + 1):
            if k > 0 and not beyond & (1 << k):
                continue
            found = int(state[FOUND])
            in_time = self._pass(starts, k, direction, limits, wanted, found=k > 0)
            beyond |= int(state[BEYOND])
            cut = cut or bool(state[CUT])
            met = [int(state[field]) for field in (PAIRS, UNDESCRIBED, STALE_EDGES, PROVISIONAL_EDGES)]
            saw_masked, reached = bool(state[SAW_MASKED]), int(state[FOUND])
            if not in_time:
                walking.mark_masked(found, reached, self._stamp + 1, self._scratch)
            elif reached > found:
                in_time = (
                    self._mask(starts, k, direction, limits, wanted, range(found, reached)) if saw_masked else self._unmask(found, reached)
                )
            if not in_time:
                truncated = Truncated.TIME
                break
            if reached > limits.max_nodes:
                truncated = Truncated.NODES
                break
        if truncated is Truncated.NONE and cut:
            truncated = Truncated.DEPTH
        return self._walked(limits.max_nodes, truncated, met)

    def levels(self, starts: Ints, k: int, direction: Direction, limits: Limits) -> dict[int, int]:
        """Every node that a walk over `G_k` visits, with its distance."""
        state = self._begin_traversal()
        wanted = self.wanted(limits.seen_since)
        self._start(starts, found=False)
        done = 0
        distances: dict[int, int] = {}
        while done < state[TAIL]:
            level, end = int(state[LEVEL]) + (1 if done else 0), int(state[TAIL])
            distances.update(dict.fromkeys((self._scratch.queue[done:end] >> 1).tolist(), level))
            self._go_on(k, direction, limits.depth, NO_LIMIT, end - done, wanted)
            done = end
        return distances

    def wanted(self, seen_since: int | None) -> U8 | None:
        """By flow: whether its head was seen since then; None: all are wanted."""
        if seen_since is None:
            return None
        heads = self._core.heads
        seen = (heads.last_observed[: heads.n] >= seen_since).astype(np.uint8)
        return np.repeat(seen, np.diff(heads.starts[: heads.n + 1, 0]))

    def _begin_traversal(self) -> I64:
        core, state = self._core, self._state
        if len(self._scratch.seen) < core.counts[N_NODES] or max(state[TRAVERSAL] // _LAST_TRAVERSAL, state[SCAN] // _LAST_SCAN) > 0:
            self._scratch = allocated(Scratch, len(core.nodes.kind))
            self._stamp = 0
            state[:] = 0
        state[TRAVERSAL] += 1
        state[FOUND] = 0
        state[CUT] = 0
        return state

    def _start(self, starts: Ints, *, found: bool) -> None:
        self._stamp += 2
        walking.begin(starts, self._stamp, int(found), self._core.nodes, self._scratch, self._state)

    def _pass(
        self, starts: Ints, k: int, direction: Direction, limits: Limits, wanted: U8 | None, *, found: bool = False, unmasked: bool = False
    ) -> bool:
        """One pass; whether there was time for all of it."""
        self._start(starts, found=found)
        return self._run(k, direction, limits, wanted, unmasked=unmasked)

    def _mask(self, starts: Ints, k: int, direction: Direction, limits: Limits, wanted: U8 | None, found: range) -> bool:
        """Find out which of the answer's rows are masked; whether there was time for it.

        The marks of the pass itself serve if nothing stopped it; else a path without masking may lead
        through what it did not visit, or be too long, and the walk is done again without masking edges.
        """
        if limits.depth is None and found.stop <= limits.max_nodes:
            self._state[HEAD] = 0
            in_time = self._run(k, direction, limits, wanted, cleaning=True)
        else:
            in_time = self._pass(starts, k, direction, limits._replace(max_nodes=NO_LIMIT), wanted, unmasked=True)
        walking.mark_masked(found.start, found.stop, self._stamp + 1, self._scratch)
        return in_time

    def _unmask(self, first: int, last: int) -> bool:
        self._scratch.masked[first:last] = 0
        return True

    def _run(
        self, k: int, direction: Direction, limits: Limits, wanted: U8 | None, *, unmasked: bool = False, cleaning: bool = False
    ) -> bool:
        """Go on to the end; whether there was time for it."""
        step = NO_LIMIT if limits.deadline is None else STEP
        while self._go_on(k, direction, limits.depth, limits.max_nodes, step, wanted, unmasked=unmasked, cleaning=cleaning):
            if limits.deadline is not None and time.monotonic() > limits.deadline:
                return False
        return True

    def _go_on(
        self,
        k: int,
        direction: Direction,
        depth: int | None,
        most: int,
        budget: int,
        wanted: U8 | None,
        *,
        unmasked: bool = False,
        cleaning: bool = False,
    ) -> int:
        core = self._core
        down = direction is Direction.DOWNSTREAM
        return walking.walk(
            k, int(unmasked), -1 if depth is None else depth, most, budget,
            core.folded, int(core.folded < core.counts[N_FLOWS]), int(cleaning),
            core.outgoing if down else core.incoming,
            core.nodes.over_out if down else core.nodes.over_in,
            core.overlay.next_out if down else core.overlay.next_in,
            core.flows.end if down else core.flows.start,
            core.flows, 0 if wanted is None else 1, _ANY if wanted is None else wanted, core.nodes, self._scratch, self._state,
        )  # fmt: skip

    def _walked(self, max_nodes: int, truncated: Truncated, met: list[int]) -> Walked:
        n = int(self._state[FOUND])
        nodes, distance = self._scratch.nodes[:n].copy(), self._scratch.distance[:n].copy()
        reach, masked = self._scratch.reach[:n].copy(), self._scratch.masked[:n] != 0
        if n > max_nodes:
            kept = self._first(nodes, reach, distance, max_nodes)
            nodes, reach, distance, masked = nodes[kept], reach[kept], distance[kept], masked[kept]
        return Walked(nodes, reach, distance, masked, truncated, *met)

    def _first(self, nodes: Ints, reach: Bytes, distance: Ints, most: int) -> Ints:
        """The rows of the nearest ones; of those at the edge, the first by name, so that equal graphs give equal answers."""
        last = most - 1 if most else 0
        edge = np.flatnonzero((reach == reach[last]) & (distance == distance[last]))
        order = sorted(edge.tolist(), key=lambda row: self._core.label(int(nodes[row])))
        return np.array([*range(edge[0]), *order][:most], np.int32)


_ANY: U8 = np.ones(1, np.uint8)
