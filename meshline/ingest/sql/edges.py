"""Sources -> edges: between columns where both are known, else between tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.graph.model import FlowType
from meshline.ingest.sql.kinds import COPY, listed
from meshline.ingest.sql.shape import ColumnEdge, Relation
from meshline.ingest.sql.tables import Column, Leaf, Sources


def edges_of(columns: Iterable[Column], rows: Sources, nested: Mapping[Leaf, tuple[str, ...]]) -> tuple[ColumnEdge, ...]:
    """The edges of a statement. A column without a name stands for all those of the target of which the name is not known."""
    edges: dict[ColumnEdge, None] = {}
    tables: dict[Relation, None] = {}
    for target, sources in [*columns, Column("", rows)]:
        whole = sources is rows
        for (relation, column), bits in sources.items():
            if column is None or (not target and not whole):
                tables[relation] = None
                continue
            name = None if whole else target
            for kind in listed(bits):
                edges[ColumnEdge(relation, column, name, *kind)] = None
            for inner in nested.get((relation, column), ()):
                _nested(edges, relation, column, inner, name, bits)
    return (*edges, *[ColumnEdge(relation, None, None, FlowType.DIRECT, "", masking=False) for relation in tables])


def _nested(edges: dict[ColumnEdge, None], relation: Relation, column: str, inner: str, target: str | None, bits: int) -> None:
    """What flows from a column flows from the columns within it: in a copy each into its like."""
    if target is not None and bits & COPY:
        edges[ColumnEdge(relation, inner, target + inner[len(column) :], FlowType.DIRECT, "IDENTITY", masking=False)] = None
        bits &= ~COPY
    for kind in listed(bits):
        edges[ColumnEdge(relation, inner, target, *kind)] = None
