"""Suggestions while a name is typed: the assets whose names begin with a text, or in whose names each word of the text begins a word.

The distinct words, last parts and whole names are sorted; names that came later are compared one by one until there are many of them.
A look at all assets is a few passes over arrays, about a millisecond per million assets and word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I8, I64, MERGED, N_NAMES, N_NODES, NONE, PAST
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Flags, Ints
from meshline.graph.naming import parse_search_terms, split_words
from meshline.graph.similarity import bound_ratios

MAX_TERMS = 8  # words of a text that count
_RECENT = 4096  # names, or assets, that are not sorted in yet
_LAST = "\U0010ffff"
_EXACT, _BEGINNING = 1, 3  # the ranks of an asset that ends with the text, and of one whose last part begins with the text's last part
_IN_NAME = 4  # the rank of a name in which all words of the text begin words
_KINDS = 64  # more than there are kinds
_ALIKE = 40  # names that are found for one that nothing has
_ALIKE_AT_ONCE = 20_000  # names that are compared for that
_ALIKE_OF_NAME = 3  # assets of each of them


class _Prefixes:
    """Texts with numbers, found by their beginnings."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._numbers: Ints = np.empty(0, np.int32)
        self._recent: list[tuple[str, int]] = []

    def add(self, text: str, number: int) -> None:
        self._recent.append((text, number))

    def sort_in(self) -> None:
        """Sort in the recent ones, if there are many."""
        if len(self._recent) > max(_RECENT, len(self._texts) // 16):
            pairs = [*zip(self._texts, self._numbers.tolist(), strict=True), *self._recent]
            pairs.sort()
            self._texts = [text for text, _ in pairs]
            self._numbers = np.array([number for _, number in pairs], np.int32)
            self._recent.clear()

    def find(self, prefix: str, *, whole: bool = False) -> Ints:
        """The numbers of the texts that begin with this one (`whole`: that are this one)."""
        first = bisect_left(self._texts, prefix)
        last = bisect_left(self._texts, prefix + ("\0" if whole else _LAST))
        more = [number for text, number in self._recent if (text == prefix if whole else text.startswith(prefix))]
        return np.concatenate([self._numbers[first:last], np.array(more, np.int32)])


class Suggestions:
    """Suggests assets of one index. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._words, self._lasts, self._wholes = _Prefixes(), _Prefixes(), _Prefixes()
        self._names = 0  # names that are known
        self._known: Flags = np.zeros(0, np.bool_)  # by name: whether it is among the prefixes
        self._lengths: Ints = np.empty(0, np.int32)  # by name: its length
        self._nodes = 0  # assets that are known
        self._name: Ints = np.empty(0, np.int32)  # by node: the number of its name
        self._context: Ints = np.empty(0, np.int32)  # the number of its namespace; of a column, of its dataset's name
        self._sorted = 0  # assets that have a place in the order
        self._order: Ints = np.empty(0, np.int32)  # by node: the place by key, of a column that of its dataset

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
        level = self._rank_names(marked, wanted)
        by_name = (level <= _IN_NAME)[self._name[: self._nodes]]
        columns, exact = self._find_columns(wanted)
        by_name[columns] = True
        yield from self._iterate_rows(np.flatnonzero(by_name), level, first, columns, exact)
        elsewhere = ~by_name  # looked at only if that was not enough: a word of a dataset is one of the context of all its columns
        for names in marked:
            elsewhere &= names[self._name[: self._nodes]] | names[self._context[: self._nodes]]
        yield from self._iterate_rows(np.flatnonzero(elsewhere), level, first)

    def find_alike(self, text: str, prefixes: Iterable[str], kind: int | None = None) -> list[int]:
        """Assets (representatives) with names like the text, the most alike first. A word of a name begins with one of the prefixes.

        `kind`: only assets of it. Of a name that many assets have, the first few are found.
        """
        self._follow()
        numbers = np.unique(np.concatenate([np.empty(0, np.int32), *(self._words.find(prefix) for prefix in prefixes)]))
        if not len(numbers):
            return []
        folded, nodes, n = text.casefold(), self._tables.nodes, self._nodes
        if len(numbers) > _ALIKE_AT_ONCE:  # one of a similar length is more likely to be meant
            numbers = numbers[np.argsort(np.abs(self._lengths[numbers] - len(folded)), kind="stable")[:_ALIKE_AT_ONCE]]
        names = [name.casefold() for name in self._tables.read_texts(numbers)]
        ratios = np.maximum(bound_ratios(folded, names), bound_ratios(folded.rpartition("/")[2], names))
        place = np.full(self._names, _ALIKE, np.int32)
        nearest = numbers[np.argsort(-ratios, kind="stable")[:_ALIKE]]
        place[nearest] = np.arange(len(nearest), dtype=np.int32)
        rows = self._keep_current(np.flatnonzero(place[self._name[:n]] < _ALIKE))
        if kind is not None:
            rows = rows[nodes.kind[rows] == kind]
        rows = rows[np.argsort(place[self._name[rows]], kind="stable")]
        places = place[self._name[rows]]
        rows = rows[np.arange(len(rows)) - np.searchsorted(places, places) < _ALIKE_OF_NAME]
        return [*dict.fromkeys(nodes.rep[rows].tolist())]

    def _mark_names(self, term: str) -> Flags:
        """By name: whether the term begins a word of it."""
        marked = np.zeros(self._names, np.bool_)
        marked[self._words.find(term)] = True
        return marked

    def _rank_names(self, marked: list[Flags], wanted: str) -> I8:
        """The rank of each name; `_IN_NAME` + 1 for those in which not all words are."""
        level = np.where(np.logical_and.reduce(marked), _IN_NAME, _IN_NAME + 1).astype(np.int8)
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
            folded = text.casefold().replace("/", ".")
            if ("." + (folded.rpartition(".")[0] if inner else folded)).endswith("." + parts):
                found.append(number)
        return found

    def _find_columns(self, wanted: str) -> tuple[I64, Flags]:
        """The columns whose dataset's name ends with all parts of the text but the last, which begins theirs; and which ones it is."""
        before, last = _split_parts(wanted)
        names = self._filter_names(self._lasts.find(before.rpartition(".")[2], whole=True), before, inner=False) if before else []
        if not names:
            return np.empty(0, np.int64), np.empty(0, np.bool_)
        datasets, beginning, exact = (np.zeros(self._names, np.bool_) for _ in range(3))
        datasets[names] = True
        beginning[self._wholes.find(last)] = True
        exact[self._wholes.find(last, whole=True)] = True
        rows = np.flatnonzero(datasets[self._context[: self._nodes]])
        rows = rows[(self._tables.nodes.kind[rows] == COLUMN) & beginning[self._name[rows]]]
        return rows, exact[self._name[rows]]

    def _iterate_rows(
        self, rows: I64, level: I8, first: int, columns: I64 | None = None, exact: Flags | None = None
    ) -> Iterator[tuple[tuple[int, int], int]]:
        """These assets in order, without those that are only inferred or former. `columns`, `exact`: as of `_find_columns`."""
        nodes = self._tables.nodes
        rows = self._keep_current(rows)
        data = np.where(nodes.kind[rows] == COLUMN, nodes.part1[rows], rows)
        solid = (nodes.kind[data] != DATASET) | (nodes.solid[data] > 0) | (nodes.traits[data] & MERGED != 0)
        rows = rows[solid]
        ranks = level[self._name[rows]].astype(np.int32)
        if columns is not None and exact is not None and len(columns):
            at = np.minimum(np.searchsorted(columns, rows), len(columns) - 1)
            by_dataset = np.where(exact[at], _EXACT, _BEGINNING)
            ranks = np.where(columns[at] == rows, np.minimum(ranks, by_dataset), ranks)
        groups = ranks * _KINDS + nodes.kind[rows]
        for group in np.flatnonzero(np.bincount(groups, minlength=1)).tolist():
            together = rows[groups == group]
            lengths = self._lengths[self._name[together]]
            for length in np.flatnonzero(np.bincount(lengths)).tolist():
                for row in self._iterate_group(together[lengths == length], first):
                    yield divmod(group, _KINDS), row

    def _keep_current(self, rows: I64) -> I64:
        """Those of these assets that a source mentions, and whose names mean them still: not what a name meant until a rename or drop, of
        the column or of its dataset.
        """
        nodes = self._tables.nodes
        of = np.where(nodes.kind[rows] == COLUMN, nodes.part1[rows], rows)
        kept: I64 = rows[(nodes.live[rows] > 0) & ((nodes.traits[rows] | nodes.traits[of] & PAST) & (GONE | PAST) == 0)]
        return kept

    def _iterate_group(self, rows: I64, first: int) -> Iterator[int]:
        """The assets of one rank, kind and length by name. Names are made only of as many as are asked for."""
        places = np.where(rows < self._sorted, self._order[np.minimum(rows, self._sorted - 1)], -1) if self._sorted else rows * 0 - 1
        recent = [(self._tables.get_key(row), row) for row in rows[places == -1].tolist()]
        rows, places = rows[places != -1], places[places != -1]
        size, done = max(first, 1), -1
        recent.sort()
        while True:
            left = places > done
            rows, places = rows[left], places[left]
            if not len(rows):
                break
            done = int(np.partition(places, size)[size]) if len(places) > size else int(places.max())
            near = [(self._tables.get_key(row), row) for row in rows[places <= done].tolist()]
            bound = max(near)
            cut = next((i for i, one in enumerate(recent) if one > bound), len(recent))
            yield from (row for _, row in sorted([*near, *recent[:cut]]))
            recent = recent[cut:]
            size *= 4
        yield from (row for _, row in recent)

    # -- following the index

    def _follow(self) -> None:
        tables, nodes = self._tables, self._tables.nodes
        names, n = int(tables.counts[N_NAMES]), int(tables.counts[N_NODES])
        if n > self._nodes:
            new = np.arange(self._nodes, n)
            columns = nodes.kind[new] == COLUMN
            part1, part2 = nodes.part1[new], nodes.part2[new]
            name = np.where(part2 == NONE, part1, part2)
            context = np.where(columns, nodes.part2[np.where(columns, part1, 0)], part1)
            self._name, self._context = (
                _append(known, self._nodes, more.astype(np.int32)) for known, more in ((self._name, name), (self._context, context))
            )
            mentioned = np.zeros(names, np.bool_)
            mentioned[name] = mentioned[context] = True
            self._add_names(np.flatnonzero(mentioned).astype(np.int32))
            self._nodes = n
        self._names = names
        for prefixes in (self._words, self._lasts, self._wholes):
            prefixes.sort_in()
        if self._nodes - self._sorted > max(_RECENT, self._sorted // 16):
            self._sort_assets()

    def _add_names(self, numbers: Ints) -> None:
        tables = self._tables
        if len(self._known) < int(tables.counts[N_NAMES]):
            more = int(tables.counts[N_NAMES]) - len(self._known)
            self._known = np.concatenate([self._known, np.zeros(more, np.bool_)])
            self._lengths = np.concatenate([self._lengths, np.zeros(more, np.int32)])
        numbers = numbers[~self._known[numbers]]
        self._known[numbers] = True
        for number, text in zip(numbers.tolist(), tables.read_texts(numbers), strict=True):
            folded = text.casefold()
            self._lengths[number] = len(text)
            self._wholes.add(folded, number)
            self._lasts.add(folded.replace("/", ".").rpartition(".")[2], number)
            for word in dict.fromkeys(split_words(text)):
                self._words.add(word, number)

    def _sort_assets(self) -> None:
        """The order of all assets: by the texts of their keys; of columns, by those of their datasets."""
        tables, n, nodes = self._tables, self._nodes, self._tables.nodes
        columns = nodes.kind[:n] == COLUMN
        others = np.flatnonzero(~columns)
        keys = [tables.get_key(node).parts for node in others.tolist()]
        order = np.zeros(n, np.int32)
        order[others[sorted(range(len(keys)), key=keys.__getitem__)]] = np.arange(len(others), dtype=np.int32)
        order[columns] = order[nodes.part1[:n][columns]]
        self._order, self._sorted = order, n


def _split_parts(wanted: str) -> tuple[str, str]:
    """(all parts of a text but the last, the last)."""
    before, _, last = wanted.replace("/", ".").rpartition(".")
    return before, last


def _append(known: Ints, used: int, more: Ints) -> Ints:
    """The array with more rows after those in use."""
    if len(known) < used + len(more):
        known = np.concatenate([known[:used], np.empty(max(used, len(more)), np.int32)])
    known[used : used + len(more)] = more
    return known


class NameText:
    """Finds the names of one index that end with a text. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._text: npt.NDArray[np.uint8] = np.empty(0, np.uint8)  # all names, casefolded, one after the other
        self._end: I64 = np.empty(0, np.int64)  # of each name in it

    def mark_ending(self, text: str) -> Flags:
        """By number: whether a name ends with the text, or the text with it, in any case."""
        self._follow()
        lengths = np.diff(self._end, prepend=0)
        marked: Flags = lengths == 0
        left = np.flatnonzero(~marked)
        for place, byte in enumerate(reversed(text.casefold().encode()), 1):
            left = left[self._text[self._end[left] - place] == byte]
            begun = lengths[left] == place
            marked[left[begun]] = True
            left = left[~begun]
            if not len(left):
                break
        marked[left] = True
        return marked

    def _follow(self) -> None:
        known, n = len(self._end), int(self._tables.counts[N_NAMES])
        if known == n:
            return
        folded = [text.casefold().encode() for text in self._tables.read_texts(np.arange(known, n, dtype=np.int32))]
        ends = np.cumsum([len(text) for text in folded], dtype=np.int64) + len(self._text)
        self._text = np.concatenate([self._text, np.frombuffer(b"".join(folded), np.uint8)])
        self._end = np.concatenate([self._end, ends])
