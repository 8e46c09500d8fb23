"""Kernels of search: how much of a question each of many assets covers. One pass over the assets, whatever the number of words.

Levels are how certainly a text means a word of the question: uint8, 0 to 100; two-dimensional arrays of them are by text or place, then
by word: what an asset covers is read from few places. `worth`: int32, shape (words,), what each word counts, in parts of their sum.
`name`, `context`: int32, by node, the numbers of texts. `shown`, uint8, by node: whether it counts; empty if all do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, F32, GONE, I8, I32, I64, NONE, PAST, U8, Nodes
from meshline.graph.index.kernels.jit import register_inner, register_kernel

WORTH = 1 << 20  # the sum of what all words of a question count
FACTOR = 1 << 15  # 1.0 in `factors`
COVERED = 1_000_000  # 1.0 in `covered`
STEPS = 1000  # of the score of a hit
RANKS = STEPS + 1  # between the orders of two ranks
BLOCK = 1024  # rows that are counted together
_CERTAIN = 100
_HUNDRED = np.float32(_CERTAIN)
_WHOLE = _CERTAIN * 100 * WORTH  # the score of an asset whose name certainly has all words


class AssetTexts(NamedTuple):
    """The texts of assets. `of_dataset`: by place of a dataset, the context of its columns, which is its name."""

    name: I32  # by node
    context: I32  # by node
    place: I32  # by node: of a dataset its place among all datasets
    of_dataset: I32


class Question(NamedTuple):
    """What is the same for all assets that are measured."""

    worth: I32
    shares: I32  # by kind: what a word of the context counts, of 100
    kinds: U8  # by kind: whether it is wanted
    factors: I32  # by text: how much the coverage of a name counts
    ranks: I8  # by text: the rank of a name
    near: U8  # by text: whether the vector of a name is near to that of the question; empty if none is
    near_kinds: U8  # by kind: whether it is found by that
    shown: U8
    limits: I64  # what a word of a column counts for its dataset, of 100; what is covered at least; a rank: those below it are found


class Covering(NamedTuple):
    """The nodes that a question finds: those that cover enough of it, without the factor of their names, or have a good enough rank, or
    names near to it. A node covers what its name, its context, for a dataset its columns, and what describes it cover: of each word the
    best of these.
    """

    rows: I32  # nodes
    covered: I32  # with the factor, in parts of `COVERED`
    tiers: I8  # ranks
    best: I32  # shape (1,): the most that a node that counts covers, found or not


@register_kernel("I32", "I32", "I64", "I32", "F32", "F32", "I32", "int", "U8:2", "U8", "I32", "int")
def weigh_texts(
    numbers: I32, places: I32, starts: I64, order: I32, weights: F32, shares: F32, texts: I32, word: int,
    levels: U8, strongest: U8, found: I32, n: int,
) -> int:  # fmt: skip
    """Raise the levels of one word of the question by a segment of occurrences of words in names (`asset_names.Segment`).

    `weights`, float32, by number of the segment: how certainly that word of names means the word of the question. `shares` (float32) and
    `texts` (int32), by occurrence: what it counts by its place in the name, and the name. Results: `levels`; by text `strongest`, uint8,
    the greatest level; and `found`, int32, the texts with a level, of which there are `n` before. Returns how many there are then.
    """
    for i in range(len(places)):
        weight = weights[numbers[i]]
        for j in range(starts[places[i]], starts[places[i] + 1]):
            occurrence = order[j]
            level = int(np.rint(weight * shares[occurrence] * _HUNDRED))
            text = texts[occurrence]
            if level > levels[text, word]:
                levels[text, word] = level
                if strongest[text] == 0:
                    found[n] = text
                    n += 1
                strongest[text] = max(strongest[text], level)
    return n


@register_kernel("I32", "U8:2", "I64:2")
def count_levels(found: I32, levels: U8, counts: I64) -> int:
    """Count how many of these texts have each level of each word: `counts`, int64, shape (words, 101), 0 before. Returns the number of
    texts.
    """
    for text in found:
        for word in range(levels.shape[1]):
            counts[word, levels[text, word]] += 1
    return len(found)


@register_kernel("I32", "U8:2", "I32", "I64")
def sum_levels(found: I32, levels: U8, worth: I32, total: I64) -> int:
    """For each of these texts the sum of what the words count, each by its level: `total`, int64. Returns the number of texts."""
    for i in range(len(found)):
        score = 0
        for word in range(len(worth)):
            score += int(levels[found[i], word]) * int(worth[word])
        total[i] = score
    return len(found)


@register_kernel("I32", "I32", "I64", "I32", "I32", "I32", "int", "U8:2", "U8", Nodes, "U8:2", "U8")
def mark_members(
    numbers: I32, places: I32, starts: I64, order: I32, at: I32, datasets: I32, least: int, levels: U8, shown: U8, nodes: Nodes,
    members: U8, marked: U8,
) -> int:  # fmt: skip
    """Raise the levels of each dataset to those, of at least `least`, of the columns in use among the nodes of a segment by name.

    `at`, int32, in the order of the segment: of a column the place of its dataset, else NONE; `datasets`, int32, by place: its node.
    Results by place: `members`, and `marked`, uint8, whether any was raised. Returns how often that was done.
    """
    n = 0
    words = levels.shape[1]
    for i in range(len(places)):
        number = numbers[i]
        for j in range(starts[places[i]], starts[places[i] + 1]):
            place = at[j]
            if place == NONE:
                continue
            is_better = False
            for word in range(words):
                level = levels[number, word]
                is_better = is_better or (level >= least and level > members[place, word])
            row = order[j]
            if not is_better or (len(shown) > 0 and not shown[row]) or nodes.live[row] <= 0:
                continue
            if (nodes.traits[row] | (nodes.traits[datasets[place]] & PAST)) & (GONE | PAST) == 0:
                marked[place] = 1
                for word in range(words):
                    level = levels[number, word]
                    if level >= least and level > members[place, word]:
                        members[place, word] = level
                        n += 1
    return n


@register_inner
def is_among(row: int, rows: I32) -> bool:
    """Whether a node is among these, which are ascending."""
    first, last = 0, len(rows)
    while first < last:
        middle = (first + last) // 2
        if rows[middle] < row:
            first = middle + 1
        else:
            last = middle
    return first < len(rows) and rows[first] == row


@register_inner
def measure_row(
    row: int, own: int, of: int, kind: int, dataset: int, text: int, tier: int,
    levels: U8, members: U8, texts: U8, question: Question, covering: Covering, n: int,
) -> int:  # fmt: skip
    """Append a node to `covering`, if it is found; the number of those then. `own`, `of`: its name and context; `dataset`, `text`: its
    places in `members` and `texts`, or NONE. `tier`: its rank, if that of its name is not better. Other arguments as in `measure_names`.
    """
    if not question.kinds[kind]:
        return n
    share, score = question.shares[kind], 0
    for word in range(len(question.worth)):
        best = max(_CERTAIN * int(levels[own, word]), int(share) * int(levels[of, word]))
        if dataset != NONE:
            best = max(best, int(question.limits[0]) * int(members[dataset, word]))
        if text != NONE:
            best = max(best, _CERTAIN * int(texts[text, word]))
        score += best * int(question.worth[word])
    covered = score * int(question.factors[own]) // (_WHOLE // COVERED) // FACTOR
    if covered > covering.best[0] and (len(question.shown) == 0 or question.shown[row]):
        covering.best[0] = covered
    tier = min(tier, int(question.ranks[own]))
    is_near = len(question.near) > 0 and question.near[own] and question.near_kinds[kind]
    if score * COVERED >= int(question.limits[1]) * _WHOLE or tier < question.limits[2] or is_near:
        covering.rows[n] = row
        covering.covered[n] = covered
        covering.tiers[n] = tier
        return n + 1
    return n


@register_kernel("I32", "I32", "I64", "I32", "I32", "U8", "I32", AssetTexts, "U8:2", "U8:2", "U8:2", Question, Nodes, Covering, "int")
def measure_names(
    numbers: I32, places: I32, starts: I64, order: I32, at: I32, apart: U8, special: I32,
    assets: AssetTexts, levels: U8, members: U8, texts: U8, question: Question, nodes: Nodes, covering: Covering, n: int,
) -> int:  # fmt: skip
    """How much of a question the nodes of a segment by name cover, without `special` ones (int32, ascending). `apart`: uint8, by text,
    whether it is the name of one.

    `at`: as in `mark_members`. Arrays are read in the order of the segment as far as possible: each node by itself is far from the next.
    `covering`: what is found, `n` before. Returns how many are found then.
    """
    for i in range(len(places)):
        own = numbers[i]
        for j in range(starts[places[i]], starts[places[i] + 1]):
            row, place = order[j], at[j]
            if apart[own] and is_among(row, special):
                continue
            dataset = NONE
            if place != NONE:
                kind, of = COLUMN, assets.of_dataset[place]
            else:
                kind, of = nodes.kind[row], assets.context[row]
                if kind == DATASET and len(members):
                    dataset = assets.place[row]
            n = measure_row(row, own, of, kind, dataset, NONE, 127, levels, members, texts, question, covering, n)
    return n


@register_kernel("I32", "I32", "I64", "I32", "U8", "U8", "I32", AssetTexts, "U8:2", "U8:2", "U8:2", Question, Nodes, Covering, "int")
def measure_contexts(
    numbers: I32, places: I32, starts: I64, order: I32, done: U8, apart: U8, special: I32,
    assets: AssetTexts, levels: U8, members: U8, texts: U8, question: Question, nodes: Nodes, covering: Covering, n: int,
) -> int:  # fmt: skip
    """The same for a segment by context, without nodes of which the name is `done`: uint8, by text."""
    for i in range(len(places)):
        of = numbers[i]
        for j in range(starts[places[i]], starts[places[i] + 1]):
            row = order[j]
            own, kind = assets.name[row], nodes.kind[row]
            if done[own] or (apart[own] and is_among(row, special)):
                continue
            dataset = assets.place[row] if kind == DATASET and len(members) else NONE
            n = measure_row(row, own, of, kind, dataset, NONE, 127, levels, members, texts, question, covering, n)
    return n


@register_kernel("I32", "I32", "I8", AssetTexts, "U8:2", "U8:2", "U8:2", Question, Nodes, Covering, "int")
def measure_nodes(
    rows: I32, described: I32, tiers: I8, assets: AssetTexts, levels: U8, members: U8, texts: U8, question: Question, nodes: Nodes,
    covering: Covering, n: int,
) -> int:  # fmt: skip
    """The same for these nodes. `described`, int32: the place of each in `texts`, or NONE; `tiers`, int8: its rank, if that of its name is
    not better.
    """
    for i in range(len(rows)):
        row = rows[i]
        kind = nodes.kind[row]
        dataset = assets.place[row] if kind == DATASET and len(members) else NONE
        own, of, text, tier = assets.name[row], assets.context[row], described[i], int(tiers[i])
        n = measure_row(row, own, of, kind, dataset, text, tier, levels, members, texts, question, covering, n)
    return n


@register_kernel("I8", "I32", "int", "I32")
def order_rows(tiers: I8, covered: I32, exact: int, orders: I32) -> int:
    """The orders of assets by rank, then by what they lack of the question; up to rank `exact` only by rank. `orders`: int32. Returns
    their number.
    """
    for i in range(len(tiers)):
        orders[i] = int(tiers[i]) * RANKS + (0 if tiers[i] <= exact else STEPS - covered[i] // (COVERED // STEPS))
    return len(tiers)


@register_kernel("I32", "I32", "int", "I32", "I32", "I32", "I32")
def list_best(rows: I32, orders: I32, most: int, counts: I32, blocks: I32, found: I32, equal: I32) -> int:
    """List the places of the `most` least of more orders, of equal ones those of the least rows. `counts`, `blocks`: int32, 0 before,
    longer than the greatest order and than the greatest row / `BLOCK`.

    Results: `found`, int32, places of which all are among them, in no order; and `equal`, int32, shape (BLOCK,), places of which those of
    the least rows are, as many as are missing; the rest of it is NONE. Returns how many are in `found`.
    """
    for i in range(len(orders)):
        counts[orders[i]] += 1
    worst, left = 0, most
    while counts[worst] <= left:
        left -= counts[worst]
        worst += 1
    for i in range(len(orders)):
        if orders[i] == worst:
            blocks[rows[i] // BLOCK] += 1
    last = 0
    while blocks[last] <= left:
        left -= blocks[last]
        last += 1
    n, of_last = 0, 0
    for i in range(len(orders)):
        if orders[i] < worst or (orders[i] == worst and rows[i] // BLOCK < last):
            found[n] = i
            n += 1
        elif orders[i] == worst and rows[i] // BLOCK == last:
            equal[of_last] = i
            of_last += 1
    for i in range(of_last, len(equal)):
        equal[i] = NONE
    return n
