"""Lists of assets of one kind with filters, and the search for words in names, titles, descriptions and tags."""

from __future__ import annotations

import bisect
import enum
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.results import RANKS, Direction, Flags, Hits, Ints, Longs, Reach, WordMatch
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.naming import parse_search_terms
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.groups import Groups
from meshline.graph.queries.owned_assets import collect_owned_nodes
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Entry, Limits, Page, SortKey, build_page, list_in_order
from meshline.graph.store.search_words import limit_terms, list_attribute_words, list_key_words
from meshline.graph.store.synonyms import read_synonyms
from meshline.graph.word_forms import Meaning, WordPlace, list_inflections

MAX_FOUND = 1_000  # assets that one search ranks
_MAX_QUOTED = 10_000  # assets with the quoted words of a text
_MAX_DESCRIBED = 200  # assets that are found by their titles, descriptions and tags
_OF_TEXT = 0.6  # how certainly a word of a title, description or tag means the same word of the searched text
_OF_INHERITED = 0.3  # the same, of the text of a column from which the values of a column come
_INHERITED_STEPS = 3  # flows over which a column inherits texts
_MAX_INHERITED = 2_000  # columns that inherit those of one search
_MAX_HIDDEN = 100_000  # assets with the words of a text, of which a viewer may see some
_MOST_USED = 7  # above this logarithm of its users an asset is not placed before others
_STEP = 256  # suggestions between two checks of the deadline
_LAST_PART = 1  # the rank of an asset if the searched text is the last part of its name
_QUOTED = re.compile(r'"([^"]*)"')


class VectorUse(enum.Enum):
    """Whether a search used the vectors of names."""

    OFF = "OFF"  # no model is chosen, or nothing is compared
    PREPARING = "PREPARING"  # many names have none yet, so words alone decided
    USED = "USED"


class SearchResult(NamedTuple):
    """A page of hits, the best first. `truncated`: the text matches more assets than one search ranks. `total`: hits of all pages."""

    page: Page
    truncated: bool
    total: int
    vectors: VectorUse


class Scope(NamedTuple):
    """What a search is limited to: all given criteria must match. `domain`, `owner`: nodes; `tag`: `key` or `key=value`."""

    kinds: tuple[AssetKind, ...] = ()
    domain: int | None = None
    owner: int | None = None
    tag: str | None = None


ANYWHERE = Scope()


def search_assets(
    live: LiveGraph, index: LineageIndex, text: str, scope: Scope = ANYWHERE, *, first: int, after: SortKey | None = None
) -> SearchResult:
    """The assets that cover enough of a text, the best first.

    Exact names come first, then last parts and beginnings of names, then names with all words, then the rest by how much of the text
    their names cover (`meshline.graph.index.name_search`), or their titles, descriptions and tags. Words in double quotes must be there,
    as they are or as beginnings of words. Jobs that are mere steps of others are found by their names only. Without words, the assets of
    the scope's tag by name.
    In an index of the past, names, tags, titles and descriptions are those of its time; but an asset that only a title, description or
    tag of that time matches is not found if that text was replaced since.
    """
    words = index.list_search_words(text)
    vectors = find_vectors(live, index) if words else None
    described = _inherit_texts(index, _read_described(live, index, words, scope.kinds)) if words else {}
    if words:
        hits = index.search_names(text, scope.kinds, described, read_synonyms(live.store), vectors)
    else:
        hits = Hits.build_equal(np.array(sorted(_find_tagged(index, scope.tag, scope.kinds)) if scope.tag else [], np.int64))
    filter_hits, truncated = _build_filter(live, index, text, scope)
    best, left = choose_best(index, hits, MAX_FOUND, filter_hits)
    truncated = truncated or left
    best = _order_ties(index, best)
    entries = (_build_entry(index, node, order) for order, node in index.iterate_hits(best, first))
    page = build_page(entries if after is None else _skip_entries(list(entries), after), first)
    without = VectorUse.OFF if live.vectors is None or not words else VectorUse.PREPARING
    used = without if vectors is None else VectorUse.USED
    return SearchResult(page, truncated, len(best.nodes), used)


