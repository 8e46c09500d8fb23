"""Runs, pairs, raw events, records of the journal, and contents.

Contents are stored by digest and never changed or deleted, so contents that were read can be cached.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.model import AssetKey, AssetKind, Content, build_job_key
from meshline.graph.store.base import (
    RawEvent,
    Record,
    Run,
    RunGroup,
    RunKey,
    RunPair,
    RunPosition,
    RunRole,
    StoredEvent,
    StoredRecord,
    StoredRun,
)
from meshline.graph.store.compression import compress_bytes, decompress_bytes
from meshline.graph.store.head_table import parse_scope
from meshline.graph.store.history import digest_run
from meshline.graph.store.neo4j.connection import Transaction, WriteQueue, read_rows, run_in_chunks, run_query
from meshline.graph.store.neo4j.cypher import format_time, get_cypher
from meshline.graph.store.neo4j.search_names import compute_digest, compute_id
from meshline.graph.store.packed_times import BEGINNING


class Counters(NamedTuple):
    """The counters in the :Meta node: the newest revision, and the last id or position of scopes, raw events and journal records.

    `packed_before`: the time before which statements may be packed (microseconds).
    """

    revision: int
    scopes: int
    events: int
    records: int
    packed_before: int


def read_counters(tx: Transaction) -> Counters:
    return _build_counters(run_query(tx, get_cypher("counters")))


def lock_counters(tx: Transaction) -> Counters:
    """Acquire the lock of the store, and read the counters under it."""
    return _build_counters(run_query(tx, get_cypher("lock")))


def _build_counters(found: Sequence[Any]) -> Counters:
    if not found:
        raise StoreCorrupt("the database contains no meshline store any more: restore a backup, or start meshline again for an empty store")
    revision, scopes, events, records, packed_before = found
    return Counters(revision, scopes, events, records, BEGINNING if packed_before is None else packed_before)


def find_earliest_change(tx: Transaction, since: int) -> tuple[int, int | None]:
    """The newest revision, and the earliest time of what commits after another revision stated or withdrew (microseconds); None: it is not
    known any more.
    """
    revision, known_to, times = run_query(tx, get_cypher("change_times"))
    number = max(revision - since, 0)
    if not number:
        return revision, END_OF_TIME
    return revision, min(times[-number:]) if known_to == revision and number <= len(times) else None


class Neo4jRunReader:
    """Reads for the builder of a batch, in its transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return read_runs(self._tx, keys)

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        asked = {build_pair_key(*pair): pair for pair in pairs}
        found: defaultdict[tuple[str, str, bytes], list[RunPair]] = defaultdict(list)
        if asked:
            for key, covered, job_namespace, job_name, run_id in read_rows(self._tx, get_cypher("siblings"), keys=list(asked)):
                source, parent, pair = asked[key]
                found[asked[key]].append(RunPair(parent, pair, RunKey(source, build_job_key(job_namespace, job_name), run_id), covered))
        return found

    def find_dropped(self, keys: Iterable[RunKey]) -> Collection[RunKey]:
        asked = {digest_run(key): key for key in keys}
        return [asked[digest] for digest in run_query(self._tx, get_cypher("dropped_runs"), digests=list(asked))[0]] if asked else ()

    def list_unindexed_runs(self, after: str, limit: int) -> Sequence[StoredRun]:
        keys: list[str] = run_query(self._tx, get_cypher("unindexed_runs"), after=after, limit=limit)[0]
        return _list_runs_by_key(self._tx, keys)

    def list_unindexed_events(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return [_build_event(row) for row in read_rows(self._tx, get_cypher("unindexed_raw_events"), after=after, limit=limit)]


def read_runs(tx: Transaction, keys: Iterable[RunKey]) -> dict[RunKey, Run]:
    asked = {build_run_key(key): key for key in keys}
    if not asked:
        return {}
    return {asked[key]: build_run(row)._replace(key=asked[key]) for key, *row in read_rows(tx, get_cypher("runs"), keys=list(asked))}


def build_run(row: Sequence[Any]) -> Run:
    """A run from its properties, as queries give them after its key."""
    source, namespace, name, run_id, parent, state, begun, reads, writes = row
    key = RunKey(source, build_job_key(namespace, name), run_id)
    return Run(key, parent, bytes(state), begun, _parse_datasets(reads), _parse_datasets(writes))


def _parse_datasets(texts: Sequence[str] | None) -> tuple[AssetKey, ...]:
    return tuple(AssetKey(AssetKind.DATASET, parse_scope(text)) for text in texts or ())


def _format_datasets(keys: Iterable[AssetKey]) -> list[str]:
    return [msgspec.json.encode(key.parts).decode() for key in keys]


SMALLEST = 2**62  # added to times, so that the texts of places have the order of times
_FIRST, LAST_PLACE = "0", "9" * 20
END_OF_TIME = 2**63 - 1


def _build_place(asset: AssetKey, role: RunRole, rest: str) -> str:
    return f"{compute_id(asset)}/{role.value}/{rest}"


def list_places(run: Run) -> set[str]:
    """The places of a run in the lists of its job and its datasets: asset, role, time and run, parted by `/`."""
    if run.begun is None:
        return set()
    rest = f"{run.begun + SMALLEST:020d}/{build_run_key(run.key)}"
    assets = [(run.key.job, RunRole.JOB), *((key, RunRole.READS) for key in run.reads), *((key, RunRole.WRITES) for key in run.writes)]
    return {_build_place(asset, role, rest) for asset, role in assets}


def list_runs(tx: Transaction, assets: Sequence[AssetKey], role: RunRole, before: RunPosition | None, limit: int) -> list[StoredRun]:
    return list_last_runs(tx, [RunGroup(assets, before)], role, limit)[0]


def list_last_runs(tx: Transaction, groups: Sequence[RunGroup], role: RunRole, limit: int) -> list[list[StoredRun]]:
    ranges: list[list[str]] = []
    owners: list[int] = []  # the position of the group of each range
    for number, group in enumerate(groups):
        end = LAST_PLACE if group.before is None else f"{group.before.begun + SMALLEST:020d}/{group.before.tie}"
        for asset in dict.fromkeys(group.assets):
            ranges.append([_build_place(asset, role, _FIRST), _build_place(asset, role, end)])
            owners.append(number)
    found: list[set[tuple[str, str]]] = [set() for _ in groups]
    places = run_query(tx, get_cypher("last_run_places"), ranges=ranges, limit=limit)[0] if ranges else ()
    for owner, of_range in zip(owners, places, strict=True):
        found[owner].update((place.split("/", 2)[2], key) for place, key in of_range)
    keys = [[key for _, key in sorted(of_one, reverse=True)[:limit]] for of_one in found]
    wanted = list(dict.fromkeys(key for of_one in keys for key in of_one))
    known = dict(zip(wanted, _list_runs_by_key(tx, wanted), strict=True))
    return [[known[key] for key in of_one] for of_one in keys]


def count_runs(tx: Transaction, assets: Sequence[AssetKey], role: RunRole) -> int:
    ranges = [[_build_place(asset, role, _FIRST), _build_place(asset, role, LAST_PLACE)] for asset in dict.fromkeys(assets)]
    count: int = run_query(tx, get_cypher("count_run_places"), ranges=ranges)[0]
    return count


def list_runs_by_id(tx: Transaction, run_id: str, before: RunPosition | None, limit: int) -> list[StoredRun]:
    begun, key = (END_OF_TIME, "") if before is None else before
    keys: list[str] = run_query(tx, get_cypher("runs_by_id"), id=compute_digest(run_id), begun=begun, key=key, limit=limit)[0]
    return _list_runs_by_key(tx, keys)


def count_runs_by_id(tx: Transaction, run_id: str) -> int:
    count: int = run_query(tx, get_cypher("count_runs_by_id"), id=compute_digest(run_id))[0]
    return count


def _list_runs_by_key(tx: Transaction, keys: Sequence[str]) -> list[StoredRun]:
    """The runs with these keys, in this order. Raises StoreCorrupt."""
    found: dict[str, StoredRun] = {}
    for key, *row in read_rows(tx, get_cypher("runs"), keys=list(keys)) if keys else ():
        run = build_run(row)
        found[key] = StoredRun(RunPosition(run.begun or 0, key), run)
    if len(found) < len(set(keys)):
        raise StoreCorrupt("a run that is listed is missing: restore the store from a backup")
    return [found[key] for key in keys]


def index_runs(tx: Transaction, runs: Sequence[Run]) -> None:
    """Give stored runs their place in lists of runs; runs that are not stored are left out."""
    known = read_runs(tx, [run.key for run in runs])
    queue = WriteQueue()
    _write_runs(queue, known, [run for run in runs if run.key in known])
    queue.flush(tx)


def _write_runs(queue: WriteQueue, known: Mapping[RunKey, Run], runs: Sequence[Run]) -> None:
    queue.add(get_cypher("add_runs"), [_build_run_row(run) for run in runs if run.key not in known])
    queue.add(get_cypher("set_runs"), [_build_run_row(run) for run in runs if run.key in known])
    old = {(build_run_key(run.key), place) for run in runs if run.key in known for place in list_places(known[run.key])}
    new = {(build_run_key(run.key), place) for run in runs for place in list_places(run)}
    queue.add(get_cypher("delete_run_places"), [place for _, place in old - new])
    queue.add(get_cypher("add_run_places"), [{"run": key, "place": place} for key, place in sorted(new - old)])


def put_runs(tx: Transaction, queue: WriteQueue, runs: Sequence[Run], pairs: Sequence[RunPair]) -> bool:
    """Queue the writes of runs, and of the pairs that replace theirs; True if that changes anything."""
    wanted = {given.key: given for given in runs}
    wanted_pairs: defaultdict[RunKey, set[tuple[str, bytes, bool]]] = defaultdict(set)
    for pair in pairs:
        wanted_pairs[pair.run].add((pair.parent, pair.pair, pair.covered))
    by_key = {build_run_key(key): key for key in {**wanted, **dict.fromkeys(wanted_pairs)}}
    known: dict[RunKey, Run] = {}
    known_pairs: defaultdict[RunKey, set[tuple[str, bytes, bool]]] = defaultdict(set)
    if by_key:
        for text, *row, kept in read_rows(tx, get_cypher("runs_with_pairs"), keys=list(by_key)):
            key = by_key[text]
            known[key] = build_run(row)._replace(key=key)
            known_pairs[key] = {(of, bytes.fromhex(pair), covered) for of, pair, covered in kept}
    changed = [given for key, given in wanted.items() if known.get(key) != given]
    gone = [_build_pair_row(key, *pair) for key in wanted for pair in known_pairs[key] - wanted_pairs[key]]
    new = [_build_pair_row(key, *pair) for key, given in wanted_pairs.items() for pair in given - known_pairs[key]]
    _write_runs(queue, known, changed)
    queue.add(get_cypher("delete_pairs"), gone)
    queue.add(get_cypher("add_pairs"), new)
    return bool(changed or gone or new)


def build_run_key(key: RunKey) -> str:
    return compute_digest(key.source, *key.job.parts, key.run_id)


def build_pair_key(source: str, parent: str, pair: bytes) -> str:
    return compute_digest(source, parent, pair.hex())


def _build_run_row(run: Run) -> dict[str, object]:
    key = run.key
    namespace, name = key.job.parts
    return {
        "key": build_run_key(key),
        "source": key.source,
        "jobId": compute_id(key.job),
        "jobNamespace": namespace,
        "jobName": name,
        "runId": key.run_id,
        "parent": run.parent,
        "parentDigest": compute_digest(run.parent) if run.parent else None,
        "state": run.state,
        "runIdKey": compute_digest(key.run_id),
        "begunMicros": run.begun,
        "begunAt": None if run.begun is None else format_time(run.begun),
        "reads": _format_datasets(run.reads),
        "writes": _format_datasets(run.writes),
    }


def _build_pair_row(key: RunKey, parent: str, pair: bytes, covered: bool) -> dict[str, object]:  # noqa: FBT001
    return {
        "run": build_run_key(key),
        "key": build_pair_key(key.source, parent, pair),
        "parent": parent,
        "pair": pair.hex(),
        "covered": covered,
    }


def add_raw_events(queue: WriteQueue, events: Sequence[RawEvent], last: int) -> None:
    queue.add(get_cypher("add_raw_events"), [_build_event_row(position, event) for position, event in enumerate(events, last + 1)])


def _build_event_row(position: int, event: RawEvent) -> dict[str, object]:
    deflated, body = compress_bytes(bytes(event.body))
    return {
        "position": position,
        "source": event.source,
        "receivedMicros": event.received_at,
        "deflated": deflated,
        "body": body,
        **_build_event_time(position, event),
    }


def _build_event_time(position: int, event: RawEvent) -> dict[str, object]:
    """The properties by which lists of events find one; an event that is not indexed yet has none."""
    if event.at is None:
        return {}
    place = f"{event.at + SMALLEST:020d}/{position:020d}"
    return {"position": position, "atMicros": event.at, "type": event.type, "place": place}


def index_events(tx: Transaction, events: Sequence[StoredEvent]) -> None:
    rows = [_build_event_time(position, event) for position, event in events if event.at is not None]
    run_in_chunks(tx, get_cypher("index_raw_events"), rows)


def list_events(tx: Transaction, since: int, until: int, before: tuple[int, int] | None, limit: int) -> list[StoredEvent]:
    end = LAST_PLACE if before is None else f"{before[0] + SMALLEST:020d}/{before[1]:020d}"
    asked = {"since": f"{since + SMALLEST:020d}", "until": f"{until + SMALLEST:020d}", "before": end, "limit": limit}
    return [_build_event(row) for row in read_rows(tx, get_cypher("events"), **asked)]


def count_events(tx: Transaction, since: int, until: int) -> int:
    count: int = run_query(tx, get_cypher("count_events"), since=f"{since + SMALLEST:020d}", until=f"{until + SMALLEST:020d}")[0]
    return count


def add_event_counts(queue: WriteQueue, added: Mapping[tuple[int, str], int]) -> None:
    rows = [
        {"key": f"{hour}/{type_}", "hour": hour, "at": format_time(hour), "type": type_, "events": events}
        for (hour, type_), events in added.items()
    ]
    queue.add(get_cypher("add_event_counts"), rows)


def read_event_counts(tx: Transaction, since: int, until: int) -> dict[tuple[int, str], int]:
    rows = read_rows(tx, get_cypher("event_counts"), since=since, until=until)
    return {(hour, type_): events for hour, type_, events in rows}


def _build_event(row: Sequence[Any]) -> StoredEvent:
    position, source, received, deflated, body, at, type_ = row
    return StoredEvent(position, RawEvent(source, received, decompress_bytes(deflated, body), at, type_ or ""))


def read_raw_events(tx: Transaction, after: int, limit: int) -> list[StoredEvent]:
    return [_build_event(row) for row in read_rows(tx, get_cypher("raw_events"), after=after, limit=limit)]


def append_records(tx: Transaction, records: Sequence[Record], last: int) -> int:
    """Add the records that do not exist yet, after the position `last`; the last position afterwards."""
    if not records:
        return last
    ids = {compute_digest(record.kind, record.key) for record in records if record.key}
    known: set[str] = set(run_query(tx, get_cypher("records_by_id"), ids=list(ids))[0]) if ids else set()
    added: list[dict[str, object]] = []
    for record in records:
        row = _build_record_row(last + len(added) + 1, record)
        if record.key:
            if row["id"] in known:
                continue
            known.add(str(row["id"]))
        added.append(row)
    run_in_chunks(tx, get_cypher("add_records"), added)
    return last + len(added)


def read_journal(tx: Transaction, kind: str, after: int, limit: int) -> list[StoredRecord]:
    asked = {"after": after, "limit": limit}
    found = (
        read_rows(tx, get_cypher("records_of_kind"), kind=compute_digest(kind), **asked)
        if kind
        else read_rows(tx, get_cypher("records"), **asked)
    )
    return [
        StoredRecord(position, Record(of, key, at, decompress_bytes(deflated, body))) for position, of, key, at, deflated, body in found
    ]


def _build_record_row(position: int, record: Record) -> dict[str, object]:
    deflated, body = compress_bytes(bytes(record.body))
    return {
        "position": position,
        "id": compute_digest(record.kind, record.key) if record.key else None,
        "kind": record.kind,
        "kindKey": compute_digest(record.kind),
        "key": record.key,
        "at": format_time(record.at),
        "atMicros": record.at,
        "deflated": deflated,
        "body": body,
    }


REMEMBERED = 64_000_000  # bytes
READ_OF_UNKNOWN_SIZE = 200  # contents


class Contents:
    """Reads and adds contents; caches the ones used last. Thread-safe."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._turn = Lock()

    def read(self, tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """The blobs of these digests, by digest (16 bytes). Raises StoreCorrupt."""
        found: dict[bytes, bytes] = {}
        missing: list[bytes] = []
        with self._turn:
            for digest in digests:
                blob = self._remembered.get(digest)
                if blob is None:
                    missing.append(digest)
                else:
                    self._remembered.move_to_end(digest)
                    found[digest] = blob
        for at in range(0, len(missing), READ_OF_UNKNOWN_SIZE):
            blobs = read_contents(tx, [digest.hex() for digest in missing[at : at + READ_OF_UNKNOWN_SIZE]])
            part = {bytes.fromhex(digest): blob for digest, blob in blobs.items()}
            found.update(part)
            self._remember(part)
        return found

    def add(self, tx: Transaction, queue: WriteQueue, contents: Iterable[Content]) -> list[Content]:
        """Queue the writes of the contents that the store does not have; these. They are cached: the projector reads them next."""
        by_digest = {content.digest.hex(): content for content in contents}
        if not by_digest:
            return []
        for (known,) in read_rows(tx, get_cypher("known_contents"), digests=list(by_digest)):
            del by_digest[known]
        queue.add(get_cypher("add_contents"), [{"digest": digest, "blob": content.blob} for digest, content in by_digest.items()])
        self._remember({content.digest: content.blob for content in by_digest.values()})
        return list(by_digest.values())

    def _remember(self, blobs: Mapping[bytes, bytes]) -> None:
        with self._turn:
            for digest, blob in blobs.items():
                if digest not in self._remembered:
                    self._remembered[digest] = blob
                    self._size += len(blob)
            while self._size > REMEMBERED:
                self._size -= len(self._remembered.popitem(last=False)[1])


def read_contents(tx: Transaction, digests: Collection[str]) -> dict[str, bytes]:
    """The blobs of these digests (hexadecimal), by digest, in one query. Raises StoreCorrupt."""
    found = dict(read_rows(tx, get_cypher("contents"), digests=list(digests)))
    for wanted in digests:
        if wanted not in found:
            raise StoreCorrupt(f"the content {wanted} of a statement is missing: restore the store from a backup")
    return found
