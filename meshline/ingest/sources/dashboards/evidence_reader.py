"""What a project of Evidence has: pages with queries in SQL, and sources whose queries run in databases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, Json
from meshline.ingest.documents import parse_yaml
from meshline.ingest.file_times import read_file_time
from meshline.ingest.sources.base import Context, Item, Refusal
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
from meshline.ingest.sources.dashboards.reports import Model, ModelColumn, Report, Use, Warnings, build_model_entry, build_report_entries
from meshline.ingest.sources.dashboards.sql_models import list_query_uses, read_query
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes
from meshline.sql.statement_lineage import Relation

MAX_BYTES = 4 * 2**20  # of one file
MAX_QUERIES = 500  # of one page
PAGES = "duckdb"  # the dialect of pages, whatever their sources are
QUERIES = "query_of_page"  # the schema that queries of the same page seem to be in
TYPES = {"postgres": "postgres", "mssql": "mssql", "mysql": "mysql", "trino": "trino", "redshift": "redshift", "databricks": "databricks"}
_FENCE = re.compile(r"^(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]{0,500})\n(?P<body>.*?)^(?P=mark)`*[ \t]*\r?$", re.MULTILINE | re.DOTALL)
_FRONT = re.compile(r"\A---[ \t]*\r?\n(?P<body>.*?)^---[ \t]*\r?$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"\$\{\s*(?P<name>\w{1,200})\s*\}")
_INPUT = re.compile(r"'?\$\{[^{}]{0,500}\}'?")


class Page(NamedTuple):
    """A page. `path`: its address below the project's. `queries`: its SQL by name. `front`: what is stated at its beginning."""

    path: str
    file: Path
    queries: Mapping[str, str]
    front: Mapping[str, Json]


