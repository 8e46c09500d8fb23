"""JSON Schema: the properties of an object. References within the document are followed, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.documents import to_flag, to_text, to_whole_number
from meshline.ingest.schemas.base import MAX_DEPTH, MAX_FIELDS, Path, Schema, read_tags
from meshline.ingest.validation import format_value
from meshline.words import format_count, shorten_text

# Keywords that no rule compares: a report names them, so that no reader believes that they were compared.
_NOT_COMPARED = frozenset({
    "patternProperties", "if", "then", "else", "not", "dependentSchemas", "dependentRequired", "dependencies", "prefixItems",
    "contains", "minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems", "additionalItems", "propertyNames",
    "minProperties", "maxProperties", "multipleOf", "divisibleBy", "uniqueItems", "contentEncoding", "contentMediaType",
    "contentSchema", "disallow", "extends", "discriminator", "$dynamicRef", "$recursiveRef",
})  # fmt: skip
_OF_A_FORM = frozenset({"type", "title", "description", "$comment", "examples"})
LONGEST = 500  # characters of a warning
PLACES = 5  # of one keyword that are named


def is_json_schema(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {"$schema", "properties", "$defs", "definitions", "$ref", "allOf"}) or value.get("type") in (
        "object",
        "array",
    )


def parse_json_schema(value: Any, file: str) -> Schema:
    """Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput(f"found {format_value(value)}; a JSON schema is a mapping")
    walk = _SchemaReader(value)
    place, root = walk.resolve(value, ())
    if "object" not in _list_types(root) and isinstance(root.get("items"), dict):  # a list of rows
        place, root = walk.resolve(root["items"], (*place, "items"))
    if not isinstance(root.get("properties"), dict) and "object" not in _list_types(root):
        raise InvalidInput("a table is an object with properties; this schema describes neither", file)
    walk.warn_of_keywords(place, root)
    fields = tuple(walk.read_properties(root, "", place, 0))
    return Schema(
        Definition(Model(name=to_text(value.get("title")), fields=fields), format="json", closed=tuple(walk.closed)),
        walk.places,
        warnings=tuple(walk.list_warnings()),
    )


class _SchemaReader:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._inside: list[str] = []  # references that are being followed
        self.places: dict[str, Path] = {}
        self._warnings: dict[str, dict[Path, None]] = {}  # keywords that are not compared, with their paths
        self._unread: dict[str, None] = {}  # references to a target outside of the document
        self.closed: dict[str, None] = {}  # paths of objects that allow no other properties

    def read_properties(self, schema: Mapping[str, Any], path: str, place: Path, depth: int) -> Iterator[Field]:
        names = schema.get("required")
        required = frozenset(names) if isinstance(names, list) and all(isinstance(one, str) for one in names) else frozenset()
        properties, more = schema.get("properties"), schema.get("additionalProperties")
        if more is False:
            self.closed[path.removesuffix(".")] = None
        elif isinstance(more, dict) and more and properties:
            self._warn(place, "additionalProperties beside properties")
        for name, one in properties.items() if isinstance(properties, dict) else ():
            is_required = name in required or (isinstance(one, dict) and one.get("required") is True)  # as draft 3 has it
            yield from self._read_field(f"{path}{name}", one, (*place, "properties", name), depth, required=is_required)

    def _read_field(self, path: str, value: Any, place: Path, depth: int, *, required: bool) -> Iterator[Field]:
        if depth > MAX_DEPTH or len(self.places) >= MAX_FIELDS:
            raise InvalidInput(f"more than {MAX_FIELDS} fields, or nested more than {MAX_DEPTH} levels deep")
        self.places[path] = place
        before = len(self._inside)
        at, schema = self.resolve(value, place)
        types = _list_types(schema)
        self.warn_of_keywords(at, schema)
        yield _build_field(path, schema, required=required and "null" not in types, type_=self._format_type(schema, types))
        if len(self._inside) == before or self._inside[-1] not in self._inside[:-1]:
            yield from self._read_nested(path, schema, at, depth + 1)
        del self._inside[before:]

    def _read_nested(self, path: str, schema: Mapping[str, Any], place: Path, depth: int) -> Iterator[Field]:
        yield from self.read_properties(schema, f"{path}.", place, depth)
        if isinstance(items := schema.get("items"), dict):
            yield from self._read_field(f"{path}.element", items, (*place, "items"), depth, required=True)
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and not schema.get("properties"):  # a map
            yield Field(name=f"{path}.key", type="string", required=True)
            yield from self._read_field(f"{path}.value", more, (*place, "additionalProperties"), depth, required=True)

    def resolve(self, value: Any, place: Path) -> tuple[Path, dict[str, Any]]:
        """A schema merged with its references and `allOf`, and with the only alternative of `anyOf` or `oneOf` that is not null."""
        schema = dict(value) if isinstance(value, dict) else {}
        while isinstance(reference := schema.pop("$ref", None), str):
            target = self._find_target(reference)
            if target is None:
                self._unread[reference] = None
                break
            if reference in self._inside:  # a recursive reference: one level is enough
                self._inside.append(reference)
                return place, {**_drop_nested(target), **schema}
            self._inside.append(reference)
            place, schema = tuple(_split_reference(reference)), {**target, **schema}
        for i, part in enumerate(schema.pop("allOf", None) or ()):
            _, one = self.resolve(part, (*place, "allOf", i))
            schema = _merge_schemas(schema, one)
        for key in ("anyOf", "oneOf"):
            forms = schema.get(key)
            if isinstance(forms, list):
                others = [one for one in forms if not (isinstance(one, dict) and one.get("type") == "null")]
                if len(others) == 1:
                    at, inner = self.resolve(others[0], (*place, key, forms.index(others[0])))
                    del schema[key]
                    null = ["null"] if len(others) < len(forms) else []
                    schema = {**inner, **schema, "type": [*_list_types(inner), *null]}
                    place = at
        return place, schema

    def _format_type(self, schema: Mapping[str, Any], types: list[str]) -> str:
        named = [one for one in types if one != "null"]
        for key in ("anyOf", "oneOf"):
            if isinstance(forms := schema.get(key), list):
                found = [self._format_type(one, _list_types(one)) for one in forms if isinstance(one, dict)]
                return f"union<{', '.join(one for one in dict.fromkeys(found) if one != 'null')}>"
        if not named:
            named = ["object"] if "properties" in schema else ["array"] if "items" in schema else ["string"] * _is_text(schema)
        return named[0] if len(named) == 1 else f"union<{', '.join(sorted(named))}>" if named else ""

    def _find_target(self, reference: str) -> dict[str, Any] | None:
        if reference != "#" and not reference.startswith("#/"):
            return None
        here: Any = self._root
        for part in _split_reference(reference):
            here = here.get(part) if isinstance(here, dict) else None
        return here if isinstance(here, dict) else None

    def warn_of_keywords(self, place: Path, schema: Mapping[str, Any]) -> None:
        for key in schema:
            if key in _NOT_COMPARED:
                self._warn(place, key)
        for key in ("anyOf", "oneOf"):
            forms = schema.get(key)
            if isinstance(forms, list) and any(isinstance(one, dict) and one.keys() - _OF_A_FORM for one in forms):
                self._warn(place, f"{key} beyond the types of its forms")

    def _warn(self, place: Path, what: str) -> None:
        self._warnings.setdefault(what, {})[place] = None

    def list_warnings(self) -> Iterator[str]:
        """Warnings about keywords that are not compared, each once with its first places."""
        for what, places in self._warnings.items():
            named = [".".join(map(str, place)) or "the whole schema" for place in list(places)[:PLACES]]
            more = f" and {len(places) - PLACES:,} more" if len(places) > PLACES else ""
            yield shorten_text(f"{what} is not compared (at {', '.join(named)}{more})", LONGEST)
        references = [shorten_text(repr(one), LONGEST) for one in self._unread]
        yield from (f"{one} points outside the document or to nothing, and is not read" for one in references[:PLACES])
        if len(references) > PLACES:
            yield f"and {format_count(len(references) - PLACES, 'more reference')} of this kind"


