"""Suggestions while a name is typed: the assets whose names begin with a text, or in whose names each word of the text begins a word.

The distinct words, last parts and whole names are sorted; names that came later are compared one by one until there are many of them.
A look at all assets is a few passes over arrays, about a millisecond per million assets and word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, I8, I64, N_NAMES, U8, extend_array
from meshline.graph.index.asset_names import AssetNames
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Flags, Ints
from meshline.graph.index.snapshot_file import Array, add_prefix, pack_texts, select_arrays, take_array, take_texts, unpack_texts
from meshline.graph.naming import parse_search_terms, split_words
from meshline.graph.similarity import bound_ratios
from meshline.graph.word_forms import list_spellings, split_name

Endings: TypeAlias = npt.NDArray[np.bytes_]

MAX_TERMS = 8  # words of a text that count
_RECENT = 4096  # texts that are not sorted in yet
_LAST = "\U0010ffff"
_EXACT, _BEGINNING = 1, 3  # the ranks of an asset that ends with the text, and of one whose last part begins with the text's last part
_IN_NAME = 4  # the rank of a name in which all words of the text begin words
BY_SOME = 5  # the rank of a name in which not all do
_KINDS = 64  # more than there are kinds
_ALIKE = 40  # names that are found for one that nothing has
_ALIKE_AT_ONCE = 20_000  # names that are compared for that
_ALIKE_OF_NAME = 3  # assets of each of them
_LETTERS = 16  # bytes of the end of a name by which names are sorted
_ENDING = np.dtype(f"S{_LETTERS}")
_FEW = 64  # names that are compared one by one


class _Prefixes:
    """Texts with numbers, found by their beginnings. In UTF-8 they have the same order as by their characters."""

    def __init__(self) -> None:
        self._text: U8 = np.empty(0, np.uint8)  # the sorted ones, one after the other
        self._starts: I64 = np.zeros(1, np.int64)  # of each in it, and the end of the last
        self._numbers: Ints = np.empty(0, np.int32)
        self._recent: list[tuple[str, int]] = []

    def collect_arrays(self) -> dict[str, Array]:
        """All texts, for a snapshot."""
        recent = {**pack_texts([text for text, _ in self._recent]), "numbers": np.array([number for _, number in self._recent], np.int32)}
        return {"text": self._text, "starts": self._starts, "numbers": self._numbers, **add_prefix("recent", recent)}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with these texts. Raises Unusable."""
        self._text, self._starts = take_texts(arrays)
        self._numbers = take_array(arrays, "numbers", self._numbers, len(self._starts) - 1)
        recent = select_arrays(arrays, "recent")
        texts = unpack_texts(recent)
        self._recent = [*zip(texts, take_array(recent, "numbers", self._numbers, len(texts)).tolist(), strict=True)]

    def add(self, text: str, number: int) -> None:
        self._recent.append((text, number))

    def sort_in(self) -> None:
        """Sort in the recent ones, if there are many."""
        if len(self._recent) > max(_RECENT, len(self._numbers) // 16):
            known: dict[str, Array] = {"text": self._text, "starts": self._starts}
            pairs = [*zip(unpack_texts(known), self._numbers.tolist(), strict=True), *self._recent]
            pairs.sort()
            self._text, self._starts = take_texts(pack_texts([text for text, _ in pairs]))
            self._numbers = np.array([number for _, number in pairs], np.int32)
            self._recent.clear()

    def find(self, prefix: str, *, whole: bool = False) -> Ints:
        """The numbers of the texts that begin with this one (`whole`: that are this one)."""
        first, last = self._find_place(prefix), self._find_place(prefix + ("\0" if whole else _LAST))
        more = [number for text, number in self._recent if (text == prefix if whole else text.startswith(prefix))]
        return np.concatenate([self._numbers[first:last], np.array(more, np.int32)])

    def _find_place(self, text: str) -> int:
        """How many of the sorted texts come before this one."""
        known, starts, wanted = self._text.data, self._starts, text.encode("utf-8", "surrogatepass")
        return bisect_left(range(len(self._numbers)), wanted, key=lambda at: bytes(known[starts[at] : starts[at + 1]]))


class Ranks(NamedTuple):
    """How well the assets fit a text by whole words: see `Suggestions.iterate`."""

    by_name: I8  # by the number of a text
    columns: I64  # that fit better by the name of their dataset, ascending
    is_exact: Flags  # of each of them: whether the whole last part of the text is its name

    @property
    def of_columns(self) -> I8:
        """The ranks of `columns` by that."""
        return np.where(self.is_exact, _EXACT, _BEGINNING).astype(np.int8)

    def rank(self, names: AssetNames, rows: I64) -> Ints:
        """The ranks of these assets; `BY_SOME` of those with a name in which not all words are."""
        ranks: Ints = np.full(len(rows), BY_SOME, np.int32)
        if (self.by_name < BY_SOME).any():  # of a question with several words mostly none
            ranks[:] = self.by_name[names.name[rows]]
        if len(self.columns):
            at = np.minimum(np.searchsorted(self.columns, rows), len(self.columns) - 1)
            ranks = np.where(self.columns[at] == rows, np.minimum(ranks, self.of_columns[at]), ranks)
        return ranks


class Suggestions:
    """Suggests assets of one index. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables, names: AssetNames) -> None:
        self._tables = tables
        self._words, self._lasts, self._wholes = _Prefixes(), _Prefixes(), _Prefixes()
        self._names = names
        self._done = 0  # how many of the used texts are among the prefixes

    def collect_arrays(self) -> dict[str, Array]:
        """All that is known, for a snapshot."""
        known: dict[str, Array] = {"counts": np.array([self._done], np.int64)}
        for name, prefixes in self._list_prefixes():
            known |= add_prefix(name, prefixes.collect_arrays())
        return known

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with what was known. Raises Unusable."""
        (self._done,) = map(int, take_array(arrays, "counts", np.empty(0, np.int64), 1))
        for name, prefixes in self._list_prefixes():
            prefixes.restore(select_arrays(arrays, name))

    def _list_prefixes(self) -> list[tuple[str, _Prefixes]]:
        return [("words", self._words), ("lasts", self._lasts), ("wholes", self._wholes)]

    def prepare(self) -> None:
        """Follow the index, so that the next question need not."""
        self._follow()

    def iterate(self, text: str, first: int) -> Iterator[tuple[tuple[int, int], int]]:
        """The assets (own nodes) in order, each with its rank and kind. `first`: about how many are wanted.

        The rule: whole parts of names come before beginnings of parts, and these before the rest. Parts are separated by points and
        slashes; those of a column are its dataset's, then its own. Ranks: the text is 0 the name, 1 its last parts, 2 its beginning,
        3 its last parts, of the last of them the beginning; 4 all words begin words of the name; 5 some do so only of the namespace, or,
        for a column, of its dataset's name. Equal ranks are in the order of kinds, then the shorter names first, then by name.
        """
        terms, wanted = parse_search_terms(text)[:MAX_TERMS], text.strip().casefold()
        if not terms:
            return
        self._follow()
        marked = [self._mark_names(term) for term in terms]
        ranks = Ranks(self._rank_names(marked, wanted), *self._find_columns(wanted))
        by_name = (ranks.by_name < BY_SOME)[self._names.name[: self._names.nodes]]
        by_name[ranks.columns] = True
        yield from self._iterate_rows(np.flatnonzero(by_name), ranks, first)
        elsewhere = ~by_name  # looked at only if that was not enough: a word of a dataset is one of the context of all its columns
        for names in marked:
            elsewhere &= names[self._names.name[: self._names.nodes]] | names[self._names.context[: self._names.nodes]]
        yield from self._iterate_rows(np.flatnonzero(elsewhere), ranks, first)

    def rank(self, text: str) -> Ranks:
        """How well each name fits a text by whole words."""
        self._follow()
        wanted = text.strip().casefold()
        return Ranks(self._rank_names([self._mark_names(term) for term in parse_search_terms(text)], wanted), *self._find_columns(wanted))

    def find_alike(self, text: str, prefixes: Iterable[str], kind: int | None = None) -> list[int]:
        """Assets (representatives) with names like the text, the most alike first. A word of a name begins with one of the prefixes.

        `kind`: only assets of it. Of a name that many assets have, the first few are found.
        """
        self._follow()
        numbers = np.unique(np.concatenate([np.empty(0, np.int32), *(self._words.find(prefix) for prefix in prefixes)]))
        if not len(numbers):
            return []
        folded, nodes, n = text.casefold(), self._tables.nodes, self._names.nodes
        if len(numbers) > _ALIKE_AT_ONCE:  # one of a similar length is more likely to be meant
            numbers = numbers[np.argsort(np.abs(self._names.lengths[numbers] - len(folded)), kind="stable")[:_ALIKE_AT_ONCE]]
        names = [name.casefold() for name in self._tables.read_texts(numbers)]
        ratios = np.maximum(bound_ratios(folded, names), bound_ratios(folded.rpartition("/")[2], names))
        place = np.full(self._names.texts, _ALIKE, np.int32)
        nearest = numbers[np.argsort(-ratios, kind="stable")[:_ALIKE]]
        place[nearest] = np.arange(len(nearest), dtype=np.int32)
        rows = np.flatnonzero(place[self._names.name[:n]] < _ALIKE)
        rows = rows[self._names.mark_current(rows)]
        if kind is not None:
            rows = rows[nodes.kind[rows] == kind]
        rows = rows[np.argsort(place[self._names.name[rows]], kind="stable")]
        places = place[self._names.name[rows]]
        rows = rows[np.arange(len(rows)) - np.searchsorted(places, places) < _ALIKE_OF_NAME]
        return [*dict.fromkeys(nodes.rep[rows].tolist())]

    def _mark_names(self, term: str) -> Flags:
        """By name: whether the term begins a word of it."""
        marked = np.zeros(self._names.texts, np.bool_)
        marked[self._words.find(term)] = True
        return marked

    def _rank_names(self, marked: list[Flags], wanted: str) -> I8:
        """The rank of each name; `BY_SOME` for those in which not all words are."""
        level = np.where(np.logical_and.reduce(marked), _IN_NAME, BY_SOME).astype(np.int8)
        level[self._lasts.find(wanted)] = _BEGINNING
        before, last = _split_parts(wanted)
        if before:
            words = level == _IN_NAME
            for whole, rank in ((False, _BEGINNING), (True, _EXACT)):
                found = self._lasts.find(last, whole=whole)
                level[self._filter_names(found[words[found]], before, inner=True)] = rank
        beginning = self._wholes.find(wanted)
        level[beginning] = np.minimum(level[beginning], 2)
        level[self._lasts.find(wanted, whole=True)] = 1
        level[self._wholes.find(wanted, whole=True)] = 0
        return level

    def _filter_names(self, names: Ints, parts: str, *, inner: bool) -> list[int]:
        """Those of these names that end with some parts. `inner`: that have one more part after them."""
        found = []
        for number, text in zip(names.tolist(), self._tables.read_texts(names), strict=True):
            for folded in list_spellings(text.casefold().replace("/", ".")):
                if ("." + (folded.rpartition(".")[0] if inner else folded)).endswith("." + parts):
                    found.append(number)
                    break
        return found

    def _find_columns(self, wanted: str) -> tuple[I64, Flags]:
        """The columns whose dataset's name ends with all parts of the text but the last, which begins theirs; and which ones it is."""
        before, last = _split_parts(wanted)
        names = self._filter_names(self._lasts.find(before.rpartition(".")[2], whole=True), before, inner=False) if before else []
        if not names:
            return np.empty(0, np.int64), np.empty(0, np.bool_)
        datasets, beginning, exact = (np.zeros(self._names.texts, np.bool_) for _ in range(3))
        datasets[names] = True
        beginning[self._wholes.find(last)] = True
        exact[self._wholes.find(last, whole=True)] = True
        rows = np.flatnonzero(datasets[self._names.context[: self._names.nodes]])
        rows = rows[(self._tables.nodes.kind[rows] == COLUMN) & beginning[self._names.name[rows]]]
        return rows, exact[self._names.name[rows]]

    def _iterate_rows(self, rows: I64, by: Ranks, first: int) -> Iterator[tuple[tuple[int, int], int]]:
        """These assets in order, without those that are only inferred or former."""
        nodes = self._tables.nodes
        rows = rows[self._names.mark_current(rows) & self._names.mark_stated(rows)]
        ranks = by.rank(self._names, rows)
        groups = ranks * _KINDS + nodes.kind[rows]
        for group in np.flatnonzero(np.bincount(groups, minlength=1)).tolist():
            together = rows[groups == group]
            lengths = self._names.lengths[self._names.name[together]]
            for length in np.flatnonzero(np.bincount(lengths)).tolist():
                for row in self._names.iterate_sorted(together[lengths == length], first):
                    yield divmod(group, _KINDS), row

    def _follow(self) -> None:
        self._names.follow()
        new = self._names.used[self._done :]
        for number, text in zip(new.tolist(), self._tables.read_texts(new), strict=True):
            for folded in list_spellings(text.casefold()):
                self._wholes.add(folded, number)
                self._lasts.add(folded.replace("/", ".").rpartition(".")[2], number)
            for word in dict.fromkeys(_iterate_words(text)):
                self._words.add(word, number)
        self._done += len(new)
        for _, prefixes in self._list_prefixes():
            prefixes.sort_in()


def _iterate_words(text: str) -> Iterator[str]:
    """The words of a name by which it is suggested: those with accents also without them."""
    if text.isascii():
        return split_words(text)
    return (spelling for words in (split_words(text), split_name(text)) for word in words for spelling in list_spellings(word))


def _split_parts(wanted: str) -> tuple[str, str]:
    """(all parts of a text but the last, the last)."""
    before, _, last = wanted.replace("/", ".").rpartition(".")
    return before, last


class NameText:
    """Finds the names of one index that end with a text, or that it ends with. Follows the index whenever it is asked."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._known = 0  # names
        self._text: U8 = np.empty(0, np.uint8)  # their text, casefolded, one after the other
        self._starts: I64 = np.zeros(1, np.int64)  # of each name in it, and the end of the last
        self._order: Ints = np.empty(0, np.int32)  # names by their last bytes; those that came since are not in it
        self._endings: Endings = np.empty(0, _ENDING)  # of these names: their last bytes, backwards

    def list_ending(self, text: str) -> Ints:
        """The numbers of the names that end with the text, or that it ends with, in any case."""
        self._follow()
        folded = text.casefold().encode()
        left = self._list_candidates(folded)
        found = []
        for place, byte in enumerate(reversed(folded), 1):
            if len(left) <= _FEW:
                break
            lengths = self._starts[left + 1] - self._starts[left]
            found.append(left[lengths < place])
            left = left[lengths >= place]
            left = left[self._text[self._starts[left + 1] - place] == byte]
        if len(left) <= _FEW:
            names = (self._text[self._starts[number] : self._starts[number + 1]].tobytes() for number in left.tolist())
            left = left[[name.endswith(folded) or folded.endswith(name) for name in names]]
        return np.concatenate([*found, left])

    def _list_candidates(self, folded: bytes) -> Ints:
        """Those of which as many bytes as are sorted fit, and those that are not sorted yet."""
        backwards = folded[: -_LETTERS - 1 : -1]
        begun = np.array([backwards[:n] for n in range(len(backwards) + 1)], _ENDING)
        first, last = np.searchsorted(self._endings, begun), np.searchsorted(self._endings, begun, "right")
        last[-1:] = np.searchsorted(self._endings, np.array([backwards.ljust(_LETTERS, b"\xff")], _ENDING), "right")
        recent = np.arange(len(self._order), self._known, dtype=np.int32)
        return np.unique(np.concatenate([*(self._order[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)), recent]))

    def _follow(self) -> None:
        known, n = self._known, int(self._tables.counts[N_NAMES])
        if known == n:
            return
        folded = [text.casefold().encode() for text in self._tables.read_texts(np.arange(known, n, dtype=np.int32))]
        used = int(self._starts[known])
        ends = np.cumsum([len(text) for text in folded], dtype=np.int64) + used
        self._text = extend_array(self._text, used, int(ends[-1]))
        self._text[used : ends[-1]] = np.frombuffer(b"".join(folded), np.uint8)
        self._starts = extend_array(self._starts, known + 1, n + 1)
        self._starts[known + 1 : n + 1] = ends
        self._known = n
        if n - len(self._order) > max(_RECENT, len(self._order) // 16):
            self._sort()

    def _sort(self) -> None:
        starts = self._starts[len(self._order) : self._known + 1].tolist()
        text = self._text.data
        recent = [text[max(begin, end - _LETTERS) : end].tobytes()[::-1] for begin, end in pairwise(starts)]
        numbers = np.concatenate([self._order, np.arange(len(self._order), self._known, dtype=np.int32)])
        endings = np.concatenate([self._endings, np.array(recent, _ENDING)])
        order = np.argsort(endings, kind="stable")
        self._order, self._endings = numbers[order], endings[order]
