"""The lineage of a database's SQL: of its views, and of the statements that it ran.

What cannot be resolved is never guessed: the tables that the system lists for a view, or those that the text names, flow into it as a
whole, so that answers through it are POSSIBLE.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlglot.tokenizer_core import Token, TokenType

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Flow, FlowType
from meshline.graph.naming import Naming
from meshline.ingest.sources.databases.catalog import DatabaseCatalog, Query, Table, TablePath
from meshline.ingest.sources.iceberg.facts import parse_location
from meshline.ingest.sources.sql.facts import Statement, build_table_facts
from meshline.sql.dialects import get_rules
from meshline.sql.script import Lineage, Relation, ScriptReader, split_script
from meshline.sql.statements import RESULT
from meshline.words import shorten_text

MAX_QUERY = 100_000  # characters of a statement in a history
SHOWN = 60  # characters of one that is not followed
_LITERALS = frozenset(
    {TokenType.STRING, TokenType.NUMBER, TokenType.RAW_STRING, TokenType.NATIONAL_STRING, TokenType.HEX_STRING, TokenType.BIT_STRING}
    | {TokenType.BYTE_STRING, TokenType.HEREDOC_STRING, TokenType.UNICODE_STRING}
)
_LIST = re.compile(r"\?(?: ?, ?\?)+")  # of values, of which each run may have another number
_PARAMETER = re.compile(r"(?<![\w$\"'])(?:\$\d+|\?)(?![\w$])")  # of a prepared or normalised statement
_WRITES = re.compile(r"\b(?:insert|merge|update|delete|create|replace|into)\b", re.IGNORECASE)
_ONLY_READS = re.compile(r"[\s(]*(?:select|with|from|table)\b", re.IGNORECASE)
_READS = re.compile(r"\b(?:select|using|from)\b", re.IGNORECASE)


def is_read(sql: str) -> bool:
    """Whether a statement begins as one that may read alone."""
    return _ONLY_READS.match(sql) is not None


class Names:
    """The datasets of a database, by the names that SQL gives them."""

    def __init__(self, catalog: DatabaseCatalog, naming: Naming) -> None:
        self._namespace = catalog.namespace
        self._databases = frozenset(table.path[0].casefold() for table in catalog.tables)
        self._naming = naming
        self._system = catalog.system_schemas
        self._keys: dict[TablePath, AssetKey] = {}
        self._columns: dict[AssetKey, tuple[str, ...]] = {}
        for table in catalog.tables:
            key = self._keys[table.path] = self.name_table(table.path)
            self._columns[key] = tuple(column.name for column in table.columns)
            self._keys.update(dict.fromkeys(table.parts, key))
        self._folded = {tuple(part.casefold() for part in path): key for path, key in self._keys.items()}

    def name_table(self, path: TablePath) -> AssetKey:
        return self._naming.normalise_dataset(self._namespace, ".".join(path))

    def find_table(self, relation: Sequence[str]) -> AssetKey | None:
        """A table that the database lists."""
        path = tuple(relation)
        return self._keys.get(path) or self._folded.get(tuple(part.casefold() for part in path))

    def resolve(self, relation: Relation) -> AssetKey | None:
        """A table that the database lists, a file by its location, or a table that is not listed by its full name; None for tables
        of the system, and for what is not located.
        """
        found = self.find_table(relation)
        if found is not None or len(relation) < 3 or relation[-2].casefold() in self._system:
            return found
        if "/" in relation[-1]:  # DuckDB reads files as tables
            place = parse_location(relation[-1])
            return None if place is None else self._naming.normalise_dataset(*place)
        return self.name_table(relation)

    def resolve_certain(self, relation: Relation) -> AssetKey | None:
        """As `resolve`, but what the database does not list is in another one: else it may be a temporary table."""
        found = self.resolve(relation)
        return None if found is not None and found not in self._columns and relation[0].casefold() in self._databases else found

    def list_columns(self, key: AssetKey | None) -> Sequence[str]:
        return () if key is None else self._columns.get(key, ())

    def spell_column(self, key: AssetKey, column: str) -> str:
        """The column as the database spells it."""
        columns = self._columns.get(key, ())
        return column if column in columns else next((one for one in columns if one.casefold() == column.casefold()), column)


class ViewDefinition(NamedTuple):
    """The flows into a view. `notes`: what could not be resolved, in words."""

    flows: tuple[Flow, ...]
    notes: tuple[str, ...] = ()


class SqlReader:
    """Reads the SQL of one database."""

    def __init__(self, catalog: DatabaseCatalog, names: Names) -> None:
        self._dialect = catalog.dialect
        self._defaults = catalog.defaults
        self._view_schema = catalog.view_schema
        self._names = names

    def read_view(self, view: Table) -> ViewDefinition:
        """The flows into a view: by its text, else from the whole tables that the system lists for it."""
        own = self._names.name_table(view.path)
        listed = [key for path in view.reads if (key := self._names.find_table(path)) is not None and key != own]
        lineages, notes = self._read_text(view.sql, (*view.path[:-2], self._view_schema or view.path[-2]), target=view.path)
        found = [one for one in lineages if one.target is not None]
        if not found:
            why = notes or ["its text is no query"]
            return ViewDefinition(tuple(Flow(key, own) for key in dict.fromkeys(listed)), tuple(why))
        return self._build_flows(found[-1], own, view, listed)

    def read_statement(self, query: Query) -> tuple[list[Lineage], list[str]]:
        """What a statement of a history reads and writes, and the problems of its text."""
        if len(query.sql) > MAX_QUERY:
            return [], [f"it has more than {MAX_QUERY} characters"]
        return self._read_text(_PARAMETER.sub("'?'", query.sql), query.defaults or self._defaults)

    def read_selection(self, query: Query) -> tuple[list[Lineage], list[str]]:
        """The same; what a statement shows that writes nothing has the target RESULT."""
        if len(query.sql) > MAX_QUERY:
            return [], [f"it has more than {MAX_QUERY} characters"]
        return self._read_text(_PARAMETER.sub("'?'", query.sql), query.defaults or self._defaults, RESULT)

    def _read_text(self, sql: str, defaults: Relation, target: Relation | None = None) -> tuple[list[Lineage], list[str]]:
        reader = ScriptReader(self._dialect, lambda relation: self._names.list_columns(self._names.find_table(relation)), defaults)
        found: list[Lineage] = []
        notes: list[str] = []
        for one in reader.read_script(sql, target=target):
            if isinstance(one, InvalidInput):
                notes.append(f"its SQL cannot be read as {self._dialect}: {one}")
            else:
                found.append(one)
        return found, notes

    def _build_flows(self, lineage: Lineage, own: AssetKey, view: Table, listed: Sequence[AssetKey]) -> ViewDefinition:
        notes = dict.fromkeys(lineage.unresolved)
        columns = [column.name for column in view.columns]
        # The text may give the columns other names than the view has: CREATE VIEW v (a, b) AS SELECT x, y.
        called = dict(zip(lineage.columns, columns, strict=False)) if len(lineage.columns) == len(columns) else {}
        flows: dict[Flow, None] = {}
        for edge in lineage.edges:
            key = self._names.resolve(edge.source)
            if key is None:
                continue
            if edge.column is None:
                if key != own:
                    flows[Flow(key, own)] = None
                continue
            start = model.build_column_key(key, self._names.spell_column(key, edge.column))
            if edge.target is None:
                flows[Flow(start, own, FlowType.INDIRECT, edge.subtype, edge.masking)] = None
            else:
                end = model.build_column_key(own, self._names.spell_column(own, called.get(edge.target, edge.target)))
                flows[Flow(start, end, edge.type, edge.subtype, edge.masking)] = None
        described = {flow.start.parts[:2] for flow in flows if flow.start.kind is AssetKind.COLUMN}
        read = [key for relation in lineage.reads if (key := self._names.resolve(relation)) is not None]
        for key in dict.fromkeys((*read, *listed)):
            if key != own:
                flows[Flow(key, own, covered=key.parts in described)] = None
                if lineage.unresolved:  # the unresolved part may come from any of them
                    flows[Flow(key, own)] = None
        return ViewDefinition(tuple(flows), tuple(notes))


class QueryShape(NamedTuple):
    """All statements of a history that write one table and differ in their literals alone. `time`: of the newest."""

    target: AssetKey
    sql: str
    query: Query
    lineages: tuple[Lineage, ...]
    time: int | None

    @property
    def digest(self) -> str:
        return hashlib.blake2b(self.sql.encode(), digest_size=6).hexdigest()


def group_queries(queries: Iterable[Query], reader: SqlReader, names: Names, dialect: str) -> tuple[list[QueryShape], list[str]]:
    """The shapes of the statements that write a table of the database from another table, and the problems of those that cannot be read."""
    newest: dict[str, Query] = {}
    for query in queries:  # of equal shapes the newest
        text = remove_literals(query.sql, dialect)
        known = newest.get(text)
        if known is None or (query.time or 0) >= (known.time or 0):
            newest[text] = query
    shapes: list[QueryShape] = []
    problems: list[str] = []
    for text, query in newest.items():
        if not (query.writes or (_WRITES.search(text) and _READS.search(text))):
            continue
        lineages, notes = reader.read_statement(query)
        written: dict[AssetKey, list[Lineage]] = {key: [] for path in query.writes if (key := names.find_table(path)) is not None}
        for lineage in lineages:
            target = None if lineage.target is None else names.find_table(lineage.target)
            if (
                target is not None
                and lineage.defines != "VIEW"
                and any(names.resolve_certain(one) not in (None, target) for one in lineage.reads)
            ):
                written.setdefault(target, []).append(lineage)
        if notes and not written:
            problems.append(f"{shorten_text(text, SHOWN)}: {notes[0]}")
        shapes += [
            QueryShape(target, text, query, tuple(found), query.time)
            for target, found in written.items()
            if found or query.reads or query.columns
        ]
    return shapes, problems


def build_query_facts(shape: QueryShape, names: Names, catalog: DatabaseCatalog) -> tuple[AssetKey, Facts]:
    """The job of a shape, and its facts.

    Columns that the system recorded are exact: they replace the direct flows of the text, whose filters and joins are kept.
    """
    target = shape.target
    job = model.build_job_key(catalog.namespace, f"{target.name}/query-{shape.digest}")
    about = AssetFact(job, {"job_type": "QUERY", "integration": catalog.dialect.upper(), "dialect": catalog.dialect, "sql": shape.sql})
    recorded = [one for one in shape.query.columns if names.find_table(one.target) == target]
    reads = dict.fromkeys(key for path in shape.query.reads if (key := names.resolve(path)) is not None)
    statements = [Statement(_keep_certain(lineage, names), job, 0) for lineage in shape.lineages]
    facts = build_table_facts(target, statements, lambda relation: names.resolve(relation) or names.name_table(relation))
    flows = [_spell_flow(flow, names) for flow in facts.flows]
    if recorded:
        flows = [flow for flow in flows if flow.type is FlowType.INDIRECT and flow.start.kind is AssetKind.COLUMN]
        for one in recorded:
            source = names.resolve(one.source)
            if source is not None:
                start = model.build_column_key(source, names.spell_column(source, one.source_column))
                flows.append(Flow(start, model.build_column_key(target, names.spell_column(target, one.column)), job=job))
                reads[source] = None
    known = {flow.start for flow in flows if flow.start.kind is AssetKind.DATASET}
    by_columns = {flow.start.parts[:2] for flow in flows if flow.start.kind is AssetKind.COLUMN}
    flows += [Flow(key, target, covered=key.parts in by_columns, job=job) for key in reads if key not in known and key != target]
    edges = [*facts.edges, EdgeFact(EdgeType.WRITES, job, target), *(EdgeFact(EdgeType.READS, job, key) for key in reads)]
    unique = {(one.type, one.start, one.end): one for one in edges}
    return job, Facts((about,), tuple(unique.values()), tuple(flows))


def _keep_certain(lineage: Lineage, names: Names) -> Lineage:
    """Without tables that may be temporary, and without a definition, which the catalog has."""
    reads = tuple(one for one in lineage.reads if names.resolve_certain(one) is not None)
    edges = tuple(edge for edge in lineage.edges if names.resolve_certain(edge.source) is not None)
    return lineage._replace(defines="", columns=(), reads=reads, edges=edges)


def _spell_flow(flow: Flow, names: Names) -> Flow:
    """The flow with its columns as the database spells them."""
    return flow._replace(start=_spell_key(flow.start, names), end=_spell_key(flow.end, names))


def _spell_key(key: AssetKey, names: Names) -> AssetKey:
    if key.kind is not AssetKind.COLUMN:
        return key
    dataset = AssetKey(AssetKind.DATASET, key.parts[:2])
    return model.build_column_key(dataset, names.spell_column(dataset, key.parts[2]))


def remove_literals(sql: str, dialect: str) -> str:
    """The text with `?` for every literal and parameter, without comments, on one line: one text per shape."""
    rules = get_rules(dialect)
    try:
        pieces = split_script(rules, _PARAMETER.sub("'?'", sql[:MAX_QUERY]), "")
    except InvalidInput:
        return ""
    return "; ".join(_LIST.sub("?", "".join(_format_tokens(piece.sql, piece.tokens))) for piece in pieces)


def _format_tokens(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    end = tokens[0].start - 1
    for token in tokens:
        if token.start > end + 1:  # a space, or a comment
            yield " "
        yield "?" if token.token_type in _LITERALS else sql[token.start : token.end + 1]
        end = token.end