def _build_field(path: str, schema: Mapping[str, Any], *, required: bool, type_: str) -> Field:
    values = schema.get("enum")
    enum = tuple(one for one in values if one is not None) if isinstance(values, list) else ()
    if "const" in schema and schema["const"] is not None:
        enum = (schema["const"],)
    lowest, highest = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    return Field(
        name=path,
        type=type_,
        title=to_text(schema.get("title")),
        description=to_text(schema.get("description")),
        required=required and not (isinstance(values, list) and None in values) and schema.get("nullable") is not True,
        enum=enum,
        minimum=None if lowest is True else minimum,  # as draft 4 has it: true of `minimum`
        maximum=None if highest is True else maximum,
        exclusive_minimum=minimum if lowest is True else None if lowest is False else lowest,
        exclusive_maximum=maximum if highest is True else None if highest is False else highest,
        min_length=to_whole_number(schema.get("minLength")),
        max_length=to_whole_number(schema.get("maxLength")),
        min_items=to_whole_number(schema.get("minItems")),
        max_items=to_whole_number(schema.get("maxItems")),
        pattern=to_text(schema.get("pattern")),
        format=to_text(schema.get("format")),
        deprecated=to_flag(schema.get("deprecated")),
        tags=read_tags(schema),
    )


def _is_text(schema: Mapping[str, Any]) -> bool:
    """Whether a schema without a type allows only strings."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return isinstance(values, list) and bool(values) and all(isinstance(one, str) or one is None for one in values)


def _list_types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    return [one for one in kind if isinstance(one, str)] if isinstance(kind, list) else [kind] if isinstance(kind, str) else []


def _merge_schemas(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two schemas that both apply."""
    both = {**other, **one}
    for key in ("properties", "required"):
        first, second = one.get(key), other.get(key)
        if isinstance(first, dict) and isinstance(second, dict):
            both[key] = {**second, **first}
        elif isinstance(first, list) and isinstance(second, list):
            both[key] = [*first, *second]
    return both


def _drop_nested(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in schema.items() if key not in ("properties", "items", "additionalProperties", "allOf", "anyOf", "oneOf")
    }


def _split_reference(reference: str) -> Iterator[str]:
    for part in filter(None, reference.removeprefix("#").split("/")):
        yield part.replace("~1", "/").replace("~0", "~")
