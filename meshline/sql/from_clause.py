"""FROM: tables, joins, subqueries, UNNEST, VALUES, functions of tables, PIVOT and UNPIVOT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot import exp

from meshline.sql.dialects import DialectRules
from meshline.sql.expressions import Expressions
from meshline.sql.flow_kinds import CONDITIONAL, GROUP_BY, IDENTITY, JOIN, TRANSFORMATION
from meshline.sql.query_scopes import Column, CTEs, Notes, Scope, Sources, Table, add_sources, apply_flow, blur_sources
from meshline.sql.statement_lineage import Relation


class Subqueries(Protocol):
    """What a FROM clause needs of the reader of queries, for the queries in it."""

    rules: DialectRules
    notes: Notes

    def build_expressions(self, scope: Scope) -> Expressions: ...

    def read_query(self, node: exp.Expr, ctes: CTEs, outer: Scope | None = None) -> Table: ...


def apply_pivot(pivot: exp.Expr, table: Table, queries: Subqueries, around: Scope) -> Table:
    """A table after one PIVOT or UNPIVOT."""
    scope = Scope(queries.rules, queries.notes, around.ctes, around.outer)
    scope.add_table("", table)
    change = _unpivot if pivot.args.get("unpivot") else _pivot
    return change(pivot, table, queries, scope).adopt_rows(scope).rename_columns(queries.rules.list_columns(pivot.args.get("alias")))


def _pivot(pivot: exp.Expr, table: Table, queries: Subqueries, scope: Scope) -> Table:
    """Each new column is an aggregate, of the rows that the pivoted column picks; the others are grouped by."""
    expressions = queries.build_expressions(scope)
    made: Sources = {}
    used = {name.casefold() for name in _list_columns(pivot, queries)}
    for aggregate in pivot.expressions:
        expressions.collect(aggregate, IDENTITY, made)
    for field in pivot.args.get("fields") or ():
        expressions.collect(field.this, CONDITIONAL, made)
    kept = [column for column in table.columns if column.name.casefold() not in used]
    for column in kept:
        add_sources(scope.rows, column.sources, GROUP_BY)
    names = [queries.rules.spell_column(each) for each in pivot.args.get("columns") or ()]
    return Table(
        [*kept, *[Column(name, made) for name in names]],
        gap=None if table.gap is None else min(table.gap, len(kept)),
        open_=table.open,
        blur=table.blur,
    )


def _list_columns(pivot: exp.Expr, queries: Subqueries) -> list[str]:
    parts = [*pivot.expressions, *[field.this for field in pivot.args.get("fields") or ()]]
    return [queries.rules.spell_column(column.this) for part in parts for column in part.find_all(exp.Column)]


def _unpivot(pivot: exp.Expr, table: Table, queries: Subqueries, scope: Scope) -> Table:
    """The value column comes from all the columns in the list, and the name column from none."""
    expressions = queries.build_expressions(scope)
    names = [queries.rules.spell_column(each if isinstance(each, exp.Identifier) else each.this) for each in pivot.expressions]
    values: Sources = {}
    used: set[str] = set()
    labels: list[str] = []
    for field in pivot.args.get("fields") or ():
        labels.append(queries.rules.spell_column(field.this if isinstance(field.this, exp.Identifier) else field.this.this))
        for each in field.expressions:
            used |= {queries.rules.spell_column(column.this).casefold() for column in each.find_all(exp.Column)}
            expressions.collect(each, IDENTITY, values)
    kept = [column for column in table.columns if column.name.casefold() not in used]
    made = [*[Column(name, {}) for name in labels], *[Column(name, values) for name in names]]
    if pivot.args.get("value_columns_first"):
        made = [*made[len(labels) :], *made[: len(labels)]]
    return Table([*kept, *made], gap=None if table.gap is None else min(table.gap, len(kept)), open_=table.open, blur=table.blur)


_GENERATORS = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.GenerateDateArray, exp.GenerateTimestampArray, exp.Generator,
               exp.Explode, exp.Inline, exp.Array, exp.OpenJSON, exp.JSONTable)  # fmt: skip
_GENERATOR_NAMES = frozenset({"json_each", "json_to_record", "json_to_recordset", "numbers", "range", "sequence", "string_split"})


class FromReader:
    """Puts what FROM names into scopes. `table`: a table by its name."""

    def __init__(self, queries: Subqueries, table: Callable[[Relation], Table]) -> None:
        self._queries = queries
        self._rules = queries.rules
        self._table = table

    def read_joins(self, node: exp.Expr, scope: Scope) -> None:
        """The joins that hang on a node."""
        for join in node.args.get("joins") or ():
            self._read_join(join, scope)

    def _read_join(self, join: exp.Expr, scope: Scope) -> None:
        before = len(scope.tables)
        self.read_item(join.this, scope, hidden=(join.args.get("kind") or "").upper() in ("SEMI", "ANTI"))
        expressions = self._queries.build_expressions(scope)
        for key in ("on", "match_condition"):
            if (condition := join.args.get(key)) is not None:
                expressions.collect(condition, JOIN, scope.rows)
        names = [self._rules.spell_column(each if isinstance(each, exp.Identifier) else each.this) for each in join.args.get("using") or ()]
        if (join.args.get("method") or "").upper() == "NATURAL":
            names = self._find_natural_columns(scope, before)
        for name in names:
            self._unite(name, (join.args.get("side") or "").upper(), scope, before)

    def _find_natural_columns(self, scope: Scope, before: int) -> list[str]:
        tables = [table for _, table in scope.tables]
        left, right = tables[:before], tables[before:]
        if any(table.gap is not None for table in tables):
            scope.notes.record_gap("NATURAL JOIN of tables whose columns are not known")
            for table in tables:
                add_sources(scope.rows, apply_flow(blur_sources((relation, None) for relation in table.reads), JOIN))
        return [column.name for table in left for column in table.columns if any(other.has(column.name) for other in right)]

    def _unite(self, name: str, side: str, scope: Scope, before: int) -> None:
        """A column of USING: of both sides, and shown once."""
        folded = name.casefold()
        left = scope.united[folded][1] if folded in scope.united else scope.find_among(name, 0, before)
        right = scope.find_among(name, before, len(scope.tables))
        shown: Sources = dict(right if side == "RIGHT" else left)
        for sources in (left, right):
            add_sources(scope.rows, sources, JOIN)
            if side == "FULL":  # COALESCE(left, right)
                add_sources(shown, sources)
                add_sources(shown, sources, CONDITIONAL)
        scope.united[folded] = name, shown

    def read_item(self, node: exp.Expr, scope: Scope, *, hidden: bool = False) -> None:
        """Put what an item of FROM gives into the scope, with the joins that hang on it."""
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table) and node.args.get("alias") is None:  # (a JOIN b)
            self.read_item(node.this, scope, hidden=hidden)
        else:
            table = self._read_table(node, scope)
            for pivot in node.args.get("pivots") or ():
                table = apply_pivot(pivot, table, self._queries, scope)
            scope.add_table(self.find_alias(node), table.rename_columns(self._rules.list_columns(node.args.get("alias"))), hidden=hidden)
        self.read_joins(node, scope)

    def find_alias(self, node: exp.Expr) -> str:
        """By what an item of FROM is named, in lower case; empty if by nothing."""
        alias = node.args.get("alias")
        pivots = node.args.get("pivots")
        if pivots and pivots[-1].args.get("alias") is not None:
            alias = pivots[-1].args["alias"]
        if alias is not None and alias.this is not None:
            return self._rules.spell_table(alias.this).casefold()
        this = node.this if isinstance(node, exp.Table) else None
        return self._rules.spell_table(this).casefold() if isinstance(this, exp.Identifier) else ""

    def _read_table(self, node: exp.Expr, scope: Scope) -> Table:
        if isinstance(node, exp.Final):  # ClickHouse
            node = node.this
        if isinstance(node, exp.Table):
            return self._read_named(node, scope)
        if isinstance(node, exp.Unnest):
            return self._read_unnest(node, scope)
        if isinstance(node, exp.Values):
            return self.read_values(node, scope)
        inner, outer = (node.this, scope) if isinstance(node, exp.Lateral) else (node, scope.outer)
        return (
            self._queries.read_query(inner, scope.ctes, outer) if isinstance(inner, exp.Query) else self._read_function(node, inner, scope)
        )

    def _read_named(self, node: exp.Table, scope: Scope) -> Table:
        if not isinstance(node.this, exp.Identifier | exp.Dot):
            return self._read_function(node, node.this, scope)
        relation = self._rules.parse_relation(node)
        cte = scope.ctes.get(relation[0].casefold()) if len(relation) == 1 else None
        return self._table(relation) if cte is None else cte

    def _read_function(self, node: exp.Expr, function: exp.Expr, scope: Scope) -> Table:
        """What goes into a function comes out of it, in some way, and decides how many rows there are."""
        sources = self._queries.build_expressions(scope).collect_sources(function, TRANSFORMATION)
        if not sources and not _is_generator(function):
            name = function.name if isinstance(function, exp.Anonymous | exp.Var) else function.key.upper()
            scope.notes.record_gap(f"{name}: what it reads is not known")
        names = self._rules.list_columns(node.args.get("alias"))
        return Table([Column(name, sources) for name in names], gap=None if names else 0, blur=sources, rows=apply_flow(sources, JOIN))

    def _read_unnest(self, node: exp.Unnest, scope: Scope) -> Table:
        expressions = self._queries.build_expressions(scope)
        arrays = [expressions.collect_sources(array, TRANSFORMATION) for array in node.expressions]
        everything: Sources = {}
        for sources in arrays:
            add_sources(everything, sources)
        names = self._rules.list_columns(node.args.get("alias"))
        columns = [Column(name, arrays[i] if len(names) == len(arrays) else everything) for i, name in enumerate(names)]
        offset = node.args.get("offset")
        if isinstance(offset, exp.Identifier):
            columns.append(Column(self._rules.spell_column(offset), everything))
        return Table(columns, gap=None if names else 0, blur=everything, rows=apply_flow(everything, JOIN))

    def read_values(self, node: exp.Expr, outer: Scope) -> Table:
        """Rows that are written out."""
        scope = outer.build_inner()
        expressions = self._queries.build_expressions(scope)
        columns: list[Sources] = []
        for row in node.expressions:
            for i, value in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                if i == len(columns):
                    columns.append({})
                if not isinstance(value, exp.Literal):  # of which there may be many thousands
                    expressions.collect(value, IDENTITY, columns[i])
        return Table([Column("", sources) for sources in columns], rows=scope.rows, reads=scope.reads)


def _is_generator(function: exp.Expr) -> bool:
    """Whether a function makes rows of nothing, or of what is written out."""
    named = (each.name.lower() for each in function.find_all(exp.Anonymous))
    return function.find(*_GENERATORS) is not None or not _GENERATOR_NAMES.isdisjoint(named)
