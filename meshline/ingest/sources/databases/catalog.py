"""What a database lists, whatever its system: tables and views with their columns and keys, and the statements that it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from meshline.graph.model import Json
from meshline.ingest.sources.read_right import ReadRight

# The name of a table in its parts, unquoted, in the case that the system keeps: (database, schema, table).
TablePath: TypeAlias = tuple[str, ...]

TABLE, VIEW, MATERIALIZED_VIEW, FOREIGN_TABLE = "TABLE", "VIEW", "MATERIALIZED_VIEW", "FOREIGN_TABLE"
PRIMARY_KEY, UNIQUE, FOREIGN_KEY, CHECK, EXCLUDE = "PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK", "EXCLUDE"


class Column(NamedTuple):
    """A column. `name`: nested ones as dotted paths. `position`: from 1, in order. `nullable`: None if the system does not state it.
    `default`, `generated`: expressions, empty if there are none.
    """

    name: str
    position: int
    type: str
    nullable: bool | None = None
    default: str = ""
    generated: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


class Constraint(NamedTuple):
    """A key or check. `references`: the table that a foreign key refers to, with `referenced` columns in the order of `columns`."""

    name: str
    type: str
    columns: tuple[str, ...] = ()
    expression: str = ""
    references: TablePath = ()
    referenced: tuple[str, ...] = ()


class Table(NamedTuple):
    """A table or view. `sql`: the text of a view. `reads`: the tables that a view reads, if the system lists them. `parts`: the names
    of its partitions. `rows`, `bytes`: estimates; None if there are none. `others`: more attributes of the dataset. `rights`: who may
    read it; None if that was not read.
    """

    path: TablePath
    kind: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    description: str = ""
    owner: str = ""
    sql: str = ""
    reads: tuple[TablePath, ...] = ()
    parts: tuple[TablePath, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    tags: tuple[str, ...] = ()
    others: Mapping[str, Json] = {}
    rights: tuple[ReadRight, ...] | None = None


class ColumnSource(NamedTuple):
    """A column that a statement wrote, and a column that its values came from."""

    target: TablePath
    column: str
    source: TablePath
    source_column: str


class Query(NamedTuple):
    """A statement that the database ran. `time`: when it ran last, in microseconds since the epoch; None if the system does not state it.
    `reads`, `writes`, `columns`: what the system itself recorded of it; empty if it records nothing.
    `read_columns`: the tables that it read, with their columns, if the system recorded those; `defaults`: the database and schema of
    names that have none. `id`: the same in two files that have the same run of it; `user`: who ran it, as the system calls him; `number`:
    how often, and since when (`first`); 0: another one of the history has the same run.
    """

    sql: str
    time: int | None = None
    reads: tuple[TablePath, ...] = ()
    writes: tuple[TablePath, ...] = ()
    columns: tuple[ColumnSource, ...] = ()
    defaults: TablePath = ()
    read_columns: tuple[tuple[TablePath, tuple[str, ...]], ...] = ()
    id: str = ""
    user: str = ""
    number: int = 1
    first: int | None = None


class DatabaseCatalog(NamedTuple):
    """What one reading of a database yields. `dialect`: of its SQL, as sqlglot names it. `namespace`: of its datasets.
    `queries`: the statements that it ran, of its history as far as it is kept. `defaults`: the database and schema that statements
    leave out. `view_schema`: the schema that the texts of views leave out; by default the view's. `system_schemas`: which are no datasets.
    `counts_queries`: the history has no times, but counts how often each statement ran since some time; `dropped_queries`: the number of
    statements that it dropped since then.
    """

    dialect: str
    namespace: str
    tables: Sequence[Table]
    queries: Sequence[Query] = ()
    defaults: TablePath = ()
    view_schema: str = ""
    system_schemas: frozenset[str] = frozenset()
    counts_queries: bool = False
    dropped_queries: int = 0
