"""GET requests to Superset's API: sign-in, lists page by page, and all of what a Superset contains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Generic, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.sources.dashboards.reports import parse_time
from meshline.ingest.sources.dashboards.superset_contents import Chart, Connection, Dashboard, Dataset, Id, SupersetContents, User
from meshline.ingest.sources.http_reader import HttpReader, Program, read_if_allowed
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")
Named = TypeVar("Named", Chart, Dashboard)

PREFIX = "/api/v1"
PROGRAM = Program(
    "Superset", "http://superset:8088", "set the keys user and password of an account that may read dashboards, datasets and databases"
)
PAGE = 100  # entries of a list: Superset answers no more at once
MOST = 100_000  # entries of a list
VIEWS = 10_000  # newest rows of the log that are read


class DatasetLink(msgspec.Struct):
    id: int


class DashboardDetail(msgspec.Struct):
    json_metadata: str | None = None


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

        def authenticate(reader: HttpReader) -> dict[str, str]:
            body = {"username": user, "password": password, "provider": provider, "refresh": False}
            return {"Authorization": f"Bearer {reader.send(_SignedIn, f'{PREFIX}/security/login', body).access_token}"}

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with HttpReader.connect(
            PROGRAM, url, redact, suffix=PREFIX, headers=headers, sign_in=None if token else authenticate, connections=4
        ) as reader:
            yield cls(reader)

    def read_contents(self) -> SupersetContents:
        """All that the account may read. Raises InvalidInput, StoreUnavailable."""
        users = self.read_optional(User, "security/users") or []
        dashboards = _sort_by_id(self.read_list(Dashboard, "dashboard"))
        datasets = [self.read_one(Dataset, f"dataset/{link.id}") for link in self.read_list(DatasetLink, "dataset")]
        databases = dict.fromkeys(dataset.database.id for dataset in datasets if dataset.database is not None)
        views = self._read_views()
        return SupersetContents(
            url=self.url,
            charts=_sort_by_id(self.read_list(Chart, "chart")),
            dashboards=dashboards,
            datasets=datasets,
            metadata={one.id: self.read_one(DashboardDetail, f"dashboard/{one.id}").json_metadata or "" for one in dashboards},
            connections={id_: self.read_one(Connection, f"database/{id_}/connection") for id_ in databases},
            mails={user.id: user.email for user in users if user.email},
            views=views or {},
            warnings=[] if views is not None else ["the account may not read the log: when dashboards were last viewed is not known"],
        )

    def _read_views(self) -> dict[Id, dict[str, Json]] | None:
        """By dashboard when it was last opened, by the log; None if the account may not read that."""
        query = ",order_column:dttm,order_direction:desc,filters:!((col:dashboard_id,opr:gt,value:0))"
        rows = self.read_optional(LogRow, "log", query, VIEWS)
        me = self.read_one(User, "me/").username  # this reading opens dashboards, too
        found: dict[Id, dict[str, Json]] = {}
        for row in rows or ():
            is_own = row.user is not None and row.user.username == me
            if row.dashboard_id is not None and row.dttm is not None and not is_own:
                found.setdefault(row.dashboard_id, {"last_viewed": _format_time(row.dttm)})
        return None if rows is None else found

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
        return read_if_allowed(lambda: list(self.read_list(shape, address, query, most)))


def _sort_by_id(found: Iterable[Named]) -> list[Named]:
    return sorted(found, key=lambda one: str(one.id).zfill(20))


def _format_time(text: str) -> str:
    """A time of the log, which is UTC without a zone, to the second."""
    micros = parse_time(text)
    return text if micros is None else datetime.fromtimestamp(micros // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
