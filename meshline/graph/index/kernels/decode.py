"""The kernel that reads contents: MessagePack as `meshline.graph.content` writes it, straight into the tables.

Decoding five million flows into Python objects costs seconds and gigabytes; this costs neither. Rare facts
that need their attributes (ports, owners, identity, ...) are left to Python as special rows.

Tables (Names, Nodes, Folds, FlowKinds, Flows, Relations, Facts, Mentions, Csr, Overlay) are the groups of one-dimensional arrays of
`meshline.graph.index.arrays`, which gives the dtype and meaning of each. `counts`: int64, shape (N_COUNTS,), the rows in use by table.

Further arrays: `buffer`, uint8, the contents one after another and PADDING bytes; `at`, `begin`, `end`, positions in it; `local`, int32,
the node of each key of the current content; `specials`, int64, shape (m, 5): which, head, node
or row, begin, end.
"""

from __future__ import annotations

import numpy as np

from meshline.graph.index.arrays import (
    COLLIDES,
    COLUMN,
    COVERED,
    DATASET,
    DEAD,
    I32,
    I64,
    MASKED,
    MERGED,
    MOVED,
    N_FACTS,
    N_FLOWS,
    N_FOLDS,
    N_KINDS,
    N_NAMED,
    N_NAMES,
    N_NODES,
    N_RELATIONS,
    N_SPECIAL,
    N_TEXT,
    NONE,
    PAST,
    PROVISIONAL,
    SPECIAL_DATASET,
    SPECIAL_FACT,
    SPECIAL_MOVED,
    SPECIAL_RELATION,
    SPECIAL_TAGS,
    U8,
    Facts,
    FlowKinds,
    Flows,
    Folds,
    Mentions,
    Names,
    Nodes,
    Relations,
)
from meshline.graph.index.kernels.hash_tables import (
    count_fact,
    count_listing,
    count_mention,
    find_begin,
    intern_column,
    intern_flow_kind,
    intern_node,
    intern_text,
    is_same_text,
)
from meshline.graph.index.kernels.jit import register_inner, register_kernel
from meshline.graph.index.kernels.messagepack import Malformed, read_array_length, read_integer, read_map_length, read_text, skip_value

# The wire codes of edge types and kinds that the kernel distinguishes.
HAS_COLUMN, READS, WRITES, SAME_AS, RENAMED_TO, DIFFERENT_FROM = 0, 1, 2, 9, 10, 11
DOMAIN, DATA_PRODUCT, JOB, OWNER = 0, 1, 4, 6
KINDS = 8
EDGE_TYPES = 13

_SPELLING = np.frombuffer(b"spelling", np.uint8).copy()
_SESSION_NAMES = np.frombuffer(b"session_names", np.uint8).copy()
_DROPPED = np.frombuffer(b"dropped", np.uint8).copy()
_INTEGRATION = np.frombuffer(b"integration", np.uint8).copy()
_MEMBERS = np.frombuffer(b"members", np.uint8).copy()
_TAGS = np.frombuffer(b"tags", np.uint8).copy()
_DBT_ID = np.frombuffer(b"dbt_id", np.uint8).copy()
_POSITION = np.frombuffer(b"position", np.uint8).copy()

GUESSES = 4

GREATEST = 2**31 - 1  # greatest position of a column: `Relations.value` is int32

PADDING = 40  # bytes after the last content: an array's length and three numbers may be read beyond a broken end


@register_inner
def is_word(buffer: U8, begin: int, end: int, word: U8) -> bool:
    """True if `buffer[begin:end]` are the bytes of `word` (uint8)."""
    if end - begin != len(word):
        return False
    return is_same_text(buffer, begin, word, 0, len(word))


@register_inner
def add_special(specials: I64, which: int, head: int, subject: int, begin: int, end: int, counts: I64) -> None:
    """Append a special row. `which`: SPECIAL_FACT, ...; `subject`: a node or row; `begin`, `end`: its attributes in the buffer."""
    row = counts[N_SPECIAL]
    specials[row, 0] = which
    specials[row, 1] = head
    specials[row, 2] = subject
    specials[row, 3] = begin
    specials[row, 4] = end
    counts[N_SPECIAL] = row + 1


