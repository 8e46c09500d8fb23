"""Inner functions of kernels: row numbers of strings and keys, by open hash tables.

Tables (Names, Nodes, Folds, FlowKinds, Flows, Relations, Facts, Csr, Overlay) are the groups of one-dimensional arrays of
`meshline.graph.index.arrays`, which gives the dtype and meaning of each. `counts`: int64, shape (N_COUNTS,), the rows in use by table.

`text`: uint8, UTF-8 bytes; `begin`, `end`: positions in it. `slots` of a table have a power of two as length, and contain row + 1, or 0.
"""

from __future__ import annotations

from meshline.graph.index.arrays import (
    CASED,
    CHANGED,
    COLLIDES,
    COLUMN,
    DATASET,
    FOREIGN,
    I64,
    IS_COLUMN,
    N_FOLDS,
    N_KINDS,
    N_NAMES,
    N_NODES,
    N_TEXT,
    NONE,
    PAST,
    SALT,
    U8,
    FlowKinds,
    Folds,
    Names,
    Nodes,
)
from meshline.graph.index.kernels.jit import register_inner, register_kernel


@register_inner
def hash_text(text: U8, begin: int, end: int, salt: int) -> int:
    """A 32-bit hash of `text[begin:end]` (FNV-1a), beginning with `salt`."""
    h = 2166136261 ^ int(salt)
    for i in range(begin, end):
        h = ((h ^ int(text[i])) * 16777619) & 0xFFFFFFFF
    return h ^ (h >> 15)


@register_inner
def hash_triple(a: int, b: int, c: int) -> int:
    """A 32-bit hash of three integers."""
    h = (int(a) * 0x9E3779B1 + int(b) * 0x85EBCA77 + int(c) * 0xC2B2AE3D) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    return h ^ (h >> 13)


@register_inner
def is_same_text(text: U8, begin: int, other: U8, other_begin: int, length: int) -> bool:
    """True if `length` bytes at `text[begin]` and `other[other_begin]` are equal."""
    for i in range(length):  # noqa: SIM110 - a kernel
        if text[begin + i] != other[other_begin + i]:
            return False
    return True


@register_inner
def find_begin(names: Names, name: int) -> int:
    """Where a string begins in `names.text`."""
    return int(names.end[name - 1]) if name > 0 else 0


@register_inner
def find_name_slot(text: U8, begin: int, end: int, h: int, names: Names) -> int:
    """The slot of the string `text[begin:end]` with hash `h`, or the empty slot for it."""
    mask = len(names.slots) - 1
    slot = h & mask
    while names.slots[slot] != 0:
        name = names.slots[slot] - 1
        if names.hash[name] == h:
            first = find_begin(names, name)
            if names.end[name] - first == end - begin and is_same_text(text, begin, names.text, first, end - begin):
                break
        slot = (slot + 1) & mask
    return slot


@register_inner
def add_name(text: U8, begin: int, end: int, h: int, slot: int, names: Names, counts: I64) -> int:
    """Append a string at its empty slot; its number. Its `fold` is the string itself."""
    name = counts[N_NAMES]
    at = counts[N_TEXT]
    for i in range(end - begin):
        names.text[at + i] = text[begin + i]
    names.end[name] = at + end - begin
    names.hash[name] = h
    names.fold[name] = name
    names.slots[slot] = name + 1
    counts[N_NAMES] = name + 1
    counts[N_TEXT] = at + end - begin
    return int(name)


@register_inner
def intern_text(text: U8, begin: int, end: int, names: Names, counts: I64) -> int:
    """The number of the string `text[begin:end]`; a new string is added together with its casefolded form."""
    h = hash_text(text, begin, end, counts[SALT])
    slot = find_name_slot(text, begin, end, h, names)
    if names.slots[slot] != 0:
        return int(names.slots[slot] - 1)
    name = add_name(text, begin, end, h, slot, names, counts)
    upper = False
    for i in range(begin, end):
        if text[i] >= 0x80:
            names.fold[name] = FOREIGN
            return name
        upper |= 0x41 <= text[i] <= 0x5A
    if upper:
        at = counts[N_TEXT]
        for i in range(end - begin):
            letter = text[begin + i]
            names.text[at + i] = letter + 32 if 0x41 <= letter <= 0x5A else letter
        h = hash_text(names.text, at, at + end - begin, counts[SALT])
        slot = find_name_slot(names.text, at, at + end - begin, h, names)
        if names.slots[slot] != 0:
            names.fold[name] = names.slots[slot] - 1
        else:
            names.fold[name] = add_name(names.text, at, at + end - begin, h, slot, names, counts)
    return name