def find_vectors(live: LiveGraph, index: LineageIndex) -> NameVectors | None:
    """The vectors of names, if searches of an index can use them: there is a model, and all visible names have theirs."""
    return live.vectors if live.vectors is not None and index.prepare_vectors(live.vectors) else None


def _skip_entries(entries: Sequence[Entry], after: SortKey) -> Iterable[Entry]:
    """The entries behind that of a cursor: equal hits are in the order of the words of their names, which is not that of their keys.

    If the asset of the cursor is not found any more, its key decides.
    """
    place = next((place for place, entry in enumerate(entries) if entry.key == after), None)
    return (entry for entry in entries if entry.key > after) if place is None else entries[place + 1 :]


def choose_best(index: LineageIndex, hits: Hits, most: int, filter_hits: Callable[[Hits], Flags] | None = None) -> tuple[Hits, bool]:
    """The best of the hits that are listed and that a filter keeps, and whether more are. Looks at others only as far as it needs to."""
    size = most + 1
    while True:
        best = hits.keep_best(size)
        kept = _mark_found(index, best)
        if filter_hits is not None:
            kept &= filter_hits(best)
        found = best.keep(kept)
        if len(found.nodes) > most or len(best.nodes) == len(hits.nodes):
            return found.keep_best(most), len(found.nodes) > most
        size *= 4


def _mark_found(index: LineageIndex, hits: Hits) -> Flags:
    """Which of these are listed, and no mere steps but for those with the name that is searched."""
    found = index.mark_found(hits)
    for place in np.flatnonzero(found & (hits.orders > RANKS * _LAST_PART)).tolist():
        found[place] = not _is_mere_step(index, int(hits.nodes[place]))
    return found


def _order_ties(index: LineageIndex, hits: Hits) -> Hits:
    """The same hits, of equal ones those first that are used more: by the logarithm of their users, up to a bound."""
    used = np.minimum(np.log2(1 + _count_users(index, hits.nodes)).astype(np.int32), _MOST_USED)
    return hits._replace(orders=hits.orders * (_MOST_USED + 1) + _MOST_USED - used)


def _count_users(index: LineageIndex, nodes: Longs) -> Longs:
    """How many consumers, and jobs that write nothing, use each of these assets; of a column, its dataset."""
    edges = (index.ownership.list_all_edges(EdgeType.CONSUMES), index.ownership.list_idle_reads())
    used = _get_data(index, np.concatenate([table.end for table in edges]).astype(np.int64))
    pairs = np.unique(used << 32 | np.concatenate([table.start for table in edges]))
    wanted = _get_data(index, nodes)
    counts: Longs = np.searchsorted(pairs >> 32, wanted, side="right") - np.searchsorted(pairs >> 32, wanted)
    return counts


def _get_data(index: LineageIndex, nodes: Longs) -> Longs:
    """The datasets of those of these assets that are columns, the others themselves."""
    columns = index.lineage.get_kinds(nodes.astype(np.int32)) == KIND_ORDER[AssetKind.COLUMN]
    found = nodes.copy()
    found[columns] = index.lineage.get_datasets(nodes[columns].astype(np.int32))
    return found


def _build_entry(index: LineageIndex, node: int, order: int) -> Entry:
    key = index.assets.get_key(node)
    return Entry(SortKey((order, KIND_ORDER[key.kind]), key.parts), node)


def _build_filter(live: LiveGraph, index: LineageIndex, text: str, scope: Scope) -> tuple[Callable[[Hits], Flags], bool]:
    """What keeps hits of the scope that have the quoted words; and whether more may have these."""
    chosen: list[list[int]] = []
    truncated = False
    if scope.owner is not None:
        chosen.append([*collect_owned_nodes(index, scope.owner)])
    if scope.tag is not None:
        chosen.append([*_find_tagged(index, scope.tag, scope.kinds)])
    for quoted in _QUOTED.findall(text):
        if words := parse_search_terms(quoted):
            keys = live.store.search(words, scope.kinds, _MAX_QUOTED)
            found = {node for key in keys if (node := index.assets.find_by_key(key)) is not None}
            chosen.append([*(found if index.as_of is None else _filter_stated(live, index, found, words))])
            truncated = truncated or len(keys) >= _MAX_QUOTED

    def filter_hits(hits: Hits) -> Flags:
        kept = np.ones(len(hits.nodes), np.bool_)
        if scope.domain is not None:
            kept &= Groups(index, hits.nodes.astype(np.int32)).is_in_domain(scope.domain) & (hits.nodes != scope.domain)
        for nodes in chosen:
            kept &= np.isin(hits.nodes, nodes)
        return kept

    return filter_hits, truncated


