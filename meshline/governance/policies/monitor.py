"""Policies kept in step with a graph: the violations now, and what each commit opens and closes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from meshline.governance.changes import Change
from meshline.governance.policies.evaluation import Breach, Breaches, Held, Place, full, ordered, shown, within
from meshline.governance.policies.evaluation_context import Look, patterns, scope
from meshline.governance.policies.personal_data import Personal
from meshline.governance.policies.policy import Policy
from meshline.governance.policies.subjects.catalog_bypass import any_catalog
from meshline.governance.policies.subjects.commitment_subjects import CHANGES, Governed, governed
from meshline.governance.report import Violation
from meshline.governance.rules import Verdict
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph


class Differs(NamedTuple):
    """What a change opens and closes."""

    opened: tuple[Violation, ...]
    closed: tuple[Violation, ...]


class Watch:
    """Holds all violations of a live graph. Every method takes the graph's lock. In memory only: made anew at start, by a full pass.

    `now`: the time by which policies judge, if not the clock's. A pass is full again when a day has gone by, and when a change
    may have touched anything (domains, patterns of members, a table of the index that was laid out anew).
    """

    def __init__(self, live: LiveGraph, policies: Sequence[Policy], now: datetime | None = None) -> None:
        self.live = live
        self.policies: Mapping[str, Policy] = {policy.id: policy for policy in policies}
        self._now = now
        self._judged: list[Governed] = []
        self._opened: Breaches = {}  # since the last `after`
        self._gone: Breaches = {}
        with live.lock:
            self._ordered: list[tuple[Place, Breach]] | None = None
            self._ordered_at = live.index.revision
            self._complete = True  # False: a look at what changed failed half-way, and what it would have found is not known
            self._begin(live.index)

    @property
    def revision(self) -> int:
        """The revision of the graph that the violations are of."""
        return self._revision

    def after(self) -> Differs:
        """Follow the graph: what has come and gone since the last call."""
        with self.live.lock:
            index, opened, gone = self._index, self._opened, self._gone
            self._follow()
            if self._index is not index:  # nodes mean something else
                return Differs((), ())
            self._opened, self._gone = {}, {}
            return self._differs(self._look(), gone, opened)

    def violations(self) -> list[tuple[Place, Breach]]:
        """All there are now, in order; see `shown`."""
        with self.live.lock:
            self._follow()
            if self._ordered is None or self._ordered_at != self._index.revision:
                self._ordered, self._ordered_at = ordered(self._index, self._held.all), self._index.revision
            return self._ordered

    def shown(self, breaches: Iterable[tuple[Place, Breach]]) -> list[Violation]:
        """Some of these, with their paths; while the graph is at `revision`."""
        with self.live.lock:
            return shown(self._look(), self.policies, breaches, new=False)

    def settle(self, judged: Sequence[tuple[Change, Verdict]] = ()) -> None:
        """Follow the graph, so that `supposing` finds only what is supposed. `judged`: changes with their verdicts, for policies of
        the kind `change`.
        """
        with self.live.lock:
            self._follow()
            wanted = any(policy.kind == "change" and not policy.off for policy in self.policies.values())
            self._judged = governed(self._look(), judged) if wanted else []

    def supposing(self, would: LiveGraph) -> Differs:
        """What would come and go in a supposed graph (`meshline.graph.what_if.supposed`, of this live one), which holds the lock.

        To be called once after `settle`, while the graph is supposed. The violations that are held stay as they are.
        """
        moved = self._trail.since()
        look = Look(would, would.index, self._time(), self._personal)
        look.shared[CHANGES] = self._judged
        near = None if moved is None or self._other_rules(would.index) else scope(look, moved)
        if near is None:
            alone = Look(would, would.index, self._time())
            alone.shared[CHANGES] = self._judged
            return self._differs(alone, self._held.all, full(alone, self.policies.values()))
        undos = [(personal, personal.renew(near.changed)) for personal in self._personal.values()]
        try:
            opened, replaced = within(look, self.policies.values(), near, self._held)
            return self._differs(look, replaced, opened)
        finally:
            for personal, undo in undos:
                personal.restore(undo)

    # -- inside

    def _begin(self, index: LineageIndex) -> None:
        """Raises what the store raises; then all is as it was before."""
        personal: dict[str, Personal] = {}
        trail = index.changes.open_trail()
        held = Held(full(Look(self.live, index, self._time(), personal), self.policies.values()))
        self._index, self._personal, self._trail, self._held = index, personal, trail, held
        self._note(index)
        self._ordered = None

    def _note(self, index: LineageIndex) -> None:
        self._revision = index.revision
        self._day: date = self._time().date()
        self._patterns = patterns(index)
        self._catalogs = any_catalog(index.core)

    def _time(self) -> datetime:
        return self._now or datetime.now(UTC)

    def _look(self) -> Look:
        return Look(self.live, self._index, self._time(), self._personal)

    def _other_rules(self, index: LineageIndex) -> bool:
        """Whether names may belong to other products and domains than before, or catalogs are known where none were."""
        return patterns(index) != self._patterns or any_catalog(index.core) != self._catalogs

    def _follow(self) -> None:
        index = self.live.index
        if index is not self._index:
            self._begin(index)
            self._opened, self._gone = {}, {}
            self._complete = True
            return
        if self._complete and index.revision == self._revision and self._time().date() == self._day:
            return
        anew, self._complete = not self._complete, False  # the trail forgets what it showed
        self._move(index, anew=anew)
        self._complete = True

    def _move(self, index: LineageIndex, *, anew: bool) -> None:
        moved = self._trail.since()
        look = self._look()
        anew = anew or moved is None or self._time().date() != self._day or self._other_rules(index)
        near = None if moved is None or anew else scope(look, moved)
        if near is None:
            before = self._held.all
            self._begin(index)
            self._note_differing(before, self._held.all)
            return
        for personal in self._personal.values():
            personal.renew(near.changed)
        opened, replaced = within(look, self.policies.values(), near, self._held)
        self._held.replace(replaced, opened)
        self._note_differing(replaced, opened)
        self._ordered = None
        self._revision = index.revision

    def _note_differing(self, before: Breaches, after: Breaches) -> None:
        for place, breach in before.items():
            if place not in after and self._opened.pop(place, None) is None:
                self._gone[place] = breach
        for place, breach in after.items():
            if place not in before and self._gone.pop(place, None) is None:
                self._opened[place] = breach

    def _differs(self, look: Look, before: Breaches, after: Breaches) -> Differs:
        """Not what only goes by another node now, because names were joined or parted."""
        opened = self._not_in(look, after, before, new=True)
        closed = self._not_in(look, before, after, new=False)
        both = opened.keys() & closed.keys()
        return Differs(*(tuple(one for id_, one in some.items() if id_ not in both) for some in (opened, closed)))

    def _not_in(self, look: Look, some: Breaches, others: Breaches, *, new: bool) -> dict[str, Violation]:
        only = {place: breach for place, breach in some.items() if place not in others}
        return {one.fingerprint: one for one in shown(look, self.policies, ordered(look.index, only), new=new)}
