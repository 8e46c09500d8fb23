"""Follows the store's revisions, and notes what is owed: the position moves in the commit that notes it, so nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from meshline.governance.notify import violation_events
from meshline.governance.notify.change_detector import Lander
from meshline.governance.notify.violation_events import Watched
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Batch, Record

SINCE = "notify:since"  # microseconds: what began before is history, of which nobody is told
POSITION = "notify:revision"  # up to which revision it is noted what is owed


class Noted(NamedTuple):
    """What a step found. `revision`: up to which; `began`: it was the first, which notes nothing."""

    revision: int
    notices: int
    opened: int
    closed: int
    began: bool = False


class Follower:
    """One at a time. Several, in several processes, note the same once."""

    def __init__(self, live: LiveGraph, lander: Lander, watched: Watched | None, clock: Callable[[], int], *, webhook: bool) -> None:
        """`watched`: None where no policies are."""
        self._live = live
        self._lander = lander
        self._watched = watched
        self._clock = clock
        self._webhook = webhook
        self._turns = violation_events.Turns(live.store)
        self._looked = False

    def step(self) -> Noted:
        """Follow what was committed since the last step, of whatever process.

        Raises StoreUnavailable; then nothing is noted, and the next step finds the same.
        """
        store, now = self._live.store, self._clock()
        since, position = store.setting(SINCE), int(store.setting(POSITION) or 0)
        if since is None:
            return self._begin(now)
        changes = store.changes(position)
        if changes.revision <= position and self._looked:
            return Noted(position, 0, 0, 0)
        self._live.refresh()
        settings = {POSITION: str(max(changes.revision, position))}
        if now < int(since):  # the clock was ahead when it began: what begins from now on is news
            since = settings[SINCE] = str(now)
        records = list(self._lander.owed(changes.heads, int(since), now, webhook=self._webhook))
        notices = len(records)
        turned = self._turned(now, tell=True)
        records += turned.records
        if records or len(settings) > 1 or changes.revision > position:
            store.commit(lambda _: Batch(settings=settings, journal=records))
        self._lander.keep()
        self._looked = True
        return Noted(changes.revision, notices + turned.notices, turned.opened, turned.closed)

    def _begin(self, now: int) -> Noted:
        """From here on. Policies that are broken already are in the audit log, and nobody is told."""
        self._live.refresh()
        revision = self._live.index.revision
        turned = self._turned(now, tell=False)
        self._live.store.commit(lambda _: Batch(settings={SINCE: str(now), POSITION: str(revision)}, journal=turned.records))
        self._looked = True
        return Noted(revision, 0, turned.opened, turned.closed, began=True)

    def _turned(self, now: int, *, tell: bool) -> _Turned:
        if self._watched is None:
            return _Turned([], 0, 0, 0)
        records: list[Record] = []
        opened = closed = notices = 0
        for turn in violation_events.turned(self._turns.known(), self._watched, now):
            records += (turn.record, turn.audited)
            opened, closed = opened + turn.opened, closed + (not turn.opened)
            if tell and turn.opened:
                told = list(violation_events.owed(self._live, turn.violation, turn.record.key, now, webhook=self._webhook))
                notices += len(told)
                records += told
        return _Turned(records, notices, opened, closed)


class _Turned(NamedTuple):
    records: Sequence[Record]
    notices: int
    opened: int
    closed: int
