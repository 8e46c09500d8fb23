"""Gives runs and events that an earlier version stored their place in the lists of runs and events.

Only ingest can read a run's state and an event's text, so a store cannot do it alone. It is done once, when the store is opened for
ingest, in groups of one commit each: after a kill, the next start continues with the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RawEvent, Run, RunReader, Store, StoredEvent, StoredRun
from meshline.ingest.openlineage.builder import Received, build_raw_event, count_events, place_run
from meshline.ingest.openlineage.event_limits import NO_LIMITS
from meshline.ingest.openlineage.events import EventParser, EventType
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.openlineage.run_state import decode_state

log = logging.getLogger("meshline.ingest")

INDEXED = "openlineage.indexed"  # the setting which means that all runs and events have their place: "1"
GROUP = 500  # runs or events of one commit


def index_stored_runs(store: Store, naming: Naming) -> tuple[int, int]:
    """Index what is not indexed yet; the numbers of runs and events. Costs one read of a setting once all are."""
    if store.read_setting(INDEXED) is not None:
        return 0, 0
    runs, events = _index_runs(store, naming), _index_events(store)
    store.write_setting(INDEXED, "1")
    if runs or events:
        log.info("%d runs and %d events of an earlier version of meshline are now listed by time", runs, events)
    return runs, events


def _index_runs(store: Store, naming: Naming) -> int:
    indexed, after = 0, ""
    found: Sequence[StoredRun] = ()

    def build(reader: RunReader) -> Batch:
        nonlocal found
        found = reader.list_unindexed_runs(after, GROUP)
        return Batch(indexed_runs=_place_runs([stored.run for stored in found], naming))

    while True:
        store.commit(build)
        if not found:
            return indexed
        indexed += len(found)
        after = found[-1].position.tie


def _place_runs(runs: Iterable[Run], naming: Naming) -> list[Run]:
    placed: list[Run] = []
    for run in runs:
        try:
            placed.append(place_run(run, decode_state(run.state), naming))
        except StoreCorrupt as error:
            log.warning("the run %.60s of %s is not listed: %s", run.key.run_id, run.key.job.qualified_name, error)
    return placed


def _index_events(store: Store) -> int:
    parser = EventParser(FacetReader(NO_LIMITS))
    indexed = after = 0
    found: Sequence[StoredEvent] = ()

    def build(reader: RunReader) -> Batch:
        nonlocal found
        found = reader.list_unindexed_events(after, GROUP)
        placed = [StoredEvent(position, _place_event(event, parser)) for position, event in found]
        return Batch(indexed_events=placed, event_counts=count_events(event for _, event in placed))

    while True:
        store.commit(build)
        if not found:
            return indexed
        indexed += len(found)
        after = found[-1].position


def _place_event(event: RawEvent, parser: EventParser) -> RawEvent:
    """The event with its time and type; one that this version refuses has the time at which it was received."""
    try:
        parsed = parser.parse(event.body, event.received_at)
    except InvalidInput:
        return event._replace(at=event.received_at, type=EventType.OTHER.value)
    return build_raw_event(Received(event.source, parsed, event.received_at, event.body))
