"""Kernels of search: how much of a question each of many assets covers. One pass over the assets, whatever the number of words.

Levels are how certainly a text means a word of the question: uint8, 0 to 100; two-dimensional arrays of them are by word, then by
text or place. `worth`: int32, shape (words,), what each word counts, in parts of their sum. `name`, `context`: int32, by node, the
numbers of texts.
"""

from __future__ import annotations

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I32, I64, PAST, U8, Nodes
from meshline.graph.index.kernels.jit import register_kernel

WORTH = 1 << 20  # the sum of what all words of a question count
FACTOR = 1 << 15  # 1.0 in `factors`
COVERED = 1_000_000  # 1.0 in `covered`
_CERTAIN = 100
_WHOLE = _CERTAIN * 100 * WORTH  # the score of an asset whose name certainly has all words


@register_kernel("I32", "I32", "I64", "I32", "U8")
def mark_rows(numbers: I32, places: I32, starts: I64, order: I32, marked: U8) -> int:
    """Mark the rows of a segment (`asset_names.Segment`). Returns how many numbers it has."""
    for place in places:
        for i in range(starts[place], starts[place + 1]):
            marked[order[i]] = 1
    return len(numbers)


@register_kernel("I32", "I32", "I64", "I32", "I32", "U8", "U8", Nodes, "U8")
def mark_members(numbers: I32, places: I32, starts: I64, order: I32, place: I32, levels: U8, shown: U8, nodes: Nodes, members: U8) -> int:
    """Raise the level of each dataset to that of the columns in use among the nodes of a segment by name.

    `levels`: those of one word, by number. `place`, int32, by node: that of a dataset in `members`, uint8. `shown`, uint8, by node: whether
    it counts; empty if all do. Returns how often that was done.
    """
    n = 0
    for i in range(len(numbers)):
        level = levels[numbers[i]]
        for j in range(starts[places[i]], starts[places[i] + 1]):
            row = order[j]
            if nodes.kind[row] == COLUMN:
                dataset = nodes.part1[row]
                at = place[dataset]
                is_better = level > members[at] and nodes.live[row] > 0 and (len(shown) == 0 or shown[row] > 0)
                if is_better and (nodes.traits[row] | (nodes.traits[dataset] & PAST)) & (GONE | PAST) == 0:
                    n += 1
                    members[at] = level
    return n


@register_kernel(
    "I64", "I32", "I32", "I32", "I32", "U8:2", "I32", "U8:2", "U8:2", "I32", "int", "int", "int", "int", Nodes, "I32", "U8"
)  # fmt: skip
def measure_coverage(
    rows: I64,
    name: I32,
    context: I32,
    place: I32,
    described: I32,
    levels: U8,
    worth: I32,
    members: U8,
    texts: U8,
    factors: I32,
    of_column: int,
    of_others: int,
    of_member: int,
    least: int,
    nodes: Nodes,
    covered: I32,
    enough: U8,
) -> int:
    """How much of a question each of these nodes covers: the sum of what the words count, each by the best that means it.

    That is its name (`levels`), its context, which counts `of_column` or `of_others` of 100, for a dataset its columns (`members`, at
    its `place`; empty if they do not count), which count `of_member` of 100, and its `texts` at `described`: int32, by row, or -1; empty
    if no asset has any. `factors`: int32, by text, how much the coverage of a name counts.
    Results by row: `covered`, int32, with the factor; `enough`, uint8, whether it is at least `least` of `COVERED` without it. Returns
    how many are.
    """
    n = 0
    for i in range(len(rows)):
        row = rows[i]
        own, of = name[row], context[row]
        share = of_column if nodes.kind[row] == COLUMN else of_others
        dataset = place[row] if len(members) and nodes.kind[row] == DATASET else -1
        text = described[i] if len(described) else -1
        score = 0
        for word in range(len(worth)):
            best = max(_CERTAIN * int(levels[word, own]), share * int(levels[word, of]))
            if dataset >= 0:
                best = max(best, of_member * int(members[word, dataset]))
            if text >= 0:
                best = max(best, _CERTAIN * int(texts[word, text]))
            score += best * int(worth[word])
        enough[i] = score * COVERED >= least * _WHOLE
        n += enough[i]
        covered[i] = score * int(factors[own]) // (_WHOLE // COVERED) // FACTOR
    return n
