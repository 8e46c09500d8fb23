"""Tableau: dashboards and sheets as consumers of the columns that they use, from exported answers of its Metadata API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec
from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
from meshline.ingest.sources.dashboards.reports import Report, Use, Warnings, build_report_entries, parse_time
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes

MAX_BYTES = 256 * 2**20  # of one file
CONNECTIONS = {"hadoophive": "hive", "hiveserver2": "hive", "spark": "hive"}  # the others have the usual names


class Owner(msgspec.Struct):
    email: str | None = None
    name: str | None = None
    username: str | None = None


class Tag(msgspec.Struct):
    name: str | None = None


class TableDatabase(msgspec.Struct, rename="camel"):
    """The database of a table. Only servers have a host; files and cloud files have none."""

    name: str | None = None
    connection_type: str | None = None
    host_name: str | None = None
    port: int | None = None
    service: str | None = None


class Table(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    schema: str | None = None
    database: TableDatabase | None = None


class Column(msgspec.Struct):
    name: str | None = None
    table: Table | None = None


class Sheet(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    path: str | None = None
    updated_at: str | None = None
    upstream_columns: list[Column] | None = None
    upstream_tables: list[Table] | None = None


class SheetLink(msgspec.Struct):
    id: str


class Dashboard(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    path: str | None = None
    updated_at: str | None = None
    sheets: list[SheetLink] | None = None


class Workbook(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    description: str | None = None
    project_name: str | None = None
    updated_at: str | None = None
    owner: Owner | None = None
    tags: list[Tag] | None = None
    sheets: list[Sheet] | None = None
    dashboards: list[Dashboard] | None = None


class _Nodes(msgspec.Struct):
    nodes: list[Workbook]


class _Data(msgspec.Struct, rename="camel"):
    workbooks: list[Workbook] | None = None
    workbooks_connection: _Nodes | None = None


class _Problem(msgspec.Struct):
    message: str = ""


class _Answer(msgspec.Struct):
    data: _Data | None = None
    errors: list[_Problem] | None = None


class Tableau(Source):
    """Exported answers of Tableau's Metadata API to the query that the documentation shows."""

    kind: ClassVar[str] = "tableau"
    files: Paths
    databases: dict[str, DatabaseName] = Field(
        default={}, description="By the name that a database has in Tableau: where its tables are, if its address does not state it."
    )
    url: str = Field(default="", max_length=2048, description="The address of the site, for links, e.g. https://tableau/#/site/acme.")

    def read(self, context: Context) -> Reading:
        warnings: list[str] = []
        return Reading(self.source, self._read_items(context, warnings), complete=True, warnings=warnings)

    def _read_items(self, context: Context, warnings: list[str]) -> Iterator[Item]:
        workbooks: dict[str, Workbook] = {}
        for path in expand_paths(self.files, context.folder):
            try:
                if isinstance(path, InvalidInput):
                    raise path
                answer = _decode_answer(read_bytes(path, MAX_BYTES), format_path(path, context.folder))
            except InvalidInput as error:
                yield Refusal(error)
                continue
            workbooks |= {one.id: one for one in _list_workbooks(answer)}
            for problem in answer.errors or ():  # what is missing is then no reason to retract
                message = f"the answer is not complete: {problem.message[:500]}; ask for less at once"
                yield Refusal(InvalidInput(message, format_path(path, context.folder)))
        reader = _WorkbookReader(self, context)
        reports = [report for id_ in sorted(workbooks) for report in reader.list_reports(workbooks[id_])]
        yield from build_report_entries(reports, context)
        warnings += reader.warnings.list_first()


