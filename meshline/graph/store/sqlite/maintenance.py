"""Maintenance of a store's file: check it, compact it, back it up.

The checks are SQLite's own and those of references between rows. Compaction drops unreferenced rows and changes no answer.
A backup is a snapshot of the store in a file of its own, made while other processes read and write.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from meshline.errors import InvalidInput, StoreCorrupt, StoreUnavailable
from meshline.graph.model import Content, Scope
from meshline.graph.own_files import sync_folder
from meshline.graph.store.base import Examine, Pruned, Retention, RunRole, StoredRecord
from meshline.graph.store.compression import compress_bytes, decompress_bytes
from meshline.graph.store.head_table import format_scope
from meshline.graph.store.integrity import Check, Findings, find_content_problem
from meshline.graph.store.packed_times import PACKED_BEFORE, Block
from meshline.graph.store.sqlite import reader
from meshline.graph.store.sqlite.checksums import register_functions
from meshline.graph.store.sqlite.connection import Connections
from meshline.graph.store.sqlite.packed_times import count_blocks, list_packed_problems
from meshline.graph.store.sqlite.pruner import prune
from meshline.graph.store.sqlite.reader import HeadRow, build_empty_head
from meshline.graph.store.sqlite.sql import MAINTENANCE, SQL, TABLES, expand_sql

BUSY_SECONDS = 10.0
SCOPES = 2000  # heads folded at once
REFERENCES = ("observation", "packed_times", "head", "run", "pair", "run_summary", "run_asset", "event", "document")


def list_file_checks(path: str, advance: Callable[[int], None] = lambda _: None) -> Iterator[Check]:
    """Run all checks on one snapshot of the file. Safe while other processes write."""
    connections = Connections(path, BUSY_SECONDS, unchecked=True)
    try:
        with connections.begin_reading() as connection:
            yield _check_integrity(connection)
            yield _check_rows(connection)
            yield check_references(connection)
            yield _check_contents(connection, advance)
            yield _check_heads(connection, advance)
            yield _check_packed_times(connection)
            yield _check_revisions(connection)
            yield _check_run_states(connection)
            yield _check_run_lists(connection, advance)
    finally:
        connections.close()


def _check_integrity(connection: sqlite3.Connection) -> Check:
    """SQLite's own check of every page and index, with the search tables; see https://sqlite.org/pragma.html#pragma_integrity_check."""
    found = Findings("file: pages, rows and indexes are sound (SQLite's integrity check)")
    (found.count,) = connection.execute("PRAGMA page_count").fetchone()
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            found.add_problem(str(line))
    return found.build_check()


def _check_rows(connection: sqlite3.Connection) -> Check:
    found = Findings("rows: each fits its checksum")
    for table in TABLES:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        found.count += rows
        try:
            (wrong,) = connection.execute(expand_sql(f"SELECT count(*) FROM {table} WHERE NOT fits_{table}({table})")).fetchone()  # noqa: S608
        except sqlite3.DatabaseError as error:
            found.add_problem(f"{table} cannot be read: {error}")
        else:
            if wrong:
                found.add_problem(f"{wrong} rows of {table} do not fit their checksum")
    return found.build_check()


def check_references(connection: sqlite3.Connection) -> Check:
    """Check that every row exists that other rows refer to."""
    found = Findings("references: each row that others refer to exists")
    for table in REFERENCES:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        (dangling,) = connection.execute(MAINTENANCE[f"dangling_{table}"]).fetchone()
        found.count += rows
        if dangling:
            found.add_problem(f"{dangling} rows of {table} refer to rows that do not exist")
    return found.build_check()


def _check_contents(connection: sqlite3.Connection, advance: Callable[[int], None]) -> Check:
    found = Findings("contents: each can be read and fits its digest")
    for number, digest, deflated, blob in connection.execute(MAINTENANCE["all_contents"]):
        found.count += 1
        try:
            problem = find_content_problem(Content(digest, decompress_bytes(deflated, blob)))
        except StoreCorrupt as error:
            problem = str(error)
        if problem is not None:
            found.add_problem(f"content {number} {problem}")
        if found.count % 1000 == 0:
            advance(1000)
    return found.build_check()


def _check_heads(connection: sqlite3.Connection, advance: Callable[[int], None]) -> Check:
    """Check that each head is the one that follows from all observations of its scope."""
    found = Findings("heads: each follows from the observations of its scope")
    after = 0
    while rows := connection.execute(MAINTENANCE["head_rows_from"], (after, SCOPES)).fetchall():
        heads = [HeadRow(*row) for row in rows]
        after = heads[-1].scope
        try:
            folded = reader.fold_heads(connection, [head.scope for head in heads])
        except sqlite3.DatabaseError:
            found.add_problem(f"what scopes {heads[0].scope} to {after} state cannot be read: a row does not fit its checksum")
            continue
        for head in heads:
            now = folded.get(head.scope, build_empty_head(head.scope))
            if (head.has_content or now.has_content) and head != now:
                found.add_problem(f"the head of scope {head.scope} is {_describe_head(head)}, by its observations {_describe_head(now)}")
        found.count += len(heads)
        advance(len(heads))
    (without,) = connection.execute(MAINTENANCE["observed_without_head"]).fetchone()
    if without:
        found.add_problem(f"{without} scopes have observations and no head")
    return found.build_check()


