"""PIVOT and UNPIVOT: values that become columns, and columns that become values."""

from __future__ import annotations

from typing import Protocol

from sqlglot import exp

from meshline.ingest.sql.dialects import Rules
from meshline.ingest.sql.expressions import Expressions
from meshline.ingest.sql.kinds import CONDITIONAL, GROUP_BY, IDENTITY
from meshline.ingest.sql.scopes import Notes, Scope
from meshline.ingest.sql.tables import Column, CTEs, Sources, Table, add


class Subqueries(Protocol):
    """What a FROM clause needs of the reader of queries, for the queries in it."""

    rules: Rules
    notes: Notes

    def expressions(self, scope: Scope) -> Expressions: ...

    def read(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> Table: ...


def pivoted(pivot: exp.Expr, table: Table, queries: Subqueries, around: Scope) -> Table:
    """A table after one PIVOT or UNPIVOT."""
    scope = Scope(queries.rules, queries.notes, around.ctes, around.outer)
    scope.put("", table)
    change = _unpivot if pivot.args.get("unpivot") else _pivot
    return change(pivot, table, queries, scope).within(scope).renamed(queries.rules.columns(pivot.args.get("alias")))


def _pivot(pivot: exp.Expr, table: Table, queries: Subqueries, scope: Scope) -> Table:
    """Each new column is an aggregate, of the rows that the pivoted column picks; the others are grouped by."""
    expressions = queries.expressions(scope)
    made: Sources = {}
    used = {name.casefold() for name in _columns(pivot, queries)}
    for aggregate in pivot.expressions:
        expressions.collect(aggregate, IDENTITY, made)
    for field in pivot.args.get("fields") or ():
        expressions.collect(field.this, CONDITIONAL, made)
    kept = [column for column in table.columns if column.name.casefold() not in used]
    for column in kept:
        add(scope.rows, column.sources, GROUP_BY)
    names = [queries.rules.column(each) for each in pivot.args.get("columns") or ()]
    return Table(
        [*kept, *[Column(name, made) for name in names]],
        gap=None if table.gap is None else min(table.gap, len(kept)),
        open_=table.open,
        blur=table.blur,
    )


def _columns(pivot: exp.Expr, queries: Subqueries) -> list[str]:
    parts = [*pivot.expressions, *[field.this for field in pivot.args.get("fields") or ()]]
    return [queries.rules.column(column.this) for part in parts for column in part.find_all(exp.Column)]


def _unpivot(pivot: exp.Expr, table: Table, queries: Subqueries, scope: Scope) -> Table:
    """The value column comes from all the columns in the list, and the name column from none."""
    expressions = queries.expressions(scope)
    names = [queries.rules.column(each if isinstance(each, exp.Identifier) else each.this) for each in pivot.expressions]
    values: Sources = {}
    used: set[str] = set()
    labels: list[str] = []
    for field in pivot.args.get("fields") or ():
        labels.append(queries.rules.column(field.this if isinstance(field.this, exp.Identifier) else field.this.this))
        for each in field.expressions:
            used |= {queries.rules.column(column.this).casefold() for column in each.find_all(exp.Column)}
            expressions.collect(each, IDENTITY, values)
    kept = [column for column in table.columns if column.name.casefold() not in used]
    made = [*[Column(name, {}) for name in labels], *[Column(name, values) for name in names]]
    if pivot.args.get("value_columns_first"):
        made = [*made[len(labels) :], *made[: len(labels)]]
    return Table([*kept, *made], gap=None if table.gap is None else min(table.gap, len(kept)), open_=table.open, blur=table.blur)
