"""What selectors choose: the assets of a domain, a product, a tag, ..., with what is in them."""

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
from meshline.graph.model import KINDS, AssetKey, AssetKind
from meshline.graph.queries.groups import NOTHING
from meshline.graph.queries.places import CONTRACT, Places

MOST_KEPT = 256  # selectors, of which is kept what they choose


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


def format_selector(selector: Selector) -> str:
    """A selector as access rules name it."""
    return f"{selector.kind}:{selector.name}" if selector.name else str(selector.kind)


def parse_selector(text: str) -> Selector:
    """A selector that `format_selector` made."""
    kind, _, name = text.partition(":")
    return Selector(SelectorKind(kind), name)


class Selections:
    """What selectors choose in one state of an index. Arrays are boolean, by place (`Places`)."""

    def __init__(self, index: LineageIndex) -> None:
        self.places = Places(index)
        self._index = index
        self._known: dict[Selector, Flags] = {}

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
        found = np.zeros(self.places.count, np.bool_)
        for selector in selectors:
            found |= self.select(selector)
        return found

    def select_owned(self, names: Iterable[str]) -> Flags:
        """What owners with these names own, with what is in it and what contracts among it govern."""
        found = np.zeros(self.places.count, np.bool_)
        owners = list_owners(self._index, names)
        if owners:
            governed = self.places.bonds[CONTRACT]
            found[self.places.find_owned(owners)] = True
            found[governed.ends[found[governed.starts]]] = True
            self._add_contained(found)
        return found

    def _select(self, selector: Selector) -> Flags:
        if selector.kind is SelectorKind.OWNER:
            return self.select_owned([selector.name])
        found = np.zeros(self.places.count, np.bool_)
        places, survey = self.places, self._index.assets.survey()
        if selector.kind is SelectorKind.EVERYTHING:
            found[:] = True
        elif selector.kind is SelectorKind.TAG:
            found[places.of_nodes[survey.find_tagged(_build_tag_test(selector.name))]] = True
        elif selector.kind is SelectorKind.NAMESPACE:
            names = survey.names
            numbers, at = np.unique(names.namespace, return_inverse=True)
            pattern = re.compile(fnmatch.translate(selector.name))
            fits = np.array([pattern.match(text) is not None for text in survey.read_texts(numbers)], np.bool_)
            found[places.of_nodes[names.representative[fits[at]]]] = True
        elif selector.kind is SelectorKind.KIND:
            found |= places.kinds == KINDS.index(AssetKind(selector.name))
            found[places.columns] |= found[places.of_columns]
            return found
        elif (node := self._find_node(selector)) is not None:
            found[places.of_nodes[node]] = True
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
        places = self.places
        while True:  # once for each level of domains
            below = places.domains[_is_marked(found, places.domain_of_domains) & ~found[places.domains]]
            if not len(below):
                break
            found[below] = True
        found[places.products] |= _is_marked(found, places.domain_of_products)
        found[places.datasets] |= _is_marked(found, places.domain_of_datasets)
        found[places.datasets] |= _is_marked(found, places.product_of_datasets)
        found[places.columns] |= found[places.of_columns]


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
    """What a selector chooses, with what is in it (bool, by node, of equal value for the members of an identity class)."""
    selections = find_selections(index)
    chosen: Flags = selections.select(selector)[selections.places.of_nodes]
    return chosen


def find_selected(index: LineageIndex, selector: Selector) -> bool:
    """Whether a selector chooses anything at all: one that does not may be misspelt."""
    return bool(find_selections(index).select(selector).any())


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
