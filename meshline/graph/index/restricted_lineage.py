"""Lineage as a viewer sees it who may not see every asset: traversals go through what is hidden, and count it. See `restricted_index`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np

from meshline.graph.index.arrays import COLUMN, NONE
from meshline.graph.index.flow_tables import build_flow_table, find_rows_between
from meshline.graph.index.hidden_passages import find_passages
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.lineage_index import LineageFacet
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.passes import NO_LIMIT, Limits, Walker
from meshline.graph.index.paths import PathSearch
from meshline.graph.index.restricted_names import refuse_question
from meshline.graph.index.results import (
    Affected,
    Direction,
    Flags,
    FlowStep,
    FlowTable,
    HiddenCount,
    Ints,
    Longs,
    Passage,
    Reach,
    Truncated,
    View,
)
from meshline.graph.index.rollup import Rows, join_rows, keep_strongest
from meshline.graph.index.traversal import Starts, Traversal, resolve_starts
from meshline.graph.index.traversal_gaps import GapFlows, GapNodes, GapPairs, TraversalGaps
from meshline.graph.index.value_flow import Spread
from meshline.graph.model import KINDS, AssetKind

_LAST = "\U0010ffff"  # sorts after the names of all assets
_IN_DOMAINS = tuple(KINDS.index(kind) for kind in (AssetKind.DATASET, AssetKind.DATA_PRODUCT, AssetKind.DOMAIN))


class RestrictedLineage(LineageFacet):
    """Traversals over all flows, which name visible assets; other answers have only the flows between visible assets."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, view: View, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, ownership, view)
        self._visible = visible
        self._readable = readable

    def traverse(
        self,
        starts: Sequence[int],
        direction: Direction,
        *,
        reach: Reach = Reach.POSSIBLE,
        depth: int | None = None,
        max_nodes: int = 1_000_000,
        deadline: float | None = None,
        seen_since: int | None = None,
        promises: bool = True,
    ) -> Traversal:
        """As of the whole index, from those of the starts that are visible. `max_nodes` counts visible assets: those that are hidden
        must not take up the places of others.
        """
        limits = Limits(reach, depth, max_nodes, deadline, seen_since)
        begin = resolve_starts(self._loader, self._ownership, starts, direction, promises=promises)
        begin = begin._replace(nodes=begin.nodes[self._visible[begin.nodes]])
        return RestrictedTraversal(
            self._loader, self._ownership, self._slots, self._walker, begin, direction, limits, self._view, self._visible, self._readable
        )

    def find_paths(
        self, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
    ) -> list[list[FlowStep]]:
        """Paths that differ only in what is hidden are one."""
        search = PathSearch(self._tables, self._walker, start, end, depth, _Labels(self._loader, self._visible).get_label)
        paths = (join_hidden_steps(self._loader, path, self._visible) for path in search.find_best(reach, first))
        return [list(path) for path in dict.fromkeys(tuple(path) for path in paths)]

    def list_flows_from(self, datasets: Sequence[int]) -> FlowTable:
        return keep_visible_flows(super().list_flows_from(datasets), self._visible)

    def list_flows_near(self, nodes: Ints, direction: Direction, *, whole: bool = False) -> FlowTable:
        flows = super().list_flows_near(nodes, direction)
        return keep_visible_flows(move_flows(self._loader, flows, self._visible) if whole else flows, self._visible)

    def list_implied_columns(self, datasets: Ints) -> tuple[Ints, Ints]:
        of, columns = super().list_implied_columns(datasets)
        kept = self._visible[columns]
        return of[kept], columns[kept]

    def collect_columns(self, datasets: Iterable[int]) -> Ints:
        found = super().collect_columns(datasets)
        return found[self._visible[found]]

    def collect_members(self, nodes: Ints) -> Ints:
        found = super().collect_members(nodes)
        return found[self._visible[found]]

    def collect_origins(self, datasets: Iterable[int]) -> Ints:
        refuse_question(datasets)

    def build_spread(self, sources: Ints, *, possible: bool) -> Spread:
        refuse_question(sources, possible)

    def collect_onward(self, columns: Ints) -> Ints:
        refuse_question(columns)

    def find_trace(self, labels: Ints, column: int) -> list[FlowStep]:
        refuse_question(labels, column)

    def find_copies(self, datasets: Ints | None, least: int, most: int) -> tuple[Ints, Ints]:
        refuse_question(datasets, least, most)


