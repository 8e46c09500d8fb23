"""What a commit changed, for who keeps findings about the graph: which assets, and which columns may hold other values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.answers import Flags, Ints
from meshline.graph.index.core import Core, named_by
from meshline.graph.index.spans import rows_of
from meshline.graph.index.tables import COLUMN, COVERED, DATASET, I64, N_NODES, NONE, REPLACED, U8

_FLOWS, _FACTS, _MENTIONS = 0, 2, 3  # columns of Heads.starts


class Moved(NamedTuple):
    """What differs from the look before. Own nodes, sorted.

    `named`: those that heads name that came or went; of those that say the same as of another time, the assets other than
    datasets and columns. `fed`: the columns (and datasets, for all of theirs) into which other flows lead, that have other
    tags, that came into sight or went out of it, or that stand for other names.
    """

    named: Ints
    fed: Ints


class Trail:
    """Looks at the index now and then. It costs a pass over arrays, a few milliseconds for a million columns."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._renumbered = core.heads.renumbered
        self._remember()

    def since(self) -> Moved | None:
        """What changed since the last call; None: anything may have."""
        core, heads = self._core, self._core.heads
        if self._renumbered != heads.renumbered:
            self._renumbered = heads.renumbered
            self._remember()
            return None
        known = len(self._alive)
        came_or_went = np.concatenate(
            [np.flatnonzero(self._alive != heads.alive[:known]), np.arange(known, heads.n)]
        )  # one that came and went since names nothing that changed, and does no harm
        retimed = np.flatnonzero((self._alive == heads.alive[:known]) & (self._observed_at != heads.observed_at[:known]))
        mentioned, of_time = self._mentions(came_or_went), self._mentions(retimed)
        kinds = core.nodes.kind[of_time]
        named = np.unique(np.concatenate([mentioned, of_time[(kinds != DATASET) & (kinds != COLUMN)]]))
        refollowed = np.flatnonzero((heads.alive[:known] != 0) & (self._refollowed != heads.refollowed[:known]))
        fed = np.concatenate(
            [
                self._flow_ends(came_or_went, passed_over=COVERED | REPLACED),
                self._flow_ends(refollowed),
                self._mentions(self._tagging(came_or_went)),
                self._other_sight(),
            ]
        )
        self._remember()
        return Moved(named.astype(np.int32), np.unique(fed).astype(np.int32))

    def _remember(self) -> None:
        core, n = self._core, int(self._core.counts[N_NODES])
        self._alive: U8 = core.heads.alive[: core.heads.n].copy()
        self._observed_at: I64 = core.heads.observed_at[: core.heads.n].copy()
        self._refollowed: I64 = core.heads.refollowed[: core.heads.n].copy()
        self._rep: Ints = core.nodes.rep[:n].copy()
        self._seen: Flags = core.nodes.live[:n] > 0

    def _mentions(self, heads: I64) -> Ints:
        core = self._core
        starts = core.heads.starts
        return named_by(core.mentions[rows_of(starts[heads, _MENTIONS], starts[heads + 1, _MENTIONS])])

    def _flow_ends(self, heads: I64, *, passed_over: int = 0) -> Ints:
        """Where the flows of these heads lead, but for those with any of these flags."""
        core = self._core
        starts = core.heads.starts
        rows = rows_of(starts[heads, _FLOWS], starts[heads + 1, _FLOWS])
        ends: Ints = core.flows.end[rows[core.flows.flags[rows] & passed_over == 0]]
        return ends

    def _tagging(self, heads: I64) -> I64:
        """Those of these heads that give tags."""
        core = self._core
        starts = core.heads.starts
        begin, end = starts[heads, _FACTS], starts[heads + 1, _FACTS]
        tagged = core.facts.tags[rows_of(begin, end)] != NONE
        of_head = np.repeat(np.arange(len(heads)), end - begin)
        found: I64 = heads[np.unique(of_head[tagged])]
        return found

    def _other_sight(self) -> Ints:
        """Nodes of which the representative, or whether any head names them, is another; and their representatives then and now."""
        nodes, known = self._core.nodes, len(self._rep)
        n = int(self._core.counts[N_NODES])
        moved = np.flatnonzero(self._rep != nodes.rep[:known])
        seen = np.flatnonzero(self._seen != (nodes.live[:known] > 0))
        new = np.arange(known, n)
        return np.concatenate([moved, self._rep[moved], nodes.rep[moved], seen, nodes.rep[seen], new, nodes.rep[new]])
