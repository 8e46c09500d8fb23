"""Evaluates policies on a graph, and monitors a live one: the current violations, and those that each commit opens and closes.

Policies are evaluated on all of the graph, or only on what a commit can have changed. Law: both find the same violations.
Candidates are built once for all policies of a kind that depend on the same parameters. Violations are indexed by their assets: a scan
of all of them would take too long for a single event. A violation is reported with its path, and with a fingerprint that does not change
while it is open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.governance.changes import Change
from meshline.governance.policies.commitment_subjects import CHANGES, GovernedChange, find_governed_changes
from meshline.governance.policies.dataset_subjects import has_catalog
from meshline.governance.policies.personal_data import PersonalData
from meshline.governance.policies.policy import SUBJECTS, Policy, Severity, fill_late_fields
from meshline.governance.policies.subject import NO_NODE, Candidate, EvaluationContext, Scope, Subject, collect_patterns, find_scope
from meshline.governance.report import Step, Violation
from meshline.governance.report_values import AssetValues
from meshline.governance.rules import Verdict
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey


class Place(NamedTuple):
    """What a violation is about; `asset` and `end` are nodes of the index."""

    policy: str
    asset: int
    end: int


class Breach(NamedTuple):
    """A policy that a candidate violates. `text`: None if it is built only when the violation is shown (`build_violations`)."""

    severity: Severity
    uncertainties: tuple[str, ...]
    text: str | None


Breaches: TypeAlias = dict[Place, Breach]


def evaluate_all(context: EvaluationContext, policies: Iterable[Policy]) -> Breaches:
    """All violations. Raises InvalidInput for a policy that cannot be evaluated, LimitExceeded at the deadline of the graph's lock."""
    found: Breaches = {}
    for group in _group_policies(policies):
        for candidate in group.list_candidates(context, None):
            context.live.lock.check_deadline()
            found.update(_find_breaches(group.policies, candidate))
    return found


def evaluate_scope(
    context: EvaluationContext, policies: Iterable[Policy], scope: Scope, before: ViolationIndex
) -> tuple[Breaches, Breaches]:
    """(the violations that a scope covers now, those of `before` that they replace)."""
    found: Breaches = {}
    replaced: Breaches = {}
    near = _group_by_policy(before.find_at(scope.nodes))
    for group in _group_policies(policies):
        seen: list[tuple[int, int]] = []
        for candidate in group.list_candidates(context, scope):
            context.live.lock.check_deadline()
            seen.append((candidate.asset, candidate.end))
            found.update(_find_breaches(group.policies, candidate))
        for policy in group.policies:
            known = near.get(policy.id, ()) if group.subject.describe is not None else before.find_by_policy(policy.id)
            replaced.update((place, before[place]) for place in known if _is_covered(context, scope, group.subject, place))
            again = (Place(policy.id, *ends) for ends in seen)
            replaced.update((place, before[place]) for place in again if place in before.all)
    return found, replaced


def _group_by_policy(places: Iterable[Place]) -> dict[str, set[Place]]:
    found: dict[str, set[Place]] = {}
    for place in places:
        found.setdefault(place.policy, set()).add(place)
    return found


def _is_covered(context: EvaluationContext, scope: Scope, subject: Subject, place: Place) -> bool:
    """Whether the scope covers a violation, or one of its nodes has another representative now."""
    asset = context.index.assets.get_representative(place.asset)
    end = place.end if place.end == NO_NODE else context.index.assets.get_representative(place.end)
    return (asset, end) != (place.asset, place.end) or subject.covers(context, scope, asset, end)


class _Group(NamedTuple):
    """Policies with the same candidates."""

    subject: Subject
    policies: Sequence[Policy]

    def list_candidates(self, context: EvaluationContext, scope: Scope | None) -> Iterator[Candidate]:
        return self.subject.candidates(context, self.policies[0].parameters, scope)


def _group_policies(policies: Iterable[Policy]) -> Iterable[_Group]:
    found: dict[tuple[str, bytes], list[Policy]] = {}
    for policy in policies:
        if not policy.off:
            subject = SUBJECTS[policy.kind]
            depends = {name: policy.parameters.get(name) for name in subject.parameters}
            found.setdefault((policy.kind, msgspec.json.encode(depends, order="deterministic")), []).append(policy)
    return [_Group(SUBJECTS[kind], group) for (kind, _), group in found.items()]


def _find_breaches(policies: Iterable[Policy], candidate: Candidate) -> Iterator[tuple[Place, Breach]]:
    for policy in policies:
        fields = candidate.fields
        fields["parameters"] = policy.parameters
        if policy.when is not None and not policy.when.is_true(fields):
            continue
        if policy.require.is_true(fields):
            continue
        uncertainties = candidate.uncertainties
        if policy.doubtful is not None and policy.doubtful.is_true(fields):
            uncertainties = (*uncertainties, "the value that decides it is unknown")
        severity = policy.severity.lower_by(len(uncertainties))
        subject = SUBJECTS[policy.kind]
        text = policy.message.fill(fields, subject.late) if subject.describe is None else None
        yield Place(policy.id, candidate.asset, candidate.end), Breach(severity, uncertainties, text)


K = TypeVar("K")


