"""CREATE TABLE and CREATE VIEW: the definitions that they contain, with types as the table's format names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlglot import exp

from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.changes.alignment import parse_partition
from meshline.ingest.changes.edited_tables import EditedTable, EditedTables
from meshline.sql.dialects import DialectRules
from meshline.sql.script import Piece, ScriptReader
from meshline.sql.statement_lineage import Lineage

_T = exp.DType
_WHOLE = {"iceberg": "int int int long", "delta": "byte short integer long"}
_TIMES = {"iceberg": ("timestamptz", "timestamp"), "delta": ("timestamp", "timestamp_ntz")}
_TEXTS = frozenset({_T.TEXT, _T.VARCHAR, _T.CHAR, _T.NVARCHAR, _T.NCHAR})
_ZONED = frozenset({_T.TIMESTAMPTZ, _T.TIMESTAMPLTZ})
_UNZONED = frozenset({_T.TIMESTAMP, _T.TIMESTAMPNTZ, _T.DATETIME})
_PLAIN = {_T.BOOLEAN: "boolean", _T.FLOAT: "float", _T.DOUBLE: "double", _T.DATE: "date", _T.BINARY: "binary", _T.VARBINARY: "binary"}


def format_type(kind: exp.Expr, rules: DialectRules, format: str) -> str:  # noqa: A002 - as Definition calls it
    """A type as Iceberg or Delta names it if the table has that format; else as the dialect writes it."""
    written = kind.sql(rules.dialect).lower()
    if format not in _WHOLE or not isinstance(kind, exp.DataType):
        return written
    if kind.this in _TEXTS:
        return "string"
    if kind.this is _T.DECIMAL:
        sizes = [one.name for one in kind.expressions]
        return f"decimal({','.join([*sizes, '0'][:2])})" if sizes else written
    if kind.this in _ZONED | _UNZONED:
        return _TIMES[format][0 if kind.this in _ZONED else 1]
    if kind.args.get("nested"):
        return _format_nested(kind, rules, format) or written
    whole = dict(zip((_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT), _WHOLE[format].split(), strict=True))
    return whole.get(kind.this) or _PLAIN.get(kind.this) or written


def _format_nested(kind: exp.DataType, rules: DialectRules, format: str) -> str:  # noqa: A002
    """The type of a struct, a list or a map; empty for any other type."""
    inner = kind.expressions
    if kind.this is _T.STRUCT and all(isinstance(one, exp.ColumnDef) for one in inner):
        parts = (f"{get_column_name(one.this, rules)}: {format_type(one.args['kind'], rules, format)}" for one in inner)
        return f"struct<{', '.join(parts)}>"
    words = {(_T.ARRAY, 1): "list" if format == "iceberg" else "array", (_T.MAP, 2): "map"}
    word = words.get((kind.this, len(inner)), "")
    return f"{word}<{', '.join(format_type(one, rules, format) for one in inner)}>" if word else ""


def get_column_name(node: exp.Expr, rules: DialectRules) -> str:
    """A column's name, nested ones as a dotted path."""
    if isinstance(node, exp.Dot):
        return f"{get_column_name(node.this, rules)}.{get_column_name(node.expression, rules)}"
    if isinstance(node, exp.Column):
        parts = [node.args.get(part) for part in ("catalog", "db", "table", "this")]
        return ".".join(rules.spell_column(part) for part in parts if part is not None)
    return rules.spell_column(node if isinstance(node, exp.Identifier) else node.this)


def build_field(node: exp.ColumnDef, rules: DialectRules, format: str) -> Field:  # noqa: A002
    """A field from a column definition, with its own constraints."""
    kind = node.args.get("kind")
    enum: tuple[Any, ...] = ()
    if isinstance(kind, exp.DataType) and kind.this is _T.ENUM:
        enum = tuple(one.name for one in kind.expressions)
    nullable = kind.args.get("nullable") if isinstance(kind, exp.DataType) else None
    field = Field(
        name=get_column_name(node.this, rules),
        type="enum" if enum else "" if kind is None else format_type(kind, rules, format),
        required=bool(nullable is False),
        enum=enum,
    )
    for constraint in node.args.get("constraints") or ():
        field = msgspec.structs.replace(field, **_read_constraint(constraint.args.get("kind"), field.name, rules))
    return field


