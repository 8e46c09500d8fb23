"""The files of a dbt project, and whether a manifest was made from them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json, to_micros
from meshline.ingest.changes import Text
from meshline.ingest.changes.git_repository import LFS, match_paths
from meshline.ingest.documents import build_json_error, parse_yaml, to_mapping
from meshline.ingest.sources.files import read_bytes

PROJECT = "dbt_project.yml"
MAX_NAMED = 10  # files that a message names
MAX_BYTES = 256 * 2**20  # of one file
MAX_FILES = 200_000

_DEFAULTS: Mapping[str, tuple[str, ...]] = {  # dbt's defaults for keys of dbt_project.yml
    "model-paths": ("models",),
    "seed-paths": ("seeds",),
    "snapshot-paths": ("snapshots",),
    "test-paths": ("tests",),
    "macro-paths": ("macros",),
    "analysis-paths": ("analyses",),
}
_NODES: Mapping[str, tuple[str, ...]] = {"model-paths": (".sql", ".py"), "seed-paths": (".csv",), "snapshot-paths": (".sql",)}
_CHECKED = frozenset({"model", "seed", "snapshot", "test"})  # nodes whose checksum is that of a file
_AT_THE_TOP = (PROJECT, "packages.yml", "dependencies.yml", "package-lock.yml", "profiles.yml")
_YAML = (".yml", ".yaml")
_SNAPSHOT = re.compile(rb"\{%-?\s*snapshot\b")


class ProjectFiles(NamedTuple):
    """The files of a project in one version. `paths`: from its folder, with slashes; `read`: their bytes."""

    paths: Collection[str]
    read: Callable[[Sequence[str]], Mapping[str, bytes]]

    @classmethod
    def from_folder(cls, folder: Path) -> ProjectFiles:
        """The files below a folder on disk that dbt reads. Raises InvalidInput if there are too many."""

        def read(paths: Sequence[str]) -> dict[str, bytes]:
            return {path: read_bytes(folder / path, MAX_BYTES) for path in paths}

        top = [name for name in (*_AT_THE_TOP, ".dbtignore") if (folder / name).is_file()]
        layout = _read_layout(ProjectFiles(top, read))
        found = dict.fromkeys(top)
        for beginning in dict.fromkeys(one for paths in layout.values() for one in paths):
            for at, _, names in os.walk(folder / beginning, followlinks=True):
                inside = Path(os.path.relpath(at, folder)).as_posix()
                found.update(dict.fromkeys(f"{inside}/{name}".removeprefix("./") for name in names))
                if len(found) > MAX_FILES:  # also links that lead around in a circle
                    raise InvalidInput(f"more than {MAX_FILES} files in the folders of a dbt project", str(folder / beginning))
        return cls(tuple(found), read)


class _Checksum(msgspec.Struct, frozen=True):
    name: str = ""
    checksum: str = ""


class _Node(msgspec.Struct, frozen=True):
    resource_type: str = ""
    package_name: str = ""
    original_file_path: str = ""
    patch_path: str | None = None
    language: str | None = None
    checksum: _Checksum | str | None = None
    raw_code: msgspec.Raw = msgspec.Raw(b"null")
    compiled_code: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def path(self) -> str:
        return self.original_file_path.replace("\\", "/").removeprefix("./")


class _Metadata(msgspec.Struct, frozen=True):
    generated_at: str = ""
    project_name: str | None = None
    project_id: str | None = None


class _Manifest(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    nodes: dict[str, _Node] = {}
    disabled: dict[str, list[_Node]] = {}
    sources: dict[str, _Node] = {}
    exposures: dict[str, _Node] = {}
    macros: dict[str, _Node] = {}


class ManifestFiles:
    """The record in a manifest of the files that it was made from."""

    def __init__(self, text: Text) -> None:
        """Raises InvalidInput."""
        self.name = text.name
        try:
            self._manifest = msgspec.json.decode(text.data, type=_Manifest)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"it is no manifest of dbt: {error}", text.name) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise build_json_error(error, text.data, text.name) from error

    @property
    def generated_at(self) -> int | None:
        """When dbt began to read the files, in microseconds."""
        try:
            return to_micros(datetime.fromisoformat(self._manifest.metadata.generated_at))
        except ValueError:
            return None

    def is_of(self, project_file: bytes) -> bool:
        """Whether a dbt_project.yml is that of the manifest's project."""
        name = _read_project_name(project_file)
        metadata = self._manifest.metadata
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        return bool(name) and (metadata.project_name == name if metadata.project_name else metadata.project_id in (None, digest))

    def find_differences(self, files: ProjectFiles) -> list[str]:
        """Sentences about models, seeds, snapshots and tests that changed, were removed or are new since the manifest was made.

        Checksums are those of dbt (FileHash of dbt-core): SHA-256 of the stripped text; of a seed above 1 MiB dbt records only the path.
        """
        layout = _read_layout(files)
        project_file = _read_one(files, PROJECT)
        package = _read_project_name(project_file)
        if not self.is_of(project_file):
            return [f"it is of another project than {package}"]
        nodes = [
            one
            for one in self._manifest.nodes.values()
            if one.package_name == package and one.resource_type in _CHECKED and not one.path.startswith(("../", "/"))
        ]
        disabled = [one for several in self._manifest.disabled.values() for one in several]
        hashed = {one.path: _get_hash(one) for one in nodes if _get_hash(one)}
        known = {one.path for one in (*nodes, *disabled)}
        candidates = [path for path in sorted(set(files.paths) - known) if _is_node(path, layout)]
        contents = files.read([path for path in {**hashed, **dict.fromkeys(candidates)} if path in files.paths])
        gone = sorted(path for path in known - set(files.paths) if path in hashed or _is_node(path, layout))
        changed = [
            path
            for path, checksum in sorted(hashed.items())
            if path in contents and not contents[path].startswith(LFS) and checksum not in _compute_checksums(contents[path])
        ]
        ignored = _read_one(files, ".dbtignore").decode("utf-8", "replace").splitlines() if ".dbtignore" in files.paths else []
        added = [path for path in candidates if _has_nodes(path, contents[path], layout) and not _is_ignored(path, ignored)]
        return [
            *(f"{path} has changed" for path in changed),
            *(f"{path} is gone" for path in gone),
            *(f"{path} is not in it" for path in added),
        ]

    def has_entry_in(self, path: str) -> bool:
        """Whether an entry of the manifest (YAML, or a macro) comes from a file."""
        groups = (self._manifest.nodes, self._manifest.sources, self._manifest.exposures, self._manifest.macros)
        return any(path in (one.path, (one.patch_path or "").rpartition("://")[2]) for group in groups for one in group.values())

    def count_uncompiled(self) -> int:
        """The number of models whose SQL is not compiled."""
        models = (one for one in self._manifest.nodes.values() if one.resource_type in ("model", "snapshot"))
        return sum(
            (one.language or "sql") == "sql" and not _decode_text(one.compiled_code) and bool(_decode_text(one.raw_code)) for one in models
        )


