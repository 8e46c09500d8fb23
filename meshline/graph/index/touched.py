"""What changed between two looks at the index, by the assets that the heads in question name."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.answers import Ints
from meshline.graph.index.core import Core, named_by
from meshline.graph.index.identity import Identity
from meshline.graph.index.spans import rows_of
from meshline.graph.index.tables import I64, U8

_FLOWS, _FACTS, _MENTIONS = 0, 2, 3  # columns of Heads.starts


class Touched:
    """Follows the heads: which assets are named by those that came, went, or say the same as of another time.

    Whatever is known of an asset rests on heads that name it. What joins or parts identity classes is said
    by a head that names a member of each class as it is now, or is in `Identity.regrouped`. So who remembers
    something of assets need forget no more than what was remembered of these, and of the representatives of
    their classes. One for each index: it empties `regrouped`.
    """

    def __init__(self, core: Core, identity: Identity) -> None:
        self._core = core
        self._identity = identity
        self._renumbered = -1
        self._alive: U8 = np.empty(0, np.uint8)
        self._observed_at: I64 = np.empty(0, np.int64)

    def since(self) -> Ints | None:
        """The assets touched since the last call, sorted; None: any may be."""
        heads = self._core.heads
        regrouped, self._identity.regrouped = self._identity.regrouped, set()
        known = len(self._alive)
        before, times = self._alive, self._observed_at
        self._alive, self._observed_at = heads.alive[: heads.n].copy(), heads.observed_at[: heads.n].copy()
        if self._renumbered != heads.renumbered:
            self._renumbered = heads.renumbered
            return None
        differs = (before != self._alive[:known]) | (times != self._observed_at[:known])
        changed = np.concatenate([np.flatnonzero(differs), np.arange(known, heads.n)])
        mentions = self._core.mentions[rows_of(heads.starts[changed, _MENTIONS], heads.starts[changed + 1, _MENTIONS])]
        return np.unique(np.concatenate([named_by(mentions), np.array(sorted(regrouped), np.int32)]))
