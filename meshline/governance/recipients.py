"""The recipients of notices about changes: affected consumers, and owners of affected assets. Each once, with their contacts."""

from __future__ import annotations

from collections.abc import Sequence

from meshline.governance.change_impact import ChangeImpact
from meshline.governance.findings import BOUND, AssessedChange
from meshline.governance.report import Asset, Notice
from meshline.governance.report_values import format_names
from meshline.graph.index import LineageIndex, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import find_email
from meshline.graph.queries import impact_recipients
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.impact import Impact, compute_impact
from meshline.graph.queries.pages import Limits

CONTACTS = ("email", "slack")
SHOWN = 20  # assets of one notice


def list_notices(live: LiveGraph, index: LineageIndex, found: Sequence[AssessedChange], limits: Limits) -> list[Notice]:
    """Consumers first, then owners, the most certainly affected first; last the consumers that only a promise binds."""
    if not found:
        return []
    values = found[0].impact.values
    notices = _list_impact_notices(_merge_impacts(index, [one.impact for one in found], limits))
    contacts = _read_contacts(live, index, [one.recipient for one in notices])
    surest = _find_surest_reach(found)
    found_notices = [
        Notice(
            recipient=values.get_asset(one.recipient),
            contacts=contacts[one.recipient],
            reason=one.reason,
            reach=surest.get(index.assets.get_key(one.recipient).id, one.reach).name,
            why=one.why,
            assets=tuple(values.get_asset(node) for node in one.assets[:SHOWN]),
            total=len(one.assets),
        )
        for one in notices
    ]
    known = {one.recipient.qualified_name for one in found_notices if one.reason == impact_recipients.NoticeReason.CONSUMES}
    return [*found_notices, *(one for one in _list_bound_notices(live, index, found) if one.recipient.qualified_name not in known)]


def _find_surest_reach(found: Sequence[AssessedChange]) -> dict[str, Reach]:
    """By id of a consumer: the most certain reach of any change. Hits count, because an impact does not know that a start only
    replaces an asset that the graph does not contain.
    """
    reached: dict[str, Reach] = {}
    for one in found:
        for hit in one.finding.hits:
            if hit.reach != BOUND:
                reach = Reach[hit.reach]
                reached[hit.consumer.id] = min(reach, reached.get(hit.consumer.id, reach))
    return reached


def _merge_impacts(index: LineageIndex, impacts: Sequence[ChangeImpact], limits: Limits) -> Impact:
    starts = tuple(dict.fromkeys(start for one in impacts for start in one.starts))
    same = next((one.downstream for one in impacts if set(one.starts) == set(starts)), None)
    return same or compute_impact(index, starts, promises=False, limits=limits)


def _list_impact_notices(found: Impact) -> list[impact_recipients.Notice]:
    """The notices of an impact, with the owners of the changed assets before all other owners."""
    index = found.index
    owned: dict[int, list[int]] = {}
    for start in found.starts:
        for owner in dict.fromkeys(owned_by.owner for owned_by in index.ownership.list_owners(start)):
            owned.setdefault(owner, []).append(start)
    notices = impact_recipients.list_notices(found)
    others = {one.recipient: one.assets for one in notices if one.reason is impact_recipients.NoticeReason.OWNS}
    first = [_build_owner_notice(index, owner, (*starts, *others.get(owner, ()))) for owner, starts in owned.items()]
    first.sort(key=lambda one: index.assets.get_key(one.recipient))
    consumers = [one for one in notices if one.reason is impact_recipients.NoticeReason.CONSUMES]
    return [
        *consumers,
        *first,
        *(one for one in notices if one.reason is impact_recipients.NoticeReason.OWNS and one.recipient not in owned),
    ]


def _build_owner_notice(index: LineageIndex, owner: int, assets: tuple[int, ...]) -> impact_recipients.Notice:
    return impact_recipients.Notice(
        owner, impact_recipients.NoticeReason.OWNS, Reach.DIRECT, assets, impact_recipients.describe_owned(index, owner, assets)
    )


def _read_contacts(live: LiveGraph, index: LineageIndex, nodes: Sequence[int]) -> dict[int, dict[str, str]]:
    distinct = sorted(set(nodes))
    rows = zip(distinct, read_attributes(live, index, distinct), strict=True)
    return {node: _choose_contacts(known, index.assets.get_key(node).name) for node, known in rows}


def _choose_contacts(known: Attributes, name: str) -> dict[str, str]:
    """Contacts by channel; without any channel the attribute `contact` as it is written; without both the name, if it is an address."""
    found = {channel: text for channel in CONTACTS if (text := known.find_text(channel))}
    text, named = known.find_text("contact"), find_email(name)
    return found or ({"contact": text} if text else {"email": named} if named else {})


def _list_bound_notices(live: LiveGraph, index: LineageIndex, found: Sequence[AssessedChange]) -> list[Notice]:
    """Consumers that a promise binds, with the names of the changed contracts and products."""
    by_consumer: dict[Asset, set[str]] = {}
    for one in found:
        for hit in one.finding.hits:
            if hit.reach == BOUND:
                by_consumer.setdefault(hit.consumer, set()).add(one.change.subject.name)
    nodes = {asset: index.assets.find(asset.id) for asset in by_consumer if asset.id}
    contacts = _read_contacts(live, index, [node for node in nodes.values() if node is not None])
    return [
        Notice(
            recipient=asset,
            contacts=contacts.get(nodes.get(asset) or -1, {}),
            reason=impact_recipients.NoticeReason.CONSUMES,
            reach=BOUND,
            why=f"is bound to {format_names(by_consumer[asset])}",
            assets=(),
            total=0,
        )
        for asset in sorted(by_consumer, key=lambda asset: asset.qualified_name)
    ]
