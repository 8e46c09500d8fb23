"""Figures and surveys of the whole index: its size, what is known of all datasets at once, and which assets have which tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, DEAD, N_FACTS, N_FLOWS, N_NODES, N_RELATIONS, NONE, REPLACED
from meshline.graph.index.flow_tables import rows_of
from meshline.graph.index.index_tables import Core
from meshline.graph.index.loader import Feed
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType


class Size(NamedTuple):
    """Assets that some head mentions, by each name that they have, and FLOWS_TO edges as heads say them."""

    columns: int
    datasets: int
    jobs: int
    edges: int


def measured(core: Core) -> Size:
    nodes, flows = int(core.counts[N_NODES]), int(core.counts[N_FLOWS])
    mentioned = np.bincount(core.nodes.kind[:nodes][core.nodes.live[:nodes] > 0], minlength=len(KINDS))
    return Size(
        columns=int(mentioned[KINDS.index(AssetKind.COLUMN)]),
        datasets=int(mentioned[KINDS.index(AssetKind.DATASET)]),
        jobs=int(mentioned[KINDS.index(AssetKind.JOB)]),
        edges=flows - int(np.count_nonzero(core.flows.flags[:flows] & DEAD)),
    )


_WRITES = EDGE_TYPES.index(EdgeType.WRITES)
_MENTIONS = 3  # the column of Heads.starts


class Survey(NamedTuple):
    """By node, of representatives of datasets."""

    described: Flags  # some head lists its columns
    written: Flags  # a job writes it
    fed: Flags  # flows go into a column of it


def surveyed(core: Core) -> Survey:
    """A look at every flow, relation and node: some milliseconds per million."""
    n, nodes = int(core.counts[N_NODES]), core.nodes
    listed = np.flatnonzero((nodes.listed[:n] > 0) & (nodes.kind[:n] == DATASET))
    ends = core.flows.end[: core.counts[N_FLOWS]][core.flows.flags[: core.counts[N_FLOWS]] & (DEAD | REPLACED) == 0]
    relations = np.flatnonzero(core.relations.type[: core.counts[N_RELATIONS]] == _WRITES)
    into = nodes.part1[ends[nodes.kind[ends] == COLUMN]]
    return Survey(*(_marked(n, nodes.rep[found]) for found in (listed, core.relations.end[relations], into)))


def spoken_of(core: Core) -> list[tuple[str, Ints]]:
    """Each source with the datasets (representatives, each once) that its heads mention, in whole or a column of them."""
    heads, n = core.heads, int(core.counts[N_NODES])
    alive = np.flatnonzero(heads.alive[: heads.n])
    found: list[tuple[str, Ints]] = []
    for number, source in enumerate(heads.sources):
        own = alive[heads.source[alive] == number]
        mentions = core.mentions[rows_of(heads.starts[own, _MENTIONS], heads.starts[own + 1, _MENTIONS])]
        mentions = mentions[mentions >= 0]  # see `mutate.recast`
        kinds = core.nodes.kind[mentions]
        datasets = np.concatenate([mentions[kinds == DATASET], core.nodes.part1[mentions[kinds == COLUMN]]])
        found.append((source, np.flatnonzero(_marked(n, core.nodes.rep[datasets])).astype(np.int32)))
    return found


def _marked(n: int, nodes: Ints) -> Flags:
    marks = np.zeros(n, np.bool_)
    marks[nodes] = True
    return marks


def tags_of(feed: Feed, node: int) -> frozenset[str]:
    """The tags of any member of an asset, `key` or `key=value`."""
    core = feed.core
    rows = [row for member in core.ring(node) for row in core.fact_rows(member)]
    numbers = {int(core.facts.tags[row]) for row in rows} - {NONE}
    return frozenset().union(*(feed.tag_sets[number] for number in numbers))


def tagged(feed: Feed, wanted: Callable[[frozenset[str]], bool]) -> Ints:
    """The representatives of which some source gives tags that are wanted, sorted: a look at every fact."""
    facts, n = feed.core.facts, int(feed.core.counts[N_FACTS])
    chosen = np.zeros(len(feed.tag_sets) + 1, np.bool_)  # the last one is NONE's
    chosen[:-1] = [wanted(tags) for tags in feed.tag_sets]
    rows = np.flatnonzero(facts.tags[:n] != NONE)
    nodes = facts.node[rows[chosen[facts.tags[rows]]]]
    return np.unique(feed.core.nodes.rep[nodes[nodes != NONE]])
