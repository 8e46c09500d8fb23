"""Runs, and the pairs of datasets that they connect."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.store.base import Run, RunKey, RunPair
from meshline.graph.store.compression import compress_bytes, decompress_bytes
from meshline.graph.store.head_table import parse_scope
from meshline.graph.store.sqlite.id_allocator import IdAllocator
from meshline.graph.store.sqlite.sql import SQL

PairRow: TypeAlias = tuple[int, bytes, int, int]

_encode_json = msgspec.json.Encoder().encode


class SqliteRunReader:
    """Reads for the builder of a batch, in its transaction. Caches what it read, for `put_runs`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._read: dict[RunKey, tuple[int, Run] | None] = {}

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return {key: run for key, (_, run) in self.find_numbered_runs(keys).items()}

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        return find_siblings(self._connection, pairs)

    def find_numbered_runs(self, keys: Iterable[RunKey]) -> dict[RunKey, tuple[int, Run]]:
        """The known ones of these runs, with their numbers."""
        result: dict[RunKey, tuple[int, Run]] = {}
        for key in keys:
            if key not in self._read:
                self._read[key] = _find_run(self._connection, key)
            found = self._read[key]
            if found is not None:
                result[key] = found
        return result


def find_siblings(connection: sqlite3.Connection, pairs: Iterable[tuple[str, str, bytes]]) -> dict[tuple[str, str, bytes], list[RunPair]]:
    result: dict[tuple[str, str, bytes], list[RunPair]] = {}
    for asked in set(pairs):
        source, parent, digest = asked
        found = [
            RunPair(parent, digest, RunKey(source, AssetKey(AssetKind.JOB, parse_scope(job)), name), bool(covered))
            for name, job, covered in connection.execute(SQL["siblings"], asked)
        ]
        if found:
            result[asked] = found
    return result


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
    rows = [
        (number_of[key], key.run_id, label(key.source), label(_encode_job(key.job)), label(parent), *compress_bytes(state))
        for key, parent, state in changed
    ]
    connection.executemany(SQL["put_runs"], rows)
    new: set[PairRow] = {(number_of[pair.run], pair.pair, label(pair.parent), int(pair.covered)) for pair in pairs}
    old: set[PairRow] = {row for number, _ in known.values() for row in connection.execute(SQL["pairs_of_run"], (number,))}
    connection.executemany(SQL["remove_pairs"], sorted(old - new))
    connection.executemany(SQL["add_pairs"], sorted(new - old))
    return bool(changed) or old != new


def read_runs(connection: sqlite3.Connection, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
    """The runs with these keys that exist, by key."""
    return SqliteRunReader(connection).find_runs(keys)


def _find_run(connection: sqlite3.Connection, key: RunKey) -> tuple[int, Run] | None:
    row = connection.execute(SQL["find_run"], (key.run_id, key.source, _encode_job(key.job))).fetchone()
    if row is None:
        return None
    number, parent, deflated, state = row
    return number, Run(key, parent, decompress_bytes(deflated, state))


def _encode_job(job: AssetKey) -> str:
    return _encode_json(job.parts).decode()
