"""Recipients of a change: the consumers that an impact reaches, and the owners of the assets it reaches. Each once."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex, Reach
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.groups import COLUMN
from meshline.graph.queries.impact import Impact
from meshline.graph.queries.pages import KIND_ORDER

SHOWN = 3  # assets that the reason names


class NoticeReason(enum.StrEnum):
    CONSUMES = "CONSUMES"
    OWNS = "OWNS"


class Notice(NamedTuple):
    """`assets`: what the recipient consumes or owns of all that is affected, the surest and nearest first.

    `reach`: the surest way in which any of them is affected.
    """

    recipient: int
    reason: NoticeReason
    reach: Reach
    assets: tuple[int, ...]
    why: str


class _Hit(NamedTuple):
    """An affected asset, sortable. A start is surer and nearer than all."""

    reach: int
    distance: int
    name: str
    node: int


# Owners are notified about tables, products and the assets attached to them. Columns are reported with their dataset unless they
# have owners of their own; a domain is affected as soon as anything in it is, which is not reported by itself.
_SILENT = [KIND_ORDER[kind] for kind in (AssetKind.DOMAIN, AssetKind.OWNER)]


def list_notices(impact: Impact) -> list[Notice]:
    """Consumers first, then owners; the surest affected first, then by name."""
    found = [*_list_consumers(impact), *_list_owners(impact)]
    name = impact.index.assets.get_key
    return sorted(found, key=lambda notice: (notice.reason, notice.reach, name(notice.recipient).qualified_name))


def _list_consumers(impact: Impact) -> Iterator[Notice]:
    begun = {*impact.starts, *impact.traversal.starts.tolist()}
    for row in np.flatnonzero(impact.groups.kind == KIND_ORDER[AssetKind.CONSUMER]).tolist():
        consumer = int(impact.affected.nodes[row])
        uses = {edge.end for edge in impact.index.ownership.list_edges(consumer, EdgeType.CONSUMES)}
        hits = sorted(_build_hit(impact, node) for node in uses if node in begun or impact.find_row(node) is not None)
        assets = tuple(hit.node for hit in hits)
        why = f"consumes {_format_names(hits)}" if hits else "consumes what is affected"
        yield Notice(consumer, NoticeReason.CONSUMES, Reach(int(impact.affected.reach[row])), assets, why)


def _list_owners(impact: Impact) -> Iterator[Notice]:
    owned: dict[int, list[_Hit]] = {}
    groups = impact.groups
    notified = np.isin(groups.kind, _SILENT, invert=True) & (groups.kind != COLUMN)
    loud = np.flatnonzero(notified | groups.owned_columns).tolist()
    for row, owners in zip(loud, groups.list_owners(loud), strict=True):
        if owners:
            hit = _build_hit(impact, int(groups.nodes[row]))
            for owner in owners:
                owned.setdefault(owner, []).append(hit)
    for owner, hits in owned.items():
        hits.sort()
        nodes = tuple(hit.node for hit in hits)
        yield Notice(owner, NoticeReason.OWNS, Reach(hits[0].reach), nodes, describe_owned(impact.index, owner, nodes))


def describe_owned(index: LineageIndex, owner: int, nodes: Sequence[int]) -> str:
    """What an owner owns as the end of a sentence; by which contract, where it is an owner by contract only."""
    names = [index.assets.get_key(node).qualified_name + _describe_contracts(index, owner, node) for node in nodes[:SHOWN]]
    return f"owns {', '.join(names)}{_format_rest(nodes)}"


def _describe_contracts(index: LineageIndex, owner: int, node: int) -> str:
    levels = {found.level for found in index.ownership.list_owners(node) if found.owner == owner}
    contracts = sorted(
        index.assets.get_label(level).name for level in levels if level != node and index.assets.get_kind(level) is AssetKind.CONTRACT
    )
    return f" (by contract {', '.join(contracts)})" if contracts else ""


def _build_hit(impact: Impact, node: int) -> _Hit:
    row = impact.find_row(node)
    name = impact.index.assets.get_key(node).qualified_name
    return (
        _Hit(-1, -1, name, node) if row is None else _Hit(int(impact.affected.reach[row]), int(impact.affected.distance[row]), name, node)
    )


def _format_names(hits: Sequence[_Hit]) -> str:
    return ", ".join(hit.name for hit in hits[:SHOWN]) + _format_rest(hits)


def _format_rest(found: Sequence[object]) -> str:
    return f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
