"""A dbt project in a git base and in the working tree. Usually dbt's target folder is not in git; it must not be out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.ingest.changes import ChangeInput, Text, add_warning
from meshline.ingest.changes.dbt_files import PROJECT, ManifestFiles, ProjectFiles, format_some, is_newer, is_same_text, list_unchecked
from meshline.ingest.changes.git_repository import LFS, MAX_BYTES, Side
from meshline.ingest.documents import to_text
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.files import read_bytes
from meshline.words import format_count


def build_manifest_path(source: SourceConfig) -> str:
    """The path of the manifest, relative to the folder of the mesh file."""
    path = to_text(str(getattr(source, "path", "")))
    return path if path.endswith(".json") else f"{path}/manifest.json"


def compare_manifests(old: SourceConfig | None, new: SourceConfig | None, before: Side, after: Side) -> Iterator[ChangeInput]:
    """The project's manifests, if they differ. Raises InvalidInput for one that is missing or was made from other files."""
    source = new or old
    assert source is not None
    head = _Head.read(after.build_path(build_manifest_path(source)), after)
    if head.project is None:
        head = head._replace(project=_find_only_project(head.manifest, before, lambda path: (after.root / path).is_file()))
    base = _read_base(before.build_path(build_manifest_path(old or source)), before, head)
    if base is not None and base.project is None:
        base = base._replace(project=_find_only_project(base.manifest, before, lambda _: True))
    warnings: list[str] = []
    if base is not None and base.project is not None:
        _verify_base(base, base.project, before)
    elif base is not None:
        warnings.append(_describe_unverified(base.manifest.name))
    if head.project is not None:
        _verify_head(head, head.project, base, before, after)
    else:
        warnings.append(_describe_unverified(head.manifest.name))
    options = {key: str(value) for key in ("name", "namespace", "dialect") if (value := getattr(source, key, None))}
    if "namespace" in options:
        options["namespace"] = after.aliases.get(options["namespace"], options["namespace"])
    if head.project is not None:
        options["project"] = head.project or "."
    if base is None or base.manifest.data != head.manifest.data or warnings:
        found = ChangeInput("dbt", None if base is None else base.manifest, head.manifest, options)
        for message in dict.fromkeys(warnings):
            found = add_warning(found, message)
        yield found


class _Head(NamedTuple):
    """The manifest of the working tree. `project`: the folder of its project, relative to the root of the repository; None: not found."""

    manifest: Text
    project: str | None

    @classmethod
    def read(cls, path: str, after: Side) -> _Head:
        if path.startswith("../"):
            raise InvalidInput("it is outside of the repository, so that it cannot be compared with the base", path)
        around = _find_project(path, lambda one: (after.root / one).is_file())
        if not (after.root / path).is_file():
            raise InvalidInput(f"it is missing: run `dbt compile`{_format_folder(around)}", path)
        return cls(_build_text(path, read_bytes(after.root / path, MAX_BYTES)), around)


class _Base(NamedTuple):
    """The manifest of the base. `folder`: the checkout of the base that contains it (--base-tree); None: it is in git."""

    manifest: Text
    project: str | None
    folder: Path | None


def _read_base(path: str, before: Side, head: _Head) -> _Base | None:
    """The manifest of the base; None if the project is new. Raises InvalidInput if the manifest is missing."""
    blobs = set(before.paths)
    project = _find_project(path, blobs.__contains__)
    if before.tree is not None and (before.tree / path).is_file():
        file = before.tree / path
        return _Base(_build_text(str(file), read_bytes(file, MAX_BYTES)), project, before.tree)
    if path in blobs and before.tree is None:
        return _Base(_build_text(path, before.read([path])[path]), project, None)
    was_there = head.project is not None and f"{head.project}/{PROJECT}".removeprefix("/") in blobs
    if project is None and not was_there and path not in blobs:
        return None
    where = (
        f"{before.tree / path} is missing" if before.tree is not None else f"git does not have {path} of the base ({before.commit[:12]})"
    )
    tree = str(before.tree) if before.tree is not None else "../base"
    make = "" if before.tree is not None else f"`git worktree add {tree} {before.commit[:12]}`, then "
    raise InvalidInput(f"{where}: run {make}`dbt compile` in {tree}/{project or '.'}, and give --base-tree {tree}", path)


