"""All statements: which are read, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp

from meshline.sql.dml import read_delete, read_insert, read_merge, read_multi_insert, read_update
from meshline.sql.query_scopes import Column, Table
from meshline.sql.script_effects import ScriptEffects
from meshline.sql.statement_lineage import Lineage, Relation

Step: TypeAlias = Callable[[ScriptEffects, exp.Expr], None]


RESULT: Relation = ("", "", "result")  # of a query that defines nothing: of what it shows, each column counts, also without a name


def read_statement(writing: ScriptEffects, node: exp.Expr, target: Relation | None = None) -> list[Lineage]:
    """What one statement does. `target`: what a bare query defines; RESULT if it only reads."""
    writing.found = []
    writing.notes.begin()
    if isinstance(node, exp.Query) and target is not None:
        table = writing.queries.read_query(node, {})
        is_result = target == RESULT and table.gap is None
        names = [column.name or f"column {place}" for place, column in enumerate(table.columns, start=1)] if is_result else ()
        writing.define_table(target, table, names)
    else:
        dispatch_statement(writing, node)
    if writing.notes.unresolved:  # of a temporary table, or of something that is not read
        writing.record_statement(None)
    return writing.found


def dispatch_statement(writing: ScriptEffects, node: exp.Expr) -> None:
    """Read any statement. Those without a step do nothing to lineage: GRANT, SET, ANALYZE, COMMIT, ..."""
    step = next((step for classes, step in _STEPS if isinstance(node, classes)), None)
    if step is not None:
        step(writing, node)


def _read_query(writing: ScriptEffects, node: exp.Expr) -> None:
    table = writing.queries.read_query(node, {})
    into = node.args.get("into")
    if into is None:
        writing.record_statement(None, table.reads)
    else:
        writing.define_table(writing.rules.parse_relation(into.this), table, temporary=_is_temporary(into, into.this))


def _read_create(writing: ScriptEffects, node: exp.Expr) -> None:
    kind = (node.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW"):
        if kind in ("PROCEDURE", "TRIGGER"):
            writing.notes.record_gap(f"CREATE {kind}: what it does is not read")
        return
    schema = node.this if isinstance(node.this, exp.Schema) else None
    table = node.this if schema is None else schema.this
    target = writing.rules.parse_relation(table)
    names = _list_declared(writing, schema, node)
    temporary = _is_temporary(node, table)
    if (query := node.args.get("expression")) is not None:
        writing.define_table(target, writing.queries.read_query(query, {}), names, kind=kind, temporary=temporary)
    elif (clone := node.args.get("clone")) is not None:
        writing.define_table(target, writing.known.get_table(writing.rules.parse_relation(clone.this)), temporary=temporary)
    elif temporary:
        writing.known.temporary[target] = Table([Column(name, {}) for name in names])
    elif names:
        writing.known.define_table(target, names)
        writing.record_statement(target, names=names, defines=kind)


def _list_declared(writing: ScriptEffects, schema: exp.Expr | None, node: exp.Expr) -> list[str]:
    """The columns that a CREATE lists, those that are in PARTITIONED BY alone (Hive) at the end."""
    rules = writing.rules
    properties = node.args.get("properties")
    likes = [each for each in properties.expressions if isinstance(each, exp.LikeProperty)] if properties is not None else []
    partitions = properties.find(exp.PartitionedByProperty) if properties is not None else None
    of_partitions = partitions.this.expressions if partitions is not None and isinstance(partitions.this, exp.Schema) else []
    names: list[str] = []
    for each in (*(schema.expressions if schema is not None else ()), *likes):
        if isinstance(each, exp.LikeProperty):
            names += [column.name for column in writing.known.get_table(rules.parse_relation(each.this)).columns]
        elif isinstance(each, exp.ColumnDef | exp.Identifier):
            names.append(rules.spell_column(each if isinstance(each, exp.Identifier) else each.this))
    names += [rules.spell_column(each.this) for each in of_partitions if isinstance(each, exp.ColumnDef)]
    return list(dict.fromkeys(names))


def _is_temporary(node: exp.Expr, table: exp.Expr) -> bool:
    properties = node.args.get("properties")
    marked = properties is not None and properties.find(exp.TemporaryProperty) is not None
    return bool(marked or node.args.get("temporary") or table.this.args.get("temporary"))


def _read_cache(writing: ScriptEffects, node: exp.Expr) -> None:
    if (query := node.args.get("expression")) is not None:
        writing.define_table(writing.rules.parse_relation(node.this), writing.queries.read_query(query, {}), temporary=True)


def _read_alter(writing: ScriptEffects, node: exp.Expr) -> None:
    """A table that is renamed goes on under the new name; columns are added to, and dropped from, those that are known."""
    if not isinstance(node.this, exp.Table):
        return
    old = writing.rules.parse_relation(node.this)
    names = list(writing.known.list_names(old))
    for action in node.args.get("actions") or ():
        if isinstance(action, exp.AlterRename):
            new = writing.rules.parse_relation(action.this)
            table = writing.known.get_table(old)
            writing.known.temporary.pop(old, None)
            writing.define_table((*old[:-1], *new) if len(new) == 1 else new, table)
        elif names and old not in writing.known.temporary:
            _alter_column(writing, action, names)
            writing.known.define_table(old, names)


def _alter_column(writing: ScriptEffects, action: exp.Expr, names: list[str]) -> None:
    if isinstance(action, exp.ColumnDef):
        names.append(writing.rules.spell_column(action.this))
    elif isinstance(action, exp.Drop):
        gone = {
            writing.rules.spell_column(each.this).casefold() for each in action.args.get("tables") or () if isinstance(each, exp.Column)
        }
        names[:] = [name for name in names if name.casefold() not in gone]
    elif isinstance(action, exp.RenameColumn):
        before, after = (writing.rules.spell_column(each.this) for each in (action.this, action.args["to"]))
        names[:] = [after if name.casefold() == before.casefold() else name for name in names]


def _read_drop(writing: ScriptEffects, node: exp.Expr) -> None:
    for table in (node.this, *(node.args.get("tables") or ())):
        if isinstance(table, exp.Table):
            writing.known.temporary.pop(writing.rules.parse_relation(table), None)


def _read_use(writing: ScriptEffects, node: exp.Expr) -> None:
    if isinstance(node.this, exp.Table):
        kind = node.args.get("kind")
        writing.known.use_schema(writing.rules.parse_relation(node.this), "" if kind is None else kind.name.upper())


def _read_block(writing: ScriptEffects, node: exp.Expr) -> None:
    for child in node.iter_expressions():
        dispatch_statement(writing, child)


def _read_declare(writing: ScriptEffects, node: exp.Expr) -> None:
    writing.notes.variables |= {name.name.casefold() for item in node.expressions for name in item.args.get("this") or ()}


def _note_copy(writing: ScriptEffects, _: exp.Expr) -> None:
    writing.notes.record_gap("COPY is not followed")


def _note_command(writing: ScriptEffects, node: exp.Expr) -> None:
    """What sqlglot leaves as text."""
    if node.name.upper() in ("CALL", "CREATE", "DO", "EXEC", "EXECUTE", "UNLOAD"):
        writing.notes.record_gap(f"{node.name.upper()}: what it does is not read")


_STEPS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Step], ...] = (
    (exp.Query, _read_query),
    (exp.Create, _read_create),
    (exp.Insert, read_insert),
    (exp.Update, read_update),
    (exp.Delete, read_delete),
    (exp.Merge, read_merge),
    (exp.MultitableInserts, read_multi_insert),
    (exp.Alter, _read_alter),
    (exp.Drop, _read_drop),
    (exp.Cache, _read_cache),
    (exp.Use, _read_use),
    ((exp.Block, exp.IfBlock), _read_block),
    (exp.Declare, _read_declare),
    (exp.Copy, _note_copy),
    (exp.Command, _note_command),
)
