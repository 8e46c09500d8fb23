"""How many neighbours each node of a drawing has, and how many of these are drawn: the numbers at the open ends of a drawing.

A neighbour is a node that a traversal from the node alone, of depth 1, reaches. All nodes of a drawing are counted at once.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.graph.index import Direction
from meshline.graph.index.results import Flags, FlowTable, Ints
from meshline.graph.queries.groups import COLUMN, NOTHING
from meshline.graph.queries.lineage import Drawing, Granularity, Numbers, find_datasets, locate_nodes


class HopCount(NamedTuple):
    """The neighbours of a node in one direction.

    `direct`: those to which flows lead that the drawing asks for; `shown`: of these the drawn ones; `stale`: of these those to which
    only stale flows lead. `hidden`: further ones, to which only flows lead that are too weak or too old for the drawing.
    `ungrouped`: datasets that are no neighbours only because they belong to no product (or domain).
    """

    direct: int
    shown: int
    stale: int
    hidden: int
    ungrouped: int


class Neighbours:
    """The neighbours of all nodes of a drawing, counted for a direction when a count is first asked for."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self._known: dict[Direction, dict[int, HopCount]] = {}

    def get_count(self, node: int, direction: Direction) -> HopCount:
        """The count of a drawn node."""
        if direction not in self._known:
            self._known[direction] = _count_hops(self._drawing, direction)
        return self._known[direction][node]


def _count_hops(drawing: Drawing, direction: Direction) -> dict[int, HopCount]:
    graph, arguments, drawn = drawing.graph, drawing.arguments, drawing.list_drawn()
    by_column = arguments.granularity is Granularity.COLUMN
    flows = graph.lineage.list_flows_near(_list_members(drawing), direction, whole=not by_column)
    asked = flows.reach <= arguments.reach
    if arguments.seen_since is not None:
        asked &= graph.lineage.mark_seen(flows.number, arguments.seen_since)
    is_drawn = np.zeros(graph.changes.count_nodes(), np.bool_)
    is_drawn[drawn] = True
    hops = _ColumnHops(drawing, flows, direction) if by_column else _GroupHops(drawing, flows, direction)
    direct, every = hops.count(asked), hops.count(np.ones(asked.size, np.bool_))
    columns = (
        direct,
        hops.count(asked, is_drawn),
        direct - hops.count(asked & ~flows.stale),
        every - direct,
        hops.count_ungrouped(asked) if isinstance(hops, _GroupHops) else np.zeros_like(direct),
    )
    return dict(zip(drawn.tolist(), map(HopCount, *(column.tolist() for column in columns)), strict=True))


def _list_members(drawing: Drawing) -> Ints:
    """The columns and datasets that the drawn nodes are or represent."""
    drawn = drawing.list_drawn()
    if drawing.arguments.granularity in (Granularity.COLUMN, Granularity.DATASET):
        return drawn
    datasets = np.unique(drawing.graph.assets.survey().names.representative)
    return datasets[np.isin(drawing.group(datasets), drawn)]


