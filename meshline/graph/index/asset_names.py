"""The names of all assets as arrays, their order, and an index of rows by numbers: what suggestions and search have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I64, MERGED, N_NAMES, N_NODES, NONE, PAST
from meshline.graph.index.index_tables import IndexTables, list_positions
from meshline.graph.index.results import Flags, Ints
from meshline.graph.index.snapshot_file import Array, take_array
from meshline.graph.own_files import Unusable

_RECENT = 4096  # assets, or rows, that are not sorted in yet


class AssetNames:
    """The names of the assets of one index. `follow` adds those that came since; arrays are longer than what is in use."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self.texts = 0  # texts that the index knows: names have numbers below
        self.used: Ints = np.empty(0, np.int32)  # the texts that are names, in the order in which they came
        self.lengths: Ints = np.empty(0, np.int32)  # by text: its length, 0 if it is no name
        self.nodes = 0  # assets that are known
        self.name: Ints = np.empty(0, np.int32)  # by node: the text of its name
        self.context: Ints = np.empty(0, np.int32)  # the text of its namespace; of a column, of its dataset's name
        self._is_used: Flags = np.zeros(0, np.bool_)  # by text
        self._sorted = 0  # assets that have a place in the order
        self._order: Ints = np.empty(0, np.int32)  # by node: the place by key, of a column that of its dataset

    def collect_arrays(self) -> dict[str, Array]:
        """All that is known, for a snapshot."""
        return {
            "counts": np.array([self.texts, self.nodes, self._sorted], np.int64),
            "used": self.used,
            "lengths": self.lengths,
            "name": self.name[: self.nodes],
            "context": self.context[: self.nodes],
            "is_used": self._is_used,
            "order": self._order,
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with what was known. Raises Unusable."""
        self.texts, self.nodes, self._sorted = map(int, take_array(arrays, "counts", np.empty(0, np.int64), 3))
        self.used = take_array(arrays, "used", self.used)
        self.lengths = take_array(arrays, "lengths", self.lengths, self.texts)
        self.name = take_array(arrays, "name", self.name, self.nodes)
        self.context = take_array(arrays, "context", self.context, self.nodes)
        self._is_used = take_array(arrays, "is_used", self._is_used, self.texts)
        self._order = take_array(arrays, "order", self._order, self._sorted)
        if self.texts > self._tables.counts[N_NAMES] or self.nodes > self._tables.counts[N_NODES]:
            raise Unusable("it is damaged: it has other names than assets")

    def follow(self) -> None:
        """Add the assets that came since."""
        tables, nodes = self._tables, self._tables.nodes
        texts, n = int(tables.counts[N_NAMES]), int(tables.counts[N_NODES])
        if texts > self.texts:
            self._is_used = np.concatenate([self._is_used, np.zeros(texts - len(self._is_used), np.bool_)])
            self.lengths = np.concatenate([self.lengths, np.zeros(texts - len(self.lengths), np.int32)])
            self.texts = texts
        if n > self.nodes:
            new = np.arange(self.nodes, n)
            columns = nodes.kind[new] == COLUMN
            part1, part2 = nodes.part1[new], nodes.part2[new]
            name = np.where(part2 == NONE, part1, part2)
            context = np.where(columns, nodes.part2[np.where(columns, part1, 0)], part1)
            self.name, self.context = (
                _append(known, self.nodes, more.astype(np.int32)) for known, more in ((self.name, name), (self.context, context))
            )
            self._add(np.unique(np.concatenate([name, context])).astype(np.int32))
            self.nodes = n
        if self.nodes - self._sorted > max(_RECENT, self._sorted // 16):
            self._sort()

    def _add(self, texts: Ints) -> None:
        new = texts[~self._is_used[texts]]
        self._is_used[new] = True
        self.lengths[new] = [len(text) for text in self._tables.read_texts(new)]
        self.used = np.concatenate([self.used, new])

    def mark_current(self, rows: I64) -> Flags:
        """Which of these assets a source mentions by names that mean them still: not by what a name meant until a rename or drop, of the
        column or of its dataset.
        """
        nodes = self._tables.nodes
        of = np.where(nodes.kind[rows] == COLUMN, nodes.part1[rows], rows)
        marked: Flags = (nodes.live[rows] > 0) & ((nodes.traits[rows] | nodes.traits[of] & PAST) & (GONE | PAST) == 0)
        return marked

    def mark_stated(self, rows: I64) -> Flags:
        """Which of these assets are not only inferred, and are of no dataset that is. Of a class of names, all."""
        nodes = self._tables.nodes
        data = np.where(nodes.kind[rows] == COLUMN, nodes.part1[rows], rows)
        marked: Flags = (nodes.kind[data] != DATASET) | (nodes.solid[data] > 0) | (nodes.traits[data] & MERGED != 0)
        return marked

    def iterate_sorted(self, rows: I64, first: int) -> Iterator[int]:
        """These assets by their keys. Keys are made only of about as many as are asked for: `first`."""
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

    def _sort(self) -> None:
        """The order of all assets: by the texts of their keys; of columns, by those of their datasets."""
        tables, n, nodes = self._tables, self.nodes, self._tables.nodes
        columns = nodes.kind[:n] == COLUMN
        others = np.flatnonzero(~columns)
        keys = [tables.get_key(node).parts for node in others.tolist()]
        order = np.zeros(n, np.int32)
        order[others[sorted(range(len(keys)), key=keys.__getitem__)]] = np.arange(len(others), dtype=np.int32)
        order[columns] = order[nodes.part1[:n][columns]]
        self._order, self._sorted = order, n


class Segment(NamedTuple):
    """Rows by number: those of `numbers[i]` are `order[starts[places[i]] : starts[places[i] + 1]]`."""

    numbers: Ints
    places: Ints
    starts: I64
    order: Ints

    def count_rows(self) -> int:
        """How many rows it has."""
        return int((self.starts[self.places + 1] - self.starts[self.places]).sum())


class Postings:
    """Rows by a number that each of them has. The rows are numbered from 0 in the order in which they are added."""

    def __init__(self) -> None:
        self._used = 0  # rows
        self._numbers: Ints = np.empty(0, np.int32)  # by row
        self._order: Ints = np.empty(0, np.int32)  # the sorted rows, by number
        self._starts: I64 = np.zeros(1, np.int64)  # of each number in the order

    def __len__(self) -> int:
        return self._used

    def collect_arrays(self) -> dict[str, Array]:
        """All rows, for a snapshot."""
        return {"numbers": self._numbers[: self._used], "order": self._order, "starts": self._starts}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Continue with these rows. Raises Unusable."""
        self._numbers = take_array(arrays, "numbers", self._numbers)
        self._order = take_array(arrays, "order", self._order)
        self._starts = take_array(arrays, "starts", self._starts)
        self._used = len(self._numbers)
        if len(self._order) > self._used or not len(self._starts) or self._starts[-1] != len(self._order):
            raise Unusable("it is damaged: an array is not what it should be")

    def add(self, numbers: Ints) -> None:
        """Add rows with these numbers."""
        self._numbers = _append(self._numbers, self._used, numbers)
        self._used += len(numbers)
        if self._used - len(self._order) > max(_RECENT, len(self._order) // 16):
            self._order = np.argsort(self._numbers[: self._used], kind="stable").astype(np.int32)
            self._starts = np.concatenate([[0], np.cumsum(np.bincount(self._numbers[: self._used]))])

    @property
    def order(self) -> Ints:
        """The rows that are sorted by their numbers."""
        return self._order

    def list_segments(self, numbers: Ints) -> list[Segment]:
        """The rows with one of these numbers, which are distinct, where they are."""
        segments = [segment._replace(numbers=numbers[segment.numbers]) for segment in self.find(numbers)]
        return [segment for segment in segments if len(segment.places)]

    def find(self, numbers: Ints) -> list[Segment]:
        """The rows with one of these numbers, which are distinct, where they are; as numbers, the places of these among the given ones."""
        known = np.flatnonzero(numbers < len(self._starts) - 1).astype(np.int32)
        found = [Segment(known, numbers[known], self._starts, self._order)]
        recent = self._numbers[len(self._order) : self._used]
        if len(recent) and len(numbers):
            by_number = np.argsort(numbers)
            at = by_number[np.minimum(np.searchsorted(numbers, recent, sorter=by_number), len(numbers) - 1)].astype(np.int32)
            rows = np.flatnonzero(numbers[at] == recent).astype(np.int32)
            one_each = np.arange(len(rows) + 1)
            found.append(Segment(at[rows], one_each[:-1].astype(np.int32), one_each, rows + np.int32(len(self._order))))
        return found

    def find_rows(self, numbers: Ints) -> Ints:
        """The rows with one of these numbers, which are distinct."""
        found = self.find(numbers)
        rows = [order[list_positions(starts[places], starts[places + 1])] for _, places, starts, order in found]
        return np.concatenate(rows)


def _append(known: Ints, used: int, more: Ints) -> Ints:
    """The array with more rows after those in use."""
    if len(known) < used + len(more):
        known = np.concatenate([known[:used], np.empty(max(used, len(more)), np.int32)])
    known[used : used + len(more)] = more
    return known
