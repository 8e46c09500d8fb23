"""Owners, products, domains and edges as a viewer sees them who may not see every asset: see `restricted_index`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from meshline.graph.index.arrays import NONE
from meshline.graph.index.lineage_index import OwnershipFacet
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.restricted_names import refuse_question
from meshline.graph.index.results import Edge, EdgeTable, Flags, Ints, Ownership
from meshline.graph.model import EDGE_TYPES, EdgeType

_OF_BROWSED = frozenset({EdgeType.OWNS, EdgeType.PART_OF})  # edges that may begin at an asset of which no more than its names is visible
_TO_BROWSED = _OF_BROWSED | {EdgeType.PORT, EdgeType.READS, EdgeType.WRITES}  # and those that may end at one
_NUMBERS_OF_BROWSED, _NUMBERS_TO_BROWSED = ([EDGE_TYPES.index(type_) for type_ in types] for types in (_OF_BROWSED, _TO_BROWSED))


class RestrictedOwnership(OwnershipFacet):
    """Owners, products, domains and stated edges, if both what has them and they are visible."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, ownership)
        self._visible = visible
        self._readable = readable
        self._owners: dict[int, frozenset[int]] = {}
        self._owned = np.zeros(len(visible), np.int8)  # by node: 1 if it has owners, -1 if all of them are hidden, 0 if that is not known

    def list_owners(self, node: int) -> list[Ownership]:
        return [owned for owned in super().list_owners(node) if self._is_shown(owned)]

    def list_direct_owners(self, node: int) -> list[Ownership]:
        return [owned for owned in super().list_direct_owners(node) if self._is_shown(owned)]

    def collect_owner_nodes(self, node: int) -> frozenset[int]:
        found = self._owners.get(node)
        if found is None:
            found = self._owners[node] = frozenset(ownership.owner for ownership in self.list_direct_owners(node))
        return found

    def has_owners(self, nodes: Ints) -> Flags:
        owned = super().has_owners(nodes)
        for node in np.unique(nodes[owned & (self._owned[nodes] == 0)]).tolist():
            self._owned[node] = 1 if self.collect_owner_nodes(node) else -1
        return owned & (self._owned[nodes] > 0)

    def find_product(self, node: int) -> int | None:
        return self._keep_visible(super().find_product(node))

    def find_domain(self, node: int) -> int | None:
        return self._keep_visible(super().find_domain(node))

    def find_products(self, datasets: Ints) -> Ints:
        return self._hide(super().find_products(datasets))

    def find_domains(self, nodes: Ints) -> Ints:
        return self._hide(super().find_domains(nodes))

    def collect_member_patterns(self) -> Mapping[int, Mapping[int, Sequence[str]]]:
        return {node: patterns for node, patterns in super().collect_member_patterns().items() if self._visible[node]}

    def list_edges(self, node: int, type: EdgeType, *, incoming: bool = False) -> list[Edge]:  # noqa: A002 - as in the base
        found, (starts, ends) = super().list_edges(node, type, incoming=incoming), self._find_masks(type)
        return [edge for edge in found if starts[edge.start] and ends[edge.end]]

    def list_all_edges(self, type: EdgeType) -> EdgeTable:  # noqa: A002 - as in the base
        return self._keep_rows(super().list_all_edges(type), *self._find_masks(type))

    def _keep_shown(self, start: Ints, end: Ints, type: EdgeType) -> tuple[Ints, Ints]:  # noqa: A002 - as in the base
        starts, ends = self._find_masks(type)
        kept = starts[start] & ends[end]
        return start[kept], end[kept]

    def list_statements(self, type: EdgeType) -> Ints:  # noqa: A002 - as in the base
        refuse_question(type)

    def list_idle_reads(self) -> EdgeTable:
        return self._keep_rows(super().list_idle_reads(), self._visible, self._visible)

    def list_all_scopes_stating(self) -> dict[EdgeType, dict[str, list[int]]]:
        refuse_question()

    def list_kinds_stating(self, scope_ids: Iterable[int]) -> dict[EdgeType, set[str]]:
        refuse_question(scope_ids)

    def keep_relations(self, rows: Ints) -> Flags:
        """Of rows of the table of relations, whether the viewer sees each (bool)."""
        relations = self._tables.relations
        types, starts, ends = relations.type[rows], relations.start[rows], relations.end[rows]
        seen = np.where(np.isin(types, _NUMBERS_OF_BROWSED), self._visible[starts], self._readable[starts])
        kept: Flags = seen & np.where(np.isin(types, _NUMBERS_TO_BROWSED), self._visible[ends], self._readable[ends])
        return kept

    def _is_shown(self, owned: Ownership) -> bool:
        return bool(self._visible[owned.owner] and self._visible[owned.level])

    def _keep_visible(self, node: int | None) -> int | None:
        return None if node is None or not self._visible[node] else node

    def _hide(self, nodes: Ints) -> Ints:
        found: Ints = np.where((nodes != NONE) & self._visible[nodes], nodes, np.int32(NONE))
        return found

    def _find_masks(self, type: EdgeType) -> tuple[Flags, Flags]:  # noqa: A002 - as in the base
        """What must be true of the start and of the end of an edge that the viewer sees."""
        ends = self._visible if type in _TO_BROWSED else self._readable
        return self._visible if type in _OF_BROWSED else self._readable, ends

    def _keep_rows(self, edges: EdgeTable, starts: Flags, ends: Flags) -> EdgeTable:
        kept = starts[edges.start] & ends[edges.end]
        return EdgeTable(*(column[kept] for column in edges))
