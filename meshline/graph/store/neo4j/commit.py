"""One commit: everything inside its transaction, under the lock.

For each scope that a batch changes: the statements that are removed and added, and the active statement afterwards. The graph for
people follows (`projector`): a commit only records what is to be drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import index
from typing import NamedTuple, TypeAlias

from meshline.graph.content import EMPTY
from meshline.graph.model import Content, Interval, Observation, Scope, find_open_interval
from meshline.graph.store.base import Batch, Changes, Head, RunReader
from meshline.graph.store.neo4j.connection import Transaction, WriteQueue, read_rows, run_query
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.packed_times import build_block_rows, restore_late
from meshline.graph.store.neo4j.reader import (
    ScopeState,
    build_empty_head,
    build_interval,
    build_observation,
    extend_interval,
    read_observations,
)
from meshline.graph.store.neo4j.records import (
    END_OF_TIME,
    Contents,
    Neo4jRunReader,
    add_event_counts,
    add_raw_events,
    append_records,
    index_events,
    index_runs,
    lock_counters,
    put_runs,
)
from meshline.graph.store.neo4j.search_names import compute_digest
from meshline.graph.store.packed_times import Block

ScopeName: TypeAlias = tuple[str, Scope]


class ScopeUpdate(NamedTuple):
    """A scope whose statements change: the removed and added ones, and the open interval afterwards. `blocks`: packed times that are
    statements again, among those added.
    """

    state: ScopeState
    is_new: bool
    removed: frozenset[Observation]
    added: frozenset[Observation]
    after: Interval | None
    blocks: Sequence[Block[str]] = ()

    @property
    def has_new_head(self) -> bool:
        """True if the scope's head changes."""
        before, after = drop_empty(self.state.interval), drop_empty(self.after)
        return before != after

    @property
    def content_after(self) -> bytes | None:
        return find_content_digest(self.after)


def find_content_digest(stretch: Interval | None) -> bytes | None:
    """The digest of the content in an interval; None if the scope is empty."""
    return None if stretch is None or stretch.observation.digest == EMPTY.digest else stretch.observation.digest


def drop_empty(stretch: Interval | None) -> Interval | None:
    """The interval; None if its content is empty, so that all empty intervals are equal."""
    return None if find_content_digest(stretch) is None else stretch


def find_scope_updates(tx: Transaction, batch: Batch, last_scope: int, packed_before: int) -> tuple[list[ScopeUpdate], int]:
    """The scopes whose statements change, and the greatest id of a scope afterwards."""
    withdrawn: defaultdict[ScopeName, set[str]] = defaultdict(set)
    for withdrawal in batch.withdrawals:
        withdrawn[withdrawal.source, withdrawal.scope].add(withdrawal.version)
    stated: defaultdict[ScopeName, set[Observation]] = defaultdict(set)
    for s in batch.statements:
        stated[s.source, s.scope].add(Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until))
    states = _read_states(tx, [*stated, *(name for name in withdrawn if name not in stated)])
    known = _read_known_observations(tx, states, withdrawn, stated)
    turns = []
    for name in {**stated, **withdrawn}:
        is_new = name not in states
        if is_new:
            if name not in stated:
                continue
            last_scope += 1
            states[name] = ScopeState(last_scope, *name, None, 0)
        state = states[name]
        there = known.get(state.number, set())
        gone = {o for o in there if o.version in withdrawn[name]}
        removed, added = frozenset(gone - stated[name]), frozenset(stated[name] - there)
        if removed or added:
            turns.append(ScopeUpdate(state, is_new, removed, added, None))
    return _fold_updates(tx, _restore_late(tx, turns, packed_before)), last_scope


def _restore_late(tx: Transaction, turns: list[ScopeUpdate], packed_before: int) -> list[ScopeUpdate]:
    """The updates, if some statements may be older than packed times: without those that are packed already, and with those about them."""
    late = {turn.state.number: [o for o in turn.added if o.observed_at < packed_before] for turn in turns if not turn.is_new}
    found = restore_late(tx, {number: stated for number, stated in late.items() if stated})
    if not found:
        return turns
    restored: list[ScopeUpdate] = []
    for turn in turns:
        of_scope = found.get(turn.state.number)
        now = turn if of_scope is None else turn._replace(added=(turn.added - of_scope.known) | of_scope.rows, blocks=of_scope.blocks)
        if now.removed or now.added:
            restored.append(now)
    return restored


