"""Where values go that stay readable: over DIRECT flows that do not mask, and (`possible`) from dataset to dataset where no columns are
recorded. Policies ask this; whether a traversal reaches a column masked is decided in `traversal`.

Each node has a label: 1 + the least number of flows from a source, 0 where no value of a source arrives. Of the members of a
class only the representative has one. A dataset has one if values may arrive in any column of it, known or not. Changed nodes are
labelled again from the labels around them, so that an event costs as much as the nodes that depend on it.

A dataset is copied whole if every column of it goes unchanged into another dataset.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, N_KINDS, N_NODES
from meshline.graph.index.flow_tables import build_flow_step, build_order_key
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import propagate
from meshline.graph.index.kernels.propagate import can_carry_columns, can_carry_value
from meshline.graph.index.results import Flags, FlowStep, Ints, Undo


def trace_values(tables: IndexTables, labels: Ints, column: int) -> list[FlowStep]:
    """A shortest path of values from a source to a labelled column, in the direction of flow: of several, the first by names."""
    steps: list[FlowStep] = []
    node = int(tables.nodes.rep[column])
    while labels[node] > 1:
        step, node = min(
            _list_steps_before(tables, labels, node),
            key=lambda one: (one[0].reach, tables.get_label(one[1]), build_order_key(tables, one[0])),
        )
        steps.append(step)
    return steps[::-1]


def _list_steps_before(tables: IndexTables, labels: Ints, node: int) -> Iterator[tuple[FlowStep, int]]:
    """The flows into a column or dataset from nodes that are one flow nearer to a source, with these nodes."""
    nodes, wanted = tables.nodes, int(labels[node]) - 1
    for own in tables.list_ring(node):
        for flow in tables.list_flow_rows(own, incoming=True):
            start = int(tables.flows.start[flow])
            if can_carry_value(int(tables.flows.flags[flow])) and nodes.kind[start] == COLUMN and labels[nodes.rep[start]] == wanted:
                yield build_flow_step(tables, flow), int(nodes.rep[start])
    for dataset in tables.list_ring(int(nodes.part1[node]) if nodes.kind[node] == COLUMN else node):
        for flow in tables.list_flow_rows(dataset, incoming=True):
            start = int(tables.flows.start[flow])
            if can_carry_columns(int(tables.flows.flags[flow])) and nodes.kind[start] == DATASET:
                own_columns = {int(nodes.rep[column]) for column in tables.list_columns(start)}
                near = [column for column in own_columns if labels[column] == wanted]
                whole = int(nodes.rep[start])
                yield from ((build_flow_step(tables, flow), one) for one in near or ([whole] if labels[whole] == wanted else []))


class Spread:
    """The labels of all nodes that values of some columns reach."""

    def __init__(self, tables: IndexTables, sources: Ints, *, possible: bool) -> None:
        """`sources`: representatives of columns."""
        self._tables = tables
        self._possible = int(possible)
        self._labels: Ints = np.zeros(int(tables.counts[N_NODES]), np.int32)
        self._labels[sources] = 1
        self._run(sources.astype(np.int32), np.ones(len(sources), np.int32), self._labels)

    @property
    def labels(self) -> Ints:
        """int32 array by node, set at representatives; valid until the index changes."""
        n = int(self._tables.counts[N_NODES])
        if len(self._labels) < n:
            self._labels = np.concatenate([self._labels, np.zeros(n + n // 8 - len(self._labels), np.int32)])
        return self._labels[:n]

    def renew(self, changed: Ints, sources: Ints) -> Undo:
        """Label columns and datasets again; gives their former labels.

        `changed`: int32, all affected nodes, with every node to which they lead. `sources`: all columns that are sources now.
        """
        labels = self.labels
        before = Undo(changed, labels[changed].copy())
        labels[changed] = 0
        found = np.empty(len(changed), np.int32)
        tables = self._tables
        propagate.compute_arriving_labels(
            changed, self._possible, tables.nodes, tables.incoming, tables.folded, tables.flows, tables.overlay.next_in, labels, found
        )  # fmt: skip
        given = np.where(found > 0, found + 1, 0).astype(np.int32)
        given[np.isin(changed, sources)] = 1
        labels[changed] = given
        begin = changed[given > 0]
        order = np.argsort(labels[begin], kind="stable")
        begin = begin[order].astype(np.int32)
        self._run(begin, labels[begin].copy(), labels)
        return before

    def restore(self, before: Undo) -> None:
        """Restore the labels that `renew` replaced."""
        self.labels[before.nodes] = before.labels

    def _run(self, begin: Ints, begin_labels: Ints, labels: Ints) -> None:
        _spread(self._tables, begin, begin_labels, self._possible, labels)


def collect_onward(tables: IndexTables, columns: Ints) -> Ints:
    """These representatives of columns and datasets, and all nodes that their values may reach: int32, sorted."""
    labels = np.zeros(int(tables.counts[N_NODES]), np.int32)
    labels[columns] = 1
    reached = _spread(tables, columns.astype(np.int32), np.ones(len(columns), np.int32), 1, labels)
    return np.unique(np.concatenate([columns, reached])).astype(np.int32)


def _spread(tables: IndexTables, begin: Ints, begin_labels: Ints, possible: int, labels: Ints) -> Ints:
    n = int(tables.counts[N_NODES])
    queue = np.empty(n + 1, np.int32)
    reached = propagate.spread_labels(
        begin, begin_labels, possible, tables.nodes, tables.outgoing, tables.folded, tables.flows, tables.overlay.next_out,
        np.zeros(n, np.uint8), labels, queue,
    )  # fmt: skip
    return queue[:reached]


def find_copies(tables: IndexTables, datasets: Ints, least: int, most: int) -> tuple[Ints, Ints]:
    """(datasets that are copied whole, their copies): int32 arrays of equal length.

    Of these representatives of datasets those with at least `least` columns; at most `most` pairs.
    """
    n, kinds = int(tables.counts[N_NODES]), int(tables.counts[N_KINDS])
    identity = tables.find_name("IDENTITY")
    alike = ((tables.kinds.subtype[:kinds] == identity) & (tables.kinds.flags[:kinds] & 3 == 0)).astype(np.uint8)
    found, into = np.empty(most, np.int32), np.empty(most, np.int32)
    pairs = propagate.find_copied_datasets(
        datasets.astype(np.int32), least, tables.nodes, tables.outgoing, tables.folded, tables.flows, tables.overlay.next_out, alike,
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.empty(n, np.int32), found, into,
    )  # fmt: skip
    return found[:pairs], into[:pairs]


def list_datasets(tables: IndexTables) -> Ints:
    """The representatives of all datasets that heads mention: int32, sorted."""
    n = int(tables.counts[N_NODES])
    named: Flags = (tables.nodes.kind[:n] == DATASET) & (tables.nodes.live[:n] > 0)
    return np.unique(tables.nodes.rep[:n][named])
