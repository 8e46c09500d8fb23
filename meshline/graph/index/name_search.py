"""Search by the words of names: every asset that covers enough of a question, ranked by how much of it its name covers.

Names that contain all words of the question come first, by the ranks of suggestions. The rest is ranked by coverage: the sum over the
words of the question of (how certainly a word of the name means it) x (how rare that is), divided by that of a name that has them all.
A word and its abbreviations count once, since they are one group (BM25 with the document frequency of the group; Robertson and
Zaragoza, The Probabilistic Relevance Framework, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, DATASET, I64, MERGED, U8
from meshline.graph.index.asset_names import AssetNames, Postings
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.near_names import Near, NearNames, combine_scores
from meshline.graph.index.results import RANKS, STEPS, Flags, Hits, Ints, Longs, WordMatch
from meshline.graph.index.suggestions import BY_SOME, Ranks, Suggestions
from meshline.graph.index.vocabulary import F32, Matches, Vocabulary, find_match
from meshline.graph.store.synonyms import NO_SYNONYMS, Synonyms
from meshline.graph.word_forms import WordPlace, find_stem, select_content, split_name, split_question

MOST_WORDS = 40  # words of a question that count
LEAST_COVERAGE = 0.15
OF_COLUMN, OF_OTHERS = 0.8, 0.3  # what a word of the dataset's name counts for a column; a word of the namespace for others
OF_PATH = 0.7  # what a word of a name counts before its last part: of a schema, or of the field around a nested one
OF_MEMBER = 0.25  # what a word in the name of a column counts for its dataset
LENGTH = 0.7  # how much longer names count less
KINDS = 64  # more than there are kinds
_SHORT = 1.5  # a name with this many times fewer words than usual counts as the shortest do
_RUN_WORDS = 5  # consecutive words that an acronym may stand for
_BEGINNING = 2  # up to this rank only the kind and the name count
_CERTAIN = 100  # the level of a word that is certainly meant
_LEAST_OF_MEMBER = 70  # the level from which on a word of a column counts for its dataset
_SQUARES = (np.arange(_CERTAIN + 1) / _CERTAIN) ** 2
_SMALLEST = 1e-6  # above 0, so that names without any of the words are not chosen


class _Question(NamedTuple):
    words: list[str]  # that count
    matches: list[list[Matches]]  # by word, then by what it, or it with its neighbours, may mean


class Shown(NamedTuple):
    """What a viewer sees of an index who may not see all."""

    nodes: Flags  # by node
    texts: Flags  # by text: whether it is the name of a visible asset, or of the dataset or namespace of one


class _Word(NamedTuple):
    """What one word of a question finds. Levels are how certainly something means the word: uint8, 0 to 100."""

    levels: U8  # by text of a name
    scores: F32  # by level


class _Members(NamedTuple):
    """Datasets with columns whose names mean something, ascending. `levels`: by word, then by place among them; empty if not wanted."""

    datasets: I64
    levels: Sequence[U8]


class _Described(NamedTuple):
    """Assets that are found by something else than a name. `nodes`: representatives, ascending; `levels`: by word, then by place."""

    nodes: I64
    levels: npt.NDArray[np.uint8]


class NameSearch:
    """Finds assets of one index by words of names. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables, names: AssetNames, suggestions: Suggestions) -> None:
        self._tables, self._names, self._suggestions = tables, names, suggestions
        self._vocabulary = Vocabulary()
        self._near = NearNames(tables, names)
        self._done = 0  # how many of the used texts have their words in the vocabulary
        self._occurrences = Postings()  # of words in names
        self._texts: Ints = np.empty(0, np.int32)  # by occurrence: the name
        self._shares: npt.NDArray[np.float32] = np.empty(0, np.float32)  # by occurrence: what it counts by its place in the name
        self._sizes: F32 = np.empty(0, np.float32)  # by text: what its words count as a name, together
        self._by_name, self._by_context = Postings(), Postings()  # nodes

    def prepare(self) -> None:
        """Follow the index, so that the next question need not."""
        self._follow()

    def prepare_vectors(self, vectors: NameVectors, shown: Shown | None = None) -> bool:
        """Whether all names (that are shown) have vectors. If many have none, `vectors` knows that they are wanted."""
        self._follow()
        return self._near.prepare(vectors, None if shown is None else shown.nodes)

    def is_near(self, text: str, own: int, vectors: NameVectors) -> bool:
        """Whether the name of an own node may be found by its vector."""
        return self._near.is_near(text, own, vectors)

    def mark_shown(self, visible: Flags) -> Shown:
        """What a viewer sees of the names of the index. `visible`: by node."""
        self._follow()
        texts = np.zeros(self._names.texts, np.bool_)
        n = min(len(visible), self._names.nodes)
        for of_nodes in (self._names.name[:n], self._names.context[:n]):
            texts[of_nodes[visible[:n]]] = True
        nodes = np.zeros(self._names.nodes, np.bool_)
        nodes[:n] = visible[:n]
        return Shown(nodes, texts)

    def find(
        self,
        text: str,
        kinds: Sequence[int] = (),
        texts: Mapping[int, Sequence[float]] | None = None,
        shown: Shown | None = None,
        synonyms: Synonyms = NO_SYNONYMS,
        vectors: NameVectors | None = None,
    ) -> Hits:
        """The assets that a text finds, and some that are not in use any more (`mark_current`). `kinds`: numbers, empty for all.

        `texts`: for representatives, how certainly something else than a name (a description) means each of `list_words(text)`, 0 to 1.
        `shown`: what of the index counts, if not all does; of assets that are not shown, none is right.
        `vectors`: those of names, if they count: all are prepared.
        """
        self._follow()
        question = self._read(text, synonyms)
        if not question.words:
            return Hits.build_equal(np.empty(0, np.int64))
        ranks = self._suggestions.rank(text)
        described = _build_described(texts or {}, len(question.words))
        words = self._weigh_words(question, shown)
        members = self._find_members(words if not kinds or DATASET in kinds else (), shown)
        near = None if vectors is None else self._near.find(text, vectors, None if shown is None else shown.nodes)
        rows = self._select(ranks, words, members, described, near)
        if kinds:
            rows = rows[np.isin(self._tables.nodes.kind[rows], kinds)]
        coverage = self._compute_coverage(rows, words, members, described)
        tiers = ranks.rank(self._names, rows)
        factor = self._compute_factors(shown)[self._names.name[rows]]
        covered = coverage * factor
        kept = (coverage >= _compute_least(len(words))) | (tiers < BY_SOME)
        if near is not None:
            has_vector = self._near.mark_kinds(rows)
            kept |= near.found[self._names.name[rows]] & has_vector
            counted = np.ones(len(rows), np.bool_) if shown is None else shown.nodes[rows]
            best = float(covered[counted].max(initial=0))
            deviations = np.where(has_vector & (tiers >= BY_SOME), near.deviations[self._names.name[rows]], np.float32(0))
            covered = combine_scores(covered, deviations, best)
        missing = np.where(tiers <= _BEGINNING, 0, STEPS - np.minimum(covered * STEPS, STEPS).astype(np.int32))
        return self._choose_names(rows[kept], (tiers * RANKS + missing)[kept].astype(np.int32))

    def mark_current(self, rows: Longs) -> Flags:
        """Which of these own nodes are in use by their names, and not only inferred."""
        current = self._names.keep_stated(self._names.keep_current(rows))
        return np.isin(rows, current)

    def _choose_names(self, rows: I64, orders: Ints) -> Hits:
        """Each asset once, by the own node in use that fits best."""
        nodes = self._tables.nodes
        merged = nodes.traits[rows] & MERGED != 0
        several = np.flatnonzero(merged)
        several = several[self.mark_current(rows[several])]
        reps = nodes.rep[rows[several]]
        best = several[np.lexsort((rows[several], orders[several], reps))]
        best = best[np.diff(nodes.rep[rows[best]], prepend=-1) != 0]
        chosen = np.concatenate([np.flatnonzero(~merged), best])
        return Hits(nodes.rep[rows[chosen]].astype(np.int64), rows[chosen], orders[chosen])

    def _select(self, ranks: Ranks, words: Sequence[_Word], members: _Members, described: _Described, near: Near | None) -> I64:
        """The assets that may cover enough, ascending: not fewer than those that do. A word counts for each place in which it is."""
        total = np.zeros(self._names.texts, np.float32)
        for word in words:
            total += word.scores[word.levels]
        least = np.float32(_compute_least(len(words)) * sum(word.scores[_CERTAIN] for word in words))
        of_context = total * np.float32(max(OF_COLUMN, OF_OTHERS))
        enough = of_context >= least  # for whatever is in such a context; in others a name must have the rest
        missing = np.maximum(least - of_context[~enough].max(initial=0), _SMALLEST)
        by_context, _ = self._by_context.find(np.flatnonzero(enough).astype(np.int32))
        by_name, _ = self._by_name.find(np.flatnonzero((total >= missing) | (ranks.by_name < BY_SOME)).astype(np.int32))
        by_others = [node for rep in described.nodes.tolist() for node in self._tables.list_ring(rep)]
        by_vector, _ = self._by_name.find(np.flatnonzero(near.found).astype(np.int32)) if near is not None else (by_name[:0], None)
        chosen = np.zeros(self._names.nodes, np.bool_)
        for rows in (by_name, by_context, by_vector, ranks.columns, members.datasets, np.array(by_others, np.int64)):
            chosen[rows] = True
        return np.flatnonzero(chosen)

    def _compute_coverage(self, rows: I64, words: Sequence[_Word], members: _Members, described: _Described) -> F32:
        """How much of the question each of these assets covers, from 0 to 1."""
        name, context = self._names.name[rows], self._names.context[rows]
        share = np.where(self._tables.nodes.kind[rows] == COLUMN, np.float32(OF_COLUMN), np.float32(OF_OTHERS))
        coverage = np.zeros(len(rows), np.float32)
        of_member, members_at = _find_places(members.datasets, rows)
        of_text, texts_at = _find_places(described.nodes, self._tables.nodes.rep[rows])
        for word, of_columns, of_texts in zip_longest(words, members.levels, described.levels):
            by_text = word.scores[word.levels]
            score = np.maximum(by_text[name], share * by_text[context])
            if len(of_member):
                score[of_member] = np.maximum(score[of_member], word.scores[of_columns[members_at]] * np.float32(OF_MEMBER))
            if len(of_text):
                score[of_text] = np.maximum(score[of_text], word.scores[of_texts[texts_at]])
            coverage += score
        coverage /= np.float32(max(sum(word.scores[_CERTAIN] for word in words), 1e-9))
        return coverage

    def iterate(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        """(order, representative) of hits: the best first, equal ones by kind and name. `first`: about how many are wanted."""
        groups = hits.orders.astype(np.int64) * KINDS + self._tables.nodes.kind[hits.rows]
        for group in np.unique(groups).tolist():
            for row in self._names.iterate_sorted(hits.rows[groups == group], first):
                yield group // KINDS, int(self._tables.nodes.rep[row])

    def list_words(self, text: str) -> list[str]:
        """The words of a text by which assets are found."""
        return select_content(split_question(text))[:MOST_WORDS]

    def explain(self, text: str, own: int, visible: Flags | None = None, synonyms: Synonyms = NO_SYNONYMS) -> list[WordMatch]:
        """For each word of the text that the name of an asset covers, that of its dataset or namespace, or one of its columns: the best
        reason. `visible`: by node, which columns may be named.
        """
        self._follow()
        question = self._read(text, synonyms)
        context_share = OF_COLUMN if self._tables.nodes.kind[own] == COLUMN else OF_OTHERS
        known = [
            *self._list_words(int(self._names.name[own]), WordPlace.NAME, 1.0),
            *self._list_words(int(self._names.context[own]), WordPlace.CONTEXT, context_share),
        ]
        if self._tables.nodes.kind[own] == DATASET:
            columns = self._names.keep_current(np.array(self._tables.list_children(own), np.int64))
            shown = columns if visible is None else columns[visible[columns]]
            for number in dict.fromkeys(self._names.name[shown].tolist()):
                known += self._list_words(number, WordPlace.COLUMN, OF_MEMBER)
        found = []
        for word, matches in zip(question.words, question.matches, strict=True):
            reasons = [
                (weight * share, WordMatch(word, of_name, meaning, place))
                for of_name, place, share in known
                for weight, meaning in [find_match(matches, self._vocabulary.add(of_name))]
                if round(weight * _CERTAIN) >= (_LEAST_OF_MEMBER if place is WordPlace.COLUMN else 1)
            ]
            if reasons:
                found.append(max(reasons, key=lambda reason: reason[0])[1])
        return found

    def _list_words(self, number: int, place: WordPlace, share: float) -> list[tuple[str, WordPlace, float]]:
        """The words of a name, each with what it counts."""
        return [(word, place, share * of_path) for word, of_path in _weigh_by_place(self._tables.get_text(number)).items()]

    def _read(self, text: str, synonyms: Synonyms = NO_SYNONYMS) -> _Question:
        """What the words of a text may mean, alone and with their neighbours."""
        words = split_question(text)
        content = self.list_words(text)
        matches = {word: [self._vocabulary.find(word)] for word in content}
        words = words[: 2 * MOST_WORDS]
        for length in range(1, _RUN_WORDS + 1):
            for begin in range(len(words) - length + 1):
                run = tuple(words[begin : begin + length])
                of_run = [self._vocabulary.find_run(run)] if length > 1 else []
                of_run += [self._vocabulary.find_synonym(other) for other in synonyms.get(tuple(map(find_stem, run)), ())]
                for word in run:
                    if word in matches:
                        matches[word] += [found for found in of_run if len(found.words)]
        return _Question(content, [matches[word] for word in content])

    def _weigh_words(self, question: _Question, shown: Shown | None) -> list[_Word]:
        """What each word of a question finds. The rarer what it means, the more it counts; one that nothing means counts as the others do.

        A name is counted by the square of how certainly it means the word: otherwise many vague meanings would make a rare name common.
        """
        names = max(self._done if shown is None else int(np.count_nonzero(shown.texts)), 1)
        levels = [self._weigh_names(matches, shown) for matches in question.matches]
        counts = [float(np.bincount(of_word, minlength=_CERTAIN + 1) @ _SQUARES) for of_word in levels]
        worth = [math.log1p((names - count + 0.5) / (count + 0.5)) for count in counts]
        known = [one for one, count in zip(worth, counts, strict=True) if count]
        mean = sum(known) / len(known) if known else 1.0
        scores = [
            (np.arange(_CERTAIN + 1) / _CERTAIN * (one if count else mean)).astype(np.float32)
            for one, count in zip(worth, counts, strict=True)
        ]
        return [_Word(of_word, of_level) for of_word, of_level in zip(levels, scores, strict=True)]

    def _weigh_names(self, matches: Sequence[Matches], shown: Shown | None) -> U8:
        """By text: how certainly some word of it as a name means a word of the question."""
        found: U8 = np.zeros(self._names.texts, np.uint8)
        for one in matches:
            rows, places = self._occurrences.find(one.words)
            levels = np.rint(one.weights[places] * self._shares[rows] * _CERTAIN).astype(np.uint8)
            order = np.argsort(levels, kind="stable")  # of a name with several of these words the last one counts
            texts = self._texts[rows[order]]
            found[texts] = np.maximum(found[texts], levels[order])
        return found if shown is None else np.where(shown.texts, found, np.uint8(0))

    def _find_members(self, words: Sequence[_Word], shown: Shown | None) -> _Members:
        """The datasets with columns whose names certainly mean some word."""
        nodes, of_words = self._tables.nodes, []
        for word in words:
            having, _ = self._by_name.find(np.flatnonzero(word.levels >= _LEAST_OF_MEMBER).astype(np.int32))
            rows = self._names.keep_current(having[nodes.kind[having] == COLUMN].astype(np.int64))
            of_words.append(rows if shown is None else rows[shown.nodes[rows]])
        chosen = np.zeros(self._names.nodes, np.bool_)
        for rows in of_words:
            chosen[nodes.part1[rows]] = True
        datasets = np.flatnonzero(chosen)
        levels = []
        for word, rows in zip(words, of_words, strict=True):
            of_word = np.zeros(self._names.nodes, np.uint8)
            np.maximum.at(of_word, nodes.part1[rows], word.levels[self._names.name[rows]])
            levels.append(of_word[datasets])
        return _Members(datasets, levels)

    def _compute_factors(self, shown: Shown | None) -> F32:
        """By text, how much the coverage of a name counts, at most 1: of two that cover the same, that with fewer other words wins."""
        counted = self._sizes if shown is None else self._sizes[shown.texts]
        number = self._done if shown is None else len(counted)
        mean = np.float32(max(float(counted.sum(dtype=np.float64)), 1) / max(number, 1))
        shortness = np.minimum(np.float32(_SHORT), mean / np.maximum(self._sizes, np.float32(OF_PATH)))
        factors: F32 = np.sqrt((1 - LENGTH + LENGTH * shortness) / np.float32(1 - LENGTH + LENGTH * _SHORT))
        return factors

    def _follow(self) -> None:
        self._names.follow()
        known, n = len(self._by_name), self._names.nodes
        if known < n:
            self._by_name.add(self._names.name[known:n])
            self._by_context.add(self._names.context[known:n])
        new = self._names.used[self._done :]
        if len(new):
            self._done += len(new)
            self._sizes = np.concatenate([self._sizes, np.zeros(self._names.texts - len(self._sizes), np.float32)])
            words, texts, shares = [], [], []
            for number, text in zip(new.tolist(), self._tables.read_texts(new), strict=True):
                for word, share in _weigh_by_place(text).items():
                    words.append(self._vocabulary.add(word))
                    texts.append(number)
                    shares.append(share)
            self._occurrences.add(np.array(words, np.int32))
            self._texts = np.concatenate([self._texts, np.array(texts, np.int32)])
            self._shares = np.concatenate([self._shares, np.array(shares, np.float32)])
            np.add.at(self._sizes, texts, np.array(shares, np.float32))


def _find_places(known: I64, nodes: Ints | I64) -> tuple[I64, I64]:
    """Which of these nodes (their positions) are among the known ones (ascending), and the place of each."""
    if not len(known) or not len(nodes):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    is_known = np.zeros(int(max(known[-1], nodes.max())) + 1, np.bool_)
    is_known[known] = True
    found = np.flatnonzero(is_known[nodes])
    return found, np.searchsorted(known, nodes[found])


def _weigh_by_place(name: str) -> dict[str, float]:
    """The words of a name, each with what it counts by its place."""
    path, _, last = name.replace("/", ".").rpartition(".")
    return dict.fromkeys(split_name(path), OF_PATH) | dict.fromkeys(split_name(last), 1.0)


def _build_described(texts: Mapping[int, Sequence[float]], words: int) -> _Described:
    nodes = np.array(sorted(texts), np.int64)
    levels = np.array([texts[node] for node in nodes.tolist()], np.float64).reshape(len(nodes), words)
    return _Described(nodes, np.rint(levels.T * _CERTAIN).astype(np.uint8))


def _compute_least(words: int) -> float:
    """How much of a question of this many words an asset covers at least."""
    return LEAST_COVERAGE * min(1.0, 3 / words)
