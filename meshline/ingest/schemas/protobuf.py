"""Protobuf: the messages of `.proto` files, or of a set of descriptors, each with its fields and those of the messages in them.

The compiler resolves names, imports and the features of editions; nothing of that is done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from meshline.errors import InvalidInput, require_extra
from meshline.graph.contracts import Definition, Encoding, Field, Model, Part, Reserved
from meshline.ingest.schemas.base import MAX_DEPTH, MAX_FIELDS, Schema
from meshline.ingest.schemas.protoc import EXTRA, compile_files
from meshline.words import format_count, is_or_are, shorten_text, suggest_closest

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

MAX_MESSAGES = 20_000  # with those that are imported
NAMES = 5  # of one kind that a warning lists

_GOOGLE = "google.protobuf."  # its messages (Timestamp, Any, ...) are types of their own
_TYPES = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    6: "fixed64",
    7: "fixed32",
    8: "bool",
    9: "string",
    10: "message",
    11: "message",
    12: "bytes",
    13: "uint32",
    14: "enum",
    15: "sfixed32",
    16: "sfixed64",
    17: "sint32",
    18: "sint64",
}  # fmt: skip - by number of FieldDescriptorProto.Type
_GROUP = 10


class Place(NamedTuple):
    """Where a message, a field or a value of an enum is declared, and the comment before it."""

    file: str
    line: int
    comment: str = ""


class Messages(NamedTuple):
    """Compiled files. `names`: the full names of their messages, in order; `found`: those, and the ones that they import.
    `places`: by full name. `warnings`: sentences about what is not compared.
    """

    names: tuple[str, ...]
    found: Mapping[str, Descriptor]
    places: Mapping[str, Place]
    warnings: tuple[str, ...] = ()

    def list_roots(self) -> tuple[str, ...]:
        """The messages that no other message contains; of a circle of messages the first. Not those that only declare others."""
        parts = {name: set(_list_parts(one)) for name, one in self.found.items()}
        contained = {part for name in self.names for part in parts[name] if part != name}
        roots = [name for name in self.names if name not in contained]
        reached = _reach(roots, parts)
        for name in self.names:
            if name not in reached:
                roots.append(name)
                reached |= _reach([name], parts)
        return tuple(name for name in self.names if name in roots and (self.found[name].fields or not self.found[name].nested_types))

    def build_schema(self, name: str) -> Schema:
        """The fields of a message, and of the messages in it. Raises InvalidInput if it has too many, or no such message exists."""
        if name not in self.names:
            known = ", ".join(self.names[:NAMES])
            raise InvalidInput(
                f"there is no message {shorten_text(repr(name), 200)}{suggest_closest(name, self.names)}; it has {known}", "message"
            )
        return _MessageReader(self, self.found[name]).build_schema()


def compile_messages(files: Mapping[str, str], imports: Mapping[str, str], places: Mapping[str, str] | None = None) -> Messages:
    """The messages of `files`; `imports`: more files that they import. Both are texts by the path under which others import them.
    `places`: what an error calls a file, where that is another name.

    Raises InvalidInput with `file:line`; MissingExtra.
    """
    return parse_descriptors(compile_files(files, imports, places), next(iter(files)), tuple(files))


def parse_descriptors(data: bytes, file: str, files: Sequence[str] = ()) -> Messages:
    """The messages of a binary `FileDescriptorSet`, as protoc and buf write it. `files`: those of interest; by default all but Google's.

    Raises InvalidInput, MissingExtra.
    """
    with require_extra(EXTRA, "reading a Protobuf schema"):
        from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - slow to import
        from google.protobuf.descriptor_pool import DescriptorPool  # noqa: PLC0415
        from google.protobuf.message import DecodeError  # noqa: PLC0415
    try:
        parsed = {one.name: one for one in FileDescriptorSet.FromString(data).file}
        pool = DescriptorPool()
        for one in parsed.values():
            pool.AddSerializedFile(one.SerializeToString())
        names = {
            name: [full for message in one.message_type for full in _list_messages(message, one.package)] for name, one in parsed.items()
        }
        found = {full: pool.FindMessageTypeByName(full) for of in names.values() for full in of}
    except (DecodeError, TypeError, KeyError, ValueError) as error:
        raise InvalidInput(f"it is no set of descriptors with all that they import: {shorten_text(str(error), 300)}", file) from error
    own = [parsed[name] for name in files or parsed if files or f"{parsed[name].package}." != _GOOGLE]
    if not own or len(found) > MAX_MESSAGES:
        raise InvalidInput(f"{len(found)} messages are too many; the maximum is {MAX_MESSAGES}" if own else "it contains no files", file)
    places = {full: place for one in own for full, place in _find_places(one)}
    messages = Messages(tuple(full for one in own for full in names[one.name]), found, places)
    return messages._replace(warnings=tuple(_list_warnings(own, messages)))


def _list_messages(message: DescriptorProto, around: str) -> Iterator[str]:
    """The full names of a message and of those that are declared in it."""
    name = f"{around}.{message.name}".removeprefix(".")
    if not message.options.map_entry:
        yield name
    for one in message.nested_type:
        yield from _list_messages(one, name)


def _find_places(file: FileDescriptorProto) -> Iterator[tuple[str, Place]]:
    at = {tuple(one.path): Place(file.name, one.span[0] + 1, one.leading_comments.strip()) for one in file.source_code_info.location}

    def walk_message(message: DescriptorProto, around: str, path: tuple[int, ...]) -> Iterator[tuple[str, Place]]:
        name = f"{around}.{message.name}".removeprefix(".")
        yield name, at.get(path, Place(file.name, 0))
        yield from ((f"{name}.{one.name}", at[inside]) for i, one in enumerate(message.field) if (inside := (*path, 2, i)) in at)
        for i, one in enumerate(message.nested_type):
            yield from walk_message(one, name, (*path, 3, i))

    for i, message in enumerate(file.message_type):  # numbers of fields in descriptor.proto: 4 message_type, 2 field, 3 nested_type
        yield from walk_message(message, file.package, (4, i))


def _list_parts(message: Descriptor) -> Iterator[str]:
    """The full names of the messages that a message contains."""
    for field in message.fields:
        part = field.message_type
        if part is not None and part.GetOptions().map_entry:
            part = part.fields_by_name["value"].message_type
        if part is not None:
            yield part.full_name


def _reach(names: Sequence[str], parts: Mapping[str, set[str]]) -> set[str]:
    reached, left = set(names), list(names)
    while left:
        inside = parts.get(left.pop(), set()) - reached
        left.extend(inside)
        reached |= inside
    return reached


def _list_warnings(files: Sequence[FileDescriptorProto], messages: Messages) -> Iterator[str]:
    used = {field.enum_type.full_name for one in messages.found.values() for field in one.fields if field.enum_type is not None}
    entries = (one.nested_types_by_name.values() for one in messages.found.values())
    used |= {field.enum_type.full_name for of in entries for one in of for field in one.fields if field.enum_type is not None}
    declared = [
        *(f"{file.package}.{one.name}".removeprefix(".") for file in files for one in file.enum_type),
        *(one.full_name for name in messages.names for one in messages.found[name].enum_types),
    ]
    for what, names in (
        ("service", [one.name for file in files for one in file.service]),
        ("extension", [one.name for file in files for one in file.extension]),
        ("enum without a message that uses it", [name for name in declared if name not in used]),
    ):
        if names:
            some = ", ".join(names[:NAMES]) + (", ..." if len(names) > NAMES else "")
            first, _, rest = what.partition(" ")
            counted = " ".join(filter(None, (format_count(len(names), first), rest)))
            yield f"{counted} {is_or_are(len(names))} not compared ({shorten_text(some, 300)})"


class _MessageReader:
    """Reads a message into fields. The id of a field is the path of its numbers: what readers of the binary form find it by."""

    def __init__(self, messages: Messages, message: Descriptor) -> None:
        self._messages = messages
        self._message = message
        self._place = messages.places.get(message.full_name, Place(message.file.name, 0))
        self._fields: list[Field] = []
        self._reserved: list[Reserved] = []
        self._lines: dict[Part, int] = {(): self._place.line} if self._place.line else {}

    def build_schema(self) -> Schema:
        name = self._message.full_name
        self._read_message(self._message, "", "", frozenset())
        definition = Definition(
            Model(name=name, description=self._place.comment, fields=tuple(self._fields), deprecated=_is_deprecated(self._message)),
            format="protobuf",
            reserved=tuple(self._reserved),
        )
        return Schema(definition, names=(name,), lines=self._lines, warnings=self._messages.warnings)

    def _read_message(self, message: Descriptor, path: str, identity: str, inside: frozenset[str]) -> None:
        if message.full_name in inside:
            return  # it contains itself
        from google.protobuf.descriptor_pb2 import DescriptorProto  # noqa: PLC0415

        inside |= {message.full_name}
        copy = DescriptorProto()
        message.CopyToProto(copy)
        at = path.removesuffix(".")
        self._reserved.extend(Reserved(at, one.start, one.end - 1) for one in copy.reserved_range)
        self._reserved.extend(Reserved(at, name=name) for name in copy.reserved_name)
        as_stated = {one.number: one for one in copy.field}
        for field in message.fields:
            stated = as_stated[field.number]
            encoding = Encoding(
                number=field.number,
                presence="required" if field.is_required else "explicit" if field.has_presence else "" if field.is_repeated else "implicit",
                oneof=field.containing_oneof.name if field.containing_oneof is not None and not stated.proto3_optional else "",
                default=stated.default_value if stated.HasField("default_value") else None,
                json_name=field.json_name,
            )
            self._read_field(field, f"{path}{field.name}", f"{identity}{field.number}", encoding, inside)

    def _read_field(self, field: FieldDescriptor, path: str, identity: str, encoding: Encoding, inside: frozenset[str]) -> None:
        place = self._messages.places.get(field.full_name)
        if place is not None and place.file == self._place.file:
            self._lines["field", path] = place.line
        comment = place.comment if place is not None else ""
        entry = field.message_type if field.message_type is not None and field.message_type.GetOptions().map_entry else None
        if entry is not None:
            key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
            self._add_field(
                Field(
                    path, type=f"map<{_format_type(key)}, {_format_type(value)}>", description=comment, required=False, encoding=encoding
                ),
                identity,
                field,
            )
            self._add_part(key, f"{path}.key", f"{identity}.key", Encoding(), inside)
            self._add_part(value, f"{path}.value", f"{identity}.value", Encoding(), inside)
        elif field.is_repeated:
            self._add_field(
                Field(path, type=f"list<{_format_type(field)}>", description=comment, required=False, encoding=encoding), identity, field
            )
            self._add_part(field, f"{path}.element", f"{identity}.element", Encoding(), inside)
        else:
            self._add_part(field, path, identity, encoding, inside, comment)

    def _add_part(
        self, field: FieldDescriptor, path: str, identity: str, encoding: Encoding, inside: frozenset[str], comment: str = ""
    ) -> None:
        """Add a field, element, key or value, and what is in it."""
        enum, message = field.enum_type, field.message_type
        if enum is not None:
            self._read_reserved(enum, path)
            encoding = structs.replace(encoding, enum_numbers=tuple(one.number for one in enum.values), is_closed=enum.is_closed)
        named = enum or (message if message is not None and not message.full_name.startswith(_GOOGLE) else None)
        self._add_field(
            Field(
                path,
                type=_format_type(field),
                description=comment,
                required=encoding.presence == "required" if encoding.number else True,
                type_names=(self._shorten_name(named, field),) if named is not None else (),
                enum=tuple(one.name for one in enum.values) if enum is not None else (),
                encoding=encoding,
            ),
            identity,
            field,
        )
        if message is not None and message is named:
            self._read_message(message, f"{path}.", f"{identity}.", inside)

    def _add_field(self, field: Field, identity: str, of: FieldDescriptor) -> None:
        if field.name.count(".") > MAX_DEPTH or len(self._fields) >= MAX_FIELDS:
            raise InvalidInput(
                f"{self._message.full_name} has more than {MAX_FIELDS} fields, or is nested more than {MAX_DEPTH} levels deep"
            )
        self._fields.append(structs.replace(field, id=identity, deprecated=_is_deprecated(of)))

    def _read_reserved(self, enum: EnumDescriptor, path: str) -> None:
        from google.protobuf.descriptor_pb2 import EnumDescriptorProto  # noqa: PLC0415

        copy = EnumDescriptorProto()
        enum.CopyToProto(copy)
        self._reserved.extend(Reserved(path, one.start, one.end) for one in copy.reserved_range)
        self._reserved.extend(Reserved(path, name=name) for name in copy.reserved_name)

    def _shorten_name(self, named: Descriptor | EnumDescriptor, field: FieldDescriptor) -> str:
        """The name of a type without the package of the whole: a renamed package is one change. A group is encoded in a way of its own."""
        package = f"{self._message.file.package}."
        name = str(named.full_name).removeprefix(package if package != "." else "")
        return f"group {name}" if field.type == _GROUP else name


def _format_type(field: FieldDescriptor) -> str:
    """`int64`, `message`, `enum`, `google.protobuf.Timestamp`."""
    message = field.message_type
    return str(message.full_name) if message is not None and message.full_name.startswith(_GOOGLE) else _TYPES[field.type]


def _is_deprecated(of: Descriptor | FieldDescriptor) -> bool | None:
    return True if of.GetOptions().deprecated else None