@register_inner
def find_node_slot(kind: int, part1: int, part2: int, nodes: Nodes) -> int:
    """The slot of the node with this key, or the empty slot for it."""
    mask = len(nodes.slots) - 1
    slot = hash_triple(kind, part1, part2) & mask
    while nodes.slots[slot] != 0:
        node = nodes.slots[slot] - 1
        if nodes.part2[node] == part2 and nodes.part1[node] == part1 and nodes.kind[node] == kind:
            break
        slot = (slot + 1) & mask
    return slot


@register_inner
def add_node(kind: int, part1: int, part2: int, nodes: Nodes, counts: I64) -> int:
    """Append a node without a slot (nodes of past names are not found by key); its number."""
    node = counts[N_NODES]
    counts[N_NODES] = node + 1
    nodes.kind[node] = kind
    nodes.part1[node] = part1
    nodes.part2[node] = part2
    nodes.child[node] = NONE
    nodes.sibling[node] = NONE
    nodes.ring[node] = node
    nodes.rep[node] = node
    nodes.traits[node] = IS_COLUMN if kind == COLUMN else 0
    nodes.live[node] = 0
    nodes.solid[node] = 0
    nodes.listed[node] = 0
    nodes.fact[node] = NONE
    nodes.out[node] = NONE
    nodes.into[node] = NONE
    nodes.mention[node] = NONE
    nodes.over_out[node] = NONE
    nodes.over_in[node] = NONE
    if kind == COLUMN:
        last = nodes.child[part1]
        nodes.sibling[node] = node if last == NONE else nodes.sibling[last]
        if last != NONE:
            nodes.sibling[last] = node
        nodes.child[part1] = node
    return int(node)


@register_inner
def find_fold_slot(dataset: int, fold: int, folds: Folds) -> int:
    """The slot of (dataset, casefolded name), or the empty slot for it."""
    mask = len(folds.slots) - 1
    slot = hash_triple(7, dataset, fold) & mask
    while folds.slots[slot] != 0:
        row = folds.slots[slot] - 1
        if folds.fold[row] == fold and folds.dataset[row] == dataset:
            break
        slot = (slot + 1) & mask
    return slot


@register_inner
def check_collision(dataset: int, name: int, fold: int, nodes: Nodes, folds: Folds, counts: I64) -> bool:
    """True if a new column's name may differ from another's in case only. Records the name for later columns."""
    if fold == FOREIGN:
        return True
    if fold == name:
        return bool(nodes.traits[dataset] & CASED != 0 and folds.slots[find_fold_slot(dataset, fold, folds)] != 0)
    slot = find_fold_slot(dataset, fold, folds)
    if folds.slots[slot] != 0:
        return True
    row = counts[N_FOLDS]
    folds.dataset[row] = dataset
    folds.fold[row] = fold
    folds.slots[slot] = row + 1
    counts[N_FOLDS] = row + 1
    nodes.traits[dataset] |= CASED
    return bool(nodes.slots[find_node_slot(COLUMN, dataset, fold, nodes)] != 0)


@register_inner
def intern_node(kind: int, part1: int, part2: int, nodes: Nodes, counts: I64) -> int:
    """The node of a key; added if new."""
    slot = find_node_slot(kind, part1, part2, nodes)
    if nodes.slots[slot] != 0:
        return int(nodes.slots[slot] - 1)
    node = add_node(kind, part1, part2, nodes, counts)
    nodes.slots[slot] = node + 1
    return node


