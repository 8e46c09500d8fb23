"""Through which jobs data goes on."""

from __future__ import annotations

from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.tables import CLASS, DATASET, I8, I32, MASKED, NONE, PASSED_OVER, U8, Csr, FlowKinds, Flows, Nodes


@inner
def passed_on(
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


@kernel("I32", "I8", "I32", "U8", "int", Nodes, Csr, "I32", "I32", "int", Flows, FlowKinds, "I32", "I32", "I8", "I32", "U8")
def jobs_passed(
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
    `slots` as in `collecting.strongest`; there is room for all jobs in the arrays after it.
    """
    n = 0
    for row in range(len(ends)):
        strongest = 1 if nodes.kind[ends[row]] == DATASET else 0  # a dataset's own flows are of its rows, not of its values
        of_end = (int(end_reach[row]), int(end_distance[row]), int(end_masked[row]))
        node = ends[row]
        while True:
            if node < len(csr.ptr) - 1:
                for at in range(csr.ptr[node], csr.ptr[node + 1]):
                    n = passed_on(
                        csr.flow[at], csr.flags[at], strongest, weakest, of_end, flows, kinds, slots, found, reach, distance, masked, n
                    )
            flow = heads[node]
            while flow != NONE:
                n = passed_on(flow, flows.flags[flow], strongest, weakest, of_end, flows, kinds, slots, found, reach, distance, masked, n)
                flow = links[flow - base]
            node = nodes.ring[node]
            if node == ends[row]:
                break
    for at in range(n):
        slots[found[at]] = NONE
    return n
