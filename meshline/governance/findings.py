"""From changes to findings: what each means, and which consumers it reaches, by which path and under which contract, with their owners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshline.governance.change_impact import ChangeImpact, Reached
from meshline.governance.changes import Change
from meshline.governance.commitments import find_bound_consumers
from meshline.governance.lineage_gaps import list_gaps
from meshline.governance.report import Asset, Finding, Hit, Step, Subject
from meshline.governance.report_values import build_asset, format_names, format_sentence
from meshline.governance.rules import RULES, Profile, Refinement, Verdict
from meshline.governance.verdict_adjustment import FinalVerdict, adjust_verdict
from meshline.graph.index import LineageIndex, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.pages import UNLIMITED, Limits

BOUND = "BOUND"  # by promise alone


def find_hits(change: Change, touched: ChangeImpact, verdict: FinalVerdict) -> tuple[Hit, ...]:
    """The surest and nearest first; those that no lineage reaches and a promise binds last."""
    reached = touched.list_reached(AssetKind.CONSUMER)
    floors = _compute_floors(reached, verdict)
    found = [
        _build_hit(touched, one, max(_get_verdict(verdict, one.node), floors[one.reach]), verdict)
        for one in sorted(reached, key=lambda one: (one.reach, one.distance, touched.index.assets.get_key(one.node)))
    ]
    known = {hit.consumer.qualified_name for hit in found}
    return (*found, *(hit for hit in _find_bound_hits(change, touched, verdict) if hit.consumer.qualified_name not in known))


def _get_verdict(verdict: FinalVerdict, consumer: int) -> Verdict:
    return verdict.consumers.get(consumer, verdict.readers)


def _compute_floors(reached: list[Reached], verdict: FinalVerdict) -> dict[Reach, Verdict]:
    """Who is reached more surely is never told less than who is reached less surely."""
    return {
        reach: max((_get_verdict(verdict, one.node) for one in reached if one.reach > reach), default=Verdict.COMPATIBLE) for reach in Reach
    }


def _build_hit(touched: ChangeImpact, one: Reached, own: Verdict, verdict: FinalVerdict) -> Hit:
    index, telling = touched.index, touched.values
    path = touched.via.path(one.node)
    last = path[-2].node if len(path) > 1 else one.node
    domain = index.ownership.find_domain(last)
    return Hit(
        consumer=telling.get_asset(one.node),
        verdict=own.name.lower(),
        reach=one.reach.name,
        distance=one.distance,
        masked=one.masked,
        path=tuple(telling.build_step(step) for step in path),
        contract=_find_contract(touched, one.node),
        owners=telling.get_assets(owned.owner for owned in index.ownership.list_owners(one.node)),
        domain=None if domain is None else telling.get_asset(domain),
        why=verdict.why if own is verdict.verdict else "",
    )


def _find_contract(touched: ChangeImpact, consumer: int) -> str:
    """The contract under which it uses what is touched: the one that is said, else one that governs what is used."""
    uses = touched.list_uses(consumer)
    said = sorted(contract for _, contract in uses if contract)
    if said:
        return said[0]
    index = touched.index
    datasets = (index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node for node, _ in uses)
    return min((contract for dataset in set(datasets) for contract in touched.list_governing_contracts(dataset)), default="")


def _find_bound_hits(change: Change, touched: ChangeImpact, verdict: FinalVerdict) -> Iterator[Hit]:
    index, telling = touched.index, touched.values
    named = {key: index.assets.find_by_key(key) for key in change.consumers}
    promise = any(key.kind is AssetKind.CONTRACT for key in change.assets)
    if (promise or RULES[change.rule].refinement is Refinement.BOUND) and not change.rule.startswith("consumer-"):
        named.update((index.assets.get_key(node), node) for node in find_bound_consumers(change, touched))
    for key, node in sorted(named.items()):
        own = verdict.readers if node is None else _get_verdict(verdict, node)
        asset: Asset = build_asset(key, known=False) if node is None else telling.get_asset(node)
        yield Hit(
            consumer=asset,
            verdict=own.name.lower(),
            reach=BOUND,
            distance=0,
            masked=False,
            path=(Step(asset=asset),),
            contract=change.subject.name if change.subject.kind == "contract" else "",
            owners=() if node is None else telling.get_assets(owned.owner for owned in index.ownership.list_owners(node)),
            why=verdict.why if own is verdict.verdict else "",
        )


# Rules of assets that do not exist yet, so that the graph need not know them; of a new column it need not know more than the table.
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
    """A change, what it touches, and what was found."""

    change: Change
    impact: ChangeImpact
    finding: Finding


def assess_changes(
    live: LiveGraph, index: LineageIndex, changes: Iterable[Change], profile: Profile, *, usage: bool, limits: Limits = UNLIMITED
) -> list[AssessedChange]:
    """Each change once. Changes of the same assets share what is found out about these."""
    known: dict[tuple[AssetKey, ...], ChangeImpact] = {}
    found: dict[str, AssessedChange] = {}
    for change in changes:
        if change.fingerprint not in found:
            limits.check()
            assets = tuple(sorted(set(change.assets)))
            touched = known.get(assets)
            if touched is None:
                touched = known[assets] = ChangeImpact(live, index, assets, limits)
            found[change.fingerprint] = AssessedChange(
                change, touched, _build_finding(change, touched, adjust_verdict(change, touched, profile, usage=usage))
            )
    return list(found.values())


def _build_finding(change: Change, touched: ChangeImpact, verdict: FinalVerdict) -> Finding:
    rule = RULES[change.rule]
    told = touched.values
    unknown = _list_unknown(change, touched)
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
        hits=find_hits(change, touched, verdict),
        products=told.get_assets(one.node for one in touched.list_reached(AssetKind.DATA_PRODUCT)),
        contracts=told.get_assets(one.node for one in touched.list_reached(AssetKind.CONTRACT)),
        owners=told.get_assets(owner for node in (*touched.starts, *touched.datasets) for owner in _list_owners(touched.index, node)),
        affected={name: touched.counts[kind] for kind, name in _COUNTED.items() if kind in touched.counts},
        unknown=unknown,
        gaps=(*list_gaps(touched), *((f"the graph does not know {format_names(unknown)}",) if unknown else ())),
    )


def _list_unknown(change: Change, touched: ChangeImpact) -> tuple[str, ...]:
    """What is changed and the graph does not know, so that its consumers are unknown; what is bound to no dataset by its own name."""
    if change.rule in NEW or (change.rule in NEW_COLUMN and (touched.parent_datasets or touched.starts)):
        return ()
    return touched.unknown if change.assets else (change.subject.name,)


def _list_owners(index: LineageIndex, node: int) -> list[int]:
    return [owned.owner for owned in index.ownership.list_owners(node)]
