"""What Power BI has: the tables of semantic models with the columns that theirs come from, and reports and dashboards over them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, Flow, Json
from meshline.ingest.sources.base import Context, Item, Refusal
from meshline.ingest.sources.dashboards import power_bi_scan as scan
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
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
    spell_use,
)
from meshline.ingest.sources.dashboards.sql_models import read_database_query
from meshline.ingest.sources.dashboards.table_origins import OriginFinder, Place, PlaceColumn, Server, Table

NAMESPACE = "powerbi://api.powerbi.com/v1.0/myorg"  # the address of workspaces in Microsoft's tools
PORTAL = "https://app.powerbi.com/groups"
MAX_DAX = 100_000  # characters of one expression that are looked at
CALCULATED, MEASURE = "Calculated", "MEASURE"
GENERATED = ("LocalDateTable_", "DateTableTemplate_")  # tables that Power BI makes for every column of dates
_DAX = re.compile(
    r"""(?P<skip>"(?:[^"]|"")*"|//[^\n]*|--[^\n]*|/\*.*?\*/)
    |(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^\W\d]\w*))?\[(?P<column>[^\[\]]+)\]""",
    re.VERBOSE | re.DOTALL,
)
_HOST = re.compile(r"(?P<host>[^,:]+)[,:]\s*(?P<port>\d{1,5})")


class Result(NamedTuple):
    """The result of a query. `columns`: what they are made of, by their names in lower case. `whole`: tables of which it is unknown."""

    columns: Mapping[str, frozenset[Use]]
    conditions: frozenset[Use]
    whole: frozenset[Use]


class PowerBiReader:
    """One reading of a scan."""

    def __init__(self, found: scan.Scan, databases: Mapping[str, DatabaseName], context: Context) -> None:
        self._scan = found
        self._named = databases
        self._context = context
        self._warnings = Warnings()
        self._tables: dict[str, tuple[AssetKey, ...]] = {}  # of semantic models, by their ids
        self._owners: dict[str, str] = {}  # of semantic models
        self._results: dict[Place, Result] = {}

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self) -> Iterator[Item]:
        workspaces = [one for _, one in sorted(self._scan.workspaces.items()) if (one.state or "Active") == "Active"]
        for workspace in workspaces:
            names: set[str] = set()
            for one in sorted(workspace.datasets or (), key=lambda one: one.id):
                name = one.name if one.name and one.name not in names else f"{one.name or 'semantic model'} ({one.id})"
                names.add(name)
                yield from self._build_models(workspace, one, name)
        used = {one.id: one.dataset_id for workspace in workspaces for one in workspace.reports or ()}
        reports: list[Report] = []
        for workspace in workspaces:
            reports += [
                self._build_report(workspace, one) for one in sorted(workspace.reports or (), key=lambda one: one.id) if not one.app_id
            ]
            for dashboard in sorted(workspace.dashboards or (), key=lambda one: one.id):
                if not dashboard.app_id:
                    reports.append(self._build_dashboard(workspace, dashboard, used))
        yield from build_report_entries(reports, self._context)

    # -- semantic models

    def _build_models(self, workspace: scan.Workspace, one: scan.SemanticModel, name: str) -> Iterator[Item]:
        """A dataset for each table of a semantic model."""
        tables = [table for table in one.tables or () if table.name and not table.name.startswith(GENERATED)]
        namespace = f"{NAMESPACE}/{workspace.name or workspace.id}"
        keys = {table.name: self._context.naming.normalise_dataset(namespace, f"{name}.{table.name}") for table in tables}
        self._tables[one.id] = tuple(keys.values())
        self._owners[one.id] = one.configured_by or ""
        queries = {query.name: query.expression for query in one.expressions or () if query.expression}
        queries |= {table.name: query.expression for table in tables for query in (table.source or ())[:1] if query.expression}
        finder = OriginFinder(queries)
        references = DaxReferences(tables, keys)
        for table in tables:
            try:
                yield build_model_entry(
                    self._build_model(one, table, keys[table.name], finder.find_table(table.name), references), self._context
                )
            except (InvalidInput, RecursionError) as error:
                reason = str(error) if isinstance(error, InvalidInput) else "its query is nested too deep"
                yield Refusal(InvalidInput(reason, f"{name}.{table.name}"), ("model", *keys[table.name].parts))
        for query, note in finder.notes.items():
            self._warnings.add(f"semantic model {name!r}: query {query!r}: {note}")

    def _build_model(self, one: scan.SemanticModel, table: scan.Table, key: AssetKey, origin: Table, references: DaxReferences) -> Model:
        flows: list[Flow] = []
        columns: list[ModelColumn] = []
        for column in table.columns or ():
            if not column.name or column.name.startswith("RowNumber-"):  # of the engine
                continue
            columns.append(ModelColumn(column.name, column.data_type or "", column.description or ""))
            if column.column_type == CALCULATED or column.expression:
                uses = references.find(column.expression or "", table.name)
            else:
                uses = self._find_column_uses(origin, column.name)
            flows += build_column_flows(key, column.name, sorted(uses))
        for measure in table.measures or ():
            if measure.name:
                columns.append(ModelColumn(measure.name, MEASURE, measure.description or ""))
                flows += build_column_flows(key, measure.name, sorted(references.find(measure.expression or "", table.name)))
        conditions = self._locate(origin.conditions)
        for place in origin.places:
            conditions |= self._read_result(place).conditions if place.sql else frozenset()
        flows += build_condition_flows(key, sorted(conditions))
        if origin.places and not columns:
            flows += [Flow(use.dataset, key) for place in origin.places for use in self._locate_whole(place)]
        endorsed = one.endorsement_details
        return Model(
            key=key,
            title=table.name,
            columns=tuple(columns),
            flows=tuple(flows),
            sql=(table.source[0].expression or "") if table.source else "",
            description=table.description or one.description or "",
            owners=(one.configured_by or "",),
            attributes=_describe_endorsement(endorsed) | {"semantic_model": one.name or ""},
        )

    def _find_column_uses(self, origin: Table, name: str) -> set[Use]:
        """The columns that a column of a table comes from; the whole of all tables that it may come from if that is not known."""
        found = origin.find([name])
        if found is None:
            return {use for place in origin.places for use in self._locate_whole(place)}
        return self._locate(found)

    def _locate(self, found: Iterable[PlaceColumn]) -> set[Use]:
        uses: set[Use] = set()
        for place, column in found:
            if place.sql:
                result = self._read_result(place)
                uses |= result.columns.get(column.casefold(), result.whole or frozenset(self._list_tables(result)))
            else:
                uses |= {spell_use(Use(use.dataset, column), self._context) for use in self._locate_whole(place)}
        return uses

    def _locate_whole(self, place: Place) -> Iterator[Use]:
        """The table of a place, or those of its query."""
        if place.sql:
            yield from self._list_tables(self._read_result(place))
            return
        database = self._locate_server(place.server)
        key = database.build_key(place.relation, self._context)
        if key is not None:
            yield Use(key)

    def _list_tables(self, result: Result) -> set[Use]:
        parts = (*result.columns.values(), result.conditions, result.whole)
        return {Use(use.dataset) for part in parts for use in part}

    def _locate_server(self, server: Server) -> Database:
        match = _HOST.fullmatch(server.host)
        host, port = (match["host"], f":{match['port']}") if match else (server.host, "")
        if server.system == "bigquery":
            database = parse_address("bigquery://", server.system)
        else:
            database = parse_address(f"{server.system}://{host}{port}/{server.database}", server.system)
        named = self._named.get(f"{server.host}/{server.database}") or self._named.get(server.host)
        database = database.move(named, self._context)
        if not database.namespace:
            self._warnings.add(f"server {server.host!r} ({server.system}): {UNLOCATED}")
        return database

    def _read_result(self, place: Place) -> Result:
        """What a query that a database runs reads."""
        if place not in self._results:
            self._results[place] = self._parse_result(place)
        return self._results[place]

    def _parse_result(self, place: Place) -> Result:
        database = self._locate_server(place.server)
        if not database.namespace:
            return Result({}, frozenset(), frozenset())
        target = self._context.naming.normalise_dataset("powerbi://query", "result")
        query = read_database_query(place.sql, database, target, self._context)
        for note in query.notes:
            self._warnings.add(f"query {' '.join(place.sql.split())[:60]!r}: {note}")
        columns: dict[str, set[Use]] = {name.casefold(): set() for name in query.columns}
        conditions: set[Use] = set()
        whole: set[Use] = set()
        for flow in query.flows:
            if flow.start.kind is not AssetKind.COLUMN:
                whole |= set() if flow.covered or flow.start == target else {Use(flow.start)}
                continue
            use = Use(AssetKey(AssetKind.DATASET, flow.start.parts[:2]), flow.start.name)
            (columns.setdefault(flow.end.name.casefold(), set()) if flow.end.kind is AssetKind.COLUMN else conditions).add(use)
        return Result({name: frozenset(uses) for name, uses in columns.items()}, frozenset(conditions), frozenset(whole))

    # -- reports

    def _build_report(self, workspace: scan.Workspace, one: scan.Report) -> Report:
        right = [user for user in one.users or () if user.report_user_access_right == "Owner"]
        return Report(
            id=f"report/{one.id}",
            name=" / ".join(filter(None, (workspace.name, one.name or one.id))),
            type="report",
            uses=frozenset(self._list_uses(one.dataset_id, f"report {one.name!r}")),
            url=f"{PORTAL}/{workspace.id}/reports/{one.id}",
            description=one.description or "",
            owners=tuple(_list_people(right)) or (one.created_by or one.modified_by or self._owners.get(one.dataset_id or "", ""),),
            attributes={
                "workspace": workspace.name or "",
                "report_type": one.report_type or "",
                "last_viewed": self._scan.viewed.get(one.id, ""),
                **_describe_endorsement(one.endorsement_details),
            },
            time=parse_time(one.modified_date_time),
        )

    def _build_dashboard(self, workspace: scan.Workspace, one: scan.Dashboard, used: Mapping[str, str | None]) -> Report:
        right = [user for user in one.users or () if user.dashboard_user_access_right == "Owner"]
        title = one.display_name or one.id
        ids = {id_ for tile in one.tiles or () for id_ in (tile.dataset_id, used.get(tile.report_id or "")) if id_}
        return Report(
            id=f"dashboard/{one.id}",
            name=" / ".join(filter(None, (workspace.name, title))),
            type="dashboard",
            uses=frozenset(use for id_ in ids for use in self._list_uses(id_, f"dashboard {title!r}")),
            url=f"{PORTAL}/{workspace.id}/dashboards/{one.id}",
            owners=tuple(_list_people(right)),
            attributes={
                "workspace": workspace.name or "",
                "charts": len(one.tiles or ()),
                "last_viewed": self._scan.viewed.get(one.id, ""),
            },
        )

    def _list_uses(self, model: str | None, title: str) -> Iterator[Use]:
        """All tables of a semantic model: which of its columns a report shows is not in the scan."""
        if model and model not in self._tables:
            self._warnings.add(f"{title}: its semantic model {model} is in no scanned workspace")
        yield from (Use(key) for key in self._tables.get(model or "", ()))


class DaxReferences:
    """The columns and measures of a semantic model, as formulas in DAX refer to them."""

    def __init__(self, tables: Iterable[scan.Table], keys: Mapping[str, AssetKey]) -> None:
        self._columns: dict[tuple[str, str], Use] = {}
        self._measures: dict[str, Use] = {}
        for table in tables:
            for column in (*(table.columns or ()), *(table.measures or ())):
                self._columns[table.name.casefold(), column.name.casefold()] = Use(keys[table.name], column.name)
            for measure in table.measures or ():
                self._measures.setdefault(measure.name.casefold(), Use(keys[table.name], measure.name))

    def find(self, formula: str, table: str) -> set[Use]:
        """What a formula of a table refers to: `'Orders'[Amount]`, `Orders[Amount]`, or `[Amount]` of a measure or of the table itself."""
        found: set[Use] = set()
        for match in _DAX.finditer(formula[:MAX_DAX]):
            if match["skip"]:
                continue
            name = match["column"].strip().casefold()
            of = (match["quoted"] or match["plain"] or "").replace("''", "'").casefold()
            use = self._columns.get((of, name)) if of else self._measures.get(name) or self._columns.get((table.casefold(), name))
            if use is not None:
                found.add(use)
        return found


def _list_people(users: Iterable[scan.User]) -> Iterator[str]:
    yield from (user.email_address or user.display_name or "" for user in users)


def _describe_endorsement(found: scan.Endorsement | None) -> dict[str, Json]:
    return {} if found is None else {"endorsement": found.endorsement or "", "certified_by": found.certified_by or ""}
