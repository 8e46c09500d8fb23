"""Search by the words of names: every asset that covers enough of a question, ranked by how much of it its name covers.

Names that contain all words of the question come first, by the ranks of suggestions. The rest is ranked by coverage: the sum over the
words of the question of (how certainly a word of the name means it) x (how rare that is), divided by that of a name that has them all.
A word and its abbreviations count once, since they are one group (BM25 with the document frequency of the group; Robertson and
Zaragoza, The Probabilistic Relevance Framework, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, DATASET, F32, NONE, U8
from meshline.graph.index.asset_names import AssetNames, Postings
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import score
from meshline.graph.index.kernels.score import COVERED, FACTOR, WORTH, AssetTexts, Covering, Question
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.near_names import HAVE_VECTORS, Near, NearNames, combine_scores
from meshline.graph.index.results import Bytes, Flags, Hits, Ints, Longs, Prepared, RankedRows, WordMatch
from meshline.graph.index.snapshot_file import Array, add_prefix, pack_texts, select_arrays, take_array, take_texts, unpack_texts
from meshline.graph.index.suggestions import BY_SOME, Ranks, Suggestions
from meshline.graph.index.vocabulary import Matches, Vocabulary, find_match
from meshline.graph.store.synonyms import NO_SYNONYMS, Synonyms
from meshline.graph.word_forms import Meaning, WordPlace, build_term, select_content, split_name, split_question

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
_NO_FLAGS: U8 = np.empty(0, np.uint8)
_SQUARES = (np.arange(_CERTAIN + 1) / _CERTAIN) ** 2


class _Read(NamedTuple):
    words: list[str]  # that count
    matches: list[list[Matches]]  # by word, then by what it, or it with its neighbours, may mean


class Shown(NamedTuple):
    """What a viewer sees of an index who may not see all."""

    nodes: Flags  # by node
    texts: Flags  # by text: whether it is the name of a visible asset, or of the dataset or namespace of one


class _Words(NamedTuple):
    """What the words of a question find. Levels are how certainly something means a word: uint8, 0 to 100."""

    levels: U8  # shape (texts, words)
    found: Ints  # the texts that mean any word
    strongest: U8  # by text: the greatest of its levels
    worth: Ints  # what each word counts, in parts of `WORTH`


class _Members(NamedTuple):
    """What the columns of datasets find. `levels`: of the strongest column, shape (datasets, words), empty if that is not wanted;
    `nodes`: the datasets with such a column.
    """

    levels: U8
    nodes: Ints


class _Chosen(NamedTuple):
    """The assets that may cover enough: those with these names, in these contexts, and some more."""

    names: Ints
    contexts: Ints
    special: Ints  # own nodes, ascending: those that something else describes, or that fit better by the name of their dataset
    described: Ints  # of each its row in `_Described.levels`, or NONE
    tiers: Bytes  # of each its rank by that


class _Described(NamedTuple):
    """Assets that are found by something else than a name. `nodes`: own nodes, ascending; `places`: of each the row in `levels`, whose
    shape is (assets, words).
    """

    nodes: Ints
    places: Ints
    levels: U8


class NameSearch:
    """Finds assets of one index by words of names. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables, names: AssetNames, suggestions: Suggestions) -> None:
        self._tables, self._names, self._suggestions = tables, names, suggestions
        self._kept_words: Mapping[str, Array] = pack_texts([])  # of a snapshot, in the order of their numbers
        self._near = NearNames(tables, names)
        self._done = 0  # how many of the used texts have their words in the vocabulary
        self._occurrences = Postings()  # of words in names
        self._texts: Ints = np.empty(0, np.int32)  # by occurrence: the name
        self._shares: npt.NDArray[np.float32] = np.empty(0, np.float32)  # by occurrence: what it counts by its place in the name
        self._sizes: F32 = np.empty(0, np.float32)  # by text: what its words count as a name, together
        self._by_name, self._by_context = Postings(), Postings()  # nodes
        self._datasets: Ints = np.empty(0, np.int32)  # own nodes
        self._of_datasets: Ints = np.empty(0, np.int32)  # the context of their columns
        self._places: Ints = np.empty(0, np.int32)  # by node: that of a dataset among these
        self._order: Ints = np.empty(0, np.int32)  # the sorted rows of `_by_name`
        self._members: Ints = np.empty(0, np.int32)  # by place there: of a column, that of its dataset
        self._factors: tuple[Shown | None, int, Ints] | None = None  # those of the last question, and of what

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        """Made when it is needed: an index of a past time mostly needs none."""
        vocabulary = Vocabulary()
        for word in unpack_texts(self._kept_words):
            vocabulary.add(word)
        return vocabulary

    def collect_arrays(self) -> dict[str, Array]:
        """All that is known, for a snapshot."""
        known: dict[str, Array] = {
            "counts": np.array([self._done], np.int64),
            "texts": self._texts,
            "shares": self._shares,
            "sizes": self._sizes,
            "datasets": self._datasets,
            "of_datasets": self._of_datasets,
            "places": self._places,
            "members": self._members,
        }
        for name, postings in self._list_postings():
            known |= add_prefix(name, postings.collect_arrays())
        words = self._vocabulary.collect_arrays() if "_vocabulary" in vars(self) else self._kept_words
        return known | add_prefix("vocabulary", words)

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with what was known. Raises Unusable."""
        (self._done,) = map(int, take_array(arrays, "counts", np.empty(0, np.int64), 1))
        for name, postings in self._list_postings():
            postings.restore(select_arrays(arrays, name))
        nodes, occurrences = len(self._by_name), len(self._occurrences)
        self._texts = take_array(arrays, "texts", self._texts, occurrences)
        self._shares = take_array(arrays, "shares", self._shares, occurrences)
        self._sizes = take_array(arrays, "sizes", self._sizes)
        self._datasets = take_array(arrays, "datasets", self._datasets)
        self._of_datasets = take_array(arrays, "of_datasets", self._of_datasets, len(self._datasets))
        self._places = take_array(arrays, "places", self._places, nodes)
        self._order = self._by_name.order
        self._members = take_array(arrays, "members", self._members, len(self._order))
        self._kept_words = select_arrays(arrays, "vocabulary")
        take_texts(self._kept_words)

    def _list_postings(self) -> list[tuple[str, Postings]]:
        return [("occurrences", self._occurrences), ("by_name", self._by_name), ("by_context", self._by_context)]

    def prepare(self) -> None:
        """Follow the index, so that the next question need not."""
        self._follow()
        _ = self._vocabulary

    def prepare_vectors(self, vectors: NameVectors, shown: Shown | None = None) -> Prepared:
        """Which names (that are shown) have vectors. If many have none, `vectors` knows that they are wanted."""
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
    ) -> RankedRows:
        """The assets that a text finds, and some that are not in use any more (`mark_current`). `kinds`: numbers, empty for all.

        `texts`: for representatives, how certainly something else than a name (a description) means each of `list_words(text)`, 0 to 1.
        `shown`: what of the index counts, if not all does; of assets that are not shown, none is right.
        `vectors`: those of names, if they count: all are prepared.
        """
        self._follow()
        question = self._read(text, synonyms, shown)
        if not question.words:
            return RankedRows(np.empty(0, np.int32), np.empty(0, np.int32), self._tables.nodes.rep)
        ranks = self._suggestions.rank(text)
        described = self._build_described(texts or {}, len(question.words))
        words = self._weigh_words(question, shown)
        members = self._find_members(words, shown, wanted=not kinds or DATASET in kinds)
        near = None if vectors is None else self._near.find(text, vectors, None if shown is None else shown.nodes)
        found = self._measure(ranks, words, members, described, near, kinds, shown)
        covered = found.covered
        if near is not None:
            counted = self._near.mark_kinds(found.rows) & (found.tiers >= BY_SOME)
            deviations = np.where(counted, near.deviations[self._names.name[found.rows]], np.float32(0))
            covered = combine_scores(covered, deviations, int(found.best[0]))
        orders = np.empty(len(covered), np.int32)
        score.order_rows(found.tiers, covered, _BEGINNING, orders)
        return RankedRows(found.rows, orders, self._tables.nodes.rep)

    def mark_current(self, rows: Longs) -> Flags:
        """Which of these own nodes are in use by their names, and not only inferred."""
        return self._names.mark_current(rows) & self._names.mark_stated(rows)

    def _build_described(self, texts: Mapping[int, Sequence[float]], words: int) -> _Described:
        rings = [self._tables.list_ring(rep) for rep in texts]
        nodes = np.array([node for ring in rings for node in ring], np.int32)
        places = np.repeat(np.arange(len(rings), dtype=np.int32), [len(ring) for ring in rings])
        levels = np.array([*texts.values()], np.float64).reshape(len(texts), words)
        order = np.argsort(nodes)
        return _Described(nodes[order], places[order], np.rint(levels * _CERTAIN).astype(np.uint8))

    def _choose(self, ranks: Ranks, words: _Words, described: _Described, near: Near | None) -> _Chosen:
        """Not fewer assets than cover enough. A word counts for each place in which it is."""
        total = np.empty(len(words.found), np.int64)
        score.sum_levels(words.found, words.levels, words.worth, total)
        least = _compute_least(len(words.worth)) * WORTH * _CERTAIN
        of_context = total * max(OF_COLUMN, OF_OTHERS)
        enough = of_context >= least  # for whatever is in such a context; in others a name must have the rest
        missing = max(least - of_context[~enough].max(initial=0), 1)
        names = words.found[total >= missing]
        marked = ranks.by_name < BY_SOME if near is None else (ranks.by_name < BY_SOME) | near.found
        if marked.any():
            marked[names] = True
            names = np.flatnonzero(marked).astype(np.int32)
        special = np.union1d(ranks.columns, described.nodes).astype(np.int32)
        places, tiers = np.full(len(special), NONE, np.int32), np.full(len(special), BY_SOME, np.int8)
        places[np.searchsorted(special, described.nodes)] = described.places
        tiers[np.searchsorted(special, ranks.columns)] = ranks.of_columns
        return _Chosen(names, words.found[enough], special, places, tiers)

    def _measure(
        self,
        ranks: Ranks,
        words: _Words,
        members: _Members,
        described: _Described,
        near: Near | None,
        kinds: Sequence[int],
        shown: Shown | None,
    ) -> Covering:
        """How much of the question each asset of these kinds (empty: of all) covers that it finds."""
        chosen = self._choose(ranks, words, described, near)
        question = self._build_question(ranks, words, near, kinds, shown)
        by_name, by_context = self._by_name.list_segments(chosen.names), self._by_context.list_segments(chosen.contexts)
        done, in_context, apart = (np.zeros(self._names.texts, np.uint8) for _ in range(3))
        done[chosen.names] = in_context[chosen.contexts] = apart[self._names.name[chosen.special]] = 1
        left = members.nodes[done[self._names.name[members.nodes]] | in_context[self._names.context[members.nodes]] == 0]
        left = left[~np.isin(left, chosen.special)]
        room = len(left) + len(chosen.special) + sum(segment.count_rows() for segment in (*by_name, *by_context))
        found = Covering(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int8), np.zeros(1, np.int32))
        assets = AssetTexts(self._names.name, self._names.context, self._places, self._of_datasets)
        levels, of_members, texts, nodes = words.levels, members.levels, described.levels, self._tables.nodes
        n = 0
        for numbers, places, starts, order in by_name:
            n = score.measure_names(
                numbers, places, starts, order, self._get_datasets(order), apart, chosen.special,
                assets, levels, of_members, texts, question, nodes, found, n,
            )  # fmt: skip
        for numbers, places, starts, order in by_context:
            n = score.measure_contexts(
                numbers, places, starts, order, done, apart, chosen.special, assets, levels, of_members, texts, question, nodes, found, n
            )
        for rows, at, tiers in (
            (left, np.full(len(left), NONE, np.int32), np.full(len(left), BY_SOME, np.int8)),
            (chosen.special, chosen.described, chosen.tiers),
        ):
            n = score.measure_nodes(rows, at, tiers, assets, levels, of_members, texts, question, nodes, found, n)
        return Covering(found.rows[:n], found.covered[:n], found.tiers[:n], found.best)

    def _build_question(self, ranks: Ranks, words: _Words, near: Near | None, kinds: Sequence[int], shown: Shown | None) -> Question:
        wanted, near_kinds = np.full(KINDS, not kinds, np.uint8), np.zeros(KINDS, np.uint8)
        wanted[list(kinds)] = 1
        near_kinds[: len(HAVE_VECTORS)] = HAVE_VECTORS
        shares = np.full(KINDS, round(OF_OTHERS * 100), np.int32)
        shares[COLUMN] = round(OF_COLUMN * 100)
        limits = np.array([round(OF_MEMBER * 100), round(_compute_least(len(words.worth)) * COVERED), BY_SOME], np.int64)
        found = _NO_FLAGS if near is None else near.found.view(np.uint8)
        factors = self._compute_factors(shown)
        return Question(words.worth, shares, wanted, factors, ranks.by_name, found, near_kinds, _get_counted(shown), limits)

    def iterate(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        """(order, representative) of hits: the best first, equal ones by kind and name. `first`: about how many are wanted."""
        groups = hits.orders.astype(np.int64) * KINDS + self._tables.nodes.kind[hits.rows]
        for group in np.unique(groups).tolist():
            for row in self._names.iterate_sorted(hits.rows[groups == group], first):
                yield group // KINDS, int(self._tables.nodes.rep[row])

    def list_words(self, text: str) -> list[str]:
        """The words of a text by which assets are found."""
        return select_content(split_question(text))[:MOST_WORDS]

    def explain(self, text: str, own: int, shown: Shown | None = None, synonyms: Synonyms = NO_SYNONYMS) -> list[WordMatch]:
        """For each word of the text that the name of an asset covers, that of its dataset or namespace, or one of its columns: the best
        reason. `shown`: what of the index counts, if not all does.
        """
        self._follow()
        question = self._read(text, synonyms, shown)
        context_share = OF_COLUMN if self._tables.nodes.kind[own] == COLUMN else OF_OTHERS
        known = [
            *self._list_words(int(self._names.name[own]), WordPlace.NAME, 1.0),
            *self._list_words(int(self._names.context[own]), WordPlace.CONTEXT, context_share),
        ]
        if self._tables.nodes.kind[own] == DATASET:
            columns = np.array(self._tables.list_children(own), np.int64)
            columns = columns[self._names.mark_current(columns)]
            columns = columns if shown is None else columns[shown.nodes[columns]]
            for number in dict.fromkeys(self._names.name[columns].tolist()):
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

    def _read(self, text: str, synonyms: Synonyms, shown: Shown | None) -> _Read:
        """What the words of a text may mean, alone and with their neighbours."""
        words = split_question(text)
        content = self.list_words(text)
        matches = {word: [self._vocabulary.find(word)] for word in content}
        for word, of_word in matches.items():
            if not self._is_used(self._vocabulary.find_own(word), shown):
                of_word.append(self._vocabulary.find_abbreviated(word))
        words = words[: 2 * MOST_WORDS]
        for length in range(1, _RUN_WORDS + 1):
            for begin in range(len(words) - length + 1):
                run = tuple(words[begin : begin + length])
                of_run = [self._vocabulary.find_run(run)] if length > 1 else []
                term = build_term(run)
                of_run += [self._vocabulary.find_synonym(other) for other in synonyms.stated.get(term, ())]
                of_run += [self._vocabulary.find_synonym(other, Meaning.LEARNED) for other in synonyms.learned.get(term, ())]
                for word in run:
                    if word in matches:
                        matches[word] += [found for found in of_run if len(found.words)]
        return _Read(content, [matches[word] for word in content])

    def _is_used(self, matches: Matches, shown: Shown | None) -> bool:
        """Whether a name that is shown has one of these words: a hidden name must not change what is found."""
        if shown is None:
            return bool(len(matches.words))
        return bool(shown.texts[self._texts[self._occurrences.find_rows(matches.words)]].any())

    def _weigh_words(self, question: _Read, shown: Shown | None) -> _Words:
        """What each word of a question finds. The rarer what it means, the more it counts; one that nothing means counts as the others do.

        A name is counted by the square of how certainly it means the word: otherwise many vague meanings would make a rare name common.
        """
        names = max(self._done if shown is None else int(np.count_nonzero(shown.texts)), 1)
        levels, strongest = np.zeros((self._names.texts, len(question.words)), np.uint8), np.zeros(self._names.texts, np.uint8)
        found = np.empty(self._names.texts, np.int32)
        n = 0
        for word, matches in enumerate(question.matches):
            for one in matches:
                for segment in self._occurrences.find(one.words):
                    n = score.weigh_texts(*segment, one.weights, self._shares, self._texts, word, levels, strongest, found, n)
        found = found[:n]
        if shown is not None:
            levels[found[~shown.texts[found]]] = 0
            found = found[shown.texts[found]]
        of_levels = np.zeros((len(question.words), _CERTAIN + 1), np.int64)
        score.count_levels(found, levels, of_levels)
        of_levels[:, 0] = 0
        counts = [float(of_word @ _SQUARES) for of_word in of_levels]
        worth = [math.log1p((names - count + 0.5) / (count + 0.5)) for count in counts]
        known = [one for one, count in zip(worth, counts, strict=True) if count]
        mean = sum(known) / len(known) if known else 1.0
        counted = np.array([one if count else mean for one, count in zip(worth, counts, strict=True)])
        return _Words(levels, found, strongest, np.rint(counted * (WORTH / max(counted.sum(), 1e-9))).astype(np.int32))

    def _find_members(self, words: _Words, shown: Shown | None, *, wanted: bool) -> _Members:
        """How certainly the columns of each dataset mean each word."""
        members = np.zeros((len(self._datasets) if wanted else 0, len(words.worth)), np.uint8)
        marked = np.zeros(len(members), np.uint8)
        strong = words.found[words.strongest[words.found] >= _LEAST_OF_MEMBER]
        for segment in self._by_name.list_segments(strong) if wanted else ():
            at = self._get_datasets(segment.order)
            score.mark_members(
                *segment, at, self._datasets, _LEAST_OF_MEMBER, words.levels, _get_counted(shown), self._tables.nodes, members, marked
            )
        return _Members(members, self._datasets[np.flatnonzero(marked)])

    def _get_datasets(self, order: Ints) -> Ints:
        """Of those of these nodes that are columns, the places of their datasets; NONE of others. Known for the nodes by name."""
        return self._members if order is self._order else self._find_datasets(order)

    def _find_datasets(self, rows: Ints) -> Ints:
        nodes = self._tables.nodes
        columns = nodes.kind[rows] == COLUMN
        found: Ints = np.where(columns, self._places[np.where(columns, nodes.part1[rows], 0)], np.int32(NONE))
        return found

    def _compute_factors(self, shown: Shown | None) -> Ints:
        """By text, how much the coverage of a name counts, at most `FACTOR`: of two that cover the same, that with fewer other words
        wins.
        """
        if self._factors is not None and self._factors[0] is shown and self._factors[1] == self._done:
            return self._factors[2]
        counted = self._sizes if shown is None else self._sizes[shown.texts]
        number = self._done if shown is None else len(counted)
        mean = np.float32(max(float(counted.sum(dtype=np.float64)), 1) / max(number, 1))
        shortness = np.minimum(np.float32(_SHORT), mean / np.maximum(self._sizes, np.float32(OF_PATH)))
        factors = np.sqrt((1 - LENGTH + LENGTH * shortness) / np.float32(1 - LENGTH + LENGTH * _SHORT))
        rounded: Ints = np.rint(factors * FACTOR).astype(np.int32)
        self._factors = shown, self._done, rounded
        return rounded

    def _follow(self) -> None:
        self._names.follow()
        known, n = len(self._by_name), self._names.nodes
        if known < n:
            self._by_name.add(self._names.name[known:n])
            self._by_context.add(self._names.context[known:n])
            datasets = np.flatnonzero(self._tables.nodes.kind[known:n] == DATASET).astype(np.int32)
            places = np.full(n - known, NONE, np.int32)
            places[datasets] = np.arange(len(self._datasets), len(self._datasets) + len(datasets))
            self._datasets, self._places = np.concatenate([self._datasets, datasets + known]), np.concatenate([self._places, places])
            self._of_datasets = self._names.name[self._datasets]
            if self._order is not self._by_name.order:
                self._order, self._members = self._by_name.order, self._find_datasets(self._by_name.order)
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


def _weigh_by_place(name: str) -> dict[str, float]:
    """The words of a name, each with what it counts by its place."""
    path, _, last = name.replace("/", ".").rpartition(".")
    return dict.fromkeys(split_name(path), OF_PATH) | dict.fromkeys(split_name(last), 1.0)


def _get_counted(shown: Shown | None) -> U8:
    """By node: whether it counts; empty if all do."""
    return _NO_FLAGS if shown is None else shown.nodes.view(np.uint8)


def _compute_least(words: int) -> float:
    """How much of a question of this many words an asset covers at least."""
    return LEAST_COVERAGE * min(1.0, 3 / words)
