"""Modes of compatibility of Protobuf beside the readers of Google's own library: data that is written with one drawn schema is read with
the other.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.app.check_texts import CheckInput, CheckRequest, File, ParsedTexts
from meshline.ingest.changes.schema.proto_files import Bundle, encode_bundle
from meshline.ingest.schemas.protoc import compile_files
from tests.governance.buf.drawing import ProtoDrawing
from tests.governance.buf.pairs import TABLE
from tests.governance.test_buf_verdicts import KNOWN
from tests.sizes import count_examples

PAIRS = 30  # of files that are compiled together


def find_broken(before: Mapping[str, str], after: Mapping[str, str], mode: str) -> Mapping[str, set[str]]:
    """By package: the rules of the changes that break a mode."""
    old, new = (File(name, encode_bundle(Bundle(dict(files))).decode()) for name, files in (("before", before), ("after", after)))
    request = CheckRequest((CheckInput("schema", old, new, {"format": "protobuf", "compatibility": mode}),))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in ParsedTexts(KNOWN, request).read_difference().changes:
        assert one.decided
        if one.decided == "breaking":
            found[one.subject.name.partition(".")[0]].add(one.rule)
    return found


@pytest.mark.parametrize(
    ("name", "backward", "forward"),
    [
        ("field_added", True, True),
        ("field_removed", True, True),
        ("field_renamed", True, True),
        ("json_name_changed", True, True),
        ("field_renumbered", False, False),
        ("integer_grows", True, False),
        ("integer_encoded_otherwise", False, False),
        ("default_changed", False, False),
        ("into_a_oneof", False, False),
        ("required_field_added", False, True),
        ("becomes_required", False, True),
        ("no_longer_required", True, False),
        ("message_removed", False, False),
        ("enum_value_renumbered", False, False),
        ("number_released", True, True),
    ],
)
def test_modes(name: str, *, backward: bool, forward: bool) -> None:
    head, old, new, _, _ = TABLE[name]
    before, after = ({"a.proto": f"{head}package p; {text}"} for text in (old, new))
    for mode, is_readable in (("BACKWARD", backward), ("FORWARD", forward), ("FULL", backward and forward), ("NONE", True)):
        assert (not find_broken(before, after, mode)) is is_readable, mode


class Schemas:
    """The messages of compiled files."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        self.names: list[str] = []
        for file in FileDescriptorSet.FromString(compile_files(files, {})).file:
            self.pool.AddSerializedFile(file.SerializeToString())
            self.names += [f"{file.package}.{one.name}" for one in file.message_type]

    def make(self, name: str) -> Any:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))()


def draw_value(draw: random.Random, field: FieldDescriptor) -> Any:
    """A value that is far from the default of its type."""
    match field.cpp_type:
        case field.CPPTYPE_INT32:
            return draw.choice([-7, 2**31 - 1])
        case field.CPPTYPE_INT64:
            return draw.choice([-(2**40), 2**40 + 1])
        case field.CPPTYPE_UINT32:
            return draw.choice([3, 2**32 - 1])
        case field.CPPTYPE_UINT64:
            return draw.choice([2**40, 2**64 - 1])
        case field.CPPTYPE_BOOL:
            return True
        case field.CPPTYPE_ENUM:
            return draw.choice(list(field.enum_type.values)).number
        case field.CPPTYPE_STRING:
            return "é" if field.type == field.TYPE_STRING else b"\xff"
    return 1.5


def fill_message(draw: random.Random, message: Any, depth: int = 0) -> None:
    for field in message.DESCRIPTOR.fields:
        if not field.is_required and (draw.random() < 0.2 or (depth > 2 and field.message_type is not None)):
            continue
        here = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
            if value.message_type is None:
                here[draw_value(draw, key)] = draw_value(draw, value)
        elif field.message_type is not None:
            one = here.add() if field.is_repeated else here
            if not field.is_repeated:
                one.SetInParent()
            if depth <= 2 or (field.is_required and depth < 6):  # a message that requires itself has no end
                fill_message(draw, one, depth + 1)
        elif field.is_repeated:
            here.append(draw_value(draw, field))
        else:
            setattr(message, field.name, draw_value(draw, field))


def is_same(written: Any, read: Any) -> bool:
    """Whether all that both know has the same value."""
    known = {field.number: field for field in read.DESCRIPTOR.fields}
    for field in written.DESCRIPTOR.fields:
        other = known.get(field.number)
        if other is None:
            continue
        one, two = getattr(written, field.name), getattr(read, other.name)
        if _is_message(field) and _is_message(other) and not field.is_repeated and not other.is_repeated:
            if written.HasField(field.name) is not read.HasField(other.name) or (written.HasField(field.name) and not is_same(one, two)):
                return False
        elif field.message_type is not None:
            if len(one) != len(two):
                return False
        elif (list(one) if field.is_repeated else one) != (list(two) if other.is_repeated else two):
            return False
    return True


def _is_message(field: FieldDescriptor) -> bool:
    message: Descriptor | None = field.message_type
    return message is not None and not message.GetOptions().map_entry


@settings(deadline=None, max_examples=count_examples(5))
@given(seed=st.integers(0, 2**32))
def test_what_is_compatible_can_be_read(seed: int) -> None:
    drawn = {f"p{number}": ProtoDrawing(seed * PAIRS + number, f"p{number}").draw_pair() for number in range(PAIRS)}
    before, after = ({f"{name}.proto": pair[at] for name, pair in drawn.items()} for at in (0, 1))
    old, new = Schemas(before), Schemas(after)
    draw = random.Random(seed)
    for mode, writer, reader in (("BACKWARD", old, new), ("FORWARD", new, old)):
        broken = find_broken(before, after, mode)
        for name in set(writer.names) & set(reader.names):
            package = name.partition(".")[0]
            if package in broken:
                continue
            written, read = writer.make(name), reader.make(name)
            fill_message(draw, written)
            if not written.IsInitialized():
                continue
            read.ParseFromString(written.SerializeToString())
            assert read.IsInitialized(), (mode, name, *drawn[package])
            assert is_same(written, read), (mode, name, written, read, *drawn[package])