def list_unchecked(files: ProjectFiles) -> list[str]:
    """The files that dbt reads but whose checksums a manifest does not record: YAML, macros, packages, dbt_project.yml."""
    layout = _read_layout(files)
    everywhere = [one for paths in layout.values() for one in paths]
    macros = [*layout["macro-paths"], *(f"{one}/generic" for one in layout["test-paths"])]
    return sorted(
        path
        for path in files.paths
        if path in _AT_THE_TOP
        or (path.endswith(_YAML) and _is_within(path, everywhere))
        or (path.endswith(".sql") and _is_within(path, macros))
    )


def check_target(manifest: Path) -> list[str]:
    """Warnings that a manifest in the target folder of its project may be out of date; none for a manifest elsewhere.

    Raises InvalidInput if it was made from other files than those of the project.
    """
    folder = manifest.absolute().parent.parent
    if not (folder / PROJECT).is_file() or not manifest.is_file():
        return []
    target = _parse_project(read_bytes(folder / PROJECT, MAX_BYTES)).get("target-path")
    if manifest.absolute().parent.name != (target if isinstance(target, str) and target else "target"):
        return []
    files, made = ProjectFiles.from_folder(folder), ManifestFiles(Text(str(manifest), read_bytes(manifest, MAX_BYTES)))
    if problems := made.find_differences(files):
        raise InvalidInput(f"it was not made from the files that are there: {format_some(problems)}; run `dbt compile`", str(manifest))
    newer = [path for path in list_unchecked(files) if is_newer(folder / path, made.generated_at)]
    return [f"{manifest}: {format_some(newer)} newer than the manifest: run `dbt compile` if they changed since"] if newer else []