class _GroupHops:
    """Hops between datasets, products or domains."""

    def __init__(self, drawing: Drawing, flows: FlowTable, direction: Direction) -> None:
        near, far = (flows.start, flows.end) if direction is Direction.DOWNSTREAM else (flows.end, flows.start)
        self._drawn = drawing.list_drawn()
        self._size = drawing.graph.changes.count_nodes()
        self._near = locate_nodes(self._drawn, drawing.group(near))
        of_far = drawing.group(far)
        self._grouped: Flags = of_far != NOTHING
        self._far = np.where(self._grouped, of_far, find_datasets(drawing.graph, far))
        self._other: Flags = (self._near >= 0) & (self._drawn[self._near] != self._far)

    def count(self, chosen: Flags, among: Flags | None = None) -> Numbers:
        """By place in the drawing, the distinct neighbours to which the chosen flows lead; of those that are marked in `among`."""
        chosen = chosen & self._grouped
        return self._count_distinct(chosen if among is None else chosen & among[self._far])

    def count_ungrouped(self, chosen: Flags) -> Numbers:
        return self._count_distinct(chosen & ~self._grouped)

    def _count_distinct(self, chosen: Flags) -> Numbers:
        rows = np.flatnonzero(chosen & self._other)
        return np.bincount(np.unique(self._near[rows] * self._size + self._far[rows]) // self._size, minlength=self._drawn.size)


class _ColumnHops:
    """Hops between columns, and datasets as wholes.

    Where a flow leads to a dataset as a whole, it leads to all its columns. The flows of a dataset as a whole are also those of each of
    its columns: their neighbours are found once for the dataset, and what a column shares with its dataset is counted once.
    """

    def __init__(self, drawing: Drawing, flows: FlowTable, direction: Direction) -> None:
        self._lineage = drawing.graph.lineage
        self._size = drawing.graph.changes.count_nodes()
        self._near, self._far = (flows.start, flows.end) if direction is Direction.DOWNSTREAM else (flows.end, flows.start)
        self._drawn = drawing.list_drawn()
        self._datasets = find_datasets(drawing.graph, self._drawn)
        self._is_column: Flags = self._lineage.get_kinds(self._drawn) == COLUMN
        shared, at = np.unique(self._datasets[self._is_column], return_inverse=True)
        # Keys are places in the drawing, and after these the datasets of drawn columns.
        self._of_column = np.full(self._drawn.size, NOTHING, np.int64)
        self._of_column[self._is_column] = at + self._drawn.size
        near_datasets = find_datasets(drawing.graph, self._near)
        whole = near_datasets == self._near
        places = locate_nodes(self._drawn, self._near)
        containers = np.where(whole, NOTHING, locate_nodes(self._drawn, near_datasets))
        of_shared = np.where(whole, locate_nodes(shared, self._near), NOTHING)
        of_shared = np.where(of_shared >= 0, of_shared + self._drawn.size, NOTHING)
        self._keys = (places, containers, of_shared)

    @cached_property
    def _implied(self) -> tuple[Ints, Ints]:
        return self._lineage.list_implied_columns(np.unique(self._far[self._lineage.get_kinds(self._far) != COLUMN]))

    def count(self, chosen: Flags, among: Flags | None = None) -> Numbers:
        """By place in the drawing, the distinct neighbours to which the chosen flows lead; of those that are marked in `among`."""
        codes = self._list_codes(chosen)
        if among is not None:
            codes = codes[among[codes % self._size]]
        keys = codes // self._size
        n = self._drawn.size
        own = keys < n
        counts = np.bincount(keys, minlength=n + self._datasets.size)
        found = counts[:n] + np.where(self._is_column, counts[self._of_column], 0)
        shared = self._of_column[keys[own]] * self._size + codes[own] % self._size
        found -= np.bincount(keys[own][np.isin(shared, codes[~own])], minlength=n)
        itself = np.isin(np.arange(n) * self._size + self._drawn, codes) | np.isin(self._of_column * self._size + self._drawn, codes)
        counted: Numbers = found - itself
        return counted

    def _list_codes(self, chosen: Flags) -> Numbers:
        """The distinct pairs of a key and a neighbour, each as one number. A dataset's own columns are no neighbours of it."""
        parts = [keys[chosen & (keys >= 0)] * self._size + self._far[chosen & (keys >= 0)] for keys in self._keys]
        direct = np.unique(np.concatenate(parts))
        keys, far = divmod(direct, self._size)
        whole = self._lineage.get_kinds(far) != COLUMN
        datasets, columns = self._implied
        first, last = np.searchsorted(datasets, far[whole], side="left"), np.searchsorted(datasets, far[whole], side="right")
        counts = last - first
        offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        implied = np.repeat(keys[whole], counts) * self._size + columns[np.repeat(first, counts) + offsets]
        codes = np.unique(np.concatenate([direct, implied]))
        keys, far = divmod(codes, self._size)
        far_datasets = far.astype(np.int32)
        of_column = self._lineage.get_kinds(far_datasets) == COLUMN
        far_datasets[of_column] = self._lineage.get_datasets(far_datasets[of_column])
        at = np.minimum(keys, self._drawn.size - 1)
        inside = (keys < self._drawn.size) & ~self._is_column[at] & (self._drawn[at] == far_datasets)
        found: Numbers = codes[~inside]
        return found
