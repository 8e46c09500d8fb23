"""Kernels that collect rows by node, number groups of nodes, and find the jobs through which data goes on or is copied."""

from __future__ import annotations

from meshline.graph.index.arrays import (
    CLASS,
    COLUMN,
    COVERED,
    DATASET,
    DEAD,
    I8,
    I32,
    MASKED,
    NONE,
    PASSED_OVER,
    REPLACED,
    U8,
    Csr,
    Facts,
    FlowKinds,
    Flows,
    Nodes,
    Overlay,
    Relations,
)
from meshline.graph.index.kernels.jit import register_inner, register_kernel


@register_kernel("int", "int", "int", Nodes, Relations, "I32")
def list_relations(node: int, type_: int, incoming: int, nodes: Nodes, relations: Relations, found: I32) -> int:
    """The visible relations of a type (NONE: of all) that begin or end at exactly this node, newest first.

    A type -2 - type gives those of the type that are not seen (see `mutate.recast`).

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


@register_kernel("int", Nodes, Facts, "I32")
def list_facts(node: int, nodes: Nodes, facts: Facts, found: I32) -> int:
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


@register_inner
def list_flows_at(node: int, base: int, csr: Csr, heads: I32, links: I32, flows: Flows, found: I32, n: int) -> int:
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


@register_kernel("int", "int", Csr, Csr, Nodes, Overlay, Flows, "int", "I32")
def list_flows(
    node: int, incoming: int, outgoing: Csr, into: Csr, nodes: Nodes, overlay: Overlay, flows: Flows, base: int, found: I32
) -> int:
    """The flows that begin (or end) at exactly this node; as `relation_rows`."""
    if incoming:
        return list_flows_at(node, base, into, nodes.over_in, overlay.next_in, flows, found, 0)
    return list_flows_at(node, base, outgoing, nodes.over_out, overlay.next_out, flows, found, 0)


@register_kernel("int", Nodes, "I32")
def list_columns(dataset: int, nodes: Nodes, found: I32) -> int:
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


@register_kernel("I32", "I32", "I8", "I32", "U8", "I32", "I8", "I32", "U8")
def find_strongest(
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


@register_kernel("I32", "int", "U8", "I32")
def list_mentions(mentions: I32, n: int, wanted: U8, found: I32) -> int:
    """The rows of the first `n` mentions that name a wanted node, even of those that nothing that is seen supports; as `relation_rows`."""
    count = 0
    for row in range(n):
        node = mentions[row]
        if wanted[node if node >= 0 else -2 - node]:
            if count < len(found):
                found[count] = row
            count += 1
    return count


@register_kernel("I32", "I32", "I32", "I32")
def number_nodes(nodes: I32, slots: I32, found: I32, number: I32) -> int:
    """See `meshline.graph.index.index_tables.NodeSlots.numbered`; returns how many there are in `found`."""
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


@register_inner
def add_job(
    flow: int,
    flags: int,
    strongest: int,
    weakest: int,
    of_end: tuple[int, int, int],
    flows: Flows,
    kinds: FlowKinds,
    slots: I32,
    found: I32,
    reach: I8,
    distance: I32,
    masked: U8,
    n: int,
) -> int:
    """Take in the job of one flow; the number of jobs then."""
    class_ = flags & CLASS
    job = kinds.job[flows.kind[flow]]
    if flags & PASSED_OVER or class_ < strongest or class_ > weakest or job == NONE:
        return n
    by_reach, by_distance, by_masked = max(of_end[0], class_), of_end[1] + 1, 1 if of_end[2] or flags & MASKED else 0
    at = slots[job]
    if at == NONE:
        at = n
        slots[job] = n
        found[n] = job
        n += 1
    elif by_reach > reach[at]:
        return n
    elif by_reach == reach[at]:
        distance[at] = min(distance[at], by_distance)
        masked[at] = min(masked[at], by_masked)
        return n
    reach[at] = by_reach
    distance[at] = by_distance
    masked[at] = by_masked
    return n


@register_kernel("I32", "I8", "I32", "U8", "int", Nodes, Csr, "I32", "I32", "int", Flows, FlowKinds, "I32", "I32", "I8", "I32", "U8")
def list_jobs(
    ends: I32,
    end_reach: I8,
    end_distance: I32,
    end_masked: U8,
    weakest: int,
    nodes: Nodes,
    csr: Csr,
    heads: I32,
    links: I32,
    base: int,
    flows: Flows,
    kinds: FlowKinds,
    slots: I32,
    found: I32,
    reach: I8,
    distance: I32,
    masked: U8,
) -> int:
    """The jobs of the flows that go on from these ends, under all their names, no weaker than a class; their number.

    Each job with the strongest of its flows (the weaker of the flow and its end, one further), the shortest
    distance in that, and whether all flows of it are masked. `csr`, `heads` and `links` are of one direction;
    `slots` as in `strongest`; there is room for all jobs in the arrays after it.
    """
    n = 0
    for row in range(len(ends)):
        strongest = 1 if nodes.kind[ends[row]] == DATASET else 0  # a dataset's own flows are of its rows, not of its values
        of_end = (int(end_reach[row]), int(end_distance[row]), int(end_masked[row]))
        node = ends[row]
        while True:
            if node < len(csr.ptr) - 1:
                for at in range(csr.ptr[node], csr.ptr[node + 1]):
                    n = add_job(
                        csr.flow[at], csr.flags[at], strongest, weakest, of_end, flows, kinds, slots, found, reach, distance, masked, n
                    )
            flow = heads[node]
            while flow != NONE:
                n = add_job(flow, flows.flags[flow], strongest, weakest, of_end, flows, kinds, slots, found, reach, distance, masked, n)
                flow = links[flow - base]
            node = nodes.ring[node]
            if node == ends[row]:
                break
    for at in range(n):
        slots[found[at]] = NONE
    return n


@register_inner
def is_asked(flow: int, flags: int, job: int, silent: U8, empty: int, weakest: int, stated: int, flows: Flows, kinds: FlowKinds) -> bool:
    """Whether a flow is of the kind that is looked for: `stated`: one that states more than which values are copied."""
    if flags & (DEAD | REPLACED) or (job == NONE and not stated) or (job != NONE and not silent[job]):
        return False
    is_copy = flags & CLASS == 0 and kinds.subtype[flows.kind[flow]] == empty
    if stated:
        return not is_copy and flags & CLASS <= weakest and not flags & COVERED
    return is_copy


@register_inner
def enter_row(near: int, other: int, job: int, first: int, n: int, nodes: Nodes, slots: I32, nears: I32, fars: I32, jobs: I32) -> int:
    """Enter a row for a flow, unless the one before of the same job is alike; the number of rows then, some beyond the room there is."""
    far = nodes.rep[nodes.part1[other] if nodes.kind[other] == COLUMN else other]
    before = n - 1 if job == NONE else slots[job]
    if first <= before < len(jobs) and jobs[before] == job and fars[before] == far:
        return n
    if n < len(jobs):
        nears[n] = near
        fars[n] = far
        jobs[n] = job
        if job != NONE:
            slots[job] = n
    return n + 1


@register_inner
def enter_flows(
    near: int, own: int, silent: U8, empty: int, weakest: int, stated: int,
    nodes: Nodes, csr: Csr, heads: I32, links: I32, others: I32, base: int, flows: Flows, kinds: FlowKinds, use_wanted: int, wanted: U8,
    slots: I32, nears: I32, fars: I32, jobs: I32, first: int, n: int,
) -> int:  # fmt: skip
    """Enter the flows of one own node."""
    if own < len(csr.ptr) - 1:
        for at in range(csr.ptr[own], csr.ptr[own + 1]):
            flow = csr.flow[at]
            job = kinds.job[flows.kind[flow]]
            if is_asked(flow, csr.flags[at], job, silent, empty, weakest, stated, flows, kinds) and (not use_wanted or wanted[flow]):
                n = enter_row(near, csr.other[at], job, first, n, nodes, slots, nears, fars, jobs)
    flow = heads[own]
    while flow != NONE:
        job = kinds.job[flows.kind[flow]]
        if is_asked(flow, flows.flags[flow], job, silent, empty, weakest, stated, flows, kinds) and (not use_wanted or wanted[flow]):
            n = enter_row(near, others[flow], job, first, n, nodes, slots, nears, fars, jobs)
        flow = links[flow - base]
    return n


@register_kernel(
    "I32", "U8", "int", "int", "int", Nodes, Csr, "I32", "I32", "I32", "int", Flows, FlowKinds, "int", "U8", "I32", "I32", "I32", "I32"
)
def find_copies(
    datasets: I32, silent: U8, empty: int, weakest: int, stated: int,
    nodes: Nodes, csr: Csr, heads: I32, links: I32, others: I32, base: int, flows: Flows, kinds: FlowKinds, use_wanted: int, wanted: U8,
    slots: I32, nears: I32, fars: I32, jobs: I32,
) -> int:  # fmt: skip
    """Through which silent jobs values of these datasets are copied, and where to (the three arrays at the end).

    `stated`: what silent jobs state beyond that instead, and what is stated without a job. Repetitions are left out as far
    as that costs nothing. Returns how much room it takes, which may be more than there is. `slots`: as in `Slots`.
    """
    n = 0
    for i in range(len(datasets)):
        first = n
        member = datasets[i]
        while True:
            n = enter_flows(
                datasets[i], member, silent, empty, weakest, stated, nodes, csr, heads, links, others, base, flows, kinds, use_wanted,
                wanted, slots, nears, fars, jobs, first, n,
            )  # fmt: skip
            last = nodes.child[member]
            if last != NONE:
                column = last
                while True:
                    column = nodes.sibling[column]
                    n = enter_flows(
                        datasets[i], column, silent, empty, weakest, stated, nodes, csr, heads, links, others, base, flows, kinds,
                        use_wanted, wanted, slots, nears, fars, jobs, first, n,
                    )  # fmt: skip
                    if column == last:
                        break
            member = nodes.ring[member]
            if member == datasets[i]:
                break
        for row in range(first, min(n, len(jobs))):
            if jobs[row] != NONE:
                slots[jobs[row]] = NONE
    return n
