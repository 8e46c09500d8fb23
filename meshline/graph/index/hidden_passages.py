"""Which drawn nodes data flows between through hidden assets alone: a drawing without these ways would show what is connected as apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from meshline.errors import LimitExceeded
from meshline.graph.index.results import Bytes, Passage, Reach

MOST = 20_000  # passages of one drawing


def find_passages(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], reach: Bytes) -> list[Passage]:
    """The passages of flows, sorted by places. `starts`, `ends`: of each flow, the place of a drawn node, or of a hidden asset -2 and
    less; -1: neither, which no way leads through.

    Raises LimitExceeded.
    """
    found: dict[tuple[int, int], Passage] = {}
    for weakest in Reach:
        kept = (reach <= weakest) & (starts != -1) & (ends != -1) & ((starts < 0) | (ends < 0))
        for start, end, hidden in _walk(np.unique(np.stack([starts[kept], ends[kept]], axis=1), axis=0)):
            found.setdefault((start, end), Passage(start, end, weakest, hidden))
            if len(found) > MOST:
                raise LimitExceeded(f"more than {MOST} pairs of nodes are connected through hidden assets: ask for a smaller drawing")
    return sorted(found.values())


def _walk(flows: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
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
