"""Where values go: over DIRECT flows that do not mask, and (`possible`) from dataset to dataset where nobody recorded the columns.

A label is by node: 1 + the least number of flows from a source, 0 where nothing of a source arrives. Of the members of a class
only the representative has one. A dataset has one if values may arrive in any column of it, known or not. What changes is labelled
anew from the labels around it, so that an event costs what hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from meshline.graph.index.answers import FlowStep, Ints
from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.core import Core
from meshline.graph.index.steps import flow_step, order
from meshline.graph.index.tables import CLASS, COLUMN, DATASET, I32, MASKED, N_NODES, NONE, PASSED_OVER, U8, Csr, Flows, Nodes
from meshline.graph.index.walking import visible

_POSSIBLE = 2


@inner
def carries(flags: int) -> bool:
    """Whether a flow between columns passes values on."""
    return flags & (PASSED_OVER | MASKED | CLASS) == 0


@inner
def carries_all(flags: int) -> bool:
    """Whether a flow between datasets may pass on any column."""
    return flags & PASSED_OVER == 0 and flags & CLASS == _POSSIBLE


@inner
def label_one(column: int, label: int, nodes: Nodes, labels: I32, queue: I32, tail: int) -> int:
    """Label a column or dataset and queue it, if that is less than it has; the end of the queue then."""
    node = nodes.rep[column]
    if labels[node] == 0 or labels[node] > label:
        labels[node] = label
        queue[tail] = node
        tail += 1
    return tail


@inner
def label_columns(dataset: int, label: int, nodes: Nodes, labels: I32, queue: I32, tail: int) -> int:
    """The same with a dataset and all its columns that are seen."""
    tail = label_one(dataset, label, nodes, labels, queue, tail)
    member = dataset
    while True:
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                if visible(column, nodes):
                    tail = label_one(column, label, nodes, labels, queue, tail)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == dataset:
            return tail


@inner
def follow(own: int, label: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32, queue: I32, tail: int) -> int:
    """Label what one own node's flows lead to: a column's columns, a dataset's datasets."""
    whole = nodes.kind[own] == DATASET
    if own < len(csr.ptr) - 1:
        for at in range(csr.ptr[own], csr.ptr[own + 1]):
            end = csr.other[at]
            if whole:
                if carries_all(csr.flags[at]) and nodes.kind[end] == DATASET and nodes.rep[end] != nodes.rep[own]:
                    tail = label_columns(end, label, nodes, labels, queue, tail)
            elif carries(csr.flags[at]) and nodes.kind[end] == COLUMN:
                tail = label_one(end, label, nodes, labels, queue, tail)
    flow = nodes.over_out[own]
    while flow != NONE:
        end = flows.end[flow]
        if whole:
            if carries_all(flows.flags[flow]) and nodes.kind[end] == DATASET and nodes.rep[end] != nodes.rep[own]:
                tail = label_columns(end, label, nodes, labels, queue, tail)
        elif carries(flows.flags[flow]) and nodes.kind[end] == COLUMN:
            tail = label_one(end, label, nodes, labels, queue, tail)
        flow = links[flow - base]
    return tail


@kernel("I32", "I32", "int", Nodes, Csr, "int", Flows, "I32", "U8", "I32", "I32")
def spread(
    begin: I32,
    begin_labels: I32,
    possible: int,
    nodes: Nodes,
    csr: Csr,
    base: int,
    flows: Flows,
    links: I32,
    left: U8,
    labels: I32,
    queue: I32,
) -> int:
    """Label what these columns lead to, the nearest first; how many nodes are in `queue` then, each once.

    `begin_labels`, ascending, are the labels of `begin` already. `left`: by dataset, whether its own flows were followed; zeros.
    """
    head = tail = at = 0
    while at < len(begin) or head < tail:
        if head == tail or (at < len(begin) and begin_labels[at] <= labels[queue[head]]):
            node = begin[at]
            at += 1
            if labels[node] != begin_labels[at - 1]:
                continue
        else:
            node = queue[head]
            head += 1
        label = labels[node] + 1
        own = node
        while True:
            tail = follow(own, label, nodes, csr, base, flows, links, labels, queue, tail)
            if possible and nodes.kind[own] == COLUMN and not left[nodes.part1[own]]:
                dataset = nodes.part1[own]
                member = dataset
                while True:
                    left[member] = 1
                    tail = follow(member, label, nodes, csr, base, flows, links, labels, queue, tail)
                    member = nodes.ring[member]
                    if member == dataset:
                        break
            own = nodes.ring[own]
            if own == node:
                break
    return tail


@inner
def least(before: int, node: int, nodes: Nodes, labels: I32) -> int:
    """The lesser of a label and that of a column or dataset; 0 is none."""
    label = labels[nodes.rep[node]]
    return label if label and (before == 0 or label < before) else before


@inner
def least_of(dataset: int, before: int, nodes: Nodes, labels: I32) -> int:
    """The least label of a dataset and its columns."""
    before = least(before, dataset, nodes, labels)
    member = dataset
    while True:
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                before = least(before, column, nodes, labels)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == dataset:
            return before


