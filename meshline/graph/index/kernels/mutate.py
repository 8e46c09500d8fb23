"""Kernels that change the rows of heads: link, withdraw, rewrite, fold the overlay in, drop rows that are not in use.

Tables (Names, Nodes, Folds, FlowKinds, Flows, Relations, Facts, Mentions, Csr, Overlay) are the groups of one-dimensional arrays of
`meshline.graph.index.arrays`, which gives the dtype and meaning of each. `counts`: int64, shape (N_COUNTS,), the rows in use by table.

Further arrays: `starts`, int64, shape (heads + 1, 4): the first row of each head in Flows, Relations, Facts and Mentions; `begin` and
`end`, int64, shape (4,): the rows of one head, from `starts`.
"""

from __future__ import annotations

from meshline.graph.index.arrays import (
    COLUMN,
    DEAD,
    GONE,
    I32,
    I64,
    MERGED,
    N_FACTS,
    N_FLOWS,
    N_NAMED,
    N_NODES,
    N_RELATIONS,
    NONE,
    PAST,
    U8,
    Csr,
    Facts,
    Flows,
    Folds,
    Mentions,
    Names,
    Nodes,
    Overlay,
    Relations,
)
from meshline.graph.index.kernels.decode import HAS_COLUMN, RENAMED_TO, add_fact, add_mention, add_relation
from meshline.graph.index.kernels.hash_tables import add_node, count_fact, count_listing, count_mention, intern_column, intern_node
from meshline.graph.index.kernels.jit import register_inner, register_kernel


@register_kernel("int", "int", "int", Flows, Nodes, Overlay)
def link_flows(first: int, last: int, base: int, flows: Flows, nodes: Nodes, overlay: Overlay) -> int:
    """Link flows first..last at their ends, for traversals; `base`: flows in the CSR arrays. Returns their number."""
    for row in range(first, last):
        start, end = flows.start[row], flows.end[row]
        overlay.next_out[row - base] = nodes.over_out[start]
        overlay.next_in[row - base] = nodes.over_in[end]
        nodes.over_out[start] = row
        nodes.over_in[end] = row
    return last - first


@register_inner
def reflag_copy(csr: Csr, node: int, flow: int, flags: int) -> None:
    """Set the flags of one flow in the CSR arrays, if they contain it."""
    low, high = csr.ptr[node], csr.ptr[node + 1]
    while low < high:
        middle = (low + high) >> 1
        if csr.flow[middle] < flow:
            low = middle + 1
        else:
            high = middle
    if low < csr.ptr[node + 1] and csr.flow[low] == flow:
        csr.flags[low] = flags


@register_kernel("int", "int", "int", "int", "int", Flows, Csr, Csr)
def reflag_flows(first: int, last: int, base: int, keep: int, add: int, flows: Flows, outgoing: Csr, incoming: Csr) -> int:
    """Set the flags of flows first..last to (flags & keep | add), in Flows and in both CSR arrays. Returns their number."""
    for row in range(first, last):
        flags = (flows.flags[row] & keep) | add
        flows.flags[row] = flags
        if row < base:
            reflag_copy(outgoing, flows.start[row], row, flags)
            reflag_copy(incoming, flows.end[row], row, flags)
    return last - first


@register_inner
def withdraw_relation(row: int, nodes: Nodes, relations: Relations, counts: I64) -> None:
    """Mark one relation as dead, and count it out at both ends.

    The newest ones of a node are unlinked: else what comes and goes without end would make lists that are longer and longer.
    """
    type_ = relations.type[row]
    start, end = relations.start[row], relations.end[row]
    relations.type[row] = NONE
    while nodes.out[start] != NONE and relations.type[nodes.out[start]] == NONE:
        nodes.out[start] = relations.next_out[nodes.out[start]]
    while nodes.into[end] != NONE and relations.type[nodes.into[end]] == NONE:
        nodes.into[end] = relations.next_in[nodes.into[end]]
    if type_ < 0:
        return
    if type_ < RENAMED_TO:
        count_fact(start, -1, nodes, counts)
        count_fact(end, -1, nodes, counts)
    if type_ == HAS_COLUMN:
        count_listing(start, -1, nodes, counts)
        count_listing(end, -1, nodes, counts)


