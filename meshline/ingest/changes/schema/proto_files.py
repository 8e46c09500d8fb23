"""The files of Protobuf that a check is given: one file, a folder with what it imports, or a set of descriptors; as one text.

That text is the `.proto` file itself, or JSON: `{"files": {path: text}, "imports": {path: text}}` with the paths under which others
import them, or `{"descriptors": base64}`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.changes import Text
from meshline.ingest.documents import decode_text
from meshline.ingest.schemas.base import Schema
from meshline.ingest.schemas.protobuf import Messages, compile_messages, parse_descriptors
from meshline.ingest.schemas.protoc import MAX_BYTES, MAX_FILES, is_import_path
from meshline.ingest.sources.files import read_bytes

SUFFIX = ".proto"
TABLE_FOLDERS = frozenset({"_delta_log", "metadata"})  # of Delta and Iceberg
DESCRIPTORS = frozenset({".pb", ".binpb", ".desc", ".protoset"})  # of a binary FileDescriptorSet

IMPORT = re.compile(r"""\bimport\s+(?:(?:public|weak|option)\s+)?["']([^"'\n]{1,1000})["']\s*;""")


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Several files as one text. `descriptors`: a binary `FileDescriptorSet`, in base64."""

    files: dict[str, str] = {}
    imports: dict[str, str] = {}
    descriptors: str = ""


def encode_bundle(bundle: Bundle) -> bytes:
    """The text of several files."""
    return msgspec.json.encode(bundle)


class Compiled(NamedTuple):
    """`name`: what the user calls the files; `is_one`: it is the name of a single file."""

    name: str
    messages: Messages
    is_one: bool

    def build_text(self, message: str) -> Text:
        """The file of a message, for the places of changes."""
        place = self.messages.places.get(message)
        inside = "" if self.is_one or place is None else place.file
        return Text(str(PurePath(self.name, inside)) if inside else self.name, b"")

    def build_schema(self, message: str) -> Schema:
        try:
            return self.messages.build_schema(message)
        except InvalidInput as error:
            raise error if error.where else InvalidInput(str(error), self.name) from error


def is_proto_name(name: str) -> bool:
    """Whether a file or folder of this name is read as Protobuf without `--as`."""
    return name.endswith(SUFFIX)


def is_protobuf_path(path: Path) -> bool:
    """Whether a file, or a folder with such files, is read as Protobuf without `--as`."""
    if path.is_dir():
        is_table = path.name in TABLE_FOLDERS or any((path / name).is_dir() for name in TABLE_FOLDERS)  # which may have many files
        return not is_table and any(path.rglob(f"*{SUFFIX}"))
    return path.suffix == SUFFIX or path.suffix in DESCRIPTORS


def compile_text(text: Text) -> Compiled:
    """The messages of a text. Raises InvalidInput, MissingExtra."""
    whole = decode_text(text.data, text.name)
    if not whole.lstrip().startswith("{"):
        last = PurePath(text.name).name
        name = last if is_import_path(last) else f"schema{SUFFIX}"
        return Compiled(text.name, compile_messages({name: whole}, {}, {name: text.name}), is_one=True)
    try:
        bundle = msgspec.json.decode(whole, type=Bundle)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"it is neither a {SUFFIX} file nor JSON with files or descriptors: {error}", text.name) from error
    if bundle.descriptors:
        try:
            return Compiled(text.name, parse_descriptors(base64.b64decode(bundle.descriptors, validate=True), text.name), is_one=True)
        except binascii.Error as error:
            raise InvalidInput(f"its descriptors are not base64: {error}", text.name) from error
    places = {name: str(PurePath(text.name, name)) for name in (*bundle.files, *bundle.imports)}
    if not bundle.files:
        raise InvalidInput("it has no files of Protobuf", text.name)
    return Compiled(text.name, compile_messages(bundle.files, bundle.imports, places), is_one=False)


