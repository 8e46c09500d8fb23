"""The arrays of the index: what each contains, and how they grow.

Every group is a NamedTuple of numpy arrays, the form that the compiled kernels accept. Rows
beyond the count in use are garbage. Nothing here is a Python object per node or per edge.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

I8: TypeAlias = npt.NDArray[np.int8]
U8: TypeAlias = npt.NDArray[np.uint8]
I32: TypeAlias = npt.NDArray[np.int32]
U32: TypeAlias = npt.NDArray[np.uint32]
I64: TypeAlias = npt.NDArray[np.int64]
F32: TypeAlias = npt.NDArray[np.float32]

NONE = -1

# What 32 bits can number: nodes, of which the queue of a walk has 4 * node (`Scratch.queue`), and rows of every other table.
NODES = 2**29
ROWS = 2**31 - 1

# Kinds of nodes are the wire codes of `meshline.graph.content`.
DATASET = 2
COLUMN = 3

# The value of Names.fold for a string that is not ASCII: Python casefolds it.
FOREIGN = -2

# Flow flags. The class of an edge is a Reach.
CLASS = 3
MASKED = 4
DEAD = 8
COVERED = 16
PROVISIONAL = 32
STALE = 64
REPLACED = 128  # by a query whose output was replaced since
PASSED_OVER = DEAD | COVERED | REPLACED  # flows that no walk follows

# Node traits.
IS_COLUMN = 1
MERGED = 2  # the identity class has other members
MOVED = 4  # its dataset was renamed or dropped at some time: facts belong to the node of their time
CASED = 8  # a dataset with a column whose name is not its own casefolded form
COLLIDES = 16  # a dataset of which two columns may differ in case only
GONE = 32  # of a dataset that was dropped later
PAST = 64  # a dataset's (or column's) name as it was until a rename or drop: not found by key


class Names(NamedTuple):
    """Interned strings. A string's number is its row; slots are an open hash table of row + 1."""

    text: U8  # UTF-8, one after another
    end: I64  # end of the string in text; it starts where the one before ends
    hash: U32
    fold: I32  # the casefolded string's number, or FOREIGN
    slots: I32


class Nodes(NamedTuple):
    """Assets by their names as stated; slots are an open hash table of row + 1 by (kind, part1, part2)."""

    kind: I8
    part1: I32  # string number; of a column, its dataset's node
    part2: I32  # string number or NONE
    child: I32  # of a dataset: the column that came last, or NONE
    sibling: I32  # of a column: the one that came next; the last one's is the first
    ring: I32  # the next member of the identity class, in a circle
    rep: I32  # the member that represents the class
    traits: U8
    live: I32  # how many heads mention it
    solid: I32  # of a dataset: facts other than flows about it or its columns
    listed: I32  # HAS_COLUMN rows that begin (dataset) or end (column) here
    fact: I32  # its newest row in Facts
    out: I32  # its newest row in Relations as start
    into: I32  # as end
    mention: I32  # its newest row in Mentions
    over_out: I32  # its newest flow that is not in the CSR arrays yet, as start
    over_in: I32  # as end
    slots: I32


class Folds(NamedTuple):
    """(dataset, casefolded name) of columns whose name is not casefolded: to see that two differ in case only."""

    dataset: I32
    fold: I32
    slots: I32


class Flows(NamedTuple):
    """FLOWS_TO edges as their heads state them. The rows of a head are contiguous."""

    start: I32
    end: I32
    flags: U8
    kind: I32


class FlowKinds(NamedTuple):
    """The parts that flows share: (INDIRECT 1 | masking 2 | covered 4, subtype's string number, job's node or NONE)."""

    flags: U8
    subtype: I32
    job: I32
    slots: I32


class Relations(NamedTuple):
    """Edges other than FLOWS_TO, linked by start and by end."""

    type: I8  # the wire code of `meshline.graph.content`; NONE: dead
    start: I32
    end: I32
    value: I32  # HAS_COLUMN: the position or NONE; others: the number of their attributes or NONE
    next_out: I32
    next_in: I32


class Facts(NamedTuple):
    """Which head states attributes of which asset, linked by asset."""

    node: I32  # NONE: dead
    solid: U8  # not only the spelling of its name
    next: I32
    tags: I32  # the number of the tags that it gives, or NONE: see `HeadLoader.tag_sets`


class Mentions(NamedTuple):
    """Which head mentions which assets, linked by asset. The rows of a head are contiguous."""

    node: I32  # -2 - node if no visible row of the head supports it (`mutate.rewrite_head`)
    next: I32