class ViolationIndex:
    """The current violations by place, policy and node; only `replace` changes them."""

    def __init__(self, found: Breaches) -> None:
        self.all: Breaches = {}
        self._of_policy: dict[str, set[Place]] = {}
        self._at: dict[int, set[Place]] = {}
        self.replace({}, found)

    def find_by_policy(self, policy: str) -> Iterable[Place]:
        return self._of_policy.get(policy, ())

    def find_at(self, nodes: Iterable[int]) -> Iterator[Place]:
        """The places with one of these nodes at either end; some appear twice."""
        for node in nodes:
            yield from self._at.get(node, ())

    def replace(self, gone: Iterable[Place], found: Breaches) -> None:
        """Remove the violations at places, then add new ones."""
        for place in gone:
            del self.all[place]
            self._forget(place)
        for place, breach in found.items():
            self.all[place] = breach
            for kept in self._get_sets(place):
                kept.add(place)

    def _forget(self, place: Place) -> None:
        _discard(self._of_policy, place.policy, place)
        _discard(self._at, place.asset, place)
        _discard(self._at, place.end, place)

    def __getitem__(self, place: Place) -> Breach:
        return self.all[place]

    def _get_sets(self, place: Place) -> tuple[set[Place], ...]:
        at = self._at
        return (
            self._of_policy.setdefault(place.policy, set()),
            at.setdefault(place.asset, set()),
            at.setdefault(place.end, set()),
        )


def _discard(places: dict[K, set[Place]], key: K, place: Place) -> None:
    found = places.get(key)
    if found is not None:
        found.discard(place)
        if not found:
            del places[key]


def build_violations(
    context: EvaluationContext, policies: Mapping[str, Policy], breaches: Iterable[tuple[Place, Breach]], *, new: bool = True
) -> list[Violation]:
    """The violations as values of a report, in the given order."""
    values = AssetValues(context.index)
    return [_build_violation(context, values, policies[place.policy], place, breach, new=new) for place, breach in breaches]


def sort_violations(index: LineageIndex, breaches: Breaches) -> list[tuple[Place, Breach]]:
    """The worst first, then by policy, then by the names of their assets."""
    return sorted(breaches.items(), key=lambda one: rank_violation(index, *one))


def rank_violation(index: LineageIndex, place: Place, breach: Breach) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The sort key of a violation: numbers, then names; no two are equal."""
    names = (place.policy, *_get_key(index, place.asset), "", *_get_key(index, place.end))
    return (-breach.severity.verdict,), names


def compute_fingerprint(index: LineageIndex, place: Place) -> str:
    """Identifies a violation independent of its message: 16 hexadecimal digits."""
    content = msgspec.json.encode([place.policy, _get_key(index, place.asset), _get_key(index, place.end)])
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def list_ends(index: LineageIndex, place: Place) -> list[AssetKey]:
    """The one or two assets that a violation is about."""
    return list(dict.fromkeys(index.assets.get_key(node) for node in (place.asset, place.end) if node != NO_NODE))


def _get_key(index: LineageIndex, node: int) -> tuple[str, ...]:
    return () if node < 0 else (index.assets.get_kind(node), *index.assets.get_key(node).parts)


def _build_violation(
    context: EvaluationContext, values: AssetValues, policy: Policy, place: Place, breach: Breach, *, new: bool
) -> Violation:
    subject = SUBJECTS[policy.kind]
    path: tuple[Step, ...] = ()
    late: Mapping[str, str] = {}
    if subject.trace is not None:
        steps, late = subject.trace(context, policy.parameters, place.asset, place.end)
        path = tuple(values.build_step(step) for step in steps)
    text = fill_late_fields(breach.text if breach.text is not None else _format_text(context, policy, place, breach), late)
    return Violation(
        fingerprint=compute_fingerprint(context.index, place),
        policy=policy.id,
        severity=breach.severity,
        verdict=breach.severity.verdict.name.lower(),
        text=f"{text} (possible: {'; '.join(breach.uncertainties)})" if breach.uncertainties else text,
        asset=values.get_asset(place.asset),
        path=path,
        new=new,
    )


def _format_text(context: EvaluationContext, policy: Policy, place: Place, breach: Breach) -> str:
    subject = SUBJECTS[policy.kind]
    assert subject.describe is not None, "kinds without `describe` build the text with the violation"
    return policy.message.fill(subject.describe(context, policy.parameters, place.asset, place.end, breach.uncertainties), subject.late)


class ViolationDifference(NamedTuple):
    """The violations that a change opens and closes. `ends`: of each that it opens, by fingerprint, the assets that it is about."""

    opened: tuple[Violation, ...]
    closed: tuple[Violation, ...]
    ends: Mapping[str, Sequence[AssetKey]] = MappingProxyType({})


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
        added, gone = (tuple(one for id_, (one, _) in some.items() if id_ not in both) for some in (opened, closed))
        return ViolationDifference(added, gone, {id_: list_ends(context.index, place) for id_, (_, place) in opened.items()})

    def _find_missing(
        self, context: EvaluationContext, some: Breaches, others: Breaches, *, new: bool
    ) -> dict[str, tuple[Violation, Place]]:
        found = sort_violations(context.index, {place: breach for place, breach in some.items() if place not in others})
        built = build_violations(context, self.policies, found, new=new)
        return {one.fingerprint: (one, place) for one, (place, _) in zip(built, found, strict=True)}
