"""OpenLineage events in files: only files that are new or changed are read into the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.builder import check_events
from meshline.ingest.openlineage.event_files import STDIN, Found, list_files, read_events
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.files import expand_paths
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.target import EventOutcome, Target
from meshline.words import format_count


class EventFile(NamedTuple):
    """A file of events. `name`: its key in the source's memory. `digest`: of its bytes."""

    name: str
    digest: str
    events: Iterable[Found]


class OpenLineageFiles(SourceConfig):
    """Files of events: ndjson or JSON, gzip or not. They are ingested like any other events; nothing is retracted with a file."""

    kind: ClassVar[str] = "openlineage"
    files: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        min_length=1, description="Files, folders and patterns such as events/*.ndjson; relative ones begin at the mesh file."
    )

    def list_event_files(self, folder: Path) -> Iterator[EventFile | InvalidInput]:
        """The files that the paths match, each with its digest; an error for each that cannot be read."""
        for found in self._list_paths(folder):
            if isinstance(found, InvalidInput):
                yield found
                continue
            try:
                digest = _compute_digest(found)
            except OSError as error:
                yield InvalidInput(f"the file cannot be read: {error.strerror or error}", str(found))
                continue
            yield EventFile(_format_name(found, folder), digest, read_events([str(found)]))

    def _list_paths(self, folder: Path) -> Iterator[Path | InvalidInput]:
        seen: set[Path] = set()
        for text in self.files:
            path = folder.absolute() / text
            found = [Path(file) for file in list_files([str(path)])] if text != STDIN and path.is_dir() else expand_paths([text], folder)
            for one in found:
                if isinstance(one, InvalidInput):
                    yield one
                elif one not in seen:
                    seen.add(one)
                    yield one


def _compute_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _format_name(path: Path, folder: Path) -> str:
    """The file's path, relative to the mesh file's folder if it is in there, so that a copy of the folder has the same names."""
    folder = folder.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


MAX_WARNINGS = 20  # about events of one source


class _KnownFile(NamedTuple):
    """What is remembered of a file: its digest, and how many events it has."""

    digest: str
    events: int


def ingest_files(
    target: Target, source: OpenLineageFiles, folder: Path, *, strict: bool, guard: Callable[[Iterable[Found]], Iterable[Found]]
) -> Loading:
    """Ingest the events of each file that is new or changed since it was last ingested. Counts are events.

    A file with a refused event is ingested again each time, so that the refusal is reported each time. An ingested event
    stays when its file is removed. `strict`: raises the first refusal before anything is written. `guard`: passes
    events on, and raises when the ingestion is to stop.
    """
    files = list(source.list_event_files(folder))
    known = {name: _decode_known(text) for name, text in target.build_context(source.source, folder, {}).memory.items()}
    if strict:
        files = [_check_file(file, known) for file in files]
    memory: dict[str, str] = {}
    warnings = EventWarnings()
    refused: list[InvalidInput] = []
    read = new = unchanged = 0
    for file in files:
        if isinstance(file, InvalidInput):
            refused.append(file)
        elif (before := known.get(file.name)) is not None and before.digest == file.digest:
            unchanged += before.events
            memory[file.name] = _encode_known(before)
        else:
            ingested, wrong = ingest_found(target, source.source, guard(file.events), warnings)
            read += ingested + len(wrong)
            new += ingested
            refused += wrong
            if not wrong:
                memory[file.name] = _encode_known(_KnownFile(file.digest, ingested))
    target.save_memory(source.source, memory)
    return Loading(source.source, 0, read, unchanged, new, 0, 0, 0, tuple(refused), warnings.list_shown())


def _check_file(file: EventFile | InvalidInput, known: dict[str, _KnownFile]) -> EventFile | InvalidInput:
    if isinstance(file, InvalidInput):
        raise file
    before = known.get(file.name)
    return file if before is not None and before.digest == file.digest else file._replace(events=check_events(file.events))


class EventWarnings:
    """The first warnings about events, and the number of the others."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._more = 0

    def add(self, outcome: EventOutcome) -> None:
        listed = outcome.warnings[: MAX_WARNINGS - len(self._first)]
        self._first += listed
        self._more += len(outcome.warnings) - len(listed) + outcome.more_warnings

    def list_shown(self) -> tuple[str, ...]:
        return (*self._first, *([f"{format_count(self._more, 'more warning')} about events"] if self._more else ()))


def ingest_found(target: Target, source: str, events: Iterable[Found], warnings: EventWarnings) -> tuple[int, list[InvalidInput]]:
    """(number of events ingested, errors of those refused). Raises an error that concerns all events, such as StoreUnavailable."""
    ingested, wrong = 0, list[InvalidInput]()
    for outcome in target.ingest_events(source, events):
        warnings.add(outcome)
        if outcome.error is None:
            ingested += 1
        elif isinstance(outcome.error, InvalidInput):
            wrong.append(outcome.error)
        else:
            raise outcome.error
    return ingested, wrong


def _encode_known(known: _KnownFile) -> str:
    return f"{known.digest} {known.events}"


def _decode_known(text: str) -> _KnownFile:
    digest, _, events = text.partition(" ")
    return _KnownFile(digest, int(events) if events.isdigit() else 0)
