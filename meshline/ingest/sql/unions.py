"""UNION, INTERSECT, EXCEPT: two queries as one."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from meshline.ingest.sql.kinds import FILTER
from meshline.ingest.sql.scopes import Notes
from meshline.ingest.sql.shape import Relation
from meshline.ingest.sql.tables import Column, Sources, Table, add, blurred, joined, tables_of


def united(node: exp.Expr, left: Table, right: Table, notes: Notes) -> Table:
    """What two queries give together, under the names of the left one."""
    rows = joined(left.rows, right.rows)
    reads = {**left.reads, **right.reads}
    if not isinstance(node, exp.Union):  # EXCEPT, INTERSECT: whole rows are compared, and values come from the left
        add(rows, left.everything(), FILTER)
        add(rows, right.everything(), FILTER)
        return Table(left.columns, gap=left.gap, open_=left.open, blur=left.blur, rows=rows, reads=reads)
    if node.args.get("by_name"):
        return _by_name(left, right, rows, reads)
    return _by_position(left, right, rows, reads, notes)


def _by_position(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None], notes: Notes) -> Table:
    """From the first column that is not known on, any of the right may go with any of the left."""
    known = min(len(table.columns) if table.gap is None else table.gap for table in (left, right))
    columns = [
        Column(column.name, joined(column.sources, other.sources))
        for column, other in zip(left.columns[:known], right.columns[:known], strict=True)
    ]
    unknown = left.gap is not None or right.gap is not None
    rest = blurred(right.everything(right.columns[known:])) if unknown or len(right.columns) > known else {}
    if unknown and rest:
        notes.say(f"the columns of {tables_of(rest)} go by position with those of another part of a UNION, and not all are known")
    elif len(left.columns) != len(right.columns):
        notes.say(f"the parts of a UNION have {len(left.columns)} and {len(right.columns)} columns")
    columns += [Column(column.name, joined(column.sources, rest)) for column in left.columns[known:]]
    if left.gap is None:
        return Table(columns, rows=rows, reads=reads)
    return Table(columns, gap=known, open_=left.open, blur=joined(left.blur, rest), rows=rows, reads=reads)


def _by_name(left: Table, right: Table, rows: Sources, reads: Mapping[Relation, None]) -> Table:
    columns = [Column(column.name, joined(column.sources, right.find(column.name) or {})) for column in left.columns]
    columns += [column for column in right.columns if not left.has(column.name)]
    gaps = [table.gap for table in (left, right) if table.gap is not None]
    several = blurred((relation, None) for relation in right.open) if left.open else {}
    return Table(
        columns,
        gap=min(gaps) if gaps else None,
        open_=left.open or right.open,
        blur=joined(joined(left.blur, right.blur), several),
        rows=rows,
        reads=reads,
    )
