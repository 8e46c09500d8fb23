"""The projector: brings the graph for people after the commits, in batches.

A commit leaves a :Change, the scopes that it changed and the contents that it added. The projector draws the newest state of those
scopes, so that what a scope stated in between costs nothing, and writes in the same transaction up to which revision it is complete
(:Projection). A crash at any time leaves changes that are drawn later. Any number of processes may project: the lock of :Projection
lets one of them draw, and the others then find that it is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from meshline.errors import MeshlineError
from meshline.graph.content import build_keys, decode_layout
from meshline.graph.model import AssetKey, parse_source_kind
from meshline.graph.store.base import Projection
from meshline.graph.store.neo4j import reader
from meshline.graph.store.neo4j.assertions import NOTHING, Assertions, decode_assertions
from meshline.graph.store.neo4j.connection import Connection, Transaction, read_rows, run_in_chunks, run_query, start_query
from meshline.graph.store.neo4j.cypher import format_time, get_cypher
from meshline.graph.store.neo4j.projection import ScopeChange, write_projection
from meshline.graph.store.neo4j.reader import ScopeRow
from meshline.graph.store.neo4j.records import Contents, read_counters
from meshline.graph.store.neo4j.search_names import compute_digest

log = logging.getLogger("meshline.store")

CHANGES = 500  # commits that are drawn together
SCOPES = 200  # of one transaction: commits that wait for room wait for one, and Java's garbage collector copies what a large one has
CONTENTS = 2_000  # new contents of one transaction

IDLE_SECONDS = 0.1  # without a commit, until the projection follows
INTERVAL_SECONDS = 1.0  # between two batches while commits go on: what is stated again meanwhile is drawn once
LATE_SECONDS = 2.0  # behind: then commits wait for the projection, so that it stays within five while it draws in three what two bring
WAIT_SECONDS = 5.0  # that one commit waits at most
FOREIGN_SECONDS = 3.0  # until changes of another process are drawn here, if that does not
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 60.0  # that the end of a process waits for the projection

_DIGEST_BYTES = 16


class Pending(NamedTuple):
    """The first commits that are not drawn. `base`: the revision that is drawn; `revision`: the last of these commits."""

    base: int
    revision: int
    rows: Sequence[ScopeRow]  # the scopes that they changed, as they are now
    contents: Sequence[bytes]  # digests of the contents that they added and that these scopes do not have: of these the names are drawn

    @property
    def is_empty(self) -> bool:
        return self.revision == self.base


def read_pending(tx: Transaction) -> Pending:
    """Read what is to be drawn. Call it under the lock."""
    base, changes = run_query(tx, get_cypher("pending_changes"), limit=CHANGES)
    scopes: dict[int, None] = {}
    digests: dict[bytes, None] = {}
    revision, everything = base, len(changes) < CHANGES
    for number, of_one, added in changes:
        if scopes and len(scopes) + len(of_one) > SCOPES:
            everything = False
            break
        scopes.update(dict.fromkeys(of_one))
        digests.update(dict.fromkeys(split_digests(added)))
        revision = number
    if everything:  # also the commits after these that changed no statements
        revision = read_counters(tx).revision
    rows = reader.read_scopes(tx, scopes)
    active = {row.content_digest for row in rows}
    return Pending(base, revision, rows, [digest for digest in digests if digest not in active])


def split_digests(joined: bytes) -> Iterator[bytes]:
    """The digests of the contents in a :Change."""
    return (bytes(joined[at : at + _DIGEST_BYTES]) for at in range(0, len(joined), _DIGEST_BYTES))


def read_projection(tx: Transaction) -> Projection:
    """How far the graph for people is."""
    newest, drawn, behind = run_query(tx, get_cypher("projection"))
    return Projection(newest, drawn, max(behind, 0) / 1000)


class Projector:
    """Draws for one process. The thread begins with the first change."""

    def __init__(self, connection: Connection, contents: Contents) -> None:
        self._connection = connection
        self._contents = contents
        self._turn = threading.Condition()
        self._waiting: deque[tuple[int, float]] = deque()  # revisions that are not known to be drawn, and when they were committed
        self._newest = 0  # the last revision of this process or, as far as it was read, of others
        self._drawn = 0
        self._failed = False  # the last batch
        self._stalled = False  # a commit has waited in vain since the last batch
        self._closed = False
        self._thread: threading.Thread | None = None

    def record_commit(self, revision: int) -> None:
        """Draw a commit of this process soon."""
        with self._turn:
            if revision > self._newest:
                self._newest = revision
                self._waiting.append((revision, time.monotonic()))
                self._start()

    def record_revision(self, revision: int) -> None:
        """See that a revision of another process is drawn, if that process does not do it."""
        if revision > self._newest:
            with self._turn:
                if revision > self._newest:
                    self._newest = revision
                    self._waiting.append((revision, time.monotonic() + FOREIGN_SECONDS))
                    self._start()

    def wait_for_room(self) -> None:
        """Wait while the projection is too far behind; not for one that fails or does not move, such as of a process that is frozen with
        the lock: commits are durable without it.
        """
        with self._turn:
            drawn, end = self._drawn, time.monotonic() + WAIT_SECONDS
            while self._is_late() and (left := end - time.monotonic()) > 0:
                self._turn.wait(left)
            if self._is_late() and self._drawn == drawn:
                self._stalled = True
                log.warning("the graph for people has not moved for %g seconds: commits go on without it until it does", WAIT_SECONDS)
                self._turn.notify_all()

    def complete(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Draw everything that is committed now. False if that takes longer."""
        end = time.monotonic() + seconds
        target = self._connection.read(lambda tx: read_counters(tx).revision)
        while self._drawn < target:
            if time.monotonic() > end:
                return False
            self._draw_pending()
        return True

    def close(self) -> None:
        """End the thread, and draw what is left, as far as the server answers and time allows."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        if self._thread is None:
            return
        self._thread.join()
        try:
            if self._waiting and not self.complete():
                state = self._connection.read(read_projection)
                log.warning(
                    "the graph for people shows revision %d of %d: the next process that writes completes it", state.drawn, state.revision
                )
        except MeshlineError as error:
            log.warning("the graph for people is behind: %s", error)

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="meshline-projector", daemon=True)
            self._thread.start()
        self._turn.notify_all()

    def _is_late(self) -> bool:
        first = self._waiting[0][1] if self._waiting else float("inf")
        return not (self._failed or self._stalled or self._closed) and time.monotonic() - first > LATE_SECONDS

    def _run(self) -> None:
        while self._wait_until_due():
            try:
                self._draw_pending()
            except Exception as error:
                with self._turn:
                    if not self._failed:  # once for each time that it fails
                        log.warning("the graph for people is behind: %s", error, exc_info=not isinstance(error, MeshlineError))
                    self._failed = True
                    self._turn.notify_all()
                    if not self._closed:
                        self._turn.wait(RETRY_SECONDS)

    def _wait_until_due(self) -> bool:
        """Wait until there is something to draw, no commit has come for a moment or the first waits for long; False at the end."""
        with self._turn:
            while not self._closed:
                now = time.monotonic()
                due = min(self._waiting[0][1] + INTERVAL_SECONDS, self._waiting[-1][1] + IDLE_SECONDS) if self._waiting else None
                if due is not None and due <= now:
                    return True
                self._turn.wait(None if due is None else due - now)
            return False

    def _draw_pending(self) -> None:
        """Draw the first commits that are not drawn."""
        pending = self._connection.read_locked(read_pending)
        drawn = pending.revision
        if not pending.is_empty and not self._draw(pending):
            drawn = pending.base  # another process was quicker
        with self._turn:
            self._drawn = max(self._drawn, drawn)
            self._newest = max(self._newest, self._drawn)
            self._failed = self._stalled = False
            while self._waiting and self._waiting[0][0] <= self._drawn:
                self._waiting.popleft()
            self._turn.notify_all()

    def _draw(self, pending: Pending) -> bool:
        """Draw in transactions of a bounded size; the last states how far this is. False if another process has drawn."""
        rows, digests = iter(pending.rows), iter(pending.contents)
        left_rows, left_digests = len(pending.rows), len(pending.contents)
        while True:
            some_rows, some_digests = list(islice(rows, SCOPES)), list(islice(digests, CONTENTS))
            left_rows, left_digests = left_rows - len(some_rows), left_digests - len(some_digests)
            last = not left_rows and not left_digests
            work = partial(self._draw_part, pending.base, some_rows, some_digests, pending.revision if last else None)
            if not self._connection.write(work):
                return False
            if last:
                return True

    def _draw_part(self, base: int, rows: Sequence[ScopeRow], digests: Sequence[bytes], revision: int | None, tx: Transaction) -> bool:
        if run_query(tx, get_cypher("lock_projection"))[0] != base:
            return False
        draw_scopes(tx, self._contents, rows, digests)
        if revision is not None:
            start_query(tx, get_cypher("set_projection"), {"revision": revision}).consume()
        return True


def draw_scopes(tx: Transaction, contents: Contents, rows: Sequence[ScopeRow], added: Sequence[bytes]) -> None:
    """Draw scopes as they are, whatever was drawn of them before, and the names in added contents."""
    drawn: dict[int, list[object]] = {}
    if rows:
        drawn = {number: state for number, *state in read_rows(tx, get_cypher("drawn_scopes"), ids=[row.id for row in rows])}
    changed = [row for row in rows if drawn.get(row.id) != _list_drawn(row)]
    before = {row.id: _find_digest(drawn.get(row.id)) for row in changed}
    needed = {digest for row in changed for digest in (row.content_digest, before[row.id]) if digest is not None}
    blobs = contents.read(tx, {*needed, *added})
    run_in_chunks(tx, get_cypher("add_drawn_scopes"), [_build_scope_row(row) for row in changed if row.id not in drawn])
    run_in_chunks(tx, get_cypher("set_drawn_scopes"), [_build_drawn_row(row) for row in changed])

    def decode(digest: bytes | None) -> Assertions:
        return NOTHING if digest is None else decode_assertions(blobs[digest])

    changes = [
        ScopeChange(
            row.id, row.source, _find_time(drawn.get(row.id)), row.observed or 0, decode(before[row.id]), decode(row.content_digest)
        )
        for row in changed
    ]
    names: dict[AssetKey, None] = {}
    for digest in added:
        names.update(dict.fromkeys(build_keys(decode_layout(blobs[digest]))))
    write_projection(tx, contents, changes, names)


def remove_implied(connection: Connection, contents: Contents) -> None:
    """Remove the relationships for which others stand since schema 7, of all scopes that an earlier version has drawn."""
    after = 0
    while ids := connection.read(partial(run_query, text=get_cypher("page_of_drawn_scopes"), after=after, limit=SCOPES))[0]:
        connection.write(partial(_remove_implied, contents=contents, ids=ids))
        after = ids[-1]


def _remove_implied(tx: Transaction, contents: Contents, ids: Sequence[int]) -> None:
    run_query(tx, get_cypher("lock_projection"))
    rows = read_rows(tx, get_cypher("stating_scopes"), ids=ids)
    blobs = contents.read(tx, {bytes.fromhex(digest) for *_, digest in rows})
    drawn = ((scope, decode_assertions(blobs[bytes.fromhex(digest)])) for scope, *_, digest in rows)
    implied = ((scope, [id_ for id_ in of.mentions if id_ not in of.shown and id_ not in of.unlinked]) for scope, of in drawn)
    run_in_chunks(tx, get_cypher("remove_implied"), [[scope, some] for scope, some in implied if some])


def _find_digest(state: Sequence[object] | None) -> bytes | None:
    """The content of a scope as it is drawn."""
    return None if state is None or state[0] is None else bytes.fromhex(str(state[0]))


def _find_time(state: Sequence[object] | None) -> int:
    """When a scope was observed as it is drawn (microseconds); 0 if it is empty."""
    return state[1] if state is not None and isinstance(state[1], int) else 0


def _list_drawn(row: ScopeRow) -> list[object]:
    """The state of a scope as the query `drawn_scopes` returns it once it is drawn."""
    if not row.has_content:
        return [None] * 6
    return [row.digest, row.observed, row.valid_from, row.last_observed, row.version, row.provisional]


def _build_scope_row(row: ScopeRow) -> dict[str, object]:
    return {
        "id": row.id,
        "source": row.source,
        "sourceKey": compute_digest(row.source),
        "sourceKind": parse_source_kind(row.source),
        "kind": row.parts[0] if row.parts else "",
        "parts": row.parts,
    }


def _build_drawn_row(row: ScopeRow) -> dict[str, object]:
    digest, observed, valid_from, last_observed, version, provisional = _list_drawn(row)
    return {
        "id": row.id,
        "digest": digest,
        "observedMicros": observed,
        "observedAt": _format_time(observed),
        "validFromMicros": valid_from,
        "validFrom": _format_time(valid_from),
        "lastObservedMicros": last_observed,
        "lastObserved": _format_time(last_observed),
        "version": version,
        "provisional": provisional,
    }


def _format_time(micros: object) -> str | None:
    return format_time(micros) if isinstance(micros, int) else None
