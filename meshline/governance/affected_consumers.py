"""The consumers that a change hits: how they are reached, by which path, under which contract, whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.change_impact import Reached, Touched
from meshline.governance.changes import Change
from meshline.governance.commitments import bound_consumers
from meshline.governance.report import Asset, Hit, Step
from meshline.governance.report_values import of_key
from meshline.governance.rules import RULES, Refinement, Verdict
from meshline.governance.verdict_adjustment import Refined
from meshline.graph.index import Reach
from meshline.graph.model import AssetKind

BOUND = "BOUND"  # by promise alone


def hits(change: Change, touched: Touched, verdict: Refined) -> tuple[Hit, ...]:
    """The surest and nearest first; those that no lineage reaches and a promise binds last."""
    reached = touched.reached(AssetKind.CONSUMER)
    floors = _floors(reached, verdict)
    found = [
        _hit(touched, one, max(_own(verdict, one.node), floors[one.reach]), verdict)
        for one in sorted(reached, key=lambda one: (one.reach, one.distance, touched.index.key(one.node)))
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
    domain = index.domain(last)
    return Hit(
        consumer=telling.asset(one.node),
        verdict=own.name.lower(),
        reach=one.reach.name,
        distance=one.distance,
        masked=one.masked,
        path=tuple(telling.step(step) for step in path),
        contract=_covering(touched, one.node),
        owners=telling.assets(owned.owner for owned in index.owners(one.node)),
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
    datasets = (index.dataset(node) if index.kind(node) is AssetKind.COLUMN else node for node, _ in uses)
    return min((contract for dataset in set(datasets) for contract in touched.governing(dataset)), default="")


def _bound(change: Change, touched: Touched, verdict: Refined) -> Iterator[Hit]:
    index, telling = touched.index, touched.telling
    named = {key: index.node(key) for key in change.consumers}
    promise = any(key.kind is AssetKind.CONTRACT for key in change.assets)
    if (promise or RULES[change.rule].refinement is Refinement.BOUND) and not change.rule.startswith("consumer-"):
        named.update((index.key(node), node) for node in bound_consumers(change, touched))
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
            owners=() if node is None else telling.assets(owned.owner for owned in index.owners(node)),
            why=verdict.why if own is verdict.verdict else "",
        )
