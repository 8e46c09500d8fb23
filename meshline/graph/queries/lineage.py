"""Lineage to draw: the graph around some assets, by column, or contracted to datasets, products or domains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meshline.graph.index import Direction, FlowStep, LineageIndex, Reach, Traversal
from meshline.graph.model import AssetKind, FlowType
from meshline.graph.queries.contracting import contracted
from meshline.graph.queries.drawing import Granularity, Lineage, LineageEdge, LineageNode, by_name, completeness, named
from meshline.graph.queries.limits import UNLIMITED, Limits


def lineage(
    index: LineageIndex,
    starts: Sequence[int],
    direction: Direction = Direction.DOWNSTREAM,
    *,
    granularity: Granularity = Granularity.COLUMN,
    reach: Reach = Reach.POSSIBLE,
    depth: int | None = None,
    limit: int = 500,
    seen_since: int | None = None,
    limits: Limits = UNLIMITED,
) -> Lineage:
    """The nodes that the starts reach, and the flows between them; at most `limit` nodes: the starts, then the surest, then the nearest.

    Among columns, a dataset is drawn too where a flow begins or ends at it as a whole, and a column of a dataset
    that was started from where one begins or ends there.
    """
    if granularity is Granularity.COLUMN:
        most = min(max(limit - len(set(starts)), 0), limits.nodes)
        found = index.traverse(starts, direction, reach=reach, depth=depth, max_nodes=most, deadline=limits.deadline, seen_since=seen_since)
        return _by_column(index, found, limit)
    found = index.traverse(
        starts, direction, reach=reach, depth=depth, max_nodes=limits.nodes, deadline=limits.deadline, seen_since=seen_since
    )
    return contracted(index, found, granularity, limit)


def _by_column(index: LineageIndex, found: Traversal, limit: int) -> Lineage:
    nodes = [LineageNode(node, Reach.DIRECT, 0, masked=False, start=True) for node in found.starts.tolist()]
    rows = zip(found.nodes.tolist(), found.reach.tolist(), found.distance.tolist(), found.masked.tolist(), strict=True)
    nodes = by_name(index, [*nodes, *(LineageNode(node, Reach(k), distance, masked, start=False) for node, k, distance, masked in rows)])
    flows = found.flows()
    shown = nodes[:limit]
    shown += _wholes(index, shown, flows)
    shown += _own(index, found.starts.tolist(), shown, flows)
    edges = _flows(index, flows, frozenset(node.node for node in shown))
    return Lineage(tuple(shown), tuple(edges), 0, completeness(found, cut=len(nodes) > limit))


def _wholes(index: LineageIndex, shown: Sequence[LineageNode], flows: Iterable[FlowStep]) -> list[LineageNode]:
    """The datasets of shown columns at which flows begin or end, as near as the nearest of these columns."""
    nearest: dict[int, LineageNode] = {}
    for node in shown:
        if index.kind(node.node) is AssetKind.COLUMN:
            dataset = index.dataset(node.node)
            known = nearest.get(dataset)
            if known is None or (node.reach, node.distance, node.masked) < (known.reach, known.distance, known.masked):
                nearest[dataset] = node._replace(node=dataset)
    ends = {end for flow in flows for end in (flow.start, flow.end)} - {node.node for node in shown}
    return by_name(index, [nearest[end] for end in ends if end in nearest])


def _own(index: LineageIndex, starts: Sequence[int], shown: Sequence[LineageNode], flows: Iterable[FlowStep]) -> list[LineageNode]:
    """The columns of datasets among the starts at which flows from or to what is shown begin or end."""
    datasets = {start for start in starts if index.kind(start) is AssetKind.DATASET}
    drawn = {node.node for node in shown}
    ends = {end for flow in flows for end in (flow.start, flow.end)} - drawn
    own = {end for end in ends if index.kind(end) is AssetKind.COLUMN and index.dataset(end) in datasets}
    inside = drawn | own
    joined = {end for flow in flows if flow.start in inside and flow.end in inside for end in (flow.start, flow.end)}
    return by_name(index, (LineageNode(column, Reach.DIRECT, 0, masked=False, start=True) for column in own & joined))


def _flows(index: LineageIndex, flows: Iterable[FlowStep], drawn: frozenset[int]) -> list[LineageEdge]:
    jobs: dict[tuple[int, int, Reach, FlowType | None, str, bool], set[int]] = {}
    for flow in flows:
        if flow.start in drawn and flow.end in drawn and flow.start != flow.end:
            key = (flow.start, flow.end, flow.reach, flow.type, flow.subtype, flow.masking)
            jobs.setdefault(key, set()).update(() if flow.job is None else (flow.job,))
    return [LineageEdge(*key, 1, named(index, through)) for key, through in jobs.items()]
