"""The embedded store: `meshline.graph.store.base.Store` in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise

from meshline.errors import StoreCorrupt
from meshline.graph.model import AssetKey, AssetKind, Content, Interval
from meshline.graph.store.base import (
    Batch,
    Changes,
    Examine,
    Head,
    PastHeads,
    PastReader,
    Projection,
    Pruned,
    Record,
    Retention,
    Run,
    RunGroup,
    RunKey,
    RunPosition,
    RunReader,
    RunRole,
    StoredEvent,
    StoredRecord,
    StoredRun,
)
from meshline.graph.store.compression import decompress_bytes
from meshline.graph.store.sqlite import reader, search_index
from meshline.graph.store.sqlite.connection import MEMORY, Connections
from meshline.graph.store.sqlite.packed_times import refine_heads, refine_past_heads
from meshline.graph.store.sqlite.pruner import prune
from meshline.graph.store.sqlite.sql import SQL
from meshline.graph.store.sqlite.writer import Writer

BUSY_SECONDS = 8.0  # less than the grace period of requests when a server stops, so that they fail for this reason


class SqliteStore:
    """A store in one file (created if absent), or, with the path `:memory:`, in memory.

    Thread-safe. While another process writes to the file, calls wait for at most `busy_timeout` seconds, and then
    raise StoreUnavailable. Raises StoreCorrupt for a damaged or foreign file.
    """

    def __init__(self, path: str = MEMORY, busy_timeout: float = BUSY_SECONDS) -> None:
        self._connections = Connections(path, busy_timeout)
        self._writer = Writer()
        self._turn = threading.RLock()

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        with self._turn:
            self._writer.forget()  # ids of a commit that failed
            with self._connections.begin_writing() as connection:
                run_reader = reader.SqliteRunReader(connection)
                changes = self._writer.apply(connection, build(run_reader), run_reader)
            self._writer.keep(changes.revision)
            return changes

    def iterate_heads(self, as_of: int | None = None) -> Iterator[Sequence[Head]]:
        if self._connections.in_memory:  # the single connection cannot stay locked while the caller iterates
            with self._connections.begin_reading() as connection:
                yield from list(_iterate_heads(connection, as_of))
        else:
            with self._connections.begin_reading() as connection:
                yield from _iterate_heads(connection, as_of)
                connection.execute("PRAGMA shrink_memory")  # what is read once does not stay in the cache

    @contextmanager
    def open_past(self, as_of: int) -> Iterator[PastReader]:
        with self._connections.begin_reading() as connection:
            yield _PastReader(connection, as_of)

    def read_changes(self, since: int) -> Changes:
        with self._connections.begin_reading() as connection:
            return reader.read_changes(connection, since)

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        with self._connections.begin_reading() as connection:
            return reader.read_heads(connection, scope_ids) if as_of is None else _PastReader(connection, as_of).read_heads(scope_ids)

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        with self._connections.begin_reading() as connection:
            return reader.read_history(connection, scope_ids)

    def list_changed_scopes(self, since: int) -> Sequence[int]:
        with self._connections.begin_reading() as connection:
            return [number for (number,) in connection.execute(SQL["scopes_valid_from"], (since,))]

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        with self._connections.begin_reading() as connection:
            return search_index.search_assets(connection, terms, kinds, limit)

    def search_texts(self, words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        with self._connections.begin_reading() as connection:
            return search_index.search_texts(connection, words, kinds, limit)

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        with self._connections.begin_reading() as connection:
            return reader.read_runs(connection, keys)

    def list_runs(
        self, assets: Sequence[AssetKey], role: RunRole, before: RunPosition | None = None, limit: int = 100
    ) -> Sequence[StoredRun]:
        with self._connections.begin_reading() as connection:
            return reader.list_runs(connection, assets, role, before, limit)

    def list_last_runs(self, groups: Sequence[RunGroup], role: RunRole, limit: int = 1) -> Sequence[Sequence[StoredRun]]:
        with self._connections.begin_reading() as connection:
            return reader.list_last_runs(connection, groups, role, limit)

    def read_last_states(self, groups: Sequence[RunGroup], role: RunRole) -> Sequence[bytes | None]:
        with self._connections.begin_reading() as connection:
            return reader.read_last_states(connection, groups, role)

    def count_runs(self, assets: Sequence[AssetKey], role: RunRole) -> int:
        with self._connections.begin_reading() as connection:
            return reader.count_runs(connection, assets, role)

    def list_runs_by_id(self, run_id: str, limit: int = 100, before: RunPosition | None = None) -> Sequence[StoredRun]:
        with self._connections.begin_reading() as connection:
            return reader.list_runs_by_id(connection, run_id, before, limit)

    def count_runs_by_id(self, run_id: str) -> int:
        with self._connections.begin_reading() as connection:
            (count,) = connection.execute(SQL["count_runs_by_name"], (run_id,)).fetchone()
            assert isinstance(count, int)
            return count

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        with self._connections.begin_reading() as connection:
            found = [reader.build_event(row) for row in connection.execute(SQL["raw"], (after, limit))]
        _check_order(after, [stored.position for stored in found])
        return found

    def prune_raw_events(self, received_before: int) -> int:
        forgotten = 0
        while True:
            with self._connections.begin_writing() as connection:
                connection.execute(SQL["prune_events"], (received_before,))
                part = connection.execute(SQL["prune_raw"], (received_before,)).rowcount
            if part == 0:
                return forgotten
            forgotten += part

    def prune_history(self, retention: Retention, examine: Examine, rest: Callable[[], bool] = lambda: True) -> Pruned:
        return prune(retention, examine, self._connections.begin_reading, self._connections.begin_writing, rest)

    def list_events(self, since: int, until: int, before: tuple[int, int] | None = None, limit: int = 100) -> Sequence[StoredEvent]:
        with self._connections.begin_reading() as connection:
            return reader.list_events(connection, since, until, before, limit)

    def count_events(self, since: int, until: int) -> int:
        with self._connections.begin_reading() as connection:
            (count,) = connection.execute(SQL["count_events"], (since, until)).fetchone()
            assert isinstance(count, int)
            return count

    def read_event_counts(self, since: int, until: int) -> Mapping[tuple[int, str], int]:
        with self._connections.begin_reading() as connection:
            return reader.read_event_counts(connection, since, until)

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        with self._connections.begin_reading() as connection:
            rows = (
                connection.execute(SQL["journal_of_kind"], (after, limit, kind))
                if kind
                else connection.execute(SQL["journal"], (after, limit))
            )
            found = [
                StoredRecord(position, Record(of, key, at, decompress_bytes(deflated, body)))
                for position, of, key, at, deflated, body in rows
            ]
        _check_order(after, [kept.position for kept in found])
        return found

    def read_revision(self) -> int:
        with self._connections.begin_reading() as connection:
            return reader.read_revision(connection)

    def read_projection(self) -> Projection | None:
        return None

    def read_setting(self, name: str) -> str | None:
        with self._connections.begin_reading() as connection:
            row = connection.execute(SQL["setting"], (name,)).fetchone()
            return row[0] if row is not None else None

    def write_setting(self, name: str, value: str) -> None:
        with self._connections.begin_writing() as connection:
            connection.execute(SQL["put_setting"], (name, value))

    def close(self) -> None:
        self._connections.close()


def _iterate_heads(connection: sqlite3.Connection, as_of: int | None) -> Iterator[Sequence[Head]]:
    return reader.iterate_heads(connection) if as_of is None else _PastReader(connection, as_of).iterate_heads()


class _PastReader:
    """Reads the snapshot of one connection."""

    def __init__(self, connection: sqlite3.Connection, as_of: int) -> None:
        self._connection = connection
        self._as_of = as_of

    @property
    def revision(self) -> int:
        return reader.read_revision(self._connection)

    def iterate_heads(self) -> Iterator[Sequence[Head]]:
        for heads in reader.iterate_heads_as_of(self._connection, self._as_of):
            yield refine_heads(self._connection, heads, self._as_of)

    def iterate_times(self, known: int) -> Iterator[PastHeads]:
        for heads in reader.iterate_past_heads(self._connection, self._as_of, known):
            yield refine_past_heads(self._connection, heads, self._as_of)

    def read_heads(self, scope_ids: Sequence[int]) -> Sequence[Head]:
        return refine_heads(self._connection, reader.read_heads_as_of(self._connection, scope_ids, self._as_of), self._as_of)

    def is_of_one_revision(self) -> bool:
        return True


def _check_order(after: int, positions: Sequence[int]) -> None:
    """Raises StoreCorrupt if the positions do not ascend: a caller that pages by the last one would never end."""
    if any(later <= earlier for earlier, later in pairwise([after, *positions])):
        raise StoreCorrupt("positions of events or records do not ascend: the store's file is damaged, restore it from a backup")
