"""The kernels that traverse: breadth-first over flows of one class and stronger, whole identity classes at a time.

The rules are those of the design's Reach. One pass walks the graph G_k of all edges of class <= k;
`meshline.graph.index.walks` runs the passes. A pass also finds what is reached by a clean path, on
which no edge masks: a node is marked when it is first met by such a path; if its edges were followed
before that, they are followed again in the end (`clean`), and only to pass the mark on.
"""

from __future__ import annotations

from meshline.graph.index.compiled import inner, kernel
from meshline.graph.index.tables import (
    BEYOND,
    CLASS,
    COVERED,
    CUT,
    DEAD,
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
    PROVISIONAL,
    PROVISIONAL_EDGES,
    SAW_MASKED,
    SCAN,
    STALE,
    STALE_EDGES,
    STAMP,
    TAIL,
    TRAVERSAL,
    U8,
    UNDESCRIBED,
    Csr,
    Flows,
    Nodes,
    Scratch,
)


@inner
def visit(node: int, clean: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Mark and queue all members of an identity class."""
    stamp = state[STAMP] + clean
    tail = state[TAIL]
    traits = nodes.traits[node]
    column = traits & IS_COLUMN
    scratch.seen[node] = stamp
    scratch.queue[tail] = 2 * node + column
    tail += 1
    if traits & MERGED:
        member = nodes.ring[node]
        while member != node:
            scratch.seen[member] = stamp
            scratch.queue[tail] = 2 * member + column
            tail += 1
            member = nodes.ring[member]
    state[TAIL] = tail


@inner
def visible(node: int, nodes: Nodes) -> bool:
    """Whether a head mentions any member of the class."""
    member = node
    while nodes.live[member] <= 0:
        member = nodes.ring[member]
        if member == node:
            return False
    return True


@inner
def record(node: int, reach: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Add a class to the answer, unless an earlier pass has it. A reach of NONE is not recorded."""
    if reach < 0:
        return
    rep = nodes.rep[node] if nodes.traits[node] & MERGED else node
    if reach == 0 or scratch.first[rep] != state[TRAVERSAL]:
        found = state[FOUND]
        scratch.nodes[found] = rep
        scratch.reach[found] = reach
        scratch.distance[found] = state[LEVEL] + 1
        state[FOUND] = found + 1


@inner
def arrive(node: int, clean: int, reach: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Visit what an edge leads to, and what containment gives with it."""
    visit(node, clean, nodes, scratch, state)
    record(node, reach, nodes, scratch, state)
    if nodes.traits[node] & IS_COLUMN:
        return
    member = node
    while True:  # a dataset as a whole: all columns of all its names
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                if scratch.seen[column] < state[STAMP]:
                    visit(column, clean, nodes, scratch, state)
                    if reach >= 0 and visible(column, nodes):
                        record(column, reach, nodes, scratch, state)
                elif clean and scratch.seen[column] == state[STAMP]:
                    cleanse(column, nodes, scratch, state)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == node:
            break


@inner
def cleanse(node: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """A class that was met before is met by a clean path: mark it, and note that its edges must pass it on.

    Whether they were followed already is not known here: those that were not will be followed as clean.
    """
    stamp = state[STAMP] + 1
    column = nodes.traits[node] & IS_COLUMN
    member = node
    while True:
        scratch.seen[member] = stamp
        scratch.late[state[LATE]] = 2 * member + column
        state[LATE] += 1
        member = nodes.ring[member]
        if member == node:
            break


@inner
def cleanse_whole(dataset: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """The same, with all columns of a dataset."""
    cleanse(dataset, nodes, scratch, state)
    member = dataset
    while True:
        last = nodes.child[member]
        if last != NONE:
            column = last
            while True:
                column = nodes.sibling[column]
                if scratch.seen[column] == state[STAMP]:
                    cleanse(column, nodes, scratch, state)
                if column == last:
                    break
        member = nodes.ring[member]
        if member == dataset:
            break


@inner
def met(other: int, clean: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """An edge leads to what was visited before."""
    if clean and scratch.seen[other] == state[STAMP]:
        if nodes.traits[other] & IS_COLUMN:
            cleanse(other, nodes, scratch, state)
        else:
            cleanse_whole(other, nodes, scratch, state)


@inner
def count_edge(other: int, flags: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """Keep count of what makes an answer less sure."""
    if flags & STALE:
        state[STALE_EDGES] += 1
    if flags & PROVISIONAL:
        state[PROVISIONAL_EDGES] += 1
    if flags & CLASS == 2 and scratch.paired[nodes.rep[other]] != state[SCAN]:
        scratch.paired[nodes.rep[other]] = state[SCAN]
        state[PAIRS] += 1


@inner
def pass_edge(other: int, flags: int, clean: int, k: int, unmasked: int, expand: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """One edge that is neither dead nor covered, to `other` in the direction of the walk."""
    class_ = flags & CLASS
    if class_ > k:
        if expand:
            state[BEYOND] |= 1 << class_
        return
    if flags & MASKED:
        if unmasked:
            return
        state[SAW_MASKED] = 1
        clean = 0
    if not expand:
        if scratch.seen[other] < state[STAMP]:
            state[CUT] = 1
        return
    if class_ == 2 or flags & (STALE | PROVISIONAL):
        count_edge(other, flags, nodes, scratch, state)
    if scratch.seen[other] < state[STAMP]:
        arrive(other, clean, NONE if unmasked else k, nodes, scratch, state)
    else:
        met(other, clean, nodes, scratch, state)


@inner
def pass_again(other: int, flags: int, k: int, nodes: Nodes, scratch: Scratch, state: I64) -> None:
    """One edge of a node that turned out to be clean: all that it leads to was visited."""
    if flags & CLASS <= k and not flags & MASKED and scratch.seen[other] == state[STAMP]:
        met(other, 1, nodes, scratch, state)


@inner
def expand_node(
    node: int,
    again: int,
    clean: int,
    k: int,
    unmasked: int,
    expand: int,
    base: int,
    newer: int,
    csr: Csr,
    heads: I32,
    links: I32,
    others: I32,
    flows: Flows,
    use_wanted: int,
    wanted: U8,
    nodes: Nodes,
    scratch: Scratch,
    state: I64,
) -> None:
    """Follow all edges of one node: those in the CSR arrays, then the newer ones."""
    if node < len(csr.ptr) - 1:
        for at in range(csr.ptr[node], csr.ptr[node + 1]):
            flags = csr.flags[at]
            if flags & (DEAD | COVERED) or (use_wanted and not wanted[csr.flow[at]]):
                continue
            if again:
                pass_again(csr.other[at], flags, k, nodes, scratch, state)
            else:
                pass_edge(csr.other[at], flags, clean, k, unmasked, expand, nodes, scratch, state)
    if newer:
        row = heads[node]
        while row != NONE:
            flags = flows.flags[row]
            if not (flags & (DEAD | COVERED) or (use_wanted and not wanted[row])):
                if again:
                    pass_again(others[row], flags, k, nodes, scratch, state)
                else:
                    pass_edge(others[row], flags, clean, k, unmasked, expand, nodes, scratch, state)
            row = links[row - base]


@inner
def first_scan(dataset: int, nodes: Nodes, state: I64) -> None:
    """Count a dataset that is met in this pass."""
    state[SCAN] += 1
    member = dataset
    while nodes.listed[member] <= 0:
        member = nodes.ring[member]
        if member == dataset:
            state[UNDESCRIBED] += 1
            break


@kernel("int", "int", "int", "int", "int", "int", "int", "int", Csr, "I32", "I32", "I32", Flows, "int", "U8", Nodes, Scratch, "I64")
def walk(
    k: int,
    unmasked: int,
    depth: int,
    most: int,
    budget: int,
    base: int,
    newer: int,
    cleaning: int,
    csr: Csr,
    heads: I32,
    links: I32,
    others: I32,
    flows: Flows,
    use_wanted: int,
    wanted: U8,
    nodes: Nodes,
    scratch: Scratch,
    state: I64,
) -> int:
    """Go on with a pass for `budget` nodes, or to the end of a level by which more than `most` were found.

    `depth` -1: no limit. `csr`, `heads`, `links`, `others`: the flows by the end that the walk comes
    from; `newer`: whether any are not in the CSR arrays yet. `wanted`: with `use_wanted`, which flows count.
    `cleaning`: the pass is done, only marks of clean paths are passed on. Returns how many nodes are left to do.
    """
    dirty = state[STAMP]
    begun = state[HEAD]
    end = state[LATE] if cleaning else state[TAIL]
    while state[HEAD] < end and state[HEAD] < begun + budget:
        if not cleaning and state[HEAD] == state[LEVEL_END]:
            if state[FOUND] > most:
                return 0
            state[LEVEL] += 1
            state[LEVEL_END] = state[TAIL]
        expand = 1 if depth < 0 or state[LEVEL] < depth else 0
        item = scratch.late[state[HEAD]] if cleaning else scratch.queue[state[HEAD]]
        state[HEAD] += 1
        node = item >> 1
        clean = scratch.seen[node] - dirty
        dataset = nodes.part1[node] if item & 1 else node
        scanned = scratch.scanned[dataset] - dirty
        # A dataset's own edges, under all its names: when it or a column is met first, and when first by a clean path.
        if scanned < clean:
            if scanned < 0:
                first_scan(dataset, nodes, state)
            member = dataset
            while True:
                scratch.scanned[member] = dirty + clean
                expand_node(
                    member, 1 if scanned >= 0 else 0, clean, k, unmasked, expand, base, newer, csr, heads, links, others, flows,
                    use_wanted, wanted, nodes, scratch, state,
                )  # fmt: skip
                member = nodes.ring[member]
                if member == dataset:
                    break
        if item & 1:
            expand_node(
                node, cleaning, clean, k, unmasked, expand, base, newer, csr, heads, links, others, flows, use_wanted, wanted, nodes,
                scratch, state,
            )  # fmt: skip
        end = state[LATE] if cleaning else state[TAIL]
    return int(end - state[HEAD])


@kernel("I32", "int", "int", Nodes, Scratch, "I64")
def begin(starts: I32, stamp: int, found: int, nodes: Nodes, scratch: Scratch, state: I64) -> int:
    """Begin a pass at these nodes, with a new even stamp. `found`: mark what earlier passes found, and the starts."""
    state[STAMP] = stamp
    for field in (HEAD, TAIL, LATE, LEVEL, BEYOND, SAW_MASKED, PAIRS, UNDESCRIBED, STALE_EDGES, PROVISIONAL_EDGES):
        state[field] = 0
    for i in range(len(starts)):
        if scratch.seen[starts[i]] < stamp:
            arrive(starts[i], 1, NONE, nodes, scratch, state)
    state[LEVEL_END] = state[TAIL]
    if found:
        for i in range(state[TAIL]):
            scratch.first[nodes.rep[scratch.queue[i] >> 1]] = state[TRAVERSAL]
        for i in range(state[FOUND]):
            scratch.first[scratch.nodes[i]] = state[TRAVERSAL]
    return int(state[TAIL])


@kernel("int", "int", "int", Scratch)
def mark_masked(first: int, last: int, stamp: int, scratch: Scratch) -> int:
    """Set whether the answer's rows first..last are masked: all that have not this stamp, of a clean path."""
    masked = 0
    for row in range(first, last):
        scratch.masked[row] = scratch.seen[scratch.nodes[row]] != stamp
        masked += scratch.masked[row]
    return masked
