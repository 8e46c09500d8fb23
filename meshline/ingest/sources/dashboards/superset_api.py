"""GET requests to Superset's API: sign-in, lists page by page, and what its answers contain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import AccessRefused, HttpReader, Program, RefusedAnswer
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api/v1"
PROGRAM = Program(
    "Superset", "http://superset:8088", "set the keys user and password of an account that may read dashboards, datasets and databases"
)
PAGE = 100  # entries of a list: Superset answers no more at once
MOST = 100_000  # entries of a list


class User(msgspec.Struct):
    id: int = 0
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None


class Tag(msgspec.Struct):
    name: str = ""
    type: int | str | None = None


class Dashboard(msgspec.Struct):
    id: int
    dashboard_title: str | None = None
    url: str | None = None
    slug: str | None = None
    status: str | None = None
    published: bool | None = None
    certified_by: str | None = None
    changed_on_utc: str | None = None
    owners: list[User] = []
    tags: list[Tag] = []


class DashboardDetail(msgspec.Struct):
    json_metadata: str | None = None


class FilterColumn(msgspec.Struct):
    name: str = ""


class FilterTarget(msgspec.Struct, rename={"dataset_id": "datasetId"}):
    dataset_id: int | None = None
    column: FilterColumn | None = None


class NativeFilter(msgspec.Struct):
    targets: list[FilterTarget] = []


class DashboardFilters(msgspec.Struct):
    """A part of `json_metadata`."""

    native_filter_configuration: list[NativeFilter] = []


class DashboardLink(msgspec.Struct):
    id: int


class Chart(msgspec.Struct):
    id: int
    slice_name: str | None = None
    description: str | None = None
    viz_type: str | None = None
    params: str | None = None
    query_context: str | None = None
    datasource_id: int | None = None
    datasource_type: str | None = None
    url: str | None = None
    changed_on_utc: str | None = None
    owners: list[User] = []
    tags: list[Tag] = []
    dashboards: list[DashboardLink] = []


class DatabaseLink(msgspec.Struct):
    id: int
    database_name: str = ""
    backend: str = ""


class DatasetColumn(msgspec.Struct):
    column_name: str
    type: str | None = None
    description: str | None = None
    expression: str | None = None
    verbose_name: str | None = None


class DatasetMetric(msgspec.Struct):
    metric_name: str
    expression: str = ""


class Dataset(msgspec.Struct):
    id: int
    table_name: str = ""
    schema: str | None = None
    catalog: str | None = None
    sql: str | None = None
    description: str | None = None
    changed_on_utc: str | None = None
    main_dttm_col: str | None = None
    database: DatabaseLink | None = None
    columns: list[DatasetColumn] = []
    metrics: list[DatasetMetric] = []
    owners: list[User] = []


class Connection(msgspec.Struct):
    id: int = 0
    database_name: str = ""
    backend: str | None = None
    sqlalchemy_uri: str | None = None


class LogRow(msgspec.Struct):
    action: str | None = None
    dashboard_id: int | None = None
    slice_id: int | None = None
    dttm: str | None = None
    user: User | None = None


class _Page(msgspec.Struct, Generic[T]):
    result: list[T] = []
    count: int = 0


class _One(msgspec.Struct, Generic[T]):
    result: T


class _SignedIn(msgspec.Struct):
    access_token: str


class SupersetClient:
    """A client of one Superset. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader) -> None:
        self._reader = reader
        self.url = reader.url

    @classmethod
    @contextmanager
    def connect(cls, url: str, token: str, user: str, password: str, provider: str, redact: Redaction) -> Iterator[SupersetClient]:
        """A client that has signed in, with a token or with a user and a password. Raises InvalidInput, StoreUnavailable."""
        if not token:
            with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers={}) as reader:
                body = {"username": user, "password": password, "provider": provider, "refresh": False}
                token = reader.send(_SignedIn, f"{PREFIX}/security/login", body).access_token
        headers = {"Authorization": f"Bearer {token}"}
        with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers=headers, connections=4) as reader:
            yield cls(reader)

    def read_list(self, shape: type[T], address: str, query: str = "", most: int = MOST) -> Iterator[T]:
        """All entries of a list, in the order of their ids. `query`: further parts in Superset's notation (Rison).

        Raises InvalidInput, StoreUnavailable.
        """
        page = read = 0
        while read < most:
            asked = f"(page:{page},page_size:{PAGE}{query})"
            found = self._reader.read(_Page[shape], f"{PREFIX}/{address}/?q={asked}")  # type: ignore[valid-type]
            yield from found.result
            read += len(found.result)
            page += 1
            if not found.result or read >= found.count:
                return
        raise InvalidInput(f"it has more than {most} entries", address)

    def read_one(self, shape: type[T], address: str) -> T:
        """One resource. Raises InvalidInput, StoreUnavailable."""
        return self._reader.read(_One[shape], f"{PREFIX}/{address}").result  # type: ignore[valid-type]

    def read_optional(self, shape: type[T], address: str, query: str = "", most: int = MOST) -> list[T] | None:
        """A list that only some accounts may read; None if this one may not."""
        try:
            return list(self.read_list(shape, address, query, most))
        except AccessRefused:
            return None
        except RefusedAnswer as error:
            if error.status == 404:
                return None
            raise
