"""Is the file sound? What SQLite itself finds, and what our rows promise each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from meshline.errors import StoreCorrupt
from meshline.graph.model import Content
from meshline.graph.store.checking import Check, Findings, content_problem
from meshline.graph.store.packing import unpack
from meshline.graph.store.sqlite import reading
from meshline.graph.store.sqlite.checksums import TABLES, expanded
from meshline.graph.store.sqlite.connections import Connections
from meshline.graph.store.sqlite.folding import HeadRow, silent
from meshline.graph.store.sqlite.queries import MAINTENANCE

BUSY_SECONDS = 10.0
SCOPES = 2000  # heads folded at once
REFERENCES = ("observation", "head", "run", "pair", "document")


def file_checks(path: str, advance: Callable[[int], None] = lambda _: None) -> Iterator[Check]:
    """All checks of one moment of the file. Safe while others write."""
    connections = Connections(path, BUSY_SECONDS, unchecked=True)
    try:
        with connections.reading() as connection:
            yield _integrity(connection)
            yield _rows(connection)
            yield references(connection)
            yield _contents(connection, advance)
            yield _folds(connection, advance)
            yield _revisions(connection)
            yield _states(connection)
    finally:
        connections.close()


def _integrity(connection: sqlite3.Connection) -> Check:
    """SQLite's own look at every page and index, the search tables included; see https://sqlite.org/pragma.html#pragma_integrity_check."""
    found = Findings("file: pages, rows and indexes are sound (SQLite's integrity check)")
    (found.count,) = connection.execute("PRAGMA page_count").fetchone()
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            found.problem(str(line))
    return found.check()


def _rows(connection: sqlite3.Connection) -> Check:
    found = Findings("rows: each fits its checksum")
    for table in TABLES:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        found.count += rows
        try:
            (wrong,) = connection.execute(expanded(f"SELECT count(*) FROM {table} WHERE NOT fits_{table}({table})")).fetchone()  # noqa: S608
        except sqlite3.DatabaseError as error:
            found.problem(f"{table} cannot be read: {error}")
        else:
            if wrong:
                found.problem(f"{wrong} rows of {table} are not as they were written")
    return found.check()


def references(connection: sqlite3.Connection) -> Check:
    """Whether all is there that rows of the file name."""
    found = Findings("references: what a row names is there")
    for table in REFERENCES:
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
        (dangling,) = connection.execute(MAINTENANCE[f"dangling_{table}"]).fetchone()
        found.count += rows
        if dangling:
            found.problem(f"{dangling} rows of {table} name what is not there")
    return found.check()


def _contents(connection: sqlite3.Connection, advance: Callable[[int], None]) -> Check:
    found = Findings("contents: each can be read and fits its digest")
    for number, digest, deflated, blob in connection.execute(MAINTENANCE["all_contents"]):
        found.count += 1
        try:
            problem = content_problem(Content(digest, unpack(deflated, blob)))
        except StoreCorrupt as error:
            problem = str(error)
        if problem is not None:
            found.problem(f"content {number} {problem}")
        if found.count % 1000 == 0:
            advance(1000)
    return found.check()


def _folds(connection: sqlite3.Connection, advance: Callable[[int], None]) -> Check:
    """Heads are derived: made anew from all observations they are the same."""
    found = Findings("heads: each is what the scope's observations make")
    after = 0
    while rows := connection.execute(MAINTENANCE["head_rows_from"], (after, SCOPES)).fetchall():
        heads = [HeadRow(*row) for row in rows]
        after = heads[-1].scope
        try:
            folded = reading.folded(connection, [head.scope for head in heads])
        except sqlite3.DatabaseError:
            found.problem(f"what scopes {heads[0].scope} to {after} state cannot be read: a row does not fit its checksum")
            continue
        for head in heads:
            now = folded.get(head.scope, silent(head.scope))
            if (head.speaks or now.speaks) and head != now:
                found.problem(f"scope {head.scope} shows {_told(head)}, and its observations make {_told(now)}")
        found.count += len(heads)
        advance(len(heads))
    (without,) = connection.execute(MAINTENANCE["observed_without_head"]).fetchone()
    if without:
        found.problem(f"{without} scopes have observations and no head")
    return found.check()


def _told(head: HeadRow) -> str:
    return f"content {head.content} since {head.valid_from}" if head.speaks else "nothing"


def _revisions(connection: sqlite3.Connection) -> Check:
    found = Findings("revisions: without a gap, and no head is newer than the newest")
    kept, first, newest = connection.execute(MAINTENANCE["change_span"]).fetchone()
    (greatest,) = connection.execute(MAINTENANCE["greatest_head_revision"]).fetchone()
    found.count = newest
    if kept and newest - first + 1 != kept:
        found.problem(f"{kept} revisions are listed between {first} and {newest}")
    if greatest > newest:
        found.problem(f"a head is of revision {greatest}, and the newest is {newest}")
    return found.check()


def _states(connection: sqlite3.Connection) -> Check:
    found = Findings("runs: the state of each can be read")
    for number, deflated, state in connection.execute(MAINTENANCE["all_states"]):
        found.count += 1
        try:
            unpack(deflated, state)
        except StoreCorrupt as error:
            found.problem(f"run {number}: {error}")
    return found.check()