def _describe_head(head: HeadRow) -> str:
    return f"content {head.content} since {head.valid_from}" if head.has_content else "nothing"


def _check_packed_times(connection: sqlite3.Connection) -> Check:
    found = Findings("packed times: they can be read, ascend, and lie between equal statements")
    found.count = count_blocks(connection)
    for problem in list_packed_problems(connection):
        found.add_problem(problem)
    return found.build_check()


def _check_revisions(connection: sqlite3.Connection) -> Check:
    found = Findings("revisions: without gaps, and no head is newer than the newest")
    kept, first, newest = connection.execute(MAINTENANCE["change_span"]).fetchone()
    (greatest,) = connection.execute(MAINTENANCE["greatest_head_revision"]).fetchone()
    found.count = newest
    if kept and newest - first + 1 != kept:
        found.add_problem(f"{kept} revisions are listed between {first} and {newest}")
    if greatest > newest:
        found.add_problem(f"a head is of revision {greatest}, and the newest is {newest}")
    return found.build_check()


def _check_run_states(connection: sqlite3.Connection) -> Check:
    found = Findings("runs: the state of each can be read")
    for number, deflated, state in connection.execute(MAINTENANCE["all_states"]):
        found.count += 1
        try:
            decompress_bytes(deflated, state)
        except StoreCorrupt as error:
            found.add_problem(f"run {number}: {error}")
    return found.build_check()


def _check_run_lists(connection: sqlite3.Connection, advance: Callable[[int], None]) -> Check:
    """Check that each indexed run is in the lists of its job and its datasets, and that these have no other entries."""
    found = Findings("runs: each is in the lists of its job and its datasets")
    listed = after = 0
    while rows := connection.execute(MAINTENANCE["summaries_from"], (after, SCOPES)).fetchall():
        for number, job, begun, *datasets in rows:
            try:
                reads, writes = map(reader.decode_list, datasets)
            except StoreCorrupt as error:
                found.add_problem(f"run {number}: {error}")
                continue
            for asset, role in [(job, RunRole.JOB), *((one, RunRole.READS) for one in reads), *((one, RunRole.WRITES) for one in writes)]:
                (there,) = connection.execute(MAINTENANCE["run_assets_exist"], (asset, role.value, begun, number)).fetchone()
                listed += there
                if not there:
                    found.add_problem(f"run {number} is missing in a list")
        after = rows[-1][0]
        found.count += len(rows)
        advance(len(rows))
    (entries,) = connection.execute(MAINTENANCE["count_run_assets"]).fetchone()
    if entries > listed:
        found.add_problem(f"lists of runs have {entries - listed} entries that belong to no run")
    return found.build_check()


COMPACTION_BUSY_SECONDS = 2.0


class Compacted(NamedTuple):
    """The numbers of dropped contents, labels and raw events, what was pruned, and the size before and after, in bytes with the WAL."""

    contents: int
    labels: int
    raw: int
    pruned: Pruned
    before: int
    after: int


def compact_file(path: str, raw_before: int, retention: Retention, examine: Examine) -> Compacted:
    """Drop raw events received before a time (microseconds), what is past its retention, and unreferenced contents and labels.

    `retention`, `examine`: as of `Store.prune_history`. Contents are left over when a run's final statements differ from its provisional
    ones. Compaction needs exclusive access, since a process that has the file open caches the ids of rows and would reuse them: raises
    StoreUnavailable if there is one.
    """
    Connections(path, COMPACTION_BUSY_SECONDS).close()  # checks that it is a store, and migrates it
    before = _measure_size(path)
    with closing(sqlite3.connect(path, timeout=COMPACTION_BUSY_SECONDS, isolation_level=None)) as connection:
        register_functions(connection)
        _lock_file(connection, path)
        with _begin_transaction(connection):
            _ensure_references(connection, path)
            pruned = prune(retention, examine, lambda: nullcontext(connection), lambda: nullcontext(connection))
            contents = connection.execute(MAINTENANCE["remove_unused_contents"]).rowcount
            labels = connection.execute(MAINTENANCE["remove_unused_labels"]).rowcount
            raw = connection.execute(MAINTENANCE["remove_old_raw"], (raw_before,)).rowcount
            connection.execute(MAINTENANCE["remove_old_events"])
            _ensure_references(connection, path)
            for (table,) in connection.execute(MAINTENANCE["search_tables"]).fetchall():
                connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608 - our own names
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")
    return Compacted(contents, labels, raw, pruned, before, _measure_size(path))


