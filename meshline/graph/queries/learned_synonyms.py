"""Synonyms that searches learn from the titles of a mesh, of the assets that the caller may see and no others.

A pair (`meshline.graph.index.title_pairs`) is learned if at least three tables have it, and if of all tables that have another term in
place of this word at least half have this one: a word that means something else in each table means nothing by itself.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Hits
from meshline.graph.index.title_pairs import FEW, Pair
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey
from meshline.graph.store.synonyms import Synonyms, read_learning_rules, read_synonyms
from meshline.graph.word_forms import find_stem, strip_accents

LEAST_TABLES = 3
_LEAST_SHARE = 0.5  # of the tables that have a word in a name and another term in its place


class LearnedPair(NamedTuple):
    """A word of names, and the term that titles have in its place, as stems. `example`: a dataset or column with such a title; `written`:
    the pair as it is there.
    """

    word: str
    term: tuple[str, ...]
    tables: int
    example: AssetKey
    written: Pair


def read_all_synonyms(live: LiveGraph, index: LineageIndex) -> Synonyms:
    """The synonyms that mesh files state, and those that are learned; of an index of the past, only the first.

    Raises StoreUnavailable, StoreCorrupt.
    """
    stated = read_synonyms(live.store)
    if index.as_of is not None or not read_learning_rules(live.store).wanted:
        return stated
    found: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for pair in learn_synonyms(live, index):
        found[pair.term].append(pair.word)
        if len(pair.term) == 1:
            found[pair.word,].append(pair.term[0])
    return stated._replace(learned={term: tuple(words) for term, words in found.items()})


def learn_synonyms(live: LiveGraph, index: LineageIndex) -> list[LearnedPair]:
    """What is learned from the titles of the assets of an index, what most tables have first; without what a mesh file refuses or states.

    Raises StoreUnavailable, StoreCorrupt.
    """
    live.titles.prepare(FEW)
    learned = index.compute_once(("learned", live.titles.generation), partial(_learn, live, index))
    refused, stated = read_learning_rules(live.store).refused, read_synonyms(live.store).stated
    known = {(find_stem(strip_accents(word)), term) for term, words in stated.items() for word in words}
    return [pair for pair in learned if ((pair.word,), pair.term) not in refused and (pair.word, pair.term) not in known]


def _learn(live: LiveGraph, index: LineageIndex) -> list[LearnedPair]:
    titled = index.find_titled(live.titles, LEAST_TABLES)
    nodes = index.lineage.get_representatives(titled.node.astype(np.int32)).astype(np.int64)
    shown = np.flatnonzero(index.mark_found(Hits(nodes, titled.node, np.zeros(len(nodes), np.int32))))
    if not len(shown):
        return []
    numbers = {word: number for number, word in enumerate(dict.fromkeys(pair.word for pair in titled.pairs))}
    words = np.array([numbers[pair.word] for pair in titled.pairs], np.int64)
    pairs, tables = titled.pair[shown].astype(np.int64), index.lineage.get_datasets(nodes[shown])
    of_pair = np.bincount(np.unique(pairs << 32 | tables) >> 32, minlength=len(titled.pairs))
    of_word = np.bincount(np.unique(words[pairs] << 32 | tables) >> 32, minlength=len(numbers))
    least = np.maximum(LEAST_TABLES, of_word[words] * _LEAST_SHARE)
    found = [
        LearnedPair(pair.word, pair.term, int(of_pair[number]), *min(titled.places[row] for row in shown[pairs == number].tolist()))
        for number in np.flatnonzero(of_pair >= least).tolist()
        for pair in [titled.pairs[number]]
    ]
    return sorted(found, key=lambda pair: (-pair.tables, pair.word, pair.term))
