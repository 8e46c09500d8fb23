"""Runs, pairs and raw events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from meshline.errors import StoreCorrupt
from meshline.graph.model import job
from meshline.graph.store.base import Pair, RawEvent, Run, RunKey, StoredEvent
from meshline.graph.store.neo4j.connection import Transaction, rows, run, run_in_chunks
from meshline.graph.store.neo4j.cypher import cypher, moment
from meshline.graph.store.neo4j.names import digest, id_of
from meshline.graph.store.packing import pack, unpack


class Counters(NamedTuple):
    """What the one :Meta node counts: the newest revision, the highest number of a scope, a raw event and a record of the journal."""

    revision: int
    scopes: int
    events: int
    records: int


def counters(tx: Transaction) -> Counters:
    found = run(tx, cypher("counters"))
    if not found:
        raise StoreCorrupt("the database holds no meshline store any more: restore it from a backup, or start anew for an empty one")
    return Counters(*found)


class Reader:
    """What the builder of a batch may read, in its transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return read_runs(self._tx, keys)

    def siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[Pair]]:
        asked = {pair_key(*pair): pair for pair in pairs}
        found: defaultdict[tuple[str, str, bytes], list[Pair]] = defaultdict(list)
        if asked:
            for key, covered, job_namespace, job_name, run_id in rows(self._tx, cypher("siblings"), keys=list(asked)):
                source, parent, pair = asked[key]
                found[asked[key]].append(Pair(parent, pair, RunKey(source, job(job_namespace, job_name), run_id), covered))
        return found


def read_runs(tx: Transaction, keys: Iterable[RunKey]) -> dict[RunKey, Run]:
    asked = {run_key(key): key for key in keys}
    if not asked:
        return {}
    return {asked[key]: Run(asked[key], parent, state) for key, parent, state in rows(tx, cypher("runs"), keys=list(asked))}


def put_runs(tx: Transaction, runs: Sequence[Run], pairs: Sequence[Pair]) -> bool:
    """Put runs and replace their pairs; whether that changed anything."""
    wanted = {given.key: given for given in runs}
    wanted_pairs: defaultdict[RunKey, set[tuple[str, bytes, bool]]] = defaultdict(set)
    for pair in pairs:
        wanted_pairs[pair.run].add((pair.parent, pair.pair, pair.covered))
    by_key = {run_key(key): key for key in {**wanted, **dict.fromkeys(wanted_pairs)}}
    known: dict[RunKey, Run] = {}
    known_pairs: defaultdict[RunKey, set[tuple[str, bytes, bool]]] = defaultdict(set)
    if by_key:
        for text, parent, state, kept in rows(tx, cypher("runs_with_pairs"), keys=list(by_key)):
            key = by_key[text]
            known[key] = Run(key, parent, state)
            known_pairs[key] = {(of, bytes.fromhex(pair), covered) for of, pair, covered in kept}
    changed = [given for key, given in wanted.items() if known.get(key) != given]
    gone = [_pair_row(key, *pair) for key in wanted for pair in known_pairs[key] - wanted_pairs[key]]
    new = [_pair_row(key, *pair) for key, given in wanted_pairs.items() for pair in given - known_pairs[key]]
    run_in_chunks(tx, cypher("put_runs"), [_run_row(given) for given in changed])
    run_in_chunks(tx, cypher("delete_pairs"), gone)
    run_in_chunks(tx, cypher("add_pairs"), new)
    return bool(changed or gone or new)


def run_key(key: RunKey) -> str:
    return digest(key.source, *key.job.parts, key.run_id)


def pair_key(source: str, parent: str, pair: bytes) -> str:
    return digest(source, parent, pair.hex())


def _run_row(run: Run) -> dict[str, object]:
    key = run.key
    namespace, name = key.job.parts
    return {
        "key": run_key(key),
        "source": key.source,
        "jobId": id_of(key.job),
        "jobNamespace": namespace,
        "jobName": name,
        "runId": key.run_id,
        "parent": run.parent,
        "state": run.state,
    }


def _pair_row(key: RunKey, parent: str, pair: bytes, covered: bool) -> dict[str, object]:  # noqa: FBT001
    return {"run": run_key(key), "key": pair_key(key.source, parent, pair), "parent": parent, "pair": pair.hex(), "covered": covered}


def add_raw_events(tx: Transaction, events: Sequence[RawEvent], last: int) -> None:
    run_in_chunks(tx, cypher("add_raw_events"), [_event_row(position, event) for position, event in enumerate(events, last + 1)])


def _event_row(position: int, event: RawEvent) -> dict[str, object]:
    deflated, body = pack(bytes(event.body))
    return {
        "position": position,
        "source": event.source,
        "receivedAt": moment(event.received_at),
        "receivedMicros": event.received_at,
        "deflated": deflated,
        "body": body,
    }


def read_raw_events(tx: Transaction, after: int, limit: int) -> list[StoredEvent]:
    return [
        StoredEvent(position, RawEvent(source, received, unpack(deflated, body)))
        for position, source, received, deflated, body in rows(tx, cypher("raw_events"), after=after, limit=limit)
    ]
