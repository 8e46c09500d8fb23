"""JSON with the line of each part, and the result of reading a schema in any format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition, Part
from meshline.ingest.documents import build_json_error, decode_text

MAX_BYTES = 64 * 2**20
MAX_WITH_LINES = 4 * 2**20  # characters; lines of larger texts are not computed

Path: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|[^\s{}\[\],:"]+', re.DOTALL)


def parse_json(data: bytes, file: str) -> Any:
    """Parse JSON. Raises InvalidInput with `file:line`."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"{len(data)} bytes are too many; a file may have {MAX_BYTES}", file)
    text = decode_text(data, file)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise build_json_error(error, text.encode(), file) from error


def find_json_lines(data: bytes) -> Mapping[Path, int]:
    """The lines (from 1) of the keys and items of valid JSON, by path."""
    text = data.decode("utf-8-sig", "replace")
    if len(text) > MAX_WITH_LINES:
        return {}
    lines: dict[Path, int] = {}
    path: list[str | int] = []  # of what is open, with the key or position that comes next
    line, is_key = 1, False
    for match in _TOKEN.finditer(text):
        part = match[0]
        if part == "\n":
            line += 1
        elif part in "{[":
            lines.setdefault(tuple(path), line)
            path.append("" if part == "{" else 0)
            is_key = part == "{"
        elif part in "}]":
            path.pop()
            is_key = False
        elif part == ",":
            last = path[-1]
            is_key = isinstance(last, str)
            path[-1] = "" if isinstance(last, str) else last + 1
        elif part == ":":
            is_key = False
        elif is_key:
            path[-1] = str(msgspec.json.decode(part))
            lines.setdefault(tuple(path), line)
        else:
            lines.setdefault(tuple(path), line)
    return lines


def read_tags(field: Mapping[str, Any]) -> tuple[str, ...]:
    """The tags of a field as Confluent's registry has them in Avro and JSON Schema."""
    tags = field.get("confluent:tags")
    return tuple(one for one in tags if isinstance(one, str)) if isinstance(tags, list) else ()


MAX_FIELDS = 20_000
MAX_DEPTH = 24


class Whole(NamedTuple):
    """A schema of Avro as it is, and its named types by their full names."""

    schema: Any
    named: Mapping[str, Any]


class Schema(NamedTuple):
    """`places`: the path of each field in the file's JSON; `lines`: its line. `names`: names by which the graph may know the
    dataset, the most certain first. `aliases`: former names of a field. `warnings`: sentences about what is not compared.
    `whole`: of Avro.
    """

    definition: Definition
    places: Mapping[str, Path] = {}
    names: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = {}
    warnings: tuple[str, ...] = ()
    lines: Mapping[Part, int] = {}
    whole: Whole | None = None
