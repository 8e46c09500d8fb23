"""Gravitino: the relational catalogs of a metalake, with their schemas and tables, over REST."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec
from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.model import Json, to_micros
from meshline.ingest.sources.base import Context, Reading, Refusal, Source
from meshline.ingest.sources.http_reader import AccessRefused, Program, RefusedAnswer
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.metastore.catalog_api import CatalogApi
from meshline.ingest.sources.metastore.catalog_server import CatalogServer, read_server
from meshline.ingest.sources.metastore.catalog_table import MAX_COLUMNS, CatalogColumn, CatalogTable, Listing, RefusedTable
from meshline.ingest.sources.metastore.walk import Selection

PROGRAM = Program("Gravitino", "https://gravitino.internal:8090", "set the key token to one that may read it", 60.0)
MAX_DEPTH = 24
_UNKNOWN = frozenset({404, 405, 501})  # answers to a question that the server does not know

GravitinoType = str | dict[str, Any]  # a plain type's name, or a struct, list, map, ...


class _Identifier(msgspec.Struct):
    name: str


class _Identifiers(msgspec.Struct):
    identifiers: list[_Identifier] = []


class _Catalog(msgspec.Struct):
    name: str
    type: str = ""
    provider: str = ""
    comment: str | None = None
    properties: dict[str, str] | None = None


class _Catalogs(msgspec.Struct):
    catalogs: list[_Catalog] = []


class _Schema(msgspec.Struct):
    comment: str | None = None


class _SchemaAnswer(msgspec.Struct):
    schema: _Schema


class _Audit(msgspec.Struct, rename="camel"):
    create_time: datetime | None = None
    last_modified_time: datetime | None = None


class _Column(msgspec.Struct):
    name: str
    type: GravitinoType = ""
    comment: str | None = None
    nullable: bool | None = None


class _Partition(msgspec.Struct, rename="camel"):
    strategy: str = ""
    field_name: list[str] = []


class _Table(msgspec.Struct):
    name: str
    comment: str | None = None
    columns: list[_Column] | None = None
    properties: dict[str, str] | None = None
    partitioning: list[_Partition] | None = None
    audit: _Audit | None = None


class _TableAnswer(msgspec.Struct):
    table: _Table


class _Owner(msgspec.Struct):
    name: str = ""


class _OwnerAnswer(msgspec.Struct):
    owner: _Owner | None = None


class _TagsAnswer(msgspec.Struct):
    names: list[str] = []


class Gravitino(Source):
    """A metalake of a Gravitino server. `token`: a bearer token; `user`: a name for a server without authentication. `catalogs`: only
    these. `tables`: patterns of `catalog.schema.table`. `details`: whether owners and tags of tables are read, which are two more
    requests for each. `namespace`: of the datasets, instead of the metalake's name.
    """

    kind: ClassVar[str] = "gravitino"

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    metalake: Annotated[str, Field(min_length=1, max_length=200)]
    token: str = Field(default="", repr=False)
    user: str = ""
    catalogs: tuple[str, ...] = ()
    namespace: str = ""
    tables: tuple[str, ...] = ()
    details: bool = True
    properties: dict[str, Any] = Field(default={}, repr=False)
    storage_options: Mapping[str, str] = Field(default={}, repr=False)

    def read(self, context: Context) -> Reading:
        server = CatalogServer(
            PROGRAM,
            PROGRAM.name,
            lambda _: self.metalake,
            lambda token: _build_headers(token, self.user),
            lambda api, selection: GravitinoWalk(api, self.metalake, selection, details=self.details),
        )
        return read_server(self, context, server)


def _build_headers(token: str, user: str) -> dict[str, str]:
    headers = {"Accept": "application/vnd.gravitino.v1+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        headers["Authorization"] = f"Basic {base64.b64encode(f'{user}:dummy'.encode()).decode()}"  # as Gravitino's own clients do
    return headers


class GravitinoWalk:
    """One walk over a metalake."""

    def __init__(self, api: CatalogApi, metalake: str, selection: Selection, *, details: bool) -> None:
        self._api = api
        self._root = ("api", "metalakes", metalake)
        self._selection = selection
        self._details = details

    def list_catalogs(self, only: Sequence[str]) -> list[_Catalog]:
        """The relational catalogs that are read. Raises InvalidInput, StoreUnavailable."""
        answer = self._api.read(_Catalogs, (*self._root, "catalogs"), {"details": "true"})
        found = [one for one in answer.catalogs if one.type.casefold() == "relational"]
        if missing := sorted(set(only) - {one.name for one in found}):
            raise InvalidInput(
                f"there is no relational catalog {missing[0]!r}; there are: {', '.join(one.name for one in found[:20])}", "catalogs"
            )
        return [one for one in found if not only or one.name in only]

    def list_tables(self, catalogs: Sequence[_Catalog]) -> Listing:
        """The tables of the catalogs. Raises StoreUnavailable."""
        try:
            for catalog in catalogs:
                place = (*self._root, "catalogs", catalog.name, "schemas")
                try:
                    schemas = self._api.read(_Identifiers, place).identifiers
                except (InvalidInput, AccessRefused) as error:
                    yield Refusal(InvalidInput(str(error), catalog.name))
                    continue
                for schema in schemas:
                    yield from self._list_schema(catalog, schema.name)
        finally:
            self._api.close()

    def _list_schema(self, catalog: _Catalog, schema: str) -> Listing:
        place = (*self._root, "catalogs", catalog.name, "schemas", schema)
        try:
            comment = self._api.read(_SchemaAnswer, place).schema.comment
            tables = self._api.read(_Identifiers, (*place, "tables")).identifiers
        except (InvalidInput, AccessRefused) as error:
            yield Refusal(InvalidInput(str(error), f"{catalog.name}.{schema}"))
            return
        defaults = NamespaceDefaults("", comment or catalog.comment or "")
        for table in tables:
            identifier = (catalog.name, schema, table.name)
            if self._selection.includes(identifier):
                yield from self._read_table(catalog, identifier, defaults)

    def _read_table(self, catalog: _Catalog, identifier: tuple[str, str, str], defaults: NamespaceDefaults) -> Listing:
        place = (*self._root, "catalogs", identifier[0], "schemas", identifier[1], "tables", identifier[2])
        try:
            table = self._api.read(_TableAnswer, place).table
            details = self._read_details(".".join(identifier)) if self._details else Details()
            yield convert_table(identifier, table, catalog, defaults, details)
        except RefusedAnswer as error:
            if error.status != 404:  # else it was dropped since it was listed
                yield RefusedTable(identifier, error)
        except (InvalidInput, AccessRefused) as error:
            yield RefusedTable(identifier, InvalidInput(str(error)))

    def _read_details(self, name: str) -> Details:
        owner = self._read_if_known(_OwnerAnswer, ("owners", "table", name)).owner
        tags = self._read_if_known(_TagsAnswer, ("objects", "table", name, "tags")).names
        return Details(owner.name if owner is not None else "", tuple(sorted(tags)))

    def _read_if_known(self, shape: Any, address: Sequence[str]) -> Any:
        try:
            return self._api.read(shape, (*self._root, *address))
        except AccessRefused:
            return shape()
        except RefusedAnswer as error:
            if error.status in _UNKNOWN:
                return shape()
            raise


class Details(NamedTuple):
    """What Gravitino has of a table in other places: its owner, which people set, and its tags."""

    owner: str = ""
    tags: tuple[str, ...] = ()


def convert_table(
    identifier: tuple[str, str, str], table: _Table, catalog: _Catalog, defaults: NamespaceDefaults, details: Details
) -> CatalogTable:
    """The table of an answer. Raises InvalidInput if its columns are too many or nested too deeply."""
    given = table.properties or {}
    audit = table.audit or _Audit()
    changed = audit.last_modified_time or audit.create_time
    others: dict[str, Json] = {"table_type": given.get("table-type", ""), "tags": list[Json](details.tags)}
    provider = catalog.provider.casefold()
    fallback = provider.removeprefix("lakehouse-") if provider.startswith("lakehouse-") else ""
    return CatalogTable(
        identifier=identifier,
        columns=tuple(_list_columns(table.columns or ())),
        format=(given.get("format") or fallback).casefold() if fallback != "iceberg" else "iceberg",
        location=given.get("location", ""),
        comment=table.comment or "",
        owner=details.owner,
        owner_is_stated=bool(details.owner),
        properties=given,
        partition_columns=tuple(".".join(one.field_name) for one in table.partitioning or () if one.strategy == "identity"),
        defaults=defaults,
        changed=to_micros(changed) if changed is not None and changed.tzinfo is not None else None,
        other_names=tuple(_list_other_names(catalog, identifier)),
        others=others,
    )


def _list_other_names(catalog: _Catalog, identifier: tuple[str, str, str]) -> Iterator[tuple[str, str]]:
    """The name that the table has in the Hive metastore that its catalog is made of."""
    uri = (catalog.properties or {}).get("metastore.uris", "").partition(",")[0].strip()
    try:
        parts = urlsplit(uri)
    except ValueError:
        return
    if catalog.provider.casefold() == "hive" and parts.scheme == "thrift" and parts.netloc:
        yield f"hive://{parts.netloc}", ".".join(identifier[1:])


def _list_columns(given: Sequence[_Column]) -> Iterator[CatalogColumn]:
    count = 0
    for position, one in enumerate(given, start=1):
        for column in _list_nested(one.name, one.type, position, one.comment or "", one.nullable, 1):
            yield column
            count += 1
            if count > MAX_COLUMNS:
                raise InvalidInput(f"the table has more than {MAX_COLUMNS} columns")


def _list_nested(
    path: str, type_: GravitinoType, position: int, comment: str, nullable: bool | None, depth: int  # noqa: FBT001
) -> Iterator[CatalogColumn]:  # fmt: skip
    """A column and those within it."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{path[:100]} is nested more than {MAX_DEPTH} levels deep")
    yield CatalogColumn(path, format_gravitino_type(type_), position, comment, nullable=nullable)
    for name, below, comment_below, may_be_null in _list_parts(type_):
        yield from _list_nested(f"{path}.{name}", below, position, comment_below, may_be_null, depth + 1)


