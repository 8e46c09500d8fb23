"""Exports of Superset (of dashboards, charts, datasets or all assets): ZIP files, or their YAML files unpacked.

Superset reads them again as they are (`superset import-dashboards`), and many keep them in git. They name each asset by a UUID.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Generic, NamedTuple, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.documents import MAX_BYTES, parse_yaml
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.dashboards.superset_contents import (
    Chart,
    Connection,
    Dashboard,
    DashboardLink,
    DatabaseLink,
    Dataset,
    DatasetColumn,
    DatasetMetric,
    SupersetContents,
    Tag,
)
from meshline.ingest.sources.files import expand_paths, format_path, read_bytes

MAX_ARCHIVE = 256 * 2**20  # bytes of a ZIP file
MAX_UNPACKED = 512 * 2**20  # bytes of the YAML files in it
MAX_ENTRIES = 100_000  # files in it
SUFFIXES = (".yaml", ".yml")

T = TypeVar("T")


class ExportedDashboard(msgspec.Struct):
    uuid: str
    dashboard_title: str
    slug: str | None = None
    published: bool | None = None
    certified_by: str | None = None
    position: dict[str, object] | None = None
    metadata: dict[str, object] | None = None
    tags: list[str] | None = None


class ExportedChart(msgspec.Struct):
    uuid: str
    slice_name: str
    dataset_uuid: str | None = None
    description: str | None = None
    viz_type: str | None = None
    params: dict[str, object] | None = None
    query_context: str | None = None
    tags: list[str] | None = None


class ExportedDataset(msgspec.Struct):
    uuid: str
    table_name: str
    database_uuid: str | None = None
    schema: str | None = None
    catalog: str | None = None
    sql: str | None = None
    description: str | None = None
    main_dttm_col: str | None = None
    columns: list[DatasetColumn] | None = None
    metrics: list[DatasetMetric] | None = None


class ExportedDatabase(msgspec.Struct):
    uuid: str
    database_name: str
    sqlalchemy_uri: str


class ExportMetadata(msgspec.Struct):
    """`metadata.yaml`, one in each export."""

    type: str
    timestamp: str


class _Entry(NamedTuple):
    """A file of an export. `path`: with that of the ZIP file it is in. `place`: its name in messages."""

    path: PurePosixPath
    place: str
    value: Mapping[str, Json]


class _Assets(Generic[T]):
    """The assets of one kind by UUID; of several with one the newest, by the time of the export."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, T]] = {}

    def add(self, uuid: str, time: str, asset: T) -> None:
        if uuid not in self._found or self._found[uuid][0] <= time:
            self._found[uuid] = time, asset

    def list_by(self, name: Callable[[T], str]) -> list[tuple[str, str, T]]:
        """UUID, time and asset, sorted by a name and the UUID: an export does not state which is the oldest."""
        return sorted(((uuid, time, one) for uuid, (time, one) in self._found.items()), key=lambda found: (name(found[2]), found[0]))


