"""The search for words in names, titles, descriptions and tags, and suggestions while a name is typed."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.results import RANKS, Flags, Hits, Ints, Prepared, RankedRows, WordMatch
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.naming import parse_search_terms
from meshline.graph.queries.asset_lists import is_listed
from meshline.graph.queries.groups import Groups
from meshline.graph.queries.learned_synonyms import read_all_synonyms
from meshline.graph.queries.owned_assets import collect_owned_nodes
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Entry, Limits, Page, SortKey, build_page
from meshline.graph.queries.search_texts import filter_stated, find_inflection, inherit_texts, read_described, read_inherited, read_words
from meshline.graph.word_forms import Meaning, WordPlace

MAX_FOUND = 1_000  # assets that one search ranks
_MAX_QUOTED = 10_000  # assets with the quoted words of a text
_MOST_USED = 7  # above this logarithm of its users an asset is not placed before others
_STEP = 256  # suggestions between two checks of the deadline
_LAST_PART = 1  # the rank of an asset if the searched text is the last part of its name
_QUOTED = re.compile(r'"([^"]*)"')


class VectorUse(enum.Enum):
    """Whether a search used the vectors of names."""

    OFF = "OFF"  # no model is chosen, or nothing is compared
    PREPARING = "PREPARING"  # many names have none yet, or the question has not, so words alone decided
    UNAVAILABLE = "UNAVAILABLE"  # the server of the model does not make them, so words alone decided
    PARTIAL = "PARTIAL"  # used, but there is no room for those of all names
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
    vectors, use = choose_vectors(live, index, text) if words else (None, VectorUse.OFF)
    described = inherit_texts(index, read_described(live, index, words, scope.kinds)) if words else {}
    hits: Hits | RankedRows
    if words:
        hits = index.search_names(text, scope.kinds, described, read_all_synonyms(live, index), vectors)
    else:
        hits = Hits.build_equal(np.array(sorted(_find_tagged(index, scope.tag, scope.kinds)) if scope.tag else [], np.int64))
    filter_hits, truncated = _build_filter(live, index, text, scope)
    best, left = choose_best(index, hits, MAX_FOUND, filter_hits)
    truncated = truncated or left
    best = _order_ties(index, best)
    entries = (_build_entry(index, node, order) for order, node in index.iterate_hits(best, first))
    page = build_page(entries if after is None else _skip_entries(list(entries), after), first)
    return SearchResult(page, truncated, len(best.nodes), use)


def choose_vectors(live: LiveGraph, index: LineageIndex, text: str) -> tuple[NameVectors | None, VectorUse]:
    """The vectors of names, if a search of an index for a text can use them, and whether it can: there is a model, all visible names have
    theirs as far as there is room, and the text has its own (`NameVectors.prepare_questions`).
    """
    vectors = live.vectors
    if vectors is None:
        return None, VectorUse.OFF
    prepared = index.prepare_vectors(vectors)
    if not (asked := vectors.has_question(text)):
        vectors.request_question(text)
    if prepared is Prepared.NOT_YET or not asked:
        return None, VectorUse.UNAVAILABLE if vectors.model.problem else VectorUse.PREPARING
    return vectors, VectorUse.PARTIAL if prepared is Prepared.IN_PART else VectorUse.USED


def _skip_entries(entries: Sequence[Entry], after: SortKey) -> Iterable[Entry]:
    """The entries behind that of a cursor: equal hits are in the order of the words of their names, which is not that of their keys.

    If the asset of the cursor is not found any more, its key decides.
    """
    place = next((place for place, entry in enumerate(entries) if entry.key == after), None)
    return (entry for entry in entries if entry.key > after) if place is None else entries[place + 1 :]


def choose_best(
    index: LineageIndex, hits: Hits | RankedRows, most: int, filter_hits: Callable[[Hits], Flags] | None = None
) -> tuple[Hits, bool]:
    """The best of the hits that are listed and that a filter keeps, and whether more are. Looks at others only as far as it needs to."""
    size = most + 1
    while True:
        best = hits.keep_best(size)
        kept = _mark_found(index, best)
        if filter_hits is not None:
            kept &= filter_hits(best)
        found = best.keep(kept).keep_distinct()
        if len(found.nodes) > most or len(best.rows) == len(hits.rows):
            return found.keep_best(most), len(found.nodes) > most
        size *= 4


def _mark_found(index: LineageIndex, hits: Hits) -> Flags:
    """Which of these are listed, and no mere steps but for those with the name that is searched."""
    found = index.mark_found(hits)
    places = np.flatnonzero(found & (hits.orders > RANKS * _LAST_PART))
    found[places] = ~index.compute_once(_mark_mere_steps, partial(_mark_mere_steps, index))[hits.nodes[places]]
    return found


def _order_ties(index: LineageIndex, hits: Hits) -> Hits:
    """The same hits, of equal ones those first that are used more: by the logarithm of their users, up to a bound."""
    users = index.compute_once(_count_users, partial(_count_users, index))[index.lineage.get_datasets(hits.nodes)]
    used = np.minimum(np.log2(1 + users).astype(np.int32), _MOST_USED)
    return hits._replace(orders=hits.orders * (_MOST_USED + 1) + _MOST_USED - used)


def _count_users(index: LineageIndex) -> Ints:
    """Int array by node: how many consumers, and jobs that write nothing, use the asset or a column of it."""
    edges = (index.ownership.list_all_edges(EdgeType.CONSUMES), index.ownership.list_idle_reads())
    used = index.lineage.get_datasets(np.concatenate([table.end for table in edges]).astype(np.int64))
    pairs = np.unique(used << 32 | np.concatenate([table.start for table in edges]))
    return np.bincount(pairs >> 32, minlength=index.changes.count_nodes()).astype(np.int32)


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
            chosen.append([*(found if index.as_of is None else filter_stated(live, index, found, words))])
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
    words, synonyms = index.list_search_words(text), read_all_synonyms(live, index)
    texts, (vectors, _) = read_words(live, index, nodes), choose_vectors(live, index, text)
    found = []
    for node in nodes:
        reasons = {reason.word: reason for reason in index.explain_hit(text, node, synonyms)}
        for place, known in ((WordPlace.TEXT, texts.get(node, [])), (WordPlace.INHERITED, None)):
            if len(reasons) == len(words):
                break
            of_place = read_inherited(live, index, node) if known is None else known
            for word in words:
                if word not in reasons and (one := find_inflection(word, of_place)):
                    reasons[word] = WordMatch(word, one, Meaning.TEXT, place)
        because = [reasons[word] for word in words if word in reasons]
        if len(because) < len(words) and vectors is not None and index.is_near(text, node, vectors):
            because.append(WordMatch(" ".join(words), index.assets.get_key(node).parts[-1], Meaning.SIMILAR, WordPlace.NAME))
        found.append(because)
    return found


def _find_tagged(index: LineageIndex, tag: str, kinds: Sequence[AssetKind]) -> set[int]:
    """The listed assets of these kinds (empty: of all) that have a tag, as `_filter_tagged` compares them."""
    wanted, equals, _ = (part.casefold() for part in tag.partition("="))

    def is_wanted(tags: frozenset[str]) -> bool:
        return any(known.casefold() == tag.casefold() if equals else known.casefold().partition("=")[0] == wanted for known in tags)

    nodes = index.assets.survey().find_tagged(is_wanted).tolist()
    return {node for node in nodes if is_listed(index, node) and (not kinds or index.assets.get_kind(node) in kinds)}


def _mark_mere_steps(index: LineageIndex) -> Flags:
    """Boolean array by node: the jobs within others that contain no job and neither read nor write. dbt reports each SQL
    statement as one.
    """
    link = index.ownership.mark_linked
    steps = link(EdgeType.PART_OF) & ~link(EdgeType.PART_OF, incoming=True) & ~link(EdgeType.READS) & ~link(EdgeType.WRITES)
    jobs = np.flatnonzero(steps).astype(np.int32)
    steps[jobs[index.lineage.get_kinds(jobs) != KIND_ORDER[AssetKind.JOB]]] = False
    return steps


def _is_mere_step(index: LineageIndex, node: int) -> bool:
    return bool(index.compute_once(_mark_mere_steps, partial(_mark_mere_steps, index))[node])


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
