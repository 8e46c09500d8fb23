"""How well search finds assets by their own descriptions, when it may look at names only: what a mesh's names are worth to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.embedding_server import BATCH_SECONDS
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.learned_synonyms import read_all_synonyms
from meshline.graph.queries.pages import UNLIMITED, Limits
from meshline.graph.queries.search import choose_best, choose_vectors

KINDS = (AssetKind.DATASET, AssetKind.COLUMN, AssetKind.DATA_PRODUCT)
FIRST = 10
_STEP = 500  # assets whose descriptions are read at once
_LEAST_WORDS = 2  # of a description that is asked for


class Evaluation(NamedTuple):
    """Of one kind. `asked`: descriptions; `found`: how many of their assets are among the first ten results; `reciprocal`: the mean of
    1 / place, 0 for those that are not. `missed`: some descriptions whose asset was not found, with its node.
    """

    kind: AssetKind
    with_vectors: bool
    asked: int
    found: int
    reciprocal: float
    missed: tuple[tuple[str, int], ...]


def evaluate_search(live: LiveGraph, index: LineageIndex, most: int, limits: Limits = UNLIMITED) -> list[Evaluation]:
    """Ask for the first sentence of up to `most` descriptions of each kind, chosen alike each time, and look for their assets.

    If the graph has vectors, each kind is asked for without them, then with them, which are made first. Raises LimitExceeded when the
    deadline is over.
    """
    live.prepare_vectors()
    live.prepare_titles()
    found = []
    for kind in KINDS:
        questions = _choose_described(live, index, kind, most, limits)
        vectors = None
        if questions and live.vectors is not None:
            live.vectors.prepare_questions([sentence for sentence, _ in questions], BATCH_SECONDS)
            vectors = choose_vectors(live, index, questions[0][0])[0]
        compared = dict.fromkeys((None, vectors))
        found += [_evaluate_kind(live, index, kind, questions, limits, vectors) for vectors in compared]
    return found


def _choose_described(live: LiveGraph, index: LineageIndex, kind: AssetKind, most: int, limits: Limits) -> list[tuple[str, int]]:
    nodes = np.random.default_rng(0).permutation(np.array(index.assets.list_of_kind(kind), np.int64)).tolist()
    found: list[tuple[str, int]] = []
    for begin in range(0, len(nodes), _STEP):
        limits.check_deadline()
        some = nodes[begin : begin + _STEP]
        for node, known in zip(some, read_attributes(live, index, some), strict=True):
            sentence = (known.find_text("description") or "").partition(". ")[0].strip()
            if len(index.list_search_words(sentence)) >= _LEAST_WORDS:
                found.append((sentence, node))
        if len(found) >= most:
            break
    return found[:most]


def _evaluate_kind(
    live: LiveGraph, index: LineageIndex, kind: AssetKind, questions: list[tuple[str, int]], limits: Limits, vectors: NameVectors | None
) -> Evaluation:
    places: list[int | None] = []
    for sentence, node in questions:
        limits.check_deadline()
        hits = index.search_names(sentence, (kind,), {}, read_all_synonyms(live, index), vectors)
        best = (found for _, found in index.iterate_hits(choose_best(index, hits, FIRST)[0], FIRST))
        places.append(next((place for place, found in zip(range(1, FIRST + 1), best, strict=False) if found == node), None))
    missed = tuple(question for question, place in zip(questions, places, strict=True) if place is None)
    reciprocal = sum(1 / place for place in places if place) / max(len(places), 1)
    return Evaluation(kind, vectors is not None, len(places), len(places) - len(missed), reciprocal, missed[:FIRST])
