"""How recorded lineage moves the verdict of a rule.

What raises it counts in every mode. What relaxes it counts in `usage` only, and only where the lineage is complete: what nobody
knows never makes anything safer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from meshline.governance import commitments, downstream_usage
from meshline.governance.change_impact import Touched
from meshline.governance.changes import Change
from meshline.governance.downstream_usage import bystander, promising_contracts, unread
from meshline.governance.lineage_gaps import gaps, silent_on_filters
from meshline.governance.report_values import names
from meshline.governance.rules import RULES, AdjustedVerdict, Profile, Refinement, Verdict

_Refining: TypeAlias = Callable[[Change, Touched], AdjustedVerdict | None]


class Refined(NamedTuple):
    """`verdict`: of the change; `readers`: of who is reached, but for those in `consumers`. `why`: what moved it; empty: nothing."""

    verdict: Verdict
    readers: Verdict
    why: str = ""
    consumers: Mapping[int, Verdict] = {}


def refined(change: Change, touched: Touched, profile: Profile, *, usage: bool) -> Refined:
    """The verdict of a change by its rule and by what is known of who reads."""
    rule = RULES[change.rule]
    verdict = rule.verdict(profile)
    if rule.refinement is Refinement.PROMOTED and (contracts := promising_contracts(change, touched)):
        grown = RULES["type-widened"].verdict(profile)
        if grown > verdict:
            return Refined(grown, grown, f"The contract {', '.join(contracts)} promises the type.")
    readers = verdict if rule.readers is None else min(verdict, rule.readers)
    raised = _first(_RAISING.get(rule.refinement), change, touched)
    if raised is not None and raised.verdict > readers:
        if raised.consumers is None:
            return Refined(max(verdict, raised.verdict), raised.verdict, raised.why)
        bound = dict.fromkeys(raised.consumers, raised.verdict)
        return Refined(max(verdict, raised.verdict), readers, raised.why, bound)
    if usage and not touched.unknown and touched.starts:
        relaxed = _relaxed(rule.refinement, change, touched)
        if relaxed is not None and relaxed.verdict < verdict:
            if silent := silent_on_filters(touched):
                return Refined(verdict, readers, f"It may be in a filter or join of {names(silent)}, whose lineage states none.")
            return Refined(relaxed.verdict, min(readers, relaxed.verdict), relaxed.why)
    return Refined(verdict, readers)


def _first(refining: _Refining | None, change: Change, touched: Touched) -> AdjustedVerdict | None:
    return None if refining is None or not (touched.starts or touched.homes or change.consumers) else refining(change, touched)


def _relaxed(refinement: Refinement, change: Change, touched: Touched) -> AdjustedVerdict | None:
    relaxing = _RELAXING.get(refinement, ())
    if not relaxing or gaps(touched) or not all(bystander(touched, consumer) for consumer in change.consumers):
        return None
    found = (relax(change, touched) for relax in relaxing)
    return min((one for one in found if one is not None), key=lambda one: one.verdict, default=None)


_RAISING: dict[Refinement, _Refining] = {
    Refinement.POSITIONAL: downstream_usage.positional,
    Refinement.WIDENED: downstream_usage.narrower,
    Refinement.PROMOTED: downstream_usage.narrower,
    Refinement.JOINED: downstream_usage.joined,
    Refinement.BRANCHED: downstream_usage.branched,
    Refinement.EXPOSED: commitments.exposed,
    Refinement.BOUND: commitments.bound,
    Refinement.PROMISED: commitments.promised,
    Refinement.CLOSING: commitments.closing,
}
_RELAXING: dict[Refinement, tuple[_Refining, ...]] = {
    Refinement.UNREACHED: (unread,),
    Refinement.WIDENED: (unread, downstream_usage.accepted),
    Refinement.PROMOTED: (unread, downstream_usage.accepted),
    Refinement.FILTERED_ONLY: (unread, downstream_usage.filtered),
    Refinement.UNBRANCHED: (unread, downstream_usage.unbranched),
}
