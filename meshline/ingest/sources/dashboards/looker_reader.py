"""What dashboards and looks of Looker use: the fields of their queries, followed through LookML's references to the columns of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.sources.base import Context, Item
from meshline.ingest.sources.dashboards import looker_api as api
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
from meshline.ingest.sources.dashboards.reports import Report, Use, Warnings, build_report_entries, parse_time
from meshline.ingest.sources.dashboards.sql_models import list_expression_columns, list_query_uses, parse_table, read_database_query

MAX_DEPTH = 100  # of references from field to field
DIALECTS = {"bigquery_standard_sql": "bigquery", "awsathena": "athena", "amazonredshift": "redshift", "presto_db": "presto"}
_REFERENCE = re.compile(r"\$\{([\w.]{1,500})\}")
_TABLE = re.compile(r"\$\{TABLE\}\s*\.\s*")
_FIELD = re.compile(r"\w{1,250}\.\w{1,250}")

ReadSql: TypeAlias = Callable[[str | int], str]


class ExploreFields:
    """The fields of an explore, and the tables of its views."""

    def __init__(self, explore: api.Explore, database: Database, context: Context) -> None:
        self._database = database
        self._context = context
        self._joins = {join.name: join for join in explore.joins or ()}
        self._bases = {name for name in (explore.name, explore.view_name) if name}
        self._base_table = explore.sql_table_name
        found = explore.fields or api.ExploreFields()
        self._fields = {field.name: field for field in (*(found.dimensions or ()), *(found.measures or ()), *(found.filters or ()))}
        self.always = [one.name for one in explore.always_filter or () if one.name]
        self.notes: list[str] = []
        self._uses: dict[str, frozenset[Use] | None] = {}

    def list_uses(self, names: Iterable[str]) -> frozenset[Use] | None:
        """The columns that fields use, and those by which their views are joined; None if the table of one is not known."""
        wanted = dict.fromkeys((*names, *self.always))
        for view in self._list_views(wanted):
            join = self._joins[view]
            wanted.update(dict.fromkeys(_REFERENCE.findall(join.sql_on or "")))
            wanted.update(dict.fromkeys([join.foreign_key] if join.foreign_key else ()))
        found: set[Use] = set()
        for name in wanted:
            uses = self._follow(name, ())
            if uses is None:
                return None
            found |= uses
        return frozenset(found)

    def _list_views(self, names: Iterable[str]) -> list[str]:
        """The joined views of fields, and those that their joins need."""
        waiting, found = [name.partition(".")[0] for name in names], dict[str, None]()
        while waiting:
            view = waiting.pop()
            if view in self._joins and view not in found:
                found[view] = None
                waiting += self._joins[view].required_joins or ()
        return list(found)

    def _follow(self, name: str, above: tuple[str, ...]) -> frozenset[Use] | None:
        """The columns of a field, by its SQL and the fields that it refers to."""
        if name in self._uses:
            return self._uses[name]
        if name in above or len(above) > MAX_DEPTH:
            return frozenset()
        field = self._fields.get(name)
        view = name.partition(".")[0]
        if field is None:
            return frozenset() if "." not in name or view in self._joins or view in self._bases else None
        found: set[Use] = set()
        sql = field.sql or ("" if field.category == "measure" else f"${{TABLE}}.{name.partition('.')[2]}")
        complete = True
        for reference in (*_REFERENCE.findall(sql), *self._list_filters(field)):
            if reference == "TABLE" or reference.endswith(".SQL_TABLE_NAME"):
                continue
            uses = self._follow(reference if "." in reference else f"{view}.{reference}", (*above, name))
            complete = complete and uses is not None
            found |= uses or frozenset()
        own = self._read_own(view, sql) if "${TABLE}" in sql or not found else []
        complete = complete and own is not None
        answer = frozenset((*found, *(own or ()))) if complete else None
        if not above:
            self._uses[name] = answer
        return answer

    @staticmethod
    def _list_filters(field: api.Field) -> Iterator[str]:
        for one in (*(field.measure_filters or ()), *(field.filters or ())):
            if one.field:
                yield one.field

    def _read_own(self, view: str, sql: str) -> list[Use] | None:
        """The columns of a view's own table in SQL; the whole table if it names none, such as one that counts rows."""
        join = self._joins.get(view)
        text = join.sql_table_name if join is not None else self._base_table if view in self._bases else None
        relation = parse_table(text or "", self._database.system.dialect)
        key = self._database.build_key(relation, self._context) if relation else None
        if key is None:
            return None
        plain = _REFERENCE.sub("NULL", _TABLE.sub("", sql))
        try:
            names = list_expression_columns(plain, self._database.system.dialect) if plain.strip() else []
        except InvalidInput as error:
            self.notes.append(str(error))
            names = []
        return [Use(key, name) for name in names] or [Use(key)]


