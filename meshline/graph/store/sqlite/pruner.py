"""Drops what is past its retention, and packs observations, step by step: each step is one short transaction.

What was dropped gives its pages to new rows; `compact_file` gives them back to the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeAlias

from meshline.graph.model import get_current_micros
from meshline.graph.store.base import RUNS_SINCE, Examine, Pruned, RecordAge, Retention, Run, RunKey, RunRole
from meshline.graph.store.history import DAY, HOUR, KNOWN_DAYS, RunChoice, digest_run, run_steps
from meshline.graph.store.packed_times import FIRST, Packer, Position
from meshline.graph.store.sqlite import reader
from meshline.graph.store.sqlite.packed_times import Lookup, pack
from meshline.graph.store.sqlite.sql import SQL
from meshline.graph.store.sqlite.writer import list_asset_rows

RUNS = 300  # of one step
RECORDS = 1000  # of one step

Begin: TypeAlias = Callable[[], AbstractContextManager[sqlite3.Connection]]


def prune(
    retention: Retention, examine: Examine, begin_reading: Begin, begin_writing: Begin, rest: Callable[[], bool] = lambda: True
) -> Pruned:
    """See `meshline.graph.store.base.Store.prune_history`. Between two transactions, other threads and processes may write."""
    access = _Access(begin_reading, begin_writing)
    steps = {  # of a dropped run more can be packed
        "runs": _drop_runs(access, retention, examine),
        "observations": _pack_observations(access, retention),
        "records": _drop_records(access, retention),
    }
    return run_steps(steps, rest)


class _Access(NamedTuple):
    """Begins a transaction. Only one that writes keeps other writers waiting."""

    begin_reading: Begin
    begin_writing: Begin


def _drop_runs(access: _Access, retention: Retention, examine: Examine) -> Iterator[int]:
    if retention.runs is None:
        return
    after = 0
    while True:
        with access.begin_reading() as connection:
            numbers = [number for (number,) in connection.execute(SQL["old_runs"], (after, retention.runs, RUNS))]
        if not numbers:
            break
        with access.begin_writing() as connection:
            dropped = _drop_free(connection, numbers, retention.runs, examine)
        yield dropped
        after = numbers[-1]
    with access.begin_writing() as connection:
        _forget_counts(connection, retention.runs)


def _pack_observations(access: _Access, retention: Retention) -> Iterator[int]:
    if retention.observations is None:
        return
    packer: Packer[int] = Packer(retention.observations)
    position: Position | None = FIRST
    while position is not None:
        with access.begin_reading() as connection:
            step = packer.plan(Lookup(connection), position)
        if not step.plans:
            position = step.after
            continue
        with access.begin_writing() as connection:
            packed, position = pack(connection, packer, position)
        yield packed


def _drop_records(access: _Access, retention: Retention) -> Iterator[int]:
    for kind, age in retention.records.items():
        dropped = -1
        while dropped:
            with access.begin_writing() as connection:
                dropped = _drop_some(connection, kind, age)
            yield dropped


class _Summary(NamedTuple):
    """The place of a run in lists. `job`, `reads`, `writes`: labels."""

    key: RunKey
    job: int
    begun: int
    reads: list[int]
    writes: list[int]


class _Lookup:
    """See `RunLookup`. Runs are known by their numbers; `summaries`: of those that were read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.summaries: dict[int, _Summary] = {}

    def read_runs(self, keys: Sequence[int]) -> dict[int, tuple[Run, list[bytes]]]:
        rows = {number: self._connection.execute(SQL["run_numbers"], (number,)).fetchone() for number in keys}
        there = [number for number in keys if rows[number] is not None]
        found: dict[int, tuple[Run, list[bytes]]] = {}
        for number, (_, run) in zip(there, reader.list_runs_by_number(self._connection, there), strict=True):
            job, begun, reads, writes = rows[number]
            self.summaries[number] = _Summary(run.key, job, begun, reader.decode_list(reads), reader.decode_list(writes))
            found[number] = run, [row[1] for row in self._connection.execute(SQL["pairs_of_run"], (number,))]
        return found

    def find_followed(self, runs: Mapping[int, Run]) -> set[int]:
        return {number for number in runs if self._is_followed(number, self.summaries[number])}

    def _is_followed(self, number: int, one: _Summary) -> bool:
        lists = [(one.job, RunRole.JOB.value), *((dataset, RunRole.WRITES.value) for dataset in one.writes)]
        return all(
            self._connection.execute(SQL["newer_run_exists"], (asset, role, one.begun, number)).fetchone() is not None
            for asset, role in lists
        )

    def find_active_versions(self, versions: Collection[str]) -> set[str]:
        return {version for version in versions if self._connection.execute(SQL["version_is_active"], (version,)).fetchone() is not None}

    def list_siblings(self, key: int, limit: int) -> list[int]:
        (parent,) = self._connection.execute(SQL["parent_of_run"], (key,)).fetchone()
        return [number for (number,) in self._connection.execute(SQL["runs_of_parent"], (parent, limit))]


def _drop_free(connection: sqlite3.Connection, numbers: Sequence[int], before: int, examine: Examine) -> int:
    """Drop those of these runs that are not needed; how many. In a write transaction."""
    lookup = _Lookup(connection)
    free = RunChoice(before, examine, lookup).choose_runs(numbers)
    today = get_current_micros() // DAY
    connection.executemany(SQL["add_dropped_runs"], [(digest_run(lookup.summaries[number].key), today) for number in free])
    for number in free:
        _, job, begun, reads, writes = lookup.summaries[number]
        connection.executemany(SQL["remove_run_assets"], list_asset_rows(number, begun, job, reads, writes))
        for name in ("remove_summaries", "drop_pairs", "drop_run"):
            connection.execute(SQL[name], (number,))
    if free:
        _record_since(connection, 1 + max(lookup.summaries[number].begun for number in free))
    return len(free)


def _record_since(connection: sqlite3.Connection, since: int) -> None:
    row = connection.execute(SQL["setting"], (RUNS_SINCE,)).fetchone()
    if row is None or int(row[0]) < since:
        connection.execute(SQL["put_setting"], (RUNS_SINCE, str(since)))


def _forget_counts(connection: sqlite3.Connection, before: int) -> None:
    """Drop the counts of events of whole hours before a time, and the digests of runs that were dropped long ago."""
    connection.execute(SQL["drop_event_counts"], (before - before % HOUR,))
    connection.execute(SQL["forget_dropped_runs"], (get_current_micros() // DAY - KNOWN_DAYS, 50 * RUNS))


def _drop_some(connection: sqlite3.Connection, kind: str, age: RecordAge) -> int:
    """Drop some old records of a kind from the journal; how many."""
    rows = connection.execute(SQL["old_records"], (kind, age.before, age.position, RECORDS)).fetchall()
    connection.executemany(SQL["drop_record"], [(position,) for position, _ in rows])
    if age.setting:
        connection.executemany(SQL["drop_setting"], [(age.setting + key,) for _, key in rows if key])
    return len(rows)
