"""INSERT, UPDATE, DELETE and MERGE: what they write, each WHEN clause for itself, and what happens to rows that are there."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from meshline.sql.flow_kinds import CONDITIONAL, COPY, FILTER, IDENTITY, JOIN
from meshline.sql.scopes import Column, Scope, Sources, Table, add, flowing, joined
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
        return [Column(name, scope.find_column(source, name)) for name in names]
    columns = [Column(column.name, dict(column.sources)) for column in source.columns]
    if source.gap is not None:
        writing.notes.say(f"which columns {'.'.join(target)} takes over is not known")
        columns.append(Column("", dict.fromkeys([(relation, None) for relation in source.open], COPY)))
    return columns
