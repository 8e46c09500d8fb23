"""Replay of a store into a new one: kept events are ingested again, the rest is copied under the new naming rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from meshline.errors import InvalidInput, MeshlineError
from meshline.governance.audit import AUDIT, format_count_setting
from meshline.graph.content import decode_facts, encode_facts
from meshline.graph.model import AssetKey, AssetKind, Content, Facts, Interval, Statement, parse_run
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Changes, Head, RunReader, Store
from meshline.graph.store.synonyms import LEARNING, SYNONYMS, write_synonyms
from meshline.ingest.catalog_aliases import RULES, write_rules
from meshline.ingest.mesh import Mesh, build_configuration, configure_store, read_stored_rules
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.event_limits import NO_LIMITS
from meshline.ingest.openlineage.run_statements import build_statement_owner, rename_scope
from meshline.ingest.pipeline import Pipeline, replay_events
from meshline.ingest.sources.reading_loader import advance_clock, read_retracted, record_retracted

ALWAYS = 2**61  # microseconds: no time is beyond it
GROUP_SIZE = 1000  # scopes that are read, and statements that are written, together


class CopyResult(NamedTuple):
    """Counts of a replay. `statements`: copied statements, which come from no kept event."""

    events: int
    refused: int
    statements: int


def copy_store(
    old: Store, new: Store, mesh: Mesh | None, refuse: Callable[[MeshlineError], None], advance: Callable[[int], None] = lambda _: None
) -> CopyResult:
    """Fill a new store. The rules are the mesh file's, else the old store's. Raises InvalidInput if it is not new."""
    if new.read_revision() > 0:
        raise InvalidInput("the store to replay into is not empty: name a new one", "--to")
    rules = read_stored_rules(old)
    given = build_configuration(mesh) if mesh is not None else (None, None)
    naming, _ = configure_store(new, given[0] or rules[0], given[1] or rules[1])
    _copy_vocabulary(old, new, mesh)
    restated = _RecordingStore(new)
    pipeline = Pipeline(restated, BatchBuilder(naming, NO_LIMITS))
    events = refused = 0
    try:
        for outcome in replay_events(old, pipeline):
            advance(1)
            if outcome.refused is None:
                events += 1
            else:
                refused += 1
                refuse(outcome.refused)
    finally:
        pipeline.close()
    _copy_event_counts(old, new)
    statements = 0
    for group in _split_heads(old.read_changes(0).heads):
        written = _copy(old, new, naming, group, restated)
        statements += written
        advance(written)
    _copy_journal(old, new)
    return CopyResult(events, refused, statements)


def _copy_vocabulary(old: Store, new: Store, mesh: Mesh | None) -> None:
    """Copy the rules that join names, and the synonyms; the given mesh file replaces its old ones."""
    for name in (RULES, SYNONYMS, LEARNING):
        if (value := old.read_setting(name)) is not None:
            new.write_setting(name, value)
    if mesh is not None:
        write_rules(new, mesh.source, mesh.catalogs)
        write_synonyms(new, mesh.source, mesh.synonyms, learn=mesh.learn_synonyms, refused=mesh.not_synonyms)


def _copy_event_counts(old: Store, new: Store) -> None:
    """Add the events that are not kept any more to the counts of the replayed ones."""
    replayed = new.read_event_counts(-ALWAYS, ALWAYS)
    counts = {of: events - replayed.get(of, 0) for of, events in old.read_event_counts(-ALWAYS, ALWAYS).items()}
    new.commit(lambda _: Batch(event_counts={of: events for of, events in counts.items() if events > 0}))


def _copy_journal(old: Store, new: Store) -> None:
    after = 0
    while records := old.read_journal("", after, GROUP_SIZE):
        after = records[-1].position
        names = [format_count_setting(kept.record.key) for kept in records if kept.record.kind == AUDIT and kept.record.key]
        counts = {name: value for name in names if (value := old.read_setting(name)) is not None}
        batch = Batch(journal=[kept.record for kept in records], settings=counts)
        new.commit(lambda _, batch=batch: batch)  # type: ignore[misc]


class _RecordingStore:
    """Commits to a store, and records the runs of ingested events and their earliest time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.versions: set[str] = set()
        self.since: int | None = None

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        def build_and_remember(runs: RunReader) -> Batch:
            batch = build(runs)
            self.versions.update(build_statement_owner(run.key) for run in batch.runs)
            times = [statement.observed_at for statement in batch.statements]
            self.since = min(times if self.since is None else [self.since, *times], default=self.since)
            return batch

        return self._store.commit(build_and_remember)

    def is_before(self, time: int) -> bool:
        """Whether a time is before all statements of ingested events."""
        return self.since is None or time < self.since


def _split_heads(heads: Iterable[Head]) -> Iterator[list[Head]]:
    remaining = iter(heads)
    while group := list(islice(remaining, GROUP_SIZE)):
        yield group


def _copy(old: Store, new: Store, naming: Naming, heads: list[Head], restated: _RecordingStore) -> int:
    """Copy the history of these scopes that the replayed events did not state. Returns the number of statements."""
    known = {head.scope_id: head for head in heads}
    statements = [
        statement._replace(scope=rename_scope(statement.scope, naming), content=_rename_datasets(statement.content, naming))
        for scope_id, intervals in old.read_history(list(known)).items()
        for interval, content in intervals
        for statement in _restate_interval(known[scope_id], interval, content, restated)
    ]
    new.commit(lambda _: Batch(statements=statements))
    newest: dict[str, int] = {}
    for statement in statements:
        newest[statement.source] = max(statement.observed_at, newest.get(statement.source, statement.observed_at))
    for source, time in newest.items():
        if not source.startswith("openlineage/"):
            advance_clock(new, source, time)
            record_retracted(new, source, {rename_scope(scope, naming): at for scope, at in read_retracted(old, source).items()})
    return len(statements)


def _restate_interval(head: Head, interval: Interval, content: Content, restated: _RecordingStore) -> Iterator[Statement]:
    """Restate an interval by its first and its last statement; if a replayed run states it again, only the part before that run."""
    observation = interval.observation
    first = Statement(
        head.source, head.scope, interval.valid_from, content, observation.version, observation.provisional, observation.until
    )
    if observation.version and parse_run(observation.version) in restated.versions:
        if restated.is_before(interval.valid_from):
            yield first._replace(version="", until=None)
        return
    yield first
    if interval.last_observed > interval.valid_from:
        yield first._replace(observed_at=interval.last_observed)


def _rename_datasets(content: Content, naming: Naming) -> Content:
    """The same facts with dataset keys as the naming rules build them."""

    def rename_key(old: AssetKey) -> AssetKey:
        if old.kind is AssetKind.DATASET:
            return naming.normalise_dataset(*old.parts)
        if old.kind is AssetKind.COLUMN:
            return AssetKey(old.kind, (*naming.normalise_dataset(*old.parts[:2]).parts, old.parts[2]))
        return old

    facts = decode_facts(content.blob)
    return encode_facts(
        Facts(
            assets=tuple(fact._replace(key=rename_key(fact.key)) for fact in facts.assets),
            edges=tuple(edge._replace(start=rename_key(edge.start), end=rename_key(edge.end)) for edge in facts.edges),
            flows=tuple(flow._replace(start=rename_key(flow.start), end=rename_key(flow.end)) for flow in facts.flows),
        )
    )