def explain_hits(live: LiveGraph, index: LineageIndex, text: str, nodes: Sequence[int]) -> list[list[WordMatch]]:
    """Why each of these assets was found: the best reason for each word of the text that it covers; last, if its name does not cover all
    words, that its vector is like that of the text.
    """
    words, synonyms = index.list_search_words(text), read_synonyms(live.store)
    texts, vectors = _read_words(live, index, nodes), find_vectors(live, index)
    found = []
    for node in nodes:
        reasons = {reason.word: reason for reason in index.explain_hit(text, node, synonyms)}
        for place, known in ((WordPlace.TEXT, texts.get(node, [])), (WordPlace.INHERITED, None)):
            if len(reasons) == len(words):
                break
            of_place = _read_inherited(live, index, node) if known is None else known
            for word in words:
                if word not in reasons and (one := _find_inflection(word, of_place)):
                    reasons[word] = WordMatch(word, one, Meaning.TEXT, place)
        because = [reasons[word] for word in words if word in reasons]
        if len(because) < len(words) and vectors is not None and index.is_near(text, node, vectors):
            because.append(WordMatch(" ".join(words), index.assets.get_key(node).parts[-1], Meaning.SIMILAR, WordPlace.NAME))
        found.append(because)
    return found


def _read_described(live: LiveGraph, index: LineageIndex, words: Sequence[str], kinds: Sequence[AssetKind]) -> dict[int, list[float]]:
    """The assets with any of these words in their titles, descriptions and tags: by word, how certainly it is meant.

    Of more than can be read the store chooses the best; for a viewer who may not see all, what is hidden must not choose.
    """
    forms = [form for word in words for form in list_inflections(word)]
    keys = live.store.search_texts(forms, kinds, _MAX_HIDDEN if index.is_restricted else _MAX_DESCRIBED)
    known = dict.fromkeys(node for key in sorted(keys) if (node := index.assets.find_by_key(key)) is not None)
    found = {}
    for node, texts in _read_words(live, index, [*known][:_MAX_DESCRIBED]).items():
        weights = [_OF_TEXT if _find_inflection(word, texts) else 0.0 for word in words]
        if any(weights):
            found[node] = weights
    return found


def _inherit_texts(index: LineageIndex, described: Mapping[int, list[float]]) -> dict[int, list[float]]:
    """The same with the columns into which the values of described columns flow unmasked, over a few steps between visible columns."""
    found = dict(described)
    near = {
        node: [weight / _OF_TEXT * _OF_INHERITED for weight in weights] for node, weights in described.items() if _is_column(index, node)
    }
    for _ in range(_INHERITED_STEPS):
        reached: dict[int, list[float]] = {}
        for start, end in _list_value_flows(index, near, Direction.DOWNSTREAM):
            weights = [max(pair) for pair in zip(near[start], reached.get(end, near[start]), strict=True)]
            known = found.get(end)
            if known is None or any(one > other for one, other in zip(weights, known, strict=True)):
                reached[end] = weights
            if len(reached) >= _MAX_INHERITED:
                break
        for end, weights in reached.items():
            found[end] = [max(pair) for pair in zip(weights, found.get(end, weights), strict=True)]
        near = reached
    return found


def _read_inherited(live: LiveGraph, index: LineageIndex, node: int) -> list[str]:
    """The words of the texts that a column inherits, the nearest first."""
    seen = {node}
    near = {node} if _is_column(index, node) else set()
    words: list[str] = []
    for _ in range(_INHERITED_STEPS):
        near = {start for start, _ in _list_value_flows(index, near, Direction.UPSTREAM)} - seen
        seen |= near
        words += [word for known in _read_words(live, index, sorted(near)[:_MAX_DESCRIBED]).values() for word in known]
    return words


