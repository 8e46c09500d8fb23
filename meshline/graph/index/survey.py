"""What is known of all datasets at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.answers import Flags, Ints
from meshline.graph.index.core import Core
from meshline.graph.index.spans import rows_of
from meshline.graph.index.tables import COLUMN, DATASET, DEAD, N_FLOWS, N_NODES, N_RELATIONS, REPLACED
from meshline.graph.model import EDGE_TYPES, EdgeType

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
        mentions = mentions[mentions >= 0]  # see `storing.recast`
        kinds = core.nodes.kind[mentions]
        datasets = np.concatenate([mentions[kinds == DATASET], core.nodes.part1[mentions[kinds == COLUMN]]])
        found.append((source, np.flatnonzero(_marked(n, core.nodes.rep[datasets])).astype(np.int32)))
    return found


def _marked(n: int, nodes: Ints) -> Flags:
    marks = np.zeros(n, np.bool_)
    marks[nodes] = True
    return marks
