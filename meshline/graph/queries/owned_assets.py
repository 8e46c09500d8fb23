"""The assets of an owner, and the assets without any owner. Who owns one asset is a question to the index (`OwnershipFacet`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.model import KINDS, AssetKind, EdgeType
from meshline.graph.queries.groups import NOTHING, Groups
from meshline.graph.queries.pages import Entry, Page, SortKey, build_page, list_in_order, sort_by_name

# All kinds except owners: an owner has no owner.
OWNABLE = tuple(kind for kind in KINDS if kind is not AssetKind.OWNER)
CONTAINERS = (AssetKind.DOMAIN, AssetKind.DATA_PRODUCT, AssetKind.DATASET)


def list_owned(
    index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind], first: int, after: SortKey | None = None
) -> Page:
    """The assets of an owner, by kind and name. `inherited`: also contained and governed assets without a nearer owner.

    `kinds`: empty for all.
    """
    return build_page(sort_by_name(index, _collect_owned(index, owner, inherited=inherited, kinds=kinds), after), first)


def count_owned(index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind]) -> int:
    return len(_collect_owned(index, owner, inherited=inherited, kinds=kinds))


def _collect_owned(index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind]) -> set[int]:
    nodes = collect_owned_nodes(index, owner) if inherited else _collect_direct(index, owner)
    wanted = frozenset(kinds or KINDS)
    return {node for node in nodes if index.assets.get_kind(node) in wanted}


def collect_owned_nodes(index: LineageIndex, owner: int) -> set[int]:
    """The assets that have this owner at their nearest level that has owners; explicit, inherited and by contract."""
    direct = _collect_direct(index, owner)
    direct |= _collect_governed(index, owner, direct)
    result = set(direct)
    if any(index.assets.get_kind(node) in CONTAINERS for node in direct):
        for kind in CONTAINERS:
            groups = _build_groups(index, kind)
            result.update(groups.nodes[groups.is_owned_by(owner)].tolist())
        for dataset in [node for node in result if index.assets.get_kind(node) is AssetKind.DATASET]:
            result.update(_filter_inheriting(index, index.assets.list_columns(dataset)))
    return result


def _build_groups(index: LineageIndex, kind: AssetKind) -> Groups:
    return Groups(index, np.array(index.assets.list_of_kind(kind), np.int32))


def _filter_inheriting(index: LineageIndex, columns: Sequence[int]) -> list[int]:
    """The columns without owners of their own, which inherit those of their dataset."""
    owned = index.ownership.has_owners(np.array(columns, np.int32)).tolist()
    return [column for column, own in zip(columns, owned, strict=True) if not own]


def _collect_direct(index: LineageIndex, owner: int) -> set[int]:
    """The assets with this explicit owner, unless a stronger source names others."""
    nodes = {edge.end for edge in index.ownership.list_edges(owner, EdgeType.OWNS)}
    return {node for node in nodes if any(direct.owner == owner for direct in index.ownership.list_direct_owners(node))}


def _collect_governed(index: LineageIndex, owner: int, owned: Collection[int]) -> set[int]:
    """The assets that contracts among `owned` govern, and whose owner is this one."""
    contracts = [node for node in owned if index.assets.get_kind(node) is AssetKind.CONTRACT]
    governed = {edge.end for contract in contracts for edge in index.ownership.list_edges(contract, EdgeType.GOVERNS)}
    return {node for node in governed if owner in index.ownership.collect_owner_nodes(node)}


def list_orphans(index: LineageIndex, *, kinds: Sequence[AssetKind], first: int, after: SortKey | None = None) -> Page:
    """The assets that have no owner at any level, by kind and name. `kinds`: empty for all of OWNABLE."""
    return build_page(_list_orphan_entries(index, kinds, after), first)


def count_orphans(index: LineageIndex, kinds: Sequence[AssetKind]) -> int:
    return sum(1 for _ in _list_orphan_entries(index, kinds, None))


def _list_orphan_entries(index: LineageIndex, kinds: Sequence[AssetKind], after: SortKey | None) -> Iterator[Entry]:
    wanted = kinds or OWNABLE
    for kind in OWNABLE:
        if kind not in wanted or (after is not None and KINDS.index(kind) < after.numbers[0]):
            continue
        if kind is AssetKind.COLUMN:
            yield from _list_orphaned_columns(index, after)
        else:
            yield from list_in_order(index, _list_unowned(index, kind), after)


def _list_orphaned_columns(index: LineageIndex, after: SortKey | None) -> Iterator[Entry]:
    """Dataset by dataset, which gives all columns in the order of their names without building all the names."""
    within = () if after is None or after.numbers[0] < KINDS.index(AssetKind.COLUMN) else after.names
    for dataset in _list_unowned(index, AssetKind.DATASET):
        if index.assets.get_key(dataset).parts >= within[:2]:
            yield from list_in_order(index, _filter_inheriting(index, index.assets.list_columns(dataset, by_name=True)), after)


def _list_unowned(index: LineageIndex, kind: AssetKind) -> list[int]:
    groups = _build_groups(index, kind)
    found: list[int] = groups.nodes[groups.levels[groups.at] == NOTHING].tolist()
    return found
