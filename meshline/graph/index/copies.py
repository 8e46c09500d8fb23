"""Which datasets are copied whole: every column of one goes, as it is, into another."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.answers import Flags, Ints
from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.core import Core
from meshline.graph.index.tables import COLUMN, DATASET, I32, N_KINDS, N_NODES, NONE, U8, Csr, Flows, Nodes
from meshline.graph.index.values import carries
from meshline.graph.index.walking import visible


@inner
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
        if carries(flows.flags[row]) and alike[flows.kind[row]] and nodes.kind[end] == COLUMN:
            dataset = nodes.rep[nodes.part1[end]]
            if seen[dataset] != mark:
                seen[dataset] = mark
                if sizes[dataset] == 0:
                    near[n] = dataset
                    n += 1
                sizes[dataset] += 1
    return n


@inner
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
            if nodes.rep[column] == column and visible(column, nodes):
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


@kernel("I32", "int", Nodes, Csr, "int", Flows, "I32", "U8", "I32", "I32", "I32", "I32", "I32")
def copied(
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


def copies(core: Core, datasets: Ints, least: int, most: int) -> tuple[Ints, Ints]:
    """(what is copied, into what), of these representatives of datasets; at most so many pairs."""
    n, kinds = int(core.counts[N_NODES]), int(core.counts[N_KINDS])
    identity = core.name_number("IDENTITY")
    alike = ((core.kinds.subtype[:kinds] == identity) & (core.kinds.flags[:kinds] & 3 == 0)).astype(np.uint8)
    found, into = np.empty(most, np.int32), np.empty(most, np.int32)
    pairs = copied(
        datasets.astype(np.int32), least, core.nodes, core.outgoing, core.folded, core.flows, core.overlay.next_out, alike,
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.empty(n, np.int32), found, into,
    )  # fmt: skip
    return found[:pairs], into[:pairs]


def of_datasets(core: Core) -> Ints:
    """The representatives of all datasets that heads name."""
    n = int(core.counts[N_NODES])
    named: Flags = (core.nodes.kind[:n] == DATASET) & (core.nodes.live[:n] > 0)
    return np.unique(core.nodes.rep[:n][named])