class EvidenceReader:
    """One reading of a project."""

    def __init__(self, folder: Path, project: str, databases: Mapping[str, DatabaseName], context: Context) -> None:
        self._folder = folder
        self._project = project
        self._named = databases
        self._context = context
        self._warnings = Warnings()
        self._columns: dict[AssetKey, tuple[str, ...]] = {}
        self._databases: dict[str, Database] = {}

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self, url: str, owner: str) -> Iterator[Item]:
        yield from self._read_models()
        shared = {file.stem: text for file, text in self._read_files("queries/**/*.sql")}
        reports: list[Report] = []
        for file, text in self._read_files("pages/**/*.md"):
            try:
                reports.append(self._build_report(self._parse_page(file, text, shared), url, owner))
            except InvalidInput as error:
                yield Refusal(error)
        if not reports:
            yield Refusal(InvalidInput("it has no pages; accepted is a folder of Evidence, with pages/*.md", str(self._folder)))
        yield from build_report_entries(reports, self._context)

    def _read_files(self, pattern: str) -> Iterator[tuple[Path, str]]:
        """The files of a pattern with their texts; one that cannot be read is a warning."""
        for path in expand_paths([pattern], self._folder):
            if not isinstance(path, InvalidInput):
                try:
                    yield path, read_bytes(path, MAX_BYTES).decode("utf-8-sig")
                except (InvalidInput, UnicodeDecodeError) as error:
                    self._warnings.add(f"{format_path(path, self._folder)}: {error}")

    # -- sources

    def _read_models(self) -> Iterator[Item]:
        """A dataset for each query of a source: pages read its result as SOURCE.QUERY."""
        for file, text in self._read_files("sources/*/**/*.sql"):
            source = file.relative_to(self._folder).parts[1]
            key = self._build_key((source, file.stem))
            try:
                database = self._find_database(source)
                query = read_query(
                    _fill_inputs(text),
                    database.system.dialect or PAGES,
                    database.defaults,
                    key,
                    partial(self._resolve_table, database, key),
                    self._list_columns,
                )
            except InvalidInput as error:
                yield Refusal(InvalidInput(str(error), format_path(file, self._folder)), ("model", *key.parts))
                continue
            self._columns[key] = query.columns
            for note in query.notes:
                self._warnings.add(f"{format_path(file, self._folder)}: {note}")
            columns = tuple(ModelColumn(name) for name in query.columns)
            flows = tuple(flow for flow in query.flows if flow.start.parts[:2] != key.parts)
            yield build_model_entry(Model(key, file.stem, columns, flows, text, time=read_file_time(file)), self._context)

    def _resolve_table(self, database: Database, key: AssetKey, relation: Relation) -> AssetKey:
        """The table of a name in a source's SQL; the query itself if its database is not located."""
        return database.build_key(relation, self._context) or key

    def _build_key(self, relation: Relation) -> AssetKey:
        return self._context.naming.normalise_dataset(f"evidence://{self._project}", ".".join(relation[-2:]))

    def _list_columns(self, key: AssetKey) -> list[str]:
        return list(self._columns.get(key, ())) or [column.name for column in self._context.columns_of(key)]

    def _find_database(self, source: str) -> Database:
        """The database of a source, by its connection. Raises InvalidInput."""
        if source not in self._databases:
            database = self._read_connection(source).move(self._named.get(source), self._context)
            if not database.namespace:
                self._warnings.add(f"source {source!r}: {UNLOCATED}")
            self._databases[source] = database
        return self._databases[source]

    def _read_connection(self, source: str) -> Database:
        """As `connection.yaml` states it; options that are secret are in another file, which is not read."""
        file = self._folder / "sources" / source / "connection.yaml"
        value = parse_yaml(read_bytes(file, MAX_BYTES), format_path(file, self._folder)).value if file.is_file() else {}
        found = value if isinstance(value, dict) else {}
        stated = found.get("options")
        options = {key: str(one) for key, one in (stated if isinstance(stated, dict) else {}).items() if isinstance(one, str | int)}
        kind = str(found.get("type") or "")
        if kind == "bigquery":
            return parse_address(f"bigquery://{options.get('project_id', '')}", kind)
        if kind == "snowflake":
            parts = (options.get(key, "") for key in ("account", "database", "schema"))
            return parse_address(f"snowflake://{'/'.join(parts)}", kind)
        if kind in ("duckdb", "sqlite"):
            name = options.get("filename", "")
            path = (self._folder / "sources" / source / name).resolve() if name and "://" not in name else ""
            return parse_address(f"{kind}:///{path}", kind)
        host = options.get("host") or options.get("server", "")
        port = f":{options['port']}" if "port" in options else ""
        name = options.get("database") or options.get("catalog", "")
        system = TYPES.get(kind, kind)
        return parse_address(f"{system}://{host}{port}/{name}/{options.get('schema', '')}" if host else "", system)

    # -- pages

    def _parse_page(self, file: Path, text: str, shared: Mapping[str, str]) -> Page:
        """A page with its queries, and those of files that it names. Raises InvalidInput."""
        where = format_path(file, self._folder)
        match = _FRONT.match(text)
        value = parse_yaml(match["body"].encode(), where).value if match is not None else {}
        front = value if isinstance(value, dict) else {}
        queries = dict(self._list_shared(front, shared))
        for fence in _FENCE.finditer(text):
            language, _, name = fence["info"].strip().partition(" ")
            if language == "sql" and name.strip():
                queries[name.strip()] = fence["body"]
        if len(queries) > MAX_QUERIES:
            raise InvalidInput(f"the page has more than {MAX_QUERIES} queries", where)
        path = file.relative_to(self._folder / "pages").with_suffix("").as_posix()
        return Page("" if path == "index" else path.removesuffix("/index"), file, queries, front)

    def _list_shared(self, front: Mapping[str, Json], shared: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The queries of files that a page names: `- report.sql`, or `- name: folder/report.sql`."""
        listed = front.get("queries")
        for one in listed if isinstance(listed, list) else ():
            for name, file in one.items() if isinstance(one, dict) else [(Path(str(one)).stem, one)]:
                if (text := shared.get(Path(str(file)).stem)) is not None:
                    yield name, text

    def _build_report(self, page: Page, url: str, owner: str) -> Report:
        uses: set[Use] = set()
        for name, sql in page.queries.items():
            uses |= self._find_uses(page, name, sql)
        fine = {use.dataset for use in uses if use.column}
        owners = page.front.get("owners", page.front.get("owner", owner))
        title = page.front.get("title")
        return Report(
            id=f"page/{page.path}",
            name=f"{self._project} / {title if isinstance(title, str) and title else page.path or 'index'}",
            type="report",
            uses=frozenset(use for use in uses if use.column or use.dataset not in fine),
            url=f"{url}/{page.path}".rstrip("/") if url else "",
            description=str(page.front.get("description") or ""),
            owners=tuple(str(one) for one in (owners if isinstance(owners, list) else [owners])),
            attributes={"file": format_path(page.file, self._folder), "charts": len(page.queries)},
            time=read_file_time(page.file),
        )

    def _find_uses(self, page: Page, name: str, sql: str) -> set[Use]:
        """What a query of a page reads, besides other queries of the page, which are read themselves."""
        names = self._context.naming
        queries = {other: names.normalise_dataset(f"evidence://{self._project}/{page.path}", other) for other in page.queries}

        def resolve(relation: Relation) -> AssetKey:
            found = queries.get(relation[-1]) if relation[-2:-1] == (QUERIES,) else None
            return found or self._build_key(relation)

        plain = _REFERENCE.sub(lambda match: f'{QUERIES}."{match["name"]}"' if match["name"] in queries else match[0], sql)
        query = read_query(_fill_inputs(plain), PAGES, (), queries[name], resolve, self._list_columns)
        self._columns[queries[name]] = query.columns
        for note in query.notes:
            self._warnings.add(f"{format_path(page.file, self._folder)}: query {name!r}: {note}")
        return {self._spell(use) for use in list_query_uses(query) if use.dataset not in queries.values()}

    def _spell(self, use: Use) -> Use:
        """DuckDB distinguishes no case, and other databases wrote the names of columns."""
        spelled = {column.casefold(): column for column in self._columns.get(use.dataset, ())}
        return use._replace(column=spelled.get(use.column.casefold(), use.column))


def _fill_inputs(sql: str) -> str:
    """SQL with an unknown value for each input of a page, such as `'${inputs.country.value}'`."""
    return _INPUT.sub("NULL", sql)