def is_newer(file: Path, micros: int | None) -> bool:
    """Whether a file was written after a time."""
    return file.stat().st_mtime_ns // 1000 > (micros or 0)


def format_some(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are."""
    more = f" and {len(problems) - MAX_NAMED:,} more" if len(problems) > MAX_NAMED else ""
    return ", ".join(problems[:MAX_NAMED]) + more


def is_same_text(one: bytes, other: bytes) -> bool:
    """Whether two files are equal except for their line ends, which git may change."""
    return one.replace(b"\r\n", b"\n").strip() == other.replace(b"\r\n", b"\n").strip()


def _read_layout(files: ProjectFiles) -> Mapping[str, tuple[str, ...]]:
    """The folders in which dbt looks for each kind of file."""
    value = _parse_project(_read_one(files, PROJECT))
    found: dict[str, tuple[str, ...]] = {}
    for key, default in _DEFAULTS.items():
        configured = value.get(key)
        paths = (configured,) if isinstance(configured, str) else configured if isinstance(configured, list) else default
        inside = (os.path.normpath(one) for one in paths if isinstance(one, str) and "{" not in one)
        found[key] = tuple(one for one in inside if not one.startswith(("..", "/")))
    return found


def _parse_project(data: bytes) -> Mapping[str, Json]:
    return to_mapping(parse_yaml(data, PROJECT).value)


def _read_project_name(data: bytes) -> str:
    name = _parse_project(data).get("name")
    return name if isinstance(name, str) else ""


def _read_one(files: ProjectFiles, path: str) -> bytes:
    return files.read([path])[path]


def _decode_text(raw: msgspec.Raw) -> str:
    value = msgspec.json.decode(raw)
    return value.strip() if isinstance(value, str) else ""


def _get_hash(node: _Node) -> str:
    """The checksum of the content in hexadecimal digits; empty if there is none."""
    checksum = node.checksum
    if isinstance(checksum, str):
        return checksum.lower()
    return checksum.checksum.lower() if checksum is not None and checksum.name.lower() == "sha256" else ""


def _compute_checksums(data: bytes) -> Iterator[str]:
    """The checksums that dbt may have computed for a file, for each convention of line ends."""
    unix = data.replace(b"\r\n", b"\n")
    for one in (data, unix, unix.replace(b"\n", b"\r\n")):
        stripped = one.decode("utf-8", "replace").strip().encode()
        yield hashlib.sha256(stripped).hexdigest()
        yield hashlib.sha256(one).hexdigest()


def _is_node(path: str, layout: Mapping[str, tuple[str, ...]]) -> bool:
    return any(path.endswith(endings) and _is_within(path, layout[key]) for key, endings in _NODES.items())


def _has_nodes(path: str, data: bytes, layout: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a file defines a node: a file in a snapshot folder may define none."""
    if _is_within(path, layout["snapshot-paths"]) and not _is_within(path, layout["model-paths"]):
        return _SNAPSHOT.search(data) is not None
    return True


def _is_within(path: str, folders: Iterable[str]) -> bool:
    return any(one == "." or path.startswith(f"{one}/") for one in folders)


def _is_ignored(path: str, lines: Iterable[str]) -> bool:
    """Whether .dbtignore excludes a path. Its patterns are those of .gitignore: the last match decides."""
    parts = path.split("/")
    around = ["/".join(parts[:i]) for i in range(1, len(parts) + 1)]
    ignored = False
    for line in lines:
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        wanted, pattern = not pattern.startswith("!"), pattern.removeprefix("!")
        tops = around[:-1] if pattern.endswith("/") else around
        pattern = pattern.rstrip("/")
        anchored = pattern.removeprefix("/") if "/" in pattern else f"**/{pattern}"
        if match_paths(tops, [anchored]):
            ignored = wanted
    return ignored
