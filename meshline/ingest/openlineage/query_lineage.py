"""Column lineage read from the SQL that a run carries.

A producer may state column lineage that its own schema contradicts: openlineage-sql names the columns of
`INSERT INTO t (a, b) SELECT ...` (Airflow) after the SELECT list. The SQL is in the run, so it is read here instead. The
result depends on nothing but the run: no graph, no clock, so that the order of events has no meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, FlowType, build_dataset_key
from meshline.graph.naming import normalise_namespace
from meshline.ingest.openlineage.column_lineage import Flows, Kind, Name, lists_column

if TYPE_CHECKING:
    from meshline.sql.statement_lineage import ColumnEdge, Lineage, Relation

# Longer SQL is not read: 50,000 characters are a quarter of a second of the writer's time.
MAX_SQL = 50_000

# sqlglot's dialect by the scheme of a namespace (OpenLineage specification, Naming).
_DIALECTS = {
    "awsathena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "hive": "hive",
    "mssql": "tsql",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgres": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlite",
    "sqlserver": "tsql",
    "teradata": "teradata",
    "trino": "trino",
}


class QueryLineage(NamedTuple):
    """What SQL states of one table that it writes. `pairs`: the tables that it reads for it, and whether all columns of
    that pair are known. `others`: the tables that the text reads for other purposes only.
    """

    flows: Flows
    pairs: Mapping[Name, bool]
    others: frozenset[Name]


def dialect_of(namespace: str) -> str | None:
    """The SQL dialect of the database that a namespace names; None if it names none."""
    scheme, _ = normalise_namespace(namespace)
    return _DIALECTS.get(scheme or namespace)


def read_query(sql: str, dialect: str, target: AssetKey, columns: Mapping[AssetKey, Sequence[str]]) -> QueryLineage | None:
    """What `sql` writes into `target`.

    `columns`: the datasets that the event names, each with its columns (none: not known), the target's among them.
    None if the SQL cannot be read as a whole, is too long, does not write the target, contradicts the target's
    columns itself, or names tables that cannot be found without a guess; and where `sqlglot` is not installed.
    """
    if len(sql) > MAX_SQL:
        return None
    try:
        from meshline.sql.script import Reader  # noqa: PLC0415 - sqlglot is optional
    except ModuleNotFoundError:
        return None
    tables = _Tables(target, columns)
    reader = Reader(dialect, tables.columns)
    found: list[Lineage] = []
    for one in reader.read(sql):
        if isinstance(one, InvalidInput):
            return None
        found.append(one)
    try:
        return _query_lineage(found, tables)
    except _UnknownTableError:
        return None


class _UnknownTableError(Exception):
    """A name in SQL that more than one dataset could have."""


class _Tables:
    """Names in SQL -> datasets of the namespace in which the target is."""

    def __init__(self, target: AssetKey, columns: Mapping[AssetKey, Sequence[str]]) -> None:
        self.target = target
        self._columns = columns
        self._namespace = target.parts[0]
        self._parts = target.name.split(".")
        self._known = {
            tuple(part.casefold() for part in key.name.split(".")): key for key in sorted(columns) if key.parts[0] == self._namespace
        }

    def columns(self, relation: Relation) -> Sequence[str]:
        """The columns of a table; empty if they are not known."""
        try:
            return self._columns.get(self.key(relation), ())
        except _UnknownTableError:
            return ()

    def key(self, relation: Relation) -> AssetKey:
        """The dataset that a name means: in the target's database, else the only one that ends so.

        One part that is missing is the target's database; to guess the schema as well would be wrong.
        """
        wanted = tuple(part.casefold() for part in relation)
        missing = len(self._parts) - len(wanted)
        full = (*self._parts[:missing], *relation) if missing > 0 else tuple(relation)
        known = self._known.get(tuple(part.casefold() for part in full))
        if known is not None and missing <= 1:
            return known
        ending = [key for parts, key in self._known.items() if parts[-len(wanted) :] == wanted]
        if len(ending) == 1:
            return ending[0]
        if ending or missing > 1:
            raise _UnknownTableError
        return build_dataset_key(self._namespace, ".".join(full))


def _query_lineage(found: Sequence[Lineage], tables: _Tables) -> QueryLineage | None:
    written = [one for one in found if one.target is not None and tables.key(one.target) == tables.target]
    if not written:
        return None
    flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = {}
    pairs: dict[Name, bool] = {}
    listed = frozenset(name.casefold() for name in tables.columns(tuple(tables.target.name.split("."))))
    for statement in written:
        if listed and not all(lists_column(listed, edge.target) for edge in statement.edges if edge.target is not None):
            return None
        for source, is_covered in _pairs(statement).items():
            name = _name(tables.key(source))
            pairs[name] = pairs.get(name, True) and is_covered
        for edge in statement.edges:
            if edge.column is not None:
                flows.setdefault((_name(tables.key(edge.source)), _kind(edge)), []).append((edge.column, edge.target))
    others = {_name(tables.key(relation)) for statement in found for relation in statement.reads}
    return QueryLineage(flows, pairs, frozenset(others - pairs.keys()))


def _pairs(statement: Lineage) -> dict[Relation, bool]:
    """The tables that a statement reads, and whether it is known of all of their columns where they go."""
    unclear = {edge.source for edge in statement.edges if edge.column is None}
    clear = {edge.source for edge in statement.edges} - unclear
    return {relation: relation in clear for relation in _unique([*statement.reads, *(edge.source for edge in statement.edges)])}


def _unique(relations: Iterable[Relation]) -> list[Relation]:
    return list(dict.fromkeys(relations))


def _kind(edge: ColumnEdge) -> Kind:
    return Kind(FlowType.INDIRECT if edge.target is None else edge.type, edge.subtype, edge.masking)


def _name(key: AssetKey) -> Name:
    return key.parts[0], key.parts[1]
