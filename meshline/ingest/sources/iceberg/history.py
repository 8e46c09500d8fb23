"""A table's history as its metadata tells it: which schema held since when, and what happened to columns.

Iceberg notes no time with a schema. Known are the times of snapshots, each with its schema, and of the
last commits (metadata log). A schema began with a commit that was no snapshot, after the last snapshot
with the schema before it, and not after the first with its own: of several such commits the latest is taken.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.ingest.sources.iceberg.columns import columns
from meshline.ingest.sources.iceberg.metadata import Schema, Table, View, ViewVersion

SECOND_MS = 1_000
MAX_VERSIONS = 200  # schemas of a table, and versions of a view, that one reading tells of: the newest
COMMIT_TAKES = 60_000_000  # microseconds between a snapshot's time and its commit's, at most

Began: TypeAlias = tuple[int, int]  # (schema id, since when in microseconds)


class Move(NamedTuple):
    """A column that has another path since a time, in microseconds; `new` is empty if it was dropped."""

    old: str
    new: str
    time: int


def micros(milliseconds: int, now: int) -> int:
    """Microseconds since the epoch, not later than now; what is no time is that of the first second."""
    return min(max(milliseconds, SECOND_MS) * 1000, now)


def schemas(table: Table) -> dict[int, Schema]:
    """By id; version 1 may have only one, without an id."""
    found = {schema.schema_id: schema for schema in table.schemas}
    if not found and table.schema is not None:
        found = {table.current_schema_id: table.schema}
    return found


def began(table: Table, now: int, known: Sequence[Began] = ()) -> list[Began]:
    """The schemas in the order in which they held, with strictly growing times.

    `known`: what an earlier reading found. It stays as it is, for it knew more: logs are cut, schemas cleaned away.
    """
    order = _order(table, now)
    new = order
    if known:
        last = known[-1][0]
        at = max((i for i, (schema, _) in enumerate(order) if schema == last), default=None)
        seen = {schema for schema, _ in known}
        new = order[at + 1 :] if at is not None else [one for one in order if one[0] not in seen]
    return [*known, *_timed(table, new[-MAX_VERSIONS:], now, after=known[-1][1] if known else None)]


def moves(before: Schema, after: Schema, time: int) -> list[Move]:
    """What became of columns between two schemas: the field id is the column, whatever its path."""
    old, new = _paths(before), _paths(after)
    renamed = [Move(path, new[id_], time) for id_, path in old.items() if id_ in new and new[id_] != path]
    # A path may be given to another column at that moment; what was observed up to the moment before is gone.
    dropped = [Move(path, "", time - 1) for id_, path in old.items() if id_ not in new]
    return sorted(renamed + dropped)


def view_versions(view: View, now: int) -> list[tuple[int, ViewVersion]]:
    """A view's versions in the order in which they held, with strictly growing times: those are exact. Raises InvalidInput."""
    by_id = {version.version_id: version for version in view.versions}
    log = [(change.timestamp_ms, change.version_id) for change in view.version_log if change.version_id in by_id]
    if not log or log[-1][1] != view.current_version_id:
        log += [(version.timestamp_ms, version.version_id) for version in view.versions if version.version_id == view.current_version_id]
    found: list[tuple[int, ViewVersion]] = []
    for milliseconds, version in log:
        time = micros(milliseconds, now)
        found.append((max(time, found[-1][0] + 1) if found else time, by_id[version]))
    if not found:
        raise InvalidInput(f"the view has no version {view.current_version_id}")
    return found[-MAX_VERSIONS:]


def _order(table: Table, now: int) -> list[Began]:
    """(schema id, a time at which it held already) in the order in which schemas held."""
    known = schemas(table)
    order: list[Began] = []
    for snapshot in sorted(table.snapshots or (), key=lambda snapshot: snapshot.timestamp_ms):
        if snapshot.schema_id in known and (not order or order[-1][0] != snapshot.schema_id):
            order.append((snapshot.schema_id, micros(snapshot.timestamp_ms, now)))
    current = table.current_schema_id
    if current in known and (not order or order[-1][0] != current):
        order.append((current, micros(table.last_updated_ms, now)))
    used = {schema for schema, _ in order}
    for unused in sorted(known.keys() - used):  # ids are given in turn: it held before the first greater one
        at = next((i for i, (schema, _) in enumerate(order) if schema > unused), len(order) - 1)
        order.insert(max(at, 0), (unused, order[at][1] if order else micros(table.last_updated_ms, now)))
    return order


def _timed(table: Table, order: Sequence[Began], now: int, after: int | None) -> list[Began]:
    """From the last to the first, each at the latest commit that it may have begun with."""
    commits = _schema_commits(table, now)
    result: list[Began] = []
    below: int | None = None
    for i in range(len(order) - 1, -1, -1):
        schema, held = order[i]
        latest = held if below is None else min(held, below - 1)
        if i == 0 and after is None:
            first = min(_commits(table, now), default=latest)
            time = min(first, latest)
        else:
            at = bisect_left(commits, latest + 1)
            time = commits[at - 1] if at else latest
        if after is not None:
            time = max(time, after + 1 + i)
        result.append((schema, time))
        below = time
    return result[::-1]


def _commits(table: Table, now: int) -> list[int]:
    return sorted({micros(file.timestamp_ms, now) for file in table.metadata_log or ()} | {micros(table.last_updated_ms, now)})


def _schema_commits(table: Table, now: int) -> list[int]:
    """Commits that may have changed the schema: each snapshot's own is the first one not before it."""
    commits = _commits(table, now)
    for snapshot in table.snapshots or ():
        time = micros(snapshot.timestamp_ms, now)
        at = bisect_left(commits, time)
        if at < len(commits) and commits[at] - time <= COMMIT_TAKES:  # else it was cut off the log
            del commits[at]
    return commits


def _paths(schema: Schema) -> dict[int, str]:
    paths: dict[int, str] = {}
    for column in columns(schema):
        paths.setdefault(column.id, column.path)
    return paths
