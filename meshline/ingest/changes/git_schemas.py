"""Schemas in the files of a repository (Avro, Protobuf, JSON Schema): those that changed since the base, and the datasets that they are of.

The mesh file maps files under `schemas`. Else a file is a subject of a schema registry: its name is that of a topic
(`orders-value.avsc`), or what the sources of the kind `registry` map to topics. Files below the mesh file that are neither are compared as
well, by the rules alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.ingest.changes import ChangeInput, Text
from meshline.ingest.changes.git_repository import LFS, Side, match_paths
from meshline.ingest.changes.schema import NAMES, TOPIC
from meshline.ingest.changes.schema.file_parts import FileSet, SchemaFile
from meshline.ingest.mesh.format import SchemaFiles
from meshline.ingest.mesh.mesh_file import split_dataset_name
from meshline.ingest.schemas.json_schema import parse_json_schema
from meshline.ingest.sources.schema_registry.source import SchemaRegistry
from meshline.ingest.sources.schema_registry.subjects import find_named_topic, list_topics, parse_subject
from meshline.words import join_names

AVRO, PROTOBUF, JSON = ".avsc", ".proto", ".json"
JSON_SCHEMAS = (".schema.json", "-value.json", "-key.json")  # what else is JSON is a schema if the mesh file names it
MAX_FILES = 20_000  # with these endings, in one version
SHOWN = 5  # names in a message
FORMATS = {AVRO: "avro", PROTOBUF: "protobuf", JSON: "json"}
MODES = ("BACKWARD", "FORWARD", "FULL", "NONE")  # those that compare two versions
_ENDING = re.compile(r"\.avsc|\.proto|(?:\.schema)?\.json")


class SchemaChanges(NamedTuple):
    """The inputs of a check. `warnings`: files that are not compared; `equal`: the number of files that did not change."""

    inputs: list[ChangeInput]
    warnings: tuple[str, ...]
    equal: int


class _Meaning(NamedTuple):
    """How a file is compared. `options`: of the input; `entry`: that of the mesh file which names it."""

    options: Mapping[str, str]
    entry: SchemaFiles | None = None

    @property
    def is_mapped(self) -> bool:
        return self.entry is not None or bool(self.options)


def compare_schema_files(before: Side, after: Side, compatibility: str = "") -> SchemaChanges:
    """The inputs for all files with schemas that differ, or that need a file which does.

    `compatibility`: the mode that decides, instead of those that the mesh file states. Raises InvalidInput.
    """
    if compatibility and compatibility not in MODES:
        raise InvalidInput(
            f"{compatibility} compares with earlier versions than that of the base; accepted: {', '.join(MODES)}, or"
            " `meshline check schema` with --earlier or --registry",
            "--compatibility",
        )
    return _Comparison(before, after, compatibility).compare()


_Texts: TypeAlias = tuple[Text | None, Text | None]


class _Comparison:
    def __init__(self, before: Side, after: Side, compatibility: str) -> None:
        self._sides = (before, after)
        self._compatibility = compatibility
        self._entries = list(dict.fromkeys((*after.schemas, *before.schemas)))
        self._registries = [one for one in after.sources.values() if isinstance(one, SchemaRegistry)]
        found = before.paths, after.repository.list_work_tree()
        self._named = [self._map_entries(paths) for paths in found]
        others = set(after.find_files(_list_source_patterns(after))) | set(before.find_files(_list_source_patterns(before)))
        self._files = [self._read(side, paths, named, others) for side, paths, named in zip(self._sides, found, self._named, strict=True)]
        self._warnings: list[str] = []

    def compare(self) -> SchemaChanges:
        self._check_entries()
        was, now = self._files
        paths = sorted({*was.files, *now.files})
        meanings = {path: self._find_meaning(path) for path in paths}
        judged = {path: one for path, one in meanings.items() if one is not None}
        differing = [path for path in judged if was.get_data(path) != now.get_data(path)]
        pairs = dict(self._pair(differing, judged))
        mapped = [path for path, one in judged.items() if one.is_mapped and path in now.files and path not in pairs]
        if differing or any(was.get_data(path) != now.get_data(path) for path in paths):
            pairs |= {path: path for path in mapped if path in was.files and was.build_text(path).data != now.build_text(path).data}
        used = self._list_used(path for path in pairs if judged[path].is_mapped)
        inputs: list[ChangeInput] = []
        messages: dict[str, str] = {}  # pairs of files of Protobuf without a dataset
        for path, old in sorted(pairs.items()):
            if judged[path].is_mapped:
                inputs += self._build_inputs(path, self._build_texts(path, old), judged[path])
            elif path in used:
                uses = "uses" if len(used[path]) == 1 else "use"
                self._warnings.append(f"{path} has changed; it is judged where {_join_some(used[path])} {uses} it")
            elif path.endswith(PROTOBUF):
                messages[path] = old
            else:
                inputs += self._build_inputs(path, self._build_texts(path, old), judged[path])
        inputs += self._build_message_inputs(messages)
        equal = sum(path in now.files for path in judged) - sum(path in now.files for path in pairs)
        return SchemaChanges(inputs, tuple(self._warnings), equal)

    def _map_entries(self, paths: Sequence[str]) -> dict[str, SchemaFiles]:
        """The first entry of the mesh file that names each path."""
        found: dict[str, SchemaFiles] = {}
        for entry in self._entries:
            for path in match_paths(paths, [self._sides[1].build_path(pattern) for pattern in entry.files]):
                found.setdefault(path, entry)
        return found

    def _check_entries(self) -> None:
        """Raises InvalidInput for an entry that names no file in either version, or files of no known ending."""
        current = [entry for entry in self._entries if entry in self._sides[1].schemas]
        for entry in current:
            if not any(
                match_paths(paths, [self._sides[1].build_path(one) for one in entry.files])
                for paths in (self._sides[0].paths, self._named[1])
            ):
                raise InvalidInput(
                    f"schemas: no file in git matches {', '.join(entry.files[:SHOWN])}; correct the paths, or remove the entry",
                    "the mesh file",
                )
        wrong = [path for path, entry in self._named[1].items() if not entry.ignore and PurePosixPath(path).suffix not in FORMATS]
        if wrong:
            raise InvalidInput(f"found a file that ends with none of {', '.join(FORMATS)}", wrong[0])

    def _read(self, side: Side, paths: Iterable[str], named: Mapping[str, SchemaFiles], others: set[str]) -> FileSet:
        wanted = [
            path
            for path in paths
            if path.endswith((AVRO, PROTOBUF))
            or (path.endswith(JSON) and (path in named or path.endswith(JSON_SCHEMAS)) and path not in others)
        ]
        if not side.commit:
            wanted = [path for path in wanted if side.repository.is_regular_file(path)]
        if len(wanted) > MAX_FILES:
            raise InvalidInput(f"the repository has {len(wanted)} files with schemas; accepted: {MAX_FILES}", "--git")
        data = side.read(wanted)
        pointer = next((path for path, one in data.items() if one.startswith(LFS)), None)
        if pointer is not None:
            raise InvalidInput(
                "the file is kept in git LFS, and only its pointer is there: git lfs pull, and keep it in git itself", pointer
            )
        return FileSet(data)

    def _find_meaning(self, path: str) -> _Meaning | None:
        """None for a file that is not judged."""
        entry = self._named[1].get(path) or self._named[0].get(path)
        if entry is None:
            below = self._sides[1].folder
            return _Meaning(self._name_topics(path)) if not below or path.startswith(f"{below}/") else None
        if entry.ignore:
            return None
        aliases = self._sides[1].aliases
        options = {}
        if entry.dataset is not None:
            options["dataset"] = "/".join(split_dataset_name(entry.dataset, aliases))
        elif entry.namespace is not None:
            options["dataset"] = f"{aliases.get(entry.namespace, entry.namespace)}/{_name_topic(path)}"
        else:
            options = dict(self._name_topics(path))
        if entry.message is not None:
            options["message"] = entry.message
        return _Meaning(options, entry)

    def _name_topics(self, path: str) -> Mapping[str, str]:
        """The topics of a file by its name as a subject, as the option `names`."""
        subject = parse_subject(_get_stem(path)).name
        part = find_named_topic(subject)
        topics = {} if part is None else {part.topic: None}
        records = [name for files in reversed(self._files) if path in files.files for name in files.files[path].list_records()]
        for source in self._registries:
            found = [one.topic for one in list_topics(subject, records, source.topics)]
            found += [topic for name in records for topic in source.topics.get(name, ())]
            topics |= dict.fromkeys(found)
        if not topics:
            return {}
        spaces = [self._sides[1].aliases.get(one.namespace, one.namespace) for one in self._registries]
        full = [f"{space if '://' in space else f'kafka://{space}'}/{topic}" for topic in topics for space in spaces]
        return {NAMES: "\n".join((*full, *(f"{TOPIC}{topic}" for topic in topics)))}

    def _pair(self, differing: Sequence[str], judged: Mapping[str, _Meaning]) -> Iterator[tuple[str, str]]:
        """(path, old path) of what differs; a new file that replaces a removed one has that path. Of a removed file both are the same."""
        was, now = self._files
        gone = {path: None for path in differing if path not in now.files}
        for path in differing:
            if path not in now.files:
                continue
            old = path if path in was.files else next((one for one in gone if _is_moved(was.files[one], now.files[path], judged)), path)
            gone.pop(old, None)
            yield path, old
        yield from ((path, path) for path in gone)

    def _list_used(self, mapped: Iterable[str]) -> dict[str, list[str]]:
        """The files that mapped ones need, with those."""
        found: dict[str, list[str]] = {}
        for path in sorted(mapped):
            for files in self._files:
                for other in files.list_needed(path) if path in files.files else ():
                    if path not in found.setdefault(other, []):
                        found[other].append(path)
        return found

    def _build_texts(self, path: str, old: str) -> _Texts:
        was, now = self._files
        return was.build_text(old) if old in was.files else None, now.build_text(path) if path in now.files else None

    def _build_message_inputs(self, pairs: Mapping[str, str]) -> Iterator[ChangeInput]:
        """Files of Protobuf without a dataset: together, so that a message may be in another file, if they share the folder of imports."""
        was, now = self._files
        groups: dict[str, list[str]] = {}
        for path in pairs:
            files, name = (now, path) if path in now.files else (was, pairs[path])
            groups.setdefault(files.find_root(name), []).append(path)
        for paths in groups.values():
            before = was.build_proto_texts([pairs[path] for path in paths if pairs[path] in was.files])
            after = now.build_proto_texts([path for path in paths if path in now.files])
            if max(len(before), len(after)) > 1:  # the folder is another one now
                for path in paths:
                    yield from self._build_inputs(path, self._build_texts(path, pairs[path]), _Meaning({}))
            else:
                texts = next(iter(before.values()), None), next(iter(after.values()), None)
                yield from self._build_inputs(paths[0], texts, _Meaning({}))

    def _build_inputs(self, path: str, texts: _Texts, meaning: _Meaning) -> Iterator[ChangeInput]:
        before, after = texts
        if not meaning.is_mapped and (why := _find_no_table(before, after)):
            self._warnings.append(f"{path} has changed, and is not compared: {why}")
            return
        part = find_named_topic(_get_stem(path))
        if before is None and part is not None and part.is_key:
            self._warnings.append(f"{path} is new: the keys of a topic are compared with an earlier version of their schema alone")
            return
        kind = FORMATS[PurePosixPath(path).suffix]
        options = {"format": kind, "new": "yes", **meaning.options}
        mode = self._compatibility or (meaning.entry.compatibility if meaning.entry is not None else None) or ""
        if mode and before is not None and after is not None:
            if kind != "json":
                options["compatibility"] = mode
            elif meaning.entry is not None and meaning.entry.compatibility is not None:
                raise InvalidInput("compatibility is of schemas of Avro and Protobuf, whose specifications define it", path)
        yield ChangeInput("schema", before, after, options)


def _list_source_patterns(side: Side) -> list[str]:
    """The files that sources name: they are no schemas of messages."""
    return [one for source in side.sources.values() for one in getattr(source, "files", ()) if isinstance(one, str)]


def _get_stem(path: str) -> str:
    """The name of a file without its ending: `orders-value` of `schemas/orders-value.schema.json`."""
    name = PurePosixPath(path).name
    match = next((one for one in _ENDING.finditer(name) if one.end() == len(name)), None)
    return name if match is None else name[: match.start()]


def _name_topic(path: str) -> str:
    stem = _get_stem(path)
    part = find_named_topic(stem)
    return stem if part is None else part.topic


def _is_moved(old: SchemaFile, new: SchemaFile, judged: Mapping[str, _Meaning]) -> bool:
    """Whether a new file replaces a removed one: it is of the same dataset, or has the same content, name or record."""
    if PurePosixPath(old.path).suffix != PurePosixPath(new.path).suffix:
        return False
    was, now = judged[old.path], judged[new.path]
    if was.options.get("dataset") or now.options.get("dataset"):
        return was.options.get("dataset") == now.options.get("dataset") and _get_stem(old.path).endswith("-key") == _get_stem(
            new.path
        ).endswith("-key")
    return old.data == new.data or not set(old.list_records()).isdisjoint(new.list_records())


def _find_no_table(*texts: Text | None) -> str:
    """Why a file without a dataset cannot be compared: it is no record, but for example an enum that others use. Empty: it can be."""
    for text in texts:
        if text is None:
            continue
        file = SchemaFile(text.name, text.data)
        if text.name.endswith(AVRO) and (type_ := file.find_named_type()):
            return f"it is no record of Avro, but the {type_} {join_names(file.list_names())}, which no schema of a dataset here uses"
        if text.name.endswith(JSON):
            try:
                parse_json_schema(file.parse_json(), text.name)
            except InvalidInput as error:
                return str(error)
    return ""


def _join_some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return f"{', '.join(names[:SHOWN])} and {more} more" if more > 0 else join_names(names)
