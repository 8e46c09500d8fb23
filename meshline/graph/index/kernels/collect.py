"""Kernels that collect rows by node, number groups of nodes, and find the jobs through which data flows on or is copied.

Tables (Names, Nodes, Folds, FlowKinds, Flows, Relations, Facts, Mentions, Csr, Overlay) are the groups of one-dimensional arrays of
`meshline.graph.index.arrays`, which gives the dtype and meaning of each. `counts`: int64, shape (N_COUNTS,), the rows in use by table.

Kernels named `list_*` write row numbers to `found`, int32, shape (m,), and return how many there are: rows beyond m are only counted,
so the caller can repeat the call with more room. `csr`, `heads`, `links`, `others`: the flows of one direction (`heads` is
`nodes.over_out` or `over_in`, `links` an array of Overlay, `others` `flows.end` or `flows.start`); `base`: flows in the CSR arrays.
"""

from __future__ import annotations

from meshline.graph.index.arrays import (
    CLASS,
    COLUMN,
    COVERED,
    DATASET,
    DEAD,
    I8,
    I32,
    I64,
    MASKED,
    NONE,
    PASSED_OVER,
    REPLACED,
    U8,
    Csr,
    Facts,
    FlowKinds,
    Flows,
    Mentions,
    Nodes,
    Overlay,
    Relations,
)
from meshline.graph.index.kernels.jit import register_inner, register_kernel


@register_kernel("int", "int", "int", Nodes, Relations, "I32")
def list_relations(node: int, type_: int, incoming: int, nodes: Nodes, relations: Relations, found: I32) -> int:
    """List the visible relations of a type (NONE: of all types) that start (or, with `incoming`, end) at exactly this node, newest first.

    A type -2 - type lists relations of the type that are not visible (see `mutate.rewrite_head`).
    `found`: int32, rows of Relations. Returns their number, which may exceed the room in `found`.
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


@register_kernel("I32", "int", Nodes, Relations, "I32")
def list_relations_at(wanted: I32, type_: int, nodes: Nodes, relations: Relations, found: I32) -> int:
    """List the visible relations of a type that start or end at any of these nodes: those that do both twice.

    `wanted`: int32, nodes; `found`: int32, rows of Relations. Returns their number, as `list_relations`.
    """
    n = 0
    for node in wanted:
        row = nodes.out[node]
        while row != NONE:
            if relations.type[row] == type_:
                if n < len(found):
                    found[n] = row
                n += 1
            row = relations.next_out[row]
        row = nodes.into[node]
        while row != NONE:
            if relations.type[row] == type_:
                if n < len(found):
                    found[n] = row
                n += 1
            row = relations.next_in[row]
    return n


@register_kernel("int", Nodes, Facts, "I32")
def list_facts(node: int, nodes: Nodes, facts: Facts, found: I32) -> int:
    """List the facts of exactly this node. `found`: int32, rows of Facts. Returns their number, as `list_relations`."""
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
    """Append the flows of one direction at exactly this node to `found` (int32, rows of Flows) from position `n`; the new `n`."""
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
    """List the flows that start (or, with `incoming`, end) at exactly this node. `found`: int32, rows of Flows.

    Returns their number, as `list_relations`.
    """
    if incoming:
        return list_flows_at(node, base, into, nodes.over_in, overlay.next_in, flows, found, 0)
    return list_flows_at(node, base, outgoing, nodes.over_out, overlay.next_out, flows, found, 0)


@register_kernel("I32", Nodes, "I32")
def list_columns(datasets: I32, nodes: Nodes, found: I32) -> int:
    """List the columns of exactly these datasets, of each in order of arrival. `datasets`, `found`: int32, nodes.

    Returns their number, as `list_relations`.
    """
    n = 0
    for dataset in datasets:
        last = nodes.child[dataset]
        column = last
        while column != NONE:
            column = nodes.sibling[column]
            if n < len(found):
                found[n] = column
            n += 1
            if column == last:
                break
    return n


@register_kernel("int", "I32", "I32")
def list_members(node: int, ring: I32, found: I32) -> int:
    """List all members of a node's identity class, itself first. `ring`: that of `Nodes`; `found`: int32, nodes.

    Returns their number, as `list_relations`.
    """
    n, member = 0, node
    while n == 0 or member != node:
        if n < len(found):
            found[n] = member
        n += 1
        member = ring[member]
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
    """For each group of n rows: the strongest reach, the shortest distance with it, and whether all rows with it are masked.

    `groups`: int32, shape (n,), the group of each row, or NONE. `reach` (int8), `distance` (int32), `masked` (uint8): shape (n,).
    `slots`: int32, by group, NONE before and after. Results: `found` (int32, the groups), `best_reach` (int8), `best_distance` (int32)
    and `best_masked` (uint8), with room for all groups. Returns the number of groups.
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


