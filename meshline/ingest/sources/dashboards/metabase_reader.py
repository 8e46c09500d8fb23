"""What Metabase has: dashboards and questions with the columns that they use, and the cards that others are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, Flow, Json
from meshline.ingest.sources.base import Context, Item, Refusal
from meshline.ingest.sources.dashboards import metabase_api as api
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName
from meshline.ingest.sources.dashboards.mbql import (
    Origin,
    Pipeline,
    Reference,
    find_named_clause,
    find_references,
    find_result_clause,
    list_clauses,
    list_conditions,
    list_source_cards,
    list_tag_targets,
    parse_query,
)
from meshline.ingest.sources.dashboards.reports import (
    Model,
    ModelColumn,
    Report,
    Use,
    Warnings,
    build_column_flows,
    build_condition_flows,
    build_model_entry,
    build_report_entries,
    parse_time,
)
from meshline.ingest.sources.dashboards.sql_models import Query, list_query_uses, read_query
from meshline.sql.script import Relation

UNREADABLE = "this account may not read its address: use the key of an administrator, or state it under `databases`"
MAX_SQL = 1_000_000  # characters, with all snippets
MAX_INCLUDED = 50  # snippets in snippets
_CARD = re.compile(r"\{\{\s*#(\d{1,18})[^{}]{0,500}\}\}", re.ASCII)
_SNIPPET = re.compile(r"\{\{\s*snippet:\s*([^{}]{1,500}?)\s*\}\}")
_RELATION = re.compile(r"metabase_card__(\d+)", re.ASCII | re.IGNORECASE)

Seen: TypeAlias = set[tuple[int, Reference]]  # a query by its identity, and what it refers to


class MetabaseReader:
    """One reading of a Metabase."""

    def __init__(self, client: api.MetabaseClient, databases: Mapping[str, DatabaseName], context: Context) -> None:
        self._client = client
        self._named = databases
        self._context = context
        self._warnings = Warnings()
        self._databases: dict[int, Database] = {}
        self._tables: dict[int, tuple[AssetKey | None, tuple[str, ...]]] = {}
        self._fields: dict[int, tuple[int, str]] = {}  # table, name
        self._columns: dict[AssetKey, tuple[str, ...]] = {}
        self._cards: dict[int, api.Card] = {}
        self._queries: dict[int, Pipeline] = {}
        self._models: dict[int, AssetKey] = {}
        self._mails: dict[int, str] = {}
        self._collections: dict[int | str, api.Collection] = {}
        self._snippets: dict[str, str] = {}
        self._segments: dict[int, object] = {}

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self) -> Iterator[Item]:
        client = self._client
        cards = [card for card in client.read_list(api.Card, "card?f=all") if card.id is not None and not card.archived]
        dashboards = list(self._read_dashboards(cards))
        self._collections = {one.id: one for one in client.read_optional(api.Collection, "collection") or ()}
        self._snippets = {one.name: one.content or "" for one in client.read_optional(api.Snippet, "native-query-snippet") or ()}
        self._read_segments()
        for database in client.read_list(api.Database, "database"):
            self._read_database(database)
        shown = {card.id: card for one in dashboards for card in api.list_shown(one) if card.id is not None and card.dataset_query}
        self._cards = {**shown, **{card.id or 0: card for card in cards}}
        self._parse_queries()
        yield from self._build_models()
        uses = {id_: self._find_uses(id_) for id_ in self._cards}
        on_dashboards = {id_ for one in dashboards for id_ in api.list_card_ids(one)}
        reports = [self._build_dashboard(one, uses) for one in sorted(dashboards, key=lambda one: one.id)]
        reports += [
            self._build_question(card, uses[card.id])
            for card in sorted(cards, key=lambda one: one.id or 0)
            if card.id is not None and card.id not in on_dashboards and card.dashboard_id is None and not api.is_model(card)
        ]
        yield from build_report_entries(reports, self._context)

    def _read_dashboards(self, cards: Iterable[api.Card]) -> Iterator[api.Dashboard]:
        client = self._client
        links = client.read_optional(api.DashboardLink, "dashboard?f=all")
        if links is None:  # removed in some versions
            links = client.read_list(api.DashboardLink, "search?models=dashboard&limit=1000000")
        creators = [*(card.creator for card in cards), *(link.creator for link in links), *(client.read_optional(api.User, "user") or ())]
        self._mails = {user.id: user.email or user.common_name or "" for user in creators if user is not None}
        for id_ in sorted({link.id for link in links if not link.archived}):
            found = client.read_one(api.Dashboard, f"dashboard/{id_}")
            if not found.archived:
                yield found

    def _read_segments(self) -> None:
        for segment in self._client.read_optional(api.Segment, "segment") or ():
            try:
                self._segments[segment.id] = list(find_references(segment.definition)) and segment.definition
            except InvalidInput as error:
                self._warnings.add(f"segment {segment.id}: {error}")

    # -- databases

    def _read_database(self, one: api.Database) -> None:
        database = api.locate_database(one).move(self._named.get(one.name), self._context)
        if not database.namespace and not one.is_sample:
            self._warnings.add(f"database {one.name!r}: {UNLOCATED if one.details else UNREADABLE}")
        self._databases[one.id] = database
        for table in self._client.read_one(api.DatabaseMetadata, f"database/{one.id}/metadata?include_hidden=true").tables:
            fields = {field.id: field for field in table.fields}
            names = {id_: api.name_field(field, fields) for id_, field in fields.items()}
            key = database.build_key((table.schema or "", table.name), self._context) if table.name else None
            self._tables[table.id] = key, tuple(names.values())
            self._fields |= {id_: (table.id, name) for id_, name in names.items()}
            if key is not None:
                self._columns[key] = tuple(names.values())

    def _list_columns(self, key: AssetKey) -> Sequence[str]:
        return self._columns.get(key) or [column.name for column in self._context.columns_of(key)]

    # -- cards

    def _parse_queries(self) -> None:
        """The queries of all cards, and which cards are models: those that are marked so, and those that others are made of."""
        sources: set[int] = set()
        for id_, card in self._cards.items():
            try:
                pipeline = parse_query(card.dataset_query or {})
            except InvalidInput as error:
                self._warnings.add(f"card {card.name!r} ({id_}): {error}")
                continue
            self._queries[id_] = pipeline
            sources.update(list_source_cards(pipeline))
            for stage in pipeline.stages:
                sources.update(int(match[1]) for match in _CARD.finditer(self._expand_snippets(stage.native)))
        namespace = re.sub(r"^https?://", "metabase://", self._client.url)
        for id_, card in self._cards.items():
            if id_ in sources or api.is_model(card):
                key = self._context.naming.normalise_dataset(namespace, f"card__{id_}")  # as Metabase itself refers to it
                self._models[id_] = key
                self._columns[key] = tuple(column.name for column in card.result_metadata or () if column.name)

    def _build_models(self) -> Iterator[Item]:
        for id_, key in self._models.items():
            try:
                yield build_model_entry(self._build_model(self._cards[id_], key), self._context)
            except InvalidInput as error:
                yield Refusal(InvalidInput(str(error), f"card {id_}"), ("model", *key.parts))

    def _build_model(self, card: api.Card, key: AssetKey) -> Model:
        pipeline = self._queries.get(card.id or 0)
        columns = [column for column in card.result_metadata or () if column.name]
        flows: list[Flow] = []
        sql = ""
        if pipeline is not None and len(pipeline.stages) == 1 and pipeline.stages[0].native:
            sql = pipeline.stages[0].native
            query = self._read_native(card, sql, key)
            flows = [*query.flows, *build_condition_flows(key, sorted(self._find_tag_uses(pipeline)))]
            columns = columns or [api.ResultColumn(name) for name in query.columns]
        elif pipeline is not None:
            direct: set[Use] = set()
            for position, column in enumerate(columns):
                found = self._find_column_uses(pipeline, column, position, len(columns))
                flows += build_column_flows(key, column.name, sorted(found))
                direct |= found
            conditions = self._find_query_uses(card, pipeline) - direct
            for clause in list_conditions(pipeline):
                conditions |= self._resolve_clause(pipeline, clause)
            flows += build_condition_flows(key, sorted(conditions))
        return Model(
            key=key,
            title=card.name or "",
            columns=tuple(ModelColumn(one.name, (one.base_type or "").removeprefix("type/"), one.description or "") for one in columns),
            flows=tuple(flow for flow in flows if flow.start.parts[:2] != key.parts),  # what is not located
            sql=sql,
            description=card.description or "",
            owners=self._list_owners(card.creator_id, card.creator),
            time=parse_time(card.updated_at),
        )

    def _find_column_uses(self, pipeline: Pipeline, column: api.ResultColumn, position: int, width: int) -> set[Use]:
        """The columns that a column of a card's result copies or is computed from."""
        clause = find_result_clause(pipeline, column.name, position, width)
        if clause is None:
            value = column.id if isinstance(column.id, int) else column.name
            return set(self._resolve(pipeline, Reference("field", value), set()))
        return self._resolve_clause(pipeline, clause)

    # -- uses

    def _find_uses(self, id_: int) -> frozenset[Use]:
        """What a card shows or filters by; of a model, its columns."""
        if id_ in self._models:
            return frozenset(self._list_all(Origin("card", id_)))
        pipeline = self._queries.get(id_)
        return frozenset(self._find_query_uses(self._cards[id_], pipeline)) if pipeline is not None else frozenset()

    def _find_query_uses(self, card: api.Card, pipeline: Pipeline) -> set[Use]:
        """What a query uses; its origin as a whole if it names no column of it, such as one that counts rows."""
        found = self._find_tag_uses(pipeline)
        for clause in list_clauses(pipeline):
            found |= self._resolve_clause(pipeline, clause)
        for stage in pipeline.stages:
            if stage.native:
                key = self._context.naming.normalise_dataset("metabase://query", f"card__{card.id}")
                found |= {use for use in list_query_uses(self._read_native(card, stage.native, key)) if use.dataset != key}
        for join in pipeline.joins:
            if join.whole and pipeline.is_open and join.pipeline.is_open and join.pipeline.origin is not None:
                found |= set(self._list_all(join.pipeline.origin))
            found |= self._find_query_uses(card, join.pipeline) if not join.pipeline.is_open else set()
        if pipeline.origin is not None:
            whole = self._find_key(pipeline.origin)
            if pipeline.is_open:
                found |= set(self._list_all(pipeline.origin))
            elif whole is not None and not any(use.dataset == whole for use in found):
                found.add(Use(whole))
        return found

    def _find_key(self, origin: Origin) -> AssetKey | None:
        return self._models.get(origin.id) if origin.kind == "card" else self._tables.get(origin.id, (None, ()))[0]

    def _list_all(self, origin: Origin) -> Iterator[Use]:
        """All columns of a table or a card; the whole of it if they are not known."""
        key = self._find_key(origin)
        if key is not None:
            names = self._columns.get(key, ())
            yield from (Use(key, name) for name in names)
            if not names:
                yield Use(key)

    def _resolve_clause(self, pipeline: Pipeline, clause: object, seen: Seen | None = None) -> set[Use]:
        """The columns that a clause reads. `seen`: what was resolved for the same answer, so that circles end."""
        seen = set() if seen is None else seen
        return {use for reference in find_references(clause) for use in self._resolve(pipeline, reference, seen)}

    def _resolve(self, pipeline: Pipeline, reference: Reference, seen: Seen) -> Iterator[Use]:
        """The columns that a reference means."""
        if (id(pipeline), reference) in seen:
            return
        seen.add((id(pipeline), reference))
        kind, value, alias = reference
        if kind == "segment":
            yield from self._resolve_clause(pipeline, self._segments.get(value if isinstance(value, int) else 0), seen)
        elif kind == "metric":
            metric = self._queries.get(value) if isinstance(value, int) else None
            for clause in list_clauses(metric) if metric is not None else ():
                yield from self._resolve_clause(metric or pipeline, clause, seen)
        elif kind == "expression":
            yield from self._resolve_clause(pipeline, find_named_clause(pipeline, str(value)), seen)
        else:
            yield from self._resolve_field(pipeline, value, alias, seen)

    def _resolve_field(self, pipeline: Pipeline, value: int | str, alias: str, seen: Seen) -> Iterator[Use]:
        joined = next((join.pipeline for join in pipeline.joins if alias and join.alias == alias), None)
        origin = (joined or pipeline).origin
        if origin is not None and origin.kind == "card" and (use := self._find_in_card(origin, value)) is not None:
            yield use
        elif isinstance(value, int):
            table, name = self._fields.get(value, (0, ""))
            key = self._tables.get(table, (None, ()))[0]
            if key is not None:
                yield Use(key, name)
        elif origin is not None and origin.kind == "table" and value in self._tables.get(origin.id, (None, ()))[1]:
            key = self._find_key(origin)
            if key is not None:
                yield Use(key, value)
        else:  # a column that an earlier stage makes
            yield from self._resolve_clause(joined or pipeline, find_named_clause(joined or pipeline, value), seen)

    def _find_in_card(self, origin: Origin, value: int | str) -> Use | None:
        """The column of a card of this name, or that copies the field of this id."""
        key = self._models.get(origin.id)
        columns = (self._cards[origin.id].result_metadata or ()) if origin.id in self._cards else ()
        name = next((column.name for column in columns if value in (column.name, column.id)), None)
        return Use(key, name) if key is not None and name else None

    def _find_tag_uses(self, pipeline: Pipeline) -> set[Use]:
        """The fields by which filters filter that are filled into SQL."""
        return {
            use for stage in pipeline.stages for clause in list_tag_targets(stage.tags) for use in self._resolve_clause(pipeline, clause)
        }

    # -- SQL

    def _read_native(self, card: api.Card, sql: str, key: AssetKey) -> Query:
        """The lineage of SQL; that of cards in it are the cards' own."""
        id_ = card.database_id or (card.dataset_query or {}).get("database")
        database = self._databases.get(id_ if isinstance(id_, int) else 0)
        if database is None or not database.namespace:
            return Query((), (), ())

        def resolve(relation: Relation) -> AssetKey:
            match = _RELATION.fullmatch(relation[-1])
            found = self._models.get(int(match[1])) if match else database.build_key(relation, self._context)
            return found or key

        plain = _CARD.sub(r"metabase_card__\1", self._expand_snippets(sql))
        query = read_query(plain, database.system.dialect, database.defaults, key, resolve, self._list_columns)
        for note in query.notes:
            self._warnings.add(f"card {card.name!r} ({card.id}): {note}")
        return query

    def _expand_snippets(self, sql: str) -> str:
        """SQL with the snippets that it includes, and those that these include."""
        for _ in range(MAX_INCLUDED):
            found = [match[1] for match in _SNIPPET.finditer(sql) if match[1] in self._snippets]
            if not found or len(sql) + sum(len(self._snippets[name]) for name in found) > MAX_SQL:
                break
            sql = _SNIPPET.sub(lambda match: self._snippets.get(match[1], match[0]), sql)
        return sql

    # -- reports

    def _build_dashboard(self, one: api.Dashboard, uses: Mapping[int, frozenset[Use]]) -> Report:
        own = [self._cards[id_] for id_ in api.list_card_ids(one) if id_ in self._cards]
        found: set[Use] = set()
        for card in own:
            found |= uses.get(card.id or 0, frozenset())
        attributes: dict[str, Json] = {
            "charts": len(own),
            "collection": self._name_collection(one.collection_id),
            "last_viewed": one.last_viewed_at or "",
            "views": one.view_count,
        }
        return Report(
            id=f"dashboard/{one.id}",
            name=one.name or f"dashboard {one.id}",
            type="dashboard",
            uses=frozenset(found | self._find_filter_uses(one)),
            url=f"{self._client.url}/dashboard/{one.id}",
            description=one.description or "",
            owners=self._list_owners(one.creator_id, None),
            attributes=attributes,
            time=max(filter(None, (parse_time(one.updated_at), *(parse_time(card.updated_at) for card in own))), default=None),
        )

    def _find_filter_uses(self, one: api.Dashboard) -> set[Use]:
        """The columns by which the dashboard itself filters."""
        found: set[Use] = set()
        for mapping in (mapping for card in api.list_dashcards(one) for mapping in card.parameter_mappings or ()):
            id_ = mapping.card_id or 0
            pipeline = self._queries.get(id_, Pipeline(None, ()))
            pipeline = Pipeline(Origin("card", id_), ()) if id_ in self._models else pipeline
            try:
                found |= self._resolve_clause(pipeline, mapping.target)
            except InvalidInput:
                self._warnings.add(f"dashboard {one.name!r}: a filter cannot be read")
        return found

    def _build_question(self, card: api.Card, uses: frozenset[Use]) -> Report:
        kind = card.type or "question"
        return Report(
            id=f"question/{card.id}",
            name=card.name or f"{kind} {card.id}",
            type=kind,
            uses=uses,
            url=f"{self._client.url}/{'metric' if kind == 'metric' else 'question'}/{card.id}",
            description=card.description or "",
            owners=self._list_owners(card.creator_id, card.creator),
            attributes={
                "collection": self._name_collection(card.collection_id),
                "last_viewed": card.last_used_at or "",
                "views": card.view_count,
            },
            time=parse_time(card.updated_at),
        )

    def _name_collection(self, id_: int | None) -> str:
        """The path of a folder, such as `Finance / Weekly`; '' for the root and for what the account may not read."""
        found = self._collections.get(id_ or "")
        if found is None:
            return ""
        above = [self._collections.get(int(part)) for part in (found.location or "").split("/")[: api.MAX_PARENTS] if part.isdecimal()]
        return " / ".join(one.name for one in (*above, found) if one is not None and one.name)

    def _list_owners(self, creator: int | None, user: api.User | None) -> tuple[str, ...]:
        return ((user.email if user is not None else None) or self._mails.get(creator or 0, ""),)
