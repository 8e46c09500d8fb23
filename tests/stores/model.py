"""The simplest correct store: dicts, and intervals that are built again for each answer.

Tests compare the stores with it, and it has to pass their contract itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from meshline.graph.content import EMPTY, build_keys, decode_layout
from meshline.graph.model import KINDS, AssetKey, AssetKind, Content, Interval, Observation, Scope, build_intervals, find_open_interval
from meshline.graph.store.base import (
    Batch,
    Changes,
    Examine,
    Head,
    PastHeads,
    PastReader,
    Projection,
    Pruned,
    RawEvent,
    Record,
    Retention,
    Run,
    RunGroup,
    RunKey,
    RunPair,
    RunPosition,
    RunReader,
    RunRole,
    StoredEvent,
    StoredRecord,
    StoredRun,
)
from meshline.graph.store.search_words import iterate_documents, limit_terms, list_key_words


def list_known_observations(observations: Iterable[Observation], at: int) -> list[Observation]:
    """The observations up to a time, without the ends that were then still in the future."""
    return [o._replace(until=None) if o.until is not None and o.until > at else o for o in observations if o.observed_at <= at]


def build_empty_head(number: int, source: str, scope: Scope) -> Head:
    """The head in `Changes` of a scope that no longer has an active statement."""
    return Head(number, source, scope, observed_at=0, valid_from=0, last_observed=0, version="", provisional=False, content=None)


class ModelStore:
    """A `Store` of dicts."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._revision = 0
        self.scopes: list[tuple[str, Scope]] = []
        self.scope_ids: dict[tuple[str, Scope], int] = {}
        self.observations: dict[int, set[Observation]] = {}
        self.contents: dict[bytes, Content] = {}
        self.changed_at: dict[int, int] = {}
        self.keys: set[AssetKey] = set()
        self.runs_: dict[RunKey, Run] = {}
        self.pairs: set[RunPair] = set()
        self.events: list[StoredEvent] = []
        self.positions = 0
        self.settings: dict[str, str] = {}
        self.records: list[Record] = []
        self.event_counts: dict[tuple[int, str], int] = {}
        self.dropped: set[RunKey] = set()

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        with self._lock:
            return self._commit(build(self))

    def _commit(self, batch: Batch) -> Changes:
        for event in batch.raw:
            assert isinstance(event.body, bytes)
        for record in batch.journal:
            assert isinstance(record.body, bytes)
        for statement in batch.statements:
            assert isinstance(statement.observed_at, int)
        before = {number: self.find_head(number, None) for number in self.observations}
        state = self._state()
        stated = {(number, o) for number, observations in self.observations.items() for o in observations}
        self._withdraw_and_state(batch)
        self._put_runs(batch)
        self._keep_raw(batch.raw)
        self.settings.update(batch.settings)
        for record in batch.journal:
            if not record.key or all((known.kind, known.key) != (record.kind, record.key) for known in self.records):
                self.records.append(record)
        if self._state() != state:
            self._revision += 1
        self.runs_.update({run.key: run for run in batch.indexed_runs if run.key in self.runs_})
        indexed = dict(batch.indexed_events)
        self.events = [StoredEvent(position, indexed.get(position, event)) for position, event in self.events]
        for hour_and_type, events in batch.event_counts.items():
            self.event_counts[hour_and_type] = self.event_counts.get(hour_and_type, 0) + events
        heads = []
        for number, (source, scope) in enumerate(self.scopes, 1):
            head = self.find_head(number, None)
            if head != before.get(number):
                self.changed_at[number] = self._revision
                heads.append(head or build_empty_head(number, source, scope))
        stated ^= {(number, o) for number, observations in self.observations.items() for o in observations}
        return Changes(self._revision, heads, min((o.observed_at for _, o in stated), default=2**63 - 1))

    def _state(self) -> object:
        return (
            {number: set(observations) for number, observations in self.observations.items() if observations},
            dict(self.runs_),
            set(self.pairs),
            self.positions,
        )

    def _withdraw_and_state(self, batch: Batch) -> None:
        for source, scope, version in batch.withdrawals:
            number = self.scope_ids.get((source, scope), 0)
            self.observations[number] = {o for o in self.observations.get(number, ()) if o.version != version}
        for s in batch.statements:
            if (s.source, s.scope) not in self.scope_ids:
                self.scopes.append((s.source, s.scope))
                self.scope_ids[s.source, s.scope] = len(self.scopes)
            number = self.scope_ids[s.source, s.scope]
            self.observations.setdefault(number, set()).add(Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until))
            self.contents[s.content.digest] = s.content
            self.keys.update(build_keys(decode_layout(s.content.blob)))

    def _put_runs(self, batch: Batch) -> None:
        put = {run.key for run in batch.runs}
        self.runs_.update({run.key: run for run in batch.runs})
        self.pairs = {pair for pair in self.pairs if pair.run not in put} | set(batch.pairs)

    def _keep_raw(self, raw: Sequence[RawEvent]) -> None:
        self.events += [StoredEvent(self.positions + n, event) for n, event in enumerate(raw, 1)]
        self.positions += len(raw)

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return {key: self.runs_[key] for key in keys if key in self.runs_}

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        return {asked: [p for p in self.pairs if (p.run.source, p.parent, p.pair) == asked] for asked in pairs}

    def find_head(self, number: int, as_of: int | None) -> Head | None:
        observations = self.observations.get(number, set())
        history = build_intervals(observations if as_of is None else list_known_observations(observations, as_of))
        if not history or history[-1].valid_to is not None or history[-1].observation.digest == EMPTY.digest:
            return None
        valid_from, _, last_observed, o = history[-1]
        source, scope = self.scopes[number - 1]
        return Head(number, source, scope, o.observed_at, valid_from, last_observed, o.version, o.provisional, self.contents[o.digest])

    def iterate_heads(self, as_of: int | None = None) -> Iterator[Sequence[Head]]:
        if heads := self.read_heads(list(self.observations), as_of):
            yield heads

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        with self._lock:
            return [head for head in (self.find_head(number, as_of) for number in dict.fromkeys(scope_ids)) if head is not None]

    @contextmanager
    def open_past(self, as_of: int) -> Iterator[PastReader]:
        with self._lock:
            yield _PastReader(self, as_of)

    def read_changes(self, since: int) -> Changes:
        heads = []
        for (source, scope), number in self.scope_ids.items():
            if self.changed_at.get(number, 0) > since:
                heads.append(self.find_head(number, None) or build_empty_head(number, source, scope))
        return Changes(self._revision, heads)

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        return {
            number: [(interval, self.contents[interval.observation.digest]) for interval in build_intervals(self.observations[number])]
            for number in scope_ids
            if self.observations.get(number)
        }

    def list_changed_scopes(self, since: int) -> Sequence[int]:
        now = {number: find_open_interval(self.observations.get(number, ())) for number in self.scope_ids.values()}
        return sorted(number for number, interval in now.items() if interval is None or interval.valid_from > since)

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        texts = [(key, list_key_words(key)) for key in self.keys]
        for number in self.observations:
            head = self.find_head(number, None)
            if head is not None and head.content is not None:
                texts += iterate_documents(head.content.blob)
        found = {
            key
            for key, words in texts
            if (not kinds or key.kind in kinds) and terms and all(any(w.startswith(t) for w in words) for t in limit_terms(terms))
        }
        return sorted(found, key=lambda key: (KINDS.index(key.kind), key.parts))[:limit]

    def search_texts(self, words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        found: dict[AssetKey, int] = {}
        for number in self.observations:
            head = self.find_head(number, None)
            if head is not None and head.content is not None:
                for key, known in iterate_documents(head.content.blob):
                    if not kinds or key.kind in kinds:
                        found[key] = max(found.get(key, 0), len(set(known) & set(limit_terms(words))))
        matching = [key for key, count in found.items() if count]
        return sorted(matching, key=lambda key: (-found[key], KINDS.index(key.kind), key.parts))[:limit]

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        return self.find_runs(keys)

    def list_runs(
        self, assets: Sequence[AssetKey], role: RunRole, before: RunPosition | None = None, limit: int = 100
    ) -> Sequence[StoredRun]:
        return [
            stored
            for stored in self._list_indexed_runs()
            if {RunRole.JOB: {stored.run.key.job}, RunRole.READS: set(stored.run.reads), RunRole.WRITES: set(stored.run.writes)}[role]
            & set(assets)
            and (before is None or stored.position < before)
        ][:limit]

    def list_last_runs(self, groups: Sequence[RunGroup], role: RunRole, limit: int = 1) -> Sequence[Sequence[StoredRun]]:
        return [self.list_runs(group.assets, role, group.before, limit) for group in groups]

    def read_last_states(self, groups: Sequence[RunGroup], role: RunRole) -> Sequence[bytes | None]:
        return [of_one[0].run.state if of_one else None for of_one in self.list_last_runs(groups, role)]

    def count_runs(self, assets: Sequence[AssetKey], role: RunRole) -> int:
        return len(self.list_runs(assets, role, limit=len(self.runs_)))

    def list_runs_by_id(self, run_id: str, limit: int = 100, before: RunPosition | None = None) -> Sequence[StoredRun]:
        found = [stored for stored in self._list_indexed_runs() if stored.run.key.run_id == run_id]
        return [stored for stored in found if before is None or stored.position < before][:limit]

    def count_runs_by_id(self, run_id: str) -> int:
        return len(self.list_runs_by_id(run_id, len(self.runs_)))

    def _list_indexed_runs(self) -> list[StoredRun]:
        found = [StoredRun(RunPosition(run.begun, repr(run.key)), run) for run in self.runs_.values() if run.begun is not None]
        return sorted(found, reverse=True)

    def list_unindexed_runs(self, after: str, limit: int) -> Sequence[StoredRun]:
        found = [StoredRun(RunPosition(0, repr(run.key)), run) for run in self.runs_.values() if run.begun is None]
        return [stored for stored in sorted(found) if stored.position.tie > after][:limit]

    def list_unindexed_events(self, after: int, limit: int) -> Sequence[StoredEvent]:
        return [stored for stored in self.events if stored.event.at is None and stored.position > after][:limit]

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        return [stored for stored in self.events if stored.position > after][:limit]

    def prune_raw_events(self, received_before: int) -> int:
        known = len(self.events)
        self.events = [stored for stored in self.events if stored.event.received_at >= received_before]
        return known - len(self.events)

    def find_dropped(self, keys: Iterable[RunKey]) -> Collection[RunKey]:
        return self.dropped.intersection(keys)

    def prune_history(self, retention: Retention, examine: Examine, rest: Callable[[], bool] = lambda: True) -> Pruned:
        del retention, examine, rest
        return Pruned()  # all answers are as before

    def list_events(self, since: int, until: int, before: tuple[int, int] | None = None, limit: int = 100) -> Sequence[StoredEvent]:
        found = [
            stored
            for stored in self.events
            if stored.event.at is not None
            and since <= stored.event.at < until
            and (before is None or (stored.event.at, stored.position) < before)
        ]
        return sorted(found, key=lambda stored: (stored.event.at, stored.position), reverse=True)[:limit]

    def count_events(self, since: int, until: int) -> int:
        return len(self.list_events(since, until, limit=len(self.events)))

    def read_event_counts(self, since: int, until: int) -> Mapping[tuple[int, str], int]:
        return {key: events for key, events in self.event_counts.items() if since <= key[0] < until}

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        return [StoredRecord(n, record) for n, record in enumerate(self.records, 1) if n > after and kind in ("", record.kind)][:limit]

    def read_revision(self) -> int:
        return self._revision

    def read_projection(self) -> Projection | None:
        return None

    def read_setting(self, name: str) -> str | None:
        return self.settings.get(name)

    def write_setting(self, name: str, value: str) -> None:
        self.settings[name] = value

    def close(self) -> None:
        pass


class _PastReader:
    """Reads a locked store."""

    def __init__(self, store: ModelStore, as_of: int) -> None:
        self._store = store
        self._as_of = as_of
        self.revision = store.read_revision()

    def iterate_heads(self) -> Iterator[Sequence[Head]]:
        return self._store.iterate_heads(self._as_of)

    def iterate_times(self, known: int) -> Iterator[PastHeads]:
        found: list[tuple[int, int, int, str]] = []
        for number in sorted(self._store.observations):
            then, now = self._store.find_head(number, self._as_of), self._store.find_head(number, None)
            if then and now and then[7:] == now[7:] == (False, now.content) and self._store.changed_at.get(number, 0) <= known:
                found.append((number, then.observed_at, then.valid_from, then.version))
        same = {number for number, *_ in found}
        yield PastHeads.from_rows(found, [number for number in sorted(self._store.observations) if number not in same])

    def read_heads(self, scope_ids: Sequence[int]) -> Sequence[Head]:
        return self._store.read_heads(scope_ids, self._as_of)

    def is_of_one_revision(self) -> bool:
        return True