class RestrictedTraversal(Traversal):
    """A traversal over all assets, of which the answer has the visible ones."""

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
        visible: Flags,
        readable: Flags,
    ) -> None:
        super().__init__(loader, ownership, slots, walker, begin, direction, limits._replace(max_nodes=NO_LIMIT), view)
        self._visible = visible
        self._readable = readable
        self._get_label = _Labels(loader, visible).get_label
        self._every = Rows(self.nodes, self.reach, self.distance, self.masked)
        shown = self._every.filter(visible[self.nodes])
        counts = self.completeness
        if len(shown.nodes) > limits.max_nodes:
            shown = shown.filter(walker.select_first(shown.nodes, shown.reach, shown.distance, limits.max_nodes))
            counts = counts._replace(truncated=Truncated.NODES)
        self.nodes, self.reach, self.distance, self.masked = shown
        self.silent_jobs = self.silent_jobs[visible[self.silent_jobs]]
        self.unbound = tuple(node for node in self.unbound if visible[node])
        self.completeness = counts

    def find_path(self, node: int) -> list[FlowStep]:
        return join_hidden_steps(self._loader, super().find_path(node), self._visible)

    def list_flows(self) -> list[FlowStep]:
        return [step if step.job is None or self._visible[step.job] else step._replace(job=None) for step in super().list_flows()]

    def build_flow_table(self) -> FlowTable:
        return keep_visible_flows(super().build_flow_table(), self._visible)

    def list_whole(self) -> Affected:
        lifted = self._every.replace_nodes(move_columns(self._loader, self._every.nodes, self._visible))
        lifted = lifted.filter((lifted.nodes != self._every.nodes) & ~np.isin(lifted.nodes, self.starts))
        shown = Rows(self.nodes, self.reach, self.distance, self.masked)
        return Affected(*keep_strongest(join_rows(shown, lifted), self._slots))

    def build_whole_flow_table(self) -> FlowTable:
        return keep_visible_flows(move_flows(self._loader, self._every_flow, self._visible), self._visible)

    def list_passages(self, locate: Callable[[Ints], Longs], *, whole: bool) -> list[Passage]:
        """Of those through a dataset as a whole and through its columns, the dataset counts once if `whole`."""
        flows, nodes = self._every_flow, self._tables.nodes
        flows = move_flows(self._loader, flows, self._visible) if whole else flows
        ends = (flows.start, flows.end)
        hidden = [~self._visible[column] for column in ends]
        if not (hidden[0] | hidden[1]).any():
            return []
        places = []
        for column, is_hidden in zip(ends, hidden, strict=True):
            known = np.full(len(column), -1, np.int64)
            known[~is_hidden] = locate(column[~is_hidden])
            of = column[is_hidden]
            known[is_hidden] = -2 - np.where(whole & (nodes.kind[of] == COLUMN), nodes.rep[nodes.part1[of]], of).astype(np.int64)
            places.append(known)
        return find_passages(places[0], places[1], flows.reach, self._limits.deadline)

    @cached_property
    def _every_flow(self) -> FlowTable:
        """The flows between the starts and all that was reached, hidden or not."""
        reached = self._every.nodes
        rows = find_rows_between(self._tables, self.starts, reached, self.direction, int(self._limits.reach), self._wanted)
        return build_flow_table(self._tables, rows)

    def find_gaps(self, deadline: float | None = None) -> TraversalGaps:
        """Those between visible assets: fewer than `completeness` counts if others are hidden."""
        found, visible, flows = super().find_gaps(deadline), self._visible, self._tables.flows
        pairs = visible[found.pairs.start] & visible[found.pairs.end]
        undescribed = self._readable[found.undescribed.nodes]
        return TraversalGaps(
            GapPairs(*(column[pairs] for column in found.pairs)),
            GapNodes(*(column[undescribed] for column in found.undescribed)),
            *(
                GapFlows(*(column[visible[flows.start[gap.rows]] & visible[flows.end[gap.rows]]] for column in gap))  # type: ignore[arg-type]
                for gap in (found.stale, found.provisional)
            ),
        )

    def compute_affected(self) -> Affected:
        found = self._affected
        kept = self._visible[found.nodes]
        return Affected(*(column[kept] for column in found))  # type: ignore[arg-type]  # each as it was

    def count_hidden(self, *, affected: bool) -> tuple[HiddenCount, ...]:
        return self._count_hidden(self._affected.nodes if affected else self._every.nodes)

    @cached_property
    def _affected(self) -> Affected:
        return self._roll_up(self._every)

    def _count_hidden(self, nodes: Ints) -> tuple[HiddenCount, ...]:
        """The hidden ones of these assets, by domain: the most first, those of no visible domain last."""
        hidden = nodes[~self._visible[nodes]]
        kinds, rep = self._tables.nodes.kind, self._tables.nodes.rep
        of = hidden.copy()
        columns = kinds[hidden] == COLUMN
        of[columns] = rep[self._tables.nodes.part1[hidden[columns]]]
        domains = np.full(len(of), NONE, np.int32)
        inside = np.isin(kinds[of], _IN_DOMAINS)
        domains[inside] = self._ownership.find_domains(of[inside])
        domains[(domains != NONE) & ~self._visible[domains]] = NONE
        counts = np.bincount(domains - NONE)
        rows = [(place + NONE, int(counts[place])) for place in np.flatnonzero(counts).tolist()]
        rows.sort(key=lambda row: (row[0] == NONE, -row[1], self._tables.get_label(row[0]) if row[0] != NONE else ()))
        return tuple(HiddenCount(None if domain == NONE else domain, count) for domain, count in rows)