def _read_states(tx: Transaction, names: list[ScopeName]) -> dict[ScopeName, ScopeState]:
    """The state of these scopes, as far as they exist."""
    by_key = {build_scope_key(name): name for name in names}
    found: dict[ScopeName, ScopeState] = {}
    if by_key:
        for key, number, *stretch, count in read_rows(tx, get_cypher("scopes_by_key"), keys=list(by_key)):
            found[by_key[key]] = ScopeState(number, *by_key[key], build_interval(stretch), count)
    return found


def _read_known_observations(
    tx: Transaction,
    states: Mapping[ScopeName, ScopeState],
    withdrawn: Mapping[ScopeName, set[str]],
    stated: Mapping[ScopeName, set[Observation]],
) -> dict[int, set[Observation]]:
    """The stored observations that the batch may change: all of a withdrawn version, and those of a stated version and time."""
    versions, times = [], []
    for name, state in states.items():
        of_scope = withdrawn.get(name, set())
        versions += [[state.number, build_version_key(state.number, version)] for version in of_scope]
        times += [
            {"scope": state.number, "key": build_version_key(state.number, o.version), "at": o.observed_at}
            for o in stated.get(name, ())
            if o.version not in of_scope
        ]
    found: defaultdict[int, set[Observation]] = defaultdict(set)
    if versions:
        for row in read_rows(tx, get_cypher("statements_of_versions"), keys=versions):
            found[row[0]].add(build_observation(row[1:]))
    if times:
        for row in read_rows(tx, get_cypher("statements_at"), rows=times):
            found[row[0]].add(build_observation(row[1:]))
    return found


def _fold_updates(tx: Transaction, turns: Iterable[ScopeUpdate]) -> list[ScopeUpdate]:
    """The updates with the open interval afterwards; the other statements of a scope are read only if it depends on them."""
    folded: list[ScopeUpdate] = []
    open_: list[ScopeUpdate] = []
    for turn in turns:
        known, after = extend_interval(turn.state.interval, turn.removed, turn.added)
        if known:
            folded.append(turn._replace(after=after))
        else:
            open_.append(turn)
    kept = read_observations(tx, {turn.state.number: turn.state.statements for turn in open_})
    return folded + [
        turn._replace(after=find_open_interval((kept.get(turn.state.number, set()) - turn.removed) | turn.added)) for turn in open_
    ]


def build_scope_key(name: ScopeName) -> str:
    return compute_digest(name[0], *name[1])


def build_version_key(number: int, version: str) -> str:
    return f"{number}/{compute_digest(version)}"


def commit_batch(tx: Transaction, contents: Contents, build: Callable[[RunReader], Batch]) -> Changes:
    """Lock, build, write; the changes. May be called again with a new transaction, so it has no other effects than cached contents."""
    before = lock_counters(tx)
    batch = build(Neo4jRunReader(tx))
    turns, scopes = find_scope_updates(tx, batch, before.scopes, before.packed_before)
    queue = WriteQueue()
    heads = _write_updates(tx, queue, contents, batch, turns, before.revision + 1)
    runs_changed = put_runs(tx, queue, batch.runs, batch.pairs)
    add_raw_events(queue, batch.raw, before.events)
    add_event_counts(queue, batch.event_counts)
    queue.add(
        get_cypher("set_settings"), [{"key": compute_digest(name), "name": name, "value": value} for name, value in batch.settings.items()]
    )
    queue.flush(tx)
    index_runs(tx, batch.indexed_runs)
    index_events(tx, batch.indexed_events)
    records = append_records(tx, batch.journal, before.records)
    changed = bool(turns or runs_changed or batch.raw)
    earliest = min((o.observed_at for turn in turns for o in turn.removed | turn.added), default=END_OF_TIME)
    if changed or records > before.records:
        after = before._replace(revision=before.revision + changed, scopes=scopes, events=before.events + len(batch.raw), records=records)
        run_query(tx, get_cypher("set_counters"), **after._asdict(), before=before.revision, earliest=earliest)
    return Changes(before.revision + changed, heads, earliest)


