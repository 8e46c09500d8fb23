"""OpenLineage events to a running meshline, in batches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.cli.remote import Remote
from meshline.errors import InvalidInput, MeshlineError, StoreUnavailable
from meshline.ingest.openlineage.files import Found

TOGETHER = 500  # events in one request
MAX_BYTES = 8 * 2**20  # of one request, before compression
TRIES = 5  # for events that the server says may be sent again

Batch: TypeAlias = list[tuple[str, bytes]]  # place, event


class Sent(NamedTuple):
    """What became of one event, or of what could not be read: `refused` None means taken."""

    refused: MeshlineError | None


def post(remote: Remote, events: Iterable[Found], source: str | None = None) -> Iterator[Sent]:
    """Send events in batches. `source`: openlineage/<source>; else the server's own.

    Raises StoreUnavailable when the server takes no more.
    """
    batch: Batch = []
    size = 0
    for event in events:
        bad = event if isinstance(event, InvalidInput) else _no_json(*event)
        if bad is not None or isinstance(event, InvalidInput):
            yield Sent(bad)
            continue
        if batch and (len(batch) == TOGETHER or size + len(event[1]) > MAX_BYTES):
            yield from _send(remote, batch, source)
            batch, size = [], 0
        batch.append(event)
        size += len(event[1])
    if batch:
        yield from _send(remote, batch, source)


def _no_json(place: str, body: bytes) -> InvalidInput | None:
    """What is wrong with an event that would spoil the whole batch."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        return InvalidInput(f"no JSON: {error}", place)
    return None


def _send(remote: Remote, batch: Batch, source: str | None) -> Iterator[Sent]:
    """Send a batch until nothing is left that may be sent again."""
    for attempt in range(TRIES):
        time.sleep(attempt)
        failed = remote.post_events([body for _, body in batch], source).failed_events
        yield from (Sent(None) for _ in range(len(batch) - len(failed)))
        yield from (Sent(InvalidInput(one.reason, batch[one.index][0])) for one in failed if not one.retriable)
        batch = [batch[one.index] for one in failed if one.retriable]
        if not batch:
            return
    raise StoreUnavailable(f"the server did not take {len(batch)} events, from {batch[0][0]} on: try again later")