class Csr(NamedTuple):
    """Flows by start or by end: those of node n are at ptr[n]..ptr[n + 1], in the order of Flows."""

    ptr: I32
    other: I32
    flags: U8
    flow: I32


class Overlay(NamedTuple):
    """Links of the flows that are newer than the CSR arrays, by row in Flows minus their number."""

    next_out: I32
    next_in: I32


# Rows in use, by table. CHANGED is set when an asset appears or disappears. SALT begins the hashes of names: other names collide in
# each process, so that no client can choose names that make the index slow.
N_NAMES, N_TEXT, N_NODES, N_FOLDS, N_KINDS, N_FLOWS, N_RELATIONS, N_FACTS, N_NAMED, N_SPECIAL, CHANGED, SALT = range(12)
N_COUNTS = 12

# Special rows are work that a kernel leaves to Python: (which, head, node or row, start and end in the buffer).
SPECIAL_FACT, SPECIAL_RELATION, SPECIAL_DATASET, SPECIAL_MOVED, SPECIAL_TAGS = range(5)

Group = TypeVar("Group", bound=tuple[Any, ...])


def allocate_group(group: type[Group], size: int, slots: int = 0, text: int = 0) -> Group:
    """A group of zeros with room for `size` rows: untouched pages cost no memory."""
    sizes = {"slots": slots, "text": text}
    return group(*(np.zeros(sizes.get(name, size), _get_dtype(hint)) for name, hint in _list_fields(group)))


def widen_group(group: Group, used: int, need: int, expected: int = 0) -> Group:
    """The group with room for `need` rows, as by `extend_array`; slots and text stay as they are: they are no group's second array."""
    if len(group[1]) >= need:
        return group
    arrays: list[npt.NDArray[Any]] = []
    for (name, _), array in zip(_list_fields(type(group)), group, strict=True):
        arrays.append(array if name in {"slots", "text"} else extend_array(array, used, need, expected))
    return type(group)(*arrays)


def extend_array(array: npt.NDArray[Any], used: int, need: int, expected: int = 0) -> npt.NDArray[Any]:
    """The array, or a copy with room for the expected rows, else with twice the room."""
    if len(array) >= need:
        return array
    larger = np.empty(max(expected if expected > need else 2 * len(array), need, 64), array.dtype)
    larger[:used] = array[:used]
    return larger


_DTYPES: dict[str, npt.DTypeLike] = {"I8": np.int8, "U8": np.uint8, "I32": np.int32, "U32": np.uint32, "I64": np.int64}


def _list_fields(group: type[Group]) -> list[tuple[str, str]]:
    return list(group.__annotations__.items())


def _get_dtype(hint: object) -> npt.DTypeLike:
    return _DTYPES[hint.__forward_arg__ if hasattr(hint, "__forward_arg__") else str(hint)]


class Scratch(NamedTuple):
    """The working memory of traversals, by node; marks identify the traversal, so that nothing needs to be cleared.

    See `meshline.graph.index.kernels.traverse`.
    """

    seen: I64  # the node's mark
    scanned: I64  # of a dataset: the mark of the node from which its own edges were followed
    paired: I32  # the scan that followed a dataset-level edge to the dataset
    queue: I32  # 4 * node + 2 if its edges were not counted yet + whether it is a column
    late: I32  # nodes that turned out to be clean after their edges were followed
    nodes: I32  # the answer: representatives in order of reach, then distance
    reach: I8
    distance: I32
    masked: U8
    later: I32  # edges put off by a pass, by level, each level closed by -1: 4 * where it leads + 2 if clean + class - 1


# The state of a traversal, an array of int64. Parts of Scratch.later are from NEXT to END; counts of edges are by class.
(
    HEAD,
    TAIL,
    LATE,
    LEVEL_END,
    LEVEL,
    UNTIL,
    DEPTH,
    STAMP,
    CEILING,
    UNCOUNTED,
    FIRST_NEXT,
    FIRST_END,
    SECOND_NEXT,
    SECOND_END,
    PUT_OFF,
    DONE,
    SCAN,
    FOUND,
    BEYOND,
    SAW_MASKED,
    CUT,
    UNDESCRIBED,
    PAIRS,
    STALE_EDGES,
) = range(24)
PROVISIONAL_EDGES = STALE_EDGES + 3
N_STATE = PROVISIONAL_EDGES + 3