@register_inner
def find_head(row: int, table: int, n_heads: int, starts: I64) -> int:
    """The head of a row of a table (the column of `starts`)."""
    low, high = 0, n_heads
    while high - low > 1:
        middle = (low + high) >> 1
        if starts[middle, table] <= row:
            low = middle
        else:
            high = middle
    return low


@register_kernel("I32", "int", "int", "I64:2", "U8", Nodes, Mentions, "I32")
def list_mentioning(wanted: I32, table: int, n_heads: int, starts: I64, alive: U8, nodes: Nodes, mentions: Mentions, found: I32) -> int:
    """List the heads that mention any of these nodes, also where no visible fact supports the mention; a head may be listed repeatedly.

    `table`: the column of `starts` (int64, shape (heads + 1, 4)) for Mentions. Rows of heads that are gone are unlinked, so that each is
    met once. `found`: int32, heads. Returns their number, as `list_relations`.
    """
    n = 0
    for node in wanted:
        last = NONE
        row = nodes.mention[node]
        while row != NONE:
            head = find_head(row, table, n_heads, starts)
            following = mentions.next[row]
            if alive[head]:
                if n < len(found):
                    found[n] = head
                n += 1
                last = row
            elif last == NONE:
                nodes.mention[node] = following
            else:
                mentions.next[last] = following
            row = following
    return n


@register_kernel("I32", "I32", "I32", "I32")
def number_nodes(nodes: I32, slots: I32, found: I32, number: I32) -> int:
    """Number the distinct ones of n nodes in the order of appearance.

    `nodes`: int32, shape (n,). `slots`: int32, by node, NONE before and after. `found`: int32, the distinct nodes. `number`: int32,
    shape (n,), the position of each node in `found`. Returns the number of distinct nodes.
    """
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
    """Merge the job of one flow into the results of `list_jobs`; the number of jobs then.

    `of_end`: (reach, distance, masked) of the end that the flow goes on from.
    """
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
    """The jobs of the flows that go on from n ends, under all their names, of a class no weaker than `weakest`.

    `ends` (int32), `end_reach` (int8), `end_distance` (int32), `end_masked` (uint8): shape (n,), the rows of an answer.
    `slots`: int32, by node, NONE before and after. Results, with room for all jobs: `found` (int32, nodes of jobs), and for each
    its strongest `reach` (int8: the weaker of flow and end), the shortest `distance` with it (int32, that of the end + 1), and `masked`
    (uint8: all flows of the job are masked). Returns the number of jobs.
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
    """True if a flow is one that `find_copies` looks for; arguments as there. `flags`: of the flow, `job`: its job's node or NONE."""
    if flags & (DEAD | REPLACED) or (job == NONE and not stated) or (job != NONE and not silent[job]):
        return False
    is_copy = flags & CLASS == 0 and kinds.subtype[flows.kind[flow]] == empty
    if stated:
        return not is_copy and flags & CLASS <= weakest and not flags & COVERED
    return is_copy


@register_inner
def enter_row(near: int, other: int, job: int, first: int, n: int, nodes: Nodes, slots: I32, nears: I32, fars: I32, jobs: I32) -> int:
    """Append a row (`near`, `far` dataset of `other`, `job`), unless the job's last row is the same; the number of rows then.

    Rows beyond the room are only counted. `first`: the first row of this near dataset.
    """
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
    """Append rows for the flows of one own node, as `enter_row`; the number of rows then. Arguments as in `find_copies`."""
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
    """Find the silent jobs through which values of these datasets are copied, and the datasets at the other end.

    `datasets`: int32, shape (n,), representatives. `silent`: uint8, by node, jobs that state no filters or joins. `empty`: the number of
    the empty string. `stated`: 1 to list instead what silent jobs state beyond copies, and flows without a job, up to class `weakest`.
    `wanted`: uint8, by flow, used if `use_wanted`. `slots`: int32, by node, NONE before and after. Results: `nears`, `fars`, `jobs`, int32,
    nodes, one row for each find; repetitions are omitted where that is cheap. Returns the number of rows, which may exceed the room.
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
