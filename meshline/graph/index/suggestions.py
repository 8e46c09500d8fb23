"""Suggestions while a name is typed: the assets whose names begin with a text, or in whose names each word of the text begins a word.

The distinct words, last parts and whole names are sorted; names that came later are compared one by one until there are many of them.
A look at all assets is a few passes over arrays, about a millisecond per million assets and word. A part of a name that need not begin a
word is found in one text of all names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I8, I64, MERGED, N_NAMES, N_NODES, NONE, PAST
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey
from meshline.graph.naming import parse_search_terms, split_words

MAX_TERMS = 8  # words of a text that count
_RECENT = 4096  # names, or assets, that are not sorted in yet
_LAST = "\U0010ffff"
_IN_NAME = 4  # the rank of a name in which all words of the text begin words
_KINDS = 64  # more than there are kinds


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
        self._nodes = 0  # assets that are known
        self._name: Ints = np.empty(0, np.int32)  # by node: the number of its name
        self._context: Ints = np.empty(0, np.int32)  # the number of its namespace; of a column, of its dataset's name
        self._sorted = 0  # assets that have a place in the order
        self._order: Ints = np.empty(0, np.int32)  # by node: the place by key, of a column that of its dataset

    def prepare(self) -> None:
        """Follow the index, so that the next question need not."""
        self._follow()

    def iterate(self, text: str, first: int) -> Iterator[tuple[tuple[int, int, AssetKey], int]]:
        """The assets (own nodes) in order, each with its key of order: rank, kind and name. `first`: about how many are wanted.

        Ranks: the text is 0 the name, 1 its last part, 2 its beginning, 3 the beginning of its last part; 4 all words begin words of the
        name; 5 some do so only of the namespace, or, for a column, of its dataset's name.
        """
        terms, wanted = parse_search_terms(text)[:MAX_TERMS], text.strip().casefold()
        if not terms:
            return
        self._follow()
        marked = [self._mark_names(term) for term in terms]
        level = self._rank_names(marked, wanted)
        by_name = (level <= _IN_NAME)[self._name[: self._nodes]]
        yield from self._iterate_rows(np.flatnonzero(by_name), level, first)
        elsewhere = ~by_name  # looked at only if that was not enough: a word of a dataset is one of the context of all its columns
        for names in marked:
            elsewhere &= names[self._name[: self._nodes]] | names[self._context[: self._nodes]]
        yield from self._iterate_rows(np.flatnonzero(elsewhere), level, first)

    def _mark_names(self, term: str) -> Flags:
        """By name: whether the term begins a word of it."""
        marked = np.zeros(self._names, np.bool_)
        marked[self._words.find(term)] = True
        return marked

    def _rank_names(self, marked: list[Flags], wanted: str) -> I8:
        """The rank of each name; `_IN_NAME` + 1 for those in which not all words are."""
        level = np.where(np.logical_and.reduce(marked), _IN_NAME, _IN_NAME + 1).astype(np.int8)
        level[self._lasts.find(wanted)] = 3
        level[self._wholes.find(wanted)] = 2
        level[self._lasts.find(wanted, whole=True)] = 1
        level[self._wholes.find(wanted, whole=True)] = 0
        return level

    def _iterate_rows(self, rows: I64, level: I8, first: int) -> Iterator[tuple[tuple[int, int, AssetKey], int]]:
        """These assets by rank, kind and name, without those that are only inferred or former."""
        nodes = self._tables.nodes
        rows = rows[(nodes.live[rows] > 0) & (nodes.traits[rows] & (GONE | PAST) == 0)]
        data = np.where(nodes.kind[rows] == COLUMN, nodes.part1[rows], rows)
        solid = (nodes.kind[data] != DATASET) | (nodes.solid[data] > 0) | (nodes.traits[data] & MERGED != 0)
        rows = rows[solid]
        groups = level[self._name[rows]].astype(np.int32) * _KINDS + nodes.kind[rows]
        for group in np.flatnonzero(np.bincount(groups, minlength=1)).tolist():
            yield from self._iterate_group(group, rows[groups == group], first)

    def _iterate_group(self, group: int, rows: I64, first: int) -> Iterator[tuple[tuple[int, int, AssetKey], int]]:
        """The assets of one rank and kind by name. Names are made only of as many as are asked for."""
        nodes = self._tables.nodes
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
            yield from (((group // _KINDS, int(nodes.kind[row]), key), row) for key, row in sorted([*near, *recent[:cut]]))
            recent = recent[cut:]
            size *= 4
        yield from (((group // _KINDS, int(nodes.kind[row]), key), row) for key, row in recent)

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
            self._add_names(np.unique(np.concatenate([name, context])))
            self._nodes = n
        self._names = names
        for prefixes in (self._words, self._lasts, self._wholes):
            prefixes.sort_in()
        if self._nodes - self._sorted > max(_RECENT, self._sorted // 16):
            self._sort_assets()

    def _add_names(self, numbers: Ints) -> None:
        tables = self._tables
        if len(self._known) < int(tables.counts[N_NAMES]):
            self._known = np.concatenate([self._known, np.zeros(int(tables.counts[N_NAMES]) - len(self._known), np.bool_)])
        numbers = numbers[~self._known[numbers]]
        self._known[numbers] = True
        for number, text in zip(numbers.tolist(), tables.read_texts(numbers), strict=True):
            folded = text.casefold()
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


def _append(known: Ints, used: int, more: Ints) -> Ints:
    """The array with more rows after those in use."""
    if len(known) < used + len(more):
        known = np.concatenate([known[:used], np.empty(max(used, len(more)), np.int32)])
    known[used : used + len(more)] = more
    return known


class NameText:
    """Finds the assets of one index with a text in the last parts of their names. Follows it whenever it is asked."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._text: npt.NDArray[np.uint8] = np.empty(0, np.uint8)  # all names, casefolded, one after the other
        self._end: I64 = np.empty(0, np.int64)  # of each name in it

    def find_nodes(self, kind: int, text: str) -> Ints:
        """The representatives (ascending) of the assets of a kind of which a name has the text in its last part, in any case."""
        self._follow()
        tables, n = self._tables, int(self._tables.counts[N_NODES])
        nodes = np.flatnonzero((tables.nodes.kind[:n] == kind) & (tables.nodes.live[:n] > 0))
        last = tables.nodes.part2[nodes]
        last = np.where(last == NONE, tables.nodes.part1[nodes], last)
        found: Ints = np.unique(tables.nodes.rep[nodes[self._mark_names(text.casefold().encode())[last]]])
        return found

    def _mark_names(self, text: bytes) -> Flags:
        """By number: whether a name has the text."""
        marked = np.zeros(len(self._end), np.bool_)
        if not text:
            return ~marked
        begin = np.flatnonzero(self._text[: max(0, len(self._text) - len(text) + 1)] == text[0])
        for offset, byte in enumerate(text[1:], 1):
            begin = begin[self._text[begin + offset] == byte]
        name = np.searchsorted(self._end, begin, side="right")
        marked[name[begin + len(text) <= self._end[name]]] = True  # and does not run over the end of it
        return marked

    def _follow(self) -> None:
        known, n = len(self._end), int(self._tables.counts[N_NAMES])
        if known == n:
            return
        folded = [self._tables.get_text(number).casefold().encode() for number in range(known, n)]
        ends = np.cumsum([len(text) for text in folded], dtype=np.int64) + len(self._text)
        self._text = np.concatenate([self._text, np.frombuffer(b"".join(folded), np.uint8)])
        self._end = np.concatenate([self._end, ends])
