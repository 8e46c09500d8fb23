"""A Delta schema, as the log contains it -> columns, nested ones with dotted paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from meshline.errors import InvalidInput

MAX_COLUMNS = 50_000
MAX_DEPTH = 24
MAX_TYPE = 500  # characters of a nested type's text

FIELD_ID = "delta.columnMapping.id"
COMMENT = "comment"
GENERATED = "delta.generationExpression"
DEFAULT = "CURRENT_DEFAULT"

Type: TypeAlias = str | Mapping[str, Any]  # a primitive's name, or a struct, array or map
Identity: TypeAlias = tuple[int, str]  # the column mapping id of the nearest field that has one, and the path below that field


class Column(NamedTuple):
    """One column. `position`: of its top-level column, from 1. `identity`: None where columns are known by name only."""

    path: str
    type: str
    nullable: bool
    position: int
    metadata: Mapping[str, Any]
    identity: Identity | None


def parse_columns(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """All columns, a parent before its nested columns. Raises InvalidInput."""
    found: list[Column] = []
    if (type_ := schema.get("type")) != "struct":  # a record of Avro has fields, too
        raise InvalidInput(f"a Delta schema has the type struct; found {type_!r:.60}")
    try:
        for position, field in enumerate(schema["fields"], start=1):
            for column in _parse_field(field, "", position, None, 1):
                found.append(column)
                if len(found) > MAX_COLUMNS:
                    raise InvalidInput(f"the schema has more than {MAX_COLUMNS} columns")
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the schema does not follow Delta's protocol ({error!r})") from error
    return tuple(found)


def _parse_field(field: Mapping[str, Any], prefix: str, position: int, parent: Identity | None, depth: int) -> Iterator[Column]:
    metadata = field.get("metadata") or {}
    path = prefix + field["name"]
    number = metadata.get(FIELD_ID)
    identity = (int(number), "") if number is not None else _extend_identity(parent, field["name"])
    yield Column(path, format_type(field["type"]), bool(field.get("nullable", True)), position, metadata, identity)
    yield from _parse_nested(field["type"], path, position, identity, depth)


def _parse_nested(of: Type, path: str, position: int, identity: Identity | None, depth: int) -> Iterator[Column]:
    """The columns within a struct, array or map."""
    if isinstance(of, str):
        return
    if depth > MAX_DEPTH:
        raise InvalidInput(f"nested more than {MAX_DEPTH} levels deep")
    if of["type"] == "struct":
        for field in of["fields"]:
            yield from _parse_field(field, f"{path}.", position, identity, depth + 1)
        return
    for name, inner, nullable in _list_parts(of):
        below = _extend_identity(identity, name)
        yield Column(f"{path}.{name}", format_type(inner), nullable, position, {}, below)
        yield from _parse_nested(inner, f"{path}.{name}", position, below, depth + 1)


def _list_parts(of: Mapping[str, Any]) -> Sequence[tuple[str, Type, bool]]:
    if of["type"] == "array":
        return [("element", of["elementType"], bool(of.get("containsNull", True)))]
    return [("key", of["keyType"], False), ("value", of["valueType"], bool(of.get("valueContainsNull", True)))]


def _extend_identity(identity: Identity | None, name: str) -> Identity | None:
    return None if identity is None else (identity[0], f"{identity[1]}.{name}")


def format_type(of: Type) -> str:
    """`decimal(10,2)`, `struct<city: string>`, `array<string>`, `map<string, long>`."""
    text = _format_nested_type(of, 1)
    return text if len(text) <= MAX_TYPE else f"{text[: MAX_TYPE - 1]}…"


def _format_nested_type(of: Type, depth: int) -> str:
    if isinstance(of, str):
        return of
    if depth > MAX_DEPTH:
        raise InvalidInput(f"nested more than {MAX_DEPTH} levels deep")
    if of["type"] == "struct":
        fields = [f"{field['name']}: {_format_nested_type(field['type'], depth + 1)}" for field in of["fields"]]
        return f"struct<{', '.join(fields)}>"
    return f"{of['type']}<{', '.join(_format_nested_type(inner, depth + 1) for _, inner, _ in _list_parts(of))}>"


class ColumnMove(NamedTuple):
    """A column that was renamed, or dropped (`new` empty)."""

    old: str
    new: str


def find_column_moves(before: Sequence[Column], after: Sequence[Column]) -> Iterator[ColumnMove]:
    """The renames and drops of columns between two versions. Without column mapping a column is known by its name alone, so there
    are none.
    """
    now = {column.identity: column.path for column in after}
    if not any(column.identity for column in before) or not any(now):
        return
    for column in before:
        if column.identity is not None and now.get(column.identity) != column.path:
            yield ColumnMove(column.path, now.get(column.identity, ""))
