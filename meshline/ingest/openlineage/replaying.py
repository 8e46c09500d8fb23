"""Ingesting again what a store has kept of events as they came: into another store, or under other naming rules."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.graph.store.base import Store
from meshline.ingest.pipeline import Outcome, Pipeline, ingest_all

PAGE = 1_000  # raw events read at once


def replay(store: Store, pipeline: Pipeline, after: int = 0) -> Iterator[Outcome]:
    """Ingest the raw events of `store`, in their order of arrival, each under its own source.

    Only events that are still kept can be replayed (`Store.prune_raw`). Each outcome's place is the
    event's position in the store. Must not be given a pipeline into the same store: it would never end.
    """
    while page := store.raw(after, PAGE):
        after = page[-1].position
        for source in dict.fromkeys(stored.event.source for stored in page):
            events = ((str(stored.position), stored.event.body) for stored in page if stored.event.source == source)
            yield from ingest_all(pipeline, events, source)
