"""Unity Catalog: catalogs, schemas, tables and views of Databricks or of the open-source server, over REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.sources.base import Context, Reading, Refusal, Source
from meshline.ingest.sources.http_reader import AccessRefused, Program, RefusedAnswer
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.metastore.catalog_api import CatalogApi, check_url
from meshline.ingest.sources.metastore.catalog_server import CatalogServer, read_server
from meshline.ingest.sources.metastore.catalog_table import (
    MATERIALIZED_VIEW,
    MAX_COLUMNS,
    TABLE,
    VIEW,
    CatalogColumn,
    CatalogTable,
    Listing,
    RefusedTable,
    TableRights,
    ViewDefinition,
)
from meshline.ingest.sources.metastore.type_text import list_nested_columns
from meshline.ingest.sources.metastore.unity_grants import Permissions, UnityGrants
from meshline.ingest.sources.metastore.walk import Selection
from meshline.ingest.sources.read_right import build_right_facts

T = TypeVar("T")

PROGRAM = Program("Unity Catalog", "https://catalog.internal:8080", "set the key token to one that may read it", 60.0)
PREFIX = ("api", "2.1", "unity-catalog")
PAGE = "50"  # tables of one request, which is the most
MAX_PAGES = 100_000  # of one list
_LEFT_OUT = frozenset({"system", "samples", "__databricks_internal"})  # catalogs of Databricks itself
_KINDS = {"VIEW": VIEW, "MATERIALIZED_VIEW": MATERIALIZED_VIEW, "METRIC_VIEW": VIEW}
_DATABRICKS = (".databricks.com", ".azuredatabricks.net", ".databricks.us", ".databricks.azure.cn", ".databricks.azure.us")


class _Named(msgspec.Struct):
    """A catalog or a schema."""

    name: str
    owner: str | None = None
    comment: str | None = None


class _Catalogs(msgspec.Struct):
    catalogs: list[_Named] = []
    next_page_token: str | None = None


class _Schemas(msgspec.Struct):
    schemas: list[_Named] = []
    next_page_token: str | None = None


class _Tables(msgspec.Struct):
    tables: list[msgspec.Raw] = []  # each is decoded for itself, so that one that is not understood is one refusal
    next_page_token: str | None = None


class _Mask(msgspec.Struct):
    function_name: str = ""


class _Column(msgspec.Struct):
    name: str
    type_text: str | None = None
    type_name: str | None = None
    position: int | None = None
    comment: str | None = None
    nullable: bool | None = None
    partition_index: int | None = None
    mask: _Mask | None = None


class _RowFilter(msgspec.Struct):
    function_name: str = ""
    name: str = ""


class _PrimaryKey(msgspec.Struct):
    child_columns: list[str] = []


class _Constraint(msgspec.Struct):
    primary_key_constraint: _PrimaryKey | None = None


class _Table(msgspec.Struct):
    name: str
    table_type: str | None = None
    data_source_format: str | None = None
    columns: list[_Column] | None = None
    storage_location: str | None = None
    view_definition: str | None = None
    owner: str | None = None
    comment: str | None = None
    properties: dict[str, str] | None = None
    updated_at: int | None = None  # milliseconds since the epoch
    created_at: int | None = None
    table_id: str | None = None
    row_filter: _RowFilter | None = None
    table_constraints: list[_Constraint] | None = None


class _TagAssignment(msgspec.Struct):
    tag_key: str
    tag_value: str | None = None


class _Tags(msgspec.Struct):
    tag_assignments: list[_TagAssignment] = []
    next_page_token: str | None = None


_table = msgspec.json.Decoder(_Table)


class Unity(Source):
    """A Unity Catalog. `url`: of the workspace or server. `token`: a bearer token. `catalogs`: only these; by default all but those of
    Databricks itself. `tables`: patterns of `catalog.schema.table`. `tags`: whether the tags of tables are read, which is one more request
    for each table, and which the open-source server does not know. `grants`: whether it is read who may read each table, which is one more
    request for each table, schema and catalog. `owners`: the owner that a user or group means. `storage_options`: of deltalake, for Delta
    tables whose columns the catalog does not list. `namespace`: of the datasets, instead of `databricks://HOST` or the server's address.
    """

    kind: ClassVar[str] = "unity"

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    token: str = Field(default="", repr=False)
    catalogs: tuple[str, ...] = ()
    namespace: str = ""
    tables: tuple[str, ...] = ()
    tags: bool = False
    grants: bool = Field(default=False, description="Whether the grants are read: who may read which table.")
    owners: Mapping[str, str] = Field(default={}, description="The owner that a user or group of the grants means: {analysts: 'team:bi'}.")
    properties: dict[str, Any] = Field(default={}, repr=False)
    storage_options: Mapping[str, str] = Field(default={}, repr=False)

    def read(self, context: Context) -> Reading:
        def open_walk(api: CatalogApi, selection: Selection) -> UnityWalk:
            walk = UnityWalk(api, selection, tags=self.tags)
            if self.grants:
                walk.grants = UnityGrants(walk.list_permissions, self.owners, context.resolve_person)
            return walk

        server = CatalogServer(
            PROGRAM,
            "Unity Catalog",
            format_unity_namespace,
            lambda token: {"Authorization": f"Bearer {token}"} if token else {},
            open_walk,
        )
        return read_server(self, context, server)


def format_unity_namespace(url: str) -> str:
    """`databricks://HOST` for a workspace, as dbt's events name it; else the address of the server. Raises InvalidInput."""
    base = check_url(url, PROGRAM)
    host = urlsplit(base).hostname or ""
    return f"databricks://{host}" if host.endswith(_DATABRICKS) else base