@inner
def least_before(own: int, before: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32) -> int:
    """The least label of what flows into one own node."""
    whole = nodes.kind[own] == DATASET
    if own < len(csr.ptr) - 1:
        for at in range(csr.ptr[own], csr.ptr[own + 1]):
            start = csr.other[at]
            if whole:
                if carries_all(csr.flags[at]) and nodes.kind[start] == DATASET and nodes.rep[start] != nodes.rep[own]:
                    before = least_of(start, before, nodes, labels)
            elif carries(csr.flags[at]) and nodes.kind[start] == COLUMN:
                before = least(before, start, nodes, labels)
    flow = nodes.over_in[own]
    while flow != NONE:
        start = flows.start[flow]
        if whole:
            if carries_all(flows.flags[flow]) and nodes.kind[start] == DATASET and nodes.rep[start] != nodes.rep[own]:
                before = least_of(start, before, nodes, labels)
        elif carries(flows.flags[flow]) and nodes.kind[start] == COLUMN:
            before = least(before, start, nodes, labels)
        flow = links[flow - base]
    return before


@kernel("I32", "int", Nodes, Csr, "int", Flows, "I32", "I32", "I32")
def arriving(columns: I32, possible: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32, found: I32) -> int:
    """For each of these nodes that is a representative and is seen, the least label of what flows into it; 0: of nothing.

    Values reach a dataset as a whole only possibly.
    """
    for i in range(len(columns)):
        node = columns[i]
        found[i] = 0
        if nodes.rep[node] != node or not visible(node, nodes) or (nodes.kind[node] == DATASET and not possible):
            continue
        own = node
        before = 0
        while True:
            before = least_before(own, before, nodes, csr, base, flows, links, labels)
            if possible and nodes.kind[own] == COLUMN:
                dataset = nodes.part1[own]
                member = dataset
                while True:
                    before = least_before(member, before, nodes, csr, base, flows, links, labels)
                    member = nodes.ring[member]
                    if member == dataset:
                        break
            own = nodes.ring[own]
            if own == node:
                break
        found[i] = before
    return len(columns)


def trace(core: Core, labels: Ints, column: int) -> list[FlowStep]:
    """A shortest way of values from a source to what is labelled, in the order in which they flow: of several, the first by names."""
    steps: list[FlowStep] = []
    node = int(core.nodes.rep[column])
    while labels[node] > 1:
        step, node = min(_before(core, labels, node), key=lambda one: (one[0].reach, core.label(one[1]), order(core, one[0])))
        steps.append(step)
    return steps[::-1]


def _before(core: Core, labels: Ints, node: int) -> Iterator[tuple[FlowStep, int]]:
    """The flows into a column or dataset from what is one nearer to a source, with that."""
    nodes, wanted = core.nodes, int(labels[node]) - 1
    for own in core.ring(node):
        for flow in core.flow_rows(own, incoming=True):
            start = int(core.flows.start[flow])
            if carries(int(core.flows.flags[flow])) and nodes.kind[start] == COLUMN and labels[nodes.rep[start]] == wanted:
                yield flow_step(core, flow), int(nodes.rep[start])
    for dataset in core.ring(int(nodes.part1[node]) if nodes.kind[node] == COLUMN else node):
        for flow in core.flow_rows(dataset, incoming=True):
            start = int(core.flows.start[flow])
            if carries_all(int(core.flows.flags[flow])) and nodes.kind[start] == DATASET:
                own_columns = {int(nodes.rep[column]) for member in core.ring(start) for column in core.children(member)}
                near = [column for column in own_columns if labels[column] == wanted]
                whole = int(nodes.rep[start])
                yield from ((flow_step(core, flow), one) for one in near or ([whole] if labels[whole] == wanted else []))


class Undo(NamedTuple):
    """What labels were."""

    nodes: Ints
    labels: Ints


class Spread:
    """The labels of everything that values of some columns reach."""

    def __init__(self, core: Core, sources: Ints, *, possible: bool) -> None:
        """`sources`: representatives of columns."""
        self._core = core
        self._possible = int(possible)
        self._labels: Ints = np.zeros(int(core.counts[N_NODES]), np.int32)
        self._labels[sources] = 1
        self._run(sources.astype(np.int32), np.ones(len(sources), np.int32), self._labels)

    @property
    def labels(self) -> Ints:
        """By node; of representatives."""
        n = int(self._core.counts[N_NODES])
        if len(self._labels) < n:
            self._labels = np.concatenate([self._labels, np.zeros(n + n // 8 - len(self._labels), np.int32)])
        return self._labels

    def renew(self, changed: Ints, sources: Ints) -> Undo:
        """Label anew these columns and datasets, which are all that they lead to; `sources`: those of all columns that are sources."""
        labels = self.labels
        before = Undo(changed, labels[changed].copy())
        labels[changed] = 0
        found = np.empty(len(changed), np.int32)
        core = self._core
        arriving(
            changed, self._possible, core.nodes, core.incoming, core.folded, core.flows, core.overlay.next_in, labels, found
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
        self.labels[before.nodes] = before.labels

    def _run(self, begin: Ints, begin_labels: Ints, labels: Ints) -> None:
        _spread(self._core, begin, begin_labels, self._possible, labels)


def onward(core: Core, columns: Ints) -> Ints:
    """These representatives of columns and datasets, and all to which values of them may go."""
    labels = np.zeros(int(core.counts[N_NODES]), np.int32)
    labels[columns] = 1
    reached = _spread(core, columns.astype(np.int32), np.ones(len(columns), np.int32), 1, labels)
    return np.unique(np.concatenate([columns, reached])).astype(np.int32)


def _spread(core: Core, begin: Ints, begin_labels: Ints, possible: int, labels: Ints) -> Ints:
    n = int(core.counts[N_NODES])
    queue = np.empty(n + 1, np.int32)
    reached = spread(
        begin, begin_labels, possible, core.nodes, core.outgoing, core.folded, core.flows, core.overlay.next_out,
        np.zeros(n, np.uint8), labels, queue,
    )  # fmt: skip
    return queue[:reached]
