"""The lineage of a SQL statement: what it reads and writes, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from meshline.graph.model import FlowType

# A table's name as SQL writes it, outermost part first, unquoted, in the case that the dialect gives it: ("lake", "orders", "items").
Relation: TypeAlias = tuple[str, ...]

# The columns of a table in order, nested ones as dotted paths; empty if they are not known.
ColumnsOf: TypeAlias = Callable[[Relation], Sequence[str]]


class ColumnEdge(NamedTuple):
    """What flows from a table's column. `target`: a column of the statement's target, or None for an influence on
    all of it (JOIN, FILTER, GROUP_BY, SORT). `column` None: unknown which, so `target` is None as well, and the
    edge is one between tables.
    """

    source: Relation
    column: str | None
    target: str | None
    type: FlowType
    subtype: str
    masking: bool


class Lineage(NamedTuple):
    """What one statement does. `target`: what it writes. `reads`: the tables that it reads. `columns`: those of what
    it defines, in order; empty if not all are known. `unresolved`: messages on what could not be resolved (it is never guessed).
    `defines`: VIEW or TABLE, empty if it defines none. `line`: where the statement begins, and `sql`: its text.
    """

    target: Relation | None
    reads: tuple[Relation, ...] = ()
    edges: tuple[ColumnEdge, ...] = ()
    columns: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    defines: str = ""
    line: int = 0
    sql: str = ""
