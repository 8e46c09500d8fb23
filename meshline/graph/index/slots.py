"""Groups numbered in one pass, without sorting and without a new array of the size of the graph."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.answers import Ints
from meshline.graph.index.compiled import kernel
from meshline.graph.index.core import Core
from meshline.graph.index.tables import I32, N_NODES, NONE


class Slots:
    """By node, room for a number. All NONE except while somebody uses it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._array: Ints = np.empty(0, np.int32)

    @property
    def array(self) -> Ints:
        """Leave it as you found it."""
        n = int(self._core.counts[N_NODES])
        if len(self._array) < n:
            self._array = np.full(max(n, 2 * len(self._array)), NONE, np.int32)
        return self._array

    def numbered(self, nodes: Ints) -> tuple[Ints, Ints]:
        """(the distinct nodes as they come, of each node the number of it in these)."""
        found, number = np.empty(len(nodes), np.int32), np.empty(len(nodes), np.int32)
        n = numbered(nodes, self.array, found, number)
        return found[:n].copy(), number


@kernel("I32", "I32", "I32", "I32")
def numbered(nodes: I32, slots: I32, found: I32, number: I32) -> int:
    """See `Slots.numbered`; returns how many there are in `found`."""
    n = 0
    for row in range(len(nodes)):
        node = nodes[row]
        if slots[node] == NONE:
            slots[node] = n
            found[n] = node
            n += 1
        number[row] = slots[node]
    for at in range(n):
        slots[found[at]] = NONE
    return n
