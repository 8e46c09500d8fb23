"""Drops what is past its retention, and packs observations, step by step: each step is one short transaction.

What was dropped gives its pages to new rows; `compact_file` gives them back to the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, TypeAlias

from meshline.graph.model import get_current_micros
from meshline.graph.store.base import RUNS_SINCE, Examine, Pruned, RecordAge, Retention, Run, RunRole
from meshline.graph.store.sqlite import reader
from meshline.graph.store.sqlite.packed_times import Packer
from meshline.graph.store.sqlite.sql import SQL
from meshline.graph.store.sqlite.writer import list_asset_rows

RUNS = 300  # of one step
RECORDS = 1000  # of one step
SIBLINGS = 1000  # of one parent that are looked at
KNOWN_DAYS = 366  # for which a dropped run is known as such
DAY, HOUR = 86_400_000_000, 3_600_000_000  # microseconds

Begin: TypeAlias = Callable[[], AbstractContextManager[sqlite3.Connection]]


def prune(
    retention: Retention, examine: Examine, begin_reading: Begin, begin_writing: Begin, rest: Callable[[], bool] = lambda: True
) -> Pruned:
    """See `meshline.graph.store.base.Store.prune_history`. Between two transactions, other threads and processes may write."""
    access = _Access(begin_reading, begin_writing)
    done = [0, 0, 0]
    steps = ((_RUNS, _drop_runs), (_OBSERVATIONS, _pack_observations), (_RECORDS, _drop_records))  # of a dropped run more can be packed
    for what, run_steps in steps:
        for count in run_steps(access, retention, examine):
            done[what] += count
            if not rest():
                return Pruned(*done)
    return Pruned(*done)


class _Access(NamedTuple):
    """Begins a transaction. Only one that writes keeps other writers waiting."""

    begin_reading: Begin
    begin_writing: Begin


_OBSERVATIONS, _RUNS, _RECORDS = range(3)


def _drop_runs(access: _Access, retention: Retention, examine: Examine) -> Iterator[int]:
    if retention.runs is None:
        return
    dropper = RunDropper(retention.runs, examine)
    while True:
        with access.begin_reading() as connection:
            numbers = dropper.list_candidates(connection)
        if not numbers:
            break
        with access.begin_writing() as connection:
            dropped = dropper.drop(connection, numbers)
        yield dropped
    with access.begin_writing() as connection:
        _forget_counts(connection, retention.runs)


def _pack_observations(access: _Access, retention: Retention, _examine: Examine) -> Iterator[int]:
    if retention.observations is None:
        return
    packer = Packer(retention.observations)
    ended = False
    while not ended:
        with access.begin_reading() as connection:
            if not packer.find_work(connection):
                return
        with access.begin_writing() as connection:
            packed, ended = packer.pack(connection)
        yield packed


def _drop_records(access: _Access, retention: Retention, _examine: Examine) -> Iterator[int]:
    for kind, age in retention.records.items():
        dropped = -1
        while dropped:
            with access.begin_writing() as connection:
                dropped = _drop_some(connection, kind, age)
            yield dropped


class _OldRun(NamedTuple):
    """A run that may be dropped. `may_go`: no list and no active statement needs it."""

    number: int
    run: Run
    begun: int
    job: int
    reads: list[int]
    writes: list[int]
    may_go: bool
    is_witness: bool


class RunDropper:
    """One pass over all runs, in steps."""

    def __init__(self, before: int, examine: Examine) -> None:
        self._before = before
        self._examine = examine
        self._after = 0

    def list_candidates(self, connection: sqlite3.Connection) -> list[int]:
        """The numbers of the next runs that began before the time; empty at the end."""
        found = [number for (number,) in connection.execute(SQL["old_runs"], (self._after, self._before, RUNS))]
        self._after = found[-1] if found else self._after
        return found

    def drop(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> int:
        """Drop those of these runs that are not needed; how many. In a write transaction."""
        seen: dict[int, _OldRun] = {}
        self._look_at(connection, numbers, seen)
        dropped = [one for number in numbers if (one := seen.get(number)) is not None and self._is_free(connection, one, seen)]
        today = get_current_micros() // DAY
        connection.executemany(SQL["add_dropped_runs"], [(reader.digest_run(one.run.key), today) for one in dropped])
        for one in dropped:
            connection.executemany(SQL["remove_run_assets"], list_asset_rows(one.number, one.begun, one.job, one.reads, one.writes))
            for name in ("remove_summaries", "drop_pairs", "drop_run"):
                connection.execute(SQL[name], (one.number,))
        if dropped:
            self._record_since(connection, 1 + max(one.begun for one in dropped))
        return len(dropped)

    def _record_since(self, connection: sqlite3.Connection, since: int) -> None:
        row = connection.execute(SQL["setting"], (RUNS_SINCE,)).fetchone()
        if row is None or int(row[0]) < since:
            connection.execute(SQL["put_setting"], (RUNS_SINCE, str(since)))

    def _look_at(self, connection: sqlite3.Connection, numbers: Iterable[int], seen: dict[int, _OldRun]) -> None:
        wanted = [number for number in numbers if number not in seen]
        rows = {number: connection.execute(SQL["run_numbers"], (number,)).fetchone() for number in wanted}
        there = [number for number in wanted if rows[number] is not None]  # a run without a place in lists stays
        for number, (_, run) in zip(there, reader.list_runs_by_number(connection, there), strict=True):
            job, begun, reads, writes = rows[number]
            pairs = [row[1] for row in connection.execute(SQL["pairs_of_run"], (number,))]
            age = self._examine(run, pairs)
            written = reader.decode_list(writes)
            may_go = (
                age.last < self._before
                and self._is_followed(connection, run, number, job, written)
                and connection.execute(SQL["version_is_active"], (age.version,)).fetchone() is None
            )
            seen[number] = _OldRun(number, run, begun, job, reader.decode_list(reads), written, may_go, age.is_witness)

    def _is_followed(self, connection: sqlite3.Connection, run: Run, number: int, job: int, writes: Sequence[int]) -> bool:
        """True if the job has a newer run, and each dataset that this one writes has a newer one that writes it."""
        lists = [(job, RunRole.JOB.value), *((dataset, RunRole.WRITES.value) for dataset in writes)]
        return all(
            connection.execute(SQL["newer_run_exists"], (asset, role, run.begun, number)).fetchone() is not None for asset, role in lists
        )

    def _is_free(self, connection: sqlite3.Connection, one: _OldRun, seen: dict[int, _OldRun]) -> bool:
        """Whether a run may be dropped. One on which other runs of its parent depend goes when all of them may."""
        if not one.may_go or not one.is_witness:
            return one.may_go
        (parent,) = connection.execute(SQL["parent_of_run"], (one.number,)).fetchone()
        siblings = [number for (number,) in connection.execute(SQL["runs_of_parent"], (parent, SIBLINGS + 1))]
        if len(siblings) > SIBLINGS:
            return False
        self._look_at(connection, siblings, seen)
        return all(number in seen and seen[number].may_go for number in siblings)


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