class LookerReader:
    """One reading of a Looker."""

    def __init__(self, content: api.Content, databases: Mapping[str, DatabaseName], context: Context, url: str, read_sql: ReadSql) -> None:
        self._content = content
        self._context = context
        self._url = url
        self._read_sql = read_sql
        self._warnings = Warnings()
        self._mails = {str(user.id): user.email or user.display_name or "" for user in content.users if user.id is not None}
        self._databases = {one.name: _locate_connection(one).move(databases.get(one.name), context) for one in content.connections}
        self._named = databases
        self._explores: dict[tuple[str, str], ExploreFields] = {}
        self._connections: dict[tuple[str, str], Database] = {}
        for explore in content.explores:
            pair = explore.model_name, explore.name
            database = self._find_database(explore.connection_name or "")
            self._connections[pair] = database
            self._explores[pair] = ExploreFields(explore, database, context)

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self) -> Iterator[Item]:
        dashboards = {str(one.id): one for one in self._content.dashboards if not one.deleted}
        looks = {str(one.id): one for one in self._content.looks if one.id is not None and not one.deleted}
        reports = [self._build_dashboard(one) for _, one in sorted(dashboards.items(), key=_order_by_id)]
        shown = {
            str(element.look.id) for one in dashboards.values() for element in one.dashboard_elements or () if element.look is not None
        }
        reports += [self._build_look(one) for id_, one in sorted(looks.items(), key=_order_by_id) if id_ not in shown]
        yield from build_report_entries(reports, self._context)

    def _find_database(self, name: str) -> Database:
        if name not in self._databases:
            self._databases[name] = parse_address("").move(self._named.get(name), self._context)
        database = self._databases[name]
        if not database.namespace:
            self._warnings.add(f"connection {name!r}: {UNLOCATED}")
        return database

    # -- uses

    def _find_uses(self, query: api.Query, title: str) -> frozenset[Use]:
        """What a query uses: by the fields of its explore, else by the SQL that Looker makes of it."""
        pair = query.model or "", query.view or ""
        explore = self._explores.get(pair)
        if explore is None:
            self._warnings.add(f"{title}: explore {'/'.join(pair)} cannot be read: what its queries use is not known")
            return frozenset()
        uses = explore.list_uses(self._list_fields(query, title))
        for note in explore.notes:
            self._warnings.add(f"explore {'/'.join(pair)}: {note}")
        if uses is not None:
            return uses
        database = self._connections[pair]
        sql = query.sql or (self._read_sql(query.id) if query.id is not None and database.namespace else "")
        if sql and database.namespace:
            return self._read_query(sql, database, title)
        if database.namespace:
            self._warnings.add(f"{title}: the table of a view of explore {'/'.join(pair)} is not known, such as of a derived table")
        return frozenset()

    def _read_query(self, sql: str, database: Database, title: str) -> frozenset[Use]:
        target = self._context.naming.normalise_dataset("looker://query", title)
        query = read_database_query(sql, database, target, self._context)
        for note in query.notes:
            self._warnings.add(f"{title}: {note}")
        return frozenset(use for use in list_query_uses(query) if use.dataset != target)

    def _list_fields(self, query: api.Query, title: str) -> dict[str, None]:
        """The fields that a query names: selected, filtered, sorted by, or in its own calculations."""
        found = dict.fromkeys(query.fields or ())
        found.update(dict.fromkeys(query.filters or ()))
        found.update((text.split(" ")[0], None) for text in query.sorts or ())
        found.update(dict.fromkeys(_REFERENCE.findall(query.filter_expression or "")))
        if query.dynamic_fields:
            try:
                _collect_fields(msgspec.json.decode(query.dynamic_fields), found)
            except (msgspec.MsgspecError, RecursionError):
                self._warnings.add(f"{title}: its calculated fields cannot be read")
        return {name: None for name in found if _FIELD.fullmatch(name)}

    def _find_element_uses(self, element: api.Element, title: str) -> frozenset[Use]:
        found: set[Use] = set()
        for query in api.list_element_queries(element):
            found |= self._find_uses(query, title)
        for one in (element.result_maker.filterables if element.result_maker is not None else None) or ():
            names = [listener.field for listener in one.listen or () if listener.field]
            found |= self._find_field_uses(one.model, one.view, names)
        return frozenset(found)

    def _find_field_uses(self, model: str | None, explore: str | None, names: Iterable[str]) -> frozenset[Use]:
        known = self._explores.get((model or "", explore or ""))
        return (known.list_uses(names) if known is not None else None) or frozenset()

    # -- reports

    def _build_dashboard(self, one: api.Dashboard) -> Report:
        title = one.title or f"dashboard {one.id}"
        found: set[Use] = set()
        for element in one.dashboard_elements or ():
            found |= self._find_element_uses(element, title)
        for chosen in one.dashboard_filters or ():
            found |= self._find_field_uses(chosen.model, chosen.explore, [chosen.dimension] if chosen.dimension else [])
        return self._build_report(one, "dashboard", title, found, {"charts": len(one.dashboard_elements or ())})

    def _build_look(self, one: api.Look) -> Report:
        title = one.title or f"look {one.id}"
        found = self._find_uses(one.query, title) if one.query is not None else frozenset()
        return self._build_report(one, "look", title, found, {})

    def _build_report(
        self, one: api.Dashboard | api.Look, kind: str, title: str, found: Iterable[Use], attributes: dict[str, Json]
    ) -> Report:
        uses = frozenset(found)
        fine = {use.dataset for use in uses if use.column}
        attributes |= {
            "folder": (one.folder.name if one.folder is not None else None) or "",
            "last_viewed": one.last_viewed_at or one.last_accessed_at or "",
            "views": one.view_count,
        }
        return Report(
            id=f"{kind}/{one.id}",
            name=title,
            type=kind,
            uses=frozenset(use for use in uses if use.column or use.dataset not in fine),
            url=f"{re.sub(r':19999$', '', self._url)}/{kind}s/{one.id}" if self._url else "",
            description=one.description or "",
            owners=(self._mails.get(str(one.user_id), ""),),
            attributes=attributes,
            time=parse_time(one.updated_at),
        )


