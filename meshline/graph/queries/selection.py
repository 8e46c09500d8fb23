"""What selectors choose: the assets of a domain, a product, a tag, ..., with what is in them.

Columns are most of the assets, and nearly all are chosen with their dataset: arrays have an entry for each other asset, and for the few
columns that have tags or owners of their own.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType
from meshline.graph.queries.groups import NOTHING

MOST_KEPT = 256  # selectors, of which is kept what they choose
_COLUMN, _DATASET, _PRODUCT, _DOMAIN = map(KINDS.index, (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.DATA_PRODUCT, AssetKind.DOMAIN))
_RESOURCES = (_COLUMN, _DATASET, _PRODUCT, _DOMAIN)


class SelectorKind(StrEnum):
    """What a selector compares."""

    EVERYTHING = "everything"
    DOMAIN = "domain"  # the domain, those below it, and what is in them
    PRODUCT = "product"  # the product and its datasets
    TAG = "tag"  # assets that have a tag, `key` or `key=value`; with `value` as a pattern
    NAMESPACE = "namespace"  # datasets of the namespaces that a pattern fits
    DATASET = "dataset"  # one dataset, by its id
    OWNER = "owner"  # what an owner owns, with what is in it; only policies in Cedar name it
    KIND = "kind"  # the datasets with their columns, the products, or the domains; as the one before


class Selector(NamedTuple):
    """Some assets: those of a domain, a product, ..., by its name or pattern."""

    kind: SelectorKind
    name: str = ""


class Selections:
    """What selectors choose in one state of an index. Arrays are by place: boolean, one entry for each of `nodes`.

    `nodes`: the representatives that have a place, ascending. `resources`: which are datasets, columns, products and domains.
    """

    def __init__(self, index: LineageIndex) -> None:
        self._index = index
        every = np.arange(index.changes.count_nodes(), dtype=np.int32)
        self._rep = index.lineage.get_representatives(every)
        kinds = index.lineage.get_kinds(every)
        own = self._rep == every
        self._owned = index.ownership.list_all_edges(EdgeType.OWNS)
        self._governed = index.ownership.list_all_edges(EdgeType.GOVERNS)
        has_place = kinds != _COLUMN
        for nodes in (index.assets.survey().find_tagged(lambda _: True), self._rep[self._owned.end], self._rep[self._governed.end]):
            has_place[nodes] = True
        has_place &= own
        self.nodes: Ints = np.flatnonzero(has_place).astype(np.int32)
        self._places: Ints = np.full(len(every), NOTHING, np.int32)  # by node
        self._places[self.nodes] = np.arange(len(self.nodes), dtype=np.int32)
        self._kinds = kinds[self.nodes]
        self.resources: Flags = np.isin(self._kinds, _RESOURCES)
        self._plain: Ints = np.flatnonzero(own & ~has_place).astype(np.int32)  # the other columns, by node
        self._of_plain = index.lineage.get_datasets(self._plain)
        self._datasets, self._columns, self._products, self._domains = (
            np.flatnonzero(self._kinds == kind) for kind in (_DATASET, _COLUMN, _PRODUCT, _DOMAIN)
        )
        ownership = index.ownership
        self._of_columns = self._places[index.lineage.get_datasets(self.nodes[self._columns])]
        self._of_products = self._find_places(ownership.find_domains(self.nodes[self._products]))
        self._of_domains = self._find_places(ownership.find_domains(self.nodes[self._domains]))
        self._domain_of_datasets = self._find_places(ownership.find_domains(self.nodes[self._datasets]))
        self._product_of_datasets = self._find_places(ownership.find_products(self.nodes[self._datasets]))
        self._known: dict[Selector, Flags] = {}

    def spread(self, found: Flags) -> Flags:
        """The same by node, set at representatives: a column without a place is chosen with its dataset."""
        marks = np.zeros(len(self._rep), np.bool_)
        marks[self.nodes] = found
        marks[self._plain] = marks[self._of_plain]
        return marks

    def select(self, selector: Selector) -> Flags:
        """The assets that a selector chooses, with what is in them; those that only follow (jobs, contracts, ...) left out."""
        found = self._known.get(selector)
        if found is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            found = self._known[selector] = self._select(selector)
        return found

    def select_any(self, selectors: Iterable[Selector]) -> Flags:
        """What one of them chooses."""
        found = np.zeros(len(self.nodes), np.bool_)
        for selector in selectors:
            found |= self.select(selector)
        return found

    def select_owned(self, names: Iterable[str]) -> Flags:
        """What owners with these names own, with what is in it and what contracts among it govern."""
        found = np.zeros(len(self.nodes), np.bool_)
        owners = list_owners(self._index, names)
        if owners:
            owned, governed = self._owned, self._governed
            found[self._places[self._rep[owned.end[np.isin(owned.start, owners)]]]] = True
            found[self._places[self._rep[governed.end[found[self._places[self._rep[governed.start]]]]]]] = True
            self._add_contained(found)
        return found

    def _select(self, selector: Selector) -> Flags:
        if selector.kind is SelectorKind.OWNER:
            return self.select_owned([selector.name])
        found = np.zeros(len(self.nodes), np.bool_)
        survey = self._index.assets.survey()
        if selector.kind is SelectorKind.EVERYTHING:
            found[:] = True
        elif selector.kind is SelectorKind.TAG:
            found[self._places[survey.find_tagged(_build_tag_test(selector.name))]] = True
        elif selector.kind is SelectorKind.NAMESPACE:
            names = survey.names
            numbers, at = np.unique(names.namespace, return_inverse=True)
            pattern = re.compile(fnmatch.translate(selector.name))
            fits = np.array([pattern.match(text) is not None for text in survey.read_texts(numbers)], np.bool_)
            found[self._places[names.representative[fits[at]]]] = True
        elif selector.kind is SelectorKind.KIND:
            found |= self._kinds == KINDS.index(AssetKind(selector.name))
            found[self._columns] |= found[self._of_columns]
            return found
        elif (node := self._find_node(selector)) is not None:
            found[self._places[self._rep[node]]] = True
        self._add_contained(found)
        return found

    def _find_node(self, selector: Selector) -> int | None:
        """The one asset that a selector names."""
        if selector.kind is SelectorKind.DATASET:
            node = self._index.assets.find(selector.name)
            return node if node is not None and self._index.assets.get_kind(node) is AssetKind.DATASET else None
        kind = AssetKind.DOMAIN if selector.kind is SelectorKind.DOMAIN else AssetKind.DATA_PRODUCT
        return self._index.assets.find_by_key(AssetKey(kind, (selector.name,)))

    def _add_contained(self, found: Flags) -> None:
        """Add what is in the chosen domains, products and datasets."""
        while True:  # once for each level of domains
            below = self._domains[_is_marked(found, self._of_domains) & ~found[self._domains]]
            if not len(below):
                break
            found[below] = True
        found[self._products] |= _is_marked(found, self._of_products)
        found[self._datasets] |= _is_marked(found, self._domain_of_datasets)
        found[self._datasets] |= _is_marked(found, self._product_of_datasets)
        found[self._columns] |= found[self._of_columns]

    def _find_places(self, nodes: Ints) -> Ints:
        """The places of containers, or NOTHING."""
        found: Ints = np.where(nodes == NOTHING, np.int32(NOTHING), self._places[nodes])
        return found


_of_indexes: WeakKeyDictionary[LineageIndex, tuple[tuple[int, int], Selections]] = WeakKeyDictionary()


def find_selections(index: LineageIndex) -> Selections:
    """The selections of an index as it is now, which all masks share: to be called, and used, under the lock of its graph."""
    state = (index.version, index.changes.count_nodes())
    known = _of_indexes.get(index)
    if known is None or known[0] != state:
        known = _of_indexes[index] = (state, Selections(index))
    return known[1]


def list_owners(index: LineageIndex, names: Iterable[str]) -> list[int]:
    """The owners of these names that the mesh has."""
    found = (index.assets.find_by_key(AssetKey(AssetKind.OWNER, (name,))) for name in names)
    return [owner for owner in found if owner is not None]


def compute_chosen(index: LineageIndex, selector: Selector) -> Flags:
    """What a selector chooses, with what is in it (bool, by node, set at representatives)."""
    selections = find_selections(index)
    return selections.spread(selections.select(selector))


def find_selected(index: LineageIndex, selector: Selector) -> bool:
    """Whether a selector chooses anything at all: one that does not may be misspelt."""
    return bool(find_selections(index).select(selector).any())


def find_overlapping(index: LineageIndex, selector: Selector, others: Iterable[Selector]) -> list[Selector]:
    """Those of the other selectors that choose something of what a selector chooses."""
    selections = find_selections(index)
    chosen = selections.select(selector)
    return [other for other in others if (selections.select(other) & chosen).any()]


def _is_marked(marks: Flags, places: Ints) -> Flags:
    found: Flags = (places != NOTHING) & marks[places]
    return found


def _build_tag_test(name: str) -> Callable[[frozenset[str]], bool]:
    """Whether tags have one: `pii`, `pii=high`, `pii=*`. Without a value any fits; the case does not matter."""
    key, equals, value = (part.casefold() for part in name.partition("="))
    pattern = re.compile(fnmatch.translate(value))

    def has_tag(tags: frozenset[str]) -> bool:
        parts = (tag.casefold().partition("=") for tag in tags)
        return any(one == key and (not equals or pattern.match(of) is not None) for one, _, of in parts)

    return has_tag