def _verify_base(base: _Base, project: str, before: Side) -> None:
    """Raises InvalidInput if the manifest of the base was not made from the files of the base."""
    manifest = ManifestFiles(base.manifest)
    prefix, files = _build_prefix(project), _list_base_files(project, before)
    problems = manifest.find_differences(files)
    inputs = list_unchecked(files)
    generated = manifest.generated_at or 0
    if base.folder is None:  # the manifest is in git: it does not reflect files that were committed later
        made_in = before.repository.find_last_commit(before.commit, [base.manifest.name])
        problems += [
            f"{path} was committed later"
            for path in before.repository.list_changed(made_in, before.commit, [prefix + one for one in inputs])
        ]
    elif (base.folder / prefix / PROJECT).is_file():
        there = [path for path in inputs if (base.folder / prefix / path).is_file()]
        contents = files.read(there)
        problems += [
            f"{path} is not that of the base"
            for path in there
            if not is_same_text((base.folder / prefix / path).read_bytes(), contents[path])
        ]
        problems += [f"{path} is newer" for path in there if is_newer(base.folder / prefix / path, generated)]
    else:
        late = before.repository.find_commit_time(before.commit, [prefix + one for one in inputs]) * 1_000_000
        problems += ["YAML or macros were committed later"] if late > generated else []
    if problems:
        tree = base.folder or "../base"
        run = f"run `dbt compile` in a worktree of {before.commit[:12]}, and give --base-tree {tree}"
        raise InvalidInput(f"it was not made from the files of the base: {format_some(problems)}; {run}", base.manifest.name)


def _build_prefix(project: str) -> str:
    return f"{project}/" if project else ""


def _list_base_files(project: str, before: Side) -> ProjectFiles:
    """The files of a project in the base, relative to its folder."""
    prefix = _build_prefix(project)

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        return {path.removeprefix(prefix): data for path, data in before.read([prefix + one for one in paths]).items()}

    return ProjectFiles(frozenset(path.removeprefix(prefix) for path in before.paths if path.startswith(prefix)), read)


def _verify_head(head: _Head, project: str, base: _Base | None, before: Side, after: Side) -> None:
    """Raises InvalidInput if the manifest was not made from the files of the working tree."""
    manifest = ManifestFiles(head.manifest)
    folder = after.root / project
    files = ProjectFiles.from_folder(folder)
    problems = manifest.find_differences(files)
    changed = _find_unchecked_changes(files, base.project if base is not None else None, before)
    problems += _find_newer(manifest, changed, folder, after)
    run = f"run `dbt compile`{_format_folder(project)}"
    if problems:
        raise InvalidInput(f"it was not made from the files that are there: {format_some(problems)}; {run}", head.manifest.name)
    blind = [path for path in changed if not path.endswith((".yml", ".yaml")) or "/" not in path]  # macros, the project, packages
    without = manifest.count_uncompiled() or (ManifestFiles(base.manifest).count_uncompiled() if base is not None else 0)
    if blind and without and base is not None:
        why = f"{format_some(blind)} changed, which could only be seen in compiled SQL, and {format_count(without, 'model')} have none"
        raise InvalidInput(f"{why}; {run}, for the base too", head.manifest.name)


def _find_unchecked_changes(files: ProjectFiles, base_project: str | None, before: Side) -> list[str]:
    """The files without a checksum that were changed or removed since the base, relative to the project's folder; all such files of
    a project that is not in the base.
    """
    old: Mapping[str, bytes] = {}
    if base_project is not None:
        there = _list_base_files(base_project, before)
        old = there.read(list_unchecked(there))
    new = files.read(list_unchecked(files))
    return sorted(path for path in {**old, **new} if path not in old or path not in new or not is_same_text(old[path], new[path]))


def _find_newer(manifest: ManifestFiles, changed: list[str], folder: Path, after: Side) -> Iterator[str]:
    """Sentences about files without a checksum that changed after the manifest was made, as far as times show it."""
    generated = manifest.generated_at or 0
    repository = after.repository
    committed = repository.is_clean([manifest.name]) and repository.find_last_commit("HEAD", [manifest.name])
    for path in changed:
        file = folder / path
        name = repository.get_relative_path(file)
        if not file.is_file():
            if manifest.has_entry_in(path):
                yield f"{path} is gone"
        elif committed and repository.is_clean([name]):
            yield from (f"{path} was committed later" for _ in repository.list_changed(committed, "HEAD", [name]))
        elif is_newer(file, generated):
            yield f"{path} is newer"


def _find_project(path: str, is_file: Callable[[str], bool]) -> str | None:
    """The nearest parent folder of a path that contains a dbt_project.yml."""
    for folder in PurePosixPath(path).parents:
        name = "" if str(folder) == "." else str(folder)
        if is_file(f"{name}/{PROJECT}".removeprefix("/")):
            return name
    return None


def _find_only_project(manifest: Text, before: Side, is_file: Callable[[str], bool]) -> str | None:
    """The folder of the manifest's project, if exactly one project in the repository fits."""
    made = ManifestFiles(manifest)
    files = [path for path in before.paths if PurePosixPath(path).name == PROJECT and is_file(path)]
    found = [path for path, data in before.read(files).items() if made.is_of(data)]
    return found[0].removesuffix(PROJECT).rstrip("/") if len(found) == 1 else None


def _format_folder(project: str | None) -> str:
    return f" in {project}" if project else ""


def _describe_unverified(manifest: str) -> str:
    return f"{manifest}: its {PROJECT} is not in the repository, so whether it was made from the files of this version is unknown"


def _build_text(name: str, data: bytes) -> Text:
    if data.startswith(LFS):
        raise InvalidInput("the file is kept in git LFS, and only its pointer is there: git lfs pull, and keep it in git itself", name)
    return Text(name, data)
