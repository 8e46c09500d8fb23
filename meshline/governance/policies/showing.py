"""Violations as they are reported: with their path, and a fingerprint that does not change while they last."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from meshline.governance.policies.format import Policy
from meshline.governance.policies.look import Look
from meshline.governance.policies.message import finished
from meshline.governance.policies.passes import Breach, Breaches, Place
from meshline.governance.policies.subjects import SUBJECTS
from meshline.governance.report import Step, Violation
from meshline.governance.telling import Telling
from meshline.graph.index import LineageIndex


def shown(look: Look, policies: Mapping[str, Policy], breaches: Iterable[tuple[Place, Breach]], *, new: bool = True) -> list[Violation]:
    """Violations in the order given."""
    telling = Telling(look.index)
    return [_shown(look, telling, policies[place.policy], place, breach, new=new) for place, breach in breaches]


def ordered(index: LineageIndex, breaches: Breaches) -> list[tuple[Place, Breach]]:
    """The worst first, then by policy, and by the names of what they are about."""
    return sorted(breaches.items(), key=lambda one: rank(index, *one))


def rank(index: LineageIndex, place: Place, breach: Breach) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Where a violation stands, by numbers and then by names; no two are equal."""
    names = (place.policy, *_key(index, place.asset), "", *_key(index, place.end))
    return (-breach.severity.verdict,), names


def fingerprint(index: LineageIndex, place: Place) -> str:
    """Says which violation it is, whatever its message says: 16 hexadecimal digits."""
    said = msgspec.json.encode([place.policy, _key(index, place.asset), _key(index, place.end)])
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def _key(index: LineageIndex, node: int) -> tuple[str, ...]:
    return () if node < 0 else (index.kind(node), *index.key(node).parts)


def _shown(look: Look, telling: Telling, policy: Policy, place: Place, breach: Breach, *, new: bool) -> Violation:
    subject = SUBJECTS[policy.kind]
    path: tuple[Step, ...] = ()
    late: Mapping[str, str] = {}
    if subject.trace is not None:
        steps, late = subject.trace(look, policy.parameters, place.asset, place.end)
        path = tuple(telling.step(step) for step in steps)
    text = finished(breach.text if breach.text is not None else _told(look, policy, place, breach), late)
    return Violation(
        fingerprint=fingerprint(look.index, place),
        policy=policy.id,
        severity=breach.severity,
        verdict=breach.severity.verdict.name.lower(),
        text=f"{text} (possible: {'; '.join(breach.doubts)})" if breach.doubts else text,
        asset=telling.asset(place.asset),
        path=path,
        new=new,
    )


def _told(look: Look, policy: Policy, place: Place, breach: Breach) -> str:
    subject = SUBJECTS[policy.kind]
    assert subject.describe is not None, "who describes nothing gives the text at once"
    return policy.message.filled(subject.describe(look, policy.parameters, place.asset, place.end, breach.doubts), subject.late)