class UnityWalk:
    """One walk over a Unity Catalog. `grants`: reads who may read each table; None: that is not read."""

    grants: UnityGrants | None = None

    def __init__(self, api: CatalogApi, selection: Selection, *, tags: bool) -> None:
        self._api = api
        self._selection = selection
        self._tags = tags

    def list_catalogs(self, only: Sequence[str]) -> list[_Named]:
        """The catalogs that are read. Raises InvalidInput, StoreUnavailable."""
        found = [one for page in self._list_pages(_Catalogs, "catalogs") for one in page.catalogs]
        if missing := sorted(set(only) - {one.name for one in found}):
            raise InvalidInput(f"there is no catalog {missing[0]!r}; there are: {', '.join(one.name for one in found[:20])}", "catalogs")
        return [one for one in found if (one.name in only if only else one.name not in _LEFT_OUT)]

    def list_tables(self, catalogs: Sequence[_Named]) -> Listing:
        """The tables and views of the catalogs. Raises StoreUnavailable."""
        try:
            for catalog in catalogs:
                self._enter((catalog.name,), catalog.owner)
                try:
                    schemas = [one for page in self._list_pages(_Schemas, "schemas", catalog_name=catalog.name) for one in page.schemas]
                except (InvalidInput, AccessRefused) as error:
                    yield Refusal(InvalidInput(str(error), catalog.name))
                    continue
                for schema in schemas:
                    if schema.name != "information_schema":
                        yield from self._list_schema(catalog, schema)
        finally:
            self._api.close()

    def _list_schema(self, catalog: _Named, schema: _Named) -> Listing:
        defaults = NamespaceDefaults("", schema.comment or catalog.comment or "")
        place = (catalog.name, schema.name)
        self._enter(place, schema.owner)
        try:
            for page in self._list_pages(_Tables, "tables", catalog_name=catalog.name, schema_name=schema.name, max_results=PAGE):
                for one in page.tables:
                    yield from self._read_table(place, bytes(one), defaults)
        except (InvalidInput, AccessRefused) as error:
            yield Refusal(InvalidInput(str(error), ".".join(place)))

    def _read_table(self, place: tuple[str, str], data: bytes, defaults: NamespaceDefaults) -> Listing:
        try:
            table = _table.decode(data)
        except msgspec.MsgspecError as error:
            yield Refusal(InvalidInput(f"a table that is not one of Unity Catalog: {error}", ".".join(place)))
            return
        identifier = (*place, table.name)
        if not self._selection.includes(identifier):
            return
        try:
            converted = convert_table(identifier, table, defaults, self._read_tags(identifier) if self._tags else [])
        except InvalidInput as error:
            yield RefusedTable(identifier, error)
            if self.grants is not None:
                yield TableRights(identifier, None)
            return
        yield converted
        if self.grants is not None:
            yield self._read_rights(converted)

    def _enter(self, identifier: tuple[str, ...], owner: str | None) -> None:
        if self.grants is not None:
            self.grants.enter(identifier, owner)

    def _read_rights(self, table: CatalogTable) -> TableRights:
        assert self.grants is not None, "it is asked for those who may read"
        build_owner = self.grants.build_owner
        try:
            rights = self.grants.list_rights(table)
        except (InvalidInput, AccessRefused) as error:
            return TableRights(table.identifier, None, str(error))
        return TableRights(table.identifier, lambda dataset: build_right_facts(dataset, rights, build_owner))

    def list_permissions(self, kind: str, name: str) -> Iterator[Permissions]:
        """The pages of what was granted on one securable (`catalog`, `schema` or `table`). Raises InvalidInput, StoreUnavailable."""
        return self._list_pages(Permissions, "permissions", kind, name, max_results="0")

    def _read_tags(self, identifier: Sequence[str]) -> list[str]:
        """The tags of a table as `key=value` or `key`; none if the server does not know tags, or does not permit to read them."""
        address = ("entity-tag-assignments", "tables", ".".join(identifier), "tags")
        try:
            found = [one for page in self._list_pages(_Tags, *address) for one in page.tag_assignments]
        except AccessRefused:
            return []
        except RefusedAnswer as error:
            if error.status in (404, 501):
                return []
            raise
        return sorted(f"{one.tag_key}={one.tag_value}" if one.tag_value else one.tag_key for one in found)

    def _list_pages(self, shape: type[T], *address: str, **parameters: str) -> Iterator[T]:
        token = ""
        for _ in range(MAX_PAGES):
            page = self._api.read(shape, (*PREFIX, *address), {**parameters, **({"page_token": token} if token else {})})
            yield page
            following = str(getattr(page, "next_page_token", "") or "")
            if not following or following == token:
                return
            token = following
        raise InvalidInput(f"the list has more than {MAX_PAGES} pages", "/".join(address))


