"""UPDATE and DELETE."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from meshline.sql.flow_kinds import CONDITIONAL, FILTER, IDENTITY
from meshline.sql.scopes import Column, Scope, Sources, flowing, joined
from meshline.sql.script_effects import Writing
from meshline.sql.statement_lineage import Relation


def update(writing: Writing, node: exp.Expr) -> None:
    """What chooses the rows decides about the columns that are set, and no others."""
    scope = writing.scope(node)
    target = _target(writing, node.this, node, scope)
    columns = assigned(writing, node.expressions, scope)
    if (where := node.args.get("where")) is not None:
        writing.queries.expressions(scope).collect(where, CONDITIONAL, scope.rows)
    writing.put(target, decided(columns, scope.rows), {}, scope.reads)


def delete(writing: Writing, node: exp.Expr) -> None:
    scope = writing.scope(node)
    named = node.args.get("tables")  # MySQL and T-SQL: `DELETE t FROM orders t JOIN ...`
    target = _target(writing, named[0] if named else node.this, node, scope)
    if (where := node.args.get("where")) is not None:
        writing.queries.expressions(scope).collect(where, FILTER, scope.rows)
    writing.put(target, [], scope.rows, scope.reads)


def _target(writing: Writing, table: exp.Expr, node: exp.Expr, scope: Scope) -> Relation:
    """Which table is changed: by its name, or by its alias in FROM; all that is named is put into the scope."""
    from_ = node.args.get("from_")
    using = node.args.get("using") or []
    named = node.args.get("tables")
    for each in (*([from_.this] if from_ is not None else []), *using, *([node.this] if named else [])):
        writing.queries.froms.item(each, scope)
    name = writing.rules.relation(table)
    known = scope.alias(name[0]) if len(name) == 1 else None
    if known is not None and known.relation is not None:
        return known.relation
    if not named:
        writing.queries.froms.item(table, scope)
    return name


def assigned(writing: Writing, pairs: Iterable[exp.Expr], scope: Scope) -> list[Column]:
    """`SET a = x, (b, c) = (SELECT ...)`: what goes into which column."""
    expressions = writing.queries.expressions(scope)
    columns: list[Column] = []
    for pair in pairs:
        if not isinstance(pair, exp.EQ | exp.PropertyEQ):
            continue
        if not isinstance(pair.this, exp.Tuple):
            columns.append(Column(_set(pair.this, scope), expressions.sources(pair.expression, IDENTITY)))
            continue
        value = pair.expression
        if isinstance(value, exp.Query):
            table = writing.queries.query(value, scope)
            scope.reads.update(table.reads)
            given = [joined(column.sources, table.rows) for column in table.columns]
        else:
            given = [expressions.sources(each, IDENTITY) for each in value.expressions]
        columns += [Column(_set(each, scope), sources) for each, sources in zip(pair.this.expressions, given, strict=False)]
    return columns


def _set(column: exp.Expr, scope: Scope) -> str:
    """The name of a column that is set: without its table, but with the structs that it is in."""
    if not isinstance(column, exp.Column):
        return scope.rules.column(column)
    parts = [part for part in (column.args.get("catalog"), column.args.get("db"), column.args.get("table"), column.this) if part]
    for length in range(len(parts) - 1, 0, -1):
        if scope.qualified(parts[:length]) is not None:
            parts = parts[length:]
            break
    return ".".join(scope.rules.column(part) for part in parts)


def decided(columns: Iterable[Column], sources: Sources) -> list[Column]:
    """Columns about which something decides as well."""
    deciding = flowing(sources, CONDITIONAL)
    return [Column(name, joined(own, deciding)) for name, own in columns]
