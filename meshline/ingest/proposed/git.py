"""What differs between a git base and the working tree, among the files that a mesh file names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from meshline.errors import InvalidInput
from meshline.ingest.documents import MAX_BYTES as MAX_DOCUMENT
from meshline.ingest.documents import document
from meshline.ingest.mesh.sources import Configured, sources_of
from meshline.ingest.proposed.git_sides import Side
from meshline.ingest.proposed.git_sources import KINDS, patterns
from meshline.ingest.proposed.repository import MAX_BYTES, Blob, Repository
from meshline.ingest.proposed.shape import Given, Text
from meshline.ingest.sources.base import Named
from meshline.ingest.sources.files import read_bytes
from meshline.ingest.values import mapping, text


def changed(base: str, mesh_file: Path, base_tree: Path | None = None) -> list[Given]:
    """What a check compares: each contract, product, script, schema and manifest that is another now, and the mesh file.

    The base is what the branch began with (`git merge-base`), the new version is the working tree with files that are not added
    yet. A contract or product is found by its id wherever its file was. `base_tree`: a checkout of the base with files that are not
    in git, such as dbt's target folders. Raises InvalidInput, also for a source that has no files in either version.
    """
    repository = Repository(mesh_file.absolute().parent)
    commit = repository.base(base)
    blobs = repository.files(commit)
    name = repository.relative(mesh_file)
    if not name:
        raise InvalidInput("the mesh file is not in the repository", str(mesh_file))
    after = _after(mesh_file, name, repository)
    if base_tree is not None and not base_tree.is_dir():
        raise InvalidInput(f"there is no folder {base_tree}", "--base-tree")
    before = _before(name, repository, blobs, after)._replace(commit=commit, tree=base_tree)
    _check_files(after, before, str(mesh_file))
    _check_kept(after)
    given = list(_mesh(name, mesh_file, repository, blobs))
    for source in dict.fromkeys((*after.sources, *before.sources)):
        old, new = before.sources.get(source), after.sources.get(source)
        kind = next(one.kind for one in (new, old) if one is not None)
        if kind in KINDS:
            given += KINDS[kind](old, new, before, after)
    _check_not_ignored(given, repository)
    return given


def compared(sources: Iterable[Named], folder: Path) -> dict[str, int]:
    """How many files of the working tree a check compares, by source. `folder`: of the mesh file."""
    return {
        source.source: len({path for pattern in patterns(source) for path in _glob(folder, pattern) if path.is_file()})
        for source in sources
        if source.kind in KINDS
    }


def _check_files(after: Side, before: Side, mesh_file: str) -> None:
    """Raises InvalidInput for sources whose patterns mean no file, now or in the base: nothing of them would be compared."""
    wrong = [
        InvalidInput(
            f"{name} has no files: nothing is at {', '.join(patterns(source))}; correct the paths, or remove the source", mesh_file
        )
        for name, source in after.sources.items()
        if source.kind in KINDS and source.kind != "dbt" and (wanted := patterns(source)) and not after.files(wanted)
        if name not in before.sources or not before.files(patterns(before.sources[name]))
    ]
    if wrong:
        raise InvalidInput("\n".join(map(str, wrong)))


def _check_kept(after: Side) -> None:
    """Raises InvalidInput for files of which this repository has no history."""
    other = [path for path in after.paths if after.repository.is_of_another(path)]
    if other:
        raise InvalidInput("it is in a repository of its own (a submodule?), so it cannot be compared: run the check there", other[0])


def _check_not_ignored(given: Iterable[Given], repository: Repository) -> None:
    """Raises InvalidInput for what looks new because git does not keep it."""
    new = [one.after.name for one in given if one.before is None and one.after is not None and one.kind not in ("mesh", "dbt")]
    if ignored := repository.ignored(new):
        raise InvalidInput("git ignores it (.gitignore), so the base has no version to compare it with: commit it", ignored[0])


def _mesh(name: str, mesh_file: Path, repository: Repository, blobs: Mapping[str, Blob]) -> Iterator[Given]:
    """The mesh file itself."""
    before = repository.contents({name: blobs[name]})[name] if name in blobs else None
    after = read_bytes(mesh_file, MAX_DOCUMENT)
    if before != after:
        yield Given("mesh", None if before is None else Text(name, before), Text(name, after))


def _after(mesh_file: Path, name: str, repository: Repository) -> Side:
    found = document(read_bytes(mesh_file, MAX_DOCUMENT), name)
    sources: dict[str, Named] = {}
    refused: list[InvalidInput] = []
    for one in sources_of(found):
        if isinstance(one, Configured):
            sources[one.source.source] = one.source
        else:
            refused.append(one)
    if refused:
        raise InvalidInput("\n".join(map(str, refused)))
    folder = str(Path(name).parent.as_posix())
    aliases = {key: text(value) for key, value in mapping(mapping(found.value).get("namespaces")).items()}

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        return {path: read_bytes(repository.root / path, MAX_BYTES) for path in paths}

    paths = _there(mesh_file.absolute().parent, sources.values(), repository)
    return Side(sources, aliases, repository.root, "" if folder == "." else folder, paths, read, repository)


def _there(folder: Path, sources: Iterable[Named], repository: Repository) -> list[str]:
    """The files of the working tree that sources name, from the root; none that are outside of it."""
    found: dict[str, None] = {}
    for source in sources:
        for pattern in patterns(source):
            for path in _glob(folder, pattern):
                if path.is_file() and (name := repository.relative(path)):
                    found[name] = None
    return list(found)


def _glob(folder: Path, pattern: str) -> Iterable[Path]:
    path = Path(os.path.normpath(folder / pattern))
    try:
        return [path] if path.is_file() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError, IndexError):  # no pattern that glob knows
        return []


def _before(name: str, repository: Repository, blobs: Mapping[str, Blob], after: Side) -> Side:
    """By the mesh file of then, if there was one that can be read; else by that of now."""

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        return repository.contents({path: blobs[path] for path in paths})

    sources, aliases = after.sources, after.aliases
    if name in blobs:
        try:
            found = document(read([name])[name], name)
        except InvalidInput:
            found = None
        if found is not None:
            sources = {one.source.source: one.source for one in sources_of(found) if isinstance(one, Configured)}
            aliases = {key: text(value) for key, value in mapping(mapping(found.value).get("namespaces")).items()}
    return after._replace(sources=sources, aliases=aliases, paths=list(blobs), read=read)