def convert_table(identifier: tuple[str, ...], table: _Table, defaults: NamespaceDefaults, tags: Sequence[str]) -> CatalogTable:
    """The table of an answer. Raises InvalidInput if its columns are too many or nested too deeply."""
    kind = _KINDS.get(table.table_type or "", TABLE)
    keys = {
        name for one in table.table_constraints or () if one.primary_key_constraint for name in one.primary_key_constraint.child_columns
    }
    changed = table.updated_at or table.created_at
    partitions = sorted((one.partition_index, one.name) for one in table.columns or () if one.partition_index is not None)
    others: dict[str, Json] = {
        "table_type": table.table_type or "",
        "table_uuid": table.table_id or "",
        "row_filter": (table.row_filter.function_name or table.row_filter.name) if table.row_filter is not None else "",
        "tags": list[Json](tags),
    }
    return CatalogTable(
        identifier=identifier,
        dataset_type=kind,
        columns=tuple(_list_columns(table.columns or (), keys)),
        format=(table.data_source_format or "").casefold() if kind == TABLE else "",
        location=table.storage_location or "",
        comment=table.comment or "",
        owner=table.owner or "",
        owner_is_stated=True,
        properties=table.properties or {},
        partition_columns=tuple(name for _, name in partitions),
        defaults=defaults,
        view=ViewDefinition(table.view_definition, "databricks", None, identifier[:2]) if table.view_definition else None,
        changed=changed * 1000 if changed else None,
        others=others,
    )


def _list_columns(given: Sequence[_Column], keys: set[str]) -> Iterator[CatalogColumn]:
    count = 0
    for place, one in enumerate(given, start=1):
        position = place if one.position is None else one.position + 1  # the catalog counts from 0
        others: dict[str, Json] = {"identifies": True} if one.name in keys else {}
        if one.mask is not None and one.mask.function_name:
            others["column_mask"] = one.mask.function_name
        type_ = one.type_text or (one.type_name or "").casefold()
        yield CatalogColumn(one.name, type_, position, one.comment or "", nullable=one.nullable, others=others)
        for below in list_nested_columns(one.name, type_, position):
            yield below
            count += 1
        count += 1
        if count > MAX_COLUMNS:
            raise InvalidInput(f"the table has more than {MAX_COLUMNS} columns")
