"""What the exports of warehouses have in common: a source of files, and the columns, keys and texts of tables, joined by table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.graph.naming import normalise_namespace
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.databases.catalog import DatabaseCatalog, Query, Table, TablePath
from meshline.ingest.sources.databases.exports import Row, Rows, Shape, read_exports
from meshline.ingest.sources.databases.facts import CatalogEntries
from meshline.ingest.sources.databases.usage_options import UsageChoice
from meshline.ingest.sources.files import Paths

T = TypeVar("T")

MAX_PROBLEMS = 100  # rows of files that are refused, each with its place


class Warehouse(Source):
    """A warehouse, from files that were exported from its views."""

    dialect: ClassVar[str]
    shapes: ClassVar[tuple[Shape, ...]]
    system_schemas: ClassVar[frozenset[str]] = frozenset({"information_schema"})
    files: Paths
    owners: Mapping[str, str] = Field(default={}, description="The owner that a role or user means: {ORDERS_RW: 'team:orders'}.")
    history_days: int = Field(default=30, ge=1, le=3650, description="For how long a query counts that is no longer in the history.")
    usage: UsageChoice = None
    complete: bool = Field(default=True, description="Whether these are all files, so that what is in none of them is retracted.")

    @abstractmethod
    def build_namespace(self, context: Context) -> str:
        """The namespace of the tables."""

    @abstractmethod
    def build_tables(self, rows: Rows, problems: Problems) -> list[Table]:
        """The tables and views by their exported rows."""

    @abstractmethod
    def build_queries(self, rows: Rows, problems: Problems) -> list[Query]:
        """The statements of the history by their exported rows."""

    def read(self, context: Context) -> Reading:
        with require_extra("sql", "reading the exports of a warehouse"):
            from meshline.sql.script import ScriptReader  # noqa: F401, PLC0415 - sqlglot is slow to import

        rows, refused = read_exports(self.files, context.folder, self.shapes)
        problems = Problems(refused)
        catalog = DatabaseCatalog(
            dialect=self.dialect,
            namespace=normalise_namespace(self.build_namespace(context))[1],
            tables=self.build_tables(rows, problems),
            queries=self.build_queries(rows, problems),
            system_schemas=self.system_schemas,
        )
        entries = CatalogEntries(catalog, context, self.owners, self.history_days, self.usage)
        return Reading(
            self.source,
            _list_items(entries, problems.found),
            complete=self.complete,
            atomic=False,
            warnings=entries.warnings,
            remember=entries.remember,
        )


class Problems:
    """What could not be read of rows."""

    def __init__(self, found: Sequence[InvalidInput]) -> None:
        self.found = list(found)

    def collect(self, rows: Sequence[Row], build: Callable[[Row], T | None]) -> list[T]:
        """What is built of each row; a row that cannot be used is noted."""
        built: list[T] = []
        for row in rows:
            try:
                one = build(row)
            except InvalidInput as error:
                if len(self.found) < MAX_PROBLEMS:
                    self.found.append(error)
            else:
                if one is not None:
                    built.append(one)
        return built


def _list_items(entries: CatalogEntries, problems: Sequence[InvalidInput]) -> Iterator[Item]:
    yield from (Refusal(error) for error in problems)
    yield from entries.read_items()


def read_path(row: Row, *names: Sequence[str]) -> TablePath:
    """The name of a table, each part in the first of its columns that has a value. Raises InvalidInput if a part is missing."""
    path = tuple(row.get_text(*columns) for columns in names)
    if not all(path):
        missing = ", ".join(columns[0] for columns, part in zip(names, path, strict=True) if not part)
        raise InvalidInput(f"the row has no {missing}", row.where)
    return path


def group_rows(rows: Sequence[tuple[TablePath, T]]) -> dict[TablePath, list[T]]:
    """What belongs to each table."""
    found: dict[TablePath, list[T]] = {}
    for path, one in rows:
        found.setdefault(path, []).append(one)
    return found


def format_sized_type(row: Row) -> str:
    """A type with its length, or precision and scale, which INFORMATION_SCHEMA has in columns of their own."""
    name = row.get_text("data_type")
    if "(" in name or not name:
        return name
    length = row.get_integer("character_maximum_length")
    precision, scale = row.get_integer("numeric_precision"), row.get_integer("numeric_scale")
    if length is not None and length > 0:
        return f"{name}({length})"
    if precision is not None and name.upper() in ("NUMBER", "NUMERIC", "DECIMAL"):
        return f"{name}({precision},{scale or 0})"
    return name


def join_texts(rows: Sequence[Row], key: str, text: str, columns: Sequence[str] = ("sequence",)) -> dict[str, str]:
    """The texts of statements that were exported in numbered pieces."""
    pieces: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        pieces.setdefault(row.get_text(key), []).append((row.get_integer(*columns) or 0, row.get_text(text)))
    return {one: "".join(piece for _, piece in sorted(found)) for one, found in pieces.items()}
