"""OpenLineage events in files: one that did not change is not taken again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.files import STDIN, Found, events_in, files_in
from meshline.ingest.sources.files import matching
from meshline.ingest.sources.shape import Named


class EventFile(NamedTuple):
    """A file of events, by the name by which it is remembered."""

    name: str
    digest: str
    events: Iterable[Found]


class OpenLineageFiles(Named):
    """Files of events: ndjson or JSON, gzip or not. They go the way of all events, and are not restated as a whole."""

    kind: ClassVar[str] = "openlineage"
    files: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        min_length=1, description="Files, folders and patterns such as events/*.ndjson; relative ones begin at the mesh file."
    )

    def event_files(self, folder: Path) -> Iterator[EventFile | InvalidInput]:
        """The files that are meant, each with its digest; what cannot be read is an error among them."""
        for found in self._paths(folder):
            if isinstance(found, InvalidInput):
                yield found
                continue
            try:
                digest = _digest(found)
            except OSError as error:
                yield InvalidInput(f"cannot be read: {error.strerror or error}", str(found))
                continue
            yield EventFile(_name(found, folder), digest, events_in([str(found)]))

    def _paths(self, folder: Path) -> Iterator[Path | InvalidInput]:
        seen: set[Path] = set()
        for text in self.files:
            path = folder.absolute() / text
            found = [Path(file) for file in files_in([str(path)])] if text != STDIN and path.is_dir() else matching([text], folder)
            for one in found:
                if isinstance(one, InvalidInput):
                    yield one
                elif one not in seen:
                    seen.add(one)
                    yield one


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _name(path: Path, folder: Path) -> str:
    """Relative to the mesh file's folder where it is in there, so that a copy of the whole is the same."""
    folder = folder.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
