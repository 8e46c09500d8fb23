"""From changes to findings: what each means, and which consumers (with their owners) it affects, by which path and contract.

The verdict of a rule is adjusted by recorded lineage. Lineage that raises the verdict counts in every mode. Lineage that relaxes it
counts in `usage` only, and only if it is complete: missing knowledge never makes a change safer.

For a caller who may not see every asset the verdict is that of the whole graph, and all that is shown is of his part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from meshline.governance import commitments, downstream_usage
from meshline.governance.change_impact import ChangeImpact, Reached, list_silent_jobs
from meshline.governance.changes import Change
from meshline.governance.commitments import find_bound_consumers
from meshline.governance.downstream_usage import find_promising_contracts, relax_without_readers, uses_other_columns
from meshline.governance.report import Asset, Finding, Hit, Step, Subject
from meshline.governance.report_values import build_asset, format_names, format_sentence
from meshline.governance.rules import RULES, AdjustedVerdict, Profile, Refinement, Verdict
from meshline.graph.index import LineageIndex, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, from_micros
from meshline.graph.queries.pages import UNLIMITED, Limits
from meshline.graph.queries.usage import find_last_use
from meshline.words import format_count, is_or_are

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
    """The verdict of a change by its rule and by the known readers. What a mode of compatibility has decided, lineage does not change."""
    if change.decided:
        decided = Verdict[change.decided.upper()]
        return FinalVerdict(decided, decided, change.why)
    return _adjust_by_lineage(change, impact, profile, usage=usage)


def _adjust_by_lineage(change: Change, impact: ChangeImpact, profile: Profile, *, usage: bool) -> FinalVerdict:
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
    if not relaxing or impact.gaps or not all(uses_other_columns(impact, consumer) for consumer in change.consumers):
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


BOUND = "BOUND"  # by a promise alone, without lineage


def find_hits(change: Change, impact: ChangeImpact, verdict: FinalVerdict) -> tuple[Hit, ...]:
    """The most certain and nearest hits first; consumers that only a promise binds last."""
    reached = impact.list_reached(AssetKind.CONSUMER)
    floors = _compute_floors(reached, verdict)
    found = [
        _build_hit(impact, one, max(_get_verdict(verdict, one.node), floors[one.reach]), verdict)
        for one in sorted(reached, key=lambda one: (one.reach, one.distance, impact.index.assets.get_key(one.node)))
    ]
    known = {hit.consumer.qualified_name for hit in found}
    return (*found, *(hit for hit in _find_bound_hits(change, impact, verdict) if hit.consumer.qualified_name not in known))


def _get_verdict(verdict: FinalVerdict, consumer: int) -> Verdict:
    return verdict.consumers.get(consumer, verdict.readers)


def _compute_floors(reached: list[Reached], verdict: FinalVerdict) -> dict[Reach, Verdict]:
    """By reach: the least verdict. Confidence is monotone: a more certain path yields at least as strong a finding."""
    return {
        reach: max((_get_verdict(verdict, one.node) for one in reached if one.reach > reach), default=Verdict.COMPATIBLE) for reach in Reach
    }


def _build_hit(impact: ChangeImpact, one: Reached, own: Verdict, verdict: FinalVerdict) -> Hit:
    index, values = impact.index, impact.values
    path = impact.via.build_path(one.node)
    last = path[-2].node if len(path) > 1 else one.node
    domain = index.ownership.find_domain(last)
    return Hit(
        consumer=values.get_asset(one.node),
        verdict=own.name.lower(),
        reach=one.reach.name,
        distance=one.distance,
        masked=one.masked,
        path=tuple(values.build_step(step) for step in path),
        contract=_find_contract(impact, one.node),
        owners=values.get_assets(owned.owner for owned in index.ownership.list_owners(one.node)),
        domain=None if domain is None else values.get_asset(domain),
        why=verdict.why if own is verdict.verdict else "",
        last_read=_find_last_read(impact, one.node),
    )


def _find_last_read(impact: ChangeImpact, consumer: int) -> str:
    """The day on which a consumer was last seen to read changed or affected assets; empty if it was not."""
    reads = find_last_use(impact.index, consumer, [node for node, _ in impact.list_uses(consumer)])
    return "" if reads is None else from_micros(reads.last).date().isoformat()


def _find_contract(impact: ChangeImpact, consumer: int) -> str:
    """The contract under which a consumer uses changed or affected assets: the stated one, else one that governs what it uses."""
    uses = impact.list_uses(consumer)
    contracts = sorted(contract for _, contract in uses if contract)
    if contracts:
        return contracts[0]
    index = impact.index
    datasets = (index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node for node, _ in uses)
    return min((contract for dataset in set(datasets) for contract in impact.list_governing_contracts(dataset)), default="")


def _find_bound_hits(change: Change, impact: ChangeImpact, verdict: FinalVerdict) -> Iterator[Hit]:
    index, values = impact.index, impact.values
    for key, node in sorted(_find_bound(change, impact).items()):
        own = verdict.readers if node is None else _get_verdict(verdict, node)
        asset: Asset = build_asset(key, known=False) if node is None else values.get_asset(node)
        yield Hit(
            consumer=asset,
            verdict=own.name.lower(),
            reach=BOUND,
            distance=0,
            masked=False,
            path=(Step(asset=asset),),
            contract=change.subject.name if change.subject.kind == "contract" else "",
            owners=() if node is None else values.get_assets(owned.owner for owned in index.ownership.list_owners(node)),
            why=verdict.why if own is verdict.verdict else "",
        )


def _find_bound(change: Change, impact: ChangeImpact) -> dict[AssetKey, int | None]:
    """The consumers that a promise binds, and those that the change names; with their nodes, if the graph contains them."""
    named = {key: impact.find_asset(key) for key in change.consumers}
    promise = any(key.kind is AssetKind.CONTRACT for key in change.assets)
    if (promise or RULES[change.rule].refinement is Refinement.BOUND) and not change.rule.startswith("consumer-"):
        named.update((impact.index.assets.get_key(node), node) for node in find_bound_consumers(change, impact))
    return named


def _count_hits(change: Change, impact: ChangeImpact) -> int:
    """How many hits `find_hits` finds, without their paths and owners."""
    reached = {impact.index.assets.get_key(one.node) for one in impact.list_reached(AssetKind.CONSUMER)}
    return len(reached | _find_bound(change, impact).keys())


# Rules of assets that do not exist yet, which the graph need not contain; of a new column it need only contain the table.
NEW = frozenset({"table-added", "contract-added", "product-added", "output-port-added", "input-port-added"})
NEW_COLUMN = frozenset({"column-added", "required-column-added", "column-with-default-added", "column-without-default-added"})
_COUNTED = {
    AssetKind.COLUMN: "columns",
    AssetKind.DATASET: "datasets",
    AssetKind.JOB: "jobs",
    AssetKind.DATA_PRODUCT: "products",
    AssetKind.CONTRACT: "contracts",
    AssetKind.CONSUMER: "consumers",
}


class AssessedChange(NamedTuple):
    """A change, what it affects (of that what the caller may see), and its finding."""

    change: Change
    impact: ChangeImpact
    finding: Finding


def assess_changes(
    live: LiveGraph, index: LineageIndex, changes: Iterable[Change], profile: Profile, *, usage: bool, limits: Limits = UNLIMITED
) -> list[AssessedChange]:
    """Each change once. Changes of the same assets share one traversal."""
    known: dict[tuple[AssetKey, ...], _Impacts] = {}
    found: dict[str, AssessedChange] = {}
    for change in changes:
        if change.fingerprint not in found:
            limits.check_deadline()
            assets = tuple(sorted(set(change.assets)))
            impacts = known.get(assets)
            if impacts is None:
                impacts = known[assets] = _compute_impacts(live, index, assets, limits)
            found[change.fingerprint] = AssessedChange(change, impacts.shown, _assess_change(change, impacts, profile, usage=usage))
    return list(found.values())


class _Impacts(NamedTuple):
    """What some assets affect: of that what the caller may see, and all of it, if that is more."""

    shown: ChangeImpact
    whole: ChangeImpact | None


def _compute_impacts(live: LiveGraph, index: LineageIndex, assets: tuple[AssetKey, ...], limits: Limits) -> _Impacts:
    whole = ChangeImpact(live, index.whole, assets, limits, names=index) if index.is_restricted else None
    return _Impacts(ChangeImpact(live, index, assets, limits), whole)


def _assess_change(change: Change, impacts: _Impacts, profile: Profile, *, usage: bool) -> Finding:
    shown = adjust_verdict(change, impacts.shown, profile, usage=usage)
    if impacts.whole is None:
        return _build_finding(change, impacts.shown, shown)
    whole = adjust_verdict(change, impacts.whole, profile, usage=usage)
    same = shown.verdict is whole.verdict
    finding = _build_finding(change, impacts.shown, whole._replace(why=shown.why if same else _BY_HIDDEN))
    hidden = _count_hits(change, impacts.whole) - len(finding.hits)
    more = len(impacts.whole.gaps) > len(impacts.shown.gaps)
    gaps = (*finding.gaps, *_describe_hidden_hits(hidden), *((_HIDDEN_GAPS,) if more else ()))
    return replace(finding, hidden_hits=hidden, gaps=gaps)


_BY_HIDDEN = "Assets that you may not see decide this."
_HIDDEN_GAPS = "the lineage of assets that you may not see is not complete"


def _describe_hidden_hits(count: int) -> Iterator[str]:
    if count:
        yield f"{format_count(count, 'further consumer')} that you may not see {is_or_are(count)} affected"


def _build_finding(change: Change, impact: ChangeImpact, verdict: FinalVerdict) -> Finding:
    rule = RULES[change.rule]
    values = impact.values
    unknown = _list_unknown(change, impact)
    return Finding(
        fingerprint=change.fingerprint,
        rule=change.rule,
        side=rule.side,
        verdict=verdict.verdict.name.lower(),
        text=format_sentence(rule.title, change.details, change.before, change.after),
        reason=f"{rule.reason} {verdict.why}".rstrip(),
        safe=rule.safe if verdict.verdict is not Verdict.COMPATIBLE else "",
        subject=Subject(kind=change.subject.kind, name=change.subject.name, part=change.subject.part),
        before=change.before,
        after=change.after,
        file=change.file,
        line=change.line,
        hits=find_hits(change, impact, verdict),
        products=values.get_assets(one.node for one in impact.list_reached(AssetKind.DATA_PRODUCT)),
        contracts=values.get_assets(one.node for one in impact.list_reached(AssetKind.CONTRACT)),
        owners=values.get_assets(owner for node in (*impact.starts, *impact.datasets) for owner in _list_owners(impact.index, node)),
        affected={name: impact.counts[kind] for kind, name in _COUNTED.items() if kind in impact.counts},
        unknown=unknown,
        gaps=(*impact.gaps, *((f"the graph does not contain {format_names(unknown)}",) if unknown else ())),
    )


def _list_unknown(change: Change, impact: ChangeImpact) -> tuple[str, ...]:
    """The names of changed assets that the graph does not contain, whose consumers are therefore unknown; the name of the subject if the
    change names no asset.
    """
    if change.rule in NEW or (change.rule in NEW_COLUMN and (impact.parent_datasets or impact.starts)):
        return ()
    return impact.unknown if change.assets else (change.subject.name,)


def _list_owners(index: LineageIndex, node: int) -> list[int]:
    return [owned.owner for owned in index.ownership.list_owners(node)]
