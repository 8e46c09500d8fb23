"""Reads heads, histories and runs from one connection, which sees one snapshot of the store.

Heads follow from observations: by a shortcut where an observation is clearly the newest, otherwise by `build_intervals`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.content import EMPTY
from meshline.graph.model import (
    AssetKey,
    AssetKind,
    Content,
    Interval,
    Observation,
    Scope,
    build_intervals,
    find_open_interval,
    list_known_observations,
)
from meshline.graph.store.base import (
    Changes,
    Head,
    PastHeads,
    RawEvent,
    Run,
    RunGroup,
    RunKey,
    RunPair,
    RunPosition,
    RunRole,
    StoredEvent,
    StoredRun,
)
from meshline.graph.store.compression import decompress_bytes, decompress_content
from meshline.graph.store.head_table import HeadTable, parse_scope
from meshline.graph.store.history import digest_run
from meshline.graph.store.sqlite.checksums import check_rows, compute_crc, compute_row_crc
from meshline.graph.store.sqlite.sql import SQL

TOMBSTONE = 0  # the id of the empty content


class ObservationRow(NamedTuple):
    """A row of the table `observation`. Times in microseconds; `lasts` as of `compute_duration`."""

    scope: int
    observed_at: int
    content: int
    version: int
    provisional: int
    lasts: int


class HeadRow(NamedTuple):
    """A row of the table `head`: the active statement of a scope at the end of time; content None = no statement is active."""

    scope: int
    content: int | None
    observed_at: int
    valid_from: int
    last_observed: int
    version: int
    provisional: int
    revision: int = 0

    @property
    def has_content(self) -> bool:
        return bool(self.content)


def compute_duration(observed_at: int, until: int | None) -> int:
    """The duration of a statement in microseconds, as it is stored: 0 = without an end, negative = it is never active."""
    if until is None:
        return 0
    return until - observed_at if until > observed_at else -1


def build_observation(observed_at: int, digest: bytes, version: str, provisional: int, lasts: int) -> Observation:
    return Observation(observed_at, digest, version, bool(provisional), observed_at + lasts if lasts else None)


def build_empty_head(scope: int) -> HeadRow:
    return HeadRow(scope, None, 0, 0, 0, 0, 0)


def start_interval(row: ObservationRow) -> HeadRow:
    """The head of an interval that begins with this observation."""
    return HeadRow(row.scope, row.content, row.observed_at, row.observed_at, row.observed_at, row.version, row.provisional)


def build_first_head(row: ObservationRow) -> HeadRow:
    """The head of a scope that has no other observation."""
    return build_empty_head(row.scope) if row.provisional and row.lasts else start_interval(row)


def is_tied(head: HeadRow, row: ObservationRow) -> bool:
    """True if the head and the observation are not provisional and have the same time, as all runs of one round of a scheduler have."""
    return head.content is not None and not (head.provisional or row.provisional) and row.observed_at == head.observed_at


def fold_tied(head: HeadRow, row: ObservationRow, *, wins: bool) -> HeadRow | None:
    """`followed` for a tie. `wins`: the new one by digest and version, as `meshline.graph.model.build_intervals` orders them."""
    if not wins:
        return head
    if row.content == head.content:
        return head._replace(version=row.version)
    if head.valid_from < head.observed_at:  # the head's content was stated before, too: that interval ends here
        return start_interval(row)
    return None


def fold_observation(head: HeadRow, row: ObservationRow) -> HeadRow | None:
    """The head after one more observation (the same object if it stays), or None: ask `build_intervals`.

    Sound only if `head` is what `build_intervals` gives for the observations before.
    """
    if head.content is None or (head.provisional and row.provisional):
        return None
    if head.provisional:
        return start_interval(row)  # the first observation that is not provisional
    return head if row.provisional else _fold_settled(head, row)


def _fold_settled(head: HeadRow, row: ObservationRow) -> HeadRow | None:
    """`followed` for a settled head and a settled observation."""
    same = row.content == head.content
    if row.observed_at > head.observed_at:
        valid_from = head.valid_from if same else row.observed_at
        return HeadRow(row.scope, row.content, row.observed_at, valid_from, row.observed_at, row.version, 0)
    if row.observed_at == head.observed_at and not (same and row.version == head.version):
        return None
    return head if same is (row.observed_at >= head.valid_from) else None


BATCH = 1000  # heads in one batch: some megabytes
SCOPES = 10_000  # in one batch without contents
END_OF_TIME = 2**63 - 1

HeadColumns: TypeAlias = tuple[int, str, str, int, int, int, str, int, bytes, int, bytes]

encode_json = msgspec.json.Encoder().encode
_decode_list = msgspec.msgpack.Decoder(list[int]).decode
encode_list = msgspec.msgpack.Encoder().encode


def decode_list(encoded: bytes) -> list[int]:
    """The inverse of `encode_list`. Raises StoreCorrupt."""
    try:
        return _decode_list(encoded)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"a list of scopes cannot be read ({error}): restore the store from a backup") from error


def encode_numbers(values: Iterable[int]) -> str:
    """A list of integers as JSON, the parameter of SQL statements."""
    return encode_json(list(values)).decode()


def read_revision(connection: sqlite3.Connection) -> int:
    (newest,) = connection.execute(SQL["revision"]).fetchone()
    assert isinstance(newest, int)
    return newest


def _build_head(row: HeadColumns) -> Head:
    number, source, scope, observed_at, valid_from, last_observed, version, provisional, digest, deflated, blob = row
    content = decompress_content(digest, deflated, blob)
    return Head(number, source, parse_scope(scope), observed_at, valid_from, last_observed, version, bool(provisional), content)


def iterate_heads(connection: sqlite3.Connection) -> Iterator[HeadTable]:
    (last,) = connection.execute(SQL["last_scope"]).fetchone()
    cursor = connection.execute(SQL["all_heads"])
    while rows := cursor.fetchmany(BATCH):
        *columns, digests, deflated, blobs, label_ids, content_ids, scope_crcs, label_crcs, content_crcs = zip(*rows, strict=True)
        scope_ids, sources, scopes, *_, labels, _ = columns
        check_rows("scope", scope_crcs, map(compute_row_crc, map("{}\0{}\0{}\0".format, scope_ids, sources, scopes)))
        check_rows("label", label_crcs, map(compute_row_crc, map("{}\0{}\0".format, label_ids, labels)))
        check_rows("content", content_crcs, map(compute_crc, content_ids, digests, deflated))
        contents = [content.blob for content in map(decompress_content, digests, deflated, blobs)]
        yield HeadTable(*(*columns, digests, contents), share=scope_ids[-1] / last)


def iterate_heads_as_of(connection: sqlite3.Connection, as_of: int) -> Iterator[list[Head]]:
    scopes = [number for (number,) in connection.execute(SQL["scopes"])]
    for start in range(0, len(scopes), BATCH):
        if heads := read_heads_as_of(connection, scopes[start : start + BATCH], as_of):
            yield heads


def iterate_past_heads(connection: sqlite3.Connection, as_of: int, revision: int) -> Iterator[PastHeads]:
    """The open interval of a scope whose head is not provisional does not depend on observations after its begin, but for its content."""
    (last,) = connection.execute(SQL["last_scope"]).fetchone()
    for after in range(0, last, SCOPES):
        span = (after, after + SCOPES)
        rows = connection.execute(SQL["unchanged_since"], (as_of, revision, *span)).fetchall()
        labels = dict(connection.execute(SQL["labels"], (encode_numbers({row[3] for row in rows}),)))
        heads: dict[int, tuple[int, int, int, str]] = {}
        for number, observed_at, valid_from, version in rows:
            known, label = heads.get(number), labels[version]
            if known is None or label > known[3]:  # as `meshline.graph.model.build_intervals` orders versions
                heads[number] = number, observed_at, valid_from, label
        others = [number for (number,) in connection.execute(SQL["scopes_between"], span) if number not in heads]
        yield PastHeads.from_rows(heads.values(), others)


def read_heads(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> list[Head]:
    return [_build_head(row) for row in connection.execute(SQL["heads"], (encode_numbers(dict.fromkeys(scope_ids)),))]


def read_heads_as_of(connection: sqlite3.Connection, scope_ids: Iterable[int], as_of: int) -> list[Head]:
    """Read the heads as of a time: those that follow from the observations up to it.

    SQL finds the interval if the newest observation is not provisional and no other content was stated at the
    times that decide; otherwise `build_intervals` does.
    """
    wanted = dict.fromkeys(scope_ids)
    connection.execute(SQL["check_observations"], (encode_numbers(wanted),)).fetchone()
    settled: dict[int, list[tuple[HeadColumns, int, int]]] = {}
    for row in connection.execute(SQL["settled_as_of"], (encode_numbers(wanted), as_of)):
        settled.setdefault(row[0], []).append((row[:11], row[11], row[12]))
    result: list[Head] = []
    unclear: list[int] = []
    for number in wanted:
        match settled.get(number):
            case [(columns, content, 0)]:
                if content != TOMBSTONE:
                    result.append(_build_head(columns))
            case _:
                unclear.append(number)
    return result + _fold_as_of(connection, unclear, as_of)


def _fold_as_of(connection: sqlite3.Connection, scope_ids: list[int], as_of: int) -> list[Head]:
    stretches: dict[int, Interval] = {}
    for number, observations in _read_observations(connection, scope_ids, as_of).by_scope.items():
        stretch = find_open_interval(list_known_observations(observations, as_of))
        if stretch is not None and stretch.observation.digest != EMPTY.digest:
            stretches[number] = stretch
    names = read_scope_names(connection, stretches)
    contents = read_contents(connection, (stretch.observation.digest for stretch in stretches.values()))
    return [
        Head(
            number,
            *names[number],
            stated.observed_at,
            valid_from,
            last_observed,
            stated.version,
            stated.provisional,
            contents[stated.digest],
        )
        for number, (valid_from, _, last_observed, stated) in stretches.items()
    ]


class Observations(NamedTuple):
    """All observations of scopes, and the ids of the contents (by digest) and versions in them."""

    by_scope: dict[int, list[Observation]]
    contents: dict[bytes, int]
    versions: dict[str, int]


def _read_observations(connection: sqlite3.Connection, scope_ids: Iterable[int], as_of: int = END_OF_TIME) -> Observations:
    result = Observations(defaultdict(list), {}, {})
    rows = connection.execute(SQL["observations"], (encode_numbers(dict.fromkeys(scope_ids)), as_of))
    for scope, observed_at, digest, version, provisional, lasts, content_id, version_id in rows:
        result.by_scope[scope].append(build_observation(observed_at, digest, version, provisional, lasts))
        result.contents[digest] = content_id
        result.versions[version] = version_id
    return result


def fold_heads(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> dict[int, HeadRow]:
    """The heads of scopes from all their observations; empty scopes are left out."""
    stated, contents, versions = _read_observations(connection, scope_ids)
    result: dict[int, HeadRow] = {}
    for number, observations in stated.items():
        stretch = find_open_interval(observations)
        if stretch is not None:
            o = stretch.observation
            times = o.observed_at, stretch.valid_from, stretch.last_observed
            result[number] = HeadRow(number, contents[o.digest], *times, versions[o.version], int(o.provisional))
    return result


def read_history(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> dict[int, list[tuple[Interval, Content]]]:
    stretches = {number: build_intervals(stated) for number, stated in _read_observations(connection, scope_ids).by_scope.items()}
    contents = read_contents(connection, (each.observation.digest for history in stretches.values() for each in history))
    return {number: [(each, contents[each.observation.digest]) for each in history] for number, history in stretches.items() if history}


def read_scope_names(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> dict[int, tuple[str, Scope]]:
    return {
        number: (source, parse_scope(scope))
        for number, source, scope in connection.execute(SQL["name_scopes"], (encode_numbers(scope_ids),))
    }


def read_contents(connection: sqlite3.Connection, digests: Iterable[bytes]) -> dict[bytes, Content]:
    result: dict[bytes, Content] = {}
    for digest in set(digests):
        row = connection.execute(SQL["find_content"], (digest,)).fetchone()
        if row is None:
            raise StoreCorrupt("the content of a statement is missing: restore the store from a backup")
        result[digest] = decompress_content(digest, *row[1:])
    return result


def read_changes(connection: sqlite3.Connection, since: int) -> Changes:
    """Read the heads that changed after a revision: by the lists of commits, or, where these were dropped, by a scan of all heads."""
    newest = read_revision(connection)
    lists = connection.execute(SQL["changes"], (since,)).fetchall()
    if len(lists) == max(newest - since, 0):
        changed = {number for (scopes,) in lists for number in decode_list(scopes)}
    else:
        changed = {number for (number,) in connection.execute(SQL["scopes_changed"], (since,))}
    times, earliest = connection.execute(SQL["change_times"], (since,)).fetchone()
    return Changes(newest, read_heads_with_empty(connection, changed), earliest if times == newest - since else None)


def read_heads_with_empty(connection: sqlite3.Connection, scope_ids: Iterable[int]) -> list[Head]:
    """Read the heads of scopes; those of empty scopes are without content."""
    wanted = list(scope_ids)
    with_content = read_heads(connection, wanted)
    silent = set(wanted) - {head.scope_id for head in with_content}
    return with_content + [
        Head(number, source, scope, observed_at=0, valid_from=0, last_observed=0, version="", provisional=False, content=None)
        for number, (source, scope) in read_scope_names(connection, silent).items()
    ]


class SqliteRunReader:
    """Reads for the builder of a batch, in its transaction. Caches what it read, for the writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._read: dict[RunKey, tuple[int, Run] | None] = {}

    def list_unindexed_runs(self, after: str, limit: int) -> Sequence[StoredRun]:
        numbers = [number for (number,) in self._connection.execute(SQL["unindexed_runs"], (int(after or 0), limit))]
        return list_runs_by_number(self._connection, numbers)

    def list_unindexed_events(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return [build_event(row) for row in self._connection.execute(SQL["unindexed_raw"], (after, limit))]

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return {key: run for key, (_, run) in self.find_numbered_runs(keys).items()}

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        return find_siblings(self._connection, pairs)

    def find_dropped(self, keys: Iterable[RunKey]) -> set[RunKey]:
        return {key for key in keys if self._connection.execute(SQL["find_dropped_run"], (digest_run(key),)).fetchone() is not None}

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


def read_runs(connection: sqlite3.Connection, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
    """The runs with these keys that exist, by key."""
    return SqliteRunReader(connection).find_runs(keys)


def _find_run(connection: sqlite3.Connection, key: RunKey) -> tuple[int, Run] | None:
    row = connection.execute(SQL["find_run"], (key.run_id, key.source, encode_key(key.job))).fetchone()
    if row is None:
        return None
    number, parent, deflated, state, begun, reads, writes = row
    run = Run(key, parent, decompress_bytes(deflated, state))
    if begun is None:
        return number, run
    read, written = _read_datasets(connection, [reads, writes])
    return number, run._replace(begun=begun, reads=read, writes=written)


def _read_datasets(connection: sqlite3.Connection, encoded: Iterable[bytes]) -> list[tuple[AssetKey, ...]]:
    """The datasets of lists of labels."""
    lists = [decode_list(each) for each in encoded]
    wanted = {number for each in lists for number in each}
    if not wanted:
        return [()] * len(lists)
    keys = {
        number: AssetKey(AssetKind.DATASET, parse_scope(label))
        for number, label in connection.execute(SQL["labels"], (encode_numbers(wanted),))
    }
    return [tuple(keys[number] for number in each) for each in lists]


def list_runs_by_number(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[StoredRun]:
    """The runs with these numbers, in this order."""
    rows = {row[0]: row for row in connection.execute(SQL["runs_by_number"], (encode_numbers(numbers),))}
    datasets = _read_datasets(connection, [part for row in rows.values() for part in row[8:] if part is not None])
    lists = iter(datasets)
    found: dict[int, StoredRun] = {}
    for number, name, source, job, parent, deflated, state, begun, *_ in rows.values():
        run = Run(RunKey(source, AssetKey(AssetKind.JOB, parse_scope(job)), name), parent, decompress_bytes(deflated, state))
        if begun is not None:
            run = run._replace(begun=begun, reads=next(lists), writes=next(lists))
        found[number] = StoredRun(RunPosition(begun or 0, str(number)), run)
    return [found[number] for number in numbers]


def list_runs(
    connection: sqlite3.Connection, assets: Iterable[AssetKey], role: RunRole, before: RunPosition | None, limit: int
) -> list[StoredRun]:
    return list_runs_by_number(connection, _list_run_numbers(connection, assets, role, before, limit))


def list_last_runs(connection: sqlite3.Connection, groups: Sequence[RunGroup], role: RunRole, limit: int) -> list[list[StoredRun]]:
    numbers = [_list_run_numbers(connection, group.assets, role, group.before, limit) for group in groups]
    wanted = sorted({number for of_one in numbers for number in of_one})
    known = dict(zip(wanted, list_runs_by_number(connection, wanted), strict=True)) if wanted else {}
    return [[known[number] for number in of_one] for of_one in numbers]


def read_last_states(connection: sqlite3.Connection, groups: Sequence[RunGroup], role: RunRole) -> list[bytes | None]:
    numbers = [_list_run_numbers(connection, group.assets, role, group.before, 1) for group in groups]
    wanted = encode_numbers({number for of_one in numbers for number in of_one})
    known = {number: decompress_bytes(deflated, state) for number, deflated, state in connection.execute(SQL["run_states"], (wanted,))}
    return [known[of_one[0]] if of_one else None for of_one in numbers]


def _list_run_numbers(
    connection: sqlite3.Connection, assets: Iterable[AssetKey], role: RunRole, before: RunPosition | None, limit: int
) -> list[int]:
    """The numbers of the newest runs with one of these assets, after a position."""
    begun, number = _parse_position(before)
    found: set[tuple[int, int]] = set()
    for label in _find_labels(connection, assets):
        asked = (label, role.value, begun, number)
        connection.execute(SQL["check_beside_runs"], asked).fetchall()
        found.update(connection.execute(SQL["runs_of_asset"], (*asked, limit)))
    return [number for _, number in sorted(found, reverse=True)[:limit]]


def count_runs(connection: sqlite3.Connection, assets: Iterable[AssetKey], role: RunRole) -> int:
    labels = _find_labels(connection, assets)
    for label in labels:
        connection.execute(SQL["check_beside_runs"], (label, role.value, END_OF_TIME, END_OF_TIME)).fetchall()
    (count,) = connection.execute(SQL["count_runs"], (encode_numbers(labels), role.value)).fetchone()
    assert isinstance(count, int)
    return count


def _find_labels(connection: sqlite3.Connection, assets: Iterable[AssetKey]) -> list[int]:
    found = (connection.execute(SQL["find_label"], (encode_key(asset),)).fetchone() for asset in dict.fromkeys(assets))
    return [row[0] for row in found if row is not None]


def _parse_position(before: RunPosition | None) -> tuple[int, int]:
    """Before which time, and which run that began then, a list continues."""
    return (END_OF_TIME, END_OF_TIME) if before is None else (before.begun, _parse_number(before.tie))


def _parse_number(tie: str) -> int:
    """The number of a run in a position. Raises InvalidInput for a position of another store."""
    if tie == "":
        return 0
    if not (tie.isascii() and tie.isdecimal() and len(tie) < 19):
        raise InvalidInput(f"{tie[:40]!r} is no position of this store", "after")
    return int(tie)


def list_runs_by_id(connection: sqlite3.Connection, run_id: str, before: RunPosition | None, limit: int) -> list[StoredRun]:
    found = connection.execute(SQL["runs_by_name"], (run_id, *_parse_position(before), limit))
    return list_runs_by_number(connection, [number for (number,) in found])


def build_event(row: tuple[int, str, int, int, bytes, int | None, str | None]) -> StoredEvent:
    position, source, received_at, deflated, body, at, type_ = row
    return StoredEvent(position, RawEvent(source, received_at, decompress_bytes(deflated, body), at, type_ or ""))


def list_events(connection: sqlite3.Connection, since: int, until: int, before: tuple[int, int] | None, limit: int) -> list[StoredEvent]:
    asked = (since, until, *(before or (END_OF_TIME, END_OF_TIME)), limit)
    return [build_event(row) for row in connection.execute(SQL["events"], asked)]


def read_event_counts(connection: sqlite3.Connection, since: int, until: int) -> dict[tuple[int, str], int]:
    connection.execute(SQL["check_beside_counts"], (since, until)).fetchall()
    return {(hour, type_): events for hour, type_, events in connection.execute(SQL["event_counts"], (since, until))}


@lru_cache(50_000)
def encode_key(asset: AssetKey) -> str:
    """The key of a job or a dataset as JSON."""
    return encode_json(asset.parts).decode()