@register_inner
def intern_column(dataset: int, name: int, names: Names, nodes: Nodes, folds: Folds, counts: I64) -> int:
    """The node of a column; added if new. Marks the dataset with COLLIDES if its name may differ from another's in case only."""
    slot = find_node_slot(COLUMN, dataset, name, nodes)
    if nodes.slots[slot] != 0:
        return int(nodes.slots[slot] - 1)
    if check_collision(dataset, name, names.fold[name], nodes, folds, counts):
        nodes.traits[dataset] |= COLLIDES
    node = add_node(COLUMN, dataset, name, nodes, counts)
    nodes.slots[slot] = node + 1
    return node


@register_inner
def intern_flow_kind(flags: int, subtype: int, job: int, kinds: FlowKinds, counts: I64) -> int:
    """The row of a kind of flows in FlowKinds; added if new. `flags`: INDIRECT 1 | masking 2 | covered 4."""
    mask = len(kinds.slots) - 1
    slot = hash_triple(flags, subtype, job) & mask
    while kinds.slots[slot] != 0:
        row = kinds.slots[slot] - 1
        if kinds.job[row] == job and kinds.subtype[row] == subtype and kinds.flags[row] == flags:
            return int(row)
        slot = (slot + 1) & mask
    row = counts[N_KINDS]
    kinds.flags[row] = flags
    kinds.subtype[row] = subtype
    kinds.job[row] = job
    kinds.slots[slot] = row + 1
    counts[N_KINDS] = row + 1
    return int(row)


@register_inner
def count_mention(node: int, by: int, nodes: Nodes, counts: I64) -> None:
    """Add `by` (1 or -1) to the heads that mention the node. Sets CHANGED if the node appears or disappears."""
    nodes.live[node] += by
    if nodes.live[node] == (1 if by > 0 else 0):
        counts[CHANGED] = 1


@register_inner
def count_fact(node: int, by: int, nodes: Nodes, counts: I64) -> None:
    """Add `by` (1 or -1) to the facts other than flows about the node's dataset. Sets CHANGED as `count_mention`."""
    kind = nodes.kind[node]
    if kind in (DATASET, COLUMN):
        dataset = nodes.part1[node] if kind == COLUMN else node
        nodes.solid[dataset] += by
        if nodes.solid[dataset] == (1 if by > 0 else 0):
            counts[CHANGED] = 1


@register_inner
def count_listing(node: int, by: int, nodes: Nodes, counts: I64) -> None:
    """Add `by` (1 or -1) to the HAS_COLUMN relations of the dataset or column. Sets CHANGED as `count_mention`."""
    nodes.listed[node] += by
    if nodes.listed[node] == (1 if by > 0 else 0):
        counts[CHANGED] = 1


@register_kernel("U8", Names, "I64")
def find_name(text: U8, names: Names, counts: I64) -> int:
    """The number of a string, or NONE."""
    h = hash_text(text, 0, len(text), counts[SALT])
    return int(names.slots[find_name_slot(text, 0, len(text), h, names)] - 1)


@register_kernel("int", "int", "int", Nodes)
def find_node(kind: int, part1: int, part2: int, nodes: Nodes) -> int:
    """The node of a key, or NONE."""
    return int(nodes.slots[find_node_slot(kind, part1, part2, nodes)] - 1)


@register_kernel("int", Names, Nodes, Folds, FlowKinds, "I64")
def fill_slots(table: int, names: Names, nodes: Nodes, folds: Folds, kinds: FlowKinds, counts: I64) -> int:
    """Fill the slots of one table (N_NAMES, N_NODES, N_FOLDS or N_KINDS), which are all empty; returns 0."""
    slots = names.slots
    if table == N_NODES:
        slots = nodes.slots
    elif table == N_FOLDS:
        slots = folds.slots
    elif table == N_KINDS:
        slots = kinds.slots
    mask = len(slots) - 1
    for row in range(counts[table]):
        if table == N_NAMES:
            h = int(names.hash[row])
        elif table == N_NODES:
            if nodes.traits[row] & PAST:
                continue
            h = hash_triple(nodes.kind[row], nodes.part1[row], nodes.part2[row])
        elif table == N_FOLDS:
            h = hash_triple(7, folds.dataset[row], folds.fold[row])
        else:
            h = hash_triple(kinds.flags[row], kinds.subtype[row], kinds.job[row])
        slot = h & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = row + 1
    return 0
