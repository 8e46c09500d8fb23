"""The kernels that traverse: breadth-first over flows of one class and stronger, with whole identity classes as one.

The rules are those of the design's Reach. A pass walks the graph G_k of all edges of class <= k;
`meshline.graph.index.passes` runs the passes. A pass continues the previous one: G_k has all the paths
of G_(k-1), so a pass begins with the edges that earlier passes postponed, as too weak for them, at the
distances of their ends, and walks only what is new or nearer than before.

A node's mark is the stamp of the traversal + 2 * its distance + 1 if no clean path, on which no edge
masks, was found. Stamps fall from traversal to traversal, so that a greater mark means farther, or not
visited. A node that turns out to be clean after its edges were followed is late: at the end its edges are
followed once more, only to pass that on (`spread_clean_paths`).

Arrays: Nodes, Flows, Csr and Scratch are groups of `meshline.graph.index.arrays`, with the dtype and meaning of each array; `state` is
int64, shape (N_STATE,), see the constants there. `csr`, `heads`, `links`, `others`: the flows by the end that the walk comes from (int32:
`nodes.over_out` or `over_in`, an array of Overlay, and `flows.end` or `flows.start`); `base`: flows in the CSR arrays; `newer`: whether
there are others. `wanted`: uint8, by flow, used if `use_wanted`. `k`: the class of the pass; `reach`: k, or NONE to add nothing.
"""

from __future__ import annotations

from meshline.graph.index.arrays import (
    BEYOND,
    CEILING,
    CLASS,
    CUT,
    DEPTH,
    DONE,
    FIRST_END,
    FIRST_NEXT,
    FOUND,
    HEAD,
    I32,
    I64,
    IS_COLUMN,
    LATE,
    LEVEL,
    LEVEL_END,
    MASKED,
    MERGED,
    NONE,
    PAIRS,
    PASSED_OVER,
    PROVISIONAL,
    PROVISIONAL_EDGES,
    PUT_OFF,
    SAW_MASKED,
    SCAN,
    SECOND_END,
    SECOND_NEXT,
    STALE,
    STALE_EDGES,
    STAMP,
    TAIL,
    U8,
    UNCOUNTED,
    UNDESCRIBED,
    UNTIL,
    Csr,
    Flows,
    Nodes,
    Scratch,
)
from meshline.graph.index.kernels.jit import register_inner, register_kernel

END_OF_LEVEL = -1


@register_inner
def is_visible(node: int, nodes: Nodes) -> bool:
    """True if a head mentions any member of the node's identity class."""
    member = node
    while nodes.live[member] <= 0:
        member = nodes.ring[member]
        if member == node:
            return False
    return True


