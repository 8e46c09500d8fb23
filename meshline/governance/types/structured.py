"""Reads types that are written as JSON: schemas of Spark, Iceberg and Avro, and JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from meshline.governance.types.form import Part, Type
from meshline.governance.types.text import MAX_DEPTH, Unreadable
from meshline.graph.model import Json

_OBJECTS = frozenset({"struct", "record", "object", "error"})
_HOLDING = {"array": "list", "list": "list", "map": "map"}
_TEXTS_OF_FORMAT = frozenset({"date", "time", "date-time", "uuid", "byte"})  # formats of JSON Schema that are types of their own


def structured(value: Json, leaf: Callable[[str], Type], depth: int = 0) -> Type:
    """The type that a JSON value describes. `leaf`: the type of a text. Raises Unreadable."""
    if isinstance(value, str):
        return leaf(value)
    if isinstance(value, list):
        return structured(_only(value), leaf, depth + 1)
    if depth > MAX_DEPTH or not isinstance(value, Mapping) or "type" not in value:
        raise Unreadable
    kind = value["type"]
    if isinstance(kind, list):
        return structured({**value, "type": _only(kind)}, leaf, depth + 1)
    if isinstance(kind, Mapping):
        return structured(kind, leaf, depth + 1)
    if kind in _OBJECTS:
        return _struct(value, leaf, depth)
    return _holding(value, str(kind), leaf, depth) if kind in _HOLDING else leaf(_simple(value, str(kind)))


def may_be_null(value: Json) -> bool:
    """Whether a union, of Avro or JSON Schema, allows null."""
    if isinstance(value, Mapping):
        value = value.get("type")
    return isinstance(value, list) and "null" in value


def _only(kinds: Sequence[Json]) -> Json:
    """What a union is beside null. Raises Unreadable where it is several."""
    others = [one for one in kinds if one != "null"]
    if len(others) != 1:
        raise Unreadable
    return others[0]


def _simple(value: Mapping[str, Json], kind: str) -> str:
    logical, form = value.get("logicalType"), value.get("format")
    if isinstance(logical, str):
        if logical == "decimal":
            return f"decimal({value.get('precision')},{value.get('scale') or 0})"
        return logical
    if kind == "fixed" and "size" in value:
        return f"fixed({value['size']})"
    if isinstance(form, str) and (form in _TEXTS_OF_FORMAT if kind == "string" else form in {"int32", "int64", "float", "double"}):
        return form
    return kind


def _struct(value: Mapping[str, Json], leaf: Callable[[str], Type], depth: int) -> Type:
    if isinstance(properties := value.get("properties"), Mapping):
        listed = value.get("required")
        needed = listed if isinstance(listed, list) else []
        fields: list[tuple[str, Json, bool | None, str]] = [(name, one, name in needed, "") for name, one in properties.items()]
    else:
        said = value.get("fields")
        fields = [_field(one) for one in (said if isinstance(said, list) else [])]
    parts = (Part(name, structured(type_, leaf, depth + 1), needed, stable) for name, type_, needed, stable in fields)
    return Type("struct", (), tuple(parts))


def _field(value: Json) -> tuple[str, Json, bool | None, str]:
    if not isinstance(value, Mapping):
        raise Unreadable
    metadata = value.get("metadata")
    stable = value.get("id", metadata.get("delta.columnMapping.id") if isinstance(metadata, Mapping) else None)
    needed = _required(value.get("required"), value.get("nullable"))
    if needed is None and may_be_null(value.get("type")):
        needed = False
    return str(value.get("name", "")), value.get("type"), needed, "" if stable is None else str(stable)


def _holding(value: Mapping[str, Json], kind: str, leaf: Callable[[str], Type], depth: int) -> Type:
    """A list or a map. If it is not said what is in it, nothing is known of that."""
    if kind == "map":
        key, held = _first(value, "keyType", "key"), _first(value, "valueType", "value", "values")
        needed = _required(value.get("value-required"), value.get("valueContainsNull"))
        parts = [("key", "string" if key is None else key, None), ("value", held, needed)]
    else:
        element = _first(value, "elementType", "element", "items")
        parts = [("element", element, _required(value.get("element-required"), value.get("containsNull")))]
    if any(type_ is None for _, type_, _ in parts):
        return Type(_HOLDING[kind])
    return Type(_HOLDING[kind], (), tuple(Part(part, structured(type_, leaf, depth + 1), needed) for part, type_, needed in parts))


def _first(value: Mapping[str, Json], *keys: str) -> Json:
    return next((value[key] for key in keys if key in value), None)


def _required(required: Json, nullable: Json) -> bool | None:
    if isinstance(required, bool):
        return required
    return not nullable if isinstance(nullable, bool) else None
