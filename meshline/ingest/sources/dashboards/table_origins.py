"""Where the tables of Power BI come from: queries in M are followed from their connectors, step by step, to the columns of their results.

A step that is not known makes the columns of its result unknown: they may come from any of the tables before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.ingest.sources.dashboards import power_query as m
from meshline.sql.statement_lineage import Relation

MAX_STEPS = 20_000  # expressions that are evaluated for one table
MAX_TABLES = 500  # whose rows one table has


class Server(NamedTuple):
    """A database that a connector opens. `system`: as `database_names.SYSTEMS` calls it."""

    system: str
    host: str = ""
    database: str = ""


class Place(NamedTuple):
    """A table in a database (`relation`), or a query that it runs (`sql`)."""

    server: Server
    relation: Relation = ()
    sql: str = ""


class PlaceColumn(NamedTuple):
    """A column of a table, or of the result of a query."""

    place: Place
    column: str


Columns: TypeAlias = frozenset[PlaceColumn]
NONE: Columns = frozenset()


class Table(NamedTuple):
    """A table that a query makes.

    `places`: all that it is made of. `columns`: where its columns come from, None if that is not known. `rest`: the tables that all other
    columns have the same names in; empty if that is not known. `nested`: tables in its columns. `conditions`: the columns that decide
    which rows it has.
    """

    places: frozenset[Place] = frozenset()
    columns: Mapping[str, Columns | None] = {}
    rest: tuple[Place | Table, ...] = ()
    nested: Mapping[str, Table] = {}
    conditions: Columns = NONE
    size: int = 1  # how many tables `rest` leads to

    def find(self, names: Iterable[str]) -> Columns | None:
        """Where columns come from, together; None if that is not known of one of them."""
        found = NONE
        for name in names:
            part = self.columns[name] if name in self.columns else self._find_in_rest(name)
            if part is None:
                return None
            found |= part
        return found

    def _find_in_rest(self, name: str) -> Columns | None:
        found = NONE
        for one in self.rest:
            part = frozenset({PlaceColumn(one, name)}) if isinstance(one, Place) else one.find([name])
            if part is None:
                return None
            found |= part
        return found if self.rest else None

    def rename(self, pairs: Mapping[str, str]) -> Table:
        """With new names for columns, by their old ones."""
        columns = {new: self.find([old]) for old, new in pairs.items()}
        kept = {name: found for name, found in self.columns.items() if name not in pairs}
        return self._replace(columns={**kept, **columns}, nested={pairs.get(name, name): one for name, one in self.nested.items()})

    def add(self, name: str, found: Columns | None) -> Table:
        return self._replace(columns={**self.columns, name: found})

    def filter(self, names: Iterable[str]) -> Table:
        """With only the rows that these columns decide about."""
        return self._replace(conditions=self.conditions | (self.find(names) or NONE))

    def blur(self, *others: Table) -> Table:
        """After a step that is not known, which may have read other tables."""
        places, conditions = self.places, self.conditions
        for one in others:
            places, conditions = places | one.places, conditions | one.conditions
        return Table(places, conditions=conditions)


class Navigator(NamedTuple):
    """A database, or a folder in it: `path` are the names that were chosen."""

    server: Server
    path: Relation = ()

    def build_table(self) -> Table:
        return build_place_table(Place(self.server, self.path)) if self.path else Table()


Value: TypeAlias = str | Table | Navigator | None


def build_place_table(place: Place) -> Table:
    return Table(frozenset({place}), rest=(place,))


# The connector functions: the system, and whether their second argument is the database.
CONNECTORS: Mapping[str, tuple[str, bool]] = {
    "Sql.Database": ("mssql", True),
    "Sql.Databases": ("mssql", False),
    "PostgreSQL.Database": ("postgres", True),
    "MySQL.Database": ("mysql", True),
    "Oracle.Database": ("oracle", False),
    "AmazonRedshift.Database": ("redshift", True),
    "Snowflake.Databases": ("snowflake", False),
    "GoogleBigQuery.Database": ("bigquery", False),
    "Databricks.Catalogs": ("databricks", False),
    "Databricks.Contents": ("databricks", False),
    "DatabricksMultiCloud.Catalogs": ("databricks", False),
    "Impala.Database": ("impala", True),
    "ClickHouse.Database": ("clickhouse", True),
    "Trino.Contents": ("trino", False),
}
# Steps after which each column is what the column of the same name was.
_SAME = frozenset({
    "Table.TransformColumnTypes", "Table.SelectColumns", "Table.RemoveColumns", "Table.ReorderColumns", "Table.Distinct", "Table.Buffer",
    "Table.FirstN", "Table.LastN", "Table.Skip", "Table.RemoveFirstN", "Table.RemoveLastN", "Table.RemoveRowsWithErrors",
    "Table.ReplaceErrorValues", "Table.ReplaceValue", "Table.FillDown", "Table.FillUp", "Table.TransformColumns", "Table.StopFolding",
    "Table.Repeat", "Table.ReverseRows", "Table.RemoveMatchingRows", "Table.Range", "Table.MaxN", "Table.MinN", "Table.AlternateRows",
    "Table.AddKey", "Table.ReplaceKeys", "Table.View", "Value.ReplaceType", "Binary.Buffer", "List.Buffer",
})  # fmt: skip


class OriginFinder:
    """The queries of one semantic model. `queries`: by name, its shared expressions, its parameters and its tables."""

    def __init__(self, queries: Mapping[str, str]) -> None:
        self._queries = queries
        self._values: dict[str, Value] = {}
        self._open: set[str] = set()
        self._steps = 0
        self.notes: dict[str, str] = {}  # by query, why it could not be read

    def find_table(self, name: str) -> Table:
        """What a query makes. What cannot be read is a table of unknown origin."""
        self._steps = 0
        return _to_table(self._find_query(name)) or Table()

    def _find_query(self, name: str) -> Value:
        if name not in self._queries or name in self._open:
            return None
        if name not in self._values:
            self._open.add(name)
            try:
                self._values[name] = self._evaluate(m.parse_expression(self._queries[name]), {})
            except (InvalidInput, RecursionError) as error:
                self.notes[name] = str(error) if isinstance(error, InvalidInput) else "it is nested too deep"
                self._values[name] = None
            finally:
                self._open.discard(name)
        return self._values[name]

    def _evaluate(self, one: m.Expression, known: Mapping[str, Value]) -> Value:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise InvalidInput(f"it has more than {MAX_STEPS} steps")
        reader = _READERS.get(type(one))
        if reader is not None:
            return reader(self, one, known)
        return self._unite([self._evaluate(part, known) for part in m.list_parts(one)])

    def _read_text(self, one: m.Text, _: Mapping[str, Value]) -> Value:
        return one.value

    def _read_name(self, one: m.Name, known: Mapping[str, Value]) -> Value:
        return known[one.name] if one.name in known else self._find_query(one.name)

    def _read_steps(self, one: m.Let, known: Mapping[str, Value]) -> Value:
        inner = dict(known)
        for name, value in one.steps:
            inner[name] = self._evaluate(value, inner)
        return self._evaluate(one.result, inner)

    def _join(self, one: m.Joined, known: Mapping[str, Value]) -> Value:
        parts = [self._evaluate(part, known) for part in one.parts]
        if all(isinstance(part, str) for part in parts):
            return "".join(str(part) for part in parts)
        tables = [table for part in parts if (table := _to_table(part)) is not None]
        return _combine(tables) if len(tables) == len(parts) else self._unite(parts)

    def _read_field(self, one: m.Field, known: Mapping[str, Value]) -> Value:
        """`[Data]` of what was chosen in a database; a field of anything else."""
        base = self._evaluate(one.base, known) if one.base is not None else None
        return base if isinstance(base, Navigator) else self._unite([base])

    @staticmethod
    def _unite(values: Sequence[Value]) -> Value:
        """What is made of values in an unknown way."""
        tables = [table for value in values if (table := _to_table(value)) is not None and table.places]
        return Table().blur(*tables) if tables else None

    def _choose(self, one: m.Item, known: Mapping[str, Value]) -> Value:
        """`base{key}`: a database, schema or table by its names."""
        base = self._evaluate(one.base, known)
        if not isinstance(base, Navigator) or not isinstance(one.key, m.Record):
            return self._unite([base])
        fields = {name: self._evaluate(value, known) for name, value in one.key.fields}
        names = [fields.get(key) for key in ("Catalog", "Schema", "Item", "Name") if key in fields]
        if not names or not all(isinstance(name, str) for name in names):
            return None
        return base._replace(path=(*base.path, *(str(name) for name in names)))

    # -- calls

    def _call(self, one: m.Call, known: Mapping[str, Value]) -> Value:
        name = one.function.name if isinstance(one.function, m.Name) else ""
        if name in CONNECTORS:
            return self._connect(name, one.arguments, known)
        if name == "Value.NativeQuery" and len(one.arguments) > 1:
            target, sql = (self._evaluate(argument, known) for argument in one.arguments[:2])
            if isinstance(target, Navigator) and isinstance(sql, str):
                return build_place_table(Place(_enter(target), sql=sql))
        step = _STEPS.get(name)
        first = _to_table(self._evaluate(one.arguments[0], known)) if one.arguments and name != "Table.Combine" else None
        if step is not None and first is not None:
            return step(self, first, one.arguments, known)
        if name in _SAME and first is not None:
            return first
        if name == "Table.Combine" and one.arguments and isinstance(listed := one.arguments[0], m.ListOf):
            tables = [_to_table(self._evaluate(item, known)) for item in listed.items]
            found = [table for table in tables if table is not None]
            return _combine(found) if len(found) == len(tables) else self._unite(list(tables))
        return self._unite([first, *(self._evaluate(argument, known) for argument in (one.function, *one.arguments[1 if first else 0 :]))])

    def _connect(self, name: str, arguments: Sequence[m.Expression], known: Mapping[str, Value]) -> Value:
        system, has_database = CONNECTORS[name]
        texts = [self._evaluate(argument, known) for argument in arguments[:2]]
        options = next((dict(argument.fields) for argument in arguments if isinstance(argument, m.Record)), {})
        if system == "bigquery":
            return Navigator(Server(system))
        host = texts[0] if texts and isinstance(texts[0], str) else ""
        database = texts[1] if has_database and len(texts) > 1 and isinstance(texts[1], str) else ""
        if not host or (has_database and not database):
            return None
        server = Server(system, host, database)
        sql = self._evaluate(options["Query"], known) if "Query" in options else None
        return build_place_table(Place(server, sql=sql)) if isinstance(sql, str) else Navigator(server)

    # -- steps over tables

    def _rename(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        pairs = _read_pairs(arguments[1:2])
        return table.blur() if pairs is None else table.rename(dict(pairs))

    def _select_rows(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        return table.filter(name for argument in arguments[1:] for name in m.list_fields(argument))

    def _sort(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        return table.filter(_list_texts(arguments[1:2]))

    def _add_column(self, table: Table, arguments: Sequence[m.Expression], known: Mapping[str, Value]) -> Value:
        name = arguments[1].value if len(arguments) > 1 and isinstance(arguments[1], m.Text) else None
        if name is None or len(arguments) < 3:
            return table.blur()
        body = arguments[2]
        others = self._unite([self._evaluate(body, known)])
        if isinstance(others, Table):  # a table of another query
            return table._replace(places=table.places | others.places).add(name, None)
        return table.add(name, None if _needs_whole_row(body) else table.find(m.list_fields(body)))

    def _copy(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        texts = [argument.value for argument in arguments[1:3] if isinstance(argument, m.Text)]
        return table.add(texts[1], table.find(texts[:1])) if len(texts) == 2 else table.blur()

    def _merge_columns(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        if len(arguments) < 4 or not isinstance(arguments[3], m.Text):
            return table.blur()
        return table.add(arguments[3].value, table.find(_list_texts(arguments[1:2])))

    def _split_column(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        if len(arguments) < 4 or not isinstance(arguments[1], m.Text):
            return table.blur()
        found = table.find([arguments[1].value])
        for name in _list_texts(arguments[3:4]):
            table = table.add(name, found)
        return table

    def _group(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        keys = _list_texts(arguments[1:2])
        made: dict[str, Columns | None] = {key: table.find([key]) for key in keys}
        for item in arguments[2].items if len(arguments) > 2 and isinstance(arguments[2], m.ListOf) else ():
            parts = item.items if isinstance(item, m.ListOf) else ()
            if len(parts) > 1 and isinstance(parts[0], m.Text):
                fields = m.list_fields(parts[1])
                made[parts[0].value] = table.find(fields) if fields and not _needs_whole_row(parts[1]) else None
        return table.filter(keys)._replace(columns=made, rest=(), nested={})

    def _join_nested(self, table: Table, arguments: Sequence[m.Expression], known: Mapping[str, Value]) -> Value:
        """Table.NestedJoin(table, keys, other, other's keys, name)."""
        other = _to_table(self._evaluate(arguments[2], known)) if len(arguments) > 4 else None
        name = arguments[4].value if len(arguments) > 4 and isinstance(arguments[4], m.Text) else None
        if other is None or name is None:
            return table.blur(*((other,) if other is not None else ()))
        joined = table.filter(_list_texts(arguments[1:2]))
        conditions = joined.conditions | other.filter(_list_texts(arguments[3:4])).conditions
        return joined._replace(places=table.places | other.places, conditions=conditions, nested={**table.nested, name: other})

    def _expand(self, table: Table, arguments: Sequence[m.Expression], _: Mapping[str, Value]) -> Value:
        """Table.ExpandTableColumn(table, name, columns of the nested table, their new names)."""
        name = arguments[1].value if len(arguments) > 2 and isinstance(arguments[1], m.Text) else ""
        columns = _list_texts(arguments[2:3])
        names = _list_texts(arguments[3:4]) or columns
        other = table.nested.get(name)
        if other is None or len(names) != len(columns):
            return table.blur()
        for column, new in zip(columns, names, strict=True):
            table = table.add(new, other.find([column]))
        return table


Reader: TypeAlias = Callable[[OriginFinder, Any, Mapping[str, Value]], Value]
_READERS: Mapping[type[m.Expression], Reader] = {
    m.Text: OriginFinder._read_text,  # noqa: SLF001 - of this file
    m.Name: OriginFinder._read_name,  # noqa: SLF001
    m.Let: OriginFinder._read_steps,  # noqa: SLF001
    m.Joined: OriginFinder._join,  # noqa: SLF001
    m.Item: OriginFinder._choose,  # noqa: SLF001
    m.Field: OriginFinder._read_field,  # noqa: SLF001
    m.Call: OriginFinder._call,  # noqa: SLF001
}
Step: TypeAlias = Callable[[OriginFinder, Table, Sequence[m.Expression], Mapping[str, Value]], Value]
_STEPS: Mapping[str, Step] = {
    "Table.RenameColumns": OriginFinder._rename,  # noqa: SLF001 - of this file
    "Table.SelectRows": OriginFinder._select_rows,  # noqa: SLF001
    "Table.Sort": OriginFinder._sort,  # noqa: SLF001
    "Table.AddColumn": OriginFinder._add_column,  # noqa: SLF001
    "Table.DuplicateColumn": OriginFinder._copy,  # noqa: SLF001
    "Table.CombineColumns": OriginFinder._merge_columns,  # noqa: SLF001
    "Table.SplitColumn": OriginFinder._split_column,  # noqa: SLF001
    "Table.Group": OriginFinder._group,  # noqa: SLF001
    "Table.NestedJoin": OriginFinder._join_nested,  # noqa: SLF001
    "Table.ExpandTableColumn": OriginFinder._expand,  # noqa: SLF001
}


def _to_table(value: Value) -> Table | None:
    if isinstance(value, Navigator):
        return value.build_table()
    return value if isinstance(value, Table) else None


def _combine(tables: Sequence[Table]) -> Table:
    """The rows of several tables."""
    whole, size = Table().blur(*tables), sum(table.size for table in tables)
    return whole._replace(rest=tuple(tables), size=size) if size <= MAX_TABLES else whole


def _enter(target: Navigator) -> Server:
    """The server of a query, in the database that was chosen."""
    server = target.server
    return server._replace(database=target.path[0]) if target.path and not server.database else server


def _needs_whole_row(body: m.Expression) -> bool:
    """Whether an expression about a row reads more than the fields that it names, such as `_`."""
    if isinstance(body, m.Field):
        return body.base is not None and body.base != m.Name("_") and _needs_whole_row(body.base)
    return body == m.Name("_") or any(_needs_whole_row(part) for part in m.list_parts(body))


def _list_texts(arguments: Sequence[m.Expression]) -> list[str]:
    """The texts of a list, or of a list of pairs the first ones, or one text alone."""
    if not arguments:
        return []
    given = arguments[0]
    items = given.items if isinstance(given, m.ListOf) else (given,)
    firsts = [item.items[0] if isinstance(item, m.ListOf) and item.items else item for item in items]
    return [item.value for item in firsts if isinstance(item, m.Text)]


def _read_pairs(arguments: Sequence[m.Expression]) -> list[tuple[str, str]] | None:
    """The pairs of a list of pairs, or one pair; None if they are not all written out."""
    if not arguments or not isinstance(given := arguments[0], m.ListOf):
        return None
    pairs = [given] if given.items and isinstance(given.items[0], m.Text) else given.items
    found: list[tuple[str, str]] = []
    for pair in pairs:
        if not isinstance(pair, m.ListOf) or len(pair.items) != 2:
            return None
        old, new = pair.items
        if not isinstance(old, m.Text) or not isinstance(new, m.Text):
            return None
        found.append((old.value, new.value))
    return found
