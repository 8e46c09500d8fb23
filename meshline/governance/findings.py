"""From changes to findings: what each means, and which consumers it reaches, by which path and under which contract, with their owners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meshline.governance.change_impact import Reached, Touched
from meshline.governance.changes import Change
from meshline.governance.commitments import bound_consumers
from meshline.governance.lineage_gaps import gaps
from meshline.governance.report import Asset, Finding, Hit, Step, Subject
from meshline.governance.report_values import names, of_key, sentence
from meshline.governance.rules import RULES, Profile, Refinement, Verdict
from meshline.governance.verdict_adjustment import Refined, refined
from meshline.graph.index import LineageIndex, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.pages import UNLIMITED, Limits

BOUND = "BOUND"  # by promise alone


def hits(change: Change, touched: Touched, verdict: Refined) -> tuple[Hit, ...]:
    """The surest and nearest first; those that no lineage reaches and a promise binds last."""
    reached = touched.reached(AssetKind.CONSUMER)
    floors = _floors(reached, verdict)
    found = [
        _hit(touched, one, max(_own(verdict, one.node), floors[one.reach]), verdict)
        for one in sorted(reached, key=lambda one: (one.reach, one.distance, touched.index.assets.get_key(one.node)))
    ]
    known = {hit.consumer.qualified_name for hit in found}
    return (*found, *(hit for hit in _bound(change, touched, verdict) if hit.consumer.qualified_name not in known))


def _own(verdict: Refined, consumer: int) -> Verdict:
    return verdict.consumers.get(consumer, verdict.readers)


def _floors(reached: list[Reached], verdict: Refined) -> dict[Reach, Verdict]:
    """Who is reached more surely is never told less than who is reached less surely."""
    return {reach: max((_own(verdict, one.node) for one in reached if one.reach > reach), default=Verdict.COMPATIBLE) for reach in Reach}


def _hit(touched: Touched, one: Reached, own: Verdict, verdict: Refined) -> Hit:
    index, telling = touched.index, touched.telling
    path = touched.via.path(one.node)
    last = path[-2].node if len(path) > 1 else one.node
    domain = index.ownership.find_domain(last)
    return Hit(
        consumer=telling.asset(one.node),
        verdict=own.name.lower(),
        reach=one.reach.name,
        distance=one.distance,
        masked=one.masked,
        path=tuple(telling.step(step) for step in path),
        contract=_covering(touched, one.node),
        owners=telling.assets(owned.owner for owned in index.ownership.list_owners(one.node)),
        domain=None if domain is None else telling.asset(domain),
        why=verdict.why if own is verdict.verdict else "",
    )


def _covering(touched: Touched, consumer: int) -> str:
    """The contract under which it uses what is touched: the one that is said, else one that governs what is used."""
    uses = touched.uses(consumer)
    said = sorted(contract for _, contract in uses if contract)
    if said:
        return said[0]
    index = touched.index
    datasets = (index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node for node, _ in uses)
    return min((contract for dataset in set(datasets) for contract in touched.governing(dataset)), default="")


def _bound(change: Change, touched: Touched, verdict: Refined) -> Iterator[Hit]:
    index, telling = touched.index, touched.telling
    named = {key: index.assets.find_by_key(key) for key in change.consumers}
    promise = any(key.kind is AssetKind.CONTRACT for key in change.assets)
    if (promise or RULES[change.rule].refinement is Refinement.BOUND) and not change.rule.startswith("consumer-"):
        named.update((index.assets.get_key(node), node) for node in bound_consumers(change, touched))
    for key, node in sorted(named.items()):
        own = verdict.readers if node is None else _own(verdict, node)
        asset: Asset = of_key(key, known=False) if node is None else telling.asset(node)
        yield Hit(
            consumer=asset,
            verdict=own.name.lower(),
            reach=BOUND,
            distance=0,
            masked=False,
            path=(Step(asset=asset),),
            contract=change.subject.name if change.subject.kind == "contract" else "",
            owners=() if node is None else telling.assets(owned.owner for owned in index.ownership.list_owners(node)),
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


class Judged(NamedTuple):
    """A change, what it touches, and what was found."""

    change: Change
    touched: Touched
    finding: Finding


def judged(
    live: LiveGraph, index: LineageIndex, changes: Iterable[Change], profile: Profile, *, usage: bool, limits: Limits = UNLIMITED
) -> list[Judged]:
    """Each change once. Changes of the same assets share what is found out about these."""
    known: dict[tuple[AssetKey, ...], Touched] = {}
    found: dict[str, Judged] = {}
    for change in changes:
        if change.fingerprint not in found:
            limits.check()
            assets = tuple(sorted(set(change.assets)))
            touched = known.get(assets)
            if touched is None:
                touched = known[assets] = Touched(live, index, assets, limits)
            found[change.fingerprint] = Judged(change, touched, _finding(change, touched, refined(change, touched, profile, usage=usage)))
    return list(found.values())


def _finding(change: Change, touched: Touched, verdict: Refined) -> Finding:
    rule = RULES[change.rule]
    told = touched.telling
    unknown = _unknown(change, touched)
    return Finding(
        fingerprint=change.fingerprint,
        rule=change.rule,
        side=rule.side,
        verdict=verdict.verdict.name.lower(),
        text=sentence(rule.title, change.told, change.before, change.after),
        reason=f"{rule.reason} {verdict.why}".rstrip(),
        safe=rule.safe if verdict.verdict is not Verdict.COMPATIBLE else "",
        subject=Subject(kind=change.subject.kind, name=change.subject.name, part=change.subject.part),
        before=change.before,
        after=change.after,
        file=change.file,
        line=change.line,
        hits=hits(change, touched, verdict),
        products=told.assets(one.node for one in touched.reached(AssetKind.DATA_PRODUCT)),
        contracts=told.assets(one.node for one in touched.reached(AssetKind.CONTRACT)),
        owners=told.assets(owner for node in (*touched.starts, *touched.datasets) for owner in _owners(touched.index, node)),
        affected={name: touched.sizes[kind] for kind, name in _COUNTED.items() if kind in touched.sizes},
        unknown=unknown,
        gaps=(*gaps(touched), *((f"the graph does not know {names(unknown)}",) if unknown else ())),
    )


def _unknown(change: Change, touched: Touched) -> tuple[str, ...]:
    """What is changed and the graph does not know, so that its consumers are unknown; what is bound to no dataset by its own name."""
    if change.rule in NEW or (change.rule in NEW_COLUMN and (touched.homes or touched.starts)):
        return ()
    return touched.unknown if change.assets else (change.subject.name,)


def _owners(index: LineageIndex, node: int) -> list[int]:
    return [owned.owner for owned in index.ownership.list_owners(node)]