class _Labels:
    """What decides between equally good paths: names, but of hidden assets only their order in the index."""

    def __init__(self, loader: HeadLoader, visible: Flags) -> None:
        self._tables = loader.tables
        self._visible = visible

    def get_label(self, node: int) -> tuple[str, ...]:
        return self._tables.get_label(node) if self._visible[node] else (_LAST, f"{node:010}")


def move_columns(loader: HeadLoader, nodes: Ints, visible: Flags) -> Ints:
    """These, with visible datasets in the place of their hidden columns."""
    tables = loader.tables.nodes
    lifted, found = np.flatnonzero((tables.kind[nodes] == COLUMN) & ~visible[nodes]), nodes.copy()
    of = tables.rep[tables.part1[nodes[lifted]]]
    found[lifted[visible[of]]] = of[visible[of]]
    return found


def move_flows(loader: HeadLoader, flows: FlowTable, visible: Flags) -> FlowTable:
    """These flows, with visible datasets in the place of their hidden columns."""
    return flows._replace(start=move_columns(loader, flows.start, visible), end=move_columns(loader, flows.end, visible))


def keep_visible_flows(flows: FlowTable, visible: Flags) -> FlowTable:
    """The flows between visible assets. A job that is hidden is not named."""
    kept = flows.filter(visible[flows.start] & visible[flows.end])
    jobs: Ints = np.where((kept.job != NONE) & visible[kept.job], kept.job, np.int32(NONE))
    return kept._replace(job=jobs)


def join_hidden_steps(loader: HeadLoader, steps: Sequence[FlowStep], visible: Flags) -> list[FlowStep]:
    """A path between visible assets on which each part that leads through hidden ones is one step."""
    found: list[FlowStep] = []
    part: list[FlowStep] = []
    for step in steps:
        if part or not (visible[step.start] and visible[step.end]):
            part.append(step)
            if visible[step.end]:
                found.append(_join_steps(loader, part, found[-1].end if found else None, visible))
                part = []
        else:
            found.append(step if step.job is None or visible[step.job] else step._replace(job=None))
    if part:  # it ends in a hidden column of a visible dataset
        found.append(_join_steps(loader, part, found[-1].end if found else None, visible))
    return found


def _join_steps(loader: HeadLoader, part: Sequence[FlowStep], before: int | None, visible: Flags) -> FlowStep:
    """One step for several. `before`: the visible asset where the path was."""
    nodes = loader.tables.nodes
    hidden = {node for step in part for node in (step.start, step.end) if not visible[node]}

    def find_shown(node: int) -> int:
        return node if visible[node] or nodes.kind[node] != COLUMN else int(nodes.rep[nodes.part1[node]])

    start = part[0].start if visible[part[0].start] else before if before is not None else find_shown(part[0].start)
    return FlowStep(
        start,
        find_shown(part[-1].end),
        max(step.reach for step in part),
        None,
        "",
        any(step.masking for step in part),
        None,
        NONE,
        len(hidden),
    )