@register_inner
def request_regrouping(specials: I64, head: int, dataset: int, counts: I64) -> None:
    """Append a special row for Python: the columns of this dataset must be grouped again."""
    row = counts[N_SPECIAL] - 1
    if row < 0 or specials[row, 0] != SPECIAL_DATASET or specials[row, 2] != dataset:
        add_special(specials, SPECIAL_DATASET, head, dataset, 0, 0, counts)


@register_inner
def guess_column(buffer: U8, begin: int, end: int, dataset: int, guess: int, names: Names, nodes: Nodes) -> tuple[int, int]:
    """Look for a column by its name (`buffer[begin:end]`) at a few likely nodes; (its node or NONE, where to look next).

    Contents list the columns of a dataset by name, and did so when the nodes were added: the next column
    is most often among the siblings next to the previous one. This spares half of the time of a load.
    """
    if guess == NONE or nodes.part1[guess] != dataset:
        guess = nodes.child[dataset]
        if guess == NONE:
            return NONE, NONE
    last = guess
    for _ in range(GUESSES):
        guess = nodes.sibling[guess]
        name = nodes.part2[guess]
        first = find_begin(names, name)
        same = names.end[name] - first == end - begin and is_same_text(buffer, begin, names.text, first, end - begin)
        if same and not nodes.traits[guess] & PAST:
            return guess, guess
    return NONE, last


@register_inner
def add_column(dataset: int, name: int, head: int, names: Names, nodes: Nodes, folds: Folds, specials: I64, counts: I64) -> int:
    """The node of a column that no guess found; if it is new, its dataset's columns may have to be grouped again."""
    before = nodes.traits[dataset] & COLLIDES
    known = nodes.child[dataset]
    node = intern_column(dataset, name, names, nodes, folds, counts)
    if nodes.child[dataset] != known and (before or nodes.traits[dataset] & (COLLIDES | MERGED)):
        request_regrouping(specials, head, dataset, counts)
    return node


@register_inner
def add_mention(node: int, shown: int, nodes: Nodes, mentions: Mentions, counts: I64) -> None:
    """Append a mention of a node. `shown`: the node, or -2 - node (see `Mentions`)."""
    row = counts[N_NAMED]
    mentions.node[row] = shown
    mentions.next[row] = nodes.mention[node]
    nodes.mention[node] = row
    counts[N_NAMED] = row + 1


@register_inner
def read_keys(
    buffer: U8,
    at: int,
    end: int,
    head: int,
    local: I32,
    names: Names,
    nodes: Nodes,
    folds: Folds,
    mentions: Mentions,
    specials: I64,
    counts: I64,
) -> tuple[int, int]:
    """Read the keys of a content; (their number, the position after them). Writes the node of each to `local` and `mentions`."""
    n, at = read_array_length(buffer, at)
    guess = NONE
    for i in range(n):
        if at >= end:
            raise Malformed
        size, at = read_array_length(buffer, at)
        kind, at = read_integer(buffer, at)
        if kind == COLUMN:
            of, at = read_integer(buffer, at)
            begin, at = read_text(buffer, at, end)
            if not 0 <= of < i or nodes.kind[local[of]] != DATASET:
                raise Malformed
            dataset = local[of]
            node, guess = guess_column(buffer, begin, at, dataset, guess, names, nodes)
            if node == NONE:
                node = add_column(dataset, intern_text(buffer, begin, at, names, counts), head, names, nodes, folds, specials, counts)
                guess = node
        else:
            if not 0 <= kind < KINDS or size > 3:
                raise Malformed
            part1 = part2 = NONE
            if size > 1:
                begin, at = read_text(buffer, at, end)
                part1 = intern_text(buffer, begin, at, names, counts)
            if size > 2:
                begin, at = read_text(buffer, at, end)
                part2 = intern_text(buffer, begin, at, names, counts)
            node = intern_node(kind, part1, part2, nodes, counts)
            if nodes.traits[node] & MOVED:
                add_special(specials, SPECIAL_MOVED, head, node, 0, 0, counts)
        local[i] = node
        add_mention(node, node, nodes, mentions, counts)
        count_mention(node, 1, nodes, counts)
    return n, at


