"""Who may read many assets at once, by the grants that sources state: counted with arrays, without an object for each right."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags, Ints, Longs
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.pages import KIND_ORDER

_COLUMN = KIND_ORDER[AssetKind.COLUMN]
_DATASET = KIND_ORDER[AssetKind.DATASET]


class Readers:
    """The readers of some nodes, each once. Who may read a dataset may read its columns; a dataset counts also for who may read some of it.

    Assets of other kinds than datasets and columns are not read, and not counted.
    """

    def __init__(self, index: LineageIndex, nodes: Ints, units: Ints) -> None:
        """`units`: of each node the dataset of a column, else the node itself (int32)."""
        self._nodes = nodes
        self._units = units
        self._data: Flags = np.isin(index.lineage.get_kinds(nodes), (_COLUMN, _DATASET))
        self._count = index.changes.count_nodes()
        edges = index.ownership.list_all_edges(EdgeType.MAY_READ)
        of_column = index.lineage.get_kinds(edges.end) == _COLUMN
        # Pairs of a reader and a dataset, or a column of a dataset of which it may not read all; each once, as int64.
        self._whole = np.unique(self._pair(edges.start[~of_column], edges.end[~of_column]))
        starts, columns = edges.start[of_column], edges.end[of_column]
        datasets = index.lineage.get_datasets(columns)
        alone = ~np.isin(self._pair(starts, datasets), self._whole)
        self._columns = np.unique(self._pair(starts[alone], columns[alone]))
        self._partly = np.unique(self._pair(starts[alone], datasets[alone]))

    def count(self) -> dict[int | None, int]:
        """How many of the nodes each may read; None: those of which no source states who may."""
        sizes = np.bincount(self._units[self._data], minlength=self._count)
        found: dict[int | None, int] = {}
        for pairs, counts in ((self._whole, sizes), (self._columns, self._marks), (self._partly, self._marks)):
            readers, ends = self._split(pairs)
            hit = np.flatnonzero(counts[ends])
            distinct, at = np.unique(readers[hit], return_inverse=True)
            for reader, number in zip(distinct.tolist(), np.bincount(at, counts[ends[hit]], len(distinct)).tolist(), strict=True):
                found[reader] = found.get(reader, 0) + int(number)
        unknown = int((self._data & ~self._mark_read(None)).sum())
        return {**found, None: unknown} if unknown else found

    def mark_read_by(self, reader: int) -> Flags:
        """Whether the reader may read each node (bool, by position in the nodes)."""
        return self._data & self._mark_read(reader)

    @cached_property
    def _marks(self) -> Flags:
        """By node of the index: whether it is one of the nodes."""
        found = np.zeros(self._count, np.bool_)
        found[self._nodes[self._data]] = True
        return found

    def _mark_read(self, reader: int | None) -> Flags:
        """Whether a reader, or (None) any, may read each node or some of it."""
        whole, parts = np.zeros(self._count, np.bool_), np.zeros(self._count, np.bool_)
        for marks, pairs in ((whole, self._whole), (parts, self._columns), (parts, self._partly)):
            readers, ends = self._split(pairs)
            marks[ends if reader is None else ends[readers == reader]] = True
        found: Flags = whole[self._units] | parts[self._nodes]
        return found

    def _pair(self, starts: Ints, ends: Ints) -> Longs:
        return starts.astype(np.int64) * self._count + ends

    def _split(self, pairs: Longs) -> tuple[Longs, Longs]:
        return pairs // self._count, pairs % self._count
