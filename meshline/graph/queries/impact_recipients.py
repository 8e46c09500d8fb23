"""Recipients of a change: each consumer that an impact reaches, and each owner of assets that it reaches, once."""

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
    """Why a recipient is notified."""

    CONSUMES = "CONSUMES"
    OWNS = "OWNS"


class Notice(NamedTuple):
    """A recipient of a change. `assets`: the affected ones that it consumes or owns, those of the strongest reach first, then the nearest.

    `reach`: of a consumer its own, of an owner the strongest of its assets. `why`: the reason as the end of a sentence.
    """

    recipient: int
    reason: NoticeReason
    reach: Reach
    assets: tuple[int, ...]
    why: str


class _Hit(NamedTuple):
    """An affected asset, sortable by reach, distance and name. A start comes before all others: its reach and distance are -1."""

    reach: int
    distance: int
    name: str
    node: int


# Owners are notified of affected tables, products and the assets attached to them. A column is reported with its dataset unless it
# has owners of its own. A domain is affected as soon as any asset in it is, so that it is not reported by itself.
_SILENT = [KIND_ORDER[kind] for kind in (AssetKind.DOMAIN, AssetKind.OWNER)]


def list_notices(impact: Impact) -> list[Notice]:
    """The recipients of a change: consumers first, then owners; those of the strongest reach first, then by name."""
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
    """The end of a sentence on what an owner owns; with the contract where it owns an asset through the contract that governs it."""
    names = [index.assets.get_key(node).qualified_name + _describe_contracts(index, owner, node) for node in nodes[:SHOWN]]
    return f"owns {', '.join(names)}{_format_rest(nodes)}"


def list_contracts(index: LineageIndex, owner: int, node: int) -> list[int]:
    """The contracts that govern an asset and through which it belongs to the owner, by name."""
    levels = {found.level for found in index.ownership.list_owners(node) if found.owner == owner}
    contracts = [level for level in levels if level != node and index.assets.get_kind(level) is AssetKind.CONTRACT]
    return sorted(contracts, key=lambda contract: index.assets.get_label(contract).name)


def _describe_contracts(index: LineageIndex, owner: int, node: int) -> str:
    contracts = [index.assets.get_label(contract).name for contract in list_contracts(index, owner, node)]
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