def _list_parts(type_: GravitinoType) -> Iterator[tuple[str, GravitinoType, str, bool | None]]:
    if isinstance(type_, str):
        return
    match type_.get("type"):
        case "struct":
            for field in type_.get("fields") or ():
                if isinstance(field, dict) and isinstance(field.get("name"), str):
                    yield field["name"], _check_type(field.get("type")), str(field.get("comment") or ""), field.get("nullable")
        case "list":
            yield "element", _check_type(type_.get("elementType")), "", type_.get("containsNull")
        case "map":
            yield "key", _check_type(type_.get("keyType")), "", False
            yield "value", _check_type(type_.get("valueType")), "", type_.get("valueContainsNull")


def _check_type(type_: object) -> GravitinoType:
    return type_ if isinstance(type_, str | dict) else ""


def format_gravitino_type(type_: GravitinoType, depth: int = 1) -> str:
    """`decimal(10,2)`, `struct<city: string>`, `list<string>`, `map<string, long>`; of a type of another system its own text."""
    if isinstance(type_, str):
        return type_
    if depth > MAX_DEPTH:
        return "…"
    kind = str(type_.get("type") or "")
    if kind in ("external", "unparsed"):
        return str(type_.get("catalogString") or type_.get("unparsedType") or "")
    parts = [(name, format_gravitino_type(below, depth + 1)) for name, below, _, _ in _list_parts(type_)]
    inner = ", ".join(f"{name}: {text}" if kind == "struct" else text for name, text in parts)
    return f"{kind}<{inner}>" if inner else kind
