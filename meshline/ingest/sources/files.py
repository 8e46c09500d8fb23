"""The files of a source: paths and patterns are expanded, and files are read up to a limit."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import Item, Refusal

MAX_FILES = 10_000

Paths: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1, description="Files, and patterns such as contracts/**/*.yaml.")]


def expand_paths(paths: Sequence[str], folder: Path) -> Iterator[Path | InvalidInput]:
    """The files that paths and patterns (`contracts/**/*.yaml`) match, each once, sorted within a pattern.

    Relative ones begin at `folder`. A path or pattern without a match yields an error of its own.
    """
    seen: set[Path] = set()
    for text in paths:
        found = _expand_path(text, folder)
        if not found:
            yield InvalidInput("no file matches; accepted are files and patterns such as contracts/*.yaml", text)
        for path in found:
            if path not in seen:
                seen.add(path)
                if len(seen) > MAX_FILES:
                    yield InvalidInput(f"the source has more than {MAX_FILES} files", text)
                    return
                yield path


def read_each_file(paths: Sequence[str], folder: Path, read: Callable[[Path], Iterable[Item]]) -> Iterator[Item]:
    """The items of every file that the paths match. A file that cannot be used yields a refusal, and the others are still read."""
    for path in expand_paths(paths, folder):
        try:
            if isinstance(path, InvalidInput):
                raise path
            yield from read(path)
        except InvalidInput as error:
            yield Refusal(error)


def _expand_path(text: str, folder: Path) -> list[Path]:
    path = folder.absolute() / text
    if path.is_file():
        return [path]
    pattern = Path(glob.escape(str(folder.absolute()))) / text  # the folder's own name is no pattern
    try:
        return sorted(found for found in Path(path.anchor).glob(str(pattern.relative_to(path.anchor))) if found.is_file())
    except (ValueError, NotImplementedError, IndexError):  # not a pattern that glob knows
        return []


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes. Raises InvalidInput that names the file."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InvalidInput(f"the file cannot be read: {error.strerror or error}", str(path)) from error
    if len(data) > limit:
        raise InvalidInput(f"the file has more than {limit} bytes", str(path))
    return data


def format_path(path: Path, folder: Path) -> str:
    """A file's name in messages: relative to the folder if it is in there."""
    return path.relative_to(folder.absolute()).as_posix() if path.is_relative_to(folder.absolute()) else str(path)
