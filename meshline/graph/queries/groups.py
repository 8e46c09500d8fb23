"""Many assets at once: how many are of each kind, and in which domain, product and whose they are.

A column is in the product and domain of its dataset, so all is asked once per dataset ("holder") and
counted with `bincount`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.answers import Bytes, Flags, Ints
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.pages import KIND_ORDER

COLUMN = KIND_ORDER[AssetKind.COLUMN]
_DATA_PRODUCT = KIND_ORDER[AssetKind.DATA_PRODUCT]


class Groups:
    """Nodes with what they have in common."""

    def __init__(self, index: LineageIndex, nodes: Ints) -> None:
        self.index = index
        self.nodes = nodes
        self.kind: Bytes = index.kinds(nodes)

    @cached_property
    def holder(self) -> Ints:
        """Per node: a column's dataset, else the node itself."""
        holder = self.nodes.copy()
        of_column = self.kind == COLUMN
        holder[of_column] = self.index.datasets(self.nodes[of_column])
        return holder

    @cached_property
    def _sizes(self) -> Ints:
        """By node: how many of the nodes it holds."""
        return np.bincount(self.holder).astype(np.int32)

    @cached_property
    def _holders(self) -> list[int]:
        return np.flatnonzero(self._sizes).tolist()

    @cached_property
    def products(self) -> dict[int, int | None]:
        """The product of each holder; a product is its own."""
        kinds = self.index.kinds(np.array(self._holders, np.int32)).tolist()
        return {node: node if kind == _DATA_PRODUCT else self.index.product(node) for node, kind in zip(self._holders, kinds, strict=True)}

    @cached_property
    def domains(self) -> dict[int, int | None]:
        """The domain of each holder; a domain is its own."""
        of_product: dict[int, int | None] = {}
        result: dict[int, int | None] = {}
        for node, product in self.products.items():
            if product is None:
                result[node] = node if self.index.kind(node) is AssetKind.DOMAIN else self.index.domain(node)
                continue
            if product not in of_product:
                of_product[product] = self.index.domain(product)
            domain = of_product[product]
            result[node] = domain if domain is not None else self.index.domain(node)
        return result

    # -- counts: (container or None, how many)

    def by_product(self) -> dict[int | None, int]:
        return self._counted(lambda node: (self.products[node],))

    def by_domain(self) -> dict[int | None, int]:
        return self._counted(lambda node: (self.domains[node],))

    def by_owner(self) -> dict[int | None, int]:
        """A node with two owners counts for both."""
        sizes = self._counted(self.owners)
        columns = self.nodes[self._owned_columns]
        for column, dataset in zip(columns.tolist(), self.index.datasets(columns).tolist(), strict=True):
            for owner in self.owners(dataset) or (None,):
                sizes[owner] -= 1
            for owner in self.owners(column):
                sizes[owner] = sizes.get(owner, 0) + 1
        return {owner: size for owner, size in sizes.items() if size}

    def _counted(self, under: Callable[[int], Iterable[int | None]]) -> dict[int | None, int]:
        result: dict[int | None, int] = {}
        for node, size in zip(self._holders, self._sizes[self._holders].tolist(), strict=True):
            for container in under(node) or (None,):
                result[container] = result.get(container, 0) + size
        return result

    # -- which nodes are in one group

    def in_product(self, product: int) -> Flags:
        return self._held(node for node, of in self.products.items() if of == product)

    def in_domain(self, domain: int) -> Flags:
        """In the domain or in one below it."""
        return self._held(node for node, of in self.domains.items() if of is not None and domain in self._above(of))

    def owned_by(self, owner: int) -> Flags:
        found = self._held(node for node in self._holders if owner in self.owners(node))
        for row in np.flatnonzero(self._owned_columns).tolist():
            found[row] = owner in self.owners(int(self.nodes[row]))
        return found

    def _held(self, holders: Iterable[int]) -> Flags:
        chosen = np.zeros(self._sizes.size, np.bool_)
        chosen[np.fromiter(holders, np.int32)] = True
        found: Flags = chosen[self.holder]
        return found

    # -- owners

    @cached_property
    def _owned(self) -> frozenset[int]:
        """Assets of which somebody is said to own the very asset."""
        return frozenset(self.index.ends(EdgeType.OWNS).tolist())

    @cached_property
    def _owned_columns(self) -> Flags:
        """Per node: whether it is a column that somebody owns itself."""
        owned: Flags = np.isin(self.nodes, self.index.ends(EdgeType.OWNS))
        owned &= self.kind == COLUMN
        return owned

    @cached_property
    def columns_with_owners(self) -> frozenset[int]:
        return frozenset(self.nodes[self._owned_columns].tolist())

    def owners(self, node: int) -> frozenset[int]:
        """The owners at the nearest level that has any (the rule of `LineageIndex.owners`, remembered by level)."""
        if node in self._owned:
            return self._owners_at(node)
        if self.index.kind(node) is AssetKind.COLUMN:
            return self.owners(self.index.dataset(node))
        product = self.products[node] if node in self.products else self.index.product(node)
        if product is not None and product in self._owned:
            return self._owners_at(product)
        domain = self.domains[node] if node in self.domains else self.index.domain(node)
        owned = next((level for level in self._above(domain) if level in self._owned), None) if domain is not None else None
        return frozenset() if owned is None else self._owners_at(owned)

    def _owners_at(self, level: int) -> frozenset[int]:
        found = self._owners.get(level)
        if found is None:
            found = self._owners[level] = frozenset(said.owner for said in self.index.direct_owners(level))
        return found

    @cached_property
    def _owners(self) -> dict[int, frozenset[int]]:
        return {}

    def _above(self, domain: int) -> tuple[int, ...]:
        """A domain and those above it, the nearest first."""
        found = self._chains.get(domain)
        if found is None:
            chain: list[int] = []
            at: int | None = domain
            while at is not None and at not in chain:
                chain.append(at)
                at = self.index.domain(at)
            found = self._chains[domain] = tuple(chain)
        return found

    @cached_property
    def _chains(self) -> dict[int, tuple[int, ...]]:
        return {}
