"""OpenLineage events to a running meshline, in batches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from meshline.cli.remote import BatchAnswer, Remote
from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.openlineage.repair import decoded
from meshline.ingest.sources.target import Ingested

TOGETHER = 500  # events in one request
MAX_BYTES = 8 * 2**20  # of one request, before compression
TRIES = 5  # for events that the server says may be sent again


def post(remote: Remote, events: Iterable[Found], source: str | None = None) -> Iterator[Ingested]:
    """Send events in batches; what became of each, in their order. `source`: openlineage/<source>; else the server's own.

    Raises StoreUnavailable when the server takes no more.
    """
    batch: list[Found] = []
    size = 0
    for event in events:
        one = event if isinstance(event, InvalidInput) else _not_json(*event) or event
        length = 0 if isinstance(one, InvalidInput) else len(one[1])
        if batch and (len(batch) == TOGETHER or size + length > MAX_BYTES):
            yield from _send(remote, batch, source)
            batch, size = [], 0
        batch.append(one)
        size += length
    yield from _send(remote, batch, source)


def _not_json(place: str, body: bytes) -> InvalidInput | None:
    """What is wrong with an event that would spoil the whole batch."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        try:
            decoded(body, [])  # NaN, which Python's producers write, is read as null there
        except InvalidInput as error:
            return InvalidInput(str(error), place)
    return None


def _send(remote: Remote, batch: Sequence[Found], source: str | None) -> Iterator[Ingested]:
    """Send a batch until nothing is left that may be sent again. What cannot be sent is refused in its place."""
    for attempt in range(TRIES):
        time.sleep(attempt)
        sent = [one for one in batch if not isinstance(one, InvalidInput)]
        outcomes = iter(_outcomes(sent, remote.post_events([body for _, body in sent], source))) if sent else iter(())
        again: list[tuple[str, bytes]] = []
        for one in batch:
            outcome = Ingested(one) if isinstance(one, InvalidInput) else next(outcomes)
            if outcome is not None:
                yield outcome
            elif not isinstance(one, InvalidInput):
                again.append(one)
        batch = again
        if not batch:
            return
    raise StoreUnavailable(f"the server did not take {len(batch)} events, from {again[0][0]} on: try again later")


def _outcomes(sent: Sequence[tuple[str, bytes]], answer: BatchAnswer) -> list[Ingested | None]:
    """What became of each event; None of one that is to be sent again."""
    failed = {one.index: one for one in answer.failed_events}
    warnings: dict[int, list[str]] = {}
    for one in answer.warnings:
        warnings.setdefault(one.index, []).append(f"{sent[one.index][0]}: {one.path}: {one.message}")
    found: list[Ingested | None] = []
    for index, (place, _) in enumerate(sent):
        failure = failed.get(index)
        if failure is None:
            found.append(Ingested(None, warnings.get(index, ())))
        else:
            found.append(None if failure.retriable else Ingested(InvalidInput(failure.reason, place)))
    if answer.more_warnings:  # they come after those that are listed
        last = max(warnings)
        found[last] = Ingested(None, warnings[last], answer.more_warnings)
    return found
