"""What a Superset contains, as its API answers it; the files of its exports are brought into the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph.model import Json

Id: TypeAlias = int | str  # a number in the API, a UUID in exports


class User(msgspec.Struct):
    id: Id = 0
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    email: str | None = None


class Tag(msgspec.Struct):
    name: str = ""
    type: int | str | None = None


class Dashboard(msgspec.Struct):
    id: Id
    dashboard_title: str | None = None
    url: str | None = None
    slug: str | None = None
    status: str | None = None
    published: bool | None = None
    certified_by: str | None = None
    changed_on_utc: str | None = None
    owners: list[User] = []
    tags: list[Tag] = []


class FilterColumn(msgspec.Struct):
    name: str = ""


class FilterTarget(msgspec.Struct, rename="camel"):
    dataset_id: Id | None = None
    dataset_uuid: Id | None = None  # in exports
    column: FilterColumn | None = None


class NativeFilter(msgspec.Struct):
    targets: list[FilterTarget] = []


class DashboardFilters(msgspec.Struct):
    """A part of `json_metadata`."""

    native_filter_configuration: list[NativeFilter] = []


class DashboardLink(msgspec.Struct):
    id: Id


class Chart(msgspec.Struct):
    id: Id
    slice_name: str | None = None
    description: str | None = None
    viz_type: str | None = None
    params: str | None = None
    query_context: str | None = None
    datasource_id: Id | None = None
    datasource_type: str | None = None
    url: str | None = None
    changed_on_utc: str | None = None
    owners: list[User] = []
    tags: list[Tag] = []
    dashboards: list[DashboardLink] = []


class DatabaseLink(msgspec.Struct):
    id: Id
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
    id: Id
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
    id: Id = 0
    database_name: str = ""
    backend: str | None = None
    sqlalchemy_uri: str | None = None


class SupersetContents(NamedTuple):
    """All of what was read of a Superset.

    - `url`: its address; '' if it is not known. `charts`, `dashboards`, `datasets`: the oldest first.
    - `metadata`: by dashboard its `json_metadata`. `connections`: by database. `mails`: by user.
    - `views`: by dashboard when it was last viewed. `warnings`: what could not be read.
    """

    url: str
    charts: Sequence[Chart]
    dashboards: Sequence[Dashboard]
    datasets: Sequence[Dataset]
    metadata: Mapping[Id, str]
    connections: Mapping[Id, Connection]
    mails: Mapping[Id, str] = {}
    views: Mapping[Id, Mapping[str, Json]] = {}
    warnings: Sequence[str] = ()
