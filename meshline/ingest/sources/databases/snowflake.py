"""Snowflake: tables, views with their lineage, keys and tags, and lineage from its query history, from exported views.

The rows are those of INFORMATION_SCHEMA or SNOWFLAKE.ACCOUNT_USAGE, as Snowflake's reference documents them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from meshline.ingest.sources.base import Context
from meshline.ingest.sources.databases.catalog import (
    FOREIGN_TABLE,
    MATERIALIZED_VIEW,
    PRIMARY_KEY,
    TABLE,
    VIEW,
    Column,
    ColumnSource,
    Constraint,
    Query,
    Table,
    TablePath,
)
from meshline.ingest.sources.databases.exports import Row, Rows, Shape
from meshline.ingest.sources.databases.warehouse import Problems, Warehouse, format_sized_type, group_rows, read_path

_TABLES = Shape("TABLES", frozenset({"table_schema", "table_name", "table_type"}))
_COLUMNS = Shape("COLUMNS", frozenset({"table_schema", "table_name", "column_name", "ordinal_position", "data_type"}))
_VIEWS = Shape("VIEWS", frozenset({"table_schema", "table_name", "view_definition"}))
_PRIMARY_KEYS = Shape("SHOW PRIMARY KEYS", frozenset({"schema_name", "table_name", "column_name", "key_sequence", "constraint_name"}))
_TAGS = Shape("TAG_REFERENCES", frozenset({"tag_name", "object_name", "domain"}))
_QUERIES = Shape("QUERY_HISTORY", frozenset({"query_id", "query_text"}))
_ACCESS = Shape("ACCESS_HISTORY", frozenset({"query_id", "objects_modified"}))

_KINDS = {
    "VIEW": VIEW,
    "MATERIALIZED VIEW": MATERIALIZED_VIEW,
    "EXTERNAL TABLE": FOREIGN_TABLE,
}
_TABLE_DOMAINS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW", "EXTERNAL TABLE", "DYNAMIC TABLE", "ICEBERG TABLE", "STREAM"})


class Snowflake(Warehouse):
    """A Snowflake account, from files that were exported from its views."""

    kind: ClassVar[str] = "snowflake"
    dialect: ClassVar[str] = "snowflake"
    shapes: ClassVar[tuple[Shape, ...]] = (_TABLES, _COLUMNS, _VIEWS, _PRIMARY_KEYS, _TAGS, _QUERIES, _ACCESS)
    system_schemas: ClassVar[frozenset[str]] = frozenset({"information_schema", "account_usage"})
    account: str = Field(
        min_length=1,
        max_length=500,
        description="The account as in OpenLineage's events: organisation-account, or snowflake://...",
    )

    def build_namespace(self, context: Context) -> str:
        name = context.resolve_namespace(self.account)
        return name if "://" in name else f"snowflake://{name}"

    def build_tables(self, rows: Rows, problems: Problems) -> list[Table]:
        columns = group_rows(problems.collect([one for one in rows[_COLUMNS.name] if not one.get_text("deleted")], _read_column))
        texts = dict(problems.collect(rows[_VIEWS.name], lambda row: (_read_name(row), row.get_text("view_definition"))))
        keys = group_rows(problems.collect(rows[_PRIMARY_KEYS.name], _read_key))
        tags = group_rows(problems.collect(rows[_TAGS.name], _read_tag))

        def build(row: Row) -> Table | None:
            if row.get_text("deleted") or row.get_text("table_schema").upper() == "INFORMATION_SCHEMA":
                return None
            path = _read_name(row)
            tagged = tags.get(path, [])
            names = sorted(keys.get(path, []))
            return Table(
                path=path,
                kind=_KINDS.get(row.get_text("table_type").upper(), TABLE),
                columns=tuple(
                    one._replace(tags=tuple(sorted(tag for column, tag in tagged if column == one.name)))
                    for one in sorted(columns.get(path, []), key=lambda one: one.position)
                ),
                constraints=(Constraint(names[0][0], PRIMARY_KEY, tuple(column for _, _, column in names)),) if names else (),
                description=row.get_text("comment"),
                owner=row.get_text("table_owner"),
                sql=texts.get(path, ""),
                rows=row.get_integer("row_count"),
                bytes=row.get_integer("bytes"),
                tags=tuple(sorted(tag for column, tag in tagged if not column)),
            )

        found = problems.collect(rows[_TABLES.name], build)
        listed = {table.path for table in found}
        others = (path for path in texts if path not in listed)  # VIEWS has the same names, comments and owners
        return found + [
            Table(path, VIEW, tuple(sorted(columns.get(path, []), key=lambda one: one.position)), sql=texts[path]) for path in others
        ]

    def build_queries(self, rows: Rows, problems: Problems) -> list[Query]:
        access = dict(problems.collect(rows[_ACCESS.name], lambda row: (row.get_text("query_id"), row)))
        known = {row.get_text("query_id") for row in rows[_QUERIES.name]}

        def build(row: Row) -> Query | None:
            status = row.get_text("execution_status").upper()
            if status and status != "SUCCESS":
                return None
            recorded = access.get(row.get_text("query_id"))
            query = Query(
                row.get_text("query_text"),
                row.get_time("end_time") or row.get_time("start_time"),
                defaults=(row.get_text("database_name"), row.get_text("schema_name")),
                id=row.get_text("query_id"),
                user=row.get_text("user_name"),
            )
            return query if recorded is None else _add_access(query, recorded)

        def build_alone(row: Row) -> Query:
            query = Query("", row.get_time("query_start_time"), id=row.get_text("query_id"), user=row.get_text("user_name"))
            return _add_access(query, row)

        alone = [row for query, row in access.items() if query not in known]
        return problems.collect(rows[_QUERIES.name], build) + problems.collect(alone, build_alone)


def _read_name(row: Row) -> TablePath:
    return read_path(row, ("table_catalog", "table_database"), ("table_schema",), ("table_name",))


def _read_column(row: Row) -> tuple[TablePath, Column]:
    return _read_name(row), Column(
        name=row.get_text("column_name"),
        position=row.get_integer("ordinal_position") or 0,
        type=format_sized_type(row),
        nullable=row.get_flag("is_nullable"),
        default=row.get_text("column_default"),
        description=row.get_text("comment"),
    )


def _read_key(row: Row) -> tuple[TablePath, tuple[str, int, str]]:
    path = read_path(row, ("database_name",), ("schema_name",), ("table_name",))
    return path, (row.get_text("constraint_name"), row.get_integer("key_sequence") or 0, row.get_text("column_name"))


def _read_tag(row: Row) -> tuple[TablePath, tuple[str, str]] | None:
    """A tag of a table (column '') or of a column."""
    domain = row.get_text("domain").upper()
    if row.get_text("object_deleted") or domain not in _TABLE_DOMAINS | {"COLUMN"}:
        return None
    path = read_path(row, ("object_database",), ("object_schema",), ("object_name",))
    name, value = row.get_text("tag_name").lower(), row.get_text("tag_value")
    return path, (row.get_text("column_name") if domain == "COLUMN" else "", f"{name}={value}" if value else name)


def _add_access(query: Query, row: Row) -> Query:
    """The query with the tables and columns that ACCESS_HISTORY has of it. Sources are the direct ones, which may be views."""
    modified = list(_iterate_objects(row.get_json("objects_modified")))
    columns = tuple(
        ColumnSource(path, str(column.get("columnName")), source, str(origin.get("columnName")))
        for path, one in modified
        for column in _list_mappings(one.get("columns"))
        for origin in _list_mappings(column.get("directSources"))
        if (source := _split_name(origin.get("objectName")))
    )
    accessed = tuple(
        (path, tuple(str(column["columnName"]) for column in _list_mappings(one.get("columns")) if column.get("columnName")))
        for path, one in _iterate_objects(row.get_json("direct_objects_accessed"))
    )
    return query._replace(
        reads=tuple(path for path, _ in accessed),
        writes=tuple(path for path, _ in modified),
        columns=columns,
        read_columns=accessed,
        user=query.user or row.get_text("user_name"),
    )


def _iterate_objects(value: Any) -> Iterator[tuple[TablePath, dict[str, Any]]]:
    for one in _list_mappings(value):
        path = _split_name(one.get("objectName"))
        if path and str(one.get("objectDomain", "TABLE")).upper() in _TABLE_DOMAINS:
            yield path, one


def _list_mappings(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _split_name(name: Any) -> TablePath:
    """The parts of `DB.SCHEMA."a.b"`; () if it is no name of three parts."""
    parts: list[str] = []
    rest = name if isinstance(name, str) else ""
    while rest:
        if rest.startswith('"'):
            end = rest.find('"', 1)
            while end != -1 and rest[end + 1 : end + 2] == '"':
                end = rest.find('"', end + 2)
            if end == -1:
                return ()
            parts.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :].removeprefix(".")
        else:
            part, _, rest = rest.partition(".")
            parts.append(part)
    return tuple(parts) if len(parts) == 3 and all(parts) else ()
