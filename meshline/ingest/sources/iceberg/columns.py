"""A schema's columns, nested ones by their dotted paths, each with its field id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.sources.iceberg.metadata import ListType, MapType, Schema, StructType, Type

MAX_COLUMNS = 20_000
MAX_DEPTH = 24
MAX_TYPE = 500  # characters of a nested type's text


class Column(NamedTuple):
    """`position`: of the top-level column that it is (in), from 1. `is_key`: whether it identifies a row."""

    path: str
    id: int
    position: int
    type: str
    required: bool
    doc: str
    is_key: bool


def columns(schema: Schema) -> list[Column]:
    """All columns, parents before what is nested in them; of two of one path the first. Raises InvalidInput."""
    keys = frozenset(schema.identifier_field_ids)
    found: dict[str, Column] = {}
    for position, field in enumerate(schema.fields, start=1):
        if isinstance(field.type, str):  # most are
            column = Column(field.name, field.id, position, field.type, field.required, field.doc or "", field.id in keys)
            found.setdefault(column.path, column)
        else:
            for path, id_, type_, required, doc in _walk(field.name, field.id, field.type, required=field.required, doc=field.doc or ""):
                found.setdefault(path, Column(path, id_, position, type_text(type_), required, doc, id_ in keys))
        if len(found) > MAX_COLUMNS:
            raise InvalidInput(f"a schema of more than {MAX_COLUMNS} columns")
    return list(found.values())


def type_text(type_: Type) -> str:
    """`struct<city: string>`, `list<int>`, `map<string, int>`, or the name of a plain type."""
    text = _text(type_)
    return text if len(text) <= MAX_TYPE else f"{text[: MAX_TYPE - 1]}…"


def _walk(path: str, id_: int, type_: Type, *, required: bool, doc: str, depth: int = 1) -> Iterator[tuple[str, int, Type, bool, str]]:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"columns nested more than {MAX_DEPTH} levels deep")
    yield path, id_, type_, required, doc
    match type_:
        case StructType():
            for field in type_.fields:
                yield from _walk(
                    f"{path}.{field.name}", field.id, field.type, required=field.required, doc=field.doc or "", depth=depth + 1
                )
        case ListType():
            yield from _walk(f"{path}.element", type_.element_id, type_.element, required=type_.element_required, doc="", depth=depth + 1)
        case MapType():
            yield from _walk(f"{path}.key", type_.key_id, type_.key, required=True, doc="", depth=depth + 1)
            yield from _walk(f"{path}.value", type_.value_id, type_.value, required=type_.value_required, doc="", depth=depth + 1)


def _text(type_: Type) -> str:
    match type_:
        case StructType():
            return f"struct<{', '.join(f'{field.name}: {_text(field.type)}' for field in type_.fields)}>"
        case ListType():
            return f"list<{_text(type_.element)}>"
        case MapType():
            return f"map<{_text(type_.key)}, {_text(type_.value)}>"
    return type_
