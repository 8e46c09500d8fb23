"""Many assets at once: the kind, domain, product and owners of each, and how many there are in each group.

A column belongs to the product and domain of its dataset, so each group is looked up once per "unit" (the dataset of a column,
else the asset itself), and counted with `bincount`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Bytes, Flags, Ints
from meshline.graph.model import AssetKind
from meshline.graph.queries.pages import KIND_ORDER

COLUMN = KIND_ORDER[AssetKind.COLUMN]
_DATASET = KIND_ORDER[AssetKind.DATASET]
_DATA_PRODUCT = KIND_ORDER[AssetKind.DATA_PRODUCT]
_DOMAIN = KIND_ORDER[AssetKind.DOMAIN]
NOTHING = -1  # in arrays of nodes: no such node


class Groups:
    """Nodes with the groups that they belong to.

    Arrays have one entry per node (`nodes`, `kind`, `unit`, `at`, `owned_columns`) or one per unit (`units`, `products`,
    `domains`, `levels`; int32). `at` leads from the first to the second: `products[at]` has one entry per node.
    """

    def __init__(self, index: LineageIndex, nodes: Ints) -> None:
        self.index = index
        self.nodes = nodes
        self.kind: Bytes = index.lineage.get_kinds(nodes)
        self.unit = nodes.copy()  # per node: a column's dataset, else the node itself
        of_column = self.kind == COLUMN
        self.unit[of_column] = index.lineage.get_datasets(nodes[of_column])
        # The distinct units, and per node the position of its unit among them.
        self.units, self.at = index.lineage.number_distinct(self.unit)

    @cached_property
    def _sizes(self) -> Ints:
        """Per unit: how many of the nodes belong to it."""
        return np.bincount(self.at, minlength=len(self.units)).astype(np.int32)

    @cached_property
    def _kinds(self) -> Bytes:
        return self.index.lineage.get_kinds(self.units)

    @cached_property
    def products(self) -> Ints:
        """Per unit: its product, or NOTHING; of a product, the product itself."""
        found = np.where(self._kinds == _DATA_PRODUCT, self.units, np.int32(NOTHING))
        datasets = self._kinds == _DATASET
        found[datasets] = self.index.ownership.find_products(self.units[datasets])
        return found

    @cached_property
    def domains(self) -> Ints:
        """Per unit: its domain, or NOTHING; of a domain, the domain itself."""
        found = np.where(self._kinds == _DOMAIN, self.units, np.int32(NOTHING))
        grouped = (self._kinds == _DATASET) | (self._kinds == _DATA_PRODUCT)
        found[grouped] = self.index.ownership.find_domains(self.units[grouped])
        return found

    @cached_property
    def levels(self) -> Ints:
        """Per unit: the nearest level that has owners, or NOTHING (the rule of `OwnershipFacet.list_owners`)."""
        domains, at = np.unique(self.domains, return_inverse=True)
        found = np.array([self._find_owned_domain(domain) for domain in domains.tolist()], np.int32)[at]
        for nearer in (self.products, self.units):
            owned = (nearer != NOTHING) & self.index.ownership.has_owners(nearer)
            found[owned] = nearer[owned]
        return found

    # -- numbers of nodes by group; None: nodes in no group

    def count_by_product(self) -> dict[int | None, int]:
        return self._count_groups(self.products)

    def count_by_domain(self) -> dict[int | None, int]:
        return self._count_groups(self.domains)

    def count_by_owner(self) -> dict[int | None, int]:
        """A node with two owners counts for both."""
        sizes = self._sizes.copy()
        columns = np.flatnonzero(self.owned_columns)
        np.subtract.at(sizes, self.at[columns], 1)
        result: dict[int | None, int] = {}
        for level, size in [*_sum_sizes(self.levels, sizes), *((column, 1) for column in self.nodes[columns].tolist())]:
            for owner in (None,) if level == NOTHING else self.index.ownership.collect_owner_nodes(level):
                result[owner] = result.get(owner, 0) + size
        return {owner: size for owner, size in result.items() if size}

    def _count_groups(self, under: Ints) -> dict[int | None, int]:
        return {None if container == NOTHING else container: size for container, size in _sum_sizes(under, self._sizes)}

    # -- the members of one group: a boolean per node

    def is_in_product(self, product: int) -> Flags:
        """Whether each node is in the product (bool, one entry per node)."""
        found: Flags = (self.products == product)[self.at]
        return found

    def is_in_domain(self, domain: int) -> Flags:
        """Whether each node is in the domain or in one below it (bool, one entry per node)."""
        within = [below for below in np.unique(self.domains).tolist() if below != NOTHING and domain in self._list_ancestors(below)]
        found: Flags = np.isin(self.domains, within)[self.at]
        return found

    def is_owned_by(self, owner: int) -> Flags:
        """Whether the nearest level of each node that has owners has this one (bool, one entry per node)."""
        levels = [
            level
            for level in np.unique(self.levels).tolist()
            if level != NOTHING and owner in self.index.ownership.collect_owner_nodes(level)
        ]
        found: Flags = np.isin(self.levels, levels)[self.at]
        for row in np.flatnonzero(self.owned_columns).tolist():
            found[row] = owner in self.index.ownership.collect_owner_nodes(int(self.nodes[row]))
        return found

    # -- owners

    @cached_property
    def owned_columns(self) -> Flags:
        """Per node: whether it is a column with explicit owners of its own."""
        owned: Flags = (self.kind == COLUMN) & self.index.ownership.has_owners(self.nodes)
        return owned

    def list_owners(self, rows: Iterable[int]) -> list[frozenset[int]]:
        """The owners at the nearest level that has any, for each row. `rows`: positions in `nodes`."""
        found: list[frozenset[int]] = []
        for row in rows:
            level = int(self.nodes[row]) if self.owned_columns[row] else int(self.levels[self.at[row]])
            found.append(frozenset() if level == NOTHING else self.index.ownership.collect_owner_nodes(level))
        return found

    def _find_owned_domain(self, domain: int) -> int:
        """The nearest that has owners, of a domain and those above it; or NOTHING."""
        if domain == NOTHING:
            return NOTHING
        return next((level for level in self._list_ancestors(domain) if self.index.ownership.collect_owner_nodes(level)), NOTHING)

    def _list_ancestors(self, domain: int) -> list[int]:
        """A domain and those above it, the nearest first."""
        chain: list[int] = []
        at: int | None = domain
        while at is not None and at not in chain:
            chain.append(at)
            at = self.index.ownership.find_domain(at)
        return chain


def _sum_sizes(groups: Ints, sizes: Ints) -> list[tuple[int, int]]:
    """Each distinct group with the sum of its sizes."""
    distinct, at = np.unique(groups, return_inverse=True)
    sums = np.bincount(at, sizes, len(distinct)).astype(np.int64)
    return list(zip(distinct.tolist(), sums.tolist(), strict=True))
