"""From changes to findings: what each means, and for whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.governance.affected_consumers import hits
from meshline.governance.change_impact import Touched
from meshline.governance.changes import Change
from meshline.governance.lineage_gaps import gaps
from meshline.governance.report import Finding, Subject
from meshline.governance.report_values import names, sentence
from meshline.governance.rules import RULES, Profile, Verdict
from meshline.governance.verdict_adjustment import Refined, refined
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.pages import UNLIMITED, Limits

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
    return [owned.owner for owned in index.owners(node)]
