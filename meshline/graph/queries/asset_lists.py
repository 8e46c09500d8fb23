"""Lists of assets of one kind with filters and orders, and the lists of namespaces, tags, columns and linked assets."""

from __future__ import annotations

import bisect
import enum
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Ints
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.owned_assets import collect_owned_nodes
from meshline.graph.queries.pages import KIND_ORDER, Entry, Page, SortKey, build_page, list_in_order


class Filter(NamedTuple):
    """A filter of lists: all given criteria must match. `text`: a part of the qualified name, in any case.

    `domain`, `product`, `owner`: nodes; a domain matches the domains below it, too. `described`: a source lists the columns.
    `nodes`: only these.
    """

    text: str | None = None
    namespace: str | None = None
    domain: int | None = None
    product: int | None = None
    owner: int | None = None
    described: bool | None = None
    nodes: frozenset[int] | None = None


EVERYTHING = Filter()


class ListOrder(enum.StrEnum):
    """The first sort key of a list; names follow. LAST_OBSERVED: the newest first. DEPENDANTS: the most first.
    HEALTH: of products, see `meshline.graph.queries.product_health`.
    """

    NAME = "NAME"
    LAST_OBSERVED = "LAST_OBSERVED"
    DEPENDANTS = "DEPENDANTS"
    HEALTH = "HEALTH"


def list_assets(
    index: LineageIndex,
    kind: AssetKind,
    wanted: Filter = EVERYTHING,
    *,
    order: ListOrder = ListOrder.NAME,
    first: int,
    after: SortKey | None = None,
) -> Page:
    """The assets of a kind in an order, those after a cursor's key. Reads only as far as the page, but for sorting them once a revision.

    Raises InvalidInput if there is no such order of this kind.
    """
    if order is ListOrder.NAME:
        return build_page(_list_entries(index, kind, wanted, after), first)
    ordered = index.compute_once((kind, order), partial(_sort_assets, index, kind, order))

    def build_entry(one: tuple[int, int]) -> Entry:
        value, node = one
        return Entry(SortKey((-value, KIND_ORDER[kind]), index.assets.get_key(node).parts), node)

    start = 0 if after is None else bisect.bisect_right(ordered, after, key=lambda one: build_entry(one).key)
    tests = _build_tests(index, wanted)
    kept = wanted.nodes
    entries = (build_entry(ordered[position]) for position in range(start, len(ordered)) if kept is None or ordered[position][1] in kept)
    return build_page((entry for entry in entries if all(test(entry) for test in tests)), first)


def _sort_assets(index: LineageIndex, kind: AssetKind, order: ListOrder) -> list[tuple[int, int]]:
    """(value, node) of all assets of a kind: the greatest value first, equal ones by name."""
    nodes = np.array(index.assets.list_of_kind(kind), np.int64)
    values = _compute_order_values(index, kind, nodes, order)
    places = np.argsort(-values, kind="stable")
    return list(zip(values[places].tolist(), nodes[places].tolist(), strict=True))


def count_order_numbers(order: ListOrder) -> int:
    """How many numbers the sort keys of a list have (`decode_cursor`)."""
    return 1 if order is ListOrder.NAME else 2


def _compute_order_values(index: LineageIndex, kind: AssetKind, nodes: NDArray[np.int64], order: ListOrder) -> NDArray[np.int64]:
    """By which these assets are sorted, the greatest first."""
    if order is ListOrder.HEALTH:
        raise InvalidInput("only products can be sorted by HEALTH", "orderBy")
    if order is ListOrder.LAST_OBSERVED:
        return index.changes.compute_last_observed()[nodes]
    return _count_dependants(index, kind)[nodes].astype(np.int64)


def _count_dependants(index: LineageIndex, kind: AssetKind) -> Ints:
    """Int array by node: the number of datasets outside the asset into which its data flows directly; of a job, that it writes."""
    if kind is AssetKind.JOB:
        starts, _ = index.assets.survey().writings
    elif kind is AssetKind.DATASET:
        starts, _ = index.assets.survey().followed_pairs
    elif kind in (AssetKind.DATA_PRODUCT, AssetKind.DOMAIN):
        find_groups = index.ownership.find_products if kind is AssetKind.DATA_PRODUCT else index.ownership.find_domains
        start, end = index.assets.survey().followed_pairs
        of_start, of_end = find_groups(start), find_groups(end)
        leaving = (of_start >= 0) & (of_start != of_end)
        starts = np.unique(of_start[leaving].astype(np.int64) << 32 | end[leaving]) >> 32
    else:
        raise InvalidInput("only datasets, jobs, products and domains can be sorted by DEPENDANTS", "orderBy")
    return np.bincount(starts, minlength=index.changes.count_nodes()).astype(np.int32)


