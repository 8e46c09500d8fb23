"""The flows that were added and removed between two times.

Only scopes whose content differs are read, and the flows around datasets that were renamed or dropped in
between, so that the work grows with the change and not with the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.content import decode_facts
from meshline.graph.index import Direction, FlowStep, LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Content, EdgeType, Facts, Flow, FlowType
from meshline.graph.past_index import SCOPES_AT_ONCE
from meshline.graph.queries.pages import UNLIMITED, Limits, SortKey
from meshline.graph.store.base import Head


class DiffEdge(NamedTuple):
    """A flow between two assets, by the keys that the source stated. `type`: None between datasets. `job`: None if not known."""

    start: AssetKey
    end: AssetKey
    type: FlowType | None
    subtype: str
    masking: bool
    job: AssetKey | None


class Change(NamedTuple):
    """A flow that exists at only one of the two times, with the scope that states it. `observed_at`: microseconds."""

    edge: DiffEdge
    source: str
    scope_id: int
    observed_at: int


class LineageDiff(NamedTuple):
    """The flows that only the second time has (`added`), and only the first (`removed`), each sorted by names.

    The totals also count the flows that the limit left out.
    """

    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    total_added: int
    total_removed: int


def compare_lineage(
    live: LiveGraph,
    before: int,
    after: int,
    *,
    of: Sequence[str] = (),
    limit: int | None = 1000,
    limits: Limits = UNLIMITED,
    at: Callable[[int], LineageIndex] | None = None,
) -> LineageDiff:
    """The differences in flows (of columns, and of datasets where no columns are known) between two times in microseconds.

    `of`: ids of assets; only flows with an end that one of these reaches upstream or downstream, at either time.
    `limit`: of each list; None: all. `at`: gives the index as of a time, instead of `live.get_index`.
    Raises InvalidInput if the first time is after the second, LimitExceeded when the deadline of `limits` is over.
    """
    if before > after:
        raise InvalidInput("the first time is after the second: swap them", "from")
    index = at or live.get_index
    graphs = index(before), index(after)
    differing = graphs[0].whole.list_differing_scopes(graphs[1].whole)
    then, now = (list(_read_heads(live, graph, differing, limits)) for graph in graphs)
    named = {key for heads in (then, now) for head in heads for key in list_moved(head.content)}
    moved = frozenset(named.union(*(_list_names(graph, named) for graph in graphs)))
    old, new = (_Side(live, graph, heads, frozenset(differing), moved) for graph, heads in zip(graphs, (then, now), strict=True))
    near = _build_near_test((old.graph, new.graph), of, limits) if of else None
    old_changes, new_changes = old.list_changes(limits), new.list_changes(limits)
    removed = _subtract_changes(old_changes, new_changes, old, near, limits)
    added = _subtract_changes(new_changes, old_changes, new, near, limits)
    return LineageDiff(tuple(added[:limit]), tuple(removed[:limit]), len(added), len(removed))


def _read_heads(live: LiveGraph, graph: LineageIndex, scope_ids: Sequence[int], limits: Limits) -> Iterator[Head]:
    """The heads of these scopes as a graph shows them, without empty ones, in the order of the scopes."""
    for first in range(0, len(scope_ids), SCOPES_AT_ONCE):
        limits.check_deadline()
        yield from live.read_heads(graph.whole, scope_ids[first : first + SCOPES_AT_ONCE])


def list_flows(content: Content | None) -> Iterable[DiffEdge]:
    """The flows that a content states. Pairs of datasets with column lineage are left out: their columns are more precise."""
    if content is not None:
        for flow in decode_facts(content.blob).flows:
            if not flow.covered:
                yield _build_edge(flow)


def _build_edge(flow: Flow) -> DiffEdge:
    if flow.start.kind is AssetKind.DATASET:
        return DiffEdge(flow.start, flow.end, None, "", masking=False, job=flow.job)
    return DiffEdge(flow.start, flow.end, flow.type, flow.subtype, flow.masking, flow.job)


def list_moved(content: Content | None) -> Iterable[AssetKey]:
    """The datasets that a content renames or drops, themselves or a column: older statements about them have another meaning after it."""
    facts = decode_facts(content.blob) if content is not None else Facts()
    for edge in facts.edges:
        if edge.type is EdgeType.RENAMED_TO:
            yield from (get_dataset(edge.start), get_dataset(edge.end))
    for asset in facts.assets:
        if "dropped" in asset.attributes:
            yield get_dataset(asset.key)


def _list_names(graph: LineageIndex, datasets: Iterable[AssetKey]) -> Iterable[AssetKey]:
    """All current and former names of these datasets."""
    for node in _find_nodes(graph, datasets):
        yield from graph.assets.list_names(node, former=True)


def _find_nodes(graph: LineageIndex, keys: Iterable[AssetKey]) -> Iterable[int]:
    """The visible assets that have these names, each once, in the order of the names."""
    return dict.fromkeys(node for key in sorted(keys) if (node := graph.assets.find_by_key(key)) is not None)


class _Side(NamedTuple):
    """One of the two times. `differing`: scopes whose content differs, of which `heads` are those that are not empty; `moved`: datasets
    that are renamed or dropped between the times.
    """

    live: LiveGraph
    graph: LineageIndex
    heads: Sequence[Head]
    differing: frozenset[int]
    moved: frozenset[AssetKey]

    def list_changes(self, limits: Limits) -> dict[DiffEdge, Change]:
        """The flows that may differ: those that differing scopes state, and those around moved datasets by the keys the graph shows."""
        result: dict[DiffEdge, Change] = {}
        for head in self.heads:
            for edge in self.list_flows(head):
                if not self._has_moved_end(edge):
                    result.setdefault(edge, Change(edge, head.source, head.scope_id, head.observed_at))
        for node in _find_nodes(self.graph, self.moved):
            for change in self._list_changes_around(node, limits):
                result.setdefault(change.edge, change)
        return result

    def read_unchanged_heads(self, edges: Iterable[DiffEdge], limits: Limits) -> Iterator[Head]:
        """The heads with the same content at both times that mention the start of one of these edges."""
        nodes = {self.graph.assets.find_by_key(edge.start) for edge in edges if not self._has_moved_end(edge)}
        scopes = {scope for node in nodes if node is not None for scope in self.graph.changes.list_scopes(node)}
        return _read_heads(self.live, self.graph, sorted(scopes - self.differing), limits)

    def may_show(self, edge: DiffEdge) -> bool:
        """Whether the viewer may see both ends."""
        return self.graph.may_name(edge.start) and self.graph.may_name(edge.end)

    def list_flows(self, head: Head) -> Iterable[DiffEdge]:
        """The flows that a scope states, without jobs that the viewer may not see: those do not distinguish flows."""
        for edge in list_flows(head.content):
            yield edge if edge.job is None or self.graph.may_name(edge.job) else edge._replace(job=None)

    def _has_moved_end(self, edge: DiffEdge) -> bool:
        return bool(self.moved) and not self.moved.isdisjoint({get_dataset(edge.start), get_dataset(edge.end)})

    def _list_changes_around(self, node: int, limits: Limits) -> Iterable[Change]:
        for direction in Direction:
            found = self.graph.lineage.traverse([node], direction, depth=1, max_nodes=limits.nodes, deadline=limits.deadline)
            for flow in found.list_flows():
                edge = self._build_visible_edge(flow)
                if self._has_moved_end(edge):
                    scope = self.graph.changes.get_scope(flow.scope_id)
                    yield Change(edge, scope.source, scope.scope_id, scope.observed_at)

    def _build_visible_edge(self, flow: FlowStep) -> DiffEdge:
        job = None if flow.job is None else self.graph.assets.get_key(flow.job)
        return DiffEdge(
            self.graph.assets.get_key(flow.start), self.graph.assets.get_key(flow.end), flow.type, flow.subtype, flow.masking, job
        )


def get_dataset(key: AssetKey) -> AssetKey:
    return AssetKey(AssetKind.DATASET, key.parts[:2])


def _subtract_changes(
    here: dict[DiffEdge, Change], there: dict[DiffEdge, Change], side: _Side, near: Callable[[DiffEdge], bool] | None, limits: Limits
) -> list[Change]:
    """The flows that only this side has, without those that an unchanged scope states at both times. `near`: a filter of edges."""
    candidates = {edge for edge in here if edge not in there and (near is None or near(edge)) and side.may_show(edge)}
    for head in side.read_unchanged_heads(candidates, limits):
        candidates.difference_update(side.list_flows(head))
    return sorted((here[edge] for edge in candidates), key=build_change_key)


def build_change_key(change: Change) -> SortKey:
    """The position in a list of differences: by the names, and by the whole keys where different assets have one name."""
    start, end, type_, subtype, masking, job = change.edge
    names = (start.qualified_name, end.qualified_name, type_ or "", subtype, str(int(masking)), job.qualified_name if job else "")
    return SortKey((), (*names, repr((start.parts, end.parts, job.parts if job else ()))))


def _build_near_test(graphs: Iterable[LineageIndex], of: Sequence[str], limits: Limits) -> Callable[[DiffEdge], bool]:
    ids: set[str] = set()
    for index in graphs:
        starts = [node for asset_id in of if (node := index.assets.find(asset_id)) is not None]
        for direction in Direction:
            ids.update(_list_reached(index, starts, direction, limits))
    return lambda edge: edge.start.id in ids or edge.end.id in ids


def _list_reached(index: LineageIndex, starts: Sequence[int], direction: Direction, limits: Limits) -> Iterable[str]:
    found = index.lineage.traverse(starts, direction, max_nodes=limits.nodes, deadline=limits.deadline)
    begun: list[int] = found.starts.tolist()
    columns = [column for node in begun if index.assets.get_kind(node) is AssetKind.DATASET for column in index.assets.list_columns(node)]
    for node in {*begun, *columns, *found.nodes.tolist()}:  # a dataset from which it starts implies its columns
        for key in index.assets.list_names(node, former=True):
            yield key.id
