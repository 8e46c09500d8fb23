"""From changes to findings: what each means, and for whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.governance.changes import Change
from meshline.governance.coverage import gaps
from meshline.governance.hits import hits
from meshline.governance.refining import Refined, refined
from meshline.governance.report import Finding, Subject
from meshline.governance.rules import RULES, Profile, Verdict
from meshline.governance.telling import names, sentence
from meshline.governance.touched import Touched
from meshline.graph.index import LineageIndex
from meshline.graph.live import LiveGraph
from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.queries.limits import UNLIMITED, Limits

NEW = frozenset(rule for rule in RULES if rule.endswith("-added"))  # what they are about is not there yet
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
            assets = tuple(sorted(set(change.assets)))
            touched = known.get(assets)
            if touched is None:
                touched = known[assets] = Touched(live, index, assets, limits)
            found[change.fingerprint] = Judged(change, touched, _finding(change, touched, refined(change, touched, profile, usage=usage)))
    return list(found.values())


def _finding(change: Change, touched: Touched, verdict: Refined) -> Finding:
    rule = RULES[change.rule]
    told = touched.telling
    unknown = () if change.rule in NEW else touched.unknown
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


def _owners(index: LineageIndex, node: int) -> list[int]:
    return [owned.owner for owned in index.owners(node)]
