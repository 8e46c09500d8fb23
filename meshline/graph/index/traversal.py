"""One traversal: its starts, for each kind of asset, and its answer, with the columns that it reaches only masked (`Traversal.masked`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np

from meshline.errors import LimitExceeded
from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, I64, N_NODES, PASSED_OVER, U8
from meshline.graph.index.display_names import is_output
from meshline.graph.index.flow_tables import build_flow_step, build_flow_table, build_order_key, find_rows_between, is_masking
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.passes import Limits, Walker, WalkResult
from meshline.graph.index.results import (
    Affected,
    Bytes,
    Completeness,
    Direction,
    Flags,
    FlowStep,
    FlowTable,
    HiddenCount,
    Ints,
    Longs,
    Passage,
    View,
)
from meshline.graph.index.rollup import RollUp, Rows
from meshline.graph.index.silent_jobs import find_silent_jobs
from meshline.graph.index.traversal_gaps import TraversalGaps, find_gaps
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType

_PORT, _READS, _WRITES, _CONSUMES, _GOVERNS, _PART_OF, _OWNS = (
    EDGE_TYPES.index(type_)
    for type_ in (
        EdgeType.PORT,
        EdgeType.READS,
        EdgeType.WRITES,
        EdgeType.CONSUMES,
        EdgeType.GOVERNS,
        EdgeType.PART_OF,
        EdgeType.OWNS,
    )
)

_CONTAINERS = frozenset({AssetKind.DATA_PRODUCT, AssetKind.DOMAIN})
_WITH_PARTS = _CONTAINERS | {AssetKind.JOB}  # the parts of these count as named by the caller


class Starts(NamedTuple):
    """The starts of a traversal, as representatives.

    `nodes`: columns and datasets, int32, sorted. `named`: the assets that the caller named, with their parts.
    `unbound`: those of the assets that the caller named that lead to no column or dataset.
    """

    nodes: Ints
    named: set[int]
    unbound: tuple[int, ...]


def resolve_starts(
    loader: HeadLoader, ownership: OwnershipCache, assets: Sequence[int], direction: Direction, *, promises: bool = True
) -> Starts:
    """Resolve assets to the columns and datasets from which a traversal starts.

    Products: the datasets of their output ports, else their members. Domains: their products' and their
    own members. Jobs, with the jobs that are part of them: what they write; upstream what they read.
    Contracts: what they govern (unless `promises` is off: a change of a contract's text changes no data).
    Owners: each asset that they are stated to own. Consumers: upstream, what they consume; downstream nothing,
    because no data leaves them.

    The parts of a product or a domain count as named by the caller. The assets that a job writes, a contract governs, an owner
    owns or a consumer uses do not: a caller who asks what depends on a job wants to see them.
    """
    rep = loader.tables.nodes.rep
    following = _StartResolver(loader, ownership, direction, promises=promises)
    found: set[int] = set()
    named: set[int] = set()
    unbound: list[int] = []
    for asset in dict.fromkeys(int(rep[node]) for node in assets):
        nodes, inside = following.resolve_asset(asset)
        found |= nodes
        named |= inside
        if not nodes and following.can_resolve(asset):
            unbound.append(asset)
    return Starts(np.array(sorted(found), np.int32), named, tuple(unbound))


class _StartResolver:
    """Resolves assets to columns and datasets."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, direction: Direction, *, promises: bool) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._ownership = ownership
        self._down = direction is Direction.DOWNSTREAM
        self._promises = promises

    def can_resolve(self, node: int) -> bool:
        """Whether assets of this kind resolve to columns and datasets."""
        kind = self._get_kind(node)
        if kind is AssetKind.CONTRACT:
            return self._promises or not self._down
        return kind is not AssetKind.CONSUMER or not self._down

    def resolve_asset(self, asset: int) -> tuple[set[int], set[int]]:
        """(the columns and datasets that an asset resolves to, the asset with its parts)."""
        found: set[int] = set()
        seen, inside = {asset}, {asset}
        todo = [asset]
        while todo:
            node = todo.pop()
            if self._get_kind(node) in (AssetKind.COLUMN, AssetKind.DATASET):
                found.add(node)
                continue
            within = node in inside and self._get_kind(node) in _WITH_PARTS
            for following in self._list_following(node):
                following = int(self._tables.nodes.rep[following])
                data = self._get_kind(following) in (AssetKind.COLUMN, AssetKind.DATASET)
                if within and not (data and self._get_kind(node) is AssetKind.JOB):
                    inside.add(following)
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return found, inside

    def _get_kind(self, node: int) -> AssetKind:
        kind: AssetKind = KINDS[self._tables.nodes.kind[node]]
        return kind

    def _list_following(self, node: int) -> Iterable[int]:
        kind = self._get_kind(node)
        if kind is AssetKind.DATA_PRODUCT:
            return _list_product_datasets(self._loader, self._ownership, node)
        if kind is AssetKind.DOMAIN:
            return _list_domain_parts(self._loader, self._ownership, node)
        if kind is AssetKind.JOB:
            parts = [int(self._tables.relations.start[row]) for row in self._tables.list_relation_rows(node, _PART_OF, incoming=True)]
            return parts + _list_ends(self._loader, node, _WRITES if self._down else _READS)
        if kind is AssetKind.OWNER:
            return self._list_owned(node)
        if not self.can_resolve(node):
            return ()
        return _list_ends(self._loader, node, _GOVERNS if kind is AssetKind.CONTRACT else _CONSUMES)

    def _list_owned(self, owner: int) -> list[int]:
        """The assets that it is stated to own, except those for which a stronger source states other owners."""
        ends = _list_ends(self._loader, owner, _OWNS)
        return [node for node in ends if owner in self._ownership.collect_owner_nodes(int(self._tables.nodes.rep[node]))]


def _list_ends(loader: HeadLoader, node: int, type_: int) -> list[int]:
    """The ends of the visible relations of a type that begin at a node, under any name of it: an owner has several."""
    tables = loader.tables
    return [int(tables.relations.end[row]) for member in tables.list_ring(node) for row in tables.list_relation_rows(member, type_)]


def _list_product_datasets(loader: HeadLoader, ownership: OwnershipCache, node: int) -> list[int]:
    rows = loader.tables.list_relation_rows(node, _PORT)
    ports = [int(loader.tables.relations.end[row]) for row in rows if is_output(loader.get_relation_attributes(row).get("direction"))]
    if ports:
        return ports
    datasets = _list_datasets(loader)
    return [int(dataset) for dataset in datasets[ownership.find_products(datasets) == node]]


def _list_domain_parts(loader: HeadLoader, ownership: OwnershipCache, node: int) -> list[int]:
    """Its products, its subdomains, and its datasets without a product."""
    parts = [int(loader.tables.relations.start[row]) for row in loader.tables.list_relation_rows(node, _PART_OF, incoming=True)]
    datasets = _list_datasets(loader)  # compared as arrays: a question may start at every domain of the mesh
    return parts + [int(dataset) for dataset in datasets[ownership.find_domains(datasets) == node]]


def _list_datasets(loader: HeadLoader) -> Ints:
    tables = loader.tables
    n = int(tables.counts[N_NODES])
    return np.unique(tables.nodes.rep[:n][tables.nodes.kind[:n] == DATASET])


Distances: TypeAlias = Ints  # by node; -1: not visited


class Traversal:
    """What a traversal reached: columns, and datasets that were reached as a whole; never a start.

    `nodes` (int32), `reach` (int8, a `Reach`), `distance` (int32, in flows) and `masked` (bool) are arrays of equal length,
    sorted by reach, then distance. `starts` (int32): the columns and datasets at which it started, as representatives; the columns
    of a dataset are implied. `silent_jobs` (int32): the jobs that `Completeness.silent_on_filters` counts; `unbound`: the assets that
    `Completeness.unbound` counts. The answer is valid until the index changes.
    """

    def __init__(
        self,
        loader: HeadLoader,
        ownership: OwnershipCache,
        slots: NodeSlots,
        walker: Walker,
        begin: Starts,
        direction: Direction,
        limits: Limits,
        view: View,
    ) -> None:
        walked = walker.traverse(begin.nodes, direction, limits)
        self.direction = direction
        self.starts = begin.nodes
        self.nodes: Ints = walked.nodes
        self.reach: Bytes = walked.reach
        self.distance: Ints = walked.distance
        self.masked: Flags = walked.masked
        self._loader = loader
        self._tables = loader.tables
        self._ownership = ownership
        self._slots = slots
        self._walker = walker
        self._assets = begin.named
        self._limits = limits
        self._visit = walked.visit
        self.unbound = begin.unbound
        answer = (begin.nodes, walked.nodes)
        self.silent_jobs: Ints = find_silent_jobs(loader.tables, loader.silent_jobs, slots, answer, direction, limits.reach, self._wanted)
        self.completeness = _build_completeness(
            walked, len(begin.unbound), self.silent_jobs, loader.silent_jobs.list_producers(self.silent_jobs), view
        )
        self._get_label: Callable[[int], tuple[str, ...]] = loader.tables.get_label  # decides between equally good steps
        self._distances: dict[int, Distances] = {}
        self._steps: dict[tuple[int, int], tuple[FlowStep, int]] = {}  # by node and class: the last step to it

    def find_path(self, node: int) -> list[FlowStep]:
        """A shortest path between a start and a reached node in the node's class, in the order in which data flows.

        Downstream it begins at a start, upstream it ends there. Of several paths, the first by names: the
        same statements give the same path. Empty for a node that was not reached. A dataset that was
        reached through columns only has the path of the strongest, nearest of them.
        """
        rep = int(self._tables.nodes.rep[node])
        row = self._find_row(rep)
        if row is None:
            rep, row = self._find_nearest_column(rep)
        if row is None:
            return []
        k = int(self.reach[row])
        if k not in self._distances:
            self._distances[k] = self._walker.compute_distances(self.starts, k, self.direction, self._limits)
        steps = self._trace_back(rep, k, self._distances[k])
        return steps[::-1] if self.direction is Direction.DOWNSTREAM else steps

    def find_gaps(self, deadline: float | None = None) -> TraversalGaps:
        """The flows, pairs and datasets that `completeness` counts. `deadline`: as `time.monotonic()`, in seconds.

        Raises LimitExceeded if a deadline ended the traversal, or ends this.
        """
        limits = self._limits._replace(deadline=deadline)
        found = None if self._visit is None else find_gaps(self._tables, self._walker, self.starts, self.direction, limits, self._visit)
        if found is None:
            raise LimitExceeded("the traversal was not done in time, so that its gaps are not known: ask for fewer steps (depth)")
        return found

    def build_flow_steps(self, rows: Iterable[int]) -> list[FlowStep]:
        """Rows of `TraversalGaps` as steps."""
        return [build_flow_step(self._tables, row) for row in rows]

    def list_flows(self) -> list[FlowStep]:
        """The flows between starts and reached nodes, each kind once; none from a dataset to itself."""
        tables = self._tables
        found: dict[tuple[object, ...], FlowStep] = {}
        for flow in self._flow_rows.tolist():
            step = build_flow_step(tables, flow)
            if step.start != step.end:
                shape = step._replace(scope_id=0)
                known = found.get(shape)
                if known is None or step.scope_id < known.scope_id:
                    found[shape] = step
        return sorted(found.values(), key=lambda step: build_order_key(tables, step, self._get_label))

    def build_flow_table(self) -> FlowTable:
        """The same flows and those from a dataset to itself, as columns: one row for each time that a head states one."""
        return build_flow_table(self._tables, self._flow_rows)

    def compute_affected(self) -> Affected:
        """All affected assets, with containers and consumers (see `meshline.graph.index.rollup`)."""
        return self._roll_up(Rows(self.nodes, self.reach, self.distance, self.masked))

    def list_whole(self) -> Affected:
        """The reached columns and datasets; of a dataset of which columns are hidden, itself in their place."""
        return Affected(self.nodes, self.reach, self.distance, self.masked)

    def build_whole_flow_table(self) -> FlowTable:
        """As `build_flow_table`; flows of hidden columns begin and end at their datasets."""
        return self.build_flow_table()

    def list_passages(self, locate: Callable[[Ints], Longs], *, whole: bool) -> list[Passage]:
        """The ways between drawn nodes through hidden assets alone: none, but in a restricted index. `locate`: the place in the drawing
        of the node that represents a column or dataset, or -1. `whole`: as in `build_whole_flow_table`. Raises LimitExceeded.
        """
        del locate, whole
        return []

    def count_hidden(self, *, affected: bool) -> tuple[HiddenCount, ...]:
        """How many of the reached nodes, or of all affected assets, the viewer may not see: none, but in a restricted index."""
        del affected
        return ()

    def _roll_up(self, reached: Rows) -> Affected:
        found = RollUp(self._loader, self._ownership, self._slots, self.direction, self._limits.reach, reached, self.starts, self._assets)
        return found.compute_affected()

    @cached_property
    def _flow_rows(self) -> I64:
        return find_rows_between(self._tables, self.starts, self.nodes, self.direction, int(self._limits.reach), self._wanted)

    @cached_property
    def _rows(self) -> Ints:
        """int32 array by node: its row in the answer, or -1."""
        rows = np.full(int(self._tables.counts[N_NODES]), -1, np.int32)
        rows[self.nodes] = np.arange(self.nodes.size, dtype=np.int32)
        return rows

    def _find_row(self, node: int) -> int | None:
        row = int(self._rows[node])
        return None if row < 0 else row

    @cached_property
    def _wanted(self) -> U8 | None:
        return self._walker.mark_wanted(self._limits.seen_since)

    def _find_nearest_column(self, dataset: int) -> tuple[int, int | None]:
        tables = self._tables
        if tables.nodes.kind[dataset] != DATASET:
            return dataset, None
        own = {int(tables.nodes.rep[column]) for column in tables.list_columns(dataset)}
        columns = [column for column in own if self._rows[column] >= 0]

        def measure_strength(column: int) -> tuple[int, int, tuple[str, ...]]:
            row = int(self._rows[column])
            return int(self.reach[row]), int(self.distance[row]), tables.get_label(column)

        best = min(columns, key=measure_strength, default=None)
        return (dataset, None) if best is None else (best, int(self._rows[best]))

    def _trace_back(self, node: int, k: int, distances: Distances) -> list[FlowStep]:
        """The steps from a node back to a start."""
        steps: list[FlowStep] = []
        while distances[node] > 0:
            known = self._steps.get((node, k))
            if known is None:
                flow, origin = self._step_back(node, k, distances)
                known = self._steps[node, k] = (build_flow_step(self._tables, flow), origin)
            step, node = known
            steps.append(step)
        return steps

    def _step_back(self, node: int, k: int, distances: Distances) -> tuple[int, int]:
        """(the row of the flow by which a node is reached at its distance, its origin): the strongest, then the first by names."""
        tables = self._tables
        down = self.direction is Direction.DOWNSTREAM
        distance = int(distances[node])
        near = tables.list_ring(node)
        if tables.nodes.kind[node] == COLUMN and distances[tables.nodes.part1[node]] == distance:
            near = near + tables.list_ring(int(tables.nodes.part1[node]))
        best = 2 * int(CLASS) + 1
        found: list[tuple[int, int]] = []
        for own in near:
            for flow in tables.list_flow_rows(own, incoming=down):
                flags = int(tables.flows.flags[flow])
                if flags & PASSED_OVER or flags & CLASS > k or not (self._wanted is None or self._wanted[flow]):
                    continue
                strength = 2 * (flags & CLASS) + is_masking(tables, flow)
                if strength > best:
                    continue
                origin = self._find_origin(int((tables.flows.start if down else tables.flows.end)[flow]), distance - 1, distances)
                if origin is not None:
                    if strength < best:
                        best, found = strength, []
                    found.append((flow, origin))
        assert found, "a node at a distance has an edge from one that is nearer"
        if len(found) == 1:
            return found[0]
        return min(
            found, key=lambda one: (self._get_label(one[1]), build_order_key(tables, build_flow_step(tables, one[0]), self._get_label))
        )

    def _find_origin(self, end: int, distance: int, distances: Distances) -> int | None:
        """The node from which an edge at `end` was followed, if at that distance: a dataset's own edges from any column, too."""
        tables = self._tables
        rep = int(tables.nodes.rep[end])
        if tables.nodes.kind[end] == COLUMN or distances[end] == distance:
            return rep if distances[end] == distance else None
        columns = {int(tables.nodes.rep[column]) for column in tables.list_columns(end)}
        near = [column for column in columns if distances[column] == distance]
        nearer = any(0 <= distances[one] < distance for one in (*columns, end))
        return None if nearer else min(near, key=tables.get_parts, default=None)


def _build_completeness(walked: WalkResult, unbound: int, silent: Ints, producers: tuple[str, ...], view: View) -> Completeness:
    counts = (walked.possible_only, walked.undescribed, walked.stale_edges, walked.provisional, unbound, len(silent))
    return Completeness(walked.truncated, *counts, producers, view.as_of, view.revision, view.known_later)
