"""Lists of assets of one kind with filters, and the search for words in names, titles, descriptions and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.naming import parse_search_terms
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.owned_assets import collect_owned_nodes
from meshline.graph.queries.pages import KIND_ORDER, Entry, Page, SortKey, build_page, list_in_order

MAX_FOUND = 10_000  # assets that one search reads
_LAST_PART = 1  # the rank of an asset if the searched text is the last part of its name


class SearchResult(NamedTuple):
    """A page of hits, the best first. `truncated`: the text matches more assets than one search reads. `total`: hits of all pages."""

    page: Page
    truncated: bool
    total: int


def search_assets(
    live: LiveGraph,
    index: LineageIndex,
    text: str,
    *,
    kinds: Sequence[AssetKind] = (),
    domain: int | None = None,
    owner: int | None = None,
    tag: str | None = None,
    first: int,
    after: SortKey | None = None,
) -> SearchResult:
    """The assets that a text matches: exact names first, then last parts and beginnings of names, then the rest, by kind and name.

    Jobs that are mere steps of others are found by their names only. `tag`: `key` or `key=value`.
    """
    words = parse_search_terms(text)
    nodes, truncated = _find_matches(live, index, words, kinds) if words or tag is None else (None, False)
    if tag is not None:
        tagged, more = _find_matches(live, index, parse_search_terms(tag), kinds)
        nodes = _filter_tagged(live, index, tagged if nodes is None else nodes & tagged, tag)
        truncated = truncated or more
    assert nodes is not None
    if domain is not None:
        nodes = {node for node in nodes if is_in_domain(index, node, domain)}
    if owner is not None:
        nodes &= collect_owned_nodes(index, owner)
    ranked = (Entry(_build_rank(index, node, text, words), node) for node in nodes)
    entries = sorted(entry for entry in ranked if entry.key.numbers[0] <= _LAST_PART or not _is_mere_step(index, entry.node))
    rest = entries if after is None else (entry for entry in entries if entry.key > after)
    return SearchResult(build_page(rest, first), truncated, len(entries))


def _find_matches(live: LiveGraph, index: LineageIndex, words: Sequence[str], kinds: Sequence[AssetKind]) -> tuple[set[int], bool]:
    if not words:
        return set(), False
    keys = live.store.search(words, kinds, MAX_FOUND)
    nodes = {node for key in keys if (node := index.assets.find_by_key(key)) is not None}
    return {node for node in nodes if is_listed(index, node)}, len(keys) >= MAX_FOUND


def is_listed(index: LineageIndex, node: int) -> bool:
    """Whether searches and lists show an asset: not if it is only inferred, and not a column that the catalog does not list."""
    if not index.assets.is_visible(node):
        return False
    kind = index.assets.get_kind(node)
    if kind is AssetKind.DATASET:
        return not index.assets.is_inferred(node)
    return kind is not AssetKind.COLUMN or not (index.assets.is_unlisted(node) or index.assets.is_inferred(index.assets.get_dataset(node)))


def _is_mere_step(index: LineageIndex, node: int) -> bool:
    """Whether it is a job within another that contains no job and neither reads nor writes: dbt reports each SQL statement as one."""
    if index.assets.get_kind(node) is not AssetKind.JOB or not index.ownership.list_edges(node, EdgeType.PART_OF):
        return False
    return not (
        index.ownership.list_edges(node, EdgeType.READS)
        or index.ownership.list_edges(node, EdgeType.WRITES)
        or index.ownership.list_edges(node, EdgeType.PART_OF, incoming=True)
    )


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


def _filter_tagged(live: LiveGraph, index: LineageIndex, nodes: Iterable[int], tag: str) -> set[int]:
    """The nodes that have the tag in any case: `key` matches the tag with any value, `key=value` with that one."""
    candidates = list(nodes)
    wanted, equals, value = (part.casefold() for part in tag.partition("="))
    return {
        node
        for node, known in zip(candidates, read_attributes(live, index, candidates), strict=True)
        if any(
            known_tag.key.casefold() == wanted and (not equals or (known_tag.value or "").casefold() == value) for known_tag in known.tags
        )
    }


def _build_rank(index: LineageIndex, node: int, text: str, words: Sequence[str]) -> SortKey:
    """The rank of a hit, then kind and name.

    The text is 0 the name, 1 its last part, 2 its beginning; 3 all words are in the name; 4 they are elsewhere.
    """
    key = index.assets.get_key(node)
    wanted = text.strip().casefold()
    name = key.name.casefold()
    if wanted in (name, key.qualified_name.casefold()):
        rank = 0
    elif name.replace("/", ".").rpartition(".")[2] == wanted:
        rank = 1
    elif wanted and name.startswith(wanted):
        rank = 2
    else:
        rank = 3 if all(word in name for word in words) else 4
    return SortKey((rank, KIND_ORDER[key.kind]), key.parts)


class Filter(NamedTuple):
    """A filter of lists: all given criteria must match. `text`: a part of the qualified name, in any case.

    `domain`, `product`, `owner`: nodes; a domain matches the domains below it, too. `described`: a source lists the columns.
    """

    text: str | None = None
    namespace: str | None = None
    domain: int | None = None
    product: int | None = None
    owner: int | None = None
    described: bool | None = None


EVERYTHING = Filter()


def list_assets(index: LineageIndex, kind: AssetKind, wanted: Filter = EVERYTHING, *, first: int, after: SortKey | None = None) -> Page:
    """The assets of a kind by name, those after a cursor's key. Reads only as far as the page."""
    return build_page(_list_entries(index, kind, wanted, after), first)


def count_assets(index: LineageIndex, kind: AssetKind, wanted: Filter = EVERYTHING) -> int:
    if wanted == EVERYTHING:
        return len(index.assets.list_of_kind(kind))
    return sum(1 for _ in _list_entries(index, kind, wanted, None))


def _list_entries(index: LineageIndex, kind: AssetKind, wanted: Filter, after: SortKey | None) -> Iterator[Entry]:
    tests = _build_tests(index, wanted)
    for entry in list_in_order(index, index.assets.list_of_kind(kind), after):
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
        tests.append(lambda entry: index.assets.is_described(entry.node) == wanted.described)
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
