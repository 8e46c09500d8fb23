"""BigQuery: tables, views with their lineage, nested columns, keys and labels, and lineage from its jobs, from exported views.

The rows are those of INFORMATION_SCHEMA, as Google's reference documents them.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from pydantic import Field

from meshline.graph.model import Json
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.databases.catalog import (
    FOREIGN_KEY,
    FOREIGN_TABLE,
    MATERIALIZED_VIEW,
    PRIMARY_KEY,
    TABLE,
    VIEW,
    Column,
    Constraint,
    Query,
    Table,
    TablePath,
)
from meshline.ingest.sources.databases.exports import Row, Rows, Shape
from meshline.ingest.sources.databases.warehouse import Problems, Warehouse, group_rows, read_path

_TABLES = Shape("TABLES", frozenset({"table_catalog", "table_schema", "table_name", "table_type"}))
_COLUMNS = Shape("COLUMNS", frozenset({"table_schema", "table_name", "column_name", "ordinal_position", "data_type"}))
_FIELDS = Shape("COLUMN_FIELD_PATHS", frozenset({"table_schema", "table_name", "column_name", "field_path", "data_type"}))
_VIEWS = Shape("VIEWS", frozenset({"table_schema", "table_name", "view_definition"}))
_OPTIONS = Shape("TABLE_OPTIONS", frozenset({"table_schema", "table_name", "option_name", "option_value"}))
_STORAGE = Shape("TABLE_STORAGE", frozenset({"table_schema", "table_name", "total_rows"}))
_KEYS = Shape("KEY_COLUMN_USAGE", frozenset({"constraint_name", "table_schema", "table_name", "column_name", "ordinal_position"}))
_JOBS = Shape("JOBS", frozenset({"job_id", "query", "statement_type"}))

_KINDS = {"VIEW": VIEW, "MATERIALIZED VIEW": MATERIALIZED_VIEW, "EXTERNAL": FOREIGN_TABLE}


class BigQuery(Warehouse):
    """Projects of BigQuery, from files that were exported from their views."""

    kind: ClassVar[str] = "bigquery"
    dialect: ClassVar[str] = "bigquery"
    shapes: ClassVar[tuple[Shape, ...]] = (_TABLES, _COLUMNS, _FIELDS, _VIEWS, _OPTIONS, _STORAGE, _KEYS, _JOBS)
    namespace: str = Field(default="bigquery", max_length=1000, description="The namespace of the tables, as in OpenLineage's events.")

    def build_namespace(self, context: Context) -> str:
        return context.resolve_namespace(self.namespace)

    def build_tables(self, rows: Rows, problems: Problems) -> list[Table]:
        nested = group_rows(problems.collect(rows[_FIELDS.name], _read_field))
        columns = group_rows(problems.collect(rows[_COLUMNS.name], _read_column))
        texts = dict(problems.collect(rows[_VIEWS.name], lambda row: (_read_name(row), row.get_text("view_definition"))))
        options = group_rows(problems.collect(rows[_OPTIONS.name], _read_option))
        sizes = dict(problems.collect(rows[_STORAGE.name], _read_size))
        keys = group_rows(problems.collect(rows[_KEYS.name], _read_key))

        def build(row: Row) -> Table:
            path = _read_name(row)
            given = dict(options.get(path, []))
            count, size = sizes.get(path, (None, None))
            others: dict[str, Json] = {}
            if partition := [column.name for column, marks in columns.get(path, []) if "partition" in marks]:
                others["partition_columns"] = list[Json](partition)
            return Table(
                path=path,
                kind=_KINDS.get(row.get_text("table_type").upper(), TABLE),
                columns=tuple(_merge_columns([column for column, _ in columns.get(path, [])], nested.get(path, []))),
                constraints=_build_keys(keys.get(path, [])),
                description=_unquote(given.get("description", "")),
                sql=texts.get(path, ""),
                rows=count,
                bytes=size,
                tags=_parse_labels(given.get("labels", "")),
                others=others,
            )

        return problems.collect([one for one in rows[_TABLES.name] if one.get_text("table_schema").upper() != "INFORMATION_SCHEMA"], build)

    def build_queries(self, rows: Rows, problems: Problems) -> list[Query]:
        return problems.collect(rows[_JOBS.name], _read_job)


def _read_name(row: Row) -> TablePath:
    return read_path(row, ("table_catalog", "project_id"), ("table_schema",), ("table_name",))


def _read_column(row: Row) -> tuple[TablePath, tuple[Column, frozenset[str]]]:
    column = Column(
        name=row.get_text("column_name"),
        position=row.get_integer("ordinal_position") or 0,
        type=row.get_text("data_type"),
        nullable=row.get_flag("is_nullable"),
        default="" if row.get_text("column_default") == "NULL" else row.get_text("column_default"),
        generated=row.get_text("generation_expression"),
        description=row.get_text("description"),
    )
    return _read_name(row), (column, frozenset({"partition"} if row.get_flag("is_partitioning_column") else ()))


def _read_field(row: Row) -> tuple[TablePath, tuple[str, Column]]:
    """A field of a column, as a column with a dotted path, and the column that it is in."""
    field = Column(row.get_text("field_path"), 0, row.get_text("data_type"), description=row.get_text("description"))
    return _read_name(row), (row.get_text("column_name"), field)


def _merge_columns(columns: list[Column], fields: list[tuple[str, Column]]) -> list[Column]:
    """The columns in order, each followed by the fields in it; the description of a column is in its own field."""
    inside: dict[str, list[Column]] = {}
    for name, field in fields:
        inside.setdefault(name, []).append(field)
    listed = sorted(columns, key=lambda one: one.position) or [Column(name, 0, "") for name in inside]
    merged: list[Column] = []
    for column in listed:
        own = next((one for one in inside.get(column.name, ()) if one.name == column.name), column)
        merged.append(column._replace(type=column.type or own.type, description=column.description or own.description))
        merged += [one for one in inside.get(column.name, ()) if one.name != column.name]
    return [one._replace(position=place) for place, one in enumerate(merged, start=1)]


def _read_option(row: Row) -> tuple[TablePath, tuple[str, str]]:
    return _read_name(row), (row.get_text("option_name"), row.get_text("option_value"))


def _unquote(text: str) -> str:
    """The value of an option, which is written as a literal of SQL: `"the \\"orders\\""`."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(msgspec.json.decode(text))
        except msgspec.MsgspecError:
            return text[1:-1]
    return text


