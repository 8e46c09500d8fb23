"""The heads before the current ones, for scopes of which several statements have the same time.

All runs of one round of a scheduler have the same time, and several of them may state different contents of one scope. The greatest of
them counts, whichever arrives first. Whether it continues an interval depends on the head before that time, which the first of them has
replaced. Without it, each round would read all observations of the scope.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.graph.store.sqlite.reader import HeadRow, ObservationRow, fold_observation

MAX_SCOPES = 100_000  # about 40 MB


class _Succession(NamedTuple):
    """A head that began an interval, and the head before it, which has an earlier time."""

    head: HeadRow
    before: HeadRow


class EarlierHeads:
    """Remembers the head before each head that began an interval, as far as this process has written all commits since."""

    def __init__(self) -> None:
        self._known: dict[int, _Succession] = {}
        self._new: dict[int, _Succession | None] = {}  # of the current commit; None: not known any more
        self._revision = -1  # of the last commit that is known

    def begin(self, revision: int) -> None:
        """Begin a commit after this revision: if others have written since the last one, nothing is known any more."""
        self._new.clear()
        if revision != self._revision:
            self._known.clear()

    def keep(self, revision: int) -> None:
        """The commit succeeded, with this revision."""
        if len(self._known) + len(self._new) > MAX_SCOPES:
            self._known.clear()
        for scope, found in self._new.items():
            if found is None:
                self._known.pop(scope, None)
            else:
                self._known[scope] = found
        self._new.clear()
        self._revision = revision

    def record(self, head: HeadRow, row: ObservationRow, now: HeadRow | None) -> HeadRow | None:
        """Record that an observation of another time than the head's has made it `now` (the same object: unchanged); returns `now`."""
        if now is None or now is head:
            if row.observed_at < head.observed_at:  # it may have changed what was before
                self._new[row.scope] = None
        elif head.content is not None and now.valid_from == now.observed_at > head.observed_at:
            self._new[row.scope] = _Succession(now, head)
        else:
            self._new[row.scope] = None
        return now

    def fold(self, head: HeadRow, row: ObservationRow) -> HeadRow | None:
        """The head after an observation that wins against a head of the same time, which began an interval; None if it is not known."""
        found = self._new[row.scope] if row.scope in self._new else self._known.get(row.scope)
        if found is None or found.head[:4] != head[:4]:  # the version may be another by now
            return None
        now = fold_observation(found.before, row)
        if now is not None:
            self._new[row.scope] = _Succession(now, found.before)
        return now

    def forget_scopes(self, scopes: Iterable[int]) -> None:
        """Forget scopes whose observations were removed, or whose heads were folded from all observations."""
        self._new.update(dict.fromkeys(scopes))
