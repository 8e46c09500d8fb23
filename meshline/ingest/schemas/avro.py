"""Avro: the fields of a record, with unions, logical types and aliases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from meshline.errors import InvalidInput, require_extra
from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.schemas.base import MAX_DEPTH, MAX_FIELDS, Path, Schema, Whole, read_tags

NAMED = frozenset({"record", "error", "enum", "fixed"})  # types that readers resolve by name
CONTAINERS = frozenset({"array", "map"})


def is_avro(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    return "$schema" not in value and (
        (kind in ("record", "error") and "fields" in value) or (kind in ("enum", "fixed") and "name" in value) or isinstance(kind, dict)
    )


def parse_avro(value: Any, file: str) -> Schema:
    """Parse an Avro schema. Raises InvalidInput if it is no Avro schema or no record; MissingExtra."""
    with require_extra("avro", "reading an Avro schema"):
        from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415 - slow to import

    named: dict[str, Any] = {}
    try:
        whole = parse_schema(value, named_schemas=named, _force=True)
    except UnknownType as error:
        raise InvalidInput(f"it is no schema of Avro: the type {error.name!r} is not defined in it", file) from error
    except (SchemaParseException, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"it is no schema of Avro: {type(error).__name__}: {str(error)[:300]}", file) from error
    place: Path = ()
    if isinstance(whole, list) and whole:  # earlier items are types that the last one uses
        place, whole = (len(whole) - 1,), whole[-1]
    record = named.get(whole, whole) if isinstance(whole, str) else whole
    if not isinstance(record, dict) or record.get("type") not in ("record", "error"):
        raise InvalidInput("a table is a record of Avro; this is none", file)
    walk = _AvroReader(named)
    fields = list(walk.read_record(record, "", place, frozenset()))
    name = str(record["name"])
    model = Model(name=name, description=str(record.get("doc") or ""), fields=tuple(fields))
    return Schema(Definition(model, format="avro"), walk.places, (name,) if "." in name else (), walk.aliases, whole=Whole(record, named))


class _AvroReader:
    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self.places: dict[str, Path] = {}
        self.aliases: dict[str, tuple[str, ...]] = {}

    def read_record(self, record: dict[str, Any], path: str, place: Path, inside: frozenset[str]) -> Iterator[Field]:
        name = str(record.get("name"))
        if name in inside:
            return  # it contains itself
        for i, one in enumerate(record.get("fields") or ()):
            own = f"{path}{one['name']}"
            if aliases := tuple(f"{path}{alias}" for alias in one.get("aliases") or ()):
                self.aliases[own] = aliases
            first, *nested = self.read_field(own, one["type"], str(one.get("doc") or ""), (*place, "fields", i), inside | {name})
            yield structs.replace(first, defaulted="default" in one, tags=read_tags(one))
            yield from nested

    def read_field(self, path: str, type_: Any, doc: str, place: Path, inside: frozenset[str]) -> Iterator[Field]:
        if path.count(".") > MAX_DEPTH or len(self.places) >= MAX_FIELDS:
            raise InvalidInput(f"more than {MAX_FIELDS} fields, or nested more than {MAX_DEPTH} levels deep")
        self.places[path] = place
        nullable, kind, at = self._unwrap_null(type_, (*place, "type"))
        is_enum = isinstance(kind, dict) and kind.get("type") == "enum"
        yield Field(
            name=path,
            type=self.format_type(kind),
            description=doc,
            required=not nullable,
            type_names=_list_names(kind),
            enum=tuple(kind.get("symbols") or ()) if is_enum else (),
            enum_default=str(kind.get("default") or "") if is_enum else "",
        )
        yield from self._read_nested(path, kind, at, inside)

    def _read_nested(self, path: str, kind: Any, place: Path, inside: frozenset[str]) -> Iterator[Field]:
        if isinstance(kind, list):  # a union: each branch that is more than a word is a field of its own
            for one in kind:
                _, branch, _ = self._unwrap_null(one, ())
                if isinstance(branch, dict) and (branch.get("type") in CONTAINERS or branch.get("type") in NAMED):
                    yield from self.read_field(f"{path}.{self._format_branch(one)}", one, "", place, inside)
            return
        if not isinstance(kind, dict):
            return
        if kind.get("type") in ("record", "error"):
            yield from self.read_record(kind, f"{path}.", place, inside)
        elif (inside_map := _find_pairs(kind)) is not None:
            yield Field(name=f"{path}.key", type=self.format_type(inside_map[0]["type"]), required=True)
            yield from self.read_field(f"{path}.value", inside_map[1]["type"], "", (*place, "items"), inside)
        elif kind.get("type") == "array":
            yield from self.read_field(f"{path}.element", kind["items"], "", (*place, "items"), inside)
        elif kind.get("type") == "map":
            yield Field(name=f"{path}.key", type="string", required=True)
            yield from self.read_field(f"{path}.value", kind["values"], "", (*place, "values"), inside)

    def _unwrap_null(self, type_: Any, place: Path) -> tuple[bool, Any, Path]:
        """(whether the type includes null, the type without null, the path of that type)."""
        if isinstance(type_, dict) and isinstance(type_.get("type"), dict | list):
            return self._unwrap_null(type_["type"], (*place, "type"))
        if isinstance(type_, str) and type_ in self._named:
            return False, self._named[type_], place
        if not isinstance(type_, list):
            return type_ == "null", type_, place
        others = [(i, one) for i, one in enumerate(type_) if one != "null"]
        if not others:
            return True, "null", place
        if len(others) > 1:
            return len(others) < len(type_), [one for _, one in others], place
        i, one = others[0]
        _, kind, at = self._unwrap_null(one, (*place, i))
        return len(others) < len(type_), kind, at

    def format_type(self, kind: Any) -> str:
        """`long`, `timestamp-millis`, `decimal(18,2)`, `array<string>`, `enum`, `record`, `union<Money, int>`."""
        if isinstance(kind, list):
            return f"union<{', '.join(sorted(map(self._format_branch, kind)))}>"
        if isinstance(kind, str):
            return self.format_type(self._named[kind]) if kind in self._named else kind
        logical, name = str(kind.get("logicalType", "")), str(kind.get("type"))
        if logical == "decimal":
            return f"decimal({kind.get('precision')},{kind.get('scale') or 0})"
        if (inside_map := _find_pairs(kind)) is not None:
            return f"map<{', '.join(self.format_type(self._unwrap_null(one['type'], ())[1]) for one in inside_map)}>"
        if name in ("array", "map"):
            inner = self.format_type(self._unwrap_null(kind["items" if name == "array" else "values"], ())[1])
            return f"array<{inner}>" if name == "array" else f"map<string, {inner}>"
        plain = f"fixed({kind.get('size')})" if name == "fixed" else name
        return logical if logical in _LOGICAL else plain

    def _format_branch(self, kind: Any) -> str:
        """The name of a branch of a union: the name of a named type, `array`, `map`, else the type itself."""
        _, branch, _ = self._unwrap_null(kind, ())
        if not isinstance(branch, dict):
            return self.format_type(branch)
        name = str(branch.get("type"))
        return str(branch.get("name")).rpartition(".")[2] if name in NAMED else name if name in CONTAINERS else self.format_type(branch)


def _list_names(kind: Any) -> tuple[str, ...]:
    """The full name of a named type, and its aliases."""
    if not isinstance(kind, dict) or kind.get("type") not in NAMED:
        return ()
    name = str(kind.get("name"))
    space = name.rpartition(".")[0]
    return name, *(str(one) if "." in str(one) or not space else f"{space}.{one}" for one in kind.get("aliases") or ())


def _find_pairs(kind: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The key and the value field of a map with keys other than strings, which Iceberg writes as an array of records."""
    fields = kind["items"].get("fields") if kind.get("logicalType") == "map" and isinstance(kind.get("items"), dict) else None
    return fields if isinstance(fields, list) and len(fields) == 2 else None


_LOGICAL = frozenset({
    "uuid", "date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
    "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos", "duration",
})  # fmt: skip