def _collect_fields(found: object, names: dict[str, None], depth: int = 0) -> None:
    """The fields that calculations refer to: `based_on`, keys of `filters`, and references in expressions."""
    if depth > MAX_DEPTH:
        return
    if isinstance(found, str):
        names.update(dict.fromkeys((found, *_REFERENCE.findall(found))))
    elif isinstance(found, list):
        for one in found:
            _collect_fields(one, names, depth + 1)
    elif isinstance(found, dict):
        for key, value in found.items():
            names.update(dict.fromkeys([key] if _FIELD.fullmatch(key) else ()))
            if key not in ("label", "description", "measure", "dimension", "table_calculation", "value_format"):
                _collect_fields(value, names, depth + 1)


def _order_by_id(pair: tuple[str, object]) -> tuple[int, str]:
    """Ids are numbers, but those of dashboards that are written in LookML."""
    return (int(pair[0]), "") if pair[0].isascii() and pair[0].isdecimal() and len(pair[0]) < 19 else (2**63, pair[0])


def _locate_connection(one: api.Connection) -> Database:
    kind = (one.dialect_name or "").lower()
    system = DIALECTS.get(kind, re.sub(r"(?:_standard_sql|_legacy_sql|_spark|_\d[\d_]*)$", "", kind))
    name, schema = one.database or "", one.schema or ""
    if system == "bigquery":
        return parse_address(f"bigquery://{one.host or name}/{schema or (name if one.host else '')}", system)
    port = f":{one.port}" if one.port else ""
    return parse_address(f"{system}://{one.host}{port}/{name}/{schema}" if one.host and system else "", system)
