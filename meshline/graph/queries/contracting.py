"""Lineage contracted to datasets, products or domains: whatever the number of columns, only what is drawn becomes an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index import Affected, LineageIndex, Reach, Traversal
from meshline.graph.index.answers import Flags, Ints
from meshline.graph.index.between import FlowTable
from meshline.graph.queries.drawing import Granularity, Lineage, LineageEdge, LineageNode, by_name, completeness, named
from meshline.graph.queries.groups import COLUMN, NOTHING
from meshline.graph.queries.pages import name_key

Grouping: TypeAlias = Callable[[Ints], Ints]  # from columns and datasets to what stands for them; NOTHING = nothing does
Numbers: TypeAlias = npt.NDArray[np.int64]


def contracted(index: LineageIndex, found: Traversal, granularity: Granularity, limit: int) -> Lineage:
    """The drawing of a traversal, at most `limit` nodes, the nearest first."""
    group = _grouping(index, granularity)
    starts = np.unique(group(found.starts))
    starts = starts[starts != NOTHING]
    of = group(found.nodes)
    nodes = _nodes(index, starts, of, found, limit)
    ungrouped = 0 if granularity is Granularity.DATASET else len(np.unique(_datasets(index, found.nodes[of == NOTHING])))
    drawn = np.array([node.node for node in nodes[:limit]], np.int32)
    edges = _edges(index, found.flow_table(), group, drawn)
    return Lineage(tuple(nodes[:limit]), tuple(edges), ungrouped, completeness(found, cut=len(nodes) > limit))


def _datasets(index: LineageIndex, nodes: Ints) -> Ints:
    """Columns as their datasets."""
    datasets = nodes.copy()
    of_column = index.kinds(nodes) == COLUMN
    datasets[of_column] = index.datasets(nodes[of_column])
    return datasets


def _grouping(index: LineageIndex, granularity: Granularity) -> Grouping:
    if granularity is Granularity.DATASET:
        return lambda nodes: _datasets(index, nodes)
    holders = index.products if granularity is Granularity.PRODUCT else index.domains

    def group(nodes: Ints) -> Ints:
        distinct, at = index.numbered(_datasets(index, nodes))
        return holders(distinct)[at]

    return group


def _nodes(index: LineageIndex, starts: Ints, of: Ints, found: Traversal, limit: int) -> list[LineageNode]:
    """In order, the first so many, and more if there are more. `of`: what stands for each reached node."""
    inside = (of != NOTHING) & ~np.isin(of, starts)
    best = index.strongest(of[inside], found.reach[inside], found.distance[inside], found.masked[inside])
    near = _nearest(best, limit + 1)
    nodes = [LineageNode(node, Reach.DIRECT, 0, masked=False, start=True) for node in starts.tolist()]
    rows = zip(*(column[near].tolist() for column in best), strict=True)
    return by_name(index, [*nodes, *(LineageNode(node, Reach(k), distance, masked, start=False) for node, k, distance, masked in rows)])


def _nearest(found: Affected, most: int) -> Flags:
    """So many of the nearest, of these the surest, and all that only their names could put before one of them."""
    code = found.distance.astype(np.int64) * len(Reach) + found.reach
    if code.size <= most:
        return np.ones(code.size, np.bool_)
    nearest: Flags = code <= np.partition(code, most - 1)[most - 1]
    return nearest


def _edges(index: LineageIndex, flows: FlowTable, group: Grouping, drawn: Ints) -> list[LineageEdge]:
    """One edge for all flows between two drawn nodes, by the names of the nodes."""
    starts, ends = (_places(drawn, group(nodes)) for nodes in (flows.start, flows.end))
    kept = np.flatnonzero((starts >= 0) & (ends >= 0) & (starts != ends))
    pairs, at = np.unique(starts[kept] * drawn.size + ends[kept], return_inverse=True)
    reach = np.full(pairs.size, int(Reach.POSSIBLE), np.int8)
    np.minimum.at(reach, at, flows.reach[kept])
    unmasked = np.bincount(at, ~flows.masking[kept], pairs.size)
    counts = np.bincount(_once(at, flows.start[kept], flows.end[kept])[0], minlength=pairs.size)
    jobs: list[list[int]] = [[] for _ in range(pairs.size)]
    for pair, job in zip(*(column.tolist() for column in _once(at, flows.job[kept])), strict=True):
        if job != NOTHING:
            jobs[pair].append(job)
    begun, ended = (drawn[place].tolist() for place in divmod(pairs, max(1, drawn.size)))
    rows = zip(begun, ended, reach.tolist(), unmasked.tolist(), counts.tolist(), jobs, strict=True)
    edges = [LineageEdge(a, b, Reach(k), None, "", not bare, count, named(index, through)) for a, b, k, bare, count, through in rows]
    names = {node: name_key(index, node) for node in drawn.tolist()}
    return sorted(edges, key=lambda edge: (names[edge.start], names[edge.end]))


def _places(drawn: Ints, nodes: Ints) -> Numbers:
    """Of each node, where it is in `drawn`; -1: nowhere."""
    order = np.argsort(drawn)
    near = np.minimum(np.searchsorted(drawn, nodes, sorter=order), max(0, drawn.size - 1))
    places: Numbers = order[near] if drawn.size else np.zeros(nodes.size, np.int64)
    return np.where(drawn[places] == nodes, places, -1) if drawn.size else places - 1


def _once(*columns: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The rows of these columns, each once, sorted."""
    order = np.lexsort(columns[::-1])
    columns = tuple(column[order] for column in columns)
    new = np.ones(order.size, np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return [column[new] for column in columns]
