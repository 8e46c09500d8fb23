"""Whether a reader of one schema of Avro can read what a writer of another has written, and where it cannot.

Source: "Schema Resolution" in Avro's specification; logical types are read by the types beneath them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from meshline.graph.contracts import Direction, Unreadable
from meshline.ingest.schemas.avro import CONTAINERS, NAMED
from meshline.ingest.schemas.base import MAX_DEPTH, Whole

# Types of Avro that a reader of the second kind reads as its own.
_PROMOTED = frozenset({
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
    ("string", "bytes"), ("bytes", "string"),
})  # fmt: skip
_RECORDS = frozenset({"record", "error"})

Kind: TypeAlias = Any  # a parsed schema of Avro


class _Paths(NamedTuple):
    """Where in the fields of the reader, and in those of the writer."""

    reader: str
    writer: str

    def go_into(self, name: str) -> _Paths:
        return _Paths(*(f"{one}.{name}".removeprefix(".") for one in self))


def find_unreadable(before: Whole, after: Whole, direction: Direction) -> tuple[Unreadable, ...]:
    """Where data cannot be read. Backward: `after` reads what `before` has written; forward: the other way around."""
    is_backward = direction is Direction.BACKWARD
    reader, writer = (after, before) if is_backward else (before, after)
    resolver = _Resolver(reader.named, writer.named, direction)
    return tuple(dict.fromkeys(resolver.resolve(reader.schema, writer.schema, _Paths("", ""))))


class _Resolver:
    def __init__(self, reader: Mapping[str, Kind], writer: Mapping[str, Kind], direction: Direction) -> None:
        self._reader, self._writer = reader, writer
        self._direction = direction
        self._open: set[tuple[int, int]] = set()  # pairs of records that are being resolved

    def resolve(self, reader: Kind, writer: Kind, at: _Paths, depth: int = 0) -> Iterator[Unreadable]:
        reader, writer = (
            _strip(self._reader.get(reader, reader) if isinstance(reader, str) else reader),
            _strip(self._writer.get(writer, writer) if isinstance(writer, str) else writer),
        )
        if depth > 4 * MAX_DEPTH:
            return
        if isinstance(writer, list):
            for branch in writer:
                inside = at._replace(writer=at.writer + _format_branch(writer, branch, self._writer))
                yield from self._resolve_branch(reader, branch, inside, depth)
        elif isinstance(reader, list):
            yield from self._resolve_branch(reader, writer, at, depth)
        else:
            yield from self._resolve_one(reader, writer, at, depth)

    def _resolve_branch(self, reader: Kind, writer: Kind, at: _Paths, depth: int) -> Iterator[Unreadable]:
        """What is written of one type by a reader that may have several."""
        if not isinstance(reader, list):
            yield from self.resolve(reader, writer, at, depth + 1)
            return
        same: list[list[Unreadable]] = []
        for one in reader:
            inside = at._replace(reader=at.reader + _format_branch(reader, one, self._reader))
            found = list(self.resolve(one, writer, inside, depth + 1))
            if not found:
                return
            if self._is_alike(one, writer):
                same.append(found)
        if len(same) == 1:
            yield from same[0]
        else:
            yield self._fail("type", at, f"no type of the reader reads {self._describe(writer, self._writer)}")

    def _is_alike(self, reader: Kind, writer: Kind) -> bool:
        """Whether two types differ at most in what is in them."""
        one, other = (
            _strip(named.get(kind, kind) if isinstance(kind, str) else kind)
            for kind, named in ((reader, self._reader), (writer, self._writer))
        )
        return isinstance(one, dict) and isinstance(other, dict) and one["type"] == other["type"] and _has_name(one, other)

    def _resolve_one(self, reader: Kind, writer: Kind, at: _Paths, depth: int) -> Iterator[Unreadable]:
        kinds = _get_type(reader), _get_type(writer)
        if kinds[0] != kinds[1] and not _RECORDS.issuperset(kinds):
            if (kinds[1], kinds[0]) not in _PROMOTED:
                yield self._fail("type", at, f"a reader of {kinds[0]} cannot read {kinds[1]}")
            return
        if not isinstance(reader, dict) or not isinstance(writer, dict):
            return
        if kinds[0] in NAMED and not _has_name(reader, writer):
            yield self._fail("name", at, f"a reader of {reader['name']} cannot read {writer['name']}")
        yield from self._resolve_parts(reader, writer, at, depth)

    def _resolve_parts(self, reader: Kind, writer: Kind, at: _Paths, depth: int) -> Iterator[Unreadable]:
        match reader["type"]:
            case "array":
                yield from self.resolve(reader["items"], writer["items"], at.go_into("element"), depth + 1)
            case "map":
                yield from self.resolve(reader["values"], writer["values"], at.go_into("value"), depth + 1)
            case "fixed" if reader["size"] != writer["size"]:
                yield self._fail("type", at, f"a reader of {reader['size']} bytes cannot read {writer['size']} bytes")
            case "enum":
                unknown = [one for one in writer["symbols"] if one not in reader["symbols"]]
                if unknown and reader.get("default") not in reader["symbols"]:
                    yield self._fail("symbol", at, f"a reader does not know {', '.join(unknown[:5])}, and has no default")
            case "record" | "error":
                yield from self._resolve_record(reader, writer, at, depth)

    def _resolve_record(self, reader: Kind, writer: Kind, at: _Paths, depth: int) -> Iterator[Unreadable]:
        pair = (id(reader), id(writer))
        if pair in self._open:
            return
        self._open.add(pair)
        written = {one["name"]: one for one in writer["fields"]}
        for one in reader["fields"]:
            found = next((written[name] for name in (one["name"], *(one.get("aliases") or ())) if name in written), None)
            if found is not None:
                paths = _Paths(at.go_into(one["name"]).reader, at.go_into(found["name"]).writer)
                yield from self.resolve(one["type"], found["type"], paths, depth + 1)
            elif "default" not in one:
                inside = at.go_into(one["name"])
                yield self._fail(
                    "field", _Paths(inside.reader, inside.reader), f"it is not written, and a reader has no default for {one['name']}"
                )
        self._open.discard(pair)

    def _fail(self, what: str, at: _Paths, text: str) -> Unreadable:
        is_backward = self._direction is Direction.BACKWARD
        return Unreadable(self._direction, at.writer if is_backward else at.reader, what, text)

    def _describe(self, kind: Kind, named: Mapping[str, Kind]) -> str:
        one = _strip(named.get(kind, kind) if isinstance(kind, str) else kind)
        return str(one.get("name", one["type"]) if isinstance(one, dict) else one)


def _strip(kind: Kind) -> Kind:
    """A type without the mapping around it: `{"type": "int"}`, `{"type": ["null", ...]}`."""
    while isinstance(kind, dict) and isinstance(kind.get("type"), dict | list):
        kind = kind["type"]
    return kind


def _format_branch(union: list[Kind], branch: Kind, named: Mapping[str, Kind]) -> str:
    """The end of the path of a branch, in which there may be fields: `.Money`, `.array`. A branch beside null alone is the field itself."""
    kind = _strip(named.get(branch, branch) if isinstance(branch, str) else branch)
    if len([one for one in union if one != "null"]) < 2 or not isinstance(kind, dict) or kind["type"] not in NAMED | CONTAINERS:
        return ""
    return f".{str(kind['name']).rpartition('.')[2] if kind['type'] in NAMED else kind['type']}"


def _get_type(kind: Kind) -> str:
    return str(kind["type"] if isinstance(kind, dict) else kind)


def _has_name(reader: Kind, writer: Kind) -> bool:
    """Whether named types have the same name without its namespace, or the reader has the writer's as an alias."""
    if "name" not in reader or "name" not in writer:
        return True
    name, other = str(reader["name"]), str(writer["name"])
    space = name.rpartition(".")[0]
    aliases = {str(one) if "." in str(one) or not space else f"{space}.{one}" for one in reader.get("aliases") or ()}
    return name.rpartition(".")[2] == other.rpartition(".")[2] or other in aliases
