"""Groups numbered in one pass, without sorting and without a new array of the size of the graph."""

from __future__ import annotations

import numpy as np

from meshline.graph.index import collecting
from meshline.graph.index.answers import Ints
from meshline.graph.index.core import Core
from meshline.graph.index.tables import N_NODES, NONE


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
        n = collecting.numbered(nodes, self.array, found, number)
        return found[:n].copy(), number
