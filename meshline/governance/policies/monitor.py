"""Monitors the policies of a live graph: the current violations, and those that each commit opens and closes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from meshline.governance.changes import Change
from meshline.governance.policies.evaluation import (
    Breach,
    Breaches,
    Place,
    ViolationIndex,
    build_violations,
    evaluate_all,
    evaluate_scope,
    sort_violations,
)
from meshline.governance.policies.evaluation_context import EvaluationContext, collect_patterns, find_scope
from meshline.governance.policies.personal_data import PersonalData
from meshline.governance.policies.policy import Policy
from meshline.governance.policies.subjects.catalog_bypass import has_catalog
from meshline.governance.policies.subjects.commitment_subjects import CHANGES, GovernedChange, find_governed_changes
from meshline.governance.report import Violation
from meshline.governance.rules import Verdict
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph


class ViolationDifference(NamedTuple):
    """The violations that a change opens and closes."""

    opened: tuple[Violation, ...]
    closed: tuple[Violation, ...]


class PolicyMonitor:
    """All violations of a live graph, in memory: the start computes them by a full pass. Every method acquires the graph's lock.

    `now`: the time for policies, if it is not the clock's. Another full pass follows when the day changes, and when a change may have
    affected anything (domains, patterns of members, a rebuilt table of the index).
    """

    def __init__(self, live: LiveGraph, policies: Sequence[Policy], now: datetime | None = None) -> None:
        self.live = live
        self.policies: Mapping[str, Policy] = {policy.id: policy for policy in policies}
        self._now = now
        self._changes: list[GovernedChange] = []
        self._opened: Breaches = {}  # since the last `collect_differences`
        self._gone: Breaches = {}
        with live.lock:
            self._ordered: list[tuple[Place, Breach]] | None = None
            self._ordered_at = live.index.revision
            self._complete = True  # False: an update failed half-way, so its result is unknown
            self._begin(live.index)

    @property
    def revision(self) -> int:
        """The revision of the graph that the violations are of."""
        return self._revision

    def collect_differences(self) -> ViolationDifference:
        """Follow the graph: the violations opened and closed since the last call."""
        with self.live.lock:
            index, opened, gone = self._index, self._opened, self._gone
            self._follow()
            if self._index is not index:  # its node numbers have changed
                return ViolationDifference((), ())
            self._opened, self._gone = {}, {}
            return self._build_difference(self._build_context(), gone, opened)

    def list_violations(self) -> list[tuple[Place, Breach]]:
        """All current violations, in order; see `build_violations`."""
        with self.live.lock:
            self._follow()
            if self._ordered is None or self._ordered_at != self._index.revision:
                self._ordered, self._ordered_at = sort_violations(self._index, self._current.all), self._index.revision
            return self._ordered

    def build_violations(self, breaches: Iterable[tuple[Place, Breach]]) -> list[Violation]:
        """Some of these violations, with their paths; valid while the graph is at `revision`."""
        with self.live.lock:
            return build_violations(self._build_context(), self.policies, breaches, new=False)

    def settle(self, judged: Sequence[tuple[Change, Verdict]] = ()) -> None:
        """Follow the graph, so that `compare_supposed` finds only the effect of the supposed change. `judged`: changes with their
        verdicts, for policies of the kind `change`.
        """
        with self.live.lock:
            self._follow()
            wanted = any(policy.kind == "change" and not policy.off for policy in self.policies.values())
            self._changes = find_governed_changes(self._build_context(), judged) if wanted else []

    def compare_supposed(self, would: LiveGraph) -> ViolationDifference:
        """What a supposed graph (from `meshline.graph.what_if`, of this live one) would open and close. That graph has the lock.

        Call it once after `settle`, while the graph is supposed. The current violations stay as they are.
        """
        changes = self._trail.find_changed()
        context = EvaluationContext(would, would.index, self._get_time(), self._personal)
        context.shared[CHANGES] = self._changes
        near = None if changes is None or self._has_other_rules(would.index) else find_scope(context, changes)
        if near is None:
            alone = EvaluationContext(would, would.index, self._get_time())
            alone.shared[CHANGES] = self._changes
            return self._build_difference(alone, self._current.all, evaluate_all(alone, self.policies.values()))
        undos = [(personal, personal.renew(near.changed)) for personal in self._personal.values()]
        try:
            opened, replaced = evaluate_scope(context, self.policies.values(), near, self._current)
            return self._build_difference(context, replaced, opened)
        finally:
            for personal, undo in undos:
                personal.restore(undo)

    # -- inside

    def _begin(self, index: LineageIndex) -> None:
        """Raises what the store raises; then the state is unchanged."""
        personal: dict[str, PersonalData] = {}
        trail = index.changes.open_trail()
        found = ViolationIndex(evaluate_all(EvaluationContext(self.live, index, self._get_time(), personal), self.policies.values()))
        self._index, self._personal, self._trail, self._current = index, personal, trail, found
        self._record_state(index)
        self._ordered = None

    def _record_state(self, index: LineageIndex) -> None:
        self._revision = index.revision
        self._day: date = self._get_time().date()
        self._patterns = collect_patterns(index)
        self._catalogs = has_catalog(index)

    def _get_time(self) -> datetime:
        return self._now or datetime.now(UTC)

    def _build_context(self) -> EvaluationContext:
        return EvaluationContext(self.live, self._index, self._get_time(), self._personal)

    def _has_other_rules(self, index: LineageIndex) -> bool:
        """Whether names may belong to other products and domains than before, or the first catalog has become known."""
        return collect_patterns(index) != self._patterns or has_catalog(index) != self._catalogs

    def _follow(self) -> None:
        index = self.live.index
        if index is not self._index:
            self._begin(index)
            self._opened, self._gone = {}, {}
            self._complete = True
            return
        if self._complete and index.revision == self._revision and self._get_time().date() == self._day:
            return
        rebuild, self._complete = not self._complete, False  # the trail reports changes once
        self._apply_changes(index, rebuild=rebuild)
        self._complete = True

    def _apply_changes(self, index: LineageIndex, *, rebuild: bool) -> None:
        changes = self._trail.find_changed()
        context = self._build_context()
        rebuild = rebuild or changes is None or self._get_time().date() != self._day or self._has_other_rules(index)
        near = None if changes is None or rebuild else find_scope(context, changes)
        if near is None:
            before = self._current.all
            self._begin(index)
            self._record_difference(before, self._current.all)
            return
        for personal in self._personal.values():
            personal.renew(near.changed)
        opened, replaced = evaluate_scope(context, self.policies.values(), near, self._current)
        self._current.replace(replaced, opened)
        self._record_difference(replaced, opened)
        self._ordered = None
        self._revision = index.revision

    def _record_difference(self, before: Breaches, after: Breaches) -> None:
        for place, breach in before.items():
            if place not in after and self._opened.pop(place, None) is None:
                self._gone[place] = breach
        for place, breach in after.items():
            if place not in before and self._gone.pop(place, None) is None:
                self._opened[place] = breach

    def _build_difference(self, context: EvaluationContext, before: Breaches, after: Breaches) -> ViolationDifference:
        """Without violations that only have another node now, because names were joined or separated."""
        opened = self._find_missing(context, after, before, new=True)
        closed = self._find_missing(context, before, after, new=False)
        both = opened.keys() & closed.keys()
        return ViolationDifference(*(tuple(one for id_, one in some.items() if id_ not in both) for some in (opened, closed)))

    def _find_missing(self, context: EvaluationContext, some: Breaches, others: Breaches, *, new: bool) -> dict[str, Violation]:
        only = {place: breach for place, breach in some.items() if place not in others}
        return {one.fingerprint: one for one in build_violations(context, self.policies, sort_violations(context.index, only), new=new)}
