"""Lineage to draw: the graph around some assets, by column, or contracted to datasets, products or domains."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from meshline.graph.index import Completeness, Direction, FlowStep, LineageIndex, Reach, Traversal, Truncated
from meshline.graph.model import AssetKind, FlowType
from meshline.graph.queries.limits import UNLIMITED, Limits
from meshline.graph.queries.pages import name_key


class Granularity(enum.StrEnum):
    """What one node of the drawing stands for."""

    COLUMN = "COLUMN"
    DATASET = "DATASET"
    PRODUCT = "PRODUCT"
    DOMAIN = "DOMAIN"


class LineageNode(NamedTuple):
    """A drawn node. A start has distance 0 and reach DIRECT; a contracted node has the strongest of what is in it."""

    node: int
    reach: Reach
    distance: int
    masked: bool
    start: bool


class LineageEdge(NamedTuple):
    """Data flows from `start` to `end`.

    By column: one edge per type, subtype and masking. Contracted: the strongest class, `masking` if all
    flows mask, no type; `flows` is the number of distinct flows between columns (or whole datasets).
    """

    start: int
    end: int
    reach: Reach
    type: FlowType | None
    subtype: str
    masking: bool
    flows: int
    jobs: tuple[int, ...]


class Lineage(NamedTuple):
    """`ungrouped`: reached datasets that belong to no product (or domain), so are not drawn."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    ungrouped: int
    completeness: Completeness


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
    """The nodes that the starts reach, and the flows between them; at most `limit` nodes, the nearest first.

    Among columns, a dataset is drawn too where a flow begins or ends at it as a whole.
    """
    by_column = granularity is Granularity.COLUMN
    most = min(limit, limits.nodes) if by_column else limits.nodes
    found = index.traverse(starts, direction, reach=reach, depth=depth, max_nodes=most, deadline=limits.deadline, seen_since=seen_since)
    group = _grouping(index, granularity)
    nodes, ungrouped = _nodes(index, found, group, count_ungrouped=granularity in (Granularity.PRODUCT, Granularity.DOMAIN))
    shown = nodes[:limit]
    flows = found.flows()
    if by_column:
        shown += _wholes(index, shown, flows)
    drawn = frozenset(node.node for node in shown)
    edges = _flows(index, flows, drawn) if by_column else _contracted(index, flows, group, drawn)
    completeness = found.completeness
    if len(nodes) > limit and completeness.truncated is Truncated.NONE:
        completeness = completeness._replace(truncated=Truncated.NODES)
    return Lineage(tuple(shown), tuple(edges), ungrouped, completeness)


def _grouping(index: LineageIndex, granularity: Granularity) -> Callable[[int], int | None]:
    """From a column or dataset to what stands for it; None = nothing does."""
    if granularity is Granularity.COLUMN:
        return lambda node: node

    known: dict[int, int | None] = {}

    def group(node: int) -> int | None:
        dataset = index.dataset(node) if index.kind(node) is AssetKind.COLUMN else node
        if granularity is Granularity.DATASET:
            return dataset
        if dataset not in known:
            known[dataset] = index.product(dataset) if granularity is Granularity.PRODUCT else index.domain(dataset)
        return known[dataset]

    return group


def _nodes(
    index: LineageIndex, found: Traversal, group: Callable[[int], int | None], *, count_ungrouped: bool
) -> tuple[list[LineageNode], int]:
    best: dict[int, LineageNode] = {}
    outside: set[int] = set()
    for node in found.starts.tolist():
        of = group(node)
        if of is not None:
            best[of] = LineageNode(of, Reach.DIRECT, 0, masked=False, start=True)
    rows = zip(found.nodes.tolist(), found.reach.tolist(), found.distance.tolist(), found.masked.tolist(), strict=True)
    for node, reach, distance, masked in rows:
        of = group(node)
        if of is None:
            outside.add(index.dataset(node) if index.kind(node) is AssetKind.COLUMN else node)
            continue
        known = best.get(of)
        if known is None or (not known.start and reach < known.reach):
            best[of] = LineageNode(of, Reach(reach), distance, masked, start=False)
        elif not known.start and reach == known.reach:
            best[of] = known._replace(distance=min(known.distance, distance), masked=known.masked and masked)
    return _by_name(index, best.values()), len(outside) if count_ungrouped else 0


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
    return _by_name(index, [nearest[end] for end in ends if end in nearest])


def _by_name(index: LineageIndex, nodes: Iterable[LineageNode]) -> list[LineageNode]:
    """The same statements give the same drawing: nodes of one distance and class by name."""
    return sorted(nodes, key=lambda n: (not n.start, n.distance, n.reach, name_key(index, n.node)))


def _flows(index: LineageIndex, flows: Iterable[FlowStep], drawn: frozenset[int]) -> list[LineageEdge]:
    jobs: dict[tuple[int, int, Reach, FlowType | None, str, bool], set[int]] = {}
    for flow in flows:
        if flow.start in drawn and flow.end in drawn and flow.start != flow.end:
            key = (flow.start, flow.end, flow.reach, flow.type, flow.subtype, flow.masking)
            jobs.setdefault(key, set()).update(() if flow.job is None else (flow.job,))
    return [LineageEdge(*key, 1, _named(index, through)) for key, through in jobs.items()]


def _contracted(
    index: LineageIndex, flows: Iterable[FlowStep], group: Callable[[int], int | None], drawn: frozenset[int]
) -> list[LineageEdge]:
    bundles: dict[tuple[int, int], _Bundle] = {}
    for flow in flows:
        start, end = group(flow.start), group(flow.end)
        if start is not None and end is not None and start != end and start in drawn and end in drawn:
            bundles.setdefault((start, end), _Bundle()).add(flow)
    return [bundle.edge(*ends, _named(index, bundle.jobs)) for ends, bundle in bundles.items()]


def _named(index: LineageIndex, nodes: Iterable[int]) -> tuple[int, ...]:
    """Nodes by name."""
    return tuple(sorted(nodes, key=lambda node: name_key(index, node)))


class _Bundle:
    """The flows between two contracted nodes."""

    def __init__(self) -> None:
        self.reach = Reach.POSSIBLE
        self.masking = True
        self.pairs: set[tuple[int, int]] = set()
        self.jobs: set[int] = set()

    def add(self, flow: FlowStep) -> None:
        self.reach = min(self.reach, flow.reach)
        self.masking = self.masking and flow.masking
        self.pairs.add((flow.start, flow.end))
        if flow.job is not None:
            self.jobs.add(flow.job)

    def edge(self, start: int, end: int, jobs: tuple[int, ...]) -> LineageEdge:
        return LineageEdge(start, end, self.reach, None, "", self.masking, len(self.pairs), jobs)
