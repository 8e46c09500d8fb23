"""The shared store: `meshline.graph.store.base.Store` in Neo4j 5 (Community, Enterprise, a cluster, Aura).

Any number of processes may write at once: a commit first locks the single :Meta node and increments the
revision in it, so revisions have no gaps and are in the order of commits. A commit writes what answers need. The graph for people
follows (`projector`), and searches read what it lacks from the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from meshline.errors import StoreCorrupt
from meshline.graph.model import AssetKey, AssetKind, Content, Interval
from meshline.graph.store import search_words
from meshline.graph.store.base import (
    Batch,
    Changes,
    Examine,
    Head,
    PastHeads,
    PastReader,
    Projection,
    Pruned,
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
from meshline.graph.store.neo4j import reader, records
from meshline.graph.store.neo4j.commit import commit_batch
from meshline.graph.store.neo4j.connection import ROWS, Address, Connection, Transaction, read_rows, run_in_chunks, run_query
from meshline.graph.store.neo4j.cypher import MIGRATIONS, get_cypher
from meshline.graph.store.neo4j.dropped_runs import move_dropped_runs
from meshline.graph.store.neo4j.pending_search import PendingContents, read_pending_contents
from meshline.graph.store.neo4j.projector import Projector, read_projection, remove_implied
from meshline.graph.store.neo4j.pruner import prune
from meshline.graph.store.neo4j.records import Contents, find_earliest_change, read_counters, read_journal, read_raw_events, read_runs
from meshline.graph.store.neo4j.search_names import build_lucene_choice, build_lucene_query, compute_digest

T = TypeVar("T")

PRUNED_AT_ONCE = 10_000  # raw events
MOVED_AT_ONCE = 200  # scopes of an earlier version


class Neo4jStore:
    """A store in the database at a URL: `neo4j://user:password@host:7687/database`.

    Thread-safe. While the server cannot be reached, every method raises StoreUnavailable; afterwards the same
    object works again. A commit whose connection is lost also raises, although it may have been written:
    commit it again, since repeated statements change nothing (only raw events would be stored twice).
    """

    def __init__(self, url: str) -> None:
        self._connection = Connection(Address.parse(url))
        self._contents = Contents()
        self._projector = Projector(self._connection, self._contents)
        try:
            self._migrate()
            state = self.read_projection()
            if state.drawn < state.revision:  # of a process that ended before it could draw
                self._projector.record_commit(state.revision)
        except BaseException:
            self._connection.close()
            raise

    def _migrate(self) -> None:
        schema: int | None = self._connection.read(lambda tx: run_query(tx, get_cypher("meta"))[0])
        newest = len(MIGRATIONS)
        if schema == newest:
            return
        if schema is not None and schema > newest:
            raise StoreCorrupt(f"the store was written by a newer meshline (schema {schema}, this one knows {newest}): use that version")
        for migration in MIGRATIONS[schema or 0 :]:
            self._connection.define(migration)
        while schema is not None and self._connection.write(_move_scopes):
            pass
        if schema is not None:
            self._add_digests("scopes_with_version", "set_version_digests", 0)
            self._add_digests("runs_with_parent", "set_parent_digests", "")
            self._add_digests("runs_without_id_digest", "set_id_digests", "")
            while self._connection.write(move_dropped_runs):
                pass
            remove_implied(self._connection, self._contents)
        self._connection.write(lambda tx: run_query(tx, get_cypher("make_meta"), schema=newest))

    def _add_digests(self, texts: str, digests: str, first: int | str) -> None:
        """Add the digests of texts by which schemas 5 and 6 find scopes and runs."""
        after = first
        while page := self._connection.read(partial(read_rows, text=get_cypher(texts), after=after, limit=ROWS)):
            rows = [{"of": of, "digest": compute_digest(text)} for of, text in page]
            self._connection.write(partial(run_in_chunks, text=get_cypher(digests), values=rows))
            after = page[-1][0]

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """As `Store.commit`. `build` may be called more than once (a deadlock, a lost connection): it must be pure."""
        self._projector.wait_for_room()
        changes = self._connection.write(lambda tx: commit_batch(tx, self._contents, build))
        self._projector.record_commit(changes.revision)
        return changes

    def iterate_heads(self, as_of: int | None = None) -> Iterator[Sequence[Head]]:
        """As `Store.iterate_heads`. Each batch is a snapshot, but later batches are of later moments.

        So read the revision first, then the heads, then the changes since that revision.
        """
        after: int | None = 0
        while after is not None:
            after, kept = self._connection.read_locked(partial(reader.read_page, after=after, at=as_of))
            for part in reader.split_by_size(kept):
                yield self._connection.read(partial(reader.read_head_table, kept=part))

    @contextmanager
    def open_past(self, as_of: int) -> Iterator[PastReader]:
        yield _PastReader(self, self._connection, as_of)

    def read_changes(self, since: int) -> Changes:
        if (now := self.read_revision()) <= since:
            return Changes(now, [])
        (revision, earliest), kept = self._connection.read_locked(
            lambda tx: (find_earliest_change(tx, since), reader.read_scopes_since(tx, since))
        )
        return Changes(revision, self._connection.read(lambda tx: reader.read_heads(tx, self._contents, kept)), earliest)

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        def read(tx: Transaction) -> list[Head]:
            kept = reader.select_active(tx, reader.read_scopes(tx, scope_ids), as_of)
            return reader.read_heads(tx, self._contents, kept)

        if not scope_ids:
            return []
        return self._read_whole(read) if as_of is None else self._read_past(read, as_of)

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        return self._read_whole(lambda tx: reader.read_histories(tx, self._contents, scope_ids)) if scope_ids else {}

    def _read_whole(self, work: Callable[[Transaction], T]) -> T:
        """Read what refers to something else. Neo4j shows parts of a commit: a statement, and not its content yet; the place of a run that
        is dropped, and not the run any more. Then it is read again when no process commits, and what is missing then is lost. Raises
        StoreCorrupt.
        """
        try:
            return self._connection.read(work)
        except StoreCorrupt:
            return self._connection.read_locked(work)

    def _read_past(self, work: Callable[[Transaction], T], as_of: int) -> T:
        """Read as of a time: while no process packs, if statements of that time may be packed. A process that begins to pack states its
        time before, and packs in later transactions.
        """
        if as_of >= self._read_packed_before():
            found = self._read_whole(work)
            if as_of >= self._read_packed_before():
                return found
        return self._connection.read_locked(work)

    def _read_packed_before(self) -> int:
        return self._connection.read(read_counters).packed_before

    def list_changed_scopes(self, since: int) -> Sequence[int]:
        return sorted(number for (number,) in self._connection.read(lambda tx: read_rows(tx, get_cypher("scopes_valid_from"), since=since)))

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        if not terms or limit <= 0:
            return []
        used = search_words.limit_terms(terms)
        pending = self._read_pending()
        asked = {"query": build_lucene_query(used), "kinds": [kind.value for kind in kinds], "limit": limit, "pending": pending.scopes}
        found = self._connection.read(lambda tx: read_rows(tx, get_cypher("search"), **asked))
        return pending.merge([AssetKey(AssetKind(kind), tuple(parts)) for kind, parts in found], used, kinds, limit)

    def search_texts(self, words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        if not words or limit <= 0:
            return []
        used = search_words.limit_terms(words)
        pending = self._read_pending()
        asked = {"query": build_lucene_choice(used), "kinds": [kind.value for kind in kinds], "limit": limit, "pending": pending.scopes}
        found = self._connection.read(lambda tx: read_rows(tx, get_cypher("search_texts"), **asked))
        return pending.merge_texts([AssetKey(AssetKind(kind), tuple(parts)) for kind, parts in found], used, kinds, limit)

    def _read_pending(self) -> PendingContents:
        """What is not drawn yet: read it before the full-text indexes, so that what is drawn in between is in one of both."""
        return self._connection.read(lambda tx: read_pending_contents(tx, self._contents))

    def read_projection(self) -> Projection:
        return self._connection.read(read_projection)

    def complete_projection(self) -> bool:
        """Draw the graph for people up to the newest revision. False if that takes longer than a minute."""
        return self._projector.complete()

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        asked = list(keys)
        return self._connection.read(lambda tx: read_runs(tx, asked)) if asked else {}

    def list_runs(
        self, assets: Sequence[AssetKey], role: RunRole, before: RunPosition | None = None, limit: int = 100
    ) -> Sequence[StoredRun]:
        return self._read_whole(lambda tx: records.list_runs(tx, assets, role, before, limit)) if limit > 0 else []

    def list_last_runs(self, groups: Sequence[RunGroup], role: RunRole, limit: int = 1) -> Sequence[Sequence[StoredRun]]:
        return self._read_whole(lambda tx: records.list_last_runs(tx, groups, role, limit)) if limit > 0 else [[] for _ in groups]

    def read_last_states(self, groups: Sequence[RunGroup], role: RunRole) -> Sequence[bytes | None]:
        return [of_one[0].run.state if of_one else None for of_one in self.list_last_runs(groups, role)]

    def count_runs(self, assets: Sequence[AssetKey], role: RunRole) -> int:
        return self._connection.read(lambda tx: records.count_runs(tx, assets, role)) if assets else 0

    def list_runs_by_id(self, run_id: str, limit: int = 100, before: RunPosition | None = None) -> Sequence[StoredRun]:
        return self._read_whole(lambda tx: records.list_runs_by_id(tx, run_id, before, limit)) if limit > 0 else []

    def count_runs_by_id(self, run_id: str) -> int:
        return self._connection.read(lambda tx: records.count_runs_by_id(tx, run_id))

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        return self._connection.read(lambda tx: read_raw_events(tx, after, limit)) if limit > 0 else []

    def prune_raw_events(self, received_before: int) -> int:
        forgotten = 0
        while True:
            part: int = self._connection.write(
                lambda tx: run_query(tx, get_cypher("prune_raw_events"), before=received_before, limit=PRUNED_AT_ONCE)[0]
            )
            forgotten += part
            if part < PRUNED_AT_ONCE:
                return forgotten

    def prune_history(self, retention: Retention, examine: Examine, rest: Callable[[], bool] = lambda: True) -> Pruned:
        return prune(self._connection, retention, examine, rest)

    def list_events(self, since: int, until: int, before: tuple[int, int] | None = None, limit: int = 100) -> Sequence[StoredEvent]:
        return self._connection.read(lambda tx: records.list_events(tx, since, until, before, limit)) if limit > 0 else []

    def count_events(self, since: int, until: int) -> int:
        return self._connection.read(lambda tx: records.count_events(tx, since, until))

    def read_event_counts(self, since: int, until: int) -> Mapping[tuple[int, str], int]:
        return self._connection.read(lambda tx: records.read_event_counts(tx, since, until))

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        return self._connection.read(lambda tx: read_journal(tx, kind, after, limit)) if limit > 0 else []

    def read_revision(self) -> int:
        revision = self._connection.read(_read_revision)
        self._projector.record_revision(revision)
        return revision

    def read_setting(self, name: str) -> str | None:
        found: str | None = self._connection.read(lambda tx: run_query(tx, get_cypher("setting"), key=compute_digest(name))[0])
        return found

    def write_setting(self, name: str, value: str) -> None:
        self._connection.write(lambda tx: run_query(tx, get_cypher("set_setting"), key=compute_digest(name), name=name, value=value))

    def close(self) -> None:
        """Draw what is not drawn yet, and close the connection."""
        self._projector.close()
        self._connection.close()


class _PastReader:
    """Reads the graph as of one time; each batch is a snapshot, as of `Neo4jStore.iterate_heads`. What was committed meanwhile about later
    times does not show in any of them.
    """

    def __init__(self, store: Neo4jStore, connection: Connection, as_of: int) -> None:
        self._store = store
        self._connection = connection
        self._as_of = as_of
        self.revision = store.read_revision()

    def iterate_heads(self) -> Iterator[Sequence[Head]]:
        return self._store.iterate_heads(self._as_of)

    def iterate_times(self, known: int) -> Iterator[PastHeads]:
        after: int | None = 0
        while after is not None:
            after, heads = self._connection.read_locked(partial(reader.read_past_page, after=after, at=self._as_of, revision=known))
            yield heads

    def read_heads(self, scope_ids: Sequence[int]) -> Sequence[Head]:
        return self._store.read_heads(scope_ids, self._as_of)

    def is_of_one_revision(self) -> bool:
        _, earliest = self._connection.read_locked(partial(find_earliest_change, since=self.revision))
        return earliest is not None and earliest > self._as_of


def _read_revision(tx: Transaction) -> int:
    return read_counters(tx).revision


def _move_scopes(tx: Transaction) -> int:
    """Part the scopes of schema 3, which were drawn and committed in one, some at once; how many these were."""
    run_query(tx, get_cypher("lock"))
    moved: int = run_query(tx, get_cypher("move_scopes"), limit=MOVED_AT_ONCE)[0]
    return moved
