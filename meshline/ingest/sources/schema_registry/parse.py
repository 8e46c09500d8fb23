"""Registered schemas -> definitions of the records that they describe, with the schemas that they refer to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urldefrag, urljoin

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition
from meshline.ingest.schemas.avro import parse_avro
from meshline.ingest.schemas.base import parse_json
from meshline.ingest.schemas.json_schema import parse_json_schema
from meshline.ingest.schemas.protobuf import compile_messages
from meshline.ingest.sources.schema_registry.registry_client import Registered
from meshline.ingest.sources.schema_registry.subjects import find_named_topic, parse_subject, qualify_subject
from meshline.words import shorten_text

MAX_REFERENCES = 200  # schemas that one schema refers to, directly or not
MAX_CHARACTERS = 8 * 2**20  # of a schema and all that it refers to
MAX_RECORDS = 200  # in a union at the root of a schema
AVRO, JSON, PROTOBUF = "AVRO", "JSON", "PROTOBUF"

Version: TypeAlias = tuple[str, int]  # subject and version


class Document(NamedTuple):
    """A schema. `references`: the schemas that it uses, by the names that it has for them."""

    text: str
    references: Mapping[str, Version]


class Bundle(NamedTuple):
    """A schema and all that it refers to, in an order in which each comes after those that it uses; the schema itself is the last."""

    type: str
    where: str
    documents: Mapping[Version, Document]


class ParsedSchema(NamedTuple):
    """`records`: the records that a message may be; empty if it is a plain value of a `type`."""

    format: str
    records: tuple[Definition, ...]
    type: str = ""


def collect_references(root: Registered, subject: str, read: Callable[[str, int], Registered]) -> Bundle:
    """A schema with all that it refers to. Raises InvalidInput for a circle, too many or too large ones."""
    where = f"{subject} version {root.version}"
    documents: dict[Version, Document] = {}
    inside: dict[Version, None] = {}

    def add(found: Registered, version: Version) -> None:
        if version in inside:
            circle = " -> ".join(f"{name} {number}" for name, number in (*inside, version))
            raise InvalidInput(f"its references form a circle: {shorten_text(circle, 500)}", where)
        if version in documents:
            return
        if len(documents) + len(inside) > MAX_REFERENCES:
            raise InvalidInput(f"it refers to more than {MAX_REFERENCES} schemas", where)
        inside[version] = None
        context = parse_subject(version[0]).context
        references = {one.name: (qualify_subject(one.subject, context), one.version) for one in found.references or ()}
        for other in references.values():
            if other not in documents:
                add(found if other in inside else read(*other), other)
        del inside[version]
        documents[version] = Document(found.schema, references)
        if sum(len(one.text) for one in documents.values()) > MAX_CHARACTERS:
            raise InvalidInput(f"with what it refers to, it has more than {MAX_CHARACTERS:,} characters", where)

    add(root, (subject, root.version))
    return Bundle((root.type or AVRO).upper(), where, documents)


def parse_bundle(bundle: Bundle) -> ParsedSchema:
    """The records of a schema. Raises InvalidInput, MissingExtra."""
    parse = _PARSERS.get(bundle.type)
    if parse is None:
        raise InvalidInput(f"found a schema of the type {bundle.type[:100]!r}; accepted: {', '.join(_PARSERS)}", bundle.where)
    try:
        return parse(bundle)
    except RecursionError as error:
        raise InvalidInput("it is nested too deeply", bundle.where) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # JSON of a shape that the format does not allow
        raise InvalidInput(f"it is no schema of {bundle.type.lower()}: {type(error).__name__}", bundle.where) from error


def _parse_avro(bundle: Bundle) -> ParsedSchema:
    *others, root = [parse_avro_text(one.text, bundle.where) for one in bundle.documents.values()]
    if isinstance(root, list):  # a union of what a message may be
        branches = [one for one in root if one != "null"]
        if len(branches) > MAX_RECORDS:
            raise InvalidInput(f"a union of more than {MAX_RECORDS} types", bundle.where)
        found = [_parse_branch([*others, *_list_named(branches[:i]), one], bundle.where) for i, one in enumerate(branches)]
    else:
        found = [_parse_branch([*others, root], bundle.where)]
    records = tuple(one for one in found if isinstance(one, Definition))
    return ParsedSchema("avro", records, "" if records else " | ".join(map(str, found)))


def parse_avro_text(text: str, where: str) -> Any:
    """Avro's JSON; a bare name of a primitive type is accepted, as some registries answer it."""
    return text if text.isidentifier() else parse_json(text.encode("utf-8", "surrogatepass"), where)


def _list_named(branches: Sequence[Any]) -> list[Any]:
    return [one for one in branches if isinstance(one, dict) and "name" in one]


def _parse_branch(types: list[Any], where: str) -> Definition | str:
    """The record that the last of these types is; the name of the type if it is no record."""
    last = types[-1]
    kind = last.get("type") if isinstance(last, dict) else last
    if kind in _PLAIN_AVRO or (isinstance(kind, str) and kind in ("enum", "fixed", "array", "map")):
        logical = last.get("logicalType") if isinstance(last, dict) else None
        return str(logical or kind)
    return parse_avro(types if len(types) > 1 else last, where).definition


_PLAIN_AVRO = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