def _parse_labels(text: str) -> tuple[str, ...]:
    """The labels in `[STRUCT("team", "sales"), STRUCT("pii", "")]`."""
    found: list[str] = []
    for part in text.split("STRUCT(")[1:]:
        texts = part.split('"')[1::2]
        if len(texts) >= 2:
            found.append(f"{texts[0]}={texts[1]}" if texts[1] else texts[0])
    return tuple(sorted(found))


def _read_size(row: Row) -> tuple[TablePath, tuple[int | None, int | None]]:
    return _read_name(row), (row.get_integer("total_rows"), row.get_integer("total_logical_bytes"))


def _read_key(row: Row) -> tuple[TablePath, tuple[str, int, str]]:
    return _read_name(row), (row.get_text("constraint_name"), row.get_integer("ordinal_position") or 0, row.get_text("column_name"))


def _build_keys(found: list[tuple[str, int, str]]) -> tuple[Constraint, ...]:
    """A primary key is called `table.pk$`, a foreign one `table.name`."""
    names = dict.fromkeys(name for name, _, _ in found)
    return tuple(
        Constraint(
            name.rpartition(".")[2],
            PRIMARY_KEY if name.endswith("pk$") else FOREIGN_KEY,
            tuple(column for other, _, column in sorted(found) if other == name),
        )
        for name in names
    )


def _read_job(row: Row) -> Query | None:
    """A job that ended well, and was no script, whose statements are jobs of their own."""
    if row.get_text("error_result") not in ("", "null") or row.get_text("state") not in ("", "DONE"):
        return None
    if row.get_text("statement_type").upper() == "SCRIPT":
        return None
    written = _read_table(row.get_json("destination_table"))
    reads = row.get_json("referenced_tables")
    return Query(
        sql=row.get_text("query"),
        time=row.get_time("end_time") or row.get_time("creation_time"),
        reads=tuple(path for one in reads if (path := _read_table(one))) if isinstance(reads, list) else (),
        writes=(written,) if written else (),
        defaults=(row.get_text("project_id"), ""),
        id=f"{row.get_text('project_id')}:{row.get_text('job_id')}",
        user=row.get_text("user_email"),
    )


def _read_table(value: Any) -> TablePath:
    """The name of a table in JOBS; () for results that are kept for a day in a dataset whose name begins with `_`."""
    if not isinstance(value, dict):
        return ()
    path = tuple(str(value.get(name) or "") for name in ("project_id", "dataset_id", "table_id"))
    return path if all(path) and not path[1].startswith("_") else ()
