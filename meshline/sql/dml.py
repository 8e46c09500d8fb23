"""INSERT, UPDATE, DELETE and MERGE: what they write, each WHEN clause for itself, and what happens to rows that are there."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from meshline.sql.flow_kinds import CONDITIONAL, COPY, FILTER, IDENTITY, JOIN
from meshline.sql.query_scopes import Column, Scope, Sources, Table, add_sources, apply_flow, join_sources
from meshline.sql.script_effects import ScriptEffects
from meshline.sql.statement_lineage import Relation


def read_update(writing: ScriptEffects, node: exp.Expr) -> None:
    """What chooses the rows decides about the columns that are set, and no others."""
    scope = writing.build_scope(node)
    target = _find_target(writing, node.this, node, scope)
    columns = read_assignments(writing, node.expressions, scope)
    if (where := node.args.get("where")) is not None:
        writing.queries.build_expressions(scope).collect(where, CONDITIONAL, scope.rows)
    writing.write_columns(target, add_condition(columns, scope.rows), {}, scope.reads)


def read_delete(writing: ScriptEffects, node: exp.Expr) -> None:
    """The condition decides which rows of the table remain."""
    scope = writing.build_scope(node)
    named = node.args.get("tables")  # MySQL and T-SQL: `DELETE t FROM orders t JOIN ...`
    target = _find_target(writing, named[0] if named else node.this, node, scope)
    if (where := node.args.get("where")) is not None:
        writing.queries.build_expressions(scope).collect(where, FILTER, scope.rows)
    writing.write_columns(target, [], scope.rows, scope.reads)


def _find_target(writing: ScriptEffects, table: exp.Expr, node: exp.Expr, scope: Scope) -> Relation:
    """Which table is changed: by its name, or by its alias in FROM; all that is named is put into the scope."""
    from_ = node.args.get("from_")
    using = node.args.get("using") or []
    named = node.args.get("tables")
    for each in (*([from_.this] if from_ is not None else []), *using, *([node.this] if named else [])):
        writing.queries.froms.read_item(each, scope)
    name = writing.rules.parse_relation(table)
    known = scope.find_by_alias(name[0]) if len(name) == 1 else None
    if known is not None and known.relation is not None:
        return known.relation
    if not named:
        writing.queries.froms.read_item(table, scope)
    return name


def read_assignments(writing: ScriptEffects, pairs: Iterable[exp.Expr], scope: Scope) -> list[Column]:
    """`SET a = x, (b, c) = (SELECT ...)`: what goes into which column."""
    expressions = writing.queries.build_expressions(scope)
    columns: list[Column] = []
    for pair in pairs:
        if not isinstance(pair, exp.EQ | exp.PropertyEQ):
            continue
        if not isinstance(pair.this, exp.Tuple):
            columns.append(Column(_name_column(pair.this, scope), expressions.collect_sources(pair.expression, IDENTITY)))
            continue
        value = pair.expression
        if isinstance(value, exp.Query):
            table = writing.queries.read_subquery(value, scope)
            scope.reads.update(table.reads)
            given = [join_sources(column.sources, table.rows) for column in table.columns]
        else:
            given = [expressions.collect_sources(each, IDENTITY) for each in value.expressions]
        columns += [Column(_name_column(each, scope), sources) for each, sources in zip(pair.this.expressions, given, strict=False)]
    return columns


def _name_column(column: exp.Expr, scope: Scope) -> str:
    """The name of a column that is set: without its table, but with the structs that it is in."""
    if not isinstance(column, exp.Column):
        return scope.rules.spell_column(column)
    parts = [part for part in (column.args.get("catalog"), column.args.get("db"), column.args.get("table"), column.this) if part]
    for length in range(len(parts) - 1, 0, -1):
        if scope.find_qualified(parts[:length]) is not None:
            parts = parts[length:]
            break
    return ".".join(scope.rules.spell_column(part) for part in parts)


def add_condition(columns: Iterable[Column], sources: Sources) -> list[Column]:
    """Columns about which something decides as well."""
    deciding = apply_flow(sources, CONDITIONAL)
    return [Column(name, join_sources(own, deciding)) for name, own in columns]


def read_insert(writing: ScriptEffects, node: exp.Expr) -> None:
    """The columns of the query go into the target, by position or by name."""
    if not isinstance(node.this, exp.Schema | exp.Table):
        writing.notes.record_gap("INSERT into what is no table is not followed")
    elif (query := node.args.get("expression")) is not None:
        _insert_table(writing, node, writing.queries.read_query(query, writing.build_scope(node).ctes))


def _insert_table(writing: ScriptEffects, node: exp.Expr, table: Table) -> None:
    """Put what a query gives into the table of an INSERT."""
    schema = node.this if isinstance(node.this, exp.Schema) else None
    into = node.this if schema is None else schema.this
    target = writing.rules.parse_relation(into)
    if node.args.get("by_name"):
        columns = [*table.columns, Column("", table.collect_everything(()))]
    elif schema is None:
        columns = writing.place_columns(target, _list_open_columns(writing, target, into.args.get("partition")), table)
    else:
        names = [writing.rules.spell_column(each if isinstance(each, exp.Identifier) else each.this) for each in schema.expressions]
        columns = writing.place_columns(target, names, table)
    reads = dict(table.reads)
    if (conflict := node.args.get("conflict")) is not None:
        columns += _read_upsert(writing, conflict, into, Table(columns), reads)
    writing.write_columns(target, columns, table.rows, reads)


def _list_open_columns(writing: ScriptEffects, target: Relation, partition: exp.Expr | None) -> list[str]:
    """The columns that an INSERT without a list is about: all but those of a fixed partition."""
    given = partition.expressions if partition is not None else ()
    fixed = {writing.rules.spell_column(each.this.this).casefold() for each in given if isinstance(each, exp.EQ)}
    return [name for name in writing.known.list_names(target) if name.casefold() not in fixed]


def _read_upsert(writing: ScriptEffects, conflict: exp.Expr, into: exp.Expr, new: Table, reads: dict[Relation, None]) -> list[Column]:
    """`ON CONFLICT DO UPDATE SET a = excluded.a`, in MySQL `ON DUPLICATE KEY UPDATE a = VALUES(a)`."""
    for each in conflict.find_all(exp.Anonymous):
        if each.name.upper() == "VALUES" and len(each.expressions) == 1:
            name = each.expressions[0]
            each.replace(exp.column(name.this if isinstance(name, exp.Column) else name, table="excluded"))
    scope = writing.build_scope(conflict)
    writing.queries.froms.read_item(into, scope)
    scope.add_table("excluded", new, hidden=True)
    columns = read_assignments(writing, conflict.expressions, scope)
    if (where := conflict.args.get("where")) is not None:
        columns = add_condition(columns, writing.queries.build_expressions(scope).collect_sources(where, CONDITIONAL))
    reads.update(scope.reads)
    return columns


def read_multi_insert(writing: ScriptEffects, node: exp.Expr) -> None:
    """`INSERT ALL` and `FROM t INSERT INTO a SELECT ... INSERT INTO b SELECT ...`: one query for several tables."""
    source = node.args["source"]
    before: Sources = {}  # what decided about the ones before
    for each in node.expressions:
        into = each.this if isinstance(each, exp.ConditionalInsert) else each
        query = into.args.get("expression")
        if isinstance(query, exp.Select):
            query.set("from_", exp.From(this=source.copy()))
            read_insert(writing, into)
            continue
        scope = writing.build_scope(node)
        writing.queries.froms.read_item(source, scope)
        table = scope.tables[0][1] if query is None else writing.queries.froms.read_values(query, scope)
        condition = each.args.get("expression")
        own = {} if condition is None else writing.queries.build_expressions(scope).collect_sources(condition, FILTER)
        add_sources(scope.rows, own)
        if each.args.get("else_") or str(node.args.get("kind")).upper() == "FIRST":
            add_sources(scope.rows, before)
        add_sources(before, own)
        _insert_table(writing, into, table.adopt_rows(scope))


def read_merge(writing: ScriptEffects, node: exp.Expr) -> None:
    """The condition of an UPDATE decides about what it sets; that of a DELETE or an INSERT about the whole table."""
    scope = writing.build_scope(node)
    target = writing.rules.parse_relation(node.this)
    writing.queries.froms.read_item(node.this, scope)
    writing.queries.froms.read_item(node.args["using"], scope)
    expressions = writing.queries.build_expressions(scope)
    expressions.collect(node.args["on"], JOIN, scope.rows)
    columns: dict[str, Column] = {}
    for when in node.args["whens"].expressions:
        then = when.args["then"]
        condition = when.args.get("condition")
        written: list[Column] = []
        if isinstance(then, exp.Update):
            written = _read_merge_update(writing, then, target, scope)
            if condition is not None:
                written = add_condition(written, expressions.collect_sources(condition, CONDITIONAL))
        else:
            if condition is not None:
                expressions.collect(condition, FILTER, scope.rows)
            if isinstance(then, exp.Insert):
                written = _read_merge_insert(writing, then, target, scope)
        for column in written:
            add_sources(columns.setdefault(column.name.casefold(), Column(column.name, {})).sources, column.sources)
    writing.write_columns(target, list(columns.values()), scope.rows, scope.reads)


def _read_merge_update(writing: ScriptEffects, then: exp.Expr, target: Relation, scope: Scope) -> list[Column]:
    if any(isinstance(pair, exp.Star) for pair in then.expressions):
        return _match_by_name(writing, target, scope)
    return read_assignments(writing, then.expressions, scope)


def _read_merge_insert(writing: ScriptEffects, then: exp.Expr, target: Relation, scope: Scope) -> list[Column]:
    values = then.args.get("expression")
    if not values:  # INSERT *, INSERT ROW
        return _match_by_name(writing, target, scope)
    columns = then.this.expressions if then.this is not None else ()
    names = [writing.rules.spell_column(each.this if isinstance(each, exp.Column) else each) for each in columns]
    expressions = writing.queries.build_expressions(scope)
    row = values.expressions[0] if isinstance(values, exp.Values) else values
    given = row.expressions if isinstance(row, exp.Tuple) else [row]
    table = Table([Column("", expressions.collect_sources(value, IDENTITY)) for value in given])
    return writing.place_columns(target, names or writing.known.list_names(target), table)


def _match_by_name(writing: ScriptEffects, target: Relation, scope: Scope) -> list[Column]:
    """`UPDATE SET *` and `INSERT *`: every column of the target from the one of that name."""
    source = scope.tables[1][1]
    names = writing.known.list_names(target)
    if names:
        return [Column(name, scope.find_column(source, name)) for name in names]
    columns = [Column(column.name, dict(column.sources)) for column in source.columns]
    if source.gap is not None:
        writing.notes.record_gap(f"which columns {'.'.join(target)} takes over is not known")
        columns.append(Column("", dict.fromkeys([(relation, None) for relation in source.open], COPY)))
    return columns
