"""Kernels that follow values: labels that spread over flows, and datasets into which every column of another goes."""

from __future__ import annotations

from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, I32, MASKED, NONE, PASSED_OVER, U8, Csr, Flows, Nodes
from meshline.graph.index.kernels.jit import register_inner, register_kernel
from meshline.graph.index.kernels.traverse import is_visible

_POSSIBLE = 2


@register_inner
def can_carry_value(flags: int) -> bool:
    """Whether a flow between columns passes values on."""
    return flags & (PASSED_OVER | MASKED | CLASS) == 0


@register_inner
def can_carry_columns(flags: int) -> bool:
    """Whether a flow between datasets may pass on any column."""
    return flags & PASSED_OVER == 0 and flags & CLASS == _POSSIBLE


@register_inner
def label_one(column: int, label: int, nodes: Nodes, labels: I32, queue: I32, tail: int) -> int:
    """Label a column or dataset and queue it, if that is less than it has; the end of the queue then."""
    node = nodes.rep[column]
    if labels[node] == 0 or labels[node] > label:
        labels[node] = label
        queue[tail] = node
        tail += 1
    return tail


@register_inner
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
                if is_visible(column, nodes):
                    tail = label_one(column, label, nodes, labels, queue, tail)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == dataset:
            return tail


@register_inner
def follow_node(
    own: int, label: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32, queue: I32, tail: int
) -> int:
    """Label what one own node's flows lead to: a column's columns, a dataset's datasets."""
    whole = nodes.kind[own] == DATASET
    if own < len(csr.ptr) - 1:
        for at in range(csr.ptr[own], csr.ptr[own + 1]):
            end = csr.other[at]
            if whole:
                if can_carry_columns(csr.flags[at]) and nodes.kind[end] == DATASET and nodes.rep[end] != nodes.rep[own]:
                    tail = label_columns(end, label, nodes, labels, queue, tail)
            elif can_carry_value(csr.flags[at]) and nodes.kind[end] == COLUMN:
                tail = label_one(end, label, nodes, labels, queue, tail)
    flow = nodes.over_out[own]
    while flow != NONE:
        end = flows.end[flow]
        if whole:
            if can_carry_columns(flows.flags[flow]) and nodes.kind[end] == DATASET and nodes.rep[end] != nodes.rep[own]:
                tail = label_columns(end, label, nodes, labels, queue, tail)
        elif can_carry_value(flows.flags[flow]) and nodes.kind[end] == COLUMN:
            tail = label_one(end, label, nodes, labels, queue, tail)
        flow = links[flow - base]
    return tail