class NamespaceCount(NamedTuple):
    """A namespace, and how many listed datasets and jobs it has."""

    name: str
    datasets: int
    jobs: int


def list_namespaces(index: LineageIndex) -> list[NamespaceCount]:
    """All namespaces of datasets and jobs, by name."""
    datasets, jobs = (
        Counter(index.assets.get_key(node).parts[0] for node in index.assets.list_of_kind(kind))
        for kind in (AssetKind.DATASET, AssetKind.JOB)
    )
    return [NamespaceCount(name, datasets[name], jobs[name]) for name in sorted(datasets.keys() | jobs.keys())]


class TagCount(NamedTuple):
    """A tag, `key` or `key=value`, and how many assets (columns, too) have it from any source."""

    key: str
    value: str | None
    assets: int


def list_tags(index: LineageIndex) -> list[TagCount]:
    """All tags by key and value, a key without a value first."""
    found = []
    for text, count in index.assets.survey().count_tagged().items():
        key, equals, value = text.partition("=")
        found.append(TagCount(key, value if equals else None, count))
    return sorted(found, key=lambda tag: (tag.key, tag.value is not None, tag.value or ""))


def count_assets(index: LineageIndex, kind: AssetKind, wanted: Filter = EVERYTHING) -> int:
    if wanted == EVERYTHING:
        return index.count_of_kind(kind)
    return sum(1 for _ in _list_entries(index, kind, wanted, None))


def _list_entries(index: LineageIndex, kind: AssetKind, wanted: Filter, after: SortKey | None) -> Iterator[Entry]:
    tests = _build_tests(index, wanted)
    nodes = index.assets.list_of_kind(kind)
    if wanted.nodes is not None:
        nodes = [node for node in nodes if node in wanted.nodes]
    for entry in list_in_order(index, nodes, after):
        if all(test(entry) for test in tests):
            yield entry


def _build_tests(index: LineageIndex, wanted: Filter) -> list[Callable[[Entry], bool]]:
    tests: list[Callable[[Entry], bool]] = []
    if wanted.text is not None:
        text = wanted.text.casefold()
        tests.append(lambda entry: text in index.assets.get_key(entry.node).qualified_name.casefold())
    if wanted.namespace is not None:
        tests.append(lambda entry: index.assets.get_key(entry.node).parts[0] == wanted.namespace)
    if wanted.domain is not None:
        domain = wanted.domain
        tests.append(lambda entry: is_in_domain(index, entry.node, domain))
    if wanted.product is not None:
        tests.append(lambda entry: index.ownership.find_product(entry.node) == wanted.product)
    if wanted.owner is not None:
        owned = collect_owned_nodes(index, wanted.owner)
        tests.append(lambda entry: entry.node in owned)
    if wanted.described is not None:
        tests.append(lambda entry: index.may_read(entry.node) and index.assets.is_described(entry.node) == wanted.described)
    return tests


def list_columns(index: LineageIndex, dataset: int, *, first: int, after: SortKey | None = None) -> Page:
    """The columns of a dataset by position; those without one come last."""
    entries = (Entry(_build_column_key(index, column), column) for column in index.assets.list_columns(dataset))
    return build_page(sorted(entry for entry in entries if after is None or entry.key > after), first)


def _build_column_key(index: LineageIndex, column: int) -> SortKey:
    position = index.assets.find_position(column)
    return SortKey((int(position is None), position or 0), (index.assets.get_key(column).name,))


def list_linked(index: LineageIndex, node: int, type_: EdgeType, *, incoming: bool = False) -> list[int]:
    """The assets at the other ends of a node's edges of a type, each once, by name."""
    edges = index.ownership.list_edges(node, type_, incoming=incoming)
    nodes = {edge.start if incoming else edge.end for edge in edges}
    return sorted(nodes, key=lambda other: index.assets.get_key(other).qualified_name)


def is_listed(index: LineageIndex, node: int) -> bool:
    """Whether searches and lists show an asset: not if it is only inferred, and not a column that the catalog does not list."""
    if not index.assets.is_visible(node):
        return False
    kind = index.assets.get_kind(node)
    if kind is AssetKind.DATASET:
        return not index.assets.is_inferred(node)
    return kind is not AssetKind.COLUMN or not (index.assets.is_unlisted(node) or index.assets.is_inferred(index.assets.get_dataset(node)))


def is_in_domain(index: LineageIndex, node: int, domain: int) -> bool:
    """Whether an asset is in a domain or in one below it."""
    seen: set[int] = set()
    at: int | None = node
    while at is not None and at not in seen:
        seen.add(at)
        at = index.ownership.find_domain(at)
        if at == domain:
            return True
    return False
