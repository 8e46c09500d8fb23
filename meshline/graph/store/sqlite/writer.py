"""One commit: the ids and rows that a batch adds and withdraws, and the heads that change with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar

from meshline.graph.model import Content, Scope, Statement
from meshline.graph.store.base import Batch, Changes, Head, RawEvent, Record, Run, RunPair, RunRole, StoredEvent, Withdrawal
from meshline.graph.store.compression import compress_bytes
from meshline.graph.store.sqlite import reader
from meshline.graph.store.sqlite.checksums import compute_row_crc
from meshline.graph.store.sqlite.earlier_heads import EarlierHeads
from meshline.graph.store.sqlite.packed_times import LateRows, read_packed_before
from meshline.graph.store.sqlite.reader import (
    HeadRow,
    ObservationRow,
    SqliteRunReader,
    build_empty_head,
    build_first_head,
    compute_duration,
    encode_json,
    encode_key,
    fold_observation,
    fold_tied,
    is_tied,
)
from meshline.graph.store.sqlite.search_index import SearchWriter
from meshline.graph.store.sqlite.sql import SQL

K = TypeVar("K", bound=Hashable)


class IdAllocator(Generic[K]):
    """Allocates the ids (positive integers) of one kind of key; caches at most `limit`.

    `find` and `last` name the SQL statements that select the id of a key (with the parameters `columns(key)`) and the greatest id.

    No process changes or removes an id once it is committed, so cached ids stay valid; only the ids of a commit that failed
    have to be dropped from the cache.
    """

    def __init__(self, find: str, last: str, columns: Callable[[K], tuple[Any, ...]], limit: int) -> None:
        self.known: dict[K, int] = {}
        self.new: dict[K, int] = {}  # the ids in `known` that the current commit allocated
        self._find = SQL[find]
        self._last = SQL[last]
        self._columns = columns
        self._limit = limit
        self._next = 0

    def find(self, connection: sqlite3.Connection, key: K) -> int | None:
        """The id of a key; None if it has none."""
        number = self.known.get(key)
        if number is None:
            row = connection.execute(self._find, self._columns(key)).fetchone()
            if row is not None:
                number = self._remember(key, row[0])
        return number

    def give(self, connection: sqlite3.Connection, key: K) -> int:
        """The id of a key, allocated if it has none."""
        number = self.find(connection, key)
        if number is None:
            if not self.new:
                self._next = connection.execute(self._last).fetchone()[0] + 1
            number = self.new[key] = self._remember(key, self._next)
            self._next += 1
        return number

    def keep(self) -> None:
        """The commit succeeded: its new ids are valid."""
        self.new.clear()

    def forget(self) -> None:
        """The commit was rolled back: drop its new ids."""
        for key in self.new:
            del self.known[key]
        self.new.clear()

    def _remember(self, key: K, number: int) -> int:
        if len(self.known) >= self._limit:
            self.known.clear()
            self.known.update(self.new)
        self.known[key] = number
        return number


class IdAllocators:
    """The ids of scopes (source, scope), labels and contents (digest); each cache takes at most about 100 MB."""

    def __init__(self) -> None:
        self.scopes = IdAllocator[tuple[str, Scope]](
            "find_scope", "last_scope", lambda key: (encode_json(key[1]).decode(), key[0]), 200_000
        )
        self.labels = IdAllocator[str]("find_label", "last_label", lambda label: (label,), 100_000)
        self.contents = IdAllocator[bytes]("number_content", "last_content", lambda digest: (digest,), 500_000)

    def keep(self) -> None:
        """The commit succeeded."""
        for numbers in (self.scopes, self.labels, self.contents):
            numbers.keep()

    def forget(self) -> None:
        """The commit was rolled back, and with it the numbers that it gave out."""
        for numbers in (self.scopes, self.labels, self.contents):
            numbers.forget()


PairRow: TypeAlias = tuple[int, bytes, int, int]
_JOB, _READS, _WRITES = (role.value for role in (RunRole.JOB, RunRole.READS, RunRole.WRITES))
RunAssetRow: TypeAlias = tuple[int, int, int, int]  # asset, role, begun, run

CHANGES_KEPT = 500  # newest revisions that keep their list of changed scopes


class Writer:
    """Applies batches, one at a time, under the write lock. Caches the ids of committed rows."""

    def __init__(self) -> None:
        self._numbering = IdAllocators()
        self._names = SearchWriter()
        self._earlier = EarlierHeads()

    def apply(self, connection: sqlite3.Connection, batch: Batch, run_reader: SqliteRunReader) -> Changes:
        """Write a batch whose builder used `run_reader` in the same transaction; the changes."""
        return _Commit(connection, self._numbering, self._names, self._earlier).apply(batch, run_reader)

    def keep(self, revision: int) -> None:
        """The commit succeeded, with this revision."""
        self._earlier.keep(revision)
        self._numbering.keep()
        self._names.keep()

    def forget(self) -> None:
        """The commit was rolled back."""
        self._numbering.forget()
        self._names.forget()


class _Commit:
    def __init__(self, connection: sqlite3.Connection, numbering: IdAllocators, names: SearchWriter, earlier: EarlierHeads) -> None:
        self._connection = connection
        self._numbering = numbering
        self._names = names
        self._earlier = earlier
        self._revision = reader.read_revision(connection)
        earlier.begin(self._revision)
        self._labels_written = 0

    def apply(self, batch: Batch, run_reader: SqliteRunReader) -> Changes:
        rows = self._build_rows(batch.statements)
        self._add_names(batch.statements)
        withdrawn = self._find_withdrawn(batch.withdrawals)
        removed = withdrawn.difference(rows)  # what is restated stays
        written = self._write_observations(rows, removed)
        heads = self._change_heads(batch.statements, rows, removed)
        put = bool(batch.runs or batch.pairs) and put_runs(self._connection, self._numbering.labels, run_reader, batch.runs, batch.pairs)
        if batch.indexed_runs:
            index_runs(self._connection, self._numbering.labels, run_reader, batch.indexed_runs)
        self._add_labels()
        self._keep_raw(batch.raw)
        self._index_events(batch.indexed_events)
        self._count_events(batch.event_counts)
        self._connection.executemany(SQL["put_setting"], batch.settings.items())
        self._append(batch.journal)
        if not (written or put or batch.raw):
            return Changes(self._revision, [])
        scopes = [head.scope_id for head in heads]
        changed = {*removed, *rows} - (withdrawn - removed)
        earliest = min((row.observed_at for row in changed), default=reader.END_OF_TIME)
        self._connection.execute(SQL["add_change"], (self._revision + 1, reader.encode_list(scopes)))
        self._connection.execute(SQL["add_change_time"], (self._revision + 1, earliest))
        for name in ("drop_changes", "drop_change_times"):
            self._connection.execute(SQL[name], (self._revision + 1 - CHANGES_KEPT,))
        return Changes(self._revision + 1, heads, earliest)

    def _build_rows(self, statements: Sequence[Statement]) -> list[ObservationRow]:
        """The statements as rows, with ids allocated where needed. Kept flat for speed: this runs for every statement."""
        connection, numbering = self._connection, self._numbering
        known_scopes, known_contents, known_labels = (
            numbering.scopes.known.get,
            numbering.contents.known.get,
            numbering.labels.known.get,
        )
        result: list[ObservationRow] = []
        for source, scope, observed_at, content, version, provisional, until in statements:
            scope_id = known_scopes((source, scope))
            if scope_id is None:
                scope_id = numbering.scopes.give(connection, (source, scope))
            content_id = known_contents(content.digest)
            if content_id is None:
                content_id = numbering.contents.give(connection, content.digest)
            version_id = known_labels(version)
            if version_id is None:
                version_id = numbering.labels.give(connection, version)
            result.append(
                ObservationRow(
                    scope_id,
                    observed_at,
                    content_id,
                    version_id,
                    int(provisional),
                    compute_duration(observed_at, until) if provisional and until is not None else 0,
                )
            )
        return result

    def _add_names(self, statements: Sequence[Statement]) -> None:
        """Write the scopes, labels and contents that got new ids."""
        connection, numbering = self._connection, self._numbering
        connection.executemany(
            SQL["add_scopes"],
            [(number, reader.encode_json(scope).decode(), source) for (source, scope), number in numbering.scopes.new.items()],
        )
        self._add_labels()
        if numbering.contents.new:
            contents = {statement.content.digest: statement.content for statement in statements}
            new = [(number, contents[digest]) for digest, number in numbering.contents.new.items()]
            connection.executemany(
                SQL["add_contents"], [(number, content.digest, *compress_bytes(content.blob)) for number, content in new]
            )
            self._names.add_contents(connection, [content for _, content in new])

    def _add_labels(self) -> None:
        """Write the labels that got ids since the last call."""
        labels = self._numbering.labels
        self._connection.executemany(SQL["add_labels"], [(number, label) for label, number in labels.new.items()][self._labels_written :])
        self._labels_written = len(labels.new)

    def _find_withdrawn(self, withdrawals: Iterable[Withdrawal]) -> set[ObservationRow]:
        """The rows of all statements of the withdrawn versions."""
        result: set[ObservationRow] = set()
        for source, scope, version in withdrawals:
            scope_id = self._numbering.scopes.find(self._connection, (source, scope))
            version_id = self._numbering.labels.find(self._connection, version)
            if scope_id is not None and version_id is not None:
                result.update(map(ObservationRow._make, self._connection.execute(SQL["observations_of_version"], (version_id, scope_id))))
        return result

    def _write_observations(self, added: list[ObservationRow], removed: set[ObservationRow]) -> bool:
        """Delete and insert rows; True if that changed anything. Rows are sorted, because neighbours share pages."""
        before = self._connection.total_changes
        self._connection.executemany(SQL["remove_observations"], sorted(removed))
        self._connection.executemany(SQL["add_observations"], sorted(self._restore_late(added)))
        return self._connection.total_changes != before

    def _restore_late(self, added: list[ObservationRow]) -> Iterable[ObservationRow]:
        """The rows to insert, if some may be older than packed times: without those that are packed already, and with those about them."""
        packed_before = read_packed_before(self._connection) if added else 0
        late = [row for row in added if row.observed_at < packed_before]
        if not late:
            return added
        known, restored = LateRows(self._connection, partial(self._numbering.labels.give, self._connection)).restore(late)
        self._add_labels()
        return {*added, *restored}.difference(known)

    def _change_heads(self, statements: Sequence[Statement], rows: list[ObservationRow], removed: set[ObservationRow]) -> list[Head]:
        """Write the heads that follow from the rows; returns the heads that changed."""
        old = self._read_heads({row.scope for row in rows} | {row.scope for row in removed})
        unclear = {row.scope for row in removed if row.provisional == old[row.scope].provisional}
        new = dict(old)
        active: dict[int, Statement] = {}
        for row, statement in zip(rows, statements, strict=True):
            scope = row.scope
            head = new.get(scope)
            if head is None:
                now: HeadRow | None = build_first_head(row)
            elif is_tied(head, row):
                now = fold_tied(head, row, wins=self._wins(statement, head)) or self._earlier.fold(head, row)
            else:
                now = self._earlier.record(head, row, fold_observation(head, row))
            if now is None:
                unclear.add(scope)
            elif now is not head:
                new[scope] = now
                active[scope] = statement
        self._earlier.forget_scopes({*unclear, *(row.scope for row in removed)})
        if unclear:
            folded = reader.fold_heads(self._connection, unclear)
            new.update((scope, folded.get(scope) or build_empty_head(scope)) for scope in unclear)
        return self._write_heads(old, new, {scope: statement for scope, statement in active.items() if scope not in unclear}, unclear)

    def _wins(self, statement: Statement, head: HeadRow) -> bool:
        """True if a statement wins against the head's statement of the same time: by digest, then by version."""
        (digest,) = self._connection.execute(SQL["digest_of"], (head.content,)).fetchone()
        (version,) = self._connection.execute(SQL["label_of"], (head.version,)).fetchone()
        return (statement.content.digest, statement.version) > (digest, version)

    def _read_heads(self, scopes: Iterable[int]) -> dict[int, HeadRow]:
        return {row[0]: HeadRow(*row) for row in self._connection.execute(SQL["head_rows"], (reader.encode_numbers(scopes),))}

    def _write_heads(self, old: dict[int, HeadRow], new: dict[int, HeadRow], active: dict[int, Statement], refold: set[int]) -> list[Head]:
        """Write heads and the search documents of their contents; returns the heads that changed.

        `active`: active statements of scopes whose newest observation is the last; `refold`: scopes that were folded from all observations.
        """
        revision = self._revision + 1
        rows: list[tuple[int | None, ...]] = []
        result: list[Head] = []
        restated: list[tuple[int, Content | None]] = []
        reread: list[int] = []
        for scope, statement in active.items():
            now = new[scope]
            if not now.has_content:
                refold.add(scope)
                continue
            _, content, observed_at, valid_from, last_observed, version, provisional, _ = now
            rows.append((scope, content, observed_at, valid_from, last_observed, version, provisional, revision))
            source, name, _, stated, version_name, is_provisional, _ = statement
            result.append(Head(scope, source, name, observed_at, valid_from, last_observed, version_name, is_provisional, stated))
            before = old.get(scope)
            if before is None or before.content != content:
                restated.append((scope, stated))
        for scope in refold:
            now, before = new[scope], old.get(scope)
            if before is None or now[:7] != before[:7]:
                seen = now.has_content or (before is not None and before.has_content)
                rows.append(now._replace(revision=revision if seen else 0))
                if seen:
                    reread.append(scope)
        rows.sort(key=itemgetter(0))
        self._connection.executemany(SQL["put_heads"], rows)
        others = reader.read_heads_with_empty(self._connection, reread) if reread else []
        restated += [(head.scope_id, head.content) for head in others]
        if restated:
            self._names.replace_documents(self._connection, restated)
        return result + others

    def _keep_raw(self, raw: Sequence[RawEvent]) -> None:
        if not raw:
            return
        (last,) = self._connection.execute(SQL["last_raw"]).fetchone()
        numbered = [StoredEvent(position, event) for position, event in enumerate(raw, last + 1)]
        rows: list[tuple[int, str, int, int, bytes, int]] = []
        for position, event in numbered:
            deflated, body = compress_bytes(event.body)
            crc = compute_row_crc(f"{event.source}\0{event.received_at}\0{deflated:d}\0", body)
            rows.append((position, event.source, event.received_at, deflated, body, crc))
        self._connection.executemany(SQL["add_raw"], rows)
        self._index_events(numbered)

    def _index_events(self, events: Sequence[StoredEvent]) -> None:
        rows = [
            (position, event.at, event.type, compute_row_crc(f"{position}\0{event.at}\0{event.type}\0"))
            for position, event in events
            if event.at is not None
        ]
        self._connection.executemany(SQL["put_events"], rows)

    def _count_events(self, added: Mapping[tuple[int, str], int]) -> None:
        rows = []
        for (hour, type_), events in added.items():
            known = self._connection.execute(SQL["event_count"], (hour, type_)).fetchone()
            rows.append((hour, type_, events + (known[0] if known else 0)))
        self._connection.executemany(SQL["put_event_counts"], rows)

    def _append(self, records: Sequence[Record]) -> None:
        rows = [(kind, key or None, at, *compress_bytes(body)) for kind, key, at, body in records]
        self._connection.executemany(SQL["add_records"], rows)