def pair_messages(before: Compiled | None, after: Compiled | None, message: str) -> Iterator[tuple[str, str]]:
    """(message of before, message of after), one of them empty if there is none. `message`: the only one that is of interest.

    Without that: the messages that no other contains, in either version; by full name, or by the name in a package that is renamed.
    """
    old, new = (one.messages if one is not None else None for one in (before, after))
    if message:
        found = [_find_message(one, message) if one is not None else "" for one in (old, new)]
        if not any(found):
            for one in (after, before):
                if one is not None:
                    one.build_schema(message)  # raises what it has
        yield found[0], found[1]
        return
    olds, news = (one.list_roots() if one is not None else () for one in (old, new))
    has_old, has_new = (frozenset(one.names) if one is not None else frozenset() for one in (old, new))
    both = [name for name in dict.fromkeys((*olds, *news)) if name in has_old and name in has_new]
    yield from ((name, name) for name in both)
    gone, added = ([name for name in roots if name not in other] for roots, other in ((olds, has_new), (news, has_old)))
    moved = _pair_moved(old, new, gone, added) if old is not None and new is not None else {}
    yield from moved.items()
    yield from ((name, "") for name in gone if name not in moved)
    yield from (("", name) for name in added if name not in moved.values())


def _find_message(messages: Messages, name: str) -> str:
    """The full name of a message by the end of it, if that is one message; empty if there is none."""
    if name in messages.found:
        return name
    found = [full for full in messages.names if full.endswith(f".{name}")]
    if len(found) > 1:
        raise InvalidInput(f"{name!r} is the end of several names: {', '.join(found[:5])}", "message")
    return found[0] if found else ""


def _pair_moved(old: Messages, new: Messages, gone: list[str], added: list[str]) -> Mapping[str, str]:
    """Messages whose package has another name. Only if that is the whole of the package: none of its messages is left."""
    packages = {one.file.package for one in (old.found[name] for name in old.names)} - {new.found[name].file.package for name in new.names}
    ends = {_strip_package(new, name): name for name in added}
    pairs = {name: ends.get(_strip_package(old, name), "") for name in gone if old.found[name].file.package in packages}
    targets = list(pairs.values())
    return {was: now for was, now in pairs.items() if now and targets.count(now) == 1}


def _strip_package(messages: Messages, name: str) -> str:
    return name.removeprefix(f"{messages.found[name].file.package}.")


def read_proto(path: Path) -> Text:
    """A `.proto` file with what it imports from the folders around it; a folder, whose files import each other by their paths in it;
    or a binary set of descriptors. Raises InvalidInput.
    """
    if path.is_dir():
        files = {str(one.relative_to(path).as_posix()): one for one in _list_files(path)}
        if not files:
            raise InvalidInput(f"the folder has no {SUFFIX} file", str(path))
        return _build_bundle(path, files, {})
    if path.suffix in DESCRIPTORS:
        data = read_bytes(path, MAX_BYTES)
        return Text(str(path), encode_bundle(Bundle(descriptors=base64.b64encode(data).decode())))
    text = Text(str(path), read_bytes(path, MAX_BYTES))
    imports = IMPORT.findall(text.data.decode("utf-8", "replace"))
    root = next(
        (folder for name in imports for folder in path.absolute().parents if is_import_path(name) and (folder / name).is_file()), None
    )
    if root is None:
        return text
    own = path.absolute().relative_to(root).as_posix()
    shown = Path(*path.parts[: len(path.parts) - own.count("/") - 1]) if len(path.parts) > own.count("/") else root
    return _build_bundle(shown, {own: path}, dict(_find_imports(root, own, path)))


def _list_files(folder: Path) -> list[Path]:
    found = []
    for one in sorted(folder.rglob(f"*{SUFFIX}")):
        if one.is_file() and not any(part.startswith(".") for part in one.relative_to(folder).parts):
            found.append(one)
            if len(found) > MAX_FILES:
                raise InvalidInput(f"more than {MAX_FILES} {SUFFIX} files are too many", str(folder))
    return found


def _find_imports(root: Path, own: str, file: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder that a file imports, and what those import."""
    found, left = {own}, [file]
    while left:
        for name in IMPORT.findall(read_bytes(left.pop(), MAX_BYTES).decode("utf-8", "replace")):
            path = root / name
            if name not in found and is_import_path(name) and path.is_file():
                found.add(name)
                if len(found) > MAX_FILES:
                    raise InvalidInput(f"it imports more than {MAX_FILES} files", str(file))
                left.append(path)
                yield name, path


def _build_bundle(root: Path, files: Mapping[str, Path], imports: Mapping[str, Path]) -> Text:
    texts = [{name: decode_text(read_bytes(path, MAX_BYTES), str(path)) for name, path in some.items()} for some in (files, imports)]
    if sum(len(text) for some in texts for text in some.values()) > MAX_BYTES:
        raise InvalidInput(f"its files have more than {MAX_BYTES} characters", str(root))
    return Text(str(root), encode_bundle(Bundle(texts[0], texts[1])))
