"""Drops what is past its retention, and packs statements, step by step: each step is one short transaction under the lock of the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from meshline.graph.model import get_current_micros
from meshline.graph.store.base import RUNS_SINCE, Examine, Pruned, RecordAge, Retention, Run, RunRole
from meshline.graph.store.history import DAY, HOUR, KNOWN_DAYS, RunChoice, digest_run, run_steps
from meshline.graph.store.neo4j.connection import Connection, Transaction, read_rows, run_in_chunks, run_query
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.dropped_runs import add_dropped_runs
from meshline.graph.store.neo4j.packed_times import OLD_ROWS, JobOutputs, Lookup, pack
from meshline.graph.store.neo4j.records import LAST_PLACE, build_run, list_places, lock_counters
from meshline.graph.store.neo4j.search_names import compute_digest
from meshline.graph.store.packed_times import FIRST, Packer, Position, Step

RUNS = 200  # of one step
RECORDS = 1000  # of one step
COUNTS = 10_000  # counts of events, and nodes of runs that are known to be dropped, of one step
_BEGINNING = -(2**63)


def prune(connection: Connection, retention: Retention, examine: Examine, rest: Callable[[], bool] = lambda: True) -> Pruned:
    """See `meshline.graph.store.base.Store.prune_history`. Between two transactions, other processes may write."""
    steps = {  # of a dropped run more can be packed
        "runs": _drop_runs(connection, retention, examine),
        "observations": _pack_statements(connection, retention),
        "records": _drop_records(connection, retention),
    }
    return run_steps(steps, rest)


def _drop_runs(connection: Connection, retention: Retention, examine: Examine) -> Iterator[int]:
    before = retention.runs
    if before is None:
        return
    begun, key = _BEGINNING, ""
    while page := connection.read(partial(read_rows, text=get_cypher("old_runs"), since=begun, after=key, before=before, limit=RUNS)):
        begun, key = page[-1]
        yield connection.write(partial(_drop_free, keys=[key for _, key in page], before=before, examine=examine))
    today = get_current_micros() // DAY
    _drop_all(connection, "drop_event_counts", before - before % HOUR)
    _drop_all(connection, "forget_dropped_runs", today - KNOWN_DAYS)


def _pack_statements(connection: Connection, retention: Retention) -> Iterator[int]:
    before = retention.observations
    if before is None:
        return
    outputs = JobOutputs()
    while connection.read_locked(outputs.follow):
        pass
    finder: Packer[str] = Packer(before, OLD_ROWS)  # without the lock it may see parts of a commit: what it knows is not what is packed by
    packer: Packer[str] = Packer(before, OLD_ROWS)
    position: Position | None = FIRST
    begun = False
    while position is not None:
        step = connection.read(partial(_find_step, packer=finder, outputs=outputs, position=position))
        if not step.plans:
            position = step.after
            continue
        if not begun:  # see `Neo4jStore._read_past`
            connection.write(partial(run_query, text=get_cypher("set_packed_before"), before=before))
            begun = True
        packed, position = connection.write(partial(pack, packer=packer, outputs=outputs, position=position))
        yield packed


def _find_step(tx: Transaction, packer: Packer[str], outputs: JobOutputs, position: Position) -> Step[str]:
    return packer.plan(Lookup(tx, outputs), position)


def _drop_records(connection: Connection, retention: Retention) -> Iterator[int]:
    for kind, age in retention.records.items():
        dropped = -1
        while dropped:
            dropped = connection.write(partial(_drop_some, kind=kind, age=age))
            yield dropped


class _Lookup:
    """See `RunLookup`. `runs`: those that were read, by key."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.runs: dict[str, Run] = {}

    def read_runs(self, keys: Sequence[str]) -> dict[str, tuple[Run, list[bytes]]]:
        found: dict[str, tuple[Run, list[bytes]]] = {}
        for key, *row, pairs in read_rows(self._tx, get_cypher("runs_with_pairs"), keys=list(keys)) if keys else ():
            run = build_run(row)
            if run.begun is not None:
                self.runs[key] = run
                found[key] = run, [bytes.fromhex(pair) for _, pair, _ in pairs]
        return found

    def find_followed(self, runs: Mapping[str, Run]) -> set[str]:
        ranges: list[list[str]] = []
        owners: list[str] = []
        for key, run in runs.items():
            for place in list_places(run):
                asset, role, _ = place.split("/", 2)
                if int(role) != RunRole.READS:
                    ranges.append([place, f"{asset}/{role}/{LAST_PLACE}"])
                    owners.append(key)
        newer = run_query(self._tx, get_cypher("newer_runs"), ranges=ranges)[0] if ranges else ()
        return runs.keys() - {owner for owner, number in zip(owners, newer, strict=True) if not number}

    def find_active_versions(self, versions: Collection[str]) -> set[str]:
        digests = [compute_digest(version) for version in versions]
        return set(run_query(self._tx, get_cypher("active_versions"), digests=digests)[0]) if digests else set()

    def list_siblings(self, key: str, limit: int) -> Sequence[str]:
        keys: list[str] = run_query(self._tx, get_cypher("runs_of_parent"), parent=compute_digest(self.runs[key].parent), limit=limit)[0]
        return keys


def _drop_free(tx: Transaction, keys: Sequence[str], before: int, examine: Examine) -> int:
    """Drop those of these runs that are not needed; how many."""
    lock_counters(tx)
    lookup = _Lookup(tx)
    free = RunChoice(before, examine, lookup).choose_runs(keys)
    if not free:
        return 0
    runs = [lookup.runs[key] for key in free]
    today = get_current_micros() // DAY
    add_dropped_runs(tx, {digest_run(run.key): today for run in runs})
    run_in_chunks(tx, get_cypher("delete_run_places"), [place for run in runs for place in list_places(run)])
    run_in_chunks(tx, get_cypher("drop_runs"), free)
    since = 1 + max(run.begun for run in runs if run.begun is not None)
    known = run_query(tx, get_cypher("setting"), key=compute_digest(RUNS_SINCE))[0]
    run_query(tx, get_cypher("set_setting"), key=compute_digest(RUNS_SINCE), name=RUNS_SINCE, value=str(max(since, int(known or since))))
    return len(free)


def _drop_some(tx: Transaction, kind: str, age: RecordAge) -> int:
    """Drop some old records of a kind from the journal; how many."""
    lock_counters(tx)
    asked = {"kind": compute_digest(kind), "before": age.before, "position": age.position, "limit": RECORDS}
    keys: list[str] = run_query(tx, get_cypher("drop_records"), **asked)[0]
    if age.setting:
        run_in_chunks(tx, get_cypher("drop_settings"), [compute_digest(age.setting + key) for key in keys if key])
    return len(keys)


def _drop_all(connection: Connection, name: str, before: int) -> None:
    """Run a query that deletes some of what is older than a time or day, until nothing is."""

    def drop_some(tx: Transaction) -> bool:
        lock_counters(tx)
        return bool(run_query(tx, get_cypher(name), before=before, limit=COUNTS)[0])

    while connection.write(drop_some):
        pass
