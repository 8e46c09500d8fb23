"""Metadata of tables and views, decoded into typed values of the parts that are used; and the columns of a schema by dotted paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.errors import InvalidInput

T = TypeVar("T")

MAX_BYTES = 64 * 2**20  # of one table's metadata


class _Part(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    pass


class Field(_Part, frozen=True, gc=False):
    id: int
    name: str
    type: Type
    required: bool = False
    doc: str | None = None


class StructType(_Part, frozen=True, gc=False, tag_field="type", tag="struct"):
    fields: tuple[Field, ...]


class ListType(_Part, frozen=True, gc=False, tag_field="type", tag="list"):
    element_id: int
    element: Type
    element_required: bool = False


class MapType(_Part, frozen=True, gc=False, tag_field="type", tag="map"):
    key_id: int
    key: Type
    value_id: int
    value: Type
    value_required: bool = False


Type: TypeAlias = "str | StructType | ListType | MapType"


class Schema(_Part, frozen=True, gc=False):
    fields: tuple[Field, ...]
    schema_id: int = 0
    identifier_field_ids: tuple[int, ...] = ()


class PartitionField(_Part, frozen=True, gc=False):
    name: str
    transform: str
    source_id: int | None = None
    source_ids: tuple[int, ...] = ()  # version 3: of transforms that take several columns


class PartitionSpec(_Part, frozen=True, gc=False):
    fields: tuple[PartitionField, ...] = ()
    spec_id: int = 0


class SortField(_Part, frozen=True, gc=False):
    transform: str
    direction: str = "asc"
    null_order: str = ""
    source_id: int | None = None
    source_ids: tuple[int, ...] = ()


class SortOrder(_Part, frozen=True, gc=False):
    fields: tuple[SortField, ...] = ()
    order_id: int = 0


class Snapshot(_Part, frozen=True, gc=False):
    snapshot_id: int
    timestamp_ms: int
    schema_id: int | None = None
    summary: dict[str, Any] | None = None


class SnapshotChange(_Part, frozen=True, gc=False):
    timestamp_ms: int
    snapshot_id: int


class MetadataFile(_Part, frozen=True, gc=False):
    timestamp_ms: int
    metadata_file: str = ""


class Table(_Part, frozen=True, gc=False):
    location: str
    last_updated_ms: int
    format_version: int = 1
    table_uuid: str = ""
    schemas: tuple[Schema, ...] = ()
    schema: Schema | None = None  # version 1
    current_schema_id: int = 0
    partition_specs: tuple[PartitionSpec, ...] = ()
    default_spec_id: int = 0
    sort_orders: tuple[SortOrder, ...] = ()
    default_sort_order_id: int = 0
    properties: dict[str, Any] | None = None
    snapshots: tuple[Snapshot, ...] | None = None
    snapshot_log: tuple[SnapshotChange, ...] | None = None
    metadata_log: tuple[MetadataFile, ...] | None = None


class Representation(_Part, frozen=True, gc=False):
    sql: str = ""
    dialect: str = ""


class ViewVersion(_Part, frozen=True, gc=False):
    version_id: int
    schema_id: int
    timestamp_ms: int
    representations: tuple[Representation, ...] = ()
    default_catalog: str | None = None
    default_namespace: tuple[str, ...] = ()


class ViewChange(_Part, frozen=True, gc=False):
    version_id: int
    timestamp_ms: int


class View(_Part, frozen=True, gc=False):
    view_uuid: str
    schemas: tuple[Schema, ...]
    versions: tuple[ViewVersion, ...]
    current_version_id: int
    version_log: tuple[ViewChange, ...] = ()
    location: str = ""
    properties: dict[str, Any] | None = None


class _TableAnswer(_Part, frozen=True, gc=False):
    metadata: Table
    metadata_location: str | None = None


class _ViewAnswer(_Part, frozen=True, gc=False):
    metadata: View
    metadata_location: str | None = None


_NOTHING = msgspec.Raw()


class _Any(_Part, frozen=True, gc=False):
    """The keys that distinguish the four kinds of files."""

    metadata: msgspec.Raw = _NOTHING
    view_uuid: str | None = None


_table = msgspec.json.Decoder(Table)
_view = msgspec.json.Decoder(View)
_table_answer = msgspec.json.Decoder(_TableAnswer)
_view_answer = msgspec.json.Decoder(_ViewAnswer)
_any = msgspec.json.Decoder(_Any)


def parse_table_answer(data: bytes) -> tuple[Table, str]:
    """(metadata, location of the metadata file) of a catalog's answer to `loadTable`. Raises InvalidInput with the JSON path."""
    answer = _decode_metadata(_table_answer, data)
    return answer.metadata, answer.metadata_location or ""