def _read_constraint(kind: exp.Expr | None, name: str, rules: DialectRules) -> dict[str, Any]:
    if isinstance(kind, exp.NotNullColumnConstraint):
        return {"required": not kind.args.get("allow_null")}
    if isinstance(kind, exp.PrimaryKeyColumnConstraint):
        return {"primary_key": True, "required": True}
    if isinstance(kind, exp.UniqueColumnConstraint):
        return {"unique": True}
    if isinstance(kind, exp.CommentColumnConstraint):
        return {"description": kind.this.name}
    if isinstance(kind, exp.CheckColumnConstraint):
        return {key: value for column, values in read_check(kind.this, rules).items() if column == name for key, value in values.items()}
    return {}


class Constraint(NamedTuple):
    """The effect of a table constraint: values of fields by column. `unread`: a description of the part that fields cannot express."""

    name: str
    columns: Mapping[str, Mapping[str, Any]]
    unread: str = ""


def read_constraints(nodes: Iterable[exp.Expr], rules: DialectRules, name: str = "") -> Iterator[Constraint]:
    for node in nodes:
        if isinstance(node, exp.Constraint):
            parts = node.expressions
            if len(parts) > 1:  # T-SQL: PRIMARY KEY CLUSTERED (x)
                names = [get_column_name(one, rules) for part in parts[1:] for one in part.find_all(exp.Column)]
                yield Constraint(rules.spell_column(node.this), _build_keys(parts[0], names))
            else:
                yield from read_constraints(parts, rules, rules.spell_column(node.this))
        elif isinstance(node, exp.PrimaryKey):
            yield Constraint(name, _build_keys(node, _list_names(node.expressions, rules)))
        elif isinstance(node, exp.UniqueColumnConstraint):
            names = _list_names(node.this.expressions if node.this is not None else [], rules)
            yield Constraint(name, _build_keys(node, names), "UNIQUE over several columns" if len(names) > 1 else "")
        elif isinstance(node, exp.CheckColumnConstraint | exp.Check):
            found = read_check(node.this, rules)
            yield Constraint(name, found, "" if found else f"CHECK ({node.this.sql(rules.dialect)[:100]})")
        elif isinstance(node, exp.ForeignKey):
            target = node.args.get("reference")
            to = target.this.sql(rules.dialect) if target is not None else ""
            yield Constraint(name, {one: {"references": (to,)} for one in _list_names(node.expressions, rules)})


def _build_keys(node: exp.Expr, names: list[str]) -> dict[str, dict[str, Any]]:
    if isinstance(node, exp.PrimaryKey | exp.PrimaryKeyColumnConstraint):
        return {name: {"primary_key": True, "required": True} for name in names}
    return {name: {"unique": True} for name in names} if len(names) == 1 else {}


def _list_names(nodes: Iterable[exp.Expr], rules: DialectRules) -> list[str]:
    return [get_column_name(one.this if isinstance(one, exp.Ordered) else one, rules) for one in nodes]


def read_check(node: exp.Expr, rules: DialectRules) -> dict[str, dict[str, Any]]:
    """Read `x IN (...)`, bounds, and several of these with AND; empty if any part is another condition."""
    node = node.unnest()
    if isinstance(node, exp.And):
        both = [read_check(one, rules) for one in (node.this, node.expression)]
        return {} if not all(both) else {name: {**both[0].get(name, {}), **both[1].get(name, {})} for name in {**both[0], **both[1]}}
    column = node.this
    if not isinstance(column, exp.Column):
        return {}
    name = get_column_name(column, rules)
    if isinstance(node, exp.In) and node.expressions and all(isinstance(one, exp.Literal) for one in node.expressions):
        return {name: {"enum": tuple(one.to_py() for one in node.expressions)}}
    if isinstance(node, exp.Between):
        low, high = (_parse_number(node.args[key]) for key in ("low", "high"))
        return {} if low is None or high is None else {name: {"minimum": low, "maximum": high}}
    bound = next((key for class_, key in _BOUNDS.items() if isinstance(node, class_)), None)
    value = _parse_number(node.expression) if bound is not None else None
    return {} if bound is None or value is None else {name: {bound: value}}


def _parse_number(node: exp.Expr) -> Any:
    try:
        value = node.to_py()
    except ValueError:
        return None
    return float(value) if isinstance(node.find(exp.Literal), exp.Literal) and not isinstance(value, int | str | float) else value


_BOUNDS: Mapping[type[exp.Expr], str] = {
    exp.GTE: "minimum",
    exp.LTE: "maximum",
    exp.GT: "exclusive_minimum",
    exp.LT: "exclusive_maximum",
}


