"""One commit: everything that happens inside its transaction, while it has the lock.

That includes the scopes that a batch changes: what is taken away, what is added, what they state afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from meshline.graph.content import EMPTY
from meshline.graph.model import Content, Interval, Observation, Scope, find_open_interval, parse_source_kind
from meshline.graph.store.base import Batch, Changes, Head, RunReader
from meshline.graph.store.neo4j.connection import Transaction, rows, run, run_in_chunks
from meshline.graph.store.neo4j.cypher import cypher, moment
from meshline.graph.store.neo4j.projection import NOTHING, Assertions, Move, assertions, draw
from meshline.graph.store.neo4j.reader import ScopeState, newest_stretch, observation, observations, silent, stretch_of
from meshline.graph.store.neo4j.records import Contents, Counters, Reader, add_raw_events, append, counters, put_runs
from meshline.graph.store.neo4j.search_names import digest

ScopeName: TypeAlias = tuple[str, Scope]


class Turn(NamedTuple):
    """A scope whose statements change: what is taken away, what is added, the open stretch after."""

    state: ScopeState
    is_new: bool
    removed: frozenset[Observation]
    added: frozenset[Observation]
    after: Interval | None

    @property
    def moved(self) -> bool:
        """Whether what the scope says now is another head than before."""
        before, after = said_by(self.state.stretch), said_by(self.after)
        return before != after

    @property
    def said_before(self) -> bytes | None:
        return spoken(self.state.stretch)

    @property
    def said_after(self) -> bytes | None:
        return spoken(self.after)


def spoken(stretch: Interval | None) -> bytes | None:
    """The digest of what a scope says, None if nothing."""
    return None if stretch is None or stretch.observation.digest == EMPTY.digest else stretch.observation.digest


def said_by(stretch: Interval | None) -> Interval | None:
    """The stretch as it is seen: all that say nothing are alike."""
    return None if spoken(stretch) is None else stretch


def turns_of(tx: Transaction, batch: Batch, last_scope: int) -> tuple[list[Turn], int]:
    """The scopes whose statements change, and the highest number of a scope afterwards."""
    withdrawn: defaultdict[ScopeName, set[str]] = defaultdict(set)
    for withdrawal in batch.withdrawals:
        withdrawn[withdrawal.source, withdrawal.scope].add(withdrawal.version)
    stated: defaultdict[ScopeName, set[Observation]] = defaultdict(set)
    for s in batch.statements:
        stated[s.source, s.scope].add(Observation(s.observed_at, s.content.digest, s.version, s.provisional, s.until))
    states = _states(tx, [*stated, *(name for name in withdrawn if name not in stated)])
    known = _known(tx, states, withdrawn, stated)
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
            turns.append(Turn(state, is_new, removed, added, None))
    return _folded(tx, turns), last_scope


def _states(tx: Transaction, names: list[ScopeName]) -> dict[ScopeName, ScopeState]:
    """The known ones of these scopes."""
    by_key = {scope_key(name): name for name in names}
    found: dict[ScopeName, ScopeState] = {}
    if by_key:
        for key, number, *stretch, count in rows(tx, cypher("scopes_by_key"), keys=list(by_key)):
            found[by_key[key]] = ScopeState(number, *by_key[key], stretch_of(stretch), count)
    return found


def _known(
    tx: Transaction,
    states: Mapping[ScopeName, ScopeState],
    withdrawn: Mapping[ScopeName, set[str]],
    stated: Mapping[ScopeName, set[Observation]],
) -> dict[int, set[Observation]]:
    """The kept observations that the batch may meet: all of a withdrawn version, and those of a stated version and time."""
    versions, times = [], []
    for name, state in states.items():
        of_scope = withdrawn.get(name, set())
        versions += [version_key(state.number, version) for version in of_scope]
        times += [
            {"key": version_key(state.number, o.version), "at": o.observed_at} for o in stated.get(name, ()) if o.version not in of_scope
        ]
    found: defaultdict[int, set[Observation]] = defaultdict(set)
    if versions:
        for row in rows(tx, cypher("statements_of_versions"), keys=versions):
            found[row[0]].add(observation(row[1:]))
    if times:
        for row in rows(tx, cypher("statements_at"), rows=times):
            found[row[0]].add(observation(row[1:]))
    return found


def _folded(tx: Transaction, turns: Iterable[Turn]) -> list[Turn]:
    """With the stretch after; the other statements of a scope are read only if it depends on them."""
    folded: list[Turn] = []
    open_: list[Turn] = []
    for turn in turns:
        known, after = newest_stretch(turn.state.stretch, turn.removed, turn.added)
        if known:
            folded.append(turn._replace(after=after))
        else:
            open_.append(turn)
    kept = observations(tx, {turn.state.number: turn.state.statements for turn in open_})
    return folded + [
        turn._replace(after=find_open_interval((kept.get(turn.state.number, set()) - turn.removed) | turn.added)) for turn in open_
    ]


def scope_key(name: ScopeName) -> str:
    return digest(name[0], *name[1])


def version_key(number: int, version: str) -> str:
    return f"{number}/{digest(version)}"


def commit(tx: Transaction, contents: Contents, build: Callable[[RunReader], Batch]) -> Changes:
    """Lock, build, write. May be called again with a new transaction, so it leaves nothing behind but what is true anyway."""
    run(tx, cypher("lock"))
    before = counters(tx)
    batch = build(Reader(tx))
    turns, scopes = turns_of(tx, batch, before.scopes)
    heads = _write_turns(tx, contents, batch, turns, before.revision + 1)
    runs_changed = put_runs(tx, batch.runs, batch.pairs)
    add_raw_events(tx, batch.raw, before.events)
    for name, value in batch.settings.items():
        run(tx, cypher("set_setting"), key=digest(name), name=name, value=value)
    records = append(tx, batch.journal, before.records)
    changed = bool(turns or runs_changed or batch.raw)
    if changed or records > before.records:
        after = Counters(before.revision + changed, scopes, before.events + len(batch.raw), records)
        run(tx, cypher("set_counters"), **after._asdict())
    return Changes(before.revision + changed, heads)


def _write_turns(tx: Transaction, contents: Contents, batch: Batch, turns: list[Turn], revision: int) -> list[Head]:
    """Write scopes, statements, contents, heads and the graph for people; the heads that changed."""
    if not turns:
        return []
    moved = [turn for turn in turns if turn.moved]
    given = {s.content.digest: s.content for s in batch.statements}
    needed = {digest for turn in moved for digest in (turn.said_before, turn.said_after) if digest is not None}
    blobs = {**contents.read(tx, needed - given.keys()), **{digest: content.blob for digest, content in given.items()}}
    run_in_chunks(tx, cypher("add_scopes"), [_scope_row(turn.state) for turn in turns if turn.is_new])
    run_in_chunks(tx, cypher("delete_statements"), [_statement_row(t.state.number, o, revision) for t in turns for o in t.removed])
    run_in_chunks(tx, cypher("add_statements"), [_statement_row(t.state.number, o, revision) for t in turns for o in t.added])
    fresh = contents.add(tx, given.values())
    run_in_chunks(tx, cypher("set_heads"), [_head_row(turn, revision, blobs) for turn in turns])
    moves = [Move(t.state.number, _assertions(blobs, t.said_before), _assertions(blobs, t.said_after)) for t in moved]
    draw(tx, moves, {key for content in fresh for key in assertions(content.blob).mentions.values()})
    return [_head(turn, blobs) for turn in moved]


def _assertions(blobs: Mapping[bytes, bytes], says: bytes | None) -> Assertions:
    return NOTHING if says is None else assertions(blobs[says])


def _head(turn: Turn, blobs: Mapping[bytes, bytes]) -> Head:
    number, source, scope = turn.state[:3]
    after, says = turn.after, turn.said_after
    if after is None or says is None:
        return silent(number, source, scope)
    now = after.observation
    content = Content(says, blobs[says])
    return Head(number, source, scope, now.observed_at, after.valid_from, after.last_observed, now.version, now.provisional, content)


def _scope_row(state: ScopeState) -> dict[str, object]:
    return {
        "key": scope_key((state.source, state.scope)),
        "id": state.number,
        "source": state.source,
        "sourceKey": digest(state.source),
        "sourceKind": parse_source_kind(state.source),
        "kind": state.scope[0] if state.scope else "",
        "parts": list(state.scope),
    }


def _statement_row(number: int, o: Observation, revision: int) -> dict[str, object]:
    return {
        "scope": number,
        "versionKey": version_key(number, o.version),
        "version": o.version,
        "observedAt": moment(o.observed_at),
        "observedMicros": o.observed_at,
        "digest": o.digest.hex(),
        "provisional": o.provisional,
        "untilMicros": o.until,
        "revision": revision,
    }


def _head_row(turn: Turn, revision: int, blobs: Mapping[bytes, bytes]) -> dict[str, object]:
    count = turn.state.statements + len(turn.added) - len(turn.removed)
    row: dict[str, object] = {"id": turn.state.number, "statements": count}
    after = turn.after
    if after == turn.state.stretch:
        return row
    if turn.moved:
        row["revision"] = revision
    now = None if after is None else after.observation
    says = turn.said_after
    return {
        **row,
        "digest": None if now is None else now.digest.hex(),
        "observedMicros": None if now is None else now.observed_at,
        "observedAt": None if now is None else moment(now.observed_at),
        "validFromMicros": None if after is None else after.valid_from,
        "validFrom": None if after is None else moment(after.valid_from),
        "lastObservedMicros": None if after is None else after.last_observed,
        "lastObserved": None if after is None else moment(after.last_observed),
        "version": None if now is None else now.version,
        "provisional": None if now is None else now.provisional,
        "size": 0 if says is None else len(blobs[says]),
    }