@register_kernel("I32", "I32", "int", Nodes, Csr, "int", Flows, "I32", "U8", "I32", "I32")
def spread_labels(
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
            tail = follow_node(own, label, nodes, csr, base, flows, links, labels, queue, tail)
            if possible and nodes.kind[own] == COLUMN and not left[nodes.part1[own]]:
                dataset = nodes.part1[own]
                member = dataset
                while True:
                    left[member] = 1
                    tail = follow_node(member, label, nodes, csr, base, flows, links, labels, queue, tail)
                    member = nodes.ring[member]
                    if member == dataset:
                        break
            own = nodes.ring[own]
            if own == node:
                break
    return tail


@register_inner
def find_least_label(before: int, node: int, nodes: Nodes, labels: I32) -> int:
    """The lesser of a label and that of a column or dataset; 0 is none."""
    label = labels[nodes.rep[node]]
    return label if label and (before == 0 or label < before) else before


@register_inner
def find_least_of_dataset(dataset: int, before: int, nodes: Nodes, labels: I32) -> int:
    """The least label of a dataset and its columns."""
    before = find_least_label(before, dataset, nodes, labels)
    member = dataset
    while True:
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                before = find_least_label(before, column, nodes, labels)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == dataset:
            return before


@register_inner
def find_least_upstream(own: int, before: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32) -> int:
    """The least label of what flows into one own node."""
    whole = nodes.kind[own] == DATASET
    if own < len(csr.ptr) - 1:
        for at in range(csr.ptr[own], csr.ptr[own + 1]):
            start = csr.other[at]
            if whole:
                if can_carry_columns(csr.flags[at]) and nodes.kind[start] == DATASET and nodes.rep[start] != nodes.rep[own]:
                    before = find_least_of_dataset(start, before, nodes, labels)
            elif can_carry_value(csr.flags[at]) and nodes.kind[start] == COLUMN:
                before = find_least_label(before, start, nodes, labels)
    flow = nodes.over_in[own]
    while flow != NONE:
        start = flows.start[flow]
        if whole:
            if can_carry_columns(flows.flags[flow]) and nodes.kind[start] == DATASET and nodes.rep[start] != nodes.rep[own]:
                before = find_least_of_dataset(start, before, nodes, labels)
        elif can_carry_value(flows.flags[flow]) and nodes.kind[start] == COLUMN:
            before = find_least_label(before, start, nodes, labels)
        flow = links[flow - base]
    return before


@register_kernel("I32", "int", Nodes, Csr, "int", Flows, "I32", "I32", "I32")
def compute_arriving_labels(
    columns: I32, possible: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, labels: I32, found: I32
) -> int:
    """For each of these nodes that is a representative and is seen, the least label of what flows into it; 0: of nothing.

    Values reach a dataset as a whole only possibly.
    """
    for i in range(len(columns)):
        node = columns[i]
        found[i] = 0
        if nodes.rep[node] != node or not is_visible(node, nodes) or (nodes.kind[node] == DATASET and not possible):
            continue
        own = node
        before = 0
        while True:
            before = find_least_upstream(own, before, nodes, csr, base, flows, links, labels)
            if possible and nodes.kind[own] == COLUMN:
                dataset = nodes.part1[own]
                member = dataset
                while True:
                    before = find_least_upstream(member, before, nodes, csr, base, flows, links, labels)
                    member = nodes.ring[member]
                    if member == dataset:
                        break
            own = nodes.ring[own]
            if own == node:
                break
        found[i] = before
    return len(columns)


@register_inner
def count_into(
    own: int, mark: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, alike: U8, seen: I32, sizes: I32, near: I32, n: int
) -> int:
    """Count the datasets into which one own column goes as it is, once each for a mark; how many are in `near` then."""
    at = csr.ptr[own] if own < len(csr.ptr) - 1 else 0
    last = csr.ptr[own + 1] if own < len(csr.ptr) - 1 else 0
    flow = nodes.over_out[own]
    while at < last or flow != NONE:
        if at < last:
            row = csr.flow[at]
            at += 1
        else:
            row = flow
            flow = links[flow - base]
        end = flows.end[row]
        if can_carry_value(flows.flags[row]) and alike[flows.kind[row]] and nodes.kind[end] == COLUMN:
            dataset = nodes.rep[nodes.part1[end]]
            if seen[dataset] != mark:
                seen[dataset] = mark
                if sizes[dataset] == 0:
                    near[n] = dataset
                    n += 1
                sizes[dataset] += 1
    return n


@register_inner
def count_all(
    dataset: int, mark: int, nodes: Nodes, csr: Csr, base: int, flows: Flows, links: I32, alike: U8, seen: I32, sizes: I32, near: I32
) -> tuple[int, int]:
    """Count the columns of a dataset, each with a mark of its own, and by dataset those that go into it; (how many, how many near)."""
    columns = n = 0
    member = dataset
    while True:
        last = nodes.child[member]
        column = last
        while last != NONE:
            column = nodes.sibling[column]
            if nodes.rep[column] == column and is_visible(column, nodes):
                columns += 1
                own = column
                while True:
                    n = count_into(own, mark + columns, nodes, csr, base, flows, links, alike, seen, sizes, near, n)
                    own = nodes.ring[own]
                    if own == column:
                        break
            if column == last:
                break
        member = nodes.ring[member]
        if member == dataset:
            return columns, n


@register_kernel("I32", "int", Nodes, Csr, "int", Flows, "I32", "U8", "I32", "I32", "I32", "I32", "I32")
def find_copied_datasets(
    datasets: I32,
    least: int,
    nodes: Nodes,
    csr: Csr,
    base: int,
    flows: Flows,
    links: I32,
    alike: U8,
    seen: I32,
    sizes: I32,
    near: I32,
    found: I32,
    into: I32,
) -> int:
    """Find the pairs of (one of these representatives, what it is copied into whole), of at least so many columns; how many, at most
    as many as there is room for.

    `alike`: by kind of flow, whether it changes nothing. `seen` and `sizes` are zeros, by node; `near` has room for all datasets.
    """
    pairs = mark = 0
    for i in range(len(datasets)):
        dataset = datasets[i]
        columns, n = count_all(dataset, mark, nodes, csr, base, flows, links, alike, seen, sizes, near)
        mark += columns
        for at in range(n):
            other = near[at]
            if columns >= least and sizes[other] == columns and other != dataset and pairs < len(found):
                found[pairs] = dataset
                into[pairs] = other
                pairs += 1
            sizes[other] = 0
    return pairs