@register_inner
def add_fact(node: int, solid: int, nodes: Nodes, facts: Facts, counts: I64) -> None:
    """Append a fact about a node. `solid`: 1 unless it only gives the spelling of the name."""
    row = counts[N_FACTS]
    facts.node[row] = node
    facts.solid[row] = solid
    facts.next[row] = nodes.fact[node]
    facts.tags[row] = NONE
    nodes.fact[node] = row
    counts[N_FACTS] = row + 1
    if solid:
        count_fact(node, 1, nodes, counts)


@register_inner
def read_assets(
    buffer: U8, at: int, end: int, head: int, n_keys: int, local: I32, nodes: Nodes, facts: Facts, specials: I64, counts: I64
) -> int:
    """Read the attributes of assets as facts, and leave those that the index itself needs to Python; the position after them."""
    n, at = read_array_length(buffer, at)
    for _ in range(n):
        if at >= end:
            raise Malformed
        _, at = read_array_length(buffer, at)
        key, at = read_integer(buffer, at)
        if not 0 <= key < n_keys:
            raise Malformed
        node = local[key]
        begin = at
        size, at = read_map_length(buffer, at)
        solid = size == 0
        needed = nodes.kind[node] == OWNER
        tagged = False
        for _ in range(size):
            first, at = read_text(buffer, at, end)
            solid |= not is_word(buffer, first, at, _SPELLING)
            tagged |= is_word(buffer, first, at, _TAGS)
            if nodes.kind[node] == DATASET or nodes.kind[node] == COLUMN:
                needed |= is_word(buffer, first, at, _DROPPED)
                needed |= is_word(buffer, first, at, _SESSION_NAMES)
            elif nodes.kind[node] == DOMAIN or nodes.kind[node] == DATA_PRODUCT:
                needed |= is_word(buffer, first, at, _MEMBERS)
            elif nodes.kind[node] == JOB:
                needed |= is_word(buffer, first, at, _DBT_ID) or is_word(buffer, first, at, _INTEGRATION)
            at = skip_value(buffer, at, end)
        add_fact(node, 1 if solid else 0, nodes, facts, counts)
        if needed:
            add_special(specials, SPECIAL_FACT, head, node, begin, at, counts)
        if tagged:
            add_special(specials, SPECIAL_TAGS, head, counts[N_FACTS] - 1, begin, at, counts)
    return at


@register_inner
def add_relation(type_: int, start: int, end: int, value: int, nodes: Nodes, relations: Relations, counts: I64) -> int:
    """Append a relation, linked at both ends; its row. A `type_` below 0 is not visible (see `mutate.rewrite_head`)."""
    row = counts[N_RELATIONS]
    relations.type[row] = type_
    relations.start[row] = start
    relations.end[row] = end
    relations.value[row] = value
    relations.next_out[row] = nodes.out[start]
    relations.next_in[row] = nodes.into[end]
    nodes.out[start] = row
    nodes.into[end] = row
    counts[N_RELATIONS] = row + 1
    if type_ < 0:  # not seen: see `recast`
        return int(row)
    if type_ < RENAMED_TO:  # neither a rename nor DIFFERENT_FROM nor MAY_READ makes a dataset
        count_fact(start, 1, nodes, counts)
        count_fact(end, 1, nodes, counts)
    if type_ == HAS_COLUMN:
        count_listing(start, 1, nodes, counts)
        count_listing(end, 1, nodes, counts)
    return int(row)


@register_inner
def read_position(buffer: U8, at: int, end: int) -> int:
    """The position in the attributes of a HAS_COLUMN edge at `buffer[at:end]`, or NONE."""
    size, at = read_map_length(buffer, at)
    for _ in range(size):
        first, at = read_text(buffer, at, end)
        if is_word(buffer, first, at, _POSITION):
            value = read_integer(buffer, at)[0] if buffer[at] < 0x80 or 0xCC <= buffer[at] <= 0xD3 else NONE
            return value if 0 <= value <= GREATEST else NONE
        at = skip_value(buffer, at, end)
    return NONE


