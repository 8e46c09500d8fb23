"""One commit: everything that happens inside its transaction, while it holds the lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshline.graph.model import Content, Observation, source_kind
from meshline.graph.store.base import Batch, Changes, Head, RunReader
from meshline.graph.store.neo4j.connection import Transaction, run, run_in_chunks
from meshline.graph.store.neo4j.contents import Contents
from meshline.graph.store.neo4j.cypher import cypher, moment
from meshline.graph.store.neo4j.drawing import draw
from meshline.graph.store.neo4j.folding import ScopeState, silent
from meshline.graph.store.neo4j.journal import append
from meshline.graph.store.neo4j.names import digest
from meshline.graph.store.neo4j.records import Counters, Reader, add_raw_events, counters, put_runs
from meshline.graph.store.neo4j.turns import Turn, scope_key, turns_of, version_key
from meshline.graph.store.neo4j.visible import NOTHING, Assertions, Move, assertions


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
        "sourceKind": source_kind(state.source),
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