def put_runs(
    connection: sqlite3.Connection, labels: IdAllocator[str], reader: SqliteRunReader, runs: Sequence[Run], pairs: Sequence[RunPair]
) -> bool:
    """Write runs and replace their pairs; True if that changed anything."""

    def label(text: str) -> int:
        number = labels.known.get(text)
        return labels.give(connection, text) if number is None else number

    latest = {run.key: run for run in runs}
    known = reader.find_numbered_runs(latest)
    (last,) = connection.execute(SQL["last_run"]).fetchone()
    number_of = {key: number for key, (number, _) in known.items()}
    for key in latest:
        if key not in number_of:
            last += 1
            number_of[key] = last
    changed = [run for key, run in latest.items() if key not in known or known[key][1] != run]
    rows: list[tuple[int, str, int, int, int, int, bytes, int, int]] = []
    for run in changed:
        number, (source, job, name) = number_of[run.key], run.key
        of_source, of_job, parent = label(source), label(encode_key(job)), label(run.parent)
        deflated, state = compress_bytes(run.state)
        crc = compute_row_crc(f"{number}\0{name}\0{of_source}\0{of_job}\0{parent}\0{deflated:d}\0")
        rows.append((number, name, of_source, of_job, parent, deflated, state, crc, compute_row_crc("", state)))
    connection.executemany(SQL["put_runs"], rows)
    new: set[PairRow] = {(number_of[pair.run], pair.pair, label(pair.parent), int(pair.covered)) for pair in pairs}
    old: set[PairRow] = {row for number, _ in known.values() for row in connection.execute(SQL["pairs_of_run"], (number,))}
    connection.executemany(SQL["remove_pairs"], sorted(old - new))
    connection.executemany(SQL["add_pairs"], sorted(new - old))
    moved = [run for run in changed if run.key not in known or known[run.key][1][3:] != run[3:]]
    _write_summaries(connection, label, [(number_of[run.key], known[run.key][1] if run.key in known else None, run) for run in moved])
    return bool(changed) or old != new