@register_kernel("I64", "I64", "int", Nodes, Flows, Overlay, Relations, Facts, Mentions, "I64")
def withdraw_head(
    begin: I64,
    end: I64,
    base: int,
    nodes: Nodes,
    flows: Flows,
    overlay: Overlay,
    relations: Relations,
    facts: Facts,
    mentions: Mentions,
    counts: I64,
) -> int:
    """Withdraw everything that a head states; its flows are DEAD already (see `reflag_flows`). Returns 0.

    `begin`, `end`: int64, shape (4,). `base`: flows in the CSR arrays.
    """
    for row in range(max(begin[0], base), end[0]):
        start, stop = flows.start[row], flows.end[row]
        while nodes.over_out[start] != NONE and flows.flags[nodes.over_out[start]] & DEAD:
            nodes.over_out[start] = overlay.next_out[nodes.over_out[start] - base]
        while nodes.over_in[stop] != NONE and flows.flags[nodes.over_in[stop]] & DEAD:
            nodes.over_in[stop] = overlay.next_in[nodes.over_in[stop] - base]
    for row in range(begin[1], end[1]):
        withdraw_relation(row, nodes, relations, counts)
    for row in range(begin[2], end[2]):
        if facts.solid[row]:
            count_fact(facts.node[row], -1, nodes, counts)
        node = facts.node[row]
        facts.node[row] = NONE
        while nodes.fact[node] != NONE and facts.node[nodes.fact[node]] == NONE:
            nodes.fact[node] = facts.next[nodes.fact[node]]
    for row in range(begin[3], end[3]):
        if mentions.node[row] >= 0:
            count_mention(mentions.node[row], -1, nodes, counts)
    return 0


@register_kernel("int", "int", "int", "int", Names, Nodes, Folds, "I64")
def build_node(kind: int, part1: int, part2: int, past: int, names: Names, nodes: Nodes, folds: Folds, counts: I64) -> int:
    """The node of a key; added if new. With `past`, always a new node, of a past name, that no key finds."""
    if past:
        node = add_node(kind, part1, part2, nodes, counts)
        nodes.traits[node] |= PAST
        return node
    if kind == COLUMN:
        return intern_column(part1, part2, names, nodes, folds, counts)
    return intern_node(kind, part1, part2, nodes, counts)


@register_inner
def mark_supported(node: int, supported: I32, nodes: Nodes) -> None:
    """Mark a node, and a column's dataset, as supported by a visible fact: the head mentions them. `supported`: int32, by node."""
    supported[node] = 1
    if nodes.kind[node] == COLUMN:
        supported[nodes.part1[node]] = 1


