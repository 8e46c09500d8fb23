"""What is behind the counts of `Completeness`: the flows, pairs and datasets that a traversal met and that make its answer less certain.

The walk is done once more over the graph of the traversal's last pass, to the level at which that pass ended. Then each array here has as
many rows as the count that it explains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, I64, N_NODES, PASSED_OVER, PROVISIONAL, STALE
from meshline.graph.index.flow_tables import list_rows_at
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.passes import Limits, Visit, Walker
from meshline.graph.index.results import Direction, Ints, Reach


class GapNodes(NamedTuple):
    """Datasets (representatives), and how many flows they are away: int32 arrays of equal length."""

    nodes: Ints
    distance: Ints


class GapPairs(NamedTuple):
    """Pairs of datasets in the direction of data, and how many flows the nearer one is away: int32 arrays of equal length."""

    start: Ints
    end: Ints
    near: Ints  # the one from which the traversal came
    distance: Ints


class GapFlows(NamedTuple):
    """Rows of `Flows` (int64), the end from which the traversal came, and how many flows that is away (int32)."""

    rows: I64
    near: Ints
    distance: Ints


class TraversalGaps(NamedTuple):
    """The rows that each count of `Completeness` counts."""

    pairs: GapPairs
    undescribed: GapNodes
    stale: GapFlows
    provisional: GapFlows


def find_gaps(
    tables: IndexTables, walker: Walker, starts: Ints, direction: Direction, limits: Limits, visit: Visit
) -> TraversalGaps | None:
    """What a traversal met. `visit`: its last pass. None if the deadline of `limits` ended the walk."""
    wanted = walker.mark_wanted(limits.seen_since)
    if not walker.walk_again(starts, visit.k, direction, limits, wanted, until=visit.until):
        return None
    visited, distances = walker.list_visited()
    nodes, n = tables.nodes, int(tables.counts[N_NODES])
    if visit.until >= 0:
        scanned = distances <= visit.until
        visited, distances = visited[scanned], distances[scanned]
    followed = np.ones(len(visited), np.bool_) if limits.depth is None else distances < limits.depth
    met = _find_nearest(tables, visited, distances, n)
    expanded = _find_nearest(tables, visited[followed], distances[followed], n)

    own = np.flatnonzero(nodes.listed[:n] > 0)
    described = np.zeros(n, np.bool_)
    described[nodes.rep[own[nodes.kind[own] == DATASET]]] = True
    datasets = np.flatnonzero((met >= 0) & (nodes.kind[:n] == DATASET) & ~described).astype(np.int32)

    marked = np.zeros(n, np.bool_)
    marked[tables.collect_members(np.flatnonzero(expanded >= 0).astype(np.int32))] = True
    rows = list_rows_at(tables, marked, incoming=direction is Direction.UPSTREAM)
    flags = tables.flows.flags[rows]
    kept = (flags & PASSED_OVER == 0) & (flags & CLASS <= visit.k)
    if wanted is not None:
        kept &= wanted[rows] != 0
    rows, flags = rows[kept], flags[kept]
    near = nodes.rep[(tables.flows.start if direction is Direction.DOWNSTREAM else tables.flows.end)[rows]]
    return TraversalGaps(
        _list_pairs(tables, rows[flags & CLASS == Reach.POSSIBLE], direction, expanded),
        GapNodes(datasets, met[datasets]),
        *(GapFlows(rows[flags & bit != 0], near[flags & bit != 0], expanded[near[flags & bit != 0]]) for bit in (STALE, PROVISIONAL)),
    )


def _find_nearest(tables: IndexTables, visited: Ints, distances: Ints, n: int) -> Ints:
    """int32 array by representative of visited columns and of datasets that were met in any way: the least distance; -1: not met."""
    nodes = tables.nodes
    far = np.iinfo(np.int32).max
    found = np.full(n, far, np.int32)
    np.minimum.at(found, nodes.rep[visited], distances)
    columns = nodes.kind[visited] == COLUMN
    np.minimum.at(found, nodes.rep[nodes.part1[visited[columns]]], distances[columns])
    return np.where(found == far, np.int32(-1), found)


def _list_pairs(tables: IndexTables, rows: I64, direction: Direction, distance: Ints) -> GapPairs:
    rep = tables.nodes.rep
    start, end = rep[tables.flows.start[rows]], rep[tables.flows.end[rows]]
    pairs = np.unique(start.astype(np.int64) << 32 | end)
    start, end = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    near = start if direction is Direction.DOWNSTREAM else end
    return GapPairs(start, end, near, distance[near])
