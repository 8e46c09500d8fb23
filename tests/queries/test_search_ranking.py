"""The ranking of search, compared with a plain reading of its definition: asset by asset, word by word, in whole and restricted indexes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.index.arrays import COLUMN, DATASET
from meshline.graph.index.kernels.score import RANKS, STEPS
from meshline.graph.index.name_search import LEAST_COVERAGE, LENGTH, OF_COLUMN, OF_MEMBER, OF_OTHERS, OF_PATH, NameSearch
from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.results import Flags
from meshline.graph.index.suggestions import BY_SOME
from meshline.graph.index.vocabulary import find_match
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, build_dataset_key
from meshline.graph.queries.search import choose_best
from meshline.graph.store.synonyms import NO_SYNONYMS
from meshline.graph.word_forms import split_name
from tests.queries import mesh
from tests.sizes import count_examples

WORDS = ("customer", "customers", "cust", "order", "ord", "email", "date", "of", "birth", "dob", "total", "net", "amount", "amt", "7")
SHORTEST = 1.5
STRONG = 70  # the level from which on a word of a column counts for its dataset
NEAR = 2  # steps of the score that single precision may differ by


class Reference:
    """The ranking of one index by its definition, over the assets that count."""

    def __init__(self, index: LineageIndex, search: NameSearch, counted: Flags) -> None:
        self.search, self.tables = search, index._tables
        self.names, self.nodes = search._names, self.tables.nodes
        self.counted = counted.tolist()
        rows = range(len(self.counted)) if all(self.counted) else [node for node, seen in enumerate(self.counted) if seen]
        texts = {int(of_nodes[row]) for row in rows for of_nodes in (self.names.name, self.names.context)}
        self.words = {number: self.split(self.tables.get_text(number)) for number in texts}

    @staticmethod
    def split(name: str) -> dict[str, float]:
        path, _, last = name.replace("/", ".").rpartition(".")
        return {**dict.fromkeys(split_name(path), OF_PATH), **dict.fromkeys(split_name(last), 1.0)}

    def compute_orders(self, text: str) -> dict[int, int]:
        """By own node in use."""
        shown = None if all(self.counted) else self.search.mark_shown(np.array(self.counted))
        question = self.search._read(text, NO_SYNONYMS, shown)
        levels = [
            {
                number: max(
                    (round(find_match(matches, self.search._vocabulary.add(word))[0] * share * 100) for word, share in words.items()),
                    default=0,
                )
                for number, words in self.words.items()
            }
            for matches in question.matches
        ]
        counts = [sum((level / 100) ** 2 for level in of_word.values()) for of_word in levels]
        worth = [math.log1p((len(self.words) - count + 0.5) / (count + 0.5)) if count else None for count in counts]
        known = [one for one in worth if one is not None]
        mean = sum(known) / len(known) if known else 1.0
        weights = [mean if one is None else one for one in worth]
        size = sum(sum(words.values()) for words in self.words.values()) / len(self.words)
        ranks = self.search._suggestions.rank(text)
        in_use = self.search.mark_current(np.arange(len(self.counted)))
        found = {}
        for row in np.flatnonzero(in_use & self.counted).tolist():
            name, context = int(self.names.name[row]), int(self.names.context[row])
            share = OF_COLUMN if self.nodes.kind[row] == COLUMN else OF_OTHERS
            columns = self.list_columns(row, in_use) if self.nodes.kind[row] == DATASET else []
            score = 0.0
            for of_word, weight in zip(levels, weights, strict=True):
                strong = [of_word[int(self.names.name[column])] for column in columns]
                strong = [level for level in strong if level >= STRONG]
                best = max(of_word[name], share * of_word[context], OF_MEMBER * max(strong, default=0))
                score += best / 100 * weight
            coverage = score / sum(weights)
            tier = int(ranks.rank(self.names, np.array([row]))[0])
            if coverage >= LEAST_COVERAGE * min(1, 3 / len(weights)) or tier < BY_SOME:
                shortness = min(SHORTEST, size / max(sum(self.words[name].values()), OF_PATH))
                factor = math.sqrt((1 - LENGTH + LENGTH * shortness) / (1 - LENGTH + LENGTH * SHORTEST))
                found[row] = tier * RANKS + (0 if tier <= 2 else STEPS - int(min(coverage * factor * STEPS, STEPS)))
        return found

    def list_columns(self, dataset: int, in_use: Flags) -> list[int]:
        of_columns = np.flatnonzero(self.nodes.kind[: len(self.counted)] == COLUMN).tolist()
        return [row for row in of_columns if self.nodes.part1[row] == dataset and in_use[row] and self.counted[row]]


def draw_mesh(random: Random) -> LiveGraph:
    def draw_name(most: int) -> str:
        return random.choice("_-").join(random.choice(WORDS) for _ in range(random.randint(1, most)))

    tables = {f"{draw_name(1)}.{draw_name(2)}": {draw_name(4) for _ in range(random.randint(0, 5))} for _ in range(8)}
    return mesh.build_graph(*(mesh.build_schema_statement(build_dataset_key("wh", name), *columns) for name, columns in tables.items()))


@pytest.fixture(params=range(count_examples(8)))
def drawn(request: pytest.FixtureRequest) -> Iterator[tuple[LiveGraph, Random]]:
    random = Random(request.param)
    graph = draw_mesh(random)
    yield graph, random
    graph.store.close()


def test_ranking_is_as_defined(drawn: tuple[LiveGraph, Random]) -> None:
    graph, random = drawn
    whole = graph.index
    search = whole._name_search
    graph.prepare_names()
    nodes = np.arange(whole.changes.count_nodes())
    data = np.where(whole._tables.nodes.kind[nodes] == COLUMN, whole._tables.nodes.part1[nodes], nodes)
    seen = np.array([random.random() < 0.6 for _ in nodes])[data]
    sizes = []
    for index, counted in ((whole, np.ones(len(nodes), np.bool_)), (RestrictedIndex(whole, seen), seen)):
        reference = Reference(whole, search, counted)
        for _ in range(6):
            text = " ".join(random.choice(WORDS) for _ in range(random.randint(1, 4)))
            hits, _ = choose_best(index, index.search_names(text, (), {}), len(nodes))
            found = dict(zip(hits.rows.tolist(), hits.orders.tolist(), strict=True))
            expected = reference.compute_orders(text)
            assert found.keys() == expected.keys()
            assert all(abs(found[row] - expected[row]) <= NEAR for row in found), (text, found, expected)
            sizes.append(len(found))
    assert len(set(sizes)) > 1


def test_a_hidden_name_does_not_change_what_a_word_may_abbreviate() -> None:
    """`cstmr` means `customer` unless a name is `cstmr` itself: of names that the caller does not see he would learn that they exist."""
    tables = [mesh.build_schema_statement(build_dataset_key("wh", name), "id") for name in ("shop.customer", "shop.cstmr")]
    graph = mesh.build_graph(*tables)
    whole = graph.index
    nodes = np.arange(whole.changes.count_nodes())
    hidden = whole.assets.find_by_key(build_dataset_key("wh", "shop.cstmr"))
    own = np.where(whole._tables.nodes.kind[nodes] == COLUMN, whole._tables.nodes.part1[nodes], nodes)
    restricted = RestrictedIndex(whole, own != hidden)
    for index, expected in ((whole, {"shop.cstmr"}), (restricted, {"shop.customer"})):
        hits, _ = choose_best(index, index.search_names("cstmr", (), {}), len(nodes))
        found = {index.assets.get_key(node) for node in hits.nodes.tolist()}
        assert {key.name for key in found if key.kind is AssetKind.DATASET} == expected
        explained = [index.explain_hit("cstmr", node) for node in hits.nodes.tolist()]
        assert all(explained)
    graph.store.close()
