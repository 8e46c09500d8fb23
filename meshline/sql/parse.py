"""All statements: which are read, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp

from meshline.sql.dml import delete, insert, insert_several, merge, update
from meshline.sql.scopes import Column, Table
from meshline.sql.script_effects import Writing
from meshline.sql.statement_lineage import Lineage, Relation

Step: TypeAlias = Callable[[Writing, exp.Expr], None]


def read(writing: Writing, node: exp.Expr, target: Relation | None = None) -> list[Lineage]:
    """What one statement does. `target`: what a bare query defines."""
    writing.found = []
    writing.notes.begin()
    if isinstance(node, exp.Query) and target is not None:
        writing.define(target, writing.queries.read(node, {}))
    else:
        statement(writing, node)
    if writing.notes.said:  # of a temporary table, or of something that is not read
        writing.said(None)
    return writing.found


def statement(writing: Writing, node: exp.Expr) -> None:
    """Read any statement. Those without a step do nothing to lineage: GRANT, SET, ANALYZE, COMMIT, ..."""
    step = next((step for classes, step in _STEPS if isinstance(node, classes)), None)
    if step is not None:
        step(writing, node)


def _query(writing: Writing, node: exp.Expr) -> None:
    table = writing.queries.read(node, {})
    into = node.args.get("into")
    if into is None:
        writing.said(None, table.reads)
    else:
        writing.define(writing.rules.relation(into.this), table, temporary=_is_temporary(into, into.this))


def _create(writing: Writing, node: exp.Expr) -> None:
    kind = (node.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW"):
        if kind in ("PROCEDURE", "TRIGGER"):
            writing.notes.say(f"CREATE {kind}: what it does is not read")
        return
    schema = node.this if isinstance(node.this, exp.Schema) else None
    table = node.this if schema is None else schema.this
    target = writing.rules.relation(table)
    names = _declared(writing, schema, node)
    temporary = _is_temporary(node, table)
    if (query := node.args.get("expression")) is not None:
        writing.define(target, writing.queries.read(query, {}), names, kind=kind, temporary=temporary)
    elif (clone := node.args.get("clone")) is not None:
        writing.define(target, writing.known.table(writing.rules.relation(clone.this)), temporary=temporary)
    elif temporary:
        writing.known.temporary[target] = Table([Column(name, {}) for name in names])
    elif names:
        writing.known.define(target, names)
        writing.said(target, names=names, defines=kind)


def _declared(writing: Writing, schema: exp.Expr | None, node: exp.Expr) -> list[str]:
    """The columns that a CREATE lists, those that are in PARTITIONED BY alone (Hive) at the end."""
    rules = writing.rules
    properties = node.args.get("properties")
    likes = [each for each in properties.expressions if isinstance(each, exp.LikeProperty)] if properties is not None else []
    partitions = properties.find(exp.PartitionedByProperty) if properties is not None else None
    of_partitions = partitions.this.expressions if partitions is not None and isinstance(partitions.this, exp.Schema) else []
    names: list[str] = []
    for each in (*(schema.expressions if schema is not None else ()), *likes):
        if isinstance(each, exp.LikeProperty):
            names += [column.name for column in writing.known.table(rules.relation(each.this)).columns]
        elif isinstance(each, exp.ColumnDef | exp.Identifier):
            names.append(rules.column(each if isinstance(each, exp.Identifier) else each.this))
    names += [rules.column(each.this) for each in of_partitions if isinstance(each, exp.ColumnDef)]
    return list(dict.fromkeys(names))


def _is_temporary(node: exp.Expr, table: exp.Expr) -> bool:
    properties = node.args.get("properties")
    marked = properties is not None and properties.find(exp.TemporaryProperty) is not None
    return bool(marked or node.args.get("temporary") or table.this.args.get("temporary"))


def _cache(writing: Writing, node: exp.Expr) -> None:
    if (query := node.args.get("expression")) is not None:
        writing.define(writing.rules.relation(node.this), writing.queries.read(query, {}), temporary=True)


def _alter(writing: Writing, node: exp.Expr) -> None:
    """A table that is renamed goes on under the new name; columns are added to, and dropped from, those that are known."""
    if not isinstance(node.this, exp.Table):
        return
    old = writing.rules.relation(node.this)
    names = list(writing.known.names(old))
    for action in node.args.get("actions") or ():
        if isinstance(action, exp.AlterRename):
            new = writing.rules.relation(action.this)
            table = writing.known.table(old)
            writing.known.temporary.pop(old, None)
            writing.define((*old[:-1], *new) if len(new) == 1 else new, table)
        elif names and old not in writing.known.temporary:
            _alter_column(writing, action, names)
            writing.known.define(old, names)


def _alter_column(writing: Writing, action: exp.Expr, names: list[str]) -> None:
    if isinstance(action, exp.ColumnDef):
        names.append(writing.rules.column(action.this))
    elif isinstance(action, exp.Drop):
        gone = {writing.rules.column(each.this).casefold() for each in action.args.get("tables") or () if isinstance(each, exp.Column)}
        names[:] = [name for name in names if name.casefold() not in gone]
    elif isinstance(action, exp.RenameColumn):
        before, after = (writing.rules.column(each.this) for each in (action.this, action.args["to"]))
        names[:] = [after if name.casefold() == before.casefold() else name for name in names]


def _drop(writing: Writing, node: exp.Expr) -> None:
    for table in (node.this, *(node.args.get("tables") or ())):
        if isinstance(table, exp.Table):
            writing.known.temporary.pop(writing.rules.relation(table), None)


def _use(writing: Writing, node: exp.Expr) -> None:
    if isinstance(node.this, exp.Table):
        kind = node.args.get("kind")
        writing.known.use(writing.rules.relation(node.this), "" if kind is None else kind.name.upper())


def _block(writing: Writing, node: exp.Expr) -> None:
    for child in node.iter_expressions():
        statement(writing, child)


def _declare(writing: Writing, node: exp.Expr) -> None:
    writing.notes.variables |= {name.name.casefold() for item in node.expressions for name in item.args.get("this") or ()}


def _copy(writing: Writing, _: exp.Expr) -> None:
    writing.notes.say("COPY is not followed")


def _command(writing: Writing, node: exp.Expr) -> None:
    """What sqlglot leaves as text."""
    if node.name.upper() in ("CALL", "CREATE", "DO", "EXEC", "EXECUTE", "UNLOAD"):
        writing.notes.say(f"{node.name.upper()}: what it does is not read")


_STEPS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Step], ...] = (
    (exp.Query, _query),
    (exp.Create, _create),
    (exp.Insert, insert),
    (exp.Update, update),
    (exp.Delete, delete),
    (exp.Merge, merge),
    (exp.MultitableInserts, insert_several),
    (exp.Alter, _alter),
    (exp.Drop, _drop),
    (exp.Cache, _cache),
    (exp.Use, _use),
    ((exp.Block, exp.IfBlock), _block),
    (exp.Declare, _declare),
    (exp.Copy, _copy),
    (exp.Command, _command),
)
