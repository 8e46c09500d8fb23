"""Kernels that find the jobs through which values of datasets are copied."""

from __future__ import annotations

from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.tables import CLASS, COLUMN, COVERED, DEAD, I32, NONE, REPLACED, U8, Csr, FlowKinds, Flows, Nodes


@inner
def is_asked(flow: int, flags: int, job: int, silent: U8, empty: int, weakest: int, stated: int, flows: Flows, kinds: FlowKinds) -> bool:
    """Whether a flow is of the kind that is looked for: `stated`: one that states more than which values are copied."""
    if flags & (DEAD | REPLACED) or (job == NONE and not stated) or (job != NONE and not silent[job]):
        return False
    is_copy = flags & CLASS == 0 and kinds.subtype[flows.kind[flow]] == empty
    if stated:
        return not is_copy and flags & CLASS <= weakest and not flags & COVERED
    return is_copy


@inner
def enter(near: int, other: int, job: int, first: int, n: int, nodes: Nodes, slots: I32, nears: I32, fars: I32, jobs: I32) -> int:
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


@inner
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
                n = enter(near, csr.other[at], job, first, n, nodes, slots, nears, fars, jobs)
    flow = heads[own]
    while flow != NONE:
        job = kinds.job[flows.kind[flow]]
        if is_asked(flow, flows.flags[flow], job, silent, empty, weakest, stated, flows, kinds) and (not use_wanted or wanted[flow]):
            n = enter(near, others[flow], job, first, n, nodes, slots, nears, fars, jobs)
        flow = links[flow - base]
    return n


@kernel("I32", "U8", "int", "int", "int", Nodes, Csr, "I32", "I32", "I32", "int", Flows, FlowKinds, "int", "U8", "I32", "I32", "I32", "I32")
def copying(
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
