"""The relations of the types that many answers need at once, so that nobody looks for them among all."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.core import Core
from meshline.graph.index.tables import I64, N_RELATIONS
from meshline.graph.model import EDGE_TYPES, EdgeType
from meshline.graph.store.heads import scope_text

_READS = EDGE_TYPES.index(EdgeType.READS)
_KEPT = tuple(EDGE_TYPES.index(type_) for type_ in (EdgeType.PORT, EdgeType.OWNS, EdgeType.CONSUMES, EdgeType.GOVERNS))

# How the scopes of runs begin that read and name no output.
_IDLE = scope_text(("job-reads", ""))[:-2]


class Ties:
    """Rows of `Relations` by type. New rows are looked through once; those of heads that went are left out."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._renumbered = -1
        self._upto = 0
        self._rows: dict[int, I64] = {}
        self._idle: I64 = np.empty(0, np.int64)

    def rows(self, type_: int) -> I64:
        """The visible relations of a type: PORT, OWNS, CONSUMES or GOVERNS."""
        self._follow()
        return self._visible(self._rows[type_], type_)

    def idle(self) -> I64:
        """The visible READS of jobs that name no output."""
        self._follow()
        return self._visible(self._idle, _READS)

    def _visible(self, rows: I64, type_: int) -> I64:
        visible: I64 = rows[self._core.relations.type[rows] == type_]
        return visible

    def _follow(self) -> None:
        core = self._core
        if self._renumbered != core.heads.renumbered:
            self._renumbered = core.heads.renumbered
            self._upto = 0
            self._rows = {type_: np.empty(0, np.int64) for type_ in _KEPT}
            self._idle = np.empty(0, np.int64)
        n = int(core.counts[N_RELATIONS])
        if n == self._upto:
            return
        types = core.relations.type[self._upto : n]
        for type_, known in self._rows.items():
            self._rows[type_] = np.concatenate([known, np.flatnonzero(types == type_) + self._upto])
        self._idle = np.concatenate([self._idle, self._reading(np.flatnonzero(types == _READS) + self._upto)])
        self._upto = n

    def _reading(self, rows: I64) -> I64:
        """Those of these READS that jobs without an output say."""
        heads = self._core.heads
        of_rows = heads.of_rows(rows, 1)
        distinct = np.unique(of_rows)
        idle = np.array([heads.scopes[head].startswith(_IDLE) for head in distinct.tolist()], np.bool_)
        found: I64 = rows[np.isin(of_rows, distinct[idle])]
        return found
