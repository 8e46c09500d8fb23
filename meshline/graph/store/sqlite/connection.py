"""Connections to one SQLite file: one for writing, one for each concurrent reader; schema and errors.

In WAL mode, readers continue while one connection writes. An in-memory store has a single connection,
which all threads share in turn.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path

from meshline.errors import StoreCorrupt, StoreUnavailable
from meshline.graph.content import EMPTY
from meshline.graph.store.sqlite.checksums import RAISED, Damaged, register_functions
from meshline.graph.store.sqlite.sql import MAINTENANCE, MIGRATIONS, NEWEST_SCHEMA, OLDEST_SCHEMA, SQL

MEMORY = ":memory:"
APPLICATION_ID = 0x6D65736C  # "mesl": written into the file's header
OLDEST_SQLITE = (3, 38, 0)  # strict tables, json_each

# The WAL is copied into the file when it has this many pages of 4 KiB: less often than by SQLite's default,
# because one grouped commit changes thousands of pages, the same ones again and again.
CHECKPOINT_PAGES = 16_384
WRITER_CACHE_KIB = 131_072
READER_CACHE_KIB = 16_384
READERS_KEPT = 8  # idle connections that stay open, with their caches
WAL_SWITCH_PAUSE = 0.005  # seconds

# Files up to this size are checked as a whole when they are opened. Of larger ones not these tables.
WHOLE_BYTES = 2**30
NOT_CHECKED = frozenset({"raw", "run", "run_summary", "run_asset", "dropped_run", "event", "journal"})

# Ids are new when they are allocated, so a duplicate key is damage.
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT})
# Messages for damaged text, a damaged schema, a damaged full-text index, and a damaged head of the file: its format, or the version of the
# schema, by which tables would be created that exist.
_DAMAGED = re.compile(
    "Could not decode to UTF-8|no such (table|column)|has no column|malformed|invalid fts5 file format"
    "|unsupported file format|(table|index) .* already exists"
)
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "another process is writing to it; try again",
    sqlite3.SQLITE_LOCKED: "another process is writing to it; try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; does its folder exist, and may it be written to?",
    sqlite3.SQLITE_READONLY: "it may not be written to; check its owner and permissions",
    sqlite3.SQLITE_PERM: "it may not be written to; check its owner and permissions",
    sqlite3.SQLITE_FULL: "its disk is full; make room and try again",
    sqlite3.SQLITE_IOERR: "its disk does not answer; check the disk and try again",
}


class Connections:
    """All connections of one store. `busy_timeout` is in seconds. Thread-safe.

    Raises StoreCorrupt for a file that is damaged or not a store; `unchecked`: do not look for damage.
    """

    def __init__(self, path: str, busy_timeout: float, *, unchecked: bool = False) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            needed = ".".join(map(str, OLDEST_SQLITE))
            raise StoreUnavailable(f"this Python has SQLite {sqlite3.sqlite_version}, and {needed} is needed: use a newer Python or system")
        self.path = path
        self.in_memory = path == MEMORY
        self._busy_timeout = busy_timeout
        self._turn = threading.RLock()  # guards the writer; in memory, every use
        self._pool = threading.Lock()  # guards the two fields below
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._made: list[sqlite3.Connection] = []
        weakref.finalize(self, _close_all, self._made)  # an unclosed store releases its file when it is collected
        with self._translate_errors():
            self._writer = self._connect(WRITER_CACHE_KIB)
            try:
                _migrate(self._writer, path)
                if not unchecked:
                    _check_structure(self._writer, path)
                    self._writer.execute("PRAGMA shrink_memory")  # the check leaves the cache full of pages that nothing asks for
                self._file = None if self.in_memory else _identify_file(path)
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def begin_writing(self) -> Iterator[sqlite3.Connection]:
        """The writer in one transaction, under the write lock of all processes. Raises StoreUnavailable or StoreCorrupt."""
        with self._turn, self._translate_errors():
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def begin_reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads one snapshot of the store. Raises StoreUnavailable or StoreCorrupt."""
        with self._translate_errors():
            if self.in_memory:
                with self._turn:
                    self._check_open()
                    yield self._writer
                return
            reader = self._take()
            try:
                reader.execute("BEGIN")
                yield reader
            finally:
                self._give_back(reader)

    def close(self) -> None:
        """Close all connections; readers in use are closed when they are returned."""
        with self._turn, self._pool:
            if not self._closed:
                self._closed = True
                for connection in (*self._idle, self._writer):
                    connection.close()
                self._idle.clear()

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            register_functions(connection)
            self._switch_to_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{cache_kib}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
        self._made.append(connection)
        return connection

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Switch a new file to WAL mode; other files, and in-memory stores, do not change.

        The switch locks the file twice, first to read and then to write, so SQLite does not wait for the second lock: two
        connections that both read would wait for each other. The connection that is refused tries again until its timeout.
        """
        end = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(WAL_SWITCH_PAUSE)
            else:
                return

    def _take(self) -> sqlite3.Connection:
        with self._pool:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return self._connect(READER_CACHE_KIB)

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):  # an error may have ended the transaction already
            reader.execute("ROLLBACK")
        with self._pool:
            if self._closed or len(self._idle) >= READERS_KEPT:
                self._made.remove(reader)
                reader.close()
            else:
                self._idle.append(reader)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the store {self.path} is closed")
        if self._file is not None and _identify_file(self.path) != self._file:
            raise StoreUnavailable(f"another file has replaced the store {self.path}: put it back, or start meshline again")

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate errors of SQLite to those of `meshline.errors`; programming errors are raised unchanged."""
        try:
            yield
        except UnicodeDecodeError as error:  # in a text from SQLite
            raise StoreCorrupt(f"{self.path} is damaged ({error}): restore it from a backup") from error
        except (Damaged, sqlite3.Error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte: without the extension
            if isinstance(error, Damaged) or str(error) == RAISED:
                raise StoreCorrupt(f"{self.path} is damaged (a row does not fit its checksum): restore it from a backup") from error
            if code in _CORRUPT or _DAMAGED.search(str(error)):
                raise StoreCorrupt(f"{self.path} is damaged or not a store of meshline ({error}): restore it from a backup") from error
            if code in _UNAVAILABLE:
                raise StoreUnavailable(f"the store {self.path} does not answer ({error}): {_UNAVAILABLE[code]}") from error
            if code == sqlite3.SQLITE_ERROR and not self.in_memory:  # the schema may have been damaged after the file was opened
                with closing(sqlite3.connect(self.path)) as connection:
                    _check_schema(connection, self.path)
            raise


def _identify_file(path: str) -> tuple[int, int]:
    """The device and inode of the file. SQLite would continue to write to a file that was removed, where the data would be lost."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise StoreUnavailable(f"the store {path} is gone ({error.strerror}): put it back, or start meshline again") from error
    return found.st_dev, found.st_ino


def _close_all(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the schema up to date; PRAGMA user_version is its version. Raises StoreCorrupt."""
    connection.execute("BEGIN")  # one snapshot: another process may be creating the schema now
    try:
        version = _read_version(connection, path)
    finally:
        connection.execute("ROLLBACK")
    if version == NEWEST_SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _read_version(connection, path)  # read again: another process may have been first
        for statement in [statement for number, script in MIGRATIONS.items() if number > version for statement in script]:
            connection.execute(statement)
        connection.execute(SQL["put_tombstone"], (EMPTY.digest, EMPTY.blob))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {NEWEST_SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _check_structure(connection: sqlite3.Connection, path: str) -> None:
    """Check what checksums of rows cannot show: rows that are lost, or out of order. Raises StoreCorrupt.

    It takes a tenth of the time that the graph takes to load; in a large file, the tables that grow with events are left out.
    """
    _check_schema(connection, path)
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    checks = ["PRAGMA integrity_check(1)"]
    if size > WHOLE_BYTES:
        tables = [name for (name,) in connection.execute(MAINTENANCE["tables"])]
        checks = [f"PRAGMA integrity_check('{name}')" for name in tables if name not in NOT_CHECKED]
    for check in checks:
        (found,) = connection.execute(check).fetchone()
        if found != "ok":
            raise StoreCorrupt(f"{path} is damaged ({found.splitlines()[0]}): restore a backup; `meshline store check` shows more")


def _check_schema(connection: sqlite3.Connection, path: str) -> None:
    """Check that each table and index is defined as the migrations define it: a damaged definition may still be valid SQL, with
    other names, types or order. Raises StoreCorrupt.
    """
    altered = {name for _, name, _ in _read_schema(connection) ^ _list_expected_schema()}
    if altered:
        raise StoreCorrupt(f"{path} is damaged (its schema is altered: {', '.join(sorted(altered))}): restore it from a backup")


def _read_schema(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str | None]]:
    """(type, name, SQL) of each table and index; not SQLite's own."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'")
    return frozenset(rows.fetchall())


@cache
def _list_expected_schema() -> frozenset[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(MEMORY, isolation_level=None)) as connection:
        register_functions(connection)
        _migrate(connection, MEMORY)
        return _read_schema(connection)


def _read_version(connection: sqlite3.Connection, path: str) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID and (application or version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone()):
        raise StoreCorrupt(f"{path} is a database of another program: give the store a file of its own")
    if version > NEWEST_SCHEMA:
        raise StoreCorrupt(
            f"{path} has schema version {version}, and this meshline knows {NEWEST_SCHEMA}: use the newer meshline that wrote it"
        )
    if 0 < version < OLDEST_SCHEMA:
        raise StoreCorrupt(
            f"{path} has schema version {version}, and this meshline reads {OLDEST_SCHEMA} and newer: "
            "use the older meshline that wrote it, or ingest its sources into a new file"
        )
    assert isinstance(version, int)
    return version
