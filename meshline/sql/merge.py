"""MERGE: each WHEN clause for itself."""

from __future__ import annotations

from sqlglot import exp

from meshline.sql.flow_kinds import CONDITIONAL, COPY, FILTER, IDENTITY, JOIN
from meshline.sql.scopes import Column, Scope, Table, add
from meshline.sql.script_effects import Writing
from meshline.sql.statement_lineage import Relation
from meshline.sql.update_delete import assigned, decided


def merge(writing: Writing, node: exp.Expr) -> None:
    """The condition of an UPDATE decides about what it sets; that of a DELETE or an INSERT about the whole table."""
    scope = writing.scope(node)
    target = writing.rules.relation(node.this)
    writing.queries.froms.item(node.this, scope)
    writing.queries.froms.item(node.args["using"], scope)
    expressions = writing.queries.expressions(scope)
    expressions.collect(node.args["on"], JOIN, scope.rows)
    columns: dict[str, Column] = {}
    for when in node.args["whens"].expressions:
        then = when.args["then"]
        condition = when.args.get("condition")
        written: list[Column] = []
        if isinstance(then, exp.Update):
            written = _updated(writing, then, target, scope)
            if condition is not None:
                written = decided(written, expressions.sources(condition, CONDITIONAL))
        else:
            if condition is not None:
                expressions.collect(condition, FILTER, scope.rows)
            if isinstance(then, exp.Insert):
                written = _inserted(writing, then, target, scope)
        for column in written:
            add(columns.setdefault(column.name.casefold(), Column(column.name, {})).sources, column.sources)
    writing.put(target, list(columns.values()), scope.rows, scope.reads)


def _updated(writing: Writing, then: exp.Expr, target: Relation, scope: Scope) -> list[Column]:
    if any(isinstance(pair, exp.Star) for pair in then.expressions):
        return _by_name(writing, target, scope)
    return assigned(writing, then.expressions, scope)


def _inserted(writing: Writing, then: exp.Expr, target: Relation, scope: Scope) -> list[Column]:
    values = then.args.get("expression")
    if not values:  # INSERT *, INSERT ROW
        return _by_name(writing, target, scope)
    columns = then.this.expressions if then.this is not None else ()
    names = [writing.rules.column(each.this if isinstance(each, exp.Column) else each) for each in columns]
    expressions = writing.queries.expressions(scope)
    row = values.expressions[0] if isinstance(values, exp.Values) else values
    given = row.expressions if isinstance(row, exp.Tuple) else [row]
    table = Table([Column("", expressions.sources(value, IDENTITY)) for value in given])
    return writing.placed(target, names or writing.known.names(target), table)


def _by_name(writing: Writing, target: Relation, scope: Scope) -> list[Column]:
    """`UPDATE SET *` and `INSERT *`: every column of the target from the one of that name."""
    source = scope.tables[1][1]
    names = writing.known.names(target)
    if names:
        return [Column(name, scope.of_table(source, name)) for name in names]
    columns = [Column(column.name, dict(column.sources)) for column in source.columns]
    if source.gap is not None:
        writing.notes.say(f"which columns {'.'.join(target)} takes over is not known")
        columns.append(Column("", dict.fromkeys([(relation, None) for relation in source.open], COPY)))
    return columns
