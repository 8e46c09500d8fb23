"""OpenLineage over HTTP: one event, or a batch of events. An answer is given when what it accepts is durable."""

from __future__ import annotations

import asyncio
import logging
import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.bodies import check_media, read_body
from meshline.api.errors import INTERNAL_MESSAGE, JSON
from meshline.api.service import Service
from meshline.errors import InvalidInput, MeshlineError, QueueFull, StoreUnavailable
from meshline.ingest.openlineage.arrays import events_of

log = logging.getLogger("meshline.api")

SOURCE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
MEDIA = frozenset({JSON, "application/vnd.openlineage+json"})


class Warned(msgspec.Struct, frozen=True):
    """What of an event was not taken as it came; `path` is a JSON path."""

    path: str
    message: str


class Taken(msgspec.Struct, frozen=True):
    """An event that is durable. A graph of at least this revision shows it."""

    revision: int
    warnings: list[Warned]


async def post_event(request: Request) -> Response:
    """201 when the event is durable and shown, with warnings about what of it was not taken as it came."""
    service: Service = request.app.state.service
    try:
        pipeline = service.opened.pipeline  # before the body: what cannot be taken need not be read
        accepted = await pipeline.ingest(await _body(request, service), service.settings.source)
    except Exception as error:
        service.metrics.refused(error)
        raise
    answer = Taken(accepted.revision, [Warned(note.where, note.what) for note in accepted.warnings])
    return Response(msgspec.json.encode(answer), 201, media_type=JSON)


class Failed(msgspec.Struct, frozen=True):
    """An event of a batch that was not taken. `retriable`: sending it again may work."""

    index: int
    reason: str
    retriable: bool


class Summary(msgspec.Struct, frozen=True):
    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class BatchAnswer(msgspec.Struct, frozen=True):
    """As the OpenLineage API specifies (spec/OpenLineage.yml, /lineage/batch): `status` is success or partial_success."""

    status: str
    summary: Summary
    failed_events: list[Failed]


async def post_batch(request: Request) -> Response:
    """200 with what became of each event: those that are usable are taken, whatever the others are.

    `?source=NAME`: they are those of the source openlineage/NAME.
    """
    service: Service = request.app.state.service
    pipeline, source = service.opened.pipeline, _source(request, service)
    body = await _body(request, service)
    events = events_of(body)
    outcomes = await asyncio.gather(*(pipeline.ingest(event, source) for event in events), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            service.metrics.refused(outcome)
    failed = [_failed(index, outcome) for index, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)]
    retriable = sum(one.retriable for one in failed)
    answer = BatchAnswer(
        status="partial_success" if failed else "success",
        summary=Summary(len(events), len(events) - len(failed), len(failed), retriable, len(failed) - retriable),
        failed_events=failed,
    )
    return Response(msgspec.json.encode(answer), 200, media_type=JSON)


def _source(request: Request, service: Service) -> str:
    """Whose the events are."""
    name = request.query_params.get("source")
    if name is None:
        return service.settings.source
    if not SOURCE_NAME.fullmatch(name):
        raise InvalidInput(f"found {name[:200]!r}; accepted is a name of letters, digits, dots and dashes", "source")
    return f"openlineage/{name}"


async def _body(request: Request, service: Service) -> bytes:
    check_media(request, MEDIA, optional=True)
    return await read_body(request, service.settings.max_body_bytes)


def _failed(index: int, error: BaseException) -> Failed:
    if isinstance(error, MeshlineError):
        return Failed(index, str(error), isinstance(error, QueueFull | StoreUnavailable))
    log.error("event %d of a batch failed", index, exc_info=error)
    return Failed(index, INTERNAL_MESSAGE, retriable=True)