def _list_value_flows(index: LineageIndex, columns: Collection[int], direction: Direction) -> list[tuple[int, int]]:
    """(start, end) of the flows of values, unmasked, that begin (downstream) or end (upstream) at these columns."""
    if not columns:
        return []
    flows = index.lineage.list_flows_near(np.array(sorted(columns), np.int32), direction)
    flows = flows.filter((flows.reach == Reach.DIRECT) & ~flows.masking)
    pairs = zip(flows.start.tolist(), flows.end.tolist(), strict=True)
    return sorted(
        {pair for pair in pairs if pair[direction is Direction.UPSTREAM] in columns and all(_is_column(index, one) for one in pair)}
    )


def _is_column(index: LineageIndex, node: int) -> bool:
    return index.assets.get_kind(node) is AssetKind.COLUMN


def _read_words(live: LiveGraph, index: LineageIndex, nodes: Sequence[int]) -> dict[int, list[str]]:
    """The words of the titles, descriptions and tags of these assets."""
    attributes = zip(nodes, read_attributes(live, index, nodes), strict=True)
    return {node: [word for row in known.rows for word in list_attribute_words({row.attribute: row.value})] for node, known in attributes}


def _find_inflection(word: str, words: Sequence[str]) -> str | None:
    """The first of these words that is the word in some form."""
    forms = list_inflections(word)
    return next((known for known in words if known in forms), None)


def _filter_stated(live: LiveGraph, index: LineageIndex, nodes: Iterable[int], words: Sequence[str]) -> set[int]:
    """The nodes that the words matched at the time of the index: in a name, or in what one source stated about them."""
    found = {node for node in nodes if any(_match_words(words, list_key_words(key)) for key in index.assets.list_names(node, former=True))}
    rest = sorted(set(nodes) - found)
    for node, known in zip(rest, read_attributes(live, index, rest), strict=True):
        texts: dict[int, list[str]] = {}
        for row in known.rows:
            texts.setdefault(row.scope_id, []).extend(list_attribute_words({row.attribute: row.value}))
        if any(_match_words(words, text) for text in texts.values()):
            found.add(node)
    return found


def _match_words(terms: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(term) for word in words) for term in limit_terms(terms))


def _find_tagged(index: LineageIndex, tag: str, kinds: Sequence[AssetKind]) -> set[int]:
    """The listed assets of these kinds (empty: of all) that have a tag, as `_filter_tagged` compares them."""
    wanted, equals, _ = (part.casefold() for part in tag.partition("="))

    def is_wanted(tags: frozenset[str]) -> bool:
        return any(known.casefold() == tag.casefold() if equals else known.casefold().partition("=")[0] == wanted for known in tags)

    nodes = index.assets.survey().find_tagged(is_wanted).tolist()
    return {node for node in nodes if is_listed(index, node) and (not kinds or index.assets.get_kind(node) in kinds)}


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


def suggest_assets(index: LineageIndex, text: str, first: int, limits: Limits = UNLIMITED) -> list[int]:
    """The first assets that a text that is being typed may mean, the best first, by any of their names; reads no store.

    Exact names first, then names that end with its parts, then beginnings of names, then names that end with its parts but for the end of
    the last, then names in which all words of the text begin words, then the rest; by kind, the shorter names first, then by name.
    `customers.em` is the columns of `customers` that begin with `em` before any other. Assets and mere steps are left out as by
    `search_assets`.
    """
    found: list[int] = []
    seen: set[int] = set()
    for node, rank in index.iterate_suggestions(text, first) if first else ():
        if len(seen) % _STEP == 0:
            limits.check_deadline()
        if node not in seen:
            seen.add(node)
            if is_listed(index, node) and (rank <= _LAST_PART or not _is_mere_step(index, node)):
                found.append(node)
                if len(found) == first:
                    break
    return found


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
    ordered = index.sort_once((kind, order), partial(_sort_assets, index, kind, order))

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
