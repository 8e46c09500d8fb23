"""DuckDB: tables, views with their lineage, keys and comments of a database in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from pydantic import Field

from meshline.errors import InvalidInput, StoreUnavailable, require_extra
from meshline.graph.naming import normalise_namespace
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.databases.catalog import (
    CHECK,
    FOREIGN_KEY,
    PRIMARY_KEY,
    TABLE,
    UNIQUE,
    VIEW,
    Column,
    Constraint,
    DatabaseCatalog,
    Table,
)
from meshline.ingest.sources.databases.facts import CatalogEntries

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows: TypeAlias = Sequence[tuple[Any, ...]]

SYSTEM = frozenset({"information_schema", "pg_catalog"})
# A file may be hostile: nothing that a view names is opened, and no extension is loaded.
LIMITS: Mapping[str, str | bool] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

_TABLES = """
SELECT schema_name, table_name, comment, tags, estimated_size, NULL, database_name FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, comment, tags, NULL, sql, database_name FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
ORDER BY 1, 2"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, data_type, is_nullable, column_default, comment, is_generated, generation_expression
FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()
ORDER BY schema_name, table_name, column_index"""
_OLDER_COLUMNS = _COLUMNS.replace("is_generated, generation_expression", "false, NULL")  # before version 2
_CONSTRAINTS = """
SELECT schema_name, table_name, constraint_name, constraint_type, constraint_column_names, expression, referenced_table,
    referenced_column_names
FROM duckdb_constraints() WHERE database_name = current_database() AND constraint_type <> 'NOT NULL'
ORDER BY schema_name, table_name, constraint_name, constraint_index"""
_TYPES = {"PRIMARY KEY": PRIMARY_KEY, "UNIQUE": UNIQUE, "CHECK": CHECK, "FOREIGN KEY": FOREIGN_KEY}


class DuckDb(Source):
    """A database of DuckDB, which is opened to read alone."""

    kind: ClassVar[str] = "duckdb"
    path: str = Field(min_length=1, max_length=4096, description="The file; relative to the mesh file.")
    namespace: str = Field(
        default="",
        max_length=1000,
        description="The namespace of the tables; by default duckdb:// and its path, as in dbt's events.",
    )

    def read(self, context: Context) -> Reading:
        with require_extra("duckdb", "reading DuckDB"):
            import duckdb  # noqa: PLC0415 - an extra

            from meshline.sql.script import ScriptReader  # noqa: F401, PLC0415 - sqlglot is part of the extra

        path = context.folder.absolute() / self.path
        if not path.is_file():
            raise InvalidInput("there is no such file; accepted is a database of DuckDB", str(path))
        try:
            with duckdb.connect(str(path), read_only=True, config=dict(LIMITS)) as connection:
                found = _read_catalog(connection)
        except duckdb.IOException as error:
            text = str(error).partition("\n")[0]
            if "lock" in text.lower():
                raise StoreUnavailable(f"another process has {path} open to write: {text}") from None
            raise InvalidInput(text, str(path)) from None
        except duckdb.Error as error:
            raise InvalidInput(str(error).partition("\n")[0], str(path)) from None
        namespace = context.resolve_namespace(self.namespace) if self.namespace else f"duckdb://{path}"
        catalog = DatabaseCatalog(
            dialect="duckdb",
            namespace=normalise_namespace(namespace)[1],
            tables=found.tables,
            defaults=(found.database, "main"),
            system_schemas=SYSTEM,
        )
        entries = CatalogEntries(catalog, context, {}, 0)
        return Reading(self.source, entries.read_items(), complete=True, atomic=False, warnings=entries.warnings)


class _Found(NamedTuple):
    database: str
    tables: list[Table]


def _read_catalog(connection: DuckDBPyConnection) -> _Found:
    import duckdb  # noqa: PLC0415

    tables = connection.execute(_TABLES).fetchall()
    try:
        columns = connection.execute(_COLUMNS).fetchall()
    except duckdb.BinderException:
        columns = connection.execute(_OLDER_COLUMNS).fetchall()
    columns_of, constraints_of = _group(columns), _group(connection.execute(_CONSTRAINTS).fetchall())
    [database] = connection.execute("SELECT current_database()").fetchall()[0]
    return _Found(
        database,
        [_build_table(row, columns_of.get((row[0], row[1]), ()), constraints_of.get((row[0], row[1]), ())) for row in tables],
    )


def _group(rows: Rows) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """The rows by schema and table."""
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault((row[0], row[1]), []).append(row)
    return found


def _build_table(row: tuple[Any, ...], columns: Rows, constraints: Rows) -> Table:
    schema, name, comment, tags, size, text, database = row
    return Table(
        path=(database, schema, name),
        kind=TABLE if text is None else VIEW,
        columns=tuple(_build_column(place, one) for place, one in enumerate(columns, start=1)),
        constraints=tuple(_build_constraint(one, database) for one in constraints),
        description=comment or "",
        sql=text or "",
        rows=size,
        tags=_format_tags(tags),
    )


def _build_column(position: int, row: tuple[Any, ...]) -> Column:
    _, _, name, type_, nullable, default, comment, generated, expression = row
    return Column(
        name=name,
        position=position,
        type=type_,
        nullable=nullable,
        default="" if generated else default or "",
        generated=expression or "" if generated else "",
        description=comment or "",
    )


def _build_constraint(row: tuple[Any, ...], database: str) -> Constraint:
    schema, _, name, type_, columns, expression, other, referenced = row
    return Constraint(
        name=name or "",
        type=_TYPES.get(type_, type_),
        columns=tuple(columns or ()),
        expression=expression or "",
        references=(database, schema, other) if other else (),
        referenced=tuple(referenced or ()) if other else (),
    )


def _format_tags(tags: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(sorted(f"{name}={value}" if value else name for name, value in (tags or {}).items()))
