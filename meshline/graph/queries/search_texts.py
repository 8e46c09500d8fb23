"""Which assets a search finds by titles, descriptions and tags: their own, and those of the columns from which their values come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Direction, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.queries.assets import read_attributes
from meshline.graph.store.search_words import limit_terms, list_attribute_words, list_key_words
from meshline.graph.word_forms import list_inflections

_MAX_DESCRIBED = 200  # assets that are found by their titles, descriptions and tags
_OF_TEXT = 0.6  # how certainly a word of a title, description or tag means the same word of the searched text
_OF_INHERITED = 0.3  # the same, of the text of a column from which the values of a column come
_INHERITED_STEPS = 3  # flows over which a column inherits texts
_MAX_INHERITED = 2_000  # columns that inherit those of one search
_MAX_HIDDEN = 100_000  # assets with the words of a text, of which a viewer may see some


def read_described(live: LiveGraph, index: LineageIndex, words: Sequence[str], kinds: Sequence[AssetKind]) -> dict[int, list[float]]:
    """The assets with any of these words in their titles, descriptions and tags: by word, how certainly it is meant.

    Of more than can be read the store chooses the best; for a viewer who may not see all, what is hidden must not choose.
    """
    forms = [form for word in words for form in list_inflections(word)]
    keys = live.store.search_texts(forms, kinds, _MAX_HIDDEN if index.is_restricted else _MAX_DESCRIBED)
    known = dict.fromkeys(node for key in sorted(keys) if (node := index.assets.find_by_key(key)) is not None)
    found = {}
    for node, texts in read_words(live, index, [*known][:_MAX_DESCRIBED]).items():
        weights = [_OF_TEXT if find_inflection(word, texts) else 0.0 for word in words]
        if any(weights):
            found[node] = weights
    return found


def inherit_texts(index: LineageIndex, described: Mapping[int, list[float]]) -> dict[int, list[float]]:
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


def read_inherited(live: LiveGraph, index: LineageIndex, node: int) -> list[str]:
    """The words of the texts that a column inherits, the nearest first."""
    seen = {node}
    near = {node} if _is_column(index, node) else set()
    words: list[str] = []
    for _ in range(_INHERITED_STEPS):
        near = {start for start, _ in _list_value_flows(index, near, Direction.UPSTREAM)} - seen
        seen |= near
        words += [word for known in read_words(live, index, sorted(near)[:_MAX_DESCRIBED]).values() for word in known]
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


def read_words(live: LiveGraph, index: LineageIndex, nodes: Sequence[int]) -> dict[int, list[str]]:
    """The words of the titles, descriptions and tags of these assets."""
    attributes = zip(nodes, read_attributes(live, index, nodes), strict=True)
    return {node: [word for row in known.rows for word in list_attribute_words({row.attribute: row.value})] for node, known in attributes}


def find_inflection(word: str, words: Sequence[str]) -> str | None:
    """The first of these words that is the word in some form."""
    forms = list_inflections(word)
    return next((known for known in words if known in forms), None)


def filter_stated(live: LiveGraph, index: LineageIndex, nodes: Iterable[int], words: Sequence[str]) -> set[int]:
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