def parse_view_answer(data: bytes) -> tuple[View, str]:
    """(metadata, location of the metadata file) of a catalog's answer to `loadView`. Raises InvalidInput with the JSON path."""
    answer = _decode_metadata(_view_answer, data)
    return answer.metadata, answer.metadata_location or ""


def parse_table(data: bytes) -> Table:
    """The table of a metadata file. Raises InvalidInput with the JSON path."""
    return _decode_metadata(_table, data)


def parse_metadata(data: bytes) -> Table | View:
    """The table or view of a metadata file, or of a file with a catalog's answer. Raises InvalidInput with the JSON path."""
    outer = _decode_metadata(_any, data)
    is_answer = bool(bytes(outer.metadata))
    inner = bytes(outer.metadata) if is_answer else data
    is_view = (_decode_metadata(_any, inner) if is_answer else outer).view_uuid is not None
    return _decode_metadata(_view, inner) if is_view else _decode_metadata(_table, inner)


def select_text_properties(properties: Mapping[str, Any] | None) -> dict[str, str]:
    """The properties whose values are texts; by the specification all are."""
    return {name: value for name, value in (properties or {}).items() if isinstance(value, str)}


def _decode_metadata(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"not metadata of Iceberg: {error}") from None
    except (RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not metadata of Iceberg: {type(error).__name__}") from None


MAX_COLUMNS = 20_000
MAX_DEPTH = 24
MAX_TYPE = 500  # characters of a nested type's text


class Column(NamedTuple):
    """A column. `position`: of its top-level column, from 1. `is_key`: whether it is an identifier field of the schema."""

    path: str
    id: int
    position: int
    type: str
    required: bool
    doc: str
    is_key: bool


def list_columns(schema: Schema) -> list[Column]:
    """All columns, a parent before its nested columns; of two columns with one path the first. Raises InvalidInput."""
    keys = frozenset(schema.identifier_field_ids)
    found: dict[str, Column] = {}
    for position, field in enumerate(schema.fields, start=1):
        if isinstance(field.type, str):  # most are
            column = Column(field.name, field.id, position, field.type, field.required, field.doc or "", field.id in keys)
            found.setdefault(column.path, column)
        else:
            for path, id_, type_, required, doc in _walk_type(
                field.name, field.id, field.type, required=field.required, doc=field.doc or ""
            ):
                found.setdefault(path, Column(path, id_, position, format_type(type_), required, doc, id_ in keys))
        if len(found) > MAX_COLUMNS:
            raise InvalidInput(f"the schema has more than {MAX_COLUMNS} columns")
    return list(found.values())


def format_type(type_: Type) -> str:
    """`struct<city: string>`, `list<int>`, `map<string, int>`, or the name of a plain type."""
    text = _format_nested_type(type_)
    return text if len(text) <= MAX_TYPE else f"{text[: MAX_TYPE - 1]}…"


def _walk_type(path: str, id_: int, type_: Type, *, required: bool, doc: str, depth: int = 1) -> Iterator[tuple[str, int, Type, bool, str]]:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"columns are nested more than {MAX_DEPTH} levels deep")
    yield path, id_, type_, required, doc
    match type_:
        case StructType():
            for field in type_.fields:
                yield from _walk_type(
                    f"{path}.{field.name}", field.id, field.type, required=field.required, doc=field.doc or "", depth=depth + 1
                )
        case ListType():
            yield from _walk_type(
                f"{path}.element", type_.element_id, type_.element, required=type_.element_required, doc="", depth=depth + 1
            )
        case MapType():
            yield from _walk_type(f"{path}.key", type_.key_id, type_.key, required=True, doc="", depth=depth + 1)
            yield from _walk_type(f"{path}.value", type_.value_id, type_.value, required=type_.value_required, doc="", depth=depth + 1)


def _format_nested_type(type_: Type) -> str:
    match type_:
        case StructType():
            return f"struct<{', '.join(f'{field.name}: {_format_nested_type(field.type)}' for field in type_.fields)}>"
        case ListType():
            return f"list<{_format_nested_type(type_.element)}>"
        case MapType():
            return f"map<{_format_nested_type(type_.key)}, {_format_nested_type(type_.value)}>"
    return type_