@register_inner
def read_relations(
    buffer: U8, at: int, end: int, head: int, n_keys: int, local: I32, nodes: Nodes, relations: Relations, specials: I64, counts: I64
) -> int:
    """Read the edges other than flows; the position after them. All but HAS_COLUMN, READS and WRITES are left to Python as well."""
    n, at = read_array_length(buffer, at)
    for _ in range(n):
        if at >= end:
            raise Malformed
        _, at = read_array_length(buffer, at)
        type_, at = read_integer(buffer, at)
        first, at = read_integer(buffer, at)
        last, at = read_integer(buffer, at)
        if not (0 <= type_ < EDGE_TYPES and 0 <= first < n_keys and 0 <= last < n_keys):
            raise Malformed
        begin = at
        at = skip_value(buffer, at, end)
        start = local[first]
        if type_ == HAS_COLUMN:
            add_relation(type_, start, local[last], read_position(buffer, begin, at), nodes, relations, counts)
            if nodes.traits[start] & COLLIDES:
                request_regrouping(specials, head, start, counts)
        else:
            # Identity joins datasets, and renames stay in one kind: the ring of a dataset and a column would never end.
            kind = nodes.kind[start]
            if SAME_AS <= type_ <= DIFFERENT_FROM and (
                nodes.kind[local[last]] != kind or (kind != DATASET and (type_ != RENAMED_TO or kind != COLUMN))
            ):
                raise Malformed
            row = add_relation(type_, start, local[last], NONE, nodes, relations, counts)
            if type_ > WRITES or buffer[begin] != 0x80:
                add_special(specials, SPECIAL_RELATION, head, row, begin, at, counts)
    return at


@register_inner
def compute_flow_flags(start: int, end: int, shared: int, nodes: Nodes) -> int:
    """The flags of a flow (uint8) from the flags that it shares with others (`FlowKinds.flags`) and the kinds of its ends."""
    if nodes.kind[end] == COLUMN:
        if nodes.kind[start] != COLUMN:
            return DEAD  # Dataset -> Column has no meaning
        flags = shared & 1
    elif nodes.kind[start] == COLUMN:
        flags = 1
    else:
        return 2 | (COVERED if shared & 4 else 0)
    return flags | (MASKED if shared & 2 else 0)


