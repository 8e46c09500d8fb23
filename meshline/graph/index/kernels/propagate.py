"""Kernels that follow values: labels that spread over flows, and datasets that contain copies of all columns of another.

Tables (Names, Nodes, Folds, FlowKinds, Flows, Relations, Facts, Csr, Overlay) are the groups of one-dimensional arrays of
`meshline.graph.index.arrays`, which gives the dtype and meaning of each. `counts`: int64, shape (N_COUNTS,), the rows in use by table.

Further arrays, by node: `labels`, int32, 0 = none, otherwise smaller is nearer. `queue`: int32, nodes. `csr`, `links`: flows of one
direction, in the CSR arrays (the first `base` flows) and the links of the newer ones (an array of Overlay).
An own node is a member of an identity class; labels are those of the class's representative.
"""

from __future__ import annotations

from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, I32, MASKED, NONE, PASSED_OVER, U8, Csr, Flows, Nodes
from meshline.graph.index.kernels.jit import register_inner, register_kernel
from meshline.graph.index.kernels.traverse import is_visible

_POSSIBLE = 2


@register_inner
def can_carry_value(flags: int) -> bool:
    """True if a flow between columns with these flags passes values on."""
    return flags & (PASSED_OVER | MASKED | CLASS) == 0


@register_inner
def can_carry_columns(flags: int) -> bool:
    """True if a flow between datasets with these flags may pass any column on."""
    return flags & PASSED_OVER == 0 and flags & CLASS == _POSSIBLE


@register_inner
def label_one(column: int, label: int, nodes: Nodes, labels: I32, queue: I32, tail: int) -> int:
    """Label a column or dataset and queue it, if the label is smaller than its own; the end of the queue then."""
    node = nodes.rep[column]
    if labels[node] == 0 or labels[node] > label:
        labels[node] = label
        queue[tail] = node
        tail += 1
    return tail


@register_inner
def label_columns(dataset: int, label: int, nodes: Nodes, labels: I32, queue: I32, tail: int) -> int:
    """Label a dataset and all its visible columns, as `label_one`; the end of the queue then."""
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
    """Label the ends of the flows of one own node: columns for a column, datasets for a dataset; the end of the queue then."""
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
    """Label what these columns flow to, nearest first, with the label of the start + 1 for each step.

    `begin`, `begin_labels`: int32, shape (n,), ascending by label; `labels` contains them already. `possible`: 1 to follow flows between
    datasets, too. `left`: uint8, by node, all zeros: whether a dataset's own flows were followed. `queue` has room for all nodes.

    Returns the number of nodes in `queue`, each of which appears once.
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
    """The smaller of a label and the label of a column or dataset; 0 = none."""
    label = labels[nodes.rep[node]]
    return label if label and (before == 0 or label < before) else before


@register_inner
def find_least_of_dataset(dataset: int, before: int, nodes: Nodes, labels: I32) -> int:
    """The smallest of a label and the labels of a dataset and its columns; 0 = none."""
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
    """The smallest of a label and the labels of the nodes that flow into one own node; 0 = none."""
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
    """For each of n nodes, the smallest label of the nodes that flow into it.

    `columns`: int32, shape (n,). `possible`: 1 to follow flows between datasets, too; without, datasets get 0. `found`: int32, shape (n,),
    the labels; 0 if there is none, or if the node is no representative or not visible. Returns n.
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
    """Count the datasets that contain a copy of one own column, once each for a mark; the number of datasets in `near` then.

    Arrays as in `find_copied_datasets`.
    """
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
    """Count the columns of a dataset, and by dataset those copied into it; (columns, datasets in `near`). Each column has its own mark."""
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
    """Find the pairs of (one of n datasets, a dataset into which all its columns are copied), of at least `least` columns.

    `datasets`: int32, shape (n,), representatives. `alike`: uint8, by row of FlowKinds, whether flows of the kind leave values unchanged.
    `seen`, `sizes`: int32, by node, all zeros. `near`: int32, with room for all datasets. `found`, `into`: int32, shape (m,), the pairs.
    Returns the number of pairs, at most m.
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
