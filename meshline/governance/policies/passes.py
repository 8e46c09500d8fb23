"""Policies on a graph: all of it, or only what a commit can have changed. Law: both find the same.

Candidates are made once for all policies of a kind that depend on the same parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from meshline.governance.policies.format import Policy, Severity
from meshline.governance.policies.look import Look
from meshline.governance.policies.scope import Scope
from meshline.governance.policies.subjects import SUBJECTS
from meshline.governance.policies.subjects.shape import NOBODY, Candidate, Subject

if TYPE_CHECKING:
    from meshline.governance.policies.held import Held


class Place(NamedTuple):
    """What a violation is about. Nodes of the index."""

    policy: str
    asset: int
    end: int


class Breach(NamedTuple):
    """A policy that does not hold of something. `text`: None, if it is made when it is shown (`showing`)."""

    severity: Severity
    doubts: tuple[str, ...]
    text: str | None


Breaches: TypeAlias = dict[Place, Breach]


def full(look: Look, policies: Iterable[Policy]) -> Breaches:
    """All violations. Raises InvalidInput for a policy that cannot be evaluated, LimitExceeded at the deadline (`GraphLock.until`)."""
    found: Breaches = {}
    for group in _groups(policies):
        for candidate in group.candidates(look, None):
            look.live.lock.check()
            found.update(_breaches(group.policies, candidate))
    return found


def within(look: Look, policies: Iterable[Policy], scope: Scope, before: Held) -> tuple[Breaches, Breaches]:
    """(the violations of all that a scope covers, those of `before` that they replace)."""
    found: Breaches = {}
    replaced: Breaches = {}
    near = _by_policy(before.at(scope.nodes))
    for group in _groups(policies):
        seen: list[tuple[int, int]] = []
        for candidate in group.candidates(look, scope):
            look.live.lock.check()
            seen.append((candidate.asset, candidate.end))
            found.update(_breaches(group.policies, candidate))
        for policy in group.policies:
            known = near.get(policy.id, ()) if group.subject.describe is not None else before.of_policy(policy.id)
            replaced.update((place, before[place]) for place in known if _covered(look, scope, group.subject, place))
            again = (Place(policy.id, *ends) for ends in seen)
            replaced.update((place, before[place]) for place in again if place in before.all)
    return found, replaced


def _by_policy(places: Iterable[Place]) -> dict[str, set[Place]]:
    found: dict[str, set[Place]] = {}
    for place in places:
        found.setdefault(place.policy, set()).add(place)
    return found


def _covered(look: Look, scope: Scope, subject: Subject, place: Place) -> bool:
    """Also what goes by another node now."""
    asset = look.index.representative(place.asset)
    end = place.end if place.end == NOBODY else look.index.representative(place.end)
    return (asset, end) != (place.asset, place.end) or subject.covers(look, scope, asset, end)


class _Group(NamedTuple):
    """Policies that look at the same candidates."""

    subject: Subject
    policies: Sequence[Policy]

    def candidates(self, look: Look, scope: Scope | None) -> Iterator[Candidate]:
        return self.subject.candidates(look, self.policies[0].parameters, scope)


def _groups(policies: Iterable[Policy]) -> Iterable[_Group]:
    found: dict[tuple[str, bytes], list[Policy]] = {}
    for policy in policies:
        if not policy.off:
            subject = SUBJECTS[policy.kind]
            depends = {name: policy.parameters.get(name) for name in subject.parameters}
            found.setdefault((policy.kind, msgspec.json.encode(depends, order="deterministic")), []).append(policy)
    return [_Group(SUBJECTS[kind], group) for (kind, _), group in found.items()]


def _breaches(policies: Iterable[Policy], candidate: Candidate) -> Iterator[tuple[Place, Breach]]:
    for policy in policies:
        fields = candidate.fields
        fields["parameters"] = policy.parameters
        if policy.when is not None and not policy.when.holds(fields):
            continue
        if policy.require.holds(fields):
            continue
        doubts = candidate.doubts
        if policy.doubtful is not None and policy.doubtful.holds(fields):
            doubts = (*doubts, "what it is judged by is not known")
        severity = policy.severity.lowered(len(doubts))
        subject = SUBJECTS[policy.kind]
        text = policy.message.filled(fields, subject.late) if subject.describe is None else None
        yield Place(policy.id, candidate.asset, candidate.end), Breach(severity, doubts, text)
