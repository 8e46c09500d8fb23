"""Differences between a git base and the working tree, among the files that a mesh file names.

The kind of a source determines which of its files are compared, and how.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph.contracts import parse_version
from meshline.ingest.changes import ChangeInput, Text, add_warning, git_dbt
from meshline.ingest.changes.git_repository import LFS, MAX_BYTES, Blob, Repository, Side
from meshline.ingest.changes.git_schemas import compare_schema_files
from meshline.ingest.changes.schema.table_formats import LOG, find_metadata
from meshline.ingest.documents import MAX_BYTES as MAX_DOCUMENT
from meshline.ingest.documents import parse_yaml, to_mapping, to_text
from meshline.ingest.mesh.mesh_file import Configured, parse_schema_files, parse_sources, separate_refused
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.files import read_bytes

_CREATE = re.compile(r"\bCREATE\b[^;(]*?\b(?:TABLE|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?([^\s(;]+)", re.IGNORECASE)


Comparison: TypeAlias = Callable[[SourceConfig | None, SourceConfig | None, Side, Side], Iterator[ChangeInput]]


def list_patterns(source: SourceConfig) -> list[str]:
    """The files that a source names, as patterns relative to the folder of the mesh file."""
    if source.kind == "dbt":
        return [git_dbt.build_manifest_path(source)]
    if source.kind == "delta":
        return [f"{one}/{LOG}/*.json" for one in getattr(source, "tables", ()) if "://" not in one]
    return [one for one in getattr(source, "files", ()) if isinstance(one, str)] if source.kind in KINDS else []


class FileChanges(NamedTuple):
    """The files of a source in both versions, with their contents by path."""

    before: Mapping[str, bytes]
    after: Mapping[str, bytes]

    @property
    def differing(self) -> list[str]:
        return sorted(path for path in {*self.before, *self.after} if self.before.get(path) != self.after.get(path))


def _read_contents(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> FileChanges:
    was = before.read(before.find_files(list_patterns(old))) if old is not None else {}
    now = after.read(after.find_files(list_patterns(new))) if new is not None else {}
    for path, data in (*was.items(), *now.items()):
        if data.startswith(LFS):
            raise InvalidInput("the file is kept in git LFS, and only its pointer is there: git lfs pull, and keep it in git itself", path)
    return FileChanges(was, now)


Identity: TypeAlias = tuple[str, str]  # the name and the version of a contract or product


def _compare_by_name(kind: str, identify: Callable[[bytes, str], Identity]) -> Comparison:
    """Compare files that name their content: a contract or product is compared with the old one of its name, whatever its file."""

    def compare_files(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> Iterator[ChangeInput]:
        found = _read_contents(old, new, before, after)
        names = {path: identify(data, path) for path, data in found.before.items()}
        newest_first = sorted(names, key=lambda path: (parse_version(names[path][1]), path), reverse=True)
        gone = {path for path in found.differing if path not in found.after}
        for path in found.differing:
            if path not in found.after:
                continue
            data = found.after[path]
            name, _ = identify(data, path)
            same = [one for one in (path, *sorted(gone), *newest_first) if one in names and names[one][0] == name]
            was = path if not name and path in names else same[0] if name and same else None
            gone.discard(was or "")
            if path in names and was != path:
                gone.add(path)  # the old content of this path was moved or removed
            if was is None or found.before[was] != data:
                yield ChangeInput(kind, _get_text(was, found.before) if was is not None else None, Text(path, data))
        still = {identify(data, path)[0] for path, data in found.after.items()} if gone else set()
        yield from (ChangeInput(kind, Text(path, found.before[path]), None) for path in sorted(gone) if names[path][0] not in still)

    return compare_files


def _identify_contract(data: bytes, file: str) -> Identity:
    from meshline.ingest.sources.contracts.source import parse_contract_file  # noqa: PLC0415 - its models are slow to import

    parsed = parse_contract_file(data, file)
    return parsed.id, parsed.contract.version if parsed.contract is not None else ""


def _identify_product(data: bytes, file: str) -> Identity:
    from meshline.ingest.sources.products.formats import parse_product  # noqa: PLC0415

    parsed = parse_product(data, file)
    return parsed.name, parsed.product.version if parsed.product is not None else ""


def _compare_scripts(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> Iterator[ChangeInput]:
    """Compare SQL by file; a new file that creates the table of a removed file replaces it."""
    found = _read_contents(old, new, before, after)
    source = new or old
    options = {key: to_text(str(getattr(source, key, ""))) for key in ("dialect", "namespace", "catalog")}
    options["schema"] = to_text(str(getattr(source, "schema_", "")))
    options["namespace"] = after.aliases.get(options["namespace"], options["namespace"]) or options["dialect"]
    options = {key: value for key, value in options.items() if value}
    gone = {path: _find_created(found.before[path]) for path in found.differing if path not in found.after}
    for path in found.differing:
        if path not in found.after:
            continue
        was = path if path in found.before else next((one for one, made in gone.items() if made & _find_created(found.after[path])), "")
        gone.pop(was, None)
        if not was or found.before[was] != found.after[path]:
            yield ChangeInput("ddl", Text(was, found.before[was]) if was else None, Text(path, found.after[path]), options)
    for path in gone:
        yield ChangeInput("ddl", Text(path, found.before[path]), None, options)


def _find_created(data: bytes) -> set[str]:
    return {match[1].casefold() for match in _CREATE.finditer(data.decode("utf-8", "replace"))}


def _compare_iceberg(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> Iterator[ChangeInput]:
    from meshline.ingest.sources.iceberg.facts import parse_file_name  # noqa: PLC0415

    found = _read_contents(old, new, before, after)
    namespace = to_text(str(getattr(new or old, "namespace", "")))
    for path in found.differing:
        dataset = f"{after.aliases.get(namespace, namespace)}/{parse_file_name(Path(path).name)}"
        options = {"format": "iceberg", "dataset": dataset, "new": "yes"}
        yield ChangeInput("schema", _get_text(path, found.before), _get_text(path, found.after), options)


def _compare_delta(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> Iterator[ChangeInput]:
    """Compare Delta tables by folder: the last commit with metadata of each log."""
    found = _read_contents(old, new, before, after)
    used_in = to_text(str(getattr(new or old, "folder", "")))
    tables = dict.fromkeys(str(Path(path).parent.parent.as_posix()) for path in found.differing)
    for table in tables:
        was, now = (_find_newest_schema(table, side) for side in found)
        if was is not None and now is not None and was.data == now.data:
            continue
        place = f"{used_in}/{Path(table).name}" if used_in else str(after.root / table)
        there = [path for path in found.after if path.startswith(f"{table}/{LOG}/")]
        given = ChangeInput("schema", was, now, {"format": "delta", "dataset": f"file/{place}", "new": "yes"})
        if now is None and there:  # its metadata is in a checkpoint, which is a binary file
            continue
        if was is None and any(path.startswith(f"{table}/{LOG}/") for path in found.before):
            given = add_warning(
                given, f"{table}: the metadata of the base is in a checkpoint, which is not read: compared with what the graph knows"
            )
        yield given


def _find_newest_schema(table: str, files: Mapping[str, bytes]) -> Text | None:
    """The newest commit of a table that contains its schema; None if there is none."""
    for path in sorted((path for path in files if path.startswith(f"{table}/{LOG}/")), reverse=True):
        try:
            if find_metadata(files[path], path) is not None:
                return Text(path, files[path])
        except InvalidInput:
            continue
    return None


def _get_text(path: str, files: Mapping[str, bytes]) -> Text | None:
    return Text(path, files[path]) if path in files else None


# Kinds of sources whose files can be compared.
KINDS: Mapping[str, Comparison] = {
    "contract": _compare_by_name("contract", _identify_contract),
    "product": _compare_by_name("product", _identify_product),
    "sql": _compare_scripts,
    "iceberg": _compare_iceberg,
    "delta": _compare_delta,
    "dbt": git_dbt.compare_manifests,
}


class GitChanges(NamedTuple):
    """The inputs of a check, of which the last ones are files with schemas (`schemas`: their number).

    `warnings`: files that are not compared; `equal`: the number of files with schemas that did not change.
    """

    inputs: list[ChangeInput]
    schemas: int
    warnings: tuple[str, ...]
    equal: int


def find_changes(base: str, mesh_file: Path, base_tree: Path | None = None, compatibility: str = "") -> GitChanges:
    """The inputs of a check: each contract, product, script, schema and manifest that changed, and the mesh file.

    `compatibility`: the mode that decides on schemas of Avro and Protobuf, instead of those that the mesh file states. The old version
    is the commit where the branch began (`git merge-base`); the new version is the working tree, with untracked
    files. A contract or product is found by its id even if its file moved. `base_tree`: a checkout of the base with files that are
    not in git, such as dbt's target folders. Raises InvalidInput, also for a source that has no files in either version.
    """
    repository = Repository(mesh_file.absolute().parent)
    commit = repository.find_base(base)
    blobs = repository.list_files(commit)
    name = repository.get_relative_path(mesh_file)
    if not name:
        raise InvalidInput("the mesh file is not in the repository", str(mesh_file))
    after = _read_after(mesh_file, name, repository)
    if base_tree is not None and not base_tree.is_dir():
        raise InvalidInput(f"there is no folder {base_tree}", "--base-tree")
    before = _read_before(name, repository, blobs, after)._replace(commit=commit, tree=base_tree)
    _check_files(after, before, str(mesh_file))
    _check_kept(after)
    given = list(_compare_mesh_file(name, mesh_file, repository, blobs))
    for source in dict.fromkeys((*after.sources, *before.sources)):
        old, new = before.sources.get(source), after.sources.get(source)
        kind = next(one.kind for one in (new, old) if one is not None)
        if kind in KINDS:
            given += KINDS[kind](old, new, before, after)
    schemas = compare_schema_files(before, after, compatibility)
    _check_not_ignored(given, repository)
    return GitChanges([*given, *schemas.inputs], len(schemas.inputs), schemas.warnings, schemas.equal)


def count_files(sources: Iterable[SourceConfig], folder: Path) -> dict[str, int]:
    """The number of files of the working tree that a check compares, by source. `folder`: the folder of the mesh file."""
    return {
        source.source: len({path for pattern in list_patterns(source) for path in _find_paths(folder, pattern) if path.is_file()})
        for source in sources
        if source.kind in KINDS
    }


def _check_files(after: Side, before: Side, mesh_file: str) -> None:
    """Raises InvalidInput for sources whose patterns match no file in either version: none of their content would be compared."""
    wrong = [
        InvalidInput(
            f"{name} has no files: no file matches {', '.join(list_patterns(source))}; correct the paths, or remove the source", mesh_file
        )
        for name, source in after.sources.items()
        if source.kind in KINDS and source.kind != "dbt" and (wanted := list_patterns(source)) and not after.find_files(wanted)
        if name not in before.sources or not before.find_files(list_patterns(before.sources[name]))
    ]
    if wrong:
        raise InvalidInput("\n".join(map(str, wrong)))


def _check_kept(after: Side) -> None:
    """Raises InvalidInput for files whose history is in another repository."""
    other = [path for path in after.paths if after.repository.is_in_other_repository(path)]
    if other:
        raise InvalidInput("it is in a repository of its own (a submodule?), so it cannot be compared: run the check there", other[0])


def _check_not_ignored(given: Iterable[ChangeInput], repository: Repository) -> None:
    """Raises InvalidInput for a file that looks new because git ignores it."""
    new = [one.after.name for one in given if one.before is None and one.after is not None and one.kind not in ("mesh", "dbt")]
    if ignored := repository.list_ignored(new):
        raise InvalidInput("git ignores it (.gitignore), so the base has no version to compare it with: commit it", ignored[0])


def _compare_mesh_file(name: str, mesh_file: Path, repository: Repository, blobs: Mapping[str, Blob]) -> Iterator[ChangeInput]:
    """The mesh file itself, if it changed."""
    before = repository.read_files({name: blobs[name]})[name] if name in blobs else None
    after = read_bytes(mesh_file, MAX_DOCUMENT)
    if before != after:
        yield ChangeInput("mesh", None if before is None else Text(name, before), Text(name, after))


def _read_after(mesh_file: Path, name: str, repository: Repository) -> Side:
    found = parse_yaml(read_bytes(mesh_file, MAX_DOCUMENT), name)
    refused: list[InvalidInput] = []
    sources = {one.source.source: one.source for one in separate_refused(parse_sources(found), refused)}
    schemas = separate_refused(parse_schema_files(found), refused)
    if refused:
        raise InvalidInput("\n".join(map(str, refused)))
    folder = str(Path(name).parent.as_posix())
    aliases = {key: to_text(value) for key, value in to_mapping(to_mapping(found.value).get("namespaces")).items()}

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        return {path: read_bytes(repository.root / path, MAX_BYTES) for path in paths}

    paths = _list_files(mesh_file.absolute().parent, sources.values(), repository)
    return Side(sources, aliases, repository.root, "" if folder == "." else folder, paths, read, repository, schemas=schemas)


def _list_files(folder: Path, sources: Iterable[SourceConfig], repository: Repository) -> list[str]:
    """The files of the working tree that sources name, relative to the root; files outside of it are left out."""
    found: dict[str, None] = {}
    for source in sources:
        for pattern in list_patterns(source):
            for path in _find_paths(folder, pattern):
                if path.is_file() and (name := repository.get_relative_path(path)):
                    found[name] = None
    return list(found)


def _find_paths(folder: Path, pattern: str) -> Iterable[Path]:
    path = Path(os.path.normpath(folder / pattern))
    try:
        return [path] if path.is_file() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError, IndexError):  # glob does not support the pattern
        return []


def _read_before(name: str, repository: Repository, blobs: Mapping[str, Blob], after: Side) -> Side:
    """The base as its own mesh file describes it, if that exists and can be read; else as the current mesh file does."""

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        return repository.read_files({path: blobs[path] for path in paths})

    sources, aliases, schemas = after.sources, after.aliases, after.schemas
    if name in blobs:
        try:
            found = parse_yaml(read([name])[name], name)
        except InvalidInput:
            found = None
        if found is not None:
            sources = {one.source.source: one.source for one in parse_sources(found) if isinstance(one, Configured)}
            schemas = separate_refused(parse_schema_files(found), [])
            aliases = {key: to_text(value) for key, value in to_mapping(to_mapping(found.value).get("namespaces")).items()}
    return after._replace(sources=sources, aliases=aliases, paths=list(blobs), read=read, schemas=schemas)
