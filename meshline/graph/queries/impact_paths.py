"""Paths: how data gets from one asset to another, step by step, and by which path an impact reaches an asset.

Where no flow leads to an affected asset, the impact reaches it through what it contains, governs, reads, writes or consumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.index import Direction, FlowStep, LineageIndex, Reach
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.impact import Impact

ENDS = frozenset({AssetKind.COLUMN, AssetKind.DATASET})  # the kinds of asset that a path may begin and end at
MOST = 100  # paths in one answer


class PathStep(NamedTuple):
    """An asset on a path, and the edge by which the path reaches it (None at the beginning).

    `edge` is FLOWS_TO with its `flow`; HAS_COLUMN where the path goes on by containment, from a dataset to one
    of its columns or back; or the edge that links an asset without flows (a container, consumer, contract or job) to the path.
    """

    node: int
    edge: EdgeType | None = None
    flow: FlowStep | None = None
    scope_id: int | None = None


def list_paths(
    index: LineageIndex, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
) -> list[list[PathStep]]:
    """Up to `first` simple paths downstream from one column or dataset to another, the strongest first, then the shortest.

    `depth`: the most flows on a path. Raises InvalidInput if `first` is not from 0 to MOST, or an end is of another kind.
    """
    if not 0 <= first <= MOST:
        raise InvalidInput(f"the number of paths is from 0 to {MOST}", "first")
    for node, name in ((start, "from"), (end, "to")):
        if index.assets.get_kind(node) not in ENDS:
            raise InvalidInput(
                f"a path is between columns or datasets, and {index.assets.get_key(node).name!r} is a {index.assets.get_kind(node)}", name
            )
    return [build_steps(path, start, end) for path in index.lineage.find_paths(start, end, reach=reach, first=first, depth=depth)]


def build_steps(flows: Sequence[FlowStep], start: int, end: int) -> list[PathStep]:
    """Steps from `start` to `end` along these flows, with steps of containment where the next flow begins at another asset."""
    return list(_list_steps(flows, start, end))


def _list_steps(flows: Iterable[FlowStep], start: int, end: int) -> Iterable[PathStep]:
    at = start
    yield PathStep(start)
    for flow in flows:
        if at != flow.start:
            yield PathStep(flow.start, EdgeType.HAS_COLUMN)
        yield PathStep(flow.end, EdgeType.FLOWS_TO, flow, None if flow.hidden else flow.scope_id)
        at = flow.end
    if at != end:
        yield PathStep(end, EdgeType.HAS_COLUMN)


# By kind, the edges from an asset to those through which an impact reaches it. Other kinds are reached through the assets they contain.
_CARRIERS: dict[AssetKind, tuple[EdgeType, ...]] = {
    AssetKind.CONSUMER: (EdgeType.CONSUMES,),
    AssetKind.CONTRACT: (EdgeType.GOVERNS,),
    AssetKind.JOB: (EdgeType.READS, EdgeType.WRITES),
}


class ImpactPaths:
    """Paths to the affected assets of one impact."""

    def __init__(self, impact: Impact) -> None:
        self.impact = impact
        self.index = impact.index
        self._names: dict[int, str] = {}

    def build_path(self, node: int) -> list[PathStep]:
        """A shortest path of the asset's reach (its strongest class), in the order in which data flows.

        An asset without flows (a consumer, a contract, a product) is the last step downstream and the first upstream.
        Its edge to the path is in the last step downstream, and in the second upstream.
        """
        return self._build_path(node, frozenset())

    def _build_path(self, node: int, seen: frozenset[int]) -> list[PathStep]:
        if node in self._reached:
            return self._follow_flows(node)
        carrier, edge, scope_id = self._find_carrier(node, seen | {node})
        if carrier is None:
            return [PathStep(node)]
        before = [PathStep(carrier)] if carrier in self._begun else self._build_path(carrier, seen | {node})
        if self.impact.traversal.direction is Direction.DOWNSTREAM:
            return [*before, PathStep(node, edge, None, scope_id)]
        first, *rest = before
        return [PathStep(node), first._replace(edge=edge, scope_id=scope_id), *rest]

    def _follow_flows(self, node: int) -> list[PathStep]:
        """The path from a start to a column or dataset that was reached by flows; upstream, from there to a start."""
        flows = self.impact.traversal.find_path(node)
        if self.impact.traversal.direction is Direction.DOWNSTREAM:
            return build_steps(flows, self._find_start(flows[0].start), node)
        return build_steps(flows, node, self._find_start(flows[-1].end))

    def _find_start(self, node: int) -> int:
        """The start that a path's first (upstream: last) node belongs to: the node itself, its dataset, or a column of it."""
        starts = self.impact.starts
        if node in starts:
            return node
        within = (start for start in starts if self._find_dataset(start) == self._find_dataset(node))
        return next(within, node)

    def _find_dataset(self, node: int) -> int | None:
        kind = self.index.assets.get_kind(node)
        return self.index.assets.get_dataset(node) if kind is AssetKind.COLUMN else node if kind is AssetKind.DATASET else None

    @cached_property
    def _reached(self) -> frozenset[int]:
        return frozenset(self.impact.traversal.nodes.tolist())

    @cached_property
    def _begun(self) -> frozenset[int]:
        """The starts of the impact, and the datasets of those that are columns."""
        starts = frozenset((*self.impact.traversal.starts.tolist(), *self.impact.starts))
        columns = (node for node in starts if self.index.assets.get_kind(node) is AssetKind.COLUMN)
        return starts.union(self.index.assets.get_dataset(node) for node in columns)

    def _compute_rank(self, node: int) -> tuple[int, int] | None:
        """Reach and distance of an affected asset; (-1, -1) for a start; None if it is not affected."""
        if node in self._begun:
            return -1, -1
        row, known = self.impact.find_row(node), self.impact.affected
        return None if row is None else (int(known.reach[row]), int(known.distance[row]))

    def _find_carrier(self, node: int, seen: frozenset[int]) -> tuple[int | None, EdgeType | None, int | None]:
        """The affected asset with the strongest reach, then the nearest, through which this one is affected; the edge and its scope.

        Of equals the first by name, so that the same statements give the same path.
        """
        found: list[tuple[tuple[int, int], int, EdgeType, int | None]] = []
        for other, edge, scope_id in self._list_choices(node):
            rank = self._compute_rank(other)
            if rank is not None and other not in seen and (not found or rank <= found[-1][0]):
                found.append((rank, other, edge, scope_id))
        if not found:
            return None, None, None
        best = [choice for choice in found if choice[0] == found[-1][0]]
        _, carrier, edge, scope_id = (
            best[0] if len(best) == 1 else min(best, key=lambda choice: (*self._build_sort_key(choice[1]), choice[2]))
        )
        return carrier, edge, scope_id

    def _build_sort_key(self, node: int) -> tuple[str, str]:
        """The name of the dataset, then of the column: a dataset comes before its columns."""
        if self.index.assets.get_kind(node) is not AssetKind.COLUMN:
            return self._get_name(node), ""
        return self._get_name(self.index.assets.get_dataset(node)), self.index.assets.get_column_name(node)

    def _get_name(self, node: int) -> str:
        name = self._names.get(node)
        if name is None:
            name = self._names[node] = self.index.assets.get_key(node).qualified_name
        return name

    def _list_choices(self, node: int) -> Iterable[tuple[int, EdgeType, int | None]]:
        kind = self.index.assets.get_kind(node)
        if kind is AssetKind.DATASET:
            for column in self._list_columns(node):
                yield column, EdgeType.HAS_COLUMN, None
        for type_ in _CARRIERS.get(kind, ()):
            for edge in self.index.ownership.list_edges(node, type_):
                yield edge.end, type_, edge.scope_id
                if self.index.assets.get_kind(edge.end) is AssetKind.DATASET:  # used as a whole, affected through a column
                    yield from ((column, type_, edge.scope_id) for column in self._list_columns(edge.end))
        if kind in (AssetKind.DATA_PRODUCT, AssetKind.DOMAIN):
            yield from self._list_contained(node, kind)

    def _list_columns(self, dataset: int) -> list[int]:
        """The columns of a dataset that are affected or among the starts."""
        columns = self.index.lineage.collect_columns([dataset]).tolist()
        return [column for column in columns if self._compute_rank(column) is not None]

    def _list_contained(self, node: int, kind: AssetKind) -> Iterable[tuple[int, EdgeType, int | None]]:
        groups = self.impact.groups
        containers = groups.products if kind is AssetKind.DATA_PRODUCT else groups.domains
        units = groups.units[containers == node].tolist()
        begun = [
            other
            for other in self._begun
            if (self.index.ownership.find_product(other) if kind is AssetKind.DATA_PRODUCT else self.index.ownership.find_domain(other))
            == node
        ]
        for other in (*units, *begun):
            if self.index.assets.get_kind(other) is AssetKind.DATASET:
                yield other, EdgeType.PORT if kind is AssetKind.DATA_PRODUCT else EdgeType.PART_OF, None
