"""Lists of all assets of one kind, with filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.ownership import owned_nodes
from meshline.graph.queries.pages import Entry, Page, SortKey, in_order, page_of
from meshline.graph.queries.search import in_domain


class Filter(NamedTuple):
    """All that is given must hold. `text`: part of the qualified name, whatever the case."""

    text: str | None = None
    namespace: str | None = None
    domain: int | None = None
    product: int | None = None
    owner: int | None = None
    described: bool | None = None


EVERYTHING = Filter()


def listing(index: LineageIndex, kind: AssetKind, wanted: Filter = EVERYTHING, *, first: int, after: SortKey | None = None) -> Page:
    """The assets of a kind by name. Lazy: reads no further than the page."""
    return page_of(_entries(index, kind, wanted, after), first)


def count(index: LineageIndex, kind: AssetKind, wanted: Filter = EVERYTHING) -> int:
    if wanted == EVERYTHING:
        return len(index.assets.list_of_kind(kind))
    return sum(1 for _ in _entries(index, kind, wanted, None))


def _entries(index: LineageIndex, kind: AssetKind, wanted: Filter, after: SortKey | None) -> Iterator[Entry]:
    tests = _tests(index, wanted)
    for entry in in_order(index, index.assets.list_of_kind(kind), after):
        if all(test(entry) for test in tests):
            yield entry


def _tests(index: LineageIndex, wanted: Filter) -> list[Callable[[Entry], bool]]:
    tests: list[Callable[[Entry], bool]] = []
    if wanted.text is not None:
        text = wanted.text.casefold()
        tests.append(lambda entry: text in index.assets.get_key(entry.node).qualified_name.casefold())
    if wanted.namespace is not None:
        tests.append(lambda entry: index.assets.get_key(entry.node).parts[0] == wanted.namespace)
    if wanted.domain is not None:
        domain = wanted.domain
        tests.append(lambda entry: in_domain(index, entry.node, domain))
    if wanted.product is not None:
        tests.append(lambda entry: index.ownership.find_product(entry.node) == wanted.product)
    if wanted.owner is not None:
        owned = owned_nodes(index, wanted.owner)
        tests.append(lambda entry: entry.node in owned)
    if wanted.described is not None:
        tests.append(lambda entry: index.assets.is_described(entry.node) == wanted.described)
    return tests


def columns(index: LineageIndex, dataset: int, *, first: int, after: SortKey | None = None) -> Page:
    """The columns of a dataset by position; those without one come last."""
    entries = (Entry(_column_key(index, column), column) for column in index.assets.list_columns(dataset))
    return page_of(sorted(entry for entry in entries if after is None or entry.key > after), first)


def _column_key(index: LineageIndex, column: int) -> SortKey:
    position = index.assets.find_position(column)
    return SortKey((int(position is None), position or 0), (index.assets.get_key(column).name,))


def linked(index: LineageIndex, node: int, type_: EdgeType, *, incoming: bool = False) -> list[int]:
    """The assets at the other ends of a node's edges of a type, by name, each once."""
    edges = index.ownership.list_edges(node, type_, incoming=incoming)
    nodes = {edge.start if incoming else edge.end for edge in edges}
    return sorted(nodes, key=lambda other: index.assets.get_key(other).qualified_name)
