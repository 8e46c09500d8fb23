"""Files with schemas in one version of a repository, and what they need of each other: imports of Protobuf, named types of Avro."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput, require_extra
from meshline.ingest.changes import Text
from meshline.ingest.changes.schema.proto_files import IMPORT, Bundle, encode_bundle
from meshline.ingest.documents import decode_text
from meshline.ingest.schemas.avro import NAMED
from meshline.ingest.schemas.base import parse_json
from meshline.ingest.schemas.protoc import MAX_FILES, is_import_path

PROTO, AVRO = ".proto", ".avsc"
MAX_TYPES = 200  # of other files that one schema of Avro needs
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_PACKAGE = re.compile(r"^\s*package\s+([\w.]{1,500})\s*;", re.MULTILINE)
_MESSAGE = re.compile(r"^message\s+(\w{1,500})", re.MULTILINE)


class SchemaFile(NamedTuple):
    """A file with a schema. `path`: relative to the root of the repository."""

    path: str
    data: bytes

    def parse_json(self) -> Any:
        """Raises InvalidInput."""
        return parse_json(self.data, self.path)

    def list_records(self) -> list[str]:
        """The full names of its records or messages, as far as they can be read without its imports: by them a file is recognised."""
        if self.path.endswith(PROTO):
            text = _COMMENT.sub("", self.data.decode("utf-8", "replace"))
            package = _PACKAGE.search(text)
            return [f"{package[1]}.{name}" if package else name for name in _MESSAGE.findall(text)]
        if self.path.endswith(AVRO):
            return self.list_names()[-1:]
        try:
            value = self.parse_json()
        except InvalidInput:
            return []
        names = [value.get(key) for key in ("$id", "title")] if isinstance(value, dict) else []
        return [one for one in names if isinstance(one, str) and one][:1]

    def list_names(self) -> list[str]:
        """The full names of the types of Avro that it defines at its top."""
        try:
            value = self.parse_json()
        except InvalidInput:
            return []
        found = []
        for one in _list_schemas(value):
            if isinstance(one, dict) and one.get("type") in NAMED and isinstance(one.get("name"), str):
                space = one.get("namespace")
                found.append(f"{space}.{one['name']}" if isinstance(space, str) and space and "." not in one["name"] else one["name"])
        return found

    def find_named_type(self) -> str:
        """`enum` or `fixed`, if it is such a type of Avro, which no table is; empty if it is not."""
        try:
            value = self.parse_json()
        except InvalidInput:
            return ""
        type_ = value.get("type") if isinstance(value, dict) else None
        return type_ if isinstance(type_, str) and type_ in NAMED - {"record", "error"} else ""


class FileSet:
    """All files with schemas of one version, by path."""

    def __init__(self, data: Mapping[str, bytes]) -> None:
        self.files = {path: SchemaFile(path, one) for path, one in data.items()}
        self._needed: dict[str, tuple[str, ...]] = {}

    def get_data(self, path: str) -> bytes | None:
        return self.files[path].data if path in self.files else None

    def list_needed(self, path: str) -> tuple[str, ...]:
        """The other files that a file needs, and that are there. Raises MissingExtra."""
        if path not in self._needed:
            needed = self._list_imports(path) if path.endswith(PROTO) else self._list_types(path) if path.endswith(AVRO) else ()
            self._needed[path] = tuple(needed)
        return self._needed[path]

    def build_text(self, path: str) -> Text:
        """A file with all that it needs, as one text. Raises InvalidInput, MissingExtra."""
        if path.endswith(PROTO):
            (text,) = self.build_proto_texts([path]).values()
            return text
        needed = self.list_needed(path)
        if not needed:
            return Text(path, self.files[path].data)
        # types before the schema that uses them, on its own first line: its lines stay what they are
        own = decode_text(self.files[path].data, path)
        types = ",".join(msgspec.json.encode(one).decode() for other in needed for one in _list_schemas(self.files[other].parse_json()))
        is_list = isinstance(self.files[path].parse_json(), list)
        return Text(path, (own.replace("[", f"[{types},", 1) if is_list else f"[{types},{own}]").encode())

    def build_proto_texts(self, paths: Iterable[str]) -> dict[str, Text]:
        """Files of Protobuf, with all that they import, as one text for each folder that imports begin at."""
        found: dict[str, dict[str, str]] = {}
        for path in paths:
            root = self.find_root(path)
            found.setdefault(root, {})[_make_relative(path, root)] = path
        return {root: self._build_bundle(root, names) for root, names in found.items()}

    def _build_bundle(self, root: str, names: Mapping[str, str]) -> Text:
        needed = dict.fromkeys(other for path in names.values() for other in self.list_needed(path) if other not in names.values())
        own, imports = (
            {name: decode_text(self.files[path].data, path) for name, path in some.items()}
            for some in (names, {_make_relative(path, root): path for path in needed})
        )
        return Text(root or ".", encode_bundle(Bundle(own, imports)))

    @cached_property
    def _roots(self) -> Mapping[str, str]:
        """Of each file of Protobuf that imports others: the folder that its imports begin at."""
        return {path: root for path in self.files if path.endswith(PROTO) and (root := self._search_root(path)) is not None}

    def _search_root(self, path: str) -> str | None:
        names = self._parse_imports(path)
        for folder in PurePosixPath(path).parents:
            root = "" if str(folder) == "." else str(folder)
            if any(_join(root, name) in self.files for name in names):
                return root
        return None

    def find_root(self, path: str) -> str:
        """The folder that imports begin at: of the file itself, else the nearest of others around it, else its own folder."""
        own = self._roots.get(path)
        if own is not None:
            return own
        roots = set(self._roots.values())
        around = ["" if str(folder) == "." else str(folder) for folder in PurePosixPath(path).parents]
        return next((root for root in around if root in roots), around[0])

    def _parse_imports(self, path: str) -> list[str]:
        return [name for name in IMPORT.findall(self.files[path].data.decode("utf-8", "replace")) if is_import_path(name)]

    def _list_imports(self, path: str) -> list[str]:
        root = self.find_root(path)
        found: dict[str, None] = {}
        left = [path]
        while left:
            for name in self._parse_imports(left.pop()):
                other = _join(root, name)
                if other in self.files and other not in found and other != path:
                    if len(found) > MAX_FILES:
                        raise InvalidInput(f"it imports more than {MAX_FILES} files", path)
                    found[other] = None
                    left.append(other)
        return list(found)

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """The file of each type of Avro that a file defines at its top."""
        return {name: path for path, one in sorted(self.files.items(), reverse=True) if path.endswith(AVRO) for name in one.list_names()}

    def _list_types(self, path: str) -> list[str]:
        """The files with the types that a schema of Avro uses and does not define, each after those that it needs itself."""
        try:
            schema = self.files[path].parse_json()
        except InvalidInput:  # the comparison reports it
            return []
        found: list[str] = []
        for _ in range(2 * MAX_TYPES):  # types that need each other are never in order
            other = self._types.get(_find_unknown_type([*(self.files[one].parse_json() for one in found), schema]))
            if other is None or other == path:
                break
            found = [other, *(one for one in found if one != other)]
        return found


def _find_unknown_type(schemas: list[Any]) -> str:
    """The first type of Avro that is used and not defined; empty if there is none, or if they are no schemas of Avro."""
    with require_extra("avro", "reading an Avro schema"):
        from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415 - slow to import
    try:
        parse_schema([one for schema in schemas for one in _list_schemas(schema)], _force=True)
    except UnknownType as error:
        return str(error.name)
    except (SchemaParseException, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return ""
    return ""


def _list_schemas(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


def _make_relative(path: str, root: str) -> str:
    return path.removeprefix(f"{root}/") if root else path
