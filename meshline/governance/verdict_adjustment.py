"""Adjusts the verdict of a rule by recorded lineage.

Lineage that raises the verdict counts in every mode. Lineage that relaxes it counts in `usage` only, and only if it is complete:
missing knowledge never makes a change safer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from meshline.governance import commitments, downstream_usage
from meshline.governance.change_impact import ChangeImpact
from meshline.governance.changes import Change
from meshline.governance.downstream_usage import find_promising_contracts, relax_without_readers, uses_other_columns
from meshline.governance.lineage_gaps import list_gaps, list_silent_jobs
from meshline.governance.report_values import format_names
from meshline.governance.rules import RULES, AdjustedVerdict, Profile, Refinement, Verdict

_Refiner: TypeAlias = Callable[[Change, ChangeImpact], AdjustedVerdict | None]


class FinalVerdict(NamedTuple):
    """`verdict`: of the change. `readers`: of affected readers, except for those in `consumers` (by node). `why`: what adjusted it, a
    sentence; empty if nothing did.
    """

    verdict: Verdict
    readers: Verdict
    why: str = ""
    consumers: Mapping[int, Verdict] = {}


def adjust_verdict(change: Change, impact: ChangeImpact, profile: Profile, *, usage: bool) -> FinalVerdict:
    """The verdict of a change by its rule and by the known readers."""
    rule = RULES[change.rule]
    verdict = rule.get_verdict(profile)
    if rule.refinement is Refinement.PROMOTED and (contracts := find_promising_contracts(change, impact)):
        grown = RULES["type-widened"].get_verdict(profile)
        if grown > verdict:
            return FinalVerdict(grown, grown, f"The contract {', '.join(contracts)} promises the type.")
    readers = verdict if rule.readers is None else min(verdict, rule.readers)
    raised = _raise_verdict(_RAISING.get(rule.refinement), change, impact)
    if raised is not None and raised.verdict > readers:
        if raised.consumers is None:
            return FinalVerdict(max(verdict, raised.verdict), raised.verdict, raised.why)
        bound = dict.fromkeys(raised.consumers, raised.verdict)
        return FinalVerdict(max(verdict, raised.verdict), readers, raised.why, bound)
    if usage and not impact.unknown and impact.starts:
        relaxed = _relax_verdict(rule.refinement, change, impact)
        if relaxed is not None and relaxed.verdict < verdict:
            if silent := list_silent_jobs(impact):
                return FinalVerdict(
                    verdict, readers, f"It may be in a filter or join of {format_names(silent)}, whose lineage states none."
                )
            return FinalVerdict(relaxed.verdict, min(readers, relaxed.verdict), relaxed.why)
    return FinalVerdict(verdict, readers)


def _raise_verdict(refining: _Refiner | None, change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    return None if refining is None or not (impact.starts or impact.parent_datasets or change.consumers) else refining(change, impact)


def _relax_verdict(refinement: Refinement, change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    relaxing = _RELAXING.get(refinement, ())
    if not relaxing or list_gaps(impact) or not all(uses_other_columns(impact, consumer) for consumer in change.consumers):
        return None
    found = (relax(change, impact) for relax in relaxing)
    return min((one for one in found if one is not None), key=lambda one: one.verdict, default=None)


_RAISING: dict[Refinement, _Refiner] = {
    Refinement.POSITIONAL: downstream_usage.adjust_for_positions,
    Refinement.WIDENED: downstream_usage.adjust_for_narrow_copies,
    Refinement.PROMOTED: downstream_usage.adjust_for_narrow_copies,
    Refinement.JOINED: downstream_usage.adjust_for_joins,
    Refinement.BRANCHED: downstream_usage.adjust_for_conditions,
    Refinement.EXPOSED: commitments.adjust_for_exposure,
    Refinement.BOUND: commitments.adjust_for_bound_consumers,
    Refinement.PROMISED: commitments.adjust_for_broken_promises,
    Refinement.CLOSING: commitments.adjust_for_cycle,
}
_RELAXING: dict[Refinement, tuple[_Refiner, ...]] = {
    Refinement.UNREACHED: (relax_without_readers,),
    Refinement.WIDENED: (relax_without_readers, downstream_usage.relax_for_wide_copies),
    Refinement.PROMOTED: (relax_without_readers, downstream_usage.relax_for_wide_copies),
    Refinement.FILTERED_ONLY: (relax_without_readers, downstream_usage.relax_for_filters),
    Refinement.UNBRANCHED: (relax_without_readers, downstream_usage.relax_without_conditions),
}
