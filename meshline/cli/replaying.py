"""A new store from what another has kept: events are taken again, all else is copied under the new naming rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from meshline.errors import InvalidInput, MeshlineError
from meshline.graph.content import decode, encode
from meshline.graph.model import AssetKey, AssetKind, Content, Facts, Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Head, Store
from meshline.ingest.mesh import Mesh, configuration, configure, stored
from meshline.ingest.mesh.loading import remember
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.replaying import replay
from meshline.ingest.pipeline import Pipeline

TOGETHER = 1000  # scopes read, and statements written, at once


class Copied(NamedTuple):
    """What became of a store's content. `without_events`: event sources of which only statements were left."""

    events: int
    refused: int
    statements: int
    without_events: tuple[str, ...]


def copied(
    old: Store, new: Store, mesh: Mesh | None, refuse: Callable[[MeshlineError], None], advance: Callable[[int], None] = lambda _: None
) -> Copied:
    """Fill a new store. The rules are the mesh file's, else the old store's. Raises InvalidInput if it is not new."""
    if new.revision() > 0:
        raise InvalidInput("the store to replay into already holds something: name a new one", "--to")
    rules = stored(old)
    given = configuration(mesh) if mesh is not None else (None, None)
    naming, _ = configure(new, given[0] or rules[0], given[1] or rules[1])
    heads = old.changes(0).heads
    replayed = _sources_with_events(old)
    events = refused = statements = 0
    for group in _groups(head for head in heads if head.source not in replayed):
        written = _copy(old, new, naming, group)
        statements += written
        advance(written)
    pipeline = Pipeline(new, BatchBuilder(naming))
    try:
        for outcome in replay(old, pipeline):
            advance(1)
            if outcome.refused is None:
                events += 1
            else:
                refused += 1
                refuse(outcome.refused)
    finally:
        pipeline.close()
    left = {head.source for head in heads if head.source.startswith("openlineage/")} - replayed
    return Copied(events, refused, statements, tuple(sorted(left)))


def _sources_with_events(store: Store) -> frozenset[str]:
    sources: set[str] = set()
    after = 0
    while page := store.raw(after, TOGETHER):
        after = page[-1].position
        sources.update(kept.event.source for kept in page)
    return frozenset(sources)


def _groups(heads: Iterable[Head]) -> Iterator[list[Head]]:
    remaining = iter(heads)
    while group := list(islice(remaining, TOGETHER)):
        yield group


def _copy(old: Store, new: Store, naming: Naming, heads: list[Head]) -> int:
    """Copy the whole history of these scopes; how many statements that is."""
    known = {head.scope_id: head for head in heads}
    statements = [
        statement
        for scope_id, intervals in old.history(list(known)).items()
        for interval, content in intervals
        for statement in _statements(known[scope_id], interval.valid_from, interval.last_observed, interval.observation.version, content)
    ]
    renamed = [statement._replace(content=_renamed(statement.content, naming)) for statement in statements]
    new.commit(lambda _: Batch(statements=renamed))
    for source in {head.source for head in heads}:
        remember(new, source, max(statement.observed_at for statement in statements if statement.source == source))
    return len(statements)


def _statements(head: Head, first: int, last: int, version: str, content: Content) -> Iterator[Statement]:
    """A stretch as its first and its last statement."""
    yield Statement(head.source, head.scope, first, content, version)
    if last > first:
        yield Statement(head.source, head.scope, last, content, version)


def _renamed(content: Content, naming: Naming) -> Content:
    """The same facts with the keys of datasets as these rules make them."""

    def key(old: AssetKey) -> AssetKey:
        if old.kind is AssetKind.DATASET:
            return naming.dataset(*old.parts)
        if old.kind is AssetKind.COLUMN:
            return AssetKey(old.kind, (*naming.dataset(*old.parts[:2]).parts, old.parts[2]))
        return old

    facts = decode(content.blob)
    return encode(
        Facts(
            assets=tuple(fact._replace(key=key(fact.key)) for fact in facts.assets),
            edges=tuple(edge._replace(start=key(edge.start), end=key(edge.end)) for edge in facts.edges),
            flows=tuple(flow._replace(start=key(flow.start), end=key(flow.end)) for flow in facts.flows),
        )
    )
