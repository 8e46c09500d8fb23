"""Lineage as a graph to draw: around some assets, by column, or contracted to datasets, products or domains.

A contraction works on arrays and makes objects only for the nodes and edges that are drawn, whatever the number of columns.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index import Affected, Completeness, Direction, FlowStep, LineageIndex, Reach, Traversal, Truncated
from meshline.graph.index.results import Bytes, Flags, FlowTable, Ints, Passage
from meshline.graph.model import AssetKind, FlowType
from meshline.graph.queries.groups import COLUMN, NOTHING
from meshline.graph.queries.pages import UNLIMITED, Limits, build_name_key


class Granularity(enum.StrEnum):
    """What one node of the drawing represents."""

    COLUMN = "COLUMN"
    DATASET = "DATASET"
    PRODUCT = "PRODUCT"
    DOMAIN = "DOMAIN"


class LineageNode(NamedTuple):
    """A drawn node. A start has distance 0 and reach DIRECT; a contracted node has the strongest reach of the nodes it represents.

    `distance`: the number of flows on a shortest path of this reach. `masked`: all paths of this reach are masked.
    """

    node: int
    reach: Reach
    distance: int
    masked: bool
    start: bool


class LineageEdge(NamedTuple):
    """Data flows from `start` to `end`.

    By column: one edge for each reach, type, subtype and masking. Contracted: one edge for all flows between two nodes, with the
    strongest reach and no type; `masking` if all flows mask; `flows` is the number of distinct pairs of columns (or whole datasets).
    `jobs`: sorted by name. An edge through `hidden` assets, which the viewer may not see, represents no flow of its own: it is there
    where no other edge connects the two nodes.
    """

    start: int
    end: int
    reach: Reach
    type: FlowType | None
    subtype: str
    masking: bool
    flows: int
    jobs: tuple[int, ...]
    hidden: int = 0


Grouping: TypeAlias = Callable[[Ints], Ints]  # from columns and datasets to the nodes that represent them, or NOTHING
Numbers: TypeAlias = npt.NDArray[np.int64]


class DrawingArguments(NamedTuple):
    """What of the lineage is drawn. `depth`: the most flows on a path; `limit`: the most nodes; `seen_since` in microseconds."""

    direction: Direction = Direction.DOWNSTREAM
    granularity: Granularity = Granularity.COLUMN
    reach: Reach = Reach.POSSIBLE
    depth: int | None = None
    limit: int = 500
    seen_since: int | None = None


class Drawing(NamedTuple):
    """The nodes of a drawing, and the flows from which its edges are made.

    `flows`: the flows between the starts and all reached nodes, also those from a dataset to itself. `group`: the node that represents
    an end of them. `ungrouped`: the number of reached datasets that are not drawn because they belong to no product (or domain).
    `count_total`: how many nodes the drawing would have without its limit; None if a limit of the traversal leaves that unknown.
    """

    graph: LineageIndex
    found: Traversal
    arguments: DrawingArguments
    nodes: tuple[LineageNode, ...]
    flows: FlowTable
    group: Grouping
    ungrouped: int
    completeness: Completeness
    count_total: Callable[[], int | None]

    def list_drawn(self) -> Ints:
        """The drawn nodes (int32), in drawing order."""
        return np.array([node.node for node in self.nodes], np.int32)


class Lineage(NamedTuple):
    """A drawing with its edges."""

    drawing: Drawing
    edges: tuple[LineageEdge, ...]

    @property
    def nodes(self) -> tuple[LineageNode, ...]:
        return self.drawing.nodes

    @property
    def ungrouped(self) -> int:
        return self.drawing.ungrouped

    @property
    def completeness(self) -> Completeness:
        return self.drawing.completeness


def sort_nodes(index: LineageIndex, nodes: Iterable[LineageNode]) -> list[LineageNode]:
    """Nodes in drawing order: starts first, then the nearest, then the strongest reach, then by name.

    The same statements give the same drawing.
    """
    return sorted(nodes, key=lambda n: (not n.start, n.distance, n.reach, build_name_key(index, n.node)))


def sort_by_name(index: LineageIndex, nodes: Iterable[int]) -> tuple[int, ...]:
    """Nodes sorted by kind and name."""
    return tuple(sorted(nodes, key=lambda node: build_name_key(index, node)))


def build_completeness(found: Traversal, *, cut: bool) -> Completeness:
    """What the drawing may lack. `cut`: the limit of the drawing left nodes out."""
    known = found.completeness._replace(hidden=found.count_hidden(affected=False))
    return known._replace(truncated=Truncated.NODES) if cut and known.truncated is Truncated.NONE else known


def _draw_groups(index: LineageIndex, found: Traversal, arguments: DrawingArguments) -> Drawing:
    """The drawing of a traversal, contracted: at most `limit` nodes, starts first, then the nearest."""
    granularity, limit = arguments.granularity, arguments.limit
    group = _build_grouping(index, granularity)
    starts = np.unique(group(found.starts))
    starts = starts[starts != NOTHING]
    reached = found.list_whole()
    of = group(reached.nodes)
    nodes, total = _build_nodes(index, starts, of, reached, limit)
    ungrouped = 0 if granularity is Granularity.DATASET else len(np.unique(find_datasets(index, reached.nodes[of == NOTHING])))

    def count_total() -> int | None:
        return None if is_stopped(found) else total

    completeness = build_completeness(found, cut=total > limit)
    return Drawing(
        index, found, arguments, tuple(nodes[:limit]), found.build_whole_flow_table(), group, ungrouped, completeness, count_total
    )


def is_stopped(found: Traversal) -> bool:
    """Whether a limit of nodes or time stopped the traversal, so that the number of nodes is unknown. A limit of depth is a question."""
    return found.completeness.truncated in (Truncated.NODES, Truncated.TIME)


def find_datasets(index: LineageIndex, nodes: Ints) -> Ints:
    """The dataset of each column; any other node is kept."""
    datasets = nodes.copy()
    of_column = index.lineage.get_kinds(nodes) == COLUMN
    datasets[of_column] = index.lineage.get_datasets(nodes[of_column])
    return datasets


def _build_grouping(index: LineageIndex, granularity: Granularity) -> Grouping:
    if granularity is Granularity.COLUMN:
        return lambda nodes: nodes
    if granularity is Granularity.DATASET:
        return lambda nodes: find_datasets(index, nodes)
    find_groups = index.ownership.find_products if granularity is Granularity.PRODUCT else index.ownership.find_domains

    def group(nodes: Ints) -> Ints:
        distinct, at = index.lineage.number_distinct(find_datasets(index, nodes))
        return find_groups(distinct)[at]

    return group


def _build_nodes(index: LineageIndex, starts: Ints, of: Ints, found: Affected, limit: int) -> tuple[list[LineageNode], int]:
    """The nearest nodes in drawing order, more than `limit` of them if the limit cuts the drawing; and the number of all.

    `of`: the node that represents each reached node (int32), or NOTHING.
    """
    inside = (of != NOTHING) & ~np.isin(of, starts)
    best = index.lineage.roll_up(of[inside], found.reach[inside], found.distance[inside], found.masked[inside])
    near = _select_nearest(best, limit + 1)
    nodes = [LineageNode(node, Reach.DIRECT, 0, masked=False, start=True) for node in starts.tolist()]
    rows = zip(*(column[near].tolist() for column in best), strict=True)
    nodes += (LineageNode(node, Reach(k), distance, masked, start=False) for node, k, distance, masked in rows)
    return sort_nodes(index, nodes), starts.size + best.nodes.size


def _select_nearest(found: Affected, most: int) -> Flags:
    """Which nodes may be among the first `most` by distance, reach and name: also all that tie with the last of these but for the name."""
    code = found.distance.astype(np.int64) * len(Reach) + found.reach
    if code.size <= most:
        return np.ones(code.size, np.bool_)
    nearest: Flags = code <= np.partition(code, most - 1)[most - 1]
    return nearest


class EdgeTable(NamedTuple):
    """One edge for all flows between two drawn nodes, as arrays of equal length, sorted by the places of the nodes in the drawing.

    `flow_edges`: for each flow of the drawing, the row of its edge, or -1 (int64).
    """

    start: Numbers  # a place in the drawing
    end: Numbers
    reach: Bytes  # int8, the strongest `Reach` of the flows
    masking: Flags  # all flows mask
    stale: Flags  # all flows are stale
    provisional: Flags  # all flows are provisional
    flows: Numbers  # the number of distinct pairs of columns (or whole datasets)
    flow_edges: Numbers


def build_edge_table(drawing: Drawing) -> EdgeTable:
    """The edges between drawn nodes, one for each pair."""
    flows, drawn = drawing.flows, drawing.list_drawn()
    starts, ends = (locate_nodes(drawn, drawing.group(nodes)) for nodes in (flows.start, flows.end))
    kept = np.flatnonzero((starts >= 0) & (ends >= 0) & (starts != ends))
    pairs, at = np.unique(starts[kept] * drawn.size + ends[kept], return_inverse=True)
    reach = np.full(pairs.size, int(Reach.POSSIBLE), np.int8)
    np.minimum.at(reach, at, flows.reach[kept])
    masking, stale, provisional = (
        np.bincount(at, ~marks[kept], pairs.size) == 0 for marks in (flows.masking, flows.stale, flows.provisional)
    )
    counts = np.bincount(list_distinct_rows(at, flows.start[kept], flows.end[kept])[0], minlength=pairs.size)
    flow_edges = np.full(starts.size, -1, np.int64)
    flow_edges[kept] = at
    begun, ended = divmod(pairs, max(1, drawn.size))
    return EdgeTable(begun, ended, reach, masking, stale, provisional, counts, flow_edges)


def list_passages(drawing: Drawing, edges: Iterable[tuple[int, int]]) -> list[Passage]:
    """The ways between drawn nodes through hidden assets, where none of these edges (places of nodes) connects them."""
    drawn, connected = drawing.list_drawn(), set(edges)
    found = drawing.found.list_passages(
        lambda nodes: locate_nodes(drawn, drawing.group(nodes)), whole=drawing.arguments.granularity is not Granularity.COLUMN
    )
    return [passage for passage in found if (passage.start, passage.end) not in connected]


def _add_passages(drawing: Drawing, edges: list[LineageEdge]) -> list[LineageEdge]:
    drawn = drawing.list_drawn().tolist()
    places = {node: place for place, node in enumerate(drawn)}
    passages = list_passages(drawing, ((places[edge.start], places[edge.end]) for edge in edges))
    through = [
        LineageEdge(drawn[one.start], drawn[one.end], one.reach, None, "", masking=False, flows=0, jobs=(), hidden=one.hidden)
        for one in passages
    ]
    return [*edges, *through]


def _build_edges(drawing: Drawing) -> list[LineageEdge]:
    """One edge for all flows between two drawn nodes, sorted by the names of the nodes."""
    index, drawn, table = drawing.graph, drawing.list_drawn(), build_edge_table(drawing)
    jobs: list[list[int]] = [[] for _ in range(table.start.size)]
    inside = table.flow_edges >= 0
    distinct = list_distinct_rows(table.flow_edges[inside], drawing.flows.job[inside])
    for pair, job in zip(*(column.tolist() for column in distinct), strict=True):
        if job != NOTHING:
            jobs[pair].append(job)
    begun, ended = drawn[table.start].tolist(), drawn[table.end].tolist()
    rows = zip(begun, ended, table.reach.tolist(), table.masking.tolist(), table.flows.tolist(), jobs, strict=True)
    edges = [
        LineageEdge(a, b, Reach(k), None, "", masking, count, sort_by_name(index, through)) for a, b, k, masking, count, through in rows
    ]
    names = {node: build_name_key(index, node) for node in drawn.tolist()}
    return sorted(edges, key=lambda edge: (names[edge.start], names[edge.end]))


def locate_nodes(drawn: Ints, nodes: Ints) -> Numbers:
    """The position of each node in `drawn` (int64), or -1."""
    order = np.argsort(drawn)
    near = np.minimum(np.searchsorted(drawn, nodes, sorter=order), max(0, drawn.size - 1))
    places: Numbers = order[near] if drawn.size else np.zeros(nodes.size, np.int64)
    return np.where(drawn[places] == nodes, places, -1) if drawn.size else places - 1


def list_distinct_rows(*columns: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The distinct rows of these columns (1-D arrays of equal length), sorted."""
    order = np.lexsort(columns[::-1])
    columns = tuple(column[order] for column in columns)
    new = np.ones(order.size, np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return [column[new] for column in columns]


def build_lineage(
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
    """The nodes that the starts reach, and the flows between them; at most `limit` nodes. See `draw_nodes`."""
    drawing = draw_nodes(index, starts, DrawingArguments(direction, granularity, reach, depth, limit, seen_since), limits)
    if granularity is Granularity.COLUMN:
        edges = _build_flow_edges(index, drawing.found.list_flows(), frozenset(drawing.list_drawn().tolist()))
    else:
        edges = _build_edges(drawing)
    return Lineage(drawing, tuple(_add_passages(drawing, edges)))


def draw_nodes(index: LineageIndex, starts: Sequence[int], arguments: DrawingArguments, limits: Limits = UNLIMITED) -> Drawing:
    """The nodes that the starts reach, in drawing order, and the flows between them.

    By column, the limit keeps the starts, then the nodes of the strongest reach, then the nearest. Drawn beyond it: a dataset of
    drawn columns if a flow begins or ends at it as a whole, and a column of a dataset among the starts if a flow from or to a drawn
    node begins or ends there. Other granularities: see `_draw_groups`.
    """
    by_column = arguments.granularity is Granularity.COLUMN

    def traverse(most: int) -> Traversal:
        return index.lineage.traverse(
            starts,
            arguments.direction,
            reach=arguments.reach,
            depth=arguments.depth,
            max_nodes=most,
            deadline=limits.deadline,
            seen_since=arguments.seen_since,
        )

    if not by_column:
        return _draw_groups(index, traverse(limits.nodes), arguments)
    found = traverse(min(max(arguments.limit - len(set(starts)), 0), limits.nodes))
    return _draw_columns(index, found, arguments, lambda: traverse(limits.nodes))


def _draw_columns(index: LineageIndex, found: Traversal, arguments: DrawingArguments, traverse_all: Callable[[], Traversal]) -> Drawing:
    """`traverse_all`: the same traversal without the limit of the drawing."""
    nodes = [LineageNode(node, Reach.DIRECT, 0, masked=False, start=True) for node in found.starts.tolist()]
    rows = zip(found.nodes.tolist(), found.reach.tolist(), found.distance.tolist(), found.masked.tolist(), strict=True)
    nodes = sort_nodes(index, [*nodes, *(LineageNode(node, Reach(k), distance, masked, start=False) for node, k, distance, masked in rows)])
    flows = found.build_flow_table()
    ends = set(zip(*(column[flows.start != flows.end].tolist() for column in (flows.start, flows.end)), strict=True))
    shown = nodes[: arguments.limit]
    if index.is_restricted:
        ends |= _list_hidden_ways(index, found, shown)
    shown += _list_whole_datasets(index, shown, ends)
    shown += _list_own_columns(index, found.starts.tolist(), shown, ends)

    def count_total() -> int | None:
        every = traverse_all() if found.completeness.truncated is Truncated.NODES else found
        if is_stopped(every):
            return None
        return len({*every.starts.tolist(), *every.nodes.tolist(), *(node.node for node in shown)})

    completeness = build_completeness(found, cut=len(nodes) > arguments.limit)
    group = _build_grouping(index, Granularity.COLUMN)
    return Drawing(index, found, arguments, tuple(shown), flows, group, 0, completeness, count_total)


def _list_whole_datasets(index: LineageIndex, shown: Sequence[LineageNode], flows: Iterable[tuple[int, int]]) -> list[LineageNode]:
    """The datasets of shown columns at which flows (start, end) begin or end as a whole, as the strongest column of each."""
    nearest: dict[int, LineageNode] = {}
    for node in shown:
        if index.assets.get_kind(node.node) is AssetKind.COLUMN:
            dataset = index.assets.get_dataset(node.node)
            known = nearest.get(dataset)
            if known is None or (node.reach, node.distance, node.masked) < (known.reach, known.distance, known.masked):
                nearest[dataset] = node._replace(node=dataset)
    ends = {end for flow in flows for end in flow} - {node.node for node in shown}
    return sort_nodes(index, [nearest[end] for end in ends if end in nearest])


def _list_hidden_ways(index: LineageIndex, found: Traversal, shown: Sequence[LineageNode]) -> set[tuple[int, int]]:
    """The pairs of shown nodes, and columns of datasets among the starts, that are connected through hidden assets."""
    datasets = [start for start in found.starts.tolist() if index.assets.get_kind(start) is AssetKind.DATASET]
    nodes = np.unique(np.concatenate([np.array([node.node for node in shown], np.int32), index.lineage.collect_columns(datasets)]))
    ways = found.list_passages(lambda ends: locate_nodes(nodes, ends), whole=False)
    return {(int(nodes[way.start]), int(nodes[way.end])) for way in ways}


def _list_own_columns(
    index: LineageIndex, starts: Sequence[int], shown: Sequence[LineageNode], flows: Iterable[tuple[int, int]]
) -> list[LineageNode]:
    """The columns of datasets among the starts at which flows (start, end) from or to shown nodes begin or end."""
    datasets = {start for start in starts if index.assets.get_kind(start) is AssetKind.DATASET}
    drawn = {node.node for node in shown}
    ends = {end for flow in flows for end in flow} - drawn
    own = {end for end in ends if index.assets.get_kind(end) is AssetKind.COLUMN and index.assets.get_dataset(end) in datasets}
    inside = drawn | own
    joined = {end for flow in flows if inside.issuperset(flow) for end in flow}
    return sort_nodes(index, (LineageNode(column, Reach.DIRECT, 0, masked=False, start=True) for column in own & joined))


def _build_flow_edges(index: LineageIndex, flows: Iterable[FlowStep], drawn: frozenset[int]) -> list[LineageEdge]:
    jobs: dict[tuple[int, int, Reach, FlowType | None, str, bool], set[int]] = {}
    for flow in flows:
        if flow.start in drawn and flow.end in drawn and flow.start != flow.end:
            key = (flow.start, flow.end, flow.reach, flow.type, flow.subtype, flow.masking)
            jobs.setdefault(key, set()).update(() if flow.job is None else (flow.job,))
    return [LineageEdge(*key, 1, sort_by_name(index, through)) for key, through in jobs.items()]
