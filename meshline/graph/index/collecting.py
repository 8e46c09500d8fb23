"""Kernels that collect rows by node."""

from __future__ import annotations

from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.tables import (
    DEAD,
    I8,
    I32,
    NONE,
    U8,
    Csr,
    Facts,
    Flows,
    Nodes,
    Overlay,
    Relations,
)


@kernel("int", "int", "int", Nodes, Relations, "I32")
def relation_rows(node: int, type_: int, incoming: int, nodes: Nodes, relations: Relations, found: I32) -> int:
    """The visible relations of a type (NONE: of all) that begin or end at exactly this node, newest first.

    A type -2 - type gives those of the type that are not seen (see `storing.recast`).

    Returns their number; those beyond the room in `found` are counted only.
    """
    n = 0
    row = nodes.into[node] if incoming else nodes.out[node]
    while row != NONE:
        of = relations.type[row]
        if (of >= 0 and type_ == NONE) or (of == type_ and of != NONE):  # heads that are gone leave no type
            if n < len(found):
                found[n] = row
            n += 1
        row = relations.next_in[row] if incoming else relations.next_out[row]
    return n


@kernel("int", Nodes, Facts, "I32")
def fact_rows(node: int, nodes: Nodes, facts: Facts, found: I32) -> int:
    """The facts of exactly this node; as `relation_rows`."""
    n = 0
    row = nodes.fact[node]
    while row != NONE:
        if facts.node[row] == node:
            if n < len(found):
                found[n] = row
            n += 1
        row = facts.next[row]
    return n


@inner
def flows_at(node: int, base: int, csr: Csr, heads: I32, links: I32, flows: Flows, found: I32, n: int) -> int:
    if node < len(csr.ptr) - 1:
        for at in range(csr.ptr[node], csr.ptr[node + 1]):
            if not csr.flags[at] & DEAD:
                if n < len(found):
                    found[n] = csr.flow[at]
                n += 1
    row = heads[node]
    while row != NONE:
        if not flows.flags[row] & DEAD:
            if n < len(found):
                found[n] = row
            n += 1
        row = links[row - base]
    return n


@kernel("int", "int", Csr, Csr, Nodes, Overlay, Flows, "int", "I32")
def flow_rows(
    node: int, incoming: int, outgoing: Csr, into: Csr, nodes: Nodes, overlay: Overlay, flows: Flows, base: int, found: I32
) -> int:
    """The flows that begin (or end) at exactly this node; as `relation_rows`."""
    if incoming:
        return flows_at(node, base, into, nodes.over_in, overlay.next_in, flows, found, 0)
    return flows_at(node, base, outgoing, nodes.over_out, overlay.next_out, flows, found, 0)


@kernel("int", Nodes, "I32")
def children(dataset: int, nodes: Nodes, found: I32) -> int:
    """The columns of exactly this dataset, in the order in which they came; as `relation_rows`."""
    last = nodes.child[dataset]
    if last == NONE:
        return 0
    n = 0
    column = last
    while True:
        column = nodes.sibling[column]
        if n < len(found):
            found[n] = column
        n += 1
        if column == last:
            return n


@kernel("I32", "I32", "I8", "I32", "U8", "I32", "I8", "I32", "U8")
def strongest(
    groups: I32,
    slots: I32,
    reach: I8,
    distance: I32,
    masked: U8,
    found: I32,
    best_reach: I8,
    best_distance: I32,
    best_masked: U8,
) -> int:
    """By group: the strongest reach, the shortest distance in it, and whether all in it are masked.

    `groups`: of each row, a group, or NONE. `slots`: by group, NONE; used for the group's row in the
    result, and NONE again on return. Returns the number of groups; they are in `found`.
    """
    n = 0
    for row in range(len(groups)):
        group = groups[row]
        if group == NONE:
            continue
        at = slots[group]
        if at == NONE:
            at = n
            slots[group] = n
            found[n] = group
            n += 1
        elif reach[row] > best_reach[at]:
            continue
        elif reach[row] == best_reach[at]:
            best_distance[at] = min(best_distance[at], distance[row])
            if not masked[row]:
                best_masked[at] = 0
            continue
        best_reach[at] = reach[row]
        best_distance[at] = distance[row]
        best_masked[at] = masked[row]
    for at in range(n):
        slots[found[at]] = NONE
    return n


@kernel("I32", "int", "U8", "I32")
def mention_rows(mentions: I32, n: int, wanted: U8, found: I32) -> int:
    """The rows of the first `n` mentions that name a wanted node, even of those that nothing that is seen supports; as `relation_rows`."""
    count = 0
    for row in range(n):
        node = mentions[row]
        if wanted[node if node >= 0 else -2 - node]:
            if count < len(found):
                found[count] = row
            count += 1
    return count


@kernel("I32", "I32", "I32", "I32")
def numbered(nodes: I32, slots: I32, found: I32, number: I32) -> int:
    """See `meshline.graph.index.slots.Slots.numbered`; returns how many there are in `found`."""
    n = 0
    for row in range(len(nodes)):
        node = nodes[row]
        if slots[node] == NONE:
            slots[node] = n
            found[n] = node
            n += 1
        number[row] = slots[node]
    for at in range(n):
        slots[found[at]] = NONE
    return n
