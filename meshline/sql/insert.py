"""INSERT: rows by position, by name, for one table or for several, and what happens to those that are there."""

from __future__ import annotations

from sqlglot import exp

from meshline.sql.flow_kinds import CONDITIONAL, FILTER
from meshline.sql.scopes import Column, Sources, Table, add
from meshline.sql.script_effects import Writing
from meshline.sql.statement_lineage import Relation
from meshline.sql.update_delete import assigned, decided


def insert(writing: Writing, node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Schema | exp.Table):
        writing.notes.say("INSERT into what is no table is not followed")
    elif (query := node.args.get("expression")) is not None:
        _insert(writing, node, writing.queries.read(query, writing.scope(node).ctes))


def _insert(writing: Writing, node: exp.Expr, table: Table) -> None:
    """Put what a query gives into the table of an INSERT."""
    schema = node.this if isinstance(node.this, exp.Schema) else None
    into = node.this if schema is None else schema.this
    target = writing.rules.relation(into)
    if node.args.get("by_name"):
        columns = [*table.columns, Column("", table.everything(()))]
    elif schema is None:
        columns = writing.placed(target, _open(writing, target, into.args.get("partition")), table)
    else:
        names = [writing.rules.column(each if isinstance(each, exp.Identifier) else each.this) for each in schema.expressions]
        columns = writing.placed(target, names, table)
    reads = dict(table.reads)
    if (conflict := node.args.get("conflict")) is not None:
        columns += _upserted(writing, conflict, into, Table(columns), reads)
    writing.put(target, columns, table.rows, reads)


def _open(writing: Writing, target: Relation, partition: exp.Expr | None) -> list[str]:
    """The columns that an INSERT without a list is about: all but those of a fixed partition."""
    given = partition.expressions if partition is not None else ()
    fixed = {writing.rules.column(each.this.this).casefold() for each in given if isinstance(each, exp.EQ)}
    return [name for name in writing.known.names(target) if name.casefold() not in fixed]


def _upserted(writing: Writing, conflict: exp.Expr, into: exp.Expr, new: Table, reads: dict[Relation, None]) -> list[Column]:
    """`ON CONFLICT DO UPDATE SET a = excluded.a`, in MySQL `ON DUPLICATE KEY UPDATE a = VALUES(a)`."""
    for each in conflict.find_all(exp.Anonymous):
        if each.name.upper() == "VALUES" and len(each.expressions) == 1:
            name = each.expressions[0]
            each.replace(exp.column(name.this if isinstance(name, exp.Column) else name, table="excluded"))
    scope = writing.scope(conflict)
    writing.queries.froms.item(into, scope)
    scope.put("excluded", new, hidden=True)
    columns = assigned(writing, conflict.expressions, scope)
    if (where := conflict.args.get("where")) is not None:
        columns = decided(columns, writing.queries.expressions(scope).sources(where, CONDITIONAL))
    reads.update(scope.reads)
    return columns


def insert_several(writing: Writing, node: exp.Expr) -> None:
    """`INSERT ALL` and `FROM t INSERT INTO a SELECT ... INSERT INTO b SELECT ...`: one query for several tables."""
    source = node.args["source"]
    before: Sources = {}  # what decided about the ones before
    for each in node.expressions:
        into = each.this if isinstance(each, exp.ConditionalInsert) else each
        query = into.args.get("expression")
        if isinstance(query, exp.Select):
            query.set("from_", exp.From(this=source.copy()))
            insert(writing, into)
            continue
        scope = writing.scope(node)
        writing.queries.froms.item(source, scope)
        table = scope.tables[0][1] if query is None else writing.queries.froms.values(query, scope)
        condition = each.args.get("expression")
        own = {} if condition is None else writing.queries.expressions(scope).sources(condition, FILTER)
        add(scope.rows, own)
        if each.args.get("else_") or str(node.args.get("kind")).upper() == "FIRST":
            add(scope.rows, before)
        add(before, own)
        _insert(writing, into, table.within(scope))
