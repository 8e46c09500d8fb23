"""What Looker's API 4.0 answers, and the requests for all of it that a reading needs. Nothing is changed in Looker, and no query is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import HttpReader, Program, read_if_allowed
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api/4.0"
PROGRAM = Program(
    "Looker",
    "https://company.looker.com:19999",
    "set the keys client_id and client_secret of a user that may see LookML and all dashboards",
)
PAGE = 1000  # users in one answer
MOST = 200_000  # users


class User(msgspec.Struct):
    id: str | int | None = None
    email: str | None = None
    display_name: str | None = None


class Connection(msgspec.Struct):
    """A database that Looker connects to."""

    name: str = ""
    host: str | None = None
    port: str | int | None = None
    database: str | None = None
    schema: str | None = None
    dialect_name: str | None = None


class MeasureFilter(msgspec.Struct):
    field: str | None = None


class Field(msgspec.Struct):
    """A dimension or measure. `name`: with that of its view, `orders.amount`. `sql`: only for accounts that may see LookML."""

    name: str
    sql: str | None = None
    category: str | None = None
    measure_filters: list[MeasureFilter] | None = None
    filters: list[MeasureFilter] | None = None


class ExploreFields(msgspec.Struct):
    dimensions: list[Field] | None = None
    measures: list[Field] | None = None
    filters: list[Field] | None = None


class Join(msgspec.Struct):
    """A view that an explore joins, under its name there."""

    name: str = ""
    sql_table_name: str | None = None
    sql_on: str | None = None
    required_joins: list[str] | None = None
    foreign_key: str | None = None


class AlwaysFilter(msgspec.Struct):
    name: str | None = None


class Explore(msgspec.Struct):
    """What queries choose fields from: a view, and those that are joined."""

    name: str = ""
    model_name: str = ""
    view_name: str | None = None
    connection_name: str | None = None
    sql_table_name: str | None = None
    fields: ExploreFields | None = None
    joins: list[Join] | None = None
    always_filter: list[AlwaysFilter] | None = None


class Query(msgspec.Struct):
    """A query. `view`: the name of its explore. `dynamic_fields`: JSON. `sql`: what Looker makes of it, which exports may add."""

    id: str | int | None = None
    model: str | None = None
    view: str | None = None
    fields: list[str] | None = None
    filters: dict[str, object] | None = None
    filter_expression: str | None = None
    sorts: list[str] | None = None
    dynamic_fields: str | None = None
    sql: str | None = None


class Listener(msgspec.Struct):
    field: str | None = None


class Filterable(msgspec.Struct):
    model: str | None = None
    view: str | None = None
    listen: list[Listener] | None = None


class ResultMaker(msgspec.Struct):
    query: Query | None = None
    filterables: list[Filterable] | None = None
    merge_result_id: str | int | None = None


class Folder(msgspec.Struct):
    name: str | None = None


class Look(msgspec.Struct):
    id: str | int | None = None
    title: str | None = None
    description: str | None = None
    user_id: str | int | None = None
    deleted: bool | None = None
    updated_at: str | None = None
    last_viewed_at: str | None = None
    last_accessed_at: str | None = None
    view_count: int | None = None
    folder: Folder | None = None
    query: Query | None = None


class Element(msgspec.Struct):
    """A tile of a dashboard. `queries`: those of merged results, which exports may add."""

    id: str | int | None = None
    query: Query | None = None
    look: Look | None = None
    result_maker: ResultMaker | None = None
    merge_result_id: str | int | None = None
    queries: list[Query] | None = None


class DashboardFilter(msgspec.Struct):
    model: str | None = None
    explore: str | None = None
    dimension: str | None = None


class Dashboard(msgspec.Struct):
    id: str | int
    title: str | None = None
    description: str | None = None
    user_id: str | int | None = None
    deleted: bool | None = None
    updated_at: str | None = None
    last_viewed_at: str | None = None
    last_accessed_at: str | None = None
    view_count: int | None = None
    folder: Folder | None = None
    dashboard_elements: list[Element] | None = None
    dashboard_filters: list[DashboardFilter] | None = None


class Content(msgspec.Struct):
    """What is read of a Looker, by its API or from files. Dashboards and looks are required: another document is no empty Looker."""

    dashboards: list[Dashboard]
    looks: list[Look]
    explores: list[Explore] = []
    connections: list[Connection] = []
    users: list[User] = []


class _SignedIn(msgspec.Struct):
    access_token: str


class _Link(msgspec.Struct):
    id: str | int
    deleted: bool | None = None


class _MergedSource(msgspec.Struct):
    query_id: str | int | None = None


class _Merged(msgspec.Struct):
    source_queries: list[_MergedSource] | None = None


class LookerClient:
    """A client of one Looker. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader) -> None:
        self._reader = reader
        self.url = reader.url

    @classmethod
    @contextmanager
    def connect(cls, url: str, client_id: str, client_secret: str, redact: Redaction) -> Iterator[LookerClient]:
        """A client that has signed in. Raises InvalidInput, StoreUnavailable."""

        def authenticate(reader: HttpReader) -> dict[str, str]:
            form = {"client_id": client_id, "client_secret": client_secret}
            return {"Authorization": f"Bearer {reader.send_form(_SignedIn, f'{PREFIX}/login', form).access_token}"}

        with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers={}, sign_in=authenticate) as reader:
            yield cls(reader)

    def read_content(self) -> Content:
        """All dashboards and looks, and the explores that they use. Raises InvalidInput, StoreUnavailable."""
        links = self._reader.read(list[_Link], f"{PREFIX}/dashboards?fields=id")
        dashboards = [self._read_one(Dashboard, f"dashboards/{_encode(link.id)}") for link in links if not link.deleted]
        looks = [
            self._read_one(Look, f"looks/{_encode(link.id)}")
            for link in self._reader.read(list[_Link], f"{PREFIX}/looks?fields=id,deleted")
            if not link.deleted
        ]
        for element in (element for one in dashboards for element in one.dashboard_elements or ()):
            merged = element.merge_result_id or (element.result_maker.merge_result_id if element.result_maker is not None else None)
            if merged is not None:
                element.queries = self._read_merged(merged)
        content = Content(dashboards, looks, users=self._read_users())
        content.connections = self._read_optional(Connection, "connections?fields=name,host,port,database,schema,dialect_name") or []
        used = dict.fromkeys((query.model, query.view) for query in list_queries(content) if query.model and query.view)
        for model, view in used:
            address = f"lookml_models/{_encode(model or '')}/explores/{_encode(view or '')}"
            found = read_if_allowed(partial(self._read_one, Explore, address))
            if found is not None:
                content.explores.append(found)
        return content

    def read_sql(self, id_: str | int) -> str:
        """The SQL that Looker makes of a query, without running it; '' if this account may not see it. Raises StoreUnavailable."""
        return read_if_allowed(lambda: self._reader.read_text(f"{PREFIX}/queries/{_encode(id_)}/run/sql")) or ""

    def _read_merged(self, id_: str | int) -> list[Query]:
        found = read_if_allowed(lambda: self._read_one(_Merged, f"merge_queries/{_encode(id_)}"))
        ids = [one.query_id for one in (found.source_queries or () if found is not None else ()) if one.query_id is not None]
        queries = (read_if_allowed(partial(self._read_one, Query, f"queries/{_encode(id_)}")) for id_ in ids)
        return [query for query in queries if query is not None]

    def _read_users(self) -> list[User]:
        found: list[User] = []
        while len(found) < MOST:
            page = self._read_optional(User, f"users?fields=id,email,display_name&limit={PAGE}&offset={len(found)}") or []
            found += page
            if len(page) < PAGE:
                return found
        raise InvalidInput(f"it has more than {MOST} users", "users")

    def _read_one(self, shape: type[T], address: str) -> T:
        return self._reader.read(shape, f"{PREFIX}/{address}")

    def _read_optional(self, shape: type[T], address: str) -> list[T] | None:
        answer: type[list[T]] = list[shape]  # type: ignore[valid-type]
        return read_if_allowed(lambda: self._reader.read(answer, f"{PREFIX}/{address}"))


def _encode(part: str | int) -> str:
    return quote(str(part), safe="")


def list_element_queries(element: Element) -> Iterator[Query]:
    """The queries of a tile."""
    maker = element.result_maker
    found = (element.query, maker.query if maker is not None else None, element.look.query if element.look is not None else None)
    yield from (query for query in (*found, *(element.queries or ())) if query is not None)


def list_queries(content: Content) -> Iterator[Query]:
    """The queries of all dashboards and looks."""
    for dashboard in content.dashboards:
        for element in dashboard.dashboard_elements or ():
            yield from list_element_queries(element)
    yield from (look.query for look in content.looks if look.query is not None)