@register_inner
def read_flows(
    buffer: U8,
    at: int,
    end: int,
    n_keys: int,
    provisional: int,
    local: I32,
    local_kinds: I32,
    names: Names,
    nodes: Nodes,
    kinds: FlowKinds,
    flows: Flows,
    facts: Facts,
    counts: I64,
) -> int:
    """Read the kinds of flows and the flows; the position after them. `local_kinds`: int32, the row in FlowKinds of each kind."""
    n_kinds, at = read_array_length(buffer, at)
    first_fact = counts[N_FACTS]
    for i in range(n_kinds):
        if at >= end:
            raise Malformed
        _, at = read_array_length(buffer, at)
        indirect, at = read_integer(buffer, at)
        begin, at = read_text(buffer, at, end)
        subtype = intern_text(buffer, begin, at, names, counts)
        masking, at = read_integer(buffer, at)
        covered, at = read_integer(buffer, at)
        key, at = read_integer(buffer, at)
        if key >= n_keys or not (0 <= indirect <= 1 and 0 <= masking <= 1 and 0 <= covered <= 1):
            raise Malformed
        job = NONE
        if key >= 0:
            job = local[key]
            if nodes.fact[job] < first_fact:
                add_fact(job, 0, nodes, facts, counts)
        local_kinds[i] = intern_flow_kind(indirect | masking << 1 | covered << 2, subtype, job, kinds, counts)
    n, at = read_array_length(buffer, at)
    row = counts[N_FLOWS]
    for _ in range(n // 3):
        if at >= end:
            raise Malformed
        first, at = read_integer(buffer, at)
        last, at = read_integer(buffer, at)
        kind, at = read_integer(buffer, at)
        if not (0 <= first < n_keys and 0 <= last < n_keys and 0 <= kind < n_kinds):
            raise Malformed
        shared = kinds.flags[local_kinds[kind]]
        flows.start[row] = local[first]
        flows.end[row] = local[last]
        flows.kind[row] = local_kinds[kind]
        flows.flags[row] = compute_flow_flags(local[first], local[last], shared, nodes) | (PROVISIONAL if provisional else 0)
        row += 1
    counts[N_FLOWS] = row
    return at


@register_inner
def has_room(
    size: int,
    names: Names,
    nodes: Nodes,
    folds: Folds,
    kinds: FlowKinds,
    flows: Flows,
    relations: Relations,
    facts: Facts,
    mentions: Mentions,
    specials: I64,
    local: I32,
    counts: I64,
) -> bool:
    """True if a content of `size` bytes fits into all tables, whatever it states (`IndexTables` reserves the same room)."""
    return (
        counts[N_NAMES] + size < len(names.end)
        and 2 * (counts[N_NAMES] + size) < len(names.slots)
        and counts[N_TEXT] + 2 * size < len(names.text)
        and counts[N_NODES] + size < len(nodes.kind)
        and 2 * (counts[N_NODES] + size) < len(nodes.slots)
        and counts[N_FOLDS] + size < len(folds.fold)
        and 2 * (counts[N_FOLDS] + size) < len(folds.slots)
        and counts[N_KINDS] + size < len(kinds.job)
        and 2 * (counts[N_KINDS] + size) < len(kinds.slots)
        and counts[N_FLOWS] + size < len(flows.start)
        and counts[N_RELATIONS] + size < len(relations.start)
        and counts[N_FACTS] + size < len(facts.node)
        and counts[N_NAMED] + size < len(mentions.node)
        and counts[N_SPECIAL] + size < len(specials)
        and size < len(local)
    )


@register_kernel(
    "U8",
    "I64",
    "U8",
    "int",
    "int",
    "I64:2",
    "I32",
    "I32",
    Names,
    Nodes,
    Folds,
    FlowKinds,
    Flows,
    Relations,
    Facts,
    Mentions,
    "I64:2",
    "I64",
)
def read_contents(
    buffer: U8,
    ends: I64,
    provisional: U8,
    first: int,
    head: int,
    starts: I64,
    local: I32,
    local_kinds: I32,
    names: Names,
    nodes: Nodes,
    folds: Folds,
    kinds: FlowKinds,
    flows: Flows,
    relations: Relations,
    facts: Facts,
    mentions: Mentions,
    specials: I64,
    counts: I64,
) -> int:
    """Read n contents, one after another in the buffer, as heads `head`, `head` + 1, ...; begin with content `first`.

    `ends`: int64, shape (n,), where each content ends in `buffer`. `provisional`: uint8, shape (n,). `starts`: int64, shape (heads + 1, 4):
    the first row of each head in Flows, Relations, Facts and Mentions; the kernel writes the rows after each head that it reads.
    `local`, `local_kinds`: int32, working memory.

    Returns the number of the first content for which there was no room, n if all are read. Raises Malformed.
    """
    for i in range(first, len(ends)):
        at = ends[i - 1] if i > 0 else 0
        end = ends[i]
        if not has_room(end - at, names, nodes, folds, kinds, flows, relations, facts, mentions, specials, local, counts):
            return i
        sections, at = read_array_length(buffer, at)
        if sections != 5:
            raise Malformed
        n_keys, at = read_keys(buffer, at, end, head + i, local, names, nodes, folds, mentions, specials, counts)
        at = read_assets(buffer, at, end, head + i, n_keys, local, nodes, facts, specials, counts)
        at = read_relations(buffer, at, end, head + i, n_keys, local, nodes, relations, specials, counts)
        at = read_flows(buffer, at, end, n_keys, provisional[i], local, local_kinds, names, nodes, kinds, flows, facts, counts)
        if at != end:
            raise Malformed
        starts[head + i + 1, 0] = counts[N_FLOWS]
        starts[head + i + 1, 1] = counts[N_RELATIONS]
        starts[head + i + 1, 2] = counts[N_FACTS]
        starts[head + i + 1, 3] = counts[N_NAMED]
    return len(ends)