@contextmanager
def _begin_transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _ensure_references(connection: sqlite3.Connection, path: str) -> None:
    """Raises StoreCorrupt if a row refers to one that does not exist: then nothing is dropped."""
    check = check_references(connection)
    if not check.passed:
        raise StoreCorrupt(f"{path} is not sound, so nothing was dropped ({'; '.join(check.problems)}): see `meshline store check`")


def _lock_file(connection: sqlite3.Connection, path: str) -> None:
    """Lock the file for this connection until it is closed. Raises StoreUnavailable.

    Leaving WAL mode fails if another process has the file open (https://sqlite.org/wal.html), and exclusive locking keeps
    others from opening it: they wait, and then raise an error.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode == "wal":
        raise StoreUnavailable(f"another process has {path} open: stop the servers that use it, then compact it")


def _measure_size(path: str) -> int:
    return sum(each.stat().st_size for each in (Path(path), Path(f"{path}-wal")) if each.exists())


EXISTS = "a file of this name exists: use another name, or --overwrite"


def back_up_file(path: str, to: Path, *, overwrite: bool = False) -> int:
    """Copy a store's file; the number of bytes written. The copy gets its name when it is complete and on disk, never before.

    Raises InvalidInput if a file of that name exists (unless `overwrite`), StoreUnavailable if the copy cannot be written.
    """
    with create_file(to, overwrite=overwrite) as part:
        _copy(path, part)
    return to.stat().st_size


@contextmanager
def create_file(to: Path, *, overwrite: bool) -> Iterator[Path]:
    """In this block, a temporary path in the folder of a new file, which gets the file's name at the end. Errors as of `backup`."""
    if to.exists() and not overwrite:
        raise InvalidInput(EXISTS, str(to))
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        yield part
        _name_file(part, to, overwrite=overwrite)
    except FileExistsError as error:
        raise InvalidInput(EXISTS, str(to)) from error
    except OSError as error:
        raise StoreUnavailable(f"the copy {to} cannot be written: {error.strerror or error}") from error
    finally:
        for leftover in ("", "-wal", "-shm", "-journal"):
            Path(f"{part}{leftover}").unlink(missing_ok=True)


def _copy(path: str, part: Path) -> None:
    """Copy all pages in one step, under one read transaction: writers continue meanwhile, into the WAL.

    See https://sqlite.org/backup.html: in smaller steps the copy would start again at each commit.
    """
    connections = Connections(path, BUSY_SECONDS)
    try:
        with connections.begin_reading() as source:
            _fill(source, part)
    finally:
        connections.close()


def _fill(source: sqlite3.Connection, part: Path) -> None:
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            source.backup(target, pages=-1)
        leave_wal_mode(part)
    except sqlite3.OperationalError as error:  # no folder or no space; damage of the source is another error
        raise StoreUnavailable(f"the copy {part} cannot be written ({error}): check that its folder exists and has space") from error


def leave_wal_mode(path: Path) -> None:
    """Turn a store that no process has open into a single file, without WAL."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _name_file(part: Path, to: Path, *, overwrite: bool) -> None:
    """Give a complete file its name, durably. Raises FileExistsError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if overwrite:
        part.replace(to)
    else:
        os.link(part, to)  # fails if the name exists, unlike a rename
    sync_folder(to.parent)


class PackedTimes(NamedTuple):
    """Packed times of a scope of another store. `block`: its `scope` has no meaning, its content is a digest (16 bytes)."""

    source: str
    scope: Scope
    block: Block[bytes]


def fill_packed_times(path: str, before: int, packed: Iterable[PackedTimes]) -> None:
    """Copy the packed times of another store into a new one that has its statements already. `before`: the time before which there may be
    some (microseconds).
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        register_functions(connection)
        with _begin_transaction(connection):
            rows = ((source, format_scope(scope), *block[1:]) for source, scope, block in packed)
            connection.executemany(MAINTENANCE["copy_packed_times"], rows)
            connection.execute(SQL["put_setting"], (PACKED_BEFORE, str(before)))


def fill_history(path: str, dropped: Iterable[tuple[int, int]], records: Iterable[StoredRecord], last: int) -> None:
    """Copy what another store knows of its history into a new one: the digests of dropped runs with the day on which each was dropped, and
    the journal with its positions, to which settings may refer. `last`: the last position that was used.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        register_functions(connection)
        with _begin_transaction(connection):
            connection.executemany(SQL["add_dropped_runs"], dropped)
            rows = ((position, kind, key or None, at, *compress_bytes(body)) for position, (kind, key, at, body) in records)
            connection.executemany(MAINTENANCE["copy_records"], rows)
            connection.execute(MAINTENANCE["forget_last_record"])
            connection.execute(MAINTENANCE["put_last_record"], (last,))
