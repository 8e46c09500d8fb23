"""Under which names datasets are spoken of, by whom but one source, and since when: many at once."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from meshline.graph.index.arrays import DATASET, GONE, N_NODES, NONE, PAST
from meshline.graph.index.flow_tables import rows_of
from meshline.graph.index.index_tables import Core
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey

_MENTIONS = 3  # the column of Heads.starts


def names_spoken(index: LineageIndex, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
    """By namespace the names that sources other than `but` mention now, each with its own node."""
    core = index.core
    n, nodes = int(core.counts[N_NODES]), core.nodes
    own = np.bincount(_mentions(core, _heads(core, but)), minlength=n)
    spoken = (nodes.kind[:n] == DATASET) & (nodes.traits[:n] & (GONE | PAST) == 0) & (nodes.live[:n] - own > 0)
    found: dict[str, dict[str, int]] = {}
    for namespace in namespaces:
        number = core.name_number(namespace)
        of_namespace = np.flatnonzero(spoken & (nodes.part1[:n] == number)) if number != NONE else np.empty(0, np.int32)
        found[namespace] = dict(zip(texts(core, nodes.part2[of_namespace]), of_namespace.tolist(), strict=True))
    return found


def texts(core: Core, names: Ints) -> list[str]:
    """Interned strings by their numbers."""
    ends, begins = core.names.end[names], np.where(names > 0, core.names.end[names - 1], 0)
    text = core.names.text.data
    return [str(text[begin:end], "utf-8", "replace") for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]


def spoken_since(index: LineageIndex, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
    """Since when, at the latest, sources other than `but` speak of datasets: the earliest beginning of what is said of each now."""
    core = index.core
    heads = core.heads
    n = int(core.counts[N_NODES])
    wanted = {node: key for key in keys if (node := core.key_node(key)) != NONE}
    marked: Flags = np.zeros(n, np.bool_)
    marked[list(wanted)] = True
    others = np.flatnonzero(heads.alive[: heads.n])
    others = others[~np.isin(others, _heads(core, but))]
    begin, end = heads.starts[others, _MENTIONS], heads.starts[others + 1, _MENTIONS]
    rows = rows_of(begin, end)
    mentions = core.mentions[rows]
    of_head = np.repeat(others, end - begin)
    hits = (mentions >= 0) & marked[np.maximum(mentions, 0)]
    since = np.full(n, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(since, mentions[hits], heads.valid_from[of_head[hits]])
    return {key: int(since[node]) for node, key in wanted.items() if since[node] < np.iinfo(np.int64).max}


def _heads(core: Core, source: str) -> Ints:
    """The heads of a source that say something now."""
    heads = core.heads
    if source not in heads.sources:
        return np.empty(0, np.int32)
    number = heads.sources.index(source)
    return np.flatnonzero((heads.alive[: heads.n] != 0) & (heads.source[: heads.n] == number)).astype(np.int32)


def _mentions(core: Core, heads: Ints) -> Ints:
    starts = core.heads.starts
    mentions = core.mentions[rows_of(starts[heads, _MENTIONS], starts[heads + 1, _MENTIONS])]
    return mentions[mentions >= 0]
