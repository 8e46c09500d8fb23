"""What is asked about owners, products, domains, contracts and consumers: the stated relations between assets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshline.graph.index.heads import RELATIONS
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.results import Edge, EdgeTable, Flags, Ints, Ownership
from meshline.graph.model import EDGE_TYPES, EdgeType, Json


class OwnershipFacet:
    """Who owns, contains, governs and uses assets. Part of `LineageIndex`, which defines nodes."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._ownership = ownership

    def list_owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any: the asset, its dataset, data product, domain, the parents of that.

        At each level these are the stated owners, else the owners of the contracts in force that govern it.
        """
        return self._ownership.list_owners(node)

    def list_direct_owners(self, node: int) -> list[Ownership]:
        """The owners stated of this very asset, by the strongest source that names any; else those of its contracts in force."""
        return self._ownership.list_direct_owners(node)

    def collect_owner_nodes(self, node: int) -> frozenset[int]:
        """The nodes of the owners in `list_direct_owners`, for a representative."""
        return self._ownership.collect_owner_nodes(node)

    def has_owners(self, nodes: Ints) -> Flags:
        """Boolean array: which of these representatives have owners of their own (`list_direct_owners`), not inherited ones."""
        return self._ownership.get_owned()[nodes]

    def find_product(self, node: int) -> int | None:
        """The data product of a dataset or column: by output port, else by the patterns of its members."""
        return self._ownership.find_product(node)

    def find_domain(self, node: int) -> int | None:
        """The domain of a dataset, column or product; of a domain its parent."""
        return self._ownership.find_domain(node)

    def find_products(self, datasets: Ints) -> Ints:
        """The products of these representatives of datasets: int32, -1 where there is none."""
        return self._ownership.find_products(datasets)

    def find_domains(self, nodes: Ints) -> Ints:
        """The domains of these representatives of datasets, products and domains: int32, -1 where there is none."""
        return self._ownership.find_domains(nodes)

    def collect_member_patterns(self) -> Mapping[int, Mapping[int, Sequence[str]]]:
        """By product or domain and by id of the scope that states them: the patterns of the names of its members."""
        return self._loader.patterns

    def list_edges(self, node: int, type: EdgeType, *, incoming: bool = False) -> list[Edge]:  # noqa: A002 - OpenLineage and GraphQL call it type
        """The edges of a type other than FLOWS_TO that begin (or end) at any member, one for each scope that states it."""
        tables = self._tables
        code = EDGE_TYPES.index(type)
        rows = [row for member in tables.list_ring(node) for row in tables.list_relation_rows(member, code, incoming=incoming)]
        found = [
            Edge(
                type,
                int(tables.nodes.rep[tables.relations.start[row]]),
                int(tables.nodes.rep[tables.relations.end[row]]),
                self._loader.get_relation_attributes(row),
                int(tables.heads.scope_id[head]),
            )
            for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True)
        ]
        return sorted(found, key=lambda edge: (tables.get_label(edge.start), tables.get_label(edge.end), edge.scope_id))

    def list_all_edges(self, type: EdgeType) -> EdgeTable:  # noqa: A002 - as in `list_edges`
        """All edges of a type as columns: PORT, OWNS, CONSUMES or GOVERNS."""
        return self._ownership.build_edge_table(EDGE_TYPES.index(type))

    def get_attributes(self, number: int) -> Mapping[str, Json]:
        """The attributes of an edge by their number in `list_all_edges`."""
        return self._loader.get_attributes(number)

    def list_scopes_stating(self, type: EdgeType) -> dict[str, list[int]]:  # noqa: A002 - as in `list_edges`
        """By kind of source: the ids of the scopes that state edges of a type, as in `list_all_edges`, except owners of jobs."""
        return self._ownership.list_scopes_stating(EDGE_TYPES.index(type))
