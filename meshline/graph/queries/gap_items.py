"""The items behind each number of an answer's completeness: as many as the number counts."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex, Traversal
from meshline.graph.index.results import FlowStep, Ints
from meshline.graph.model import FlowType
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Limits, SortKey, build_name_key

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
    """Some items of a gap in order, and how many there are in all. Only one of `assets` and `flows` has any.

    `keys`: the sort key of each. `has_next`: whether more follow.
    """

    total: int
    assets: tuple[int, ...] = ()
    flows: tuple[GapFlow, ...] = ()
    keys: tuple[SortKey, ...] = ()
    has_next: bool = False


KEY_NUMBERS = 2  # of each key: the distance from the starts, and the kind of the nearer end


def list_gap_items(
    index: LineageIndex, found: Traversal, gap: Gap, first: int, limits: Limits = UNLIMITED, after: SortKey | None = None
) -> GapItems:
    """The first items that a number of `found.completeness` counts: the nearest to the starts, then by name. `after`: only later ones.

    Raises LimitExceeded if the traversal or this runs out of time.
    """
    if gap is Gap.UNBOUND:
        return _list_assets(index, [(0, node) for node in found.unbound], first, after, len(found.unbound))
    if gap is Gap.SILENT_ON_FILTERS:
        return _list_assets(index, [(0, node) for node in found.silent_jobs.tolist()], first, after, len(found.silent_jobs))
    gaps = found.find_gaps(limits.deadline)
    if gap is Gap.UNDESCRIBED:
        nodes, distance = gaps.undescribed
        rows = _choose_rows(index, nodes, distance, first, after, limits)
        return _list_assets(index, zip(distance[rows].tolist(), nodes[rows].tolist(), strict=True), first, after, len(nodes))
    if gap is Gap.POSSIBLE_ONLY:
        pairs = gaps.pairs
        rows = _choose_rows(index, pairs.near, pairs.distance, first, after, limits)
        flows = [GapFlow(start, end) for start, end in zip(pairs.start[rows].tolist(), pairs.end[rows].tolist(), strict=True)]
        return _list_flows(index, flows, pairs.near[rows], pairs.distance[rows], first, after, len(pairs.near))
    stated = gaps.stale if gap is Gap.STALE else gaps.provisional
    rows = _choose_rows(index, stated.near, stated.distance, first, after, limits)
    flows = [_build_flow(step) for step in found.build_flow_steps(stated.rows[rows].tolist())]
    return _list_flows(index, flows, stated.near[rows], stated.distance[rows], first, after, len(stated.rows))


def _list_assets(index: LineageIndex, found: Iterable[tuple[int, int]], first: int, after: SortKey | None, total: int) -> GapItems:
    """`found`: distances and nodes."""
    names = ((distance, build_name_key(index, node), node) for distance, node in found)
    entries = sorted((SortKey((distance, *name.numbers), name.names), node) for distance, name, node in names)
    later = [entry for entry in entries if after is None or entry[0] > after]
    return GapItems(
        total, tuple(node for _, node in later[:first]), keys=tuple(key for key, _ in later[:first]), has_next=len(later) > first
    )


def _choose_rows(index: LineageIndex, near: Ints, distance: Ints, first: int, after: SortKey | None, limits: Limits) -> Ints:
    """Rows among which the next `first` and one more are, by their distance and the name of their nearer end."""
    rows: Ints = np.arange(len(near), dtype=np.int32)
    again = 0
    if after is not None:
        begun = rows[distance == after.numbers[0]]
        ends, counts = np.unique(near[begun], return_counts=True)
        ahead = []
        for end, count, name in zip(ends.tolist(), counts.tolist(), _build_keys(index, ends.tolist(), limits), strict=True):
            reached = (after.numbers[1:], after.names[: len(name.names)])
            if tuple(name) >= reached:
                ahead.append(end)
            if tuple(name) == reached:
                again = count  # some of these rows were on the page before
        rows = np.concatenate([begun[np.isin(near[begun], ahead)], rows[distance > after.numbers[0]]])
    wanted = first + again + 1
    if len(rows) <= wanted:
        return rows
    near, distance = near[rows], distance[rows]
    last = np.partition(distance, wanted)[wanted]
    tied = distance == last
    nodes, numbers = np.unique(near[tied], return_counts=True)
    names = _build_keys(index, nodes.tolist(), limits)
    kept, room = [], wanted - int(np.count_nonzero(distance < last))
    for position in sorted(range(len(nodes)), key=names.__getitem__):
        kept.append(nodes[position])
        room -= int(numbers[position])
        if room <= 0:
            break
    chosen: Ints = rows[(distance < last) | (tied & np.isin(near, np.array(kept, np.int32)))]
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


def _list_flows(
    index: LineageIndex, flows: Sequence[GapFlow], near: Ints, distance: Ints, first: int, after: SortKey | None, total: int
) -> GapItems:
    """`near`, `distance`: of each flow."""
    entries: list[tuple[SortKey, GapFlow]] = []
    alike: dict[SortKey, int] = {}
    for flow, end, steps in zip(flows, near.tolist(), distance.tolist(), strict=True):
        key = _build_flow_key(index, flow, end, steps)
        alike[key] = alike.get(key, 0) + 1
        # A source may state a flow more than once: each is counted, so that each has a key of its own.
        entries.append((SortKey(key.numbers, (*key.names, f"{alike[key]:09}")), flow))
    later = sorted((entry for entry in entries if after is None or entry[0] > after), key=lambda entry: entry[0])
    return GapItems(
        total, flows=tuple(flow for _, flow in later[:first]), keys=tuple(key for key, _ in later[:first]), has_next=len(later) > first
    )


def _build_flow_key(index: LineageIndex, flow: GapFlow, near: int, distance: int) -> SortKey:
    """By the nearer end before the farther one: `_choose_rows` goes by the nearer one.

    Without the names of the job and the scope: a key is in a cursor, and a caller may not be allowed to see these.
    """
    name, far = build_name_key(index, near), index.assets.get_key(flow.end if flow.start == near else flow.start)
    stated = "" if flow.scope_id is None else f"{flow.scope_id:020}"
    return SortKey(
        (distance, *name.numbers), (*name.names, f"{KIND_ORDER[far.kind]:02}", *far.parts, flow.type or "", flow.subtype, stated)
    )