def read_partitioning(create: exp.Expr, rules: DialectRules) -> list[str]:
    """The partitioning of a table in its CREATE statement."""
    properties = create.args.get("properties")
    found: list[str] = []
    for one in properties.expressions if properties is not None else ():
        if isinstance(one, exp.PartitionedByProperty):
            parts = one.this.expressions if isinstance(one.this, exp.Schema | exp.Tuple) else [one.this]
            found += [_format_partition(part, rules) for part in parts]
        elif isinstance(one, exp.Property) and one.name.lower() == "partitioning" and isinstance(one.args.get("value"), exp.Array):
            found += [parse_partition(part.name) for part in one.args["value"].expressions]
    return found


def _format_partition(node: exp.Expr, rules: DialectRules) -> str:
    if isinstance(node, exp.ColumnDef):  # Hive's: the column is defined only here
        return get_column_name(node.this, rules)
    return parse_partition(node.sql(rules.dialect) if not isinstance(node, exp.Identifier | exp.Column) else get_column_name(node, rules))


class DefinitionBuilder:
    """Builds definitions within a script. `warnings`: receives sentences about what could not be determined."""

    def __init__(self, rules: DialectRules, tables: EditedTables, warnings: list[str]) -> None:
        self._rules = rules
        self._tables = tables
        self._warnings = warnings

    def build_definition(self, node: exp.Expr, piece: Piece, old: EditedTable | None) -> Definition:
        """The definition in a CREATE statement. `old`: the table that had the name before."""
        schema = node.this if isinstance(node.this, exp.Schema) else None
        relation = self._tables.complete_name(self._rules.parse_relation(node.this if schema is None else schema.this))
        kind = str(node.args["kind"]).lower()
        query = node.args.get("expression")
        format_ = self._decide_format(node, old)
        fields = [one for each in (schema.expressions if schema is not None else ()) for one in self._build_fields(each, format_)]
        properties = node.args.get("properties")
        for one in properties.expressions if properties is not None else ():
            if isinstance(one, exp.PartitionedByProperty) and isinstance(one.this, exp.Schema):
                fields += [build_field(each, self._rules, format_) for each in one.this.expressions if isinstance(each, exp.ColumnDef)]
            elif isinstance(one, exp.LikeProperty):
                fields += self._build_fields(one, format_)
        if isinstance(query, exp.Query):
            fields = self._build_query_fields(piece, [field.name for field in fields], ".".join(relation), old)
        elif (clone := node.args.get("clone")) is not None:
            fields = list(self._tables.get_table(self._rules.parse_relation(clone.this)).definition.model.fields)
        materialized = properties is not None and properties.find(exp.MaterializedProperty) is not None
        view = query if kind == "view" and isinstance(query, exp.Query) else None
        return Definition(
            Model(name=".".join(relation), fields=tuple({field.name: field for field in fields}.values())),
            format=format_,
            kind="materialized view" if materialized else kind,
            partitioning=tuple(read_partitioning(node, self._rules)),
            sql=view.sql(self._rules.dialect) if view is not None else "",
            dialect=self._rules.name if view is not None else "",
        )

    def _decide_format(self, node: exp.Expr, old: EditedTable | None) -> str:
        """Iceberg or Delta if the statement states it or the old table had it; else the dialect."""
        properties = node.args.get("properties")
        stated = [one.this.name.lower() for one in properties.find_all(exp.FileFormatProperty)] if properties is not None else []
        known = [] if stated or old is None or old.now is None else [old.now.format]
        return next((one for one in (*stated, *known) if one in ("iceberg", "delta")), self._rules.name)

    def _build_fields(self, node: exp.Expr, format: str) -> list[Field]:  # noqa: A002 - as Definition calls it
        if isinstance(node, exp.LikeProperty):
            return list(self._tables.get_table(self._rules.parse_relation(node.this)).definition.model.fields)
        if isinstance(node, exp.Identifier):  # of a view
            return [Field(name=self._rules.spell_column(node))]
        return [build_field(node, self._rules, format)] if isinstance(node, exp.ColumnDef) else []

    def _build_query_fields(self, piece: Piece, names: Sequence[str], name: str, old: EditedTable | None) -> list[Field]:
        """The columns of a query. The query does not state types: columns that keep their names keep their old types."""
        before = {field.name.casefold(): field for field in (old.list_old_fields() if old is not None else ())}
        if not names:
            reader = ScriptReader(self._rules.name, self._tables.list_columns, self._tables.defaults)
            found = [one for one in reader.read_script(piece.text, piece.file) if isinstance(one, Lineage)]
            names = next((one.columns for one in found if one.columns), ())
        if not names:
            self._warnings.append(f"{piece.where}: the columns of {name} are not known, so they are not compared")
            return list(before.values())
        return [msgspec.structs.replace(before.get(one.casefold(), Field(name=one)), name=one) for one in names]