def _parse_json(bundle: Bundle) -> ParsedSchema:
    root = combine_json(bundle)
    forms = next((forms for key in ("oneOf", "anyOf") if isinstance(forms := root.get(key), list)), [])
    others = [one for one in forms if isinstance(one, dict) and one.get("type") != "null"]
    if len(others) > 1 and not root.get("properties"):  # a union of what a message may be
        if len(others) > MAX_RECORDS:
            raise InvalidInput(f"a union of more than {MAX_RECORDS} forms", bundle.where)
        shared = {key: value for key, value in root.items() if key not in ("oneOf", "anyOf", "title")}
        found = [_parse_form({**shared, **one}, bundle.where) for one in others]
    else:
        found = [_parse_form(root, bundle.where)]
    records = tuple(one for one in found if isinstance(one, Definition))
    return ParsedSchema("json", records, "" if records else " | ".join(map(str, found)))


def _parse_form(root: dict[str, Any], where: str) -> Definition | str:
    kind = root.get("type")
    if isinstance(kind, str) and kind not in ("object", "array") and "properties" not in root:
        return kind
    found = parse_json_schema(root, where).definition
    description = root.get("description")
    model = msgspec.structs.replace(found.model, description=description if isinstance(description, str) else "")
    return msgspec.structs.replace(found, model=model)


_DEFINITIONS = "$defs"


def combine_json(bundle: Bundle) -> dict[str, Any]:
    """The schema as one document: those that it refers to are among its definitions, and references point there."""
    roots: dict[Version, Any] = {}
    for version, document in bundle.documents.items():
        roots[version] = parse_json(document.text.encode("utf-8", "surrogatepass"), bundle.where)
    last = next(reversed(roots))
    root = roots[last]
    if not isinstance(root, dict):
        raise InvalidInput("a schema is an object", bundle.where)
    places = {version: f"#/{_DEFINITIONS}/{_escape(_format_version(version))}" for version in roots if version != last} | {last: "#"}
    moved = {version: _move_references(value, bundle.documents[version], places, places[version]) for version, value in roots.items()}
    result: dict[str, Any] = moved.pop(last)
    if moved:
        own = result.get(_DEFINITIONS)
        result[_DEFINITIONS] = {**(own if isinstance(own, dict) else {}), **{_format_version(one): value for one, value in moved.items()}}
    return result


def _move_references(value: Any, document: Document, places: Mapping[Version, str], own: str) -> Any:
    """A copy in which `$ref` points into the bundled document. `own`: where this document is in it."""
    identifier = value.get("$id") or value.get("id") if isinstance(value, dict) else None
    base = identifier if isinstance(identifier, str) else ""
    names = {name: places[version] for name, version in document.references.items()}
    targets = {_resolve_address(base, name): place for name, place in names.items()} | names

    def move(part: Any) -> Any:
        if isinstance(part, list):
            return [move(one) for one in part]
        if not isinstance(part, dict):
            return part
        copy = {key: move(one) for key, one in part.items()}
        if isinstance(reference := part.get("$ref"), str):
            copy["$ref"] = move_reference(reference)
        return copy

    def move_reference(reference: str) -> str:
        address, fragment = urldefrag(reference)
        if not address or (base and _resolve_address(base, address) == urldefrag(base)[0]):
            return f"{own}{fragment}" if own != "#" else f"#{fragment}"
        place = targets.get(address) or targets.get(_resolve_address(base, address))
        return reference if place is None else f"{place}{fragment}"

    return move(value)


def _resolve_address(base: str, address: str) -> str:
    try:
        return urldefrag(urljoin(base, address))[0]
    except ValueError:
        return address


def _format_version(version: Version) -> str:
    return f"{version[0]} {version[1]}"


def _escape(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


_ROOT = "meshline_root.proto"
_COMPILERS = threading.BoundedSemaphore(2)  # processes at the same time, whatever the number of requests: each may take its limit of memory

# Files that Confluent's serializers have themselves, so that no registry has them: what schemas may use of them.
_BUILT_IN = {
    "confluent/meta.proto": """
syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Rule { string name = 1; string doc = 2; string expr = 3; string sql = 4; }
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; repeated Rule rules = 4; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
""",
    "confluent/type/decimal.proto": """
syntax = "proto3";
package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
""",
    "confluent/type/variant.proto": """
syntax = "proto3";
package confluent.type;
message Variant { bytes metadata = 1; bytes value = 2; }
""",
}


def select_imports(bundle: Bundle) -> dict[str, str]:
    """The files that a schema of Protobuf imports, directly or not, by the names that imports have. Raises InvalidInput."""
    named: dict[str, Version] = {}
    for document in bundle.documents.values():
        for name, version in document.references.items():
            if named.setdefault(name, version) != version:
                raise InvalidInput(f"{shorten_text(name, 200)} is two versions in it: {named[name]} and {version}", bundle.where)
    return {name: bundle.documents[version].text for name, version in named.items()}


def _parse_protobuf(bundle: Bundle) -> ParsedSchema:
    """The message that the subject is named after, else the first of the file, which serializers take unless a producer chooses another."""
    *_, ((subject, _), root) = bundle.documents.items()
    with _COMPILERS:
        messages = compile_messages({_ROOT: root.text}, _BUILT_IN | select_imports(bundle), {_ROOT: bundle.where})
    if not messages.names:
        return ParsedSchema("protobuf", ())
    text = parse_subject(subject).name
    named = (name for name in messages.names if find_named_topic(text) is None and f"-{text}".endswith(f"-{name}"))
    return ParsedSchema("protobuf", (messages.build_schema(next(named, messages.names[0])).definition,))


_PARSERS: Mapping[str, Callable[[Bundle], ParsedSchema]] = {AVRO: _parse_avro, JSON: _parse_json, PROTOBUF: _parse_protobuf}


def list_record_names(schema: ParsedSchema) -> Iterator[str]:
    """The names of a schema's records, as the serializers name subjects after them."""
    return (one.model.name for one in schema.records)