def index_runs(connection: sqlite3.Connection, labels: IdAllocator[str], run_reader: SqliteRunReader, runs: Sequence[Run]) -> None:
    """Give stored runs their place in lists of runs; runs that are not stored are left out."""
    known = run_reader.find_numbered_runs(run.key for run in runs)
    _write_summaries(connection, lambda text: labels.give(connection, text), [(*known[run.key], run) for run in runs if run.key in known])


def _write_summaries(connection: sqlite3.Connection, label: Callable[[str], int], runs: Sequence[tuple[int, Run | None, Run]]) -> None:
    """Write the place of runs in lists of runs. Each run: its number, and what it was before and is now."""
    old: set[RunAssetRow] = set()
    new: set[RunAssetRow] = set()
    summaries: list[tuple[int, int, bytes, bytes, int]] = []
    gone: list[tuple[int]] = []
    for number, before, run in runs:
        if before is not None and before.begun is not None:
            old.update(list_asset_rows(number, before.begun, *_label_assets(before, label)))
            if run.begun is None:
                gone.append((number,))
        if run.begun is not None:
            job, reads, writes = _label_assets(run, label)
            new.update(list_asset_rows(number, run.begun, job, reads, writes))
            read, written = reader.encode_list(reads), reader.encode_list(writes)
            crc = compute_row_crc(f"{number}\0{run.begun}\0", read + written)
            summaries.append((number, run.begun, read, written, crc))
    connection.executemany(SQL["remove_summaries"], gone)
    connection.executemany(SQL["put_summaries"], summaries)
    connection.executemany(SQL["remove_run_assets"], sorted(old - new))
    connection.executemany(SQL["add_run_assets"], sorted(new - old))


def _label_assets(run: Run, label: Callable[[str], int]) -> tuple[int, list[int], list[int]]:
    """The labels of a run's job, of the datasets that it reads, and of those that it writes."""
    return (
        label(encode_key(run.key.job)),
        [label(encode_key(key)) for key in run.reads],
        [label(encode_key(key)) for key in run.writes],
    )


def list_asset_rows(number: int, begun: int, job: int, reads: list[int], writes: list[int]) -> list[RunAssetRow]:
    """The entries of a run in the lists of its job and of its datasets."""
    read = [(dataset, _READS, begun, number) for dataset in reads]
    return [(job, _JOB, begun, number), *read, *[(dataset, _WRITES, begun, number) for dataset in writes]]