@register_inner
def visit_class(node: int, clean: int, near: int, reach: int, implied: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark and queue all members of an identity class that is new, or nearer than before; add a new one to the answer.

    `near`: the mark of nodes that an edge of this level leads to. `reach` NONE: nothing is added.
    `implied`: 1 for a column that its dataset implies, which is not added if no head mentions it any more.
    """
    before = scratch.seen[node]
    traits = nodes.traits[node]
    mark = near - 1 if clean or (before < state[CEILING] and not before & 1) else near
    item = (2 if before >= state[UNCOUNTED] else 0) + (traits & IS_COLUMN)
    tail = state[TAIL]
    scratch.seen[node] = mark
    scratch.queue[tail] = 4 * node + item
    tail += 1
    if traits & MERGED:
        member = nodes.ring[node]
        while member != node:
            scratch.seen[member] = mark
            scratch.queue[tail] = 4 * member + item
            tail += 1
            member = nodes.ring[member]
    state[TAIL] = tail
    if reach >= 0 and before >= state[CEILING] and (not implied or is_visible(node, nodes)):
        found = state[FOUND]
        scratch.nodes[found] = nodes.rep[node] if traits & MERGED else node
        scratch.reach[found] = reach
        scratch.distance[found] = state[LEVEL] + 1
        scratch.masked[found] = 1 - clean
        state[FOUND] = found + 1


@register_inner
def reach_node(node: int, clean: int, near: int, reach: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Visit the node that an edge leads to, and with a dataset all its columns."""
    visit_class(node, clean, near, reach, 0, nodes, scratch, state)
    if nodes.traits[node] & IS_COLUMN:
        return
    member = node
    while True:  # a dataset as a whole: all columns of all its names
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                if scratch.seen[column] > near:
                    visit_class(column, clean, near, reach, 1, nodes, scratch, state)
                elif clean and scratch.seen[column] & 1:
                    cleanse_column(column, nodes, scratch, state)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == node:
            break


@register_inner
def mark_late(node: int, marks: I64, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark all members of a class as clean in `marks` (int64, by node), and queue them in `scratch.late` so that their edges pass it on."""
    member = node
    while True:
        marks[member] -= 1
        scratch.late[state[LATE]] = member
        state[LATE] += 1
        member = nodes.ring[member]
        if member == node:
            break


@register_inner
def cleanse_column(column: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark a visited column as clean, as a clean path reaches it: its edges and its dataset's must pass that on.

    Whether they were followed already is unknown here: those that were not will be followed as clean.
    """
    mark_late(column, scratch.seen, nodes, scratch, state)
    cleanse_own(nodes.part1[column], nodes, scratch, state)


@register_inner
def cleanse_own(dataset: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark the own edges of a dataset as clean, if they were followed as not clean: the dataset or a column of it is clean."""
    if scratch.scanned[dataset] < state[CEILING] and scratch.scanned[dataset] & 1:
        mark_late(dataset, scratch.scanned, nodes, scratch, state)


@register_inner
def cleanse_node(node: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark a visited node as clean, which a clean edge reaches now, and with a dataset all its columns."""
    if nodes.traits[node] & IS_COLUMN:
        cleanse_column(node, nodes, scratch, state)
        return
    member = node
    while True:  # a dataset as a whole: all columns of all its names
        scratch.seen[member] -= 1
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                if scratch.seen[column] < state[CEILING] and scratch.seen[column] & 1:
                    cleanse_column(column, nodes, scratch, state)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == node:
            break
    cleanse_own(node, nodes, scratch, state)


@register_inner
def count_edge(other: int, flags: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Count, by class, the edges that make an answer less certain: stale and provisional ones, and pairs of datasets."""
    class_ = flags & CLASS
    if flags & STALE:
        state[STALE_EDGES + class_] += 1
    if flags & PROVISIONAL:
        state[PROVISIONAL_EDGES + class_] += 1
    if class_ == 2 and scratch.paired[nodes.rep[other]] != state[SCAN]:
        scratch.paired[nodes.rep[other]] = state[SCAN]
        state[PAIRS] += 1


@register_inner
def follow_edge(other: int, clean: int, near: int, reach: int, expand: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Visit the node that an edge leads to; at the limit of depth, only record that the answer is cut (`CUT`)."""
    mark = scratch.seen[other]
    if mark > near:
        if expand:
            reach_node(other, clean, near, reach, nodes, scratch, state)
        else:
            state[CUT] = 1
    elif clean and expand and mark & 1:
        cleanse_node(other, nodes, scratch, state)


@register_inner
def pass_edge(
    other: int, flags: int, clean: int, counted: int, k: int, weakest: int, unmasked: int, near: int, expand: int,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> None:  # fmt: skip
    """Pass one edge, neither dead nor covered, to `other` in the direction of the walk: follow it, or postpone it to a weaker pass."""
    class_ = flags & CLASS
    if flags & MASKED:
        if unmasked:
            return
        state[SAW_MASKED] |= 1 << class_
        clean = 0
    if not counted and (class_ == 2 or flags & (STALE | PROVISIONAL)):
        count_edge(other, flags, nodes, scratch, state)
    if class_ <= k:
        follow_edge(other, clean, near, NONE if unmasked else k, expand, nodes, scratch, state)
    elif class_ <= weakest:
        scratch.later[state[PUT_OFF]] = 4 * other + 2 * clean + class_ - 1
        state[PUT_OFF] += 1
        state[BEYOND] |= 1 << class_  # at the depth's end, too: the pass of that class finds out whether it cuts something off


@register_inner
def follow_node(
    node: int, clean: int, counted: int, k: int, weakest: int, unmasked: int, near: int, expand: int, base: int, newer: int,
    csr: Csr, heads: I32, links: I32, others: I32, flows: Flows, use_wanted: int, wanted: U8,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> None:  # fmt: skip
    """Follow all edges of one node: those in the CSR arrays, then the newer ones."""
    if node < len(csr.ptr) - 1:
        for at in range(csr.ptr[node], csr.ptr[node + 1]):
            flags = csr.flags[at]
            if not (flags & PASSED_OVER or (use_wanted and not wanted[csr.flow[at]])):
                pass_edge(csr.other[at], flags, clean, counted, k, weakest, unmasked, near, expand, nodes, scratch, state)
    if newer:
        row = heads[node]
        while row != NONE:
            flags = flows.flags[row]
            if not (flags & PASSED_OVER or (use_wanted and not wanted[row])):
                pass_edge(others[row], flags, clean, counted, k, weakest, unmasked, near, expand, nodes, scratch, state)
            row = links[row - base]


@register_inner
def count_undescribed(dataset: int, nodes: Nodes, state: I64) -> None:
    """Count a dataset at its first visit, if no member of its class has a list of columns."""
    member = dataset
    while nodes.listed[member] <= 0:
        member = nodes.ring[member]
        if member == dataset:
            state[UNDESCRIBED] += 1
            break


@register_inner
def take_up(part: int, budget: int, k: int, near: int, reach: int, expand: int, nodes: Nodes, scratch: Scratch, state: I64) -> int:
    """Follow the edges that earlier passes postponed at this level. `part`: FIRST_NEXT or SECOND_NEXT. Returns how many were looked at."""
    first = state[part]
    end = min(state[part + 1], first + budget)
    at = first
    while at < end and scratch.later[at] != END_OF_LEVEL:
        edge = scratch.later[at]
        at += 1
        if state[DONE] <= (edge & 1) < k:
            follow_edge(edge >> 2, (edge >> 1) & 1, near, reach, expand, nodes, scratch, state)
    state[part] = at
    return int(at - first)


@register_inner
def scan_dataset(
    dataset: int, clean: int, k: int, weakest: int, unmasked: int, here: int, expand: int, base: int, newer: int,
    csr: Csr, heads: I32, links: I32, others: I32, flows: Flows, use_wanted: int, wanted: U8,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> None:  # fmt: skip
    """Follow a dataset's own edges, under all its names, when it or a column is visited first or nearer. `here`: this level's mark."""
    before = scratch.scanned[dataset]
    if before <= here:
        if clean and before & 1:
            cleanse_own(dataset, nodes, scratch, state)
        return
    if before >= state[CEILING]:
        count_undescribed(dataset, nodes, state)
    elif not before & 1:
        clean = 1
    state[SCAN] += 1
    counted = 0 if expand and before >= state[UNCOUNTED] else 1
    member = dataset
    while True:
        scratch.scanned[member] = here - clean
        follow_node(
            member, clean, counted, k, weakest, unmasked, here + 2, expand, base, newer, csr, heads, links, others, flows,
            use_wanted, wanted, nodes, scratch, state,
        )  # fmt: skip
        member = nodes.ring[member]
        if member == dataset:
            break


@register_inner
def end_level(putting_off: int, scratch: Scratch, state: I64) -> None:
    """Go on to the next level, in the queue and among postponed edges."""
    for part in (FIRST_NEXT, SECOND_NEXT):
        if state[part] < state[part + 1]:
            state[part] += 1
    state[LEVEL] += 1
    state[LEVEL_END] = state[TAIL]
    if putting_off:
        scratch.later[state[PUT_OFF]] = END_OF_LEVEL
        state[PUT_OFF] += 1


@register_inner
def is_done(state: I64) -> bool:
    """True if the queue and the postponed edges are exhausted, at the end of a level."""
    return bool(state[HEAD] == state[TAIL] and state[FIRST_NEXT] == state[FIRST_END] and state[SECOND_NEXT] == state[SECOND_END])


@register_kernel("int", "int", "int", "int", "int", "int", "int", Csr, "I32", "I32", "I32", Flows, "int", "U8", Nodes, Scratch, "I64")
def walk_pass(
    k: int, weakest: int, unmasked: int, most: int, budget: int, base: int, newer: int,
    csr: Csr, heads: I32, links: I32, others: I32, flows: Flows, use_wanted: int, wanted: U8,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> int:  # fmt: skip
    """Continue a pass for `budget` nodes and postponed edges, or to the end of a level by which more than `most` nodes were found.

    `weakest`: the weakest class to postpone for later passes. `unmasked`: 1 to walk only edges that do not mask, and add nothing.
    Returns 1 if there is more to do, else 0. The answer is in `scratch.nodes`, `reach`, `distance` and `masked`, rows 0..state[FOUND].
    """
    reach = NONE if unmasked else k
    while True:
        here = state[STAMP] + 2 * state[LEVEL] + 1
        expand = 1 if state[DEPTH] < 0 or state[LEVEL] < state[DEPTH] else 0
        for part in (FIRST_NEXT, SECOND_NEXT):
            budget -= take_up(part, budget, k, here + 2, reach, expand, nodes, scratch, state)
        head = state[HEAD]
        stop = min(state[LEVEL_END], head + budget)
        budget -= stop - head
        while head < stop:
            item = scratch.queue[head]
            head += 1
            node = item >> 2
            scan_dataset(
                nodes.part1[node] if item & 1 else node, 1 - (scratch.seen[node] & 1), k, weakest, unmasked, here, expand, base, newer,
                csr, heads, links, others, flows, use_wanted, wanted, nodes, scratch, state,
            )  # fmt: skip
            if item & 1:
                follow_node(
                    node, 1 - (scratch.seen[node] & 1), 0 if expand and item & 2 else 1, k, weakest, unmasked, here + 2, expand, base,
                    newer, csr, heads, links, others, flows, use_wanted, wanted, nodes, scratch, state,
                )  # fmt: skip
        state[HEAD] = head
        if budget <= 0:
            return 1
        if is_done(state) or state[FOUND] > most or state[LEVEL] == state[UNTIL]:
            return 0
        end_level(k < weakest, scratch, state)


@register_inner
def pass_again(other: int, flags: int, k: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Pass on that a node is clean, over one of its edges, whose other end was visited before."""
    if not flags & (PASSED_OVER | MASKED) and flags & CLASS <= k:
        mark = scratch.seen[other]
        if mark < state[CEILING] and mark & 1:
            cleanse_node(other, nodes, scratch, state)


@register_kernel("int", "int", "int", "int", Csr, "I32", "I32", "I32", Flows, "int", "U8", Nodes, Scratch, "I64")
def spread_clean_paths(
    k: int, budget: int, base: int, newer: int,
    csr: Csr, heads: I32, links: I32, others: I32, flows: Flows, use_wanted: int, wanted: U8,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> int:  # fmt: skip
    """After a pass, follow the edges of `budget` nodes that turned out to be clean too late. Returns 1 if there is more to do, else 0."""
    while state[HEAD] < state[LATE] and budget > 0:
        node = scratch.late[state[HEAD]]
        state[HEAD] += 1
        budget -= 1
        if node < len(csr.ptr) - 1:
            for at in range(csr.ptr[node], csr.ptr[node + 1]):
                if not use_wanted or wanted[csr.flow[at]]:
                    pass_again(csr.other[at], csr.flags[at], k, nodes, scratch, state)
        if newer:
            row = heads[node]
            while row != NONE:
                if not use_wanted or wanted[row]:
                    pass_again(others[row], flows.flags[row], k, nodes, scratch, state)
                row = links[row - base]
    return 1 if state[HEAD] < state[LATE] else 0


@register_kernel("I32", "int", "int", "int", "int", Nodes, Scratch, "I64")
def begin_traversal(starts: I32, stamp: int, ceiling: int, depth: int, until: int, nodes: Nodes, scratch: Scratch, state: I64) -> int:
    """Begin the first pass of a traversal with a new even stamp; marks from `ceiling` on are those of earlier traversals.

    `starts`: int32, shape (n,), nodes. `depth` -1: no limit. `until`: the last level to walk. Returns the length of the queue.
    """
    scan = state[SCAN]
    state[:] = 0
    state[SCAN] = scan
    state[STAMP] = stamp
    state[CEILING] = ceiling
    state[UNCOUNTED] = ceiling if depth < 0 else min(ceiling, stamp + 2 * depth)
    state[DEPTH] = depth
    state[UNTIL] = until
    for i in range(len(starts)):
        if scratch.seen[starts[i]] >= ceiling:
            reach_node(starts[i], 1, stamp + 1, NONE, nodes, scratch, state)
    state[LEVEL_END] = state[TAIL]
    return int(state[TAIL])


@register_kernel("int", "int", Scratch, Scratch, "I64")
def unmask_rows(first: int, last: int, scratch: Scratch, clean: Scratch, state: I64) -> int:
    """Correct `scratch.masked` of the answer's rows first..last, for which the marks in `clean.seen` know a clean path now.

    Returns the number of rows that stay masked.
    """
    masked = 0
    for row in range(first, last):
        if scratch.masked[row]:
            mark = clean.seen[scratch.nodes[row]]
            scratch.masked[row] = 1 if mark >= state[CEILING] or mark & 1 else 0
            masked += scratch.masked[row]
    return masked
