"""Why an edge of a drawing is there: the statements that contain the flows which it represents, and whether these are still confirmed."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.graph.index.results import Flags, Ints
from meshline.graph.queries.groups import NOTHING
from meshline.graph.queries.lineage import Granularity, Lineage, LineageEdge, Numbers, build_edge_table, list_distinct_rows
from meshline.graph.queries.pages import build_name_key


class EdgeEvidence(NamedTuple):
    """A statement that contains flows of an edge, and the job by which it explains them. Times in microseconds.

    `first_seen`: since when the statement has its current content. `last_observed`: when that was last stated.
    `stale`: the latest run of the job did not confirm the statement. `provisional`: it is of a run that has not completed.
    """

    scope_id: int
    source: str
    first_seen: int
    last_observed: int
    job: int | None
    provisional: bool
    stale: bool


class Evidence:
    """The evidence of all edges of a drawing, found when it is first asked for. Edges are meant by their positions."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._index = lineage.drawing.graph
        self._flows = lineage.drawing.flows
        self._known: dict[int, list[EdgeEvidence]] = {}

    @cached_property
    def stale(self) -> list[bool]:
        """Of each edge, whether all flows that it represents are stale."""
        return self._find_edges_without(~self._flows.stale)

    @cached_property
    def provisional(self) -> list[bool]:
        """Of each edge, whether all flows that it represents are provisional."""
        return self._find_edges_without(~self._flows.provisional)

    def list_evidence(self, edge: int) -> list[EdgeEvidence]:
        """The statements of an edge: what is confirmed and complete first, then the newest, then by source."""
        known = self._known.get(edge)
        if known is None:
            known = self._known[edge] = self._find_evidence(edge)
        return known

    def _find_evidence(self, edge: int) -> list[EdgeEvidence]:
        rows = self._rows[self._ends[edge] : self._ends[edge + 1]]
        scopes = self._index.lineage.find_flow_scopes(self._flows.number[rows])
        distinct = list_distinct_rows(scopes, self._flows.job[rows])
        found = [self._build_evidence(scope_id, job) for scope_id, job in zip(*(column.tolist() for column in distinct), strict=True)]
        return sorted(found, key=self._build_sort_key)

    def _build_evidence(self, scope_id: int, job: int) -> EdgeEvidence:
        scope = self._index.changes.get_scope(scope_id)
        by = None if job == NOTHING else job
        return EdgeEvidence(scope_id, scope.source, scope.valid_from, scope.last_observed, by, scope.provisional, scope.stale)

    def _build_sort_key(self, found: EdgeEvidence) -> tuple[object, ...]:
        """A key that does not depend on the numbers of scopes, which differ between stores with the same statements."""
        scope = self._index.changes.get_scope(found.scope_id).scope
        job = () if found.job is None else build_name_key(self._index, found.job)
        return (found.stale, found.provisional, -found.last_observed, found.source, scope, job)

    def _find_edges_without(self, marks: Flags) -> list[bool]:
        inside = self._numbers >= 0
        hidden = np.array([edge.hidden > 0 for edge in self._lineage.edges], np.bool_)  # these represent no flows
        without: list[bool] = ((np.bincount(self._numbers[inside], marks[inside], len(self._lineage.edges)) == 0) & ~hidden).tolist()
        return without

    @cached_property
    def _rows(self) -> Numbers:
        """The flows of the drawing, sorted by their edges: those of edge e are from `_ends[e]` to `_ends[e + 1]`."""
        kept = np.flatnonzero(self._numbers >= 0)
        rows: Numbers = kept[np.argsort(self._numbers[kept], kind="stable")]
        return rows

    @cached_property
    def _ends(self) -> list[int]:
        ends: list[int] = np.searchsorted(self._numbers[self._rows], np.arange(len(self._lineage.edges) + 1)).tolist()
        return ends

    @cached_property
    def _numbers(self) -> Numbers:
        """For each flow of the drawing, the position of its edge, or -1 (int64)."""
        drawing, edges = self._lineage.drawing, self._lineage.edges
        if drawing.arguments.granularity is Granularity.COLUMN:
            return self._number_flows(edges)
        table, drawn = build_edge_table(drawing), drawing.list_drawn()
        places = {(edge.start, edge.end): place for place, edge in enumerate(edges)}
        pairs = zip(drawn[table.start].tolist(), drawn[table.end].tolist(), strict=True)
        of_pairs = np.array([*(places[pair] for pair in pairs), NOTHING], np.int64)
        return of_pairs[table.flow_edges]

    def _number_flows(self, edges: tuple[LineageEdge, ...]) -> Numbers:
        """By column an edge has one type, subtype and masking: so do the flows that it represents."""
        flows = self._flows
        parts: tuple[Ints, ...] = (flows.start, flows.end, flows.reach, flows.subtype, flows.masking)  # type: ignore[assignment]
        order = np.lexsort(parts[::-1])
        sorted_parts = [part[order] for part in parts]
        new = np.ones(order.size, np.bool_)
        new[1:] = np.logical_or.reduce([part[1:] != part[:-1] for part in sorted_parts])
        places = {(edge.start, edge.end, int(edge.reach), edge.subtype, edge.masking): place for place, edge in enumerate(edges)}
        texts = {number: self._index.lineage.get_text(number) for number in np.unique(flows.subtype).tolist()}
        keys = zip(*(part[new].tolist() for part in sorted_parts), strict=True)
        of_keys = [places.get((start, end, reach, texts[subtype], masking), NOTHING) for start, end, reach, subtype, masking in keys]
        numbers = np.empty(order.size, np.int64)
        numbers[order] = np.array([*of_keys, NOTHING], np.int64)[np.cumsum(new) - 1]
        return numbers
