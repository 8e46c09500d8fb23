"""Runs and the pairs of datasets that they connect."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from meshline.graph.model import AssetKey, AssetKind
from meshline.graph.store.base import Pair, Run, RunKey
from meshline.graph.store.packing import pack, unpack
from meshline.graph.store.sqlite.numbering import Numbers
from meshline.graph.store.sqlite.queries import SQL

PairRow: TypeAlias = tuple[int, bytes, int, int]

_parts_of = msgspec.json.Decoder(tuple[str, ...]).decode
_text_of = msgspec.json.Encoder().encode


class SqliteRunReader:
    """What a builder may read, in its own transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return runs(self._connection, keys)

    def siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[Pair]]:
        return siblings(self._connection, pairs)


def runs(connection: sqlite3.Connection, keys: Iterable[RunKey]) -> dict[RunKey, Run]:
    return {key: run for key, (_, run) in _numbered(connection, keys).items()}


def siblings(connection: sqlite3.Connection, pairs: Iterable[tuple[str, str, bytes]]) -> dict[tuple[str, str, bytes], list[Pair]]:
    result: dict[tuple[str, str, bytes], list[Pair]] = {}
    for asked in set(pairs):
        source, parent, digest = asked
        found = [
            Pair(parent, digest, RunKey(source, AssetKey(AssetKind.JOB, _parts_of(job)), name), bool(covered))
            for name, job, covered in connection.execute(SQL["siblings"], asked)
        ]
        if found:
            result[asked] = found
    return result


def put(connection: sqlite3.Connection, labels: Numbers[str], put_runs: Sequence[Run], put_pairs: Sequence[Pair]) -> bool:
    """Put runs and replace their pairs; whether that changed anything."""

    def label(text: str) -> int:
        return labels.give(connection, text)

    latest = {run.key: run for run in put_runs}
    known = _numbered(connection, latest)
    (last,) = connection.execute(SQL["last_run"]).fetchone()
    number_of = {key: number for key, (number, _) in known.items()}
    for key in latest:
        if key not in number_of:
            last += 1
            number_of[key] = last
    changed = [run for key, run in latest.items() if key not in known or known[key][1] != run]
    rows = [
        (number_of[key], label(key.run_id), label(key.source), label(_text(key.job)), label(parent), *pack(state))
        for key, parent, state in changed
    ]
    connection.executemany(SQL["put_runs"], rows)
    new: set[PairRow] = {(number_of[pair.run], pair.pair, label(pair.parent), int(pair.covered)) for pair in put_pairs}
    old: set[PairRow] = {row for number, _ in known.values() for row in connection.execute(SQL["pairs_of_run"], (number,))}
    connection.executemany(SQL["remove_pairs"], sorted(old - new))
    connection.executemany(SQL["add_pairs"], sorted(new - old))
    return bool(changed) or old != new


def _numbered(connection: sqlite3.Connection, keys: Iterable[RunKey]) -> dict[RunKey, tuple[int, Run]]:
    result: dict[RunKey, tuple[int, Run]] = {}
    for key in set(keys):
        row = connection.execute(SQL["find_run"], (key.run_id, key.source, _text(key.job))).fetchone()
        if row is not None:
            number, parent, deflated, state = row
            result[key] = number, Run(key, parent, unpack(deflated, state))
    return result


def _text(job: AssetKey) -> str:
    return _text_of(job.parts).decode()