class _WorkbookReader:
    """What the dashboards and sheets of workbooks use."""

    def __init__(self, source: Tableau, context: Context) -> None:
        self._source = source
        self._context = context
        self.warnings = Warnings()

    def list_reports(self, workbook: Workbook) -> Iterator[Report]:
        """The dashboards of a workbook, then the sheets that are on none."""
        sheets = {sheet.id: sheet for sheet in workbook.sheets or ()}
        uses = {id_: self._find_uses(sheet) for id_, sheet in sheets.items()}
        shown: set[str] = set()
        for one in sorted(workbook.dashboards or (), key=lambda one: one.id):
            own = [link.id for link in one.sheets or () if link.id in sheets]
            shown.update(own)
            found = frozenset(use for id_ in own for use in uses[id_])
            yield self._build_report(workbook, one, "dashboard", found, {"charts": len(own)})
        for id_ in sorted(sheets.keys() - shown):
            yield self._build_report(workbook, sheets[id_], "sheet", uses[id_], {})

    def _build_report(
        self, workbook: Workbook, one: Dashboard | Sheet, kind: str, uses: frozenset[Use], attributes: dict[str, Json]
    ) -> Report:
        owner = workbook.owner or Owner()
        site = self._source.url.rstrip("/")
        return Report(
            id=f"{kind}/{one.id}",
            name=" / ".join(filter(None, (workbook.name, one.name or one.id))),
            type=kind,
            uses=uses,
            url=f"{site}/views/{one.path}" if site and one.path else "",
            description=workbook.description or "",
            owners=(owner.email or owner.name or owner.username or "",),
            tags=tuple(tag.name for tag in workbook.tags or () if tag.name),
            attributes={"workbook": workbook.name or "", "project": workbook.project_name or "", **attributes},
            time=max(filter(None, (parse_time(one.updated_at), parse_time(workbook.updated_at))), default=None),
        )

    def _find_uses(self, sheet: Sheet) -> frozenset[Use]:
        """The columns of a sheet, and the tables of which no column is stated, such as those of custom SQL."""
        tables = {table.id: table for table in sheet.upstream_tables or () if table.id}
        found: set[Use] = set()
        for column in sheet.upstream_columns or ():
            if column.table is not None and column.name:
                table = tables.get(column.table.id or "") or column.table
                found |= {Use(use.dataset, column.name) for use in self._locate_table(table)}
        known = {use.dataset for use in found}
        whole = {use for table in tables.values() for use in self._locate_table(table) if use.dataset not in known}
        return frozenset(found | whole)

    def _locate_table(self, table: Table) -> Iterator[Use]:
        if table.database is None or not table.name:
            return
        name = table.database.name or ""
        database = _locate_database(table.database).move(self._source.databases.get(name), self._context)
        key = database.build_key((table.schema or "", table.name), self._context)
        if key is None:
            self.warnings.add(f"database {name!r} ({table.database.connection_type}): {UNLOCATED}")
        else:
            yield Use(key)


def _locate_database(one: TableDatabase) -> Database:
    kind = (one.connection_type or "").lower()
    system = CONNECTIONS.get(kind, kind)
    name = one.service if system == "oracle" and one.service else one.name or ""
    if system == "bigquery":
        return parse_address(f"bigquery://{name}", system)
    port = f":{one.port}" if one.port else ""
    return parse_address(f"{system}://{one.host_name}{port}/{name}" if one.host_name and system else "", system)


def _decode_answer(data: bytes, where: str) -> _Answer:
    """An answer of the API. Raises InvalidInput."""
    try:
        found = msgspec.json.decode(data, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no answer of Tableau's Metadata API: {error}", where) from error
    if found.data is None or (found.data.workbooks is None and found.data.workbooks_connection is None):
        reason = "; ".join(problem.message for problem in found.errors or ())[:500]
        raise InvalidInput(f"found no workbooks{f' ({reason})' if reason else ''}; accepted is the answer to the documented query", where)
    return found


def _list_workbooks(answer: _Answer) -> Iterable[Workbook]:
    data = answer.data or _Data()
    return [*(data.workbooks or ()), *(data.workbooks_connection.nodes if data.workbooks_connection is not None else ())]
