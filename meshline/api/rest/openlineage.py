"""OpenLineage over HTTP: one event, or a batch of events. The response is sent when the accepted events are durable."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import INTERNAL_MESSAGE, JSON
from meshline.api.metrics import Metrics
from meshline.api.permissions import get_actor
from meshline.api.rest.request_body import check_media, read_body
from meshline.app.ingest_rights import IngestRights
from meshline.app.service import Service
from meshline.app.threads import Lane
from meshline.app.tokens import Actor
from meshline.errors import InvalidInput, MeshlineError, QueueFull, StoreUnavailable
from meshline.ingest.openlineage.event_files import split_events
from meshline.ingest.pipeline import Accepted, EventCheck, Pipeline

log = logging.getLogger("meshline.api")

SOURCE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
AT_ONCE = 64 * 1024  # bytes of an event that is parsed in the event loop, which takes less than a millisecond
WARNINGS_LISTED = 100  # of a batch: clients show few, and 100,000 events may have many each
MEDIA = frozenset({JSON, "application/vnd.openlineage+json"})


class EventWarning(msgspec.Struct, frozen=True):
    """A part of an event that was ignored or changed; `path` is a JSON path."""

    path: str
    message: str


class EventAnswer(msgspec.Struct, frozen=True):
    """An event that is durable. The graph shows it from this revision on."""

    revision: int
    warnings: list[EventWarning]


async def post_event(request: Request) -> Response:
    """201 when the event is durable and queries show it, with warnings about parts of it that were ignored or changed."""
    service: Service = request.app.state.service
    metrics: Metrics = request.app.state.metrics
    try:
        pipeline = service.resources.pipeline  # before the body: without a graph it need not be read
        body, rights = await _read_event_body(request, service), _find_rights(request)
        check = None if rights is None else rights.check_event
        if len(body) <= AT_ONCE and (rights is None or rights.may_name is None):  # else it may wait for the graph
            accepted = await pipeline.ingest(body, service.settings.source, check)
        else:
            lane: Lane = request.app.state.bodies
            accepted = await lane.run(lambda: pipeline.submit(body, service.settings.source, check=check).result())
    except Exception as error:
        metrics.count_refused_event(error)
        raise
    answer = EventAnswer(accepted.revision, [EventWarning(note.where, note.what) for note in accepted.warnings])
    return Response(msgspec.json.encode(answer), 201, media_type=JSON)


class FailedEvent(msgspec.Struct, frozen=True):
    """A refused event of a batch. `retriable`: sending it again may work."""

    index: int
    reason: str
    retriable: bool


class BatchSummary(msgspec.Struct, frozen=True):
    """Numbers of events of a batch."""

    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class BatchEventWarning(EventWarning, frozen=True):
    """A part of an event of a batch that was ignored or changed; `index`: the position of the event in the batch."""

    index: int


class BatchAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """As the OpenLineage API specifies (spec/OpenLineage.yml, /lineage/batch): `status` is success or partial_success.

    `warnings` is our extension: the first WARNINGS_LISTED. `more_warnings`: how many are not listed.
    """

    status: str
    summary: BatchSummary
    failed_events: list[FailedEvent]
    warnings: list[BatchEventWarning] = []
    more_warnings: int = 0


class _BatchOutcome(NamedTuple):
    """The outcome of a batch: number of events, errors by position, the first warnings, and the number of the others."""

    events: int
    errors: dict[int, Exception]
    warnings: list[BatchEventWarning]
    more_warnings: int


async def post_batch(request: Request) -> Response:
    """200 with the outcome of each event: valid events are ingested, whatever the others are.

    `?source=NAME`: the events belong to the source openlineage/NAME.
    """
    service: Service = request.app.state.service
    metrics: Metrics = request.app.state.metrics
    pipeline, source = service.resources.pipeline, _parse_source(request, service)
    body = await _read_event_body(request, service)
    lane: Lane = request.app.state.bodies
    rights = _find_rights(request)
    done = await lane.run(partial(_ingest_batch, pipeline, body, source, None if rights is None else rights.check_event))
    for error in done.errors.values():
        metrics.count_refused_event(error)
    failed = [_describe_failure(index, error) for index, error in done.errors.items()]
    retriable = sum(one.retriable for one in failed)
    answer = BatchAnswer(
        status="partial_success" if failed else "success",
        summary=BatchSummary(done.events, done.events - len(failed), len(failed), retriable, len(failed) - retriable),
        failed_events=failed,
        warnings=done.warnings,
        more_warnings=done.more_warnings,
    )
    return Response(msgspec.json.encode(answer), 200, media_type=JSON)


def _ingest_batch(pipeline: Pipeline, body: bytes, source: str, check: EventCheck | None) -> _BatchOutcome:
    waiting: list[tuple[int, Future[Accepted]]] = []
    errors: dict[int, Exception] = {}
    events = split_events(body)
    for index, event in enumerate(events):
        try:
            waiting.append((index, pipeline.submit(event, source, check=check)))
        except Exception as error:  # noqa: BLE001 - an error in one event must not affect the others
            errors[index] = error
    warnings: list[BatchEventWarning] = []
    more = 0
    for index, answer in waiting:
        failure = answer.exception()
        if isinstance(failure, Exception):
            errors[index] = failure
        elif failure is None:
            notes = answer.result().warnings
            listed = notes[: WARNINGS_LISTED - len(warnings)]
            warnings += [BatchEventWarning(note.where, note.what, index) for note in listed]
            more += len(notes) - len(listed)
    return _BatchOutcome(len(events), dict(sorted(errors.items())), warnings, more)


def _find_rights(request: Request) -> IngestRights | None:
    """What the caller may send events about, if access rules limit that."""
    find_ingest: Callable[[Actor], IngestRights | None] = request.app.state.find_ingest
    actor = get_actor(request)
    return None if actor is None else find_ingest(actor)


def _parse_source(request: Request, service: Service) -> str:
    """The source of the events: `?source=NAME`, else that of the settings. Raises InvalidInput."""
    name = request.query_params.get("source")
    if name is None:
        return service.settings.source
    if not SOURCE_NAME.fullmatch(name):
        raise InvalidInput(f"found {name[:200]!r}; accepted is a name of letters, digits, dots and dashes", "source")
    return f"openlineage/{name}"


async def _read_event_body(request: Request, service: Service) -> bytes:
    check_media(request, MEDIA, optional=True)
    return await read_body(request, service.settings.max_body_bytes)


def _describe_failure(index: int, error: Exception) -> FailedEvent:
    if isinstance(error, MeshlineError):
        return FailedEvent(index, str(error), isinstance(error, QueueFull | StoreUnavailable))
    log.error("event %d of a batch failed", index, exc_info=error)
    return FailedEvent(index, INTERNAL_MESSAGE, retriable=True)