def _write_updates(
    tx: Transaction, queue: WriteQueue, contents: Contents, batch: Batch, turns: list[ScopeUpdate], revision: int
) -> list[Head]:
    """Queue the writes of scopes, statements, contents, heads and what is to be drawn; the changed heads."""
    if not turns:
        return []
    moved = [turn for turn in turns if turn.has_new_head]
    given = {s.content.digest: s.content for s in batch.statements}
    needed = {digest for turn in moved if (digest := turn.content_after) is not None}
    blobs = {**contents.read(tx, needed - given.keys()), **{digest: content.blob for digest, content in given.items()}}
    heads = [(turn, _build_head_row(turn, revision, blobs)) for turn in turns]
    queue.add(get_cypher("add_scopes"), [{**_build_scope_row(turn.state), **row} for turn, row in heads if turn.is_new])
    queue.add(get_cypher("set_heads"), [row for turn, row in heads if not turn.is_new])
    queue.add(get_cypher("delete_statements"), [_build_statement_row(t.state.number, o, revision) for t in turns for o in t.removed])
    queue.add(get_cypher("add_statements"), [_build_statement_row(t.state.number, o, revision) for t in turns for o in t.added])
    queue.add(get_cypher("delete_blocks"), build_block_rows(block for turn in turns for block in turn.blocks))
    fresh = contents.add(tx, queue, given.values())
    change = {
        "revision": revision,
        "scopes": [turn.state.number for turn in moved],
        "contents": b"".join(content.digest for content in fresh),
    }
    queue.add(get_cypher("add_changes"), [change])
    return [_build_head(turn, blobs) for turn in moved]


def _build_head(turn: ScopeUpdate, blobs: Mapping[bytes, bytes]) -> Head:
    number, source, scope = turn.state[:3]
    after, content_digest = turn.after, turn.content_after
    if after is None or content_digest is None:
        return build_empty_head(number, source, scope)
    now = after.observation
    content = Content(content_digest, blobs[content_digest])
    return Head(number, source, scope, now.observed_at, after.valid_from, after.last_observed, now.version, now.provisional, content)


def _build_scope_row(state: ScopeState) -> dict[str, object]:
    return {
        "key": build_scope_key((state.source, state.scope)),
        "id": state.number,
        "source": state.source,
        "parts": list(state.scope),
    }


def _build_statement_row(number: int, o: Observation, revision: int) -> dict[str, object]:
    return {
        "scope": number,
        "versionKey": build_version_key(number, o.version),
        "version": o.version,
        "observedMicros": index(o.observed_at),  # Neo4j would store a value of any type
        "digest": o.digest.hex(),
        "provisional": o.provisional,
        "untilMicros": o.until,
        "revision": revision,
    }


def _build_head_row(turn: ScopeUpdate, revision: int, blobs: Mapping[bytes, bytes]) -> dict[str, object]:
    count = turn.state.statements + len(turn.added) - len(turn.removed)
    row: dict[str, object] = {"id": turn.state.number, "statements": count}
    after = turn.after
    if after == turn.state.interval:
        return row
    if turn.has_new_head:
        row["revision"] = revision
    now = None if after is None else after.observation
    content_digest = turn.content_after
    return {
        **row,
        "digest": None if now is None else now.digest.hex(),
        "observedMicros": None if now is None else now.observed_at,
        "validFromMicros": None if after is None else after.valid_from,
        "lastObservedMicros": None if after is None else after.last_observed,
        "version": None if now is None else now.version,
        "versionDigest": None if now is None else compute_digest(now.version),
        "provisional": None if now is None else now.provisional,
        "size": 0 if content_digest is None else len(blobs[content_digest]),
    }
