"""Which drawn nodes data flows between through hidden assets alone: a drawing without these ways would show what is connected as apart."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.errors import LimitExceeded
from meshline.graph.index.results import Bytes, Flags, Passage, Reach

Places: TypeAlias = npt.NDArray[np.int64]
MOST = 20_000  # passages of one drawing
MOST_FLOWS = 200_000  # between which these are searched: some tenths of a second


def find_passages(starts: Places, ends: Places, reach: Bytes, deadline: float | None = None) -> list[Passage]:
    """The passages of flows, sorted by places. `starts`, `ends`: of each flow, the place of a drawn node, or of a hidden asset -2 and
    less; -1: neither, which no way leads through.

    `deadline`: as `time.monotonic()`, in seconds. Raises LimitExceeded.
    """
    found: dict[tuple[int, int], Passage] = {}
    for weakest in Reach:
        kept = (reach <= weakest) & (starts != -1) & (ends != -1) & ((starts < 0) | (ends < 0))
        between = _keep_between(starts[kept], ends[kept], deadline)
        if len(between) > MOST_FLOWS:
            raise LimitExceeded(f"more than {MOST_FLOWS} flows of hidden assets are between these nodes: ask for a smaller drawing")
        for start, end, hidden in _walk(between):
            found.setdefault((start, end), Passage(start, end, weakest, hidden))
            if len(found) > MOST:
                raise LimitExceeded(f"more than {MOST} pairs of nodes are connected through hidden assets: ask for a smaller drawing")
    return sorted(found.values())


def _keep_between(starts: Places, ends: Places, deadline: float | None) -> Places:
    """The distinct flows on ways from a drawn node to a drawn node: rows of (start, end)."""
    hidden, at = np.unique(np.concatenate([starts, ends]), return_inverse=True)
    of_starts, of_ends = at[: len(starts)], at[len(starts) :]
    reached, reaching = (_mark_reached(hidden >= 0, *ends_of, deadline) for ends_of in ((of_starts, of_ends), (of_ends, of_starts)))
    kept = (reached & reaching)[of_starts] & (reached & reaching)[of_ends]
    return np.unique(np.stack([starts[kept], ends[kept]], axis=1), axis=0)


def _mark_reached(drawn: Flags, starts: Places, ends: Places, deadline: float | None) -> Flags:
    """The nodes that are drawn, or that a way through hidden nodes leads to from one."""
    marked = drawn.copy()
    while True:
        new = ends[marked[starts] & ~marked[ends]]
        if not len(new):
            return marked
        if deadline is not None and time.monotonic() > deadline:
            raise LimitExceeded("the ways through hidden assets take too long: ask for a smaller drawing, or for datasets")
        marked[new] = True


def _walk(flows: Places) -> Iterator[tuple[int, int, int]]:
    """(drawn start, drawn end, the fewest hidden assets between them), by that number. All starts walk at once: sets of places are bits."""
    onward: defaultdict[int, list[int]] = defaultdict(list)
    arrived: defaultdict[int, int] = defaultdict(int)
    for start, end in flows.tolist():
        if start < 0:
            onward[start].append(end)
        else:
            arrived[end] |= 1 << start
    seen: defaultdict[int, int] = defaultdict(int)
    hidden = 0
    while arrived:
        hidden += 1
        following: defaultdict[int, int] = defaultdict(int)
        for node, places in arrived.items():
            new = places & ~seen[node]
            seen[node] |= new
            for end in onward[node] if new else ():
                if end < 0:
                    following[end] |= new
                    continue
                fresh = new & ~seen[end] & ~(1 << end)
                seen[end] |= fresh
                yield from ((start, end, hidden) for start in _list_places(fresh))
        arrived = following


def _list_places(bits: int) -> Iterator[int]:
    while bits:
        last = bits & -bits
        yield last.bit_length() - 1
        bits ^= last
