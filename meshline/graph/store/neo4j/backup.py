"""Backup of a store in Neo4j: a snapshot as an SQLite store in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from meshline.errors import NotFound
from meshline.graph.model import Content, Statement
from meshline.graph.store.base import Batch, Run, RunPair, RunReader, StoredRecord
from meshline.graph.store.neo4j.connection import Address, Connection, Transaction, read_rows, run_query
from meshline.graph.store.neo4j.cypher import get_cypher, parse_statements
from meshline.graph.store.neo4j.records import Contents, build_run, read_counters, read_journal, read_raw_events
from meshline.graph.store.packed_times import Block
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.maintenance import PackedTimes, create_file, fill_history, fill_packed_times, leave_wal_mode

PAGE = 1000  # scopes, runs or events at once
_CYPHER = parse_statements("copying.cypher")

Advance = Callable[[int], None]


def back_up_store(url: str, to: Path, *, overwrite: bool = False, advance: Advance = lambda _: None) -> int:
    """Copy all statements, runs, events, records and settings; the number of bytes written. Queries on the copy give the same answers.

    Writers to Neo4j wait until the copy is complete, since Neo4j has no snapshots for readers. Revisions and scope ids (which
    `retract` uses) are the copy's own. Raises the errors of `backup` of an SQLite store, and NotFound if the database contains no store.
    """
    connection = Connection(Address.parse(url))
    try:
        with create_file(to, overwrite=overwrite) as part:

            def write_copy(tx: Transaction) -> None:
                part.unlink(missing_ok=True)  # it may be called again after a lost connection
                with closing(SqliteStore(str(part))) as copy:
                    _copy(tx, copy, advance)
                dropped = (each for digests, days in read_rows(tx, _CYPHER["all_dropped_runs"]) for each in zip(digests, days, strict=True))
                counters = read_counters(tx)
                fill_packed_times(str(part), counters.packed_before, _iterate_blocks(tx, advance))
                fill_history(str(part), dropped, _iterate_records(tx, advance), counters.records)

            connection.read_locked(write_copy)
            leave_wal_mode(part)
    finally:
        connection.close()
    return to.stat().st_size


def _copy(tx: Transaction, copy: SqliteStore, advance: Advance) -> None:
    if run_query(tx, get_cypher("meta"))[0] is None:
        raise NotFound("there is no store of meshline in this database")
    for name, value in read_rows(tx, _CYPHER["settings"]):
        copy.write_setting(name, value)
    for batch in chain(_iterate_statements(tx), _iterate_runs(tx), _iterate_raw_events(tx)):
        copy.commit(partial(_return_batch, batch))
        advance(len(batch.statements) + len(batch.runs) + len(batch.raw))


def _return_batch(batch: Batch, _reader: RunReader) -> Batch:
    return batch


def _iterate_statements(tx: Transaction) -> Iterator[Batch]:
    contents = Contents()
    after = 0
    while page := read_rows(tx, _CYPHER["scopes_with_statements"], after=after, limit=PAGE):
        after = page[-1][0]
        digests = {bytes.fromhex(row[1]) for _, _, _, statements in page for row in statements}
        blobs = contents.read(tx, digests)
        yield Batch(
            statements=[
                _build_statement(source, tuple(parts), row, blobs[bytes.fromhex(row[1])])
                for _, source, parts, statements in page
                for row in statements
            ]
        )


def _build_statement(source: str, scope: tuple[str, ...], row: list[Any], blob: bytes) -> Statement:
    observed_at, digest, version, provisional, until = row
    return Statement(source, scope, observed_at, Content(bytes.fromhex(digest), blob), version, provisional, until)


def _iterate_blocks(tx: Transaction, advance: Advance) -> Iterator[PackedTimes]:
    """All packed times; one record each, since nothing bounds those of a scope."""
    for source, parts, provisional, last, first, digest, times in tx.run(_CYPHER["all_packed_times"]):
        block: Block[bytes] = Block(0, provisional, last, first, bytes.fromhex(digest), bytes(times))
        yield PackedTimes(source, tuple(parts), block)
        advance(1)


def _iterate_runs(tx: Transaction) -> Iterator[Batch]:
    after = ""
    while page := read_rows(tx, _CYPHER["all_runs"], after=after, limit=PAGE):
        after = page[-1][0]
        runs: list[Run] = []
        pairs: list[RunPair] = []
        for _, *row, kept in page:
            runs.append(build_run(row))
            pairs += [RunPair(of, bytes.fromhex(pair), runs[-1].key, covered) for of, pair, covered in kept]
        yield Batch(runs=runs, pairs=pairs)


def _iterate_raw_events(tx: Transaction) -> Iterator[Batch]:
    after = 0
    while page := read_raw_events(tx, after, PAGE):
        after = page[-1].position
        yield Batch(raw=[stored.event for stored in page])
    yield Batch(event_counts={(hour, type_): events for hour, type_, events in read_rows(tx, _CYPHER["all_event_counts"])})


def _iterate_records(tx: Transaction, advance: Advance) -> Iterator[StoredRecord]:
    after = 0
    while page := read_journal(tx, "", after, PAGE):
        after = page[-1].position
        yield from page
        advance(len(page))
