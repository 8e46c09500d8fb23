"""The items behind each number of an answer's completeness: as many as the number counts."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex, Traversal
from meshline.graph.index.results import Flags, FlowStep, Ints
from meshline.graph.model import FlowType
from meshline.graph.queries.pages import UNLIMITED, Limits, SortKey, build_name_key

_STEP = 1024  # names between two checks of the deadline


class Gap(enum.StrEnum):
    """A number of `Completeness`."""

    POSSIBLE_ONLY = "POSSIBLE_ONLY"
    UNDESCRIBED = "UNDESCRIBED"
    STALE = "STALE"
    PROVISIONAL = "PROVISIONAL"
    UNBOUND = "UNBOUND"
    SILENT_ON_FILTERS = "SILENT_ON_FILTERS"


class GapFlow(NamedTuple):
    """A flow that a scope states, or a pair of datasets (`scope_id` None), in the direction of data."""

    start: int
    end: int
    type: FlowType | None = None
    subtype: str = ""
    job: int | None = None
    scope_id: int | None = None


class GapItems(NamedTuple):
    """The first items of a gap, and how many there are. Only one of `assets` and `flows` has any."""

    total: int
    assets: tuple[int, ...] = ()
    flows: tuple[GapFlow, ...] = ()


def list_gap_items(index: LineageIndex, found: Traversal, gap: Gap, first: int, limits: Limits = UNLIMITED) -> GapItems:
    """The first items that a number of `found.completeness` counts: the nearest to the starts, then by name.

    Raises LimitExceeded if the traversal or this runs out of time.
    """
    if gap is Gap.UNBOUND:
        return _list_assets(index, found.unbound, first)
    if gap is Gap.SILENT_ON_FILTERS:
        return _list_assets(index, found.silent_jobs.tolist(), first)
    gaps = found.find_gaps(limits.deadline)
    if gap is Gap.UNDESCRIBED:
        chosen = _choose_nearest(index, gaps.undescribed.nodes, gaps.undescribed.distance, first, limits)
        distances = dict(zip(*(column.tolist() for column in gaps.undescribed), strict=True))
        kept = sorted(gaps.undescribed.nodes[chosen].tolist(), key=lambda node: (distances[node], build_name_key(index, node)))
        return GapItems(len(gaps.undescribed.nodes), tuple(kept[:first]))
    if gap is Gap.POSSIBLE_ONLY:
        pairs = gaps.pairs
        chosen = _choose_nearest(index, pairs.near, pairs.distance, first, limits)
        rows = zip(pairs.distance[chosen].tolist(), pairs.start[chosen].tolist(), pairs.end[chosen].tolist(), strict=True)
        flows = [(distance, GapFlow(start, end)) for distance, start, end in rows]
        return GapItems(len(pairs.near), flows=_sort_flows(index, flows, first))
    flows_ = gaps.stale if gap is Gap.STALE else gaps.provisional
    chosen = _choose_nearest(index, flows_.near, flows_.distance, first, limits)
    steps = found.build_flow_steps(flows_.rows[chosen].tolist())
    near = [(distance, _build_flow(step)) for distance, step in zip(flows_.distance[chosen].tolist(), steps, strict=True)]
    return GapItems(len(flows_.rows), flows=_sort_flows(index, near, first))


def _list_assets(index: LineageIndex, nodes: Iterable[int], first: int) -> GapItems:
    found = sorted(nodes, key=lambda node: build_name_key(index, node))
    return GapItems(len(found), tuple(found[:first]))


def _choose_nearest(index: LineageIndex, near: Ints, distance: Ints, first: int, limits: Limits) -> Flags:
    """Boolean array: the rows among which the first ones are, by the distance and the name of the nodes where they begin."""
    if len(near) <= first:
        return np.ones(len(near), np.bool_)
    last = np.partition(distance, first)[first]
    tied = distance == last
    nodes, counts = np.unique(near[tied], return_counts=True)
    names = _build_keys(index, nodes.tolist(), limits)
    kept, room = [], first - int(np.count_nonzero(distance < last))
    for position in sorted(range(len(nodes)), key=names.__getitem__):
        kept.append(nodes[position])
        room -= int(counts[position])
        if room <= 0:
            break
    chosen: Flags = (distance < last) | (tied & np.isin(near, np.array(kept, np.int32)))
    return chosen


def _build_keys(index: LineageIndex, nodes: list[int], limits: Limits) -> list[SortKey]:
    keys: list[SortKey] = []
    for position, node in enumerate(nodes):
        if position % _STEP == 0:
            limits.check_deadline()
        keys.append(build_name_key(index, node))
    return keys


def _build_flow(step: FlowStep) -> GapFlow:
    return GapFlow(step.start, step.end, step.type, step.subtype, step.job, step.scope_id)


def _sort_flows(index: LineageIndex, flows: list[tuple[int, GapFlow]], first: int) -> tuple[GapFlow, ...]:
    def order_of(one: tuple[int, GapFlow]) -> tuple[object, ...]:
        distance, flow = one
        scope = None if flow.scope_id is None else index.changes.get_scope(flow.scope_id)
        return (
            distance,
            build_name_key(index, flow.start),
            build_name_key(index, flow.end),
            flow.type or "",
            flow.subtype,
            () if flow.job is None else index.assets.get_key(flow.job).parts,
            () if scope is None else (scope.source, scope.scope),
        )

    return tuple(flow for _, flow in sorted(flows, key=order_of)[:first])
