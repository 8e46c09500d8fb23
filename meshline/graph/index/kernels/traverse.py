"""The kernels that traverse: breadth-first over flows of one class and stronger, whole identity classes at a time.

The rules are those of the design's Reach. A pass walks the graph G_k of all edges of class <= k;
`meshline.graph.index.passes` runs the passes. A pass goes on from the one before: G_k has all the paths
of G_(k-1), so a pass begins with the edges that the passes before put off, as too weak for them, at the
distances of their ends, and walks only what is new or nearer than before.

A node's mark is the stamp of the traversal + 2 * its distance + 1 if no clean path, on which no edge
masks, was found. Stamps fall from traversal to traversal, so that a greater mark means farther, or not
visited. What turns out to be clean after its edges were followed is late: in the end its edges are
followed once more, only to pass that on (`spread`).
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
    """Whether a head mentions any member of the class."""
    member = node
    while nodes.live[member] <= 0:
        member = nodes.ring[member]
        if member == node:
            return False
    return True


@register_inner
def visit_class(node: int, clean: int, near: int, reach: int, implied: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark and queue all members of an identity class that is new, or nearer than before; a new one is added to the answer.

    `near`: the mark of what an edge of this level leads to. A reach of NONE: nothing is added.
    `implied`: by its dataset: a column that no head mentions any more is not added.
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
    """Visit what an edge leads to, and what containment gives with it."""
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
def mark_late(node: int, marks: I32, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark all members of a class as clean, whose edges must pass it on."""
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
    """A column that was visited before is met by a clean path: its edges, and its dataset's, must pass it on.

    Whether they were followed already is not known here: those that were not will be followed as clean.
    """
    mark_late(column, scratch.seen, nodes, scratch, state)
    cleanse_own(nodes.part1[column], nodes, scratch, state)


@register_inner
def cleanse_own(dataset: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """A dataset or a column of it is clean: so are the dataset's own edges, which may have been followed as not clean."""
    if scratch.scanned[dataset] < state[CEILING] and scratch.scanned[dataset] & 1:
        mark_late(dataset, scratch.scanned, nodes, scratch, state)


@register_inner
def cleanse_node(node: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """A clean edge leads to what was visited before, but not by a clean path."""
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
    """Keep count, by class, of what makes an answer less sure."""
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
    """Go where an edge leads; at the limit of depth only see whether it leads on."""
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
    """One edge that is neither dead nor covered, to `other` in the direction of the walk."""
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
    """Count a dataset that is met for the first time."""
    member = dataset
    while nodes.listed[member] <= 0:
        member = nodes.ring[member]
        if member == dataset:
            state[UNDESCRIBED] += 1
            break


@register_inner
def take_up(part: int, budget: int, k: int, near: int, reach: int, expand: int, nodes: Nodes, scratch: Scratch, state: I64) -> int:
    """Follow what earlier passes put off at this level; `part`: where the next of it is kept. Returns how many were looked at."""
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
    """A dataset's own edges, under all its names: when it or a column is met first, or nearer. `here`: the mark of this level."""
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
    """Go on to the next level, in the queue and in what was put off."""
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
    """Whether nothing is left of the queue and of what was put off, at the end of a level."""
    return bool(state[HEAD] == state[TAIL] and state[FIRST_NEXT] == state[FIRST_END] and state[SECOND_NEXT] == state[SECOND_END])


@register_kernel("int", "int", "int", "int", "int", "int", "int", Csr, "I32", "I32", "I32", Flows, "int", "U8", Nodes, Scratch, "I64")
def walk_pass(
    k: int, weakest: int, unmasked: int, most: int, budget: int, base: int, newer: int,
    csr: Csr, heads: I32, links: I32, others: I32, flows: Flows, use_wanted: int, wanted: U8,
    nodes: Nodes, scratch: Scratch, state: I64,
) -> int:  # fmt: skip
    """Go on with a pass for `budget` nodes and edges put off, or to the end of a level by which more than `most` were found.

    `weakest`: of the edges that are put off for later passes. `csr`, `heads`, `links`, `others`: the flows by the end that the
    walk comes from; `newer`: whether any are not in the CSR arrays yet. `wanted`: with `use_wanted`, which flows count.
    Returns whether there is more to do.
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
    """One edge of a node that turned out to be clean: all that it leads to was visited."""
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
    """After a pass, follow the edges of `budget` nodes that were clean too late; whether there is more to do."""
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
    """Begin a traversal's first pass at these nodes, with a new even stamp; marks from `ceiling` on are older.

    `depth` -1: no limit. `until`: the last level to walk.
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
    """Correct whether the answer's rows first..last are masked: not those to which the marks know a clean path by now."""
    masked = 0
    for row in range(first, last):
        if scratch.masked[row]:
            mark = clean.seen[scratch.nodes[row]]
            scratch.masked[row] = 1 if mark >= state[CEILING] or mark & 1 else 0
            masked += scratch.masked[row]
    return masked
