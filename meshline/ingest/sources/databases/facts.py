"""A database's catalog -> entries: scopes for what each table is, for its size, for the lineage of each view, and for each query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.content import Draft, encode_facts
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    Content,
    Facts,
    Json,
    drop_empty_attributes,
    get_current_micros,
)
from meshline.graph.naming import find_email
from meshline.ingest.sources.base import RIGHTS, Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.databases.catalog import FOREIGN_KEY, PRIMARY_KEY, Column, Constraint, DatabaseCatalog, Table
from meshline.ingest.sources.read_right import RoleNames, build_right_facts
from meshline.ingest.sources.table_properties import build_owner_facts
from meshline.words import format_count

if TYPE_CHECKING:
    from meshline.ingest.sources.databases.history_usage import HistoryUsage
    from meshline.ingest.sources.databases.query_lineage import Names
    from meshline.ingest.sources.databases.usage_options import UsageOptions

MAX_NAME = 1_000  # characters
MAX_TEXT = 10_000  # characters of a comment
MAX_SQL = 100_000  # characters of a view's text that are shown
MAX_COLUMNS = 20_000  # of a table
MAX_WARNINGS = 100
DAY = 86_400_000_000  # microseconds
QUERIES = "queries"  # the key of the memory: when each query was last in the history


class CatalogEntries:
    """The entries of one reading. `owners`: the owner that a role or user of the database means. `query_days`: for how long a query
    remains in the graph that is no longer in the system's history, which keeps the newest alone. `usage`: how reads of the history
    become usage; None if they do not.
    """

    def __init__(
        self, catalog: DatabaseCatalog, context: Context, owners: Mapping[str, str], query_days: int, usage: UsageOptions | None = None
    ) -> None:
        self._catalog = catalog
        self._context = context
        self._owners = owners
        self._query_days = query_days
        self._usage_options = usage
        self._usage: HistoryUsage | None = None  # the one of this reading, once it has begun
        self._roles = RoleNames(catalog.namespace, owners, context.resolve_person)
        self._seen: dict[str, int] = {}
        self.warnings: list[str] = []

    def read_items(self) -> Iterator[Item]:
        from meshline.ingest.sources.databases.query_lineage import Names, SqlReader  # noqa: PLC0415 - needs sqlglot

        names = Names(self._catalog, self._context.naming)
        known: set[AssetKey] = set()
        for table in self._catalog.tables:
            try:
                key = _name_table(table, names)
            except InvalidInput as error:
                yield Refusal(error)
                continue
            if key not in known:
                known.add(key)
                yield from self._build_entries(key, table, names)
        reader = SqlReader(self._catalog, names)
        notes: list[str] = []
        for table in self._catalog.tables:
            if table.sql:
                definition = reader.read_view(table)
                notes += [f"{'.'.join(table.path)}: {note}" for note in definition.notes]
                yield Entry(("view-lineage", *names.name_table(table.path).parts), encode_facts(Facts(flows=definition.flows)))
        self._add_warnings(notes)
        yield from self._build_queries(names)
        if self._usage_options is not None:
            from meshline.ingest.sources.databases.history_usage import HistoryUsage  # noqa: PLC0415

            self._usage = HistoryUsage(self._usage_options, self._context, self._catalog, names)
            yield from self._usage.read_items()
            self._add_warnings(self._usage.warnings)

    def remember(self) -> Mapping[str, str]:
        seen = {QUERIES: msgspec.json.encode(self._seen).decode()} if self._seen else {}
        return seen if self._usage is None else {**seen, **self._usage.remember()}

    def _build_entries(self, key: AssetKey, table: Table, names: Names) -> Iterator[Entry]:
        yield Entry(("table", *key.parts), self._build_table_content(key, table, names))
        size = drop_empty_attributes(record_count=_cut_estimate(table.rows), size_bytes=_cut_estimate(table.bytes))
        if size:
            yield Entry(("table-size", *key.parts), encode_facts(Facts((AssetFact(key, size),))))
        if table.rights:
            yield Entry((RIGHTS, *key.parts), encode_facts(build_right_facts(key, table.rights, self._roles.build_owner)))

    def _build_table_content(self, key: AssetKey, table: Table, names: Names) -> Content:
        draft = Draft()
        attributes = drop_empty_attributes(
            dataset_type=table.kind,
            description=table.description[:MAX_TEXT],
            table_owner=table.owner,
            sql=table.sql[:MAX_SQL],
            dialect=self._catalog.dialect if table.sql else "",
            constraints=[_describe_constraint(one, names) for one in table.constraints],
            tags=list(table.tags),
            **table.others,
        )
        keys = {name for one in table.constraints if one.type == PRIMARY_KEY for name in one.columns}
        draft.add_asset(key, None, attributes)
        draft.add_columns(
            key,
            [(column.name, column.position) for column in table.columns],
            [(column.name, _describe_column(column, identifies=column.name in keys)) for column in table.columns],
        )
        owner = self._owners.get(table.owner, table.owner if find_email(table.owner) else "")
        if owner:  # else it is the role that made the table, which would hide the real owner
            draft.add_facts(build_owner_facts(self._context.resolve_person(owner), key))
        return draft.build_content()

    def _build_queries(self, names: Names) -> Iterator[Item]:
        from meshline.ingest.sources.databases.query_lineage import SqlReader, build_query_facts, group_queries  # noqa: PLC0415

        shapes, problems = group_queries(self._catalog.queries, SqlReader(self._catalog, names), names, self._catalog.dialect)
        self._add_warnings([f"a statement of the history is not followed: {one}" for one in problems])
        now = get_current_micros()
        for shape in shapes:
            job, facts = build_query_facts(shape, names, self._catalog)
            if job.name not in self._seen:
                self._seen[job.name] = min(shape.time or now, now)
                yield Entry(("query", *job.parts), encode_facts(facts), None if shape.time is None else min(shape.time, now))
        for name, time in self._decode_seen().items():
            if name not in self._seen and now - time < self._query_days * DAY:
                self._seen[name] = time
                yield Unchanged(("query", self._catalog.namespace, name))

    def _decode_seen(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._context.memory.get(QUERIES, "{}"), type=dict[str, int])
        except msgspec.MsgspecError:
            return {}

    def _add_warnings(self, warnings: list[str]) -> None:
        self.warnings += warnings[:MAX_WARNINGS]
        if len(warnings) > MAX_WARNINGS:
            self.warnings.append(f"{format_count(len(warnings) - MAX_WARNINGS, 'more warning')} of this kind")


def _name_table(table: Table, names: Names) -> AssetKey:
    """Raises InvalidInput if the table's name or its columns cannot be ingested."""
    shown = ".".join(table.path)[:100]
    if not all(table.path) or max(map(len, table.path), default=0) > MAX_NAME:
        raise InvalidInput(f"a name must have 1 to {MAX_NAME} characters", shown)
    if len(table.columns) > MAX_COLUMNS:
        raise InvalidInput(f"more than {MAX_COLUMNS} columns", shown)
    if any(not column.name or len(column.name) > MAX_NAME for column in table.columns):
        raise InvalidInput(f"a column's name must have 1 to {MAX_NAME} characters", shown)
    return names.name_table(table.path)


def _describe_column(column: Column, *, identifies: bool) -> dict[str, Json]:
    attributes = drop_empty_attributes(
        type=column.type,
        description=column.description[:MAX_TEXT],
        default=column.default[:MAX_TEXT],
        generation_expression=column.generated[:MAX_TEXT],
        tags=list(column.tags),
        nullable=column.nullable,
    )
    return {**attributes, "identifies": True} if identifies else attributes


def _describe_constraint(constraint: Constraint, names: Names) -> Json:
    to = names.find_table(constraint.references) if constraint.type == FOREIGN_KEY else None
    return drop_empty_attributes(
        name=constraint.name,
        type=constraint.type,
        columns=list(constraint.columns),
        expression=constraint.expression[:MAX_TEXT],
        to=to.name if to is not None else ".".join(constraint.references),
        to_columns=list(constraint.referenced),
    )


def _cut_estimate(number: int | None) -> int | None:
    """Two significant digits: what changes with every row would be a new statement with every reading."""
    if number is None or number < 0:
        return None
    digits = len(str(number)) - 2
    return number if digits <= 0 else round(number, -digits)
