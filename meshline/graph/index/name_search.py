"""Search by the words of names: every asset that covers enough of a question, ranked by how much of it its name covers.

Names that contain all words of the question come first, by the ranks of suggestions. The rest is ranked by coverage: the sum over the
words of the question of (how certainly a word of the name means it) x (how rare that is), divided by that of a name that has them all.
A word and its abbreviations count once, since they are one group (BM25 with the document frequency of the group; Robertson and
Zaragoza, The Probabilistic Relevance Framework, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, I64
from meshline.graph.index.asset_names import AssetNames
from meshline.graph.index.index_tables import IndexTables, list_positions
from meshline.graph.index.results import RANKS, STEPS, Flags, Hits, Ints, WordMatch
from meshline.graph.index.suggestions import BY_SOME, Ranks, Suggestions
from meshline.graph.index.vocabulary import F32, Matches, Vocabulary, find_match
from meshline.graph.word_forms import select_content, split_name, split_question

MOST_WORDS = 40  # words of a question that count
LEAST_COVERAGE = 0.05
OF_COLUMN, OF_OTHERS = 0.8, 0.3  # what a word of the dataset's name counts for a column; a word of the namespace for others
LENGTH = 0.7  # how much longer names count less
KINDS = 64  # more than there are kinds
_SHORT = 1.5  # a name with this many times fewer words than usual counts as the shortest do
_RUN_WORDS = 5  # consecutive words that an acronym may stand for
_RECENT = 4096  # words of names that are not sorted in yet
_BEGINNING = 2  # up to this rank only the kind and the name count


class _Question(NamedTuple):
    words: list[str]  # that count
    matches: list[list[Matches]]  # by word, then by what it, or it with its neighbours, may mean


class NameSearch:
    """Finds assets of one index by words of names. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables, names: AssetNames, suggestions: Suggestions) -> None:
        self._tables, self._names, self._suggestions = tables, names, suggestions
        self._vocabulary = Vocabulary()
        self._done = 0  # how many of the used texts have their words in the vocabulary
        self._words: Ints = np.empty(0, np.int32)  # words of names, sorted
        self._texts: Ints = np.empty(0, np.int32)  # the text of the name of each
        self._recent: list[tuple[int, int]] = []  # (word, text) that are not sorted in yet
        self._sizes: Ints = np.empty(0, np.int32)  # by text: how many words it has as a name

    def prepare(self) -> None:
        """Follow the index, so that the next question need not."""
        self._follow()

    def mark_texts(self, visible: Flags) -> Flags:
        """Which texts of names (by number) are of visible assets, or of the datasets and namespaces of these. `visible`: by node."""
        self._follow()
        shown = np.zeros(self._names.texts, np.bool_)
        n = min(len(visible), self._names.nodes)
        for texts in (self._names.name[:n], self._names.context[:n]):
            shown[texts[visible[:n]]] = True
        return shown

    def find(
        self,
        text: str,
        kinds: Sequence[int] = (),
        texts: Mapping[int, Sequence[float]] | None = None,
        shown: Flags | None = None,
    ) -> Hits:
        """The assets that a text finds. `kinds`: numbers of kinds, empty for all.

        `texts`: for representatives, how certainly something else than a name (a description) means each of `list_words(text)`, 0 to 1.
        `shown`: the texts of names that count for how rare a word is (`mark_texts`), if not all do; of assets with others, none is right.
        """
        self._follow()
        question = self._read(text)
        if not question.words:
            return Hits.build_equal(np.empty(0, np.int64))
        ranks = self._suggestions.rank(text)
        by_word = [self._weigh_names(matches) for matches in question.matches]
        if shown is not None:
            by_word = [np.where(shown, weights, np.float32(0)) for weights in by_word]
        worth = self._weigh_words(by_word, self._done if shown is None else int(np.count_nonzero(shown)))
        rows = self._select(ranks, by_word, worth, kinds, texts or {})
        coverage = self._compute_coverage(rows, by_word, worth, texts or {})
        tiers = ranks.rank(self._names, rows)
        factor = self._compute_factor(self._names.name[rows], shown)
        missing = np.where(tiers <= _BEGINNING, 0, STEPS - np.minimum(coverage * factor * STEPS, STEPS).astype(np.int32))
        kept = (coverage >= _compute_least(len(worth))) | (tiers < BY_SOME)
        rows, orders = rows[kept], (tiers * RANKS + missing)[kept].astype(np.int32)
        nodes = self._tables.nodes.rep[rows].astype(np.int64)
        best = np.lexsort((rows, orders, nodes))
        best = best[np.diff(nodes[best], prepend=-1) != 0]
        return Hits(nodes[best], rows[best], orders[best])

    def _select(
        self, ranks: Ranks, by_word: Sequence[F32], worth: Sequence[float], kinds: Sequence[int], texts: Mapping[int, Sequence[float]]
    ) -> I64:
        """The assets that may cover enough: not fewer than those that do. A word counts twice that is in a name and in its context."""
        nodes, n = self._tables.nodes, self._names.nodes
        total = np.zeros(self._names.texts, np.float32)
        for weights, one in zip(by_word, worth, strict=True):
            total += weights * np.float32(one)
        name = self._names.name[:n]
        bound = total[name] + total[self._names.context[:n]] * np.float32(max(OF_COLUMN, OF_OTHERS))
        chosen = (bound >= _compute_least(len(worth)) * sum(worth)) | (ranks.by_name < BY_SOME)[name]
        chosen[ranks.columns] = True
        if texts:
            chosen |= self._mark(texts)[nodes.rep[:n]]
        if kinds:
            chosen &= np.isin(nodes.kind[:n], kinds)
        return self._names.keep_stated(self._names.keep_current(np.flatnonzero(chosen)))

    def _mark(self, nodes: Iterable[int]) -> Flags:
        """By node: whether it is among these."""
        marked = np.zeros(self._names.nodes, np.bool_)
        marked[list(nodes)] = True
        return marked

    def _compute_coverage(self, rows: I64, by_word: Sequence[F32], worth: Sequence[float], texts: Mapping[int, Sequence[float]]) -> F32:
        """How much of the question each of these assets covers, from 0 to 1."""
        name, context = self._names.name[rows], self._names.context[rows]
        share = np.where(self._tables.nodes.kind[rows] == COLUMN, np.float32(OF_COLUMN), np.float32(OF_OTHERS))
        coverage = np.zeros(len(rows), np.float32)
        reps = self._tables.nodes.rep[rows]
        described = np.flatnonzero(self._mark(texts)[reps])
        for i, (weights, one) in enumerate(zip(by_word, worth, strict=True)):
            of_word = np.maximum(weights[name], share * weights[context])
            for row in described.tolist():
                of_word[row] = max(of_word[row], texts[int(reps[row])][i])
            coverage += of_word * np.float32(one)
        found: F32 = coverage / np.float32(max(sum(worth), 1e-9))
        return found

    def iterate(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        """(order, representative) of hits: the best first, equal ones by kind and name. `first`: about how many are wanted."""
        groups = hits.orders.astype(np.int64) * KINDS + self._tables.nodes.kind[hits.rows]
        for group in np.unique(groups).tolist():
            for row in self._names.iterate_sorted(hits.rows[groups == group], first):
                yield group // KINDS, int(self._tables.nodes.rep[row])

    def list_words(self, text: str) -> list[str]:
        """The words of a text by which assets are found."""
        return select_content(split_question(text))[:MOST_WORDS]

    def explain(self, text: str, own: int) -> list[WordMatch]:
        """For each word of the text that the name of an asset covers, or that of its dataset or namespace: the best reason."""
        self._follow()
        question = self._read(text)
        numbers = [(int(self._names.name[own]), False), (int(self._names.context[own]), True)]
        known = [(word, of_context) for number, of_context in numbers for word in split_name(self._tables.get_text(number))]
        found = []
        for word, matches in zip(question.words, question.matches, strict=True):
            reasons = [
                (weight * (OF_COLUMN if of_context else 1.0), WordMatch(word, of_name, meaning, of_context))
                for of_name, of_context in known
                for weight, meaning in [find_match(matches, self._vocabulary.add(of_name))]
                if weight
            ]
            if reasons:
                found.append(max(reasons, key=lambda reason: reason[0])[1])
        return found

    def _read(self, text: str) -> _Question:
        """What the words of a text may mean, alone and with their neighbours."""
        words = split_question(text)
        content = self.list_words(text)
        matches = {word: [self._vocabulary.find(word)] for word in content}
        words = words[: 2 * MOST_WORDS]
        for length in range(2, _RUN_WORDS + 1):
            for begin in range(len(words) - length + 1):
                run = tuple(words[begin : begin + length])
                found = self._vocabulary.find_run(run)
                if len(found.words):
                    for word in run:
                        if word in matches:
                            matches[word].append(found)
        return _Question(content, [matches[word] for word in content])

    def _weigh_names(self, matches: Sequence[Matches]) -> F32:
        """By text: how certainly some word of it as a name means a word of the question."""
        weights = np.zeros(self._names.texts, np.float32)
        for one in matches:
            begin = np.searchsorted(self._words, one.words)
            end = np.searchsorted(self._words, one.words, side="right")
            found = np.zeros(self._names.texts, np.float32)
            # Of a name with several of these words the last one counts, which is the most certain.
            found[self._texts[list_positions(begin, end)]] = np.repeat(one.weights, end - begin)
            if self._recent:
                known = dict(zip(one.words.tolist(), one.weights.tolist(), strict=True))
                for word, text in self._recent:
                    found[text] = max(found[text], known.get(word, 0.0))
            np.maximum(weights, found, out=weights)
        return weights

    def _weigh_words(self, by_word: Sequence[F32], names: int) -> list[float]:
        """How much each word of the question counts: the rarer what it means, the more. One that nothing means counts as the others do.

        `names`: how many there are.
        """
        names = max(names, 1)
        counts = [int(np.count_nonzero(weights)) for weights in by_word]
        worth = [math.log1p((names - count + 0.5) / (count + 0.5)) for count in counts]
        known = [one for one, count in zip(worth, counts, strict=True) if count]
        mean = sum(known) / len(known) if known else 1.0
        return [one if count else mean for one, count in zip(worth, counts, strict=True)]

    def _compute_factor(self, names: Ints, shown: Flags | None) -> F32:
        """How much the coverage of these names counts, at most 1: of two names that cover the same, that with fewer other words wins."""
        if shown is None:
            words, number = len(self._words) + len(self._recent), self._done
        else:
            words, number = int(self._sizes[shown].sum()), int(np.count_nonzero(shown))
        mean = np.float32(max(words, 1) / max(number, 1))
        shortness = np.minimum(_SHORT, mean / np.maximum(self._sizes[names], 1).astype(np.float32))
        factor: F32 = np.sqrt((1 - LENGTH + LENGTH * shortness) / np.float32(1 - LENGTH + LENGTH * _SHORT))
        return factor

    def _follow(self) -> None:
        self._names.follow()
        new = self._names.used[self._done :]
        if len(new):
            self._done += len(new)
            self._sizes = np.concatenate([self._sizes, np.zeros(self._names.texts - len(self._sizes), np.int32)])
            for number, text in zip(new.tolist(), self._tables.read_texts(new), strict=True):
                of_name = split_name(text)
                self._sizes[number] = len(of_name)
                self._recent += [(self._vocabulary.add(word), number) for word in dict.fromkeys(of_name)]
            if len(self._recent) > max(_RECENT, len(self._words) // 16):
                recent = np.array(self._recent, np.int32)
                words, texts = np.concatenate([self._words, recent[:, 0]]), np.concatenate([self._texts, recent[:, 1]])
                order = np.argsort(words, kind="stable")
                self._words, self._texts = words[order], texts[order]
                self._recent.clear()


def _compute_least(words: int) -> float:
    """How much of a question of this many words an asset covers at least."""
    return LEAST_COVERAGE * min(1.0, 3 / words)