@register_kernel("I64", "I64", "int", "I64:2", "I32", "I32", Nodes, Flows, Relations, Facts, Mentions, "I64")
def rewrite_head(
    begin: I64,
    end: I64,
    head: int,
    starts: I64,
    mapping: I32,
    supported: I32,
    nodes: Nodes,
    flows: Flows,
    relations: Relations,
    facts: Facts,
    mentions: Mentions,
    counts: I64,
) -> int:
    """Append everything that one head states as head `head`, about the nodes that `mapping` gives. Returns 0.

    `begin`, `end`: int64, shape (4,). `mapping`: int32, by node, the new node. `supported`: int32, by node, all zeros; the kernel marks
    some of the nodes that the head mentions.

    A fact about a node that is GONE is kept, so that it can be rewritten again, but is not visible: a flow
    is DEAD, and a relation has the type -2 - type. Nodes that no visible fact of the head supports are
    mentioned as -2 - node.
    """
    for row in range(begin[0], end[0]):
        new = counts[N_FLOWS]
        start, stop = mapping[flows.start[row]], mapping[flows.end[row]]
        flows.start[new] = start
        flows.end[new] = stop
        flows.kind[new] = flows.kind[row]
        gone = (nodes.traits[start] | nodes.traits[stop]) & GONE != 0
        meaningless = nodes.kind[stop] == COLUMN and nodes.kind[start] != COLUMN
        flows.flags[new] = (flows.flags[row] & (255 - DEAD)) | (DEAD if gone or meaningless else 0)
        counts[N_FLOWS] = new + 1
        if not gone:
            mark_supported(start, supported, nodes)
            mark_supported(stop, supported, nodes)
    for row in range(begin[1], end[1]):
        type_ = relations.type[row]
        type_ = type_ if type_ >= 0 else -2 - type_
        start, stop = mapping[relations.start[row]], mapping[relations.end[row]]
        gone = (nodes.traits[start] | nodes.traits[stop]) & GONE != 0
        add_relation(-2 - type_ if gone else type_, start, stop, relations.value[row], nodes, relations, counts)
        if not gone:
            mark_supported(start, supported, nodes)
            mark_supported(stop, supported, nodes)
    for row in range(begin[2], end[2]):
        node = mapping[facts.node[row]]
        add_fact(node, 1 if facts.solid[row] else 0, nodes, facts, counts)
        facts.tags[counts[N_FACTS] - 1] = facts.tags[row]
        if not nodes.traits[node] & GONE:
            mark_supported(node, supported, nodes)
    for row in range(begin[3], end[3]):
        node = mentions.node[row]
        node = mapping[node if node >= 0 else -2 - node]
        if supported[node]:
            count_mention(node, 1, nodes, counts)
        add_mention(node, node if supported[node] else -2 - node, nodes, mentions, counts)
    starts[head + 1, 0] = counts[N_FLOWS]
    starts[head + 1, 1] = counts[N_RELATIONS]
    starts[head + 1, 2] = counts[N_FACTS]
    starts[head + 1, 3] = counts[N_NAMED]
    return 0


@register_kernel(Flows, Nodes, Csr, Csr, "I64")
def fold_overlay(flows: Flows, nodes: Nodes, outgoing: Csr, incoming: Csr, counts: I64) -> int:
    """Fill the CSR arrays (`ptr` zeroed) with all flows that are not DEAD, and empty the overlay. Returns the number of these flows."""
    n_nodes, n_flows = counts[N_NODES], counts[N_FLOWS]
    for row in range(n_flows):
        if not flows.flags[row] & DEAD:
            outgoing.ptr[flows.start[row] + 1] += 1
            incoming.ptr[flows.end[row] + 1] += 1
    for node in range(n_nodes):
        outgoing.ptr[node + 1] += outgoing.ptr[node]
        incoming.ptr[node + 1] += incoming.ptr[node]
        nodes.over_out[node] = NONE
        nodes.over_in[node] = NONE
    # ptr serves as the next free place while rows are filled, backwards so that they end up ascending.
    for row in range(n_flows - 1, -1, -1):
        flags = flows.flags[row]
        if not flags & DEAD:
            start, end = flows.start[row], flows.end[row]
            outgoing.ptr[start + 1] -= 1
            at = outgoing.ptr[start + 1]
            outgoing.other[at] = end
            outgoing.flags[at] = flags
            outgoing.flow[at] = row
            incoming.ptr[end + 1] -= 1
            at = incoming.ptr[end + 1]
            incoming.other[at] = start
            incoming.flags[at] = flags
            incoming.flow[at] = row
    n_live = len(outgoing.other)
    for node in range(n_nodes):
        outgoing.ptr[node] = outgoing.ptr[node + 1]
        incoming.ptr[node] = incoming.ptr[node + 1]
    outgoing.ptr[n_nodes] = n_live
    incoming.ptr[n_nodes] = n_live
    return n_live


@register_inner
def relink_relation(row: int, nodes: Nodes, relations: Relations) -> None:
    """Link a relation at both ends."""
    start, end = relations.start[row], relations.end[row]
    relations.next_out[row] = nodes.out[start]
    relations.next_in[row] = nodes.into[end]
    nodes.out[start] = row
    nodes.into[end] = row


