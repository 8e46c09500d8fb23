"""Redshift: tables, views with their lineage, and lineage from its query history, from exported views.

The rows are those of SVV_*, SYS_* and STL_* views, as Amazon's reference documents them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.databases.catalog import FOREIGN_TABLE, TABLE, VIEW, Column, Query, Table, TablePath
from meshline.ingest.sources.databases.exports import Row, Rows, Shape
from meshline.ingest.sources.databases.warehouse import Problems, Warehouse, format_sized_type, group_rows, join_texts, read_path

_TABLES = Shape("SVV_TABLES", frozenset({"table_schema", "table_name", "table_type"}))
_OWN_TABLES = Shape("SVV_REDSHIFT_TABLES", frozenset({"database_name", "schema_name", "table_name", "table_type"}))
_COLUMNS = Shape("SVV_COLUMNS", frozenset({"table_schema", "table_name", "column_name", "ordinal_position", "data_type"}))
_OWN_COLUMNS = Shape(
    "SVV_REDSHIFT_COLUMNS", frozenset({"database_name", "schema_name", "table_name", "column_name", "ordinal_position", "data_type"})
)
_INFO = Shape("SVV_TABLE_INFO", frozenset({"database", "schema", "table", "tbl_rows"}))
_VIEWS = Shape("PG_VIEWS", frozenset({"schemaname", "viewname", "definition"}))
_QUERIES = Shape("SYS_QUERY_HISTORY", frozenset({"query_id", "query_text", "database_name"}))
_TEXTS = Shape("SYS_QUERY_TEXT", frozenset({"query_id", "sequence", "text"}))
_OLD_QUERIES = Shape("STL_QUERY", frozenset({"query", "querytxt", "database"}))
_OLD_TEXTS = Shape("STL_QUERYTEXT", frozenset({"query", "sequence", "text"}))

_USERS = Shape("SVV_USER_INFO", frozenset({"user_id", "user_name", "superuser"}))
_OLD_USERS = Shape("PG_USER", frozenset({"usesysid", "usename"}))
_SCANS = Shape("STL_SCAN", frozenset({"query", "tbl", "perm_table_name"}))

_KINDS = {"VIEW": VIEW, "EXTERNAL TABLE": FOREIGN_TABLE}
_HOST = re.compile(r"([^.:]+)\.[^.]+\.([^.]+)\.redshift(?:-serverless)?\.amazonaws\.com(:\d+)?")
_NO_BINDING = re.compile(r"\s*with\s+no\s+schema\s+binding\s*;?\s*$", re.IGNORECASE)


class Redshift(Warehouse):
    """A database of Redshift, from files that were exported from its views."""

    kind: ClassVar[str] = "redshift"
    dialect: ClassVar[str] = "redshift"
    shapes: ClassVar[tuple[Shape, ...]] = (
        *(_TABLES, _OWN_TABLES, _COLUMNS, _OWN_COLUMNS, _INFO, _VIEWS),
        *(_QUERIES, _TEXTS, _OLD_QUERIES, _OLD_TEXTS, _USERS, _OLD_USERS, _SCANS),
    )
    system_schemas: ClassVar[frozenset[str]] = frozenset({"information_schema", "pg_catalog", "pg_internal", "pg_automv"})
    cluster: str = Field(
        min_length=1,
        max_length=500,
        description="The cluster: name.region:port, its endpoint, or redshift://... as in events.",
    )
    database: str = Field(
        default="", max_length=500, description="The database of the rows of PG_VIEWS, which do not name it; by default the only one."
    )

    def build_namespace(self, context: Context) -> str:
        name = context.resolve_namespace(self.cluster)
        endpoint = _HOST.fullmatch(name.removeprefix("redshift://").partition("/")[0])
        if endpoint is not None:
            return f"redshift://{endpoint[1]}.{endpoint[2]}{endpoint[3] or ''}"
        return name if "://" in name else f"redshift://{name}"

    def build_tables(self, rows: Rows, problems: Problems) -> list[Table]:
        columns = group_rows(problems.collect([*rows[_COLUMNS.name], *rows[_OWN_COLUMNS.name]], _read_column))
        sizes = dict(problems.collect(rows[_INFO.name], _read_size))
        listed = [*rows[_TABLES.name], *rows[_OWN_TABLES.name]]
        tables = {path: row for path, row in problems.collect(listed, lambda row: (_read_name(row), row)) if self._is_wanted(path)}
        texts = dict(problems.collect(rows[_VIEWS.name], lambda row: self._read_view(row, tables)))
        found: list[Table] = []
        for path, row in tables.items():
            count, size = sizes.get(path, (None, None))
            kind = _KINDS.get(row.get_text("table_type").upper(), VIEW if path in texts else TABLE)
            listed_columns = tuple(sorted(columns.get(path, []), key=lambda one: one.position))
            found.append(
                Table(path, kind, listed_columns, description=row.get_text("remarks"), sql=texts.get(path, ""), rows=count, bytes=size)
            )
        return found

    def build_queries(self, rows: Rows, problems: Problems) -> list[Query]:
        from meshline.ingest.sources.databases.query_lineage import is_read  # noqa: PLC0415 - needs sqlglot

        texts = join_texts(rows[_TEXTS.name], "query_id", "text")
        older = join_texts(rows[_OLD_TEXTS.name], "query", "text")
        users = {
            row.get_text("user_id", "usesysid"): row.get_text("user_name", "usename")
            for name in (_USERS, _OLD_USERS)
            for row in rows[name.name]
        }
        scanned = group_rows(problems.collect(rows[_SCANS.name], _build_scan_reader(rows[_INFO.name])))

        def build(row: Row) -> Query | None:
            if row.get_text("status").lower() not in ("", "success"):
                return None
            text = texts.get(row.get_text("query_id")) or row.get_text("query_text")
            query = _build_query(row, text, "database_name", "end_time")
            return query._replace(id=row.get_text("query_id"), user=users.get(row.get_text("user_id"), "").strip())

        def build_older(row: Row) -> Query | None:
            if row.get_text("aborted") not in ("", "0"):
                return None
            text, id_ = older.get(row.get_text("query")) or row.get_text("querytxt"), row.get_text("query")
            query = _build_query(row, text, "database", "endtime")
            if rows[_QUERIES.name]:  # both views have the same runs, with other ids
                return query._replace(number=0)
            # what was scanned is known also if the text cannot be parsed; of what writes it would be the tables behind views
            reads = tuple(dict.fromkeys(scanned.get((id_,), ()))) if is_read(query.sql) else ()
            return query._replace(id=id_, user=users.get(row.get_text("userid"), "").strip(), reads=reads)

        return problems.collect(rows[_QUERIES.name], build) + problems.collect(rows[_OLD_QUERIES.name], build_older)

    def _is_wanted(self, path: TablePath) -> bool:
        return path[1] not in self.system_schemas and not path[1].startswith("pg_temp")

    def _read_view(self, row: Row, tables: dict[TablePath, Row]) -> tuple[TablePath, str]:
        databases = {path[0] for path in tables}
        database = self.database or (next(iter(databases)) if len(databases) == 1 else "")
        if not database:
            raise InvalidInput("PG_VIEWS does not name the database of a view: set the key database", row.where)
        path = (database, *read_path(row, ("schemaname",), ("viewname",)))
        return path, _NO_BINDING.sub("", row.get_text("definition"))


def _build_query(row: Row, text: str, database: str, time: str) -> Query:
    return Query(text.replace("\\n", "\n").strip(), row.get_time(time), defaults=(row.get_text(database).strip(), "public"))


def _build_scan_reader(tables: Sequence[Row]) -> Callable[[Row], tuple[TablePath, TablePath] | None]:
    """Of a row of STL_SCAN, the query (as a path of one part) and the table. `tables`: rows of SVV_TABLE_INFO, which has their numbers."""
    paths = {number: read_path(row, ("database",), ("schema",), ("table",)) for row in tables if (number := row.get_text("table_id"))}

    def read_scan(row: Row) -> tuple[TablePath, TablePath] | None:
        path = paths.get(row.get_text("tbl"))
        return None if path is None else ((row.get_text("query"),), path)

    return read_scan


def _read_name(row: Row) -> TablePath:
    return read_path(row, ("table_catalog", "database_name"), ("table_schema", "schema_name"), ("table_name",))


def _read_column(row: Row) -> tuple[TablePath, Column]:
    return _read_name(row), Column(
        name=row.get_text("column_name"),
        position=row.get_integer("ordinal_position") or 0,
        type=format_sized_type(row),
        nullable=row.get_flag("is_nullable"),
        default=row.get_text("column_default"),
        description=row.get_text("remarks"),
    )


def _read_size(row: Row) -> tuple[TablePath, tuple[int | None, int | None]]:
    """Rows, and bytes: `size` is in blocks of 1 MB."""
    size = row.get_integer("size")
    return read_path(row, ("database",), ("schema",), ("table",)), (row.get_integer("tbl_rows"), None if size is None else size * 2**20)
