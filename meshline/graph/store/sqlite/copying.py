"""A backup: one moment of a store in a file of its own, made while others read and write."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.store.sqlite.connections import Connections

BUSY_SECONDS = 10.0
TAKEN = "there is a file of this name: name another, or say --overwrite"


def backup(path: str, to: Path, *, overwrite: bool = False) -> int:
    """Copy a store's file; bytes written. The copy has its name when it is whole and on disk, never before.

    Raises InvalidInput if there is a file of that name (unless `overwrite`), StoreUnavailable if it cannot be written.
    """
    with making(to, overwrite=overwrite) as part:
        _copy(path, part)
    return to.stat().st_size


@contextmanager
def making(to: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path beside a new file, to write what will have its name if all goes well; errors as `backup` has them."""
    if to.exists() and not overwrite:
        raise InvalidInput(TAKEN, str(to))
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        yield part
        _name(part, to, overwrite=overwrite)
    except FileExistsError as error:
        raise InvalidInput(TAKEN, str(to)) from error
    except OSError as error:
        raise StoreUnavailable(f"the copy {to} cannot be written: {error.strerror or error}") from error
    finally:
        for leftover in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{leftover}").unlink(missing_ok=True)


def _copy(path: str, part: Path) -> None:
    """All pages in one step, under one read transaction: writers go on meanwhile, into the WAL.

    See https://sqlite.org/backup.html: in smaller steps the copy would begin anew at each commit.
    """
    connections = Connections(path, BUSY_SECONDS)
    try:
        with connections.reading() as source:
            _fill(source, part)
    finally:
        connections.close()


def _fill(source: sqlite3.Connection, part: Path) -> None:
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            source.backup(target, pages=-1)
        settled(part)
    except sqlite3.OperationalError as error:  # the folder, or its room; damage of the source is another error
        raise StoreUnavailable(f"the copy {part} cannot be written ({error}): make room, and see that its folder is there") from error


def settled(path: Path) -> None:
    """Let a store that nobody has open be one file, with nothing beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _name(part: Path, to: Path, *, overwrite: bool) -> None:
    """Give a file that is whole its name, durably. Raises FileExistsError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        part.replace(to)
    else:
        os.link(part, to)  # fails if the name is taken, unlike a rename
    folder = os.open(to.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