@register_kernel("U8", "int", "I64:2", Nodes, Flows, Relations, Facts, Mentions, "I64")
def compact_heads(
    alive: U8, n_heads: int, starts: I64, nodes: Nodes, flows: Flows, relations: Relations, facts: Facts, mentions: Mentions, counts: I64
) -> int:
    """Drop the heads that are not alive, with their rows; `fold_overlay` must follow. Returns the number of heads that remain.

    `alive`: uint8, shape (n_heads,).
    """
    for node in range(counts[N_NODES]):
        nodes.out[node] = NONE
        nodes.into[node] = NONE
        nodes.fact[node] = NONE
        nodes.mention[node] = NONE
    n_flows = n_relations = n_facts = n_named = kept = 0
    begin_flow = begin_relation = begin_fact = begin_named = 0
    for head in range(n_heads):
        end_flow, end_relation, end_fact, end_named = starts[head + 1, 0], starts[head + 1, 1], starts[head + 1, 2], starts[head + 1, 3]
        if alive[head]:
            for row in range(begin_flow, end_flow):
                flows.start[n_flows] = flows.start[row]
                flows.end[n_flows] = flows.end[row]
                flows.flags[n_flows] = flows.flags[row]
                flows.kind[n_flows] = flows.kind[row]
                n_flows += 1
            for row in range(begin_relation, end_relation):
                relations.type[n_relations] = relations.type[row]
                relations.start[n_relations] = relations.start[row]
                relations.end[n_relations] = relations.end[row]
                relations.value[n_relations] = relations.value[row]
                relink_relation(n_relations, nodes, relations)
                n_relations += 1
            for row in range(begin_fact, end_fact):
                node = facts.node[row]
                facts.node[n_facts] = node
                facts.solid[n_facts] = facts.solid[row]
                facts.next[n_facts] = nodes.fact[node]
                facts.tags[n_facts] = facts.tags[row]
                nodes.fact[node] = n_facts
                n_facts += 1
            for row in range(begin_named, end_named):
                shown = mentions.node[row]
                node = shown if shown >= 0 else -2 - shown
                mentions.node[n_named] = shown
                mentions.next[n_named] = nodes.mention[node]
                nodes.mention[node] = n_named
                n_named += 1
            kept += 1
            starts[kept, 0] = n_flows
            starts[kept, 1] = n_relations
            starts[kept, 2] = n_facts
            starts[kept, 3] = n_named
        begin_flow, begin_relation, begin_fact, begin_named = end_flow, end_relation, end_fact, end_named
    counts[N_FLOWS] = n_flows
    counts[N_RELATIONS] = n_relations
    counts[N_FACTS] = n_facts
    counts[N_NAMED] = n_named
    return kept


@register_inner
def set_representative(start: int, representative: int, ring: I32, rep: I32) -> None:
    """Let a node represent the identity class of `start`."""
    member = start
    for _ in range(len(ring)):
        rep[member] = representative
        member = ring[member]
        if member == start:
            break


@register_kernel("I32", "I32", "I32", "U8")
def leave_rings(leaving: I32, ring: I32, rep: I32, traits: U8) -> int:
    """Take nodes out of their identity classes: each is alone then, and the smallest of the others represents these.

    `leaving`: int32, nodes. `ring`, `rep`, `traits`: those of `Nodes`. Returns how many of the nodes were not alone.
    """
    n = 0
    for node in leaving:
        first = ring[node]
        if first == node:
            continue
        previous, smallest = first, first
        while ring[previous] != node:
            previous = ring[previous]
            smallest = min(smallest, previous)
        ring[previous] = first
        if rep[node] == node:
            set_representative(first, smallest, ring, rep)
        if previous == first:
            traits[first] &= 255 - MERGED
        ring[node] = node
        rep[node] = node
        traits[node] &= 255 - MERGED
        n += 1
    return n


@register_kernel("int", "int", "I32", "I32", "U8")
def join_rings(node: int, other: int, ring: I32, rep: I32, traits: U8) -> int:
    """Make the identity classes of two nodes one, which the smaller of their representatives represents; they must be two.

    `ring`, `rep`, `traits`: those of `Nodes`. Returns the representative.
    """
    smaller = int(min(rep[node], rep[other]))
    set_representative(node if rep[node] > rep[other] else other, smaller, ring, rep)
    ring[node], ring[other] = ring[other], ring[node]
    traits[node] |= MERGED
    traits[other] |= MERGED
    return smaller
