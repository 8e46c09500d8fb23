"""Make a store's file smaller: drop what nothing refers to and give back the room. No answer changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from meshline.errors import StoreCorrupt, StoreUnavailable
from meshline.graph.store.sqlite.checking import references
from meshline.graph.store.sqlite.connections import Connections
from meshline.graph.store.sqlite.queries import MAINTENANCE

BUSY_SECONDS = 2.0


class Compacted(NamedTuple):
    """What went. Sizes are in bytes, with what was in the WAL."""

    contents: int
    labels: int
    raw: int
    before: int
    after: int


def compact(path: str, raw_before: int) -> Compacted:
    """Drop contents and labels that nothing refers to, and raw events received before a time (microseconds).

    They are left behind when a run says otherwise than it did while it ran. Needs the file for itself, since a process that
    has it open remembers the numbers of what it wrote and would go on to use them: raises StoreUnavailable if one has.
    """
    Connections(path, BUSY_SECONDS).close()  # a store of ours, brought up to date
    before = _size(path)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        _alone(connection, path)
        connection.execute("BEGIN IMMEDIATE")
        try:
            contents = connection.execute(MAINTENANCE["remove_unused_contents"]).rowcount
            labels = connection.execute(MAINTENANCE["remove_unused_labels"]).rowcount
            raw = connection.execute(MAINTENANCE["remove_old_raw"], (raw_before,)).rowcount
            _check(connection, path)
            for (table,) in connection.execute(MAINTENANCE["search_tables"]).fetchall():
                connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608 - our own names
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")
    return Compacted(contents, labels, raw, before, _size(path))


def _check(connection: sqlite3.Connection, path: str) -> None:
    """Raises StoreCorrupt if something that is named is not there: then nothing is dropped."""
    check = references(connection)
    if not check.passed:
        raise StoreCorrupt(f"{path} is not sound, so nothing was dropped ({'; '.join(check.problems)}): see `meshline store check`")


def _alone(connection: sqlite3.Connection, path: str) -> None:
    """Take the file for this connection until it is closed. Raises StoreUnavailable.

    Leaving WAL mode needs that nobody else has the file open (https://sqlite.org/wal.html), and exclusive locking keeps
    others from opening it: they wait, and then say so.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode == "wal":
        raise StoreUnavailable(f"another process has {path} open: stop the servers that use it, then compact it")


def _size(path: str) -> int:
    return sum(each.stat().st_size for each in (Path(path), Path(f"{path}-wal")) if each.exists())