class ExportReading:
    """One reading of exports: first `read`, then `refusals` are known."""

    def __init__(self, files: Sequence[str], folder: Path, url: str) -> None:
        self._files = files
        self._folder = folder
        self._url = url
        self._dashboards = _Assets[ExportedDashboard]()
        self._charts = _Assets[ExportedChart]()
        self._datasets = _Assets[ExportedDataset]()
        self._databases = _Assets[ExportedDatabase]()
        self.refusals: list[Refusal] = []

    def read(self) -> SupersetContents:
        """What is in the files. A file that cannot be read is among the refusals, and the others are still read."""
        entries = list(self._read_entries())
        times = {entry.path.parent: _convert(entry, ExportMetadata).timestamp for entry in entries if _is_metadata(entry.value)}
        for entry in entries:
            try:
                self._add_entry(entry, next((times[folder] for folder in entry.path.parents if folder in times), ""))
            except InvalidInput as error:
                self.refusals.append(Refusal(error))
        return self._build_contents()

    def _add_entry(self, entry: _Entry, time: str) -> None:
        """Each kind of asset has a key that no other has."""
        if "dashboard_title" in entry.value:
            dashboard = _convert(entry, ExportedDashboard)
            self._dashboards.add(dashboard.uuid, time, dashboard)
        elif "slice_name" in entry.value:
            chart = _convert(entry, ExportedChart)
            self._charts.add(chart.uuid, time, chart)
        elif "table_name" in entry.value:
            dataset = _convert(entry, ExportedDataset)
            self._datasets.add(dataset.uuid, time, dataset)
        elif "sqlalchemy_uri" in entry.value:
            database = _convert(entry, ExportedDatabase)
            self._databases.add(database.uuid, time, database)
        elif not _is_metadata(entry.value) and not entry.value.keys() & {"uuid", "tags"}:  # queries, themes and tags are passed over
            accepted = "dashboards, charts, datasets and databases, as Superset exports them"
            raise InvalidInput(f"this is no file of an export of Superset; accepted are its {accepted}", entry.place)

    # -- files

    def _read_entries(self) -> Iterator[_Entry]:
        for path in expand_paths(self._files, self._folder):
            if isinstance(path, InvalidInput):
                self.refusals.append(Refusal(path))
                continue
            place = format_path(path, self._folder)
            try:
                if path.suffix.lower() in SUFFIXES:
                    yield _parse(read_bytes(path, MAX_BYTES), PurePosixPath(path.as_posix()), place)
                else:
                    yield from self._read_archive(path, place)
            except InvalidInput as error:
                self.refusals.append(Refusal(error))

    def _read_archive(self, path: Path, place: str) -> Iterator[_Entry]:
        try:
            if path.stat().st_size > MAX_ARCHIVE:
                raise InvalidInput(f"the file has more than {MAX_ARCHIVE} bytes", place)
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.lower().endswith(SUFFIXES)]
                if len(archive.namelist()) > MAX_ENTRIES:
                    raise InvalidInput(f"there are more than {MAX_ENTRIES} files in it", place)
                if not names:
                    raise InvalidInput("there are no YAML files in it; accepted are exports of Superset", place)
                yield from self._read_members(archive, names, path, place)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise InvalidInput(f"this is no ZIP file of Superset, nor YAML (.yaml): {error}", place) from error

    def _read_members(self, archive: zipfile.ZipFile, names: Iterable[str], path: Path, place: str) -> Iterator[_Entry]:
        left = MAX_UNPACKED
        for name in names:
            with archive.open(name) as member:
                data = member.read(MAX_BYTES + 1)
            left -= len(data)
            if left < 0:
                raise InvalidInput(f"its YAML files have more than {MAX_UNPACKED} bytes", place)
            try:
                yield _parse(data, PurePosixPath(path.as_posix(), name), f"{place}/{name}")
            except InvalidInput as error:
                self.refusals.append(Refusal(error))

    # -- contents

    def _build_contents(self) -> SupersetContents:
        databases = {uuid: one for uuid, _, one in self._databases.list_by(lambda one: one.database_name)}
        dashboards = self._dashboards.list_by(lambda one: one.dashboard_title)
        charts = self._charts.list_by(lambda one: one.slice_name)
        datasets = self._datasets.list_by(lambda one: one.table_name)
        shown: dict[str, list[DashboardLink]] = {}
        for uuid, _, dashboard in dashboards:
            for chart in _list_charts(dashboard):
                shown.setdefault(chart, []).append(DashboardLink(uuid))
        known = {uuid for uuid, _, _ in datasets}
        lost = [f"chart {one.slice_name!r}: its dataset is in none of the files" for _, _, one in charts if one.dataset_uuid not in known]
        return SupersetContents(
            url=self._url,
            charts=[_build_chart(one, time, shown.get(uuid, [])) for uuid, time, one in charts],
            dashboards=[_build_dashboard(one, time) for _, time, one in dashboards],
            datasets=[_build_dataset(one, time, databases) for _, time, one in datasets],
            metadata={uuid: json.dumps(one.metadata or {}) for uuid, _, one in dashboards},
            connections={
                uuid: Connection(id=uuid, database_name=one.database_name, sqlalchemy_uri=one.sqlalchemy_uri)
                for uuid, one in databases.items()
            },
            warnings=lost,
        )


def _parse(data: bytes, path: PurePosixPath, place: str) -> _Entry:
    value = parse_yaml(data, place).value
    if not isinstance(value, dict):
        raise InvalidInput("found no mapping; accepted are the YAML files that Superset exports", place)
    return _Entry(path, place, value)


def _is_metadata(value: Mapping[str, Json]) -> bool:
    return isinstance(value.get("type"), str) and isinstance(value.get("timestamp"), str)


def _convert(entry: _Entry, shape: type[T]) -> T:
    try:
        return msgspec.convert(entry.value, shape)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"this is not as Superset exports it: {error}", entry.place) from error


def _list_charts(one: ExportedDashboard) -> list[str]:
    """The UUIDs of the charts in a dashboard's layout, each once."""
    found: dict[str, None] = {}
    for part in (one.position or {}).values():
        meta = part.get("meta") if isinstance(part, dict) and part.get("type") == "CHART" else None
        uuid = meta.get("uuid") if isinstance(meta, dict) else None
        if isinstance(uuid, str):
            found[uuid] = None
    return list(found)


def _build_dashboard(one: ExportedDashboard, time: str) -> Dashboard:
    return Dashboard(
        id=one.uuid,
        dashboard_title=one.dashboard_title,
        url=f"/superset/dashboard/{one.slug or one.uuid}/",
        status=None if one.published is None else "published" if one.published else "draft",
        certified_by=one.certified_by,
        changed_on_utc=time,
        tags=[Tag(name, "custom") for name in one.tags or ()],
    )


def _build_chart(one: ExportedChart, time: str, dashboards: list[DashboardLink]) -> Chart:
    return Chart(
        id=one.uuid,
        slice_name=one.slice_name,
        description=one.description,
        viz_type=one.viz_type,
        params=json.dumps(one.params or {}),
        query_context=one.query_context,
        datasource_id=one.dataset_uuid,
        changed_on_utc=time,
        tags=[Tag(name, "custom") for name in one.tags or ()],
        dashboards=dashboards,
    )


def _build_dataset(one: ExportedDataset, time: str, databases: Mapping[str, ExportedDatabase]) -> Dataset:
    database = databases.get(one.database_uuid or "")
    return Dataset(
        id=one.uuid,
        table_name=one.table_name,
        schema=one.schema,
        catalog=one.catalog,
        sql=one.sql,
        description=one.description,
        changed_on_utc=time,
        main_dttm_col=one.main_dttm_col,
        database=DatabaseLink(database.uuid, database.database_name) if database is not None else None,
        columns=one.columns or [],
        metrics=one.metrics or [],
    )
