"""Who owns what: owners with the level they come from, everything that an owner answers for, and what nobody does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from meshline.graph.index.lineage import LineageIndex
from meshline.graph.model import KINDS, AssetKind, EdgeType
from meshline.graph.queries.pages import Entry, Page, SortKey, by_name, in_order, page_of

# An owner has no owner.
OWNABLE = tuple(kind for kind in KINDS if kind is not AssetKind.OWNER)
CONTAINERS = (AssetKind.DOMAIN, AssetKind.DATA_PRODUCT, AssetKind.DATASET)


def owned_by(
    index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind], first: int, after: SortKey | None = None
) -> Page:
    """What an owner owns, by kind and name; inherited: also what is inside, unless owners of its own are nearer."""
    return page_of(by_name(index, _owned(index, owner, inherited=inherited, kinds=kinds), after), first)


def count_owned(index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind]) -> int:
    return len(_owned(index, owner, inherited=inherited, kinds=kinds))


def _owned(index: LineageIndex, owner: int, *, inherited: bool, kinds: Sequence[AssetKind]) -> set[int]:
    nodes = owned_nodes(index, owner) if inherited else _direct(index, owner)
    wanted = frozenset(kinds or KINDS)
    return {node for node in nodes if index.kind(node) in wanted}


def owned_nodes(index: LineageIndex, owner: int) -> set[int]:
    """Everything whose nearest level that has owners names this one."""
    direct = _direct(index, owner)
    result = set(direct)
    if any(index.kind(node) in CONTAINERS for node in direct):
        owned = [node for kind in CONTAINERS for node in index.of_kind(kind) if _names(index, node, owner)]
        result.update(owned)
        datasets = (node for node in owned if index.kind(node) is AssetKind.DATASET)
        columns = chain.from_iterable(index.columns(dataset) for dataset in datasets)
        result.update(column for column in columns if _names(index, column, owner))
    return result


def _direct(index: LineageIndex, owner: int) -> set[int]:
    """What an owner is said to own itself, where no stronger source names others."""
    nodes = {edge.end for edge in index.edges(owner, EdgeType.OWNS)}
    return {node for node in nodes if any(said.owner == owner for said in index.direct_owners(node))}


def _names(index: LineageIndex, node: int, owner: int) -> bool:
    return any(said.owner == owner for said in index.owners(node))


def orphans(index: LineageIndex, *, kinds: Sequence[AssetKind], first: int, after: SortKey | None = None) -> Page:
    """What has no owner at any level, by kind and name."""
    return page_of(_orphans(index, kinds, after), first)


def count_orphans(index: LineageIndex, kinds: Sequence[AssetKind]) -> int:
    return sum(1 for _ in _orphans(index, kinds, None))


def _orphans(index: LineageIndex, kinds: Sequence[AssetKind], after: SortKey | None) -> Iterator[Entry]:
    wanted = kinds or OWNABLE
    for kind in OWNABLE:
        if kind in wanted and (after is None or _may_follow(kind, after)):
            yield from _unowned(index, in_order(index, index.of_kind(kind), after))


def _may_follow(kind: AssetKind, after: SortKey) -> bool:
    return KINDS.index(kind) >= after.numbers[0]


def _unowned(index: LineageIndex, entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if not index.owners(entry.node))
