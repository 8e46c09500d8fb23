"""YAML text -> plain values with their lines; conversion of such values to texts, flags and mappings; errors of JSON with their place.

YAML is read from the event stream, so that depth, size and the expansion of aliases are counted before
anything is built, and no tag can make an object. Scalars follow the YAML 1.2 core schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from meshline.errors import InvalidInput
from meshline.graph.model import Json

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 24
MAX_VALUES = 200_000  # including those that aliases repeat

Path: TypeAlias = tuple[str | int, ...]

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"(true|True|TRUE)|(false|False|FALSE)")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STANDARD_TAGS = "tag:yaml.org,2002:"


class Document(NamedTuple):
    """A document's value, and the line (from 1) on which each of its parts begins."""

    file: str
    value: Json
    lines: Mapping[Path, int]

    def find_line(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it that has a line of its own."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def format_place(self, path: Path) -> str:
        """The place of a part as `file:line`."""
        return f"{self.file}:{self.find_line(path)}"


class _Open(NamedTuple):
    """A mapping or sequence that is being read. `begun`: the count of values at its beginning."""

    value: dict[str, Json] | list[Json]
    path: Path
    anchor: str | None
    begun: int


def parse_yaml(data: bytes, file: str) -> Document:
    """The value of a YAML document. Raises InvalidInput with `file:line` for errors, and above MAX_BYTES, MAX_DEPTH or MAX_VALUES."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"the file has {len(data)} bytes; at most {MAX_BYTES} are accepted", file)
    reader = _ValueBuilder(file)
    for event in _parse_events(decode_text(data, file), file):
        reader.add_event(event)
    return Document(file, reader.root, reader.lines)


def decode_text(data: bytes, file: str) -> str:
    """UTF-8 as text, without a byte order mark. Raises InvalidInput with `file:line`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8", f"{file}:{line}") from error


def join_surrogates(text: str, place: str) -> str:
    r"""The text with the surrogate pairs of escapes (\ud83d\ude00) joined to characters. Raises InvalidInput at `place`."""
    if not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise InvalidInput("half of a character (a lone surrogate) is not a text", place) from error


def _parse_events(text: str, file: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        raise InvalidInput(f"this is not YAML: {_describe_problem(error)}", f"{file}:{_find_error_line(error, text)}") from error
    except (ValueError, RecursionError) as error:  # ruamel does not convert all of its errors, e.g. that of a bad %YAML directive
        raise InvalidInput(f"this is not YAML: {error}", file) from error


def _describe_problem(error: YAMLError) -> str:
    parts = [getattr(error, "context", None), getattr(error, "problem", None), getattr(error, "reason", None)]
    return ", ".join(str(part) for part in parts if part) or "it cannot be read"


def _find_error_line(error: YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", 0)  # of a character that YAML does not allow
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


class _ValueBuilder:
    """Builds the value from events, without recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Json = None
        self.lines: dict[Path, int] = {(): 1}
        self._open: list[_Open] = []
        self._keys: list[str | None] = []  # for each of _open: the key whose value comes next
        self._anchors: dict[str, tuple[Json, int]] = {}  # the value, and how many values it contains
        self._count = 0
        self._documents = 0
        self._line = 1

    def add_event(self, event: Event) -> None:
        self._line = event.start_mark.line + 1 if event.start_mark is not None else self._line
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._build_refusal("a second document begins here; a file may contain one")
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            self._begin_collection(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._end_collection()
        elif isinstance(event, AliasEvent):
            self._add_alias(str(event.anchor))
        elif isinstance(event, ScalarEvent):
            self._add_scalar(event)

    def _begin_collection(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._check_tag(event.tag)
        if len(self._open) >= MAX_DEPTH:
            raise self._build_refusal(f"nested more than {MAX_DEPTH} levels deep")
        path = self._advance_path(is_scalar=False)
        self._count_values(1)
        value: dict[str, Json] | list[Json] = {} if isinstance(event, MappingStartEvent) else []
        self._open.append(_Open(value, path, event.anchor, self._count))
        self._keys.append(None)

    def _end_collection(self) -> None:
        done = self._open.pop()
        self._keys.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = (done.value, self._count - done.begun + 1)
        self._place_value(done.value)

    def _add_alias(self, anchor: str) -> None:
        known = self._anchors.get(anchor)
        if known is None:
            raise self._build_refusal(f"the alias *{anchor} is inside its own anchor, or has no anchor before it")
        self._advance_path(is_scalar=False)
        self._count_values(known[1])
        self._place_value(known[0])

    def _add_scalar(self, event: ScalarEvent) -> None:
        self._check_tag(event.tag)
        text = join_surrogates(str(event.value), f"{self.file}:{self._line}")
        if self._needs_key():
            self._add_key(text)
            return
        self._advance_path(is_scalar=True)
        self._count_values(1)
        value = _parse_plain(text) if event.implicit[0] else text
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._place_value(value)

    def _needs_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._keys[-1] is None

    def _add_key(self, text: str) -> None:
        here = self._open[-1]
        if text == "<<":
            raise self._build_refusal("merge keys (<<) are not supported; write the keys out")
        assert isinstance(here.value, dict)
        if text in here.value:
            raise self._build_refusal(f"the key {text!r} is given twice (first on line {self.lines[*here.path, text]})")
        self._keys[-1] = text
        self.lines[*here.path, text] = self._line

    def _advance_path(self, *, is_scalar: bool) -> Path:
        """The path of the value that begins here. Records its line."""
        if not self._open:
            return ()
        if self._needs_key():
            raise self._build_refusal("a key must be a text")
        here, key = self._open[-1], self._keys[-1]
        path: Path = (*here.path, key) if key is not None else (*here.path, len(here.value))
        if key is None or is_scalar:
            self.lines[path] = self._line
        return path

    def _place_value(self, value: Json) -> None:
        if not self._open:
            self.root = value
            return
        parent, key = self._open[-1].value, self._keys[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif key is not None:
            parent[key] = value
            self._keys[-1] = None

    def _count_values(self, number: int) -> None:
        self._count += number
        if self._count > MAX_VALUES:
            raise self._build_refusal(f"more than {MAX_VALUES} values, counting what aliases repeat")

    def _check_tag(self, tag: object) -> None:
        if tag is not None and str(tag) not in ("!", _STANDARD_TAGS + "str", _STANDARD_TAGS + "map", _STANDARD_TAGS + "seq"):
            raise self._build_refusal(f"the tag {tag} is not supported; remove it")

    def _build_refusal(self, message: str) -> InvalidInput:
        return InvalidInput(message, f"{self.file}:{self._line}")


def _parse_plain(text: str) -> Json:
    """The value of a scalar without quotes."""
    if _NULL.fullmatch(text):
        return None
    if match := _BOOL.fullmatch(text):
        return match[1] is not None
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def to_text(value: Json) -> str:
    """A text, stripped; numbers and booleans as they are written; anything else is ''."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def to_texts(value: Json) -> tuple[str, ...]:
    """The texts of a list, or of a single value; empty ones are left out."""
    values = value if isinstance(value, list) else [value]
    return tuple(found for one in values if (found := to_text(one)))


def to_flag(value: Json) -> bool | None:
    """A boolean; None for anything else."""
    return value if isinstance(value, bool) else None


def to_whole_number(value: Json) -> int | None:
    """An integer; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def to_mapping(value: Json) -> dict[str, Json]:
    """A mapping; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def to_mappings(value: Json) -> list[dict[str, Json]]:
    """The mappings in a list; none for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def to_snake_case(name: str) -> str:
    """`timeOfAvailability` -> `time_of_availability`."""
    return _HUMP.sub("_", name).replace("-", "_").replace(" ", "_").lower()


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_AT = re.compile(r"\s*\(byte (\d+)\)")


def build_json_error(error: Exception, data: bytes, file: str) -> InvalidInput:
    """An error of msgspec as a message for people, with `file:line:column`."""
    if isinstance(error, RecursionError):
        return InvalidInput("this JSON cannot be read: it is nested too deeply", file)
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(f"this is not JSON: byte 0x{data[error.start]:02x} is not UTF-8", _format_place(data, error.start, file))
    message = str(error)
    found = _AT.search(message)
    if found is not None:
        return InvalidInput(
            f"this is not JSON: {_AT.sub('', message).removeprefix('JSON is malformed: ')}", _format_place(data, int(found[1]), file)
        )
    if isinstance(error, msgspec.DecodeError) and "truncated" in message:
        ends = "ends in the middle of a value" if data.strip() else "is empty"
        return InvalidInput(f"this is not JSON: the file {ends}", _format_place(data, len(data.rstrip()), file))
    return InvalidInput(f"this is not JSON: {message}", file)


def _format_place(data: bytes, at: int, file: str) -> str:
    before = data[:at]
    newline = b"\n"
    return f"{file}:{before.count(newline) + 1}:{len(before) - before.rfind(newline)}"
