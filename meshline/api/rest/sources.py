"""`/api/v1/sources?source=kind/name`: readings of a source by another process, and what that process needs to know to read it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON
from meshline.api.rest.request_body import check_media, decode_json, read_body
from meshline.app.service import Resources, Service
from meshline.errors import InvalidInput, LimitExceeded
from meshline.graph.model import get_current_micros, parse_source_kind
from meshline.ingest.file_times import AHEAD
from meshline.ingest.sources.base import Item, Reading
from meshline.ingest.sources.context import build_context, collect_people
from meshline.ingest.sources.reading_loader import load_reading, read_memory, save_memory
from meshline.ingest.sources.registry import KINDS
from meshline.ingest.sources.sync_status import read_status, save_status
from meshline.ingest.sources.transfer import LoadingCounts, SentReading, SourceContext, decode_items

MEDIA = frozenset({JSON})
EVENTS = "openlineage"  # its events go to /api/v1/lineage
LOOKUPS = {
    "ending": "List the datasets with a name that ends like this, instead.",
    "contract": "List the datasets that the contract with this id governs, instead.",
    "namespace": "List the datasets of this namespace, instead.",
}
LONGEST = 4096  # characters of a name to look up
MESH = "mesh"  # its files go to /api/v1/mesh

NAME = re.compile(f"({'|'.join((*KINDS, MESH))})/[A-Za-z0-9_.-]{{1,100}}")
_decoder = msgspec.json.Decoder(SentReading)


async def handle_source(request: Request) -> Response:
    """GET: 200 with what a reader of the source needs to know about the graph.

    PUT: 200 with what changed; 400 with `path` if any part is invalid, and then nothing is written.
    """
    service: Service = request.app.state.service
    opened, name = service.resources, _parse_source_name(request)
    if request.method == "GET":
        return _build_response(await run_in_threadpool(_collect_known, opened, name, request.query_params))
    check_media(request, MEDIA)
    body = await read_body(request, service.settings.max_body_bytes)
    return _build_response(
        await run_in_threadpool(lambda: _load_reading(opened, name, _decode_reading(body, name), service.settings.check_seconds))
    )


def _build_response(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type=JSON)


def _parse_source_name(request: Request) -> str:
    """The source of a request, which must be of a kind that is read. Raises InvalidInput."""
    given = request.query_params.get("source", "")
    if not NAME.fullmatch(given):
        raise InvalidInput(f"found {given[:200]!r}; accepted is KIND/NAME, where KIND is one of {', '.join((*KINDS, MESH))}", "source")
    return given


def _decode_reading(body: bytes, source: str) -> SentReading:
    sent = decode_json(_decoder, body, "reading of a source")
    kind = parse_source_kind(source)
    if sent.has_items and kind in (EVENTS, MESH):
        raise InvalidInput(f"{kind} sources have another address and a format of their own", "source")
    if sent.status is not None and max(sent.status.at, sent.status.succeeded or 0, sent.status.rights or 0) > get_current_micros() + AHEAD:
        raise InvalidInput("the time of the sync is more than a day in the future", "status")
    return sent


def _collect_known(opened: Resources, source: str, asked: Mapping[str, str]) -> SourceContext:
    live = opened.live
    looked_for = next((name for name in LOOKUPS if name in asked), None)
    if looked_for is not None:
        context = build_context(live, opened.naming, Path(), source)
        find = {"ending": context.datasets_ending_with, "contract": context.datasets_governed_by, "namespace": context.datasets_in}[
            looked_for
        ]
        return SourceContext(source, datasets=[key.parts for key in find(asked[looked_for][:LONGEST])])
    trimmers = [(trimmer.pattern.pattern, trimmer.replacement) for trimmer in opened.naming.trimmers]
    return SourceContext(source, read_memory(live.store, source), collect_people(live), trimmers, read_status(live.store, source))


def _limit_time(seconds: float, found: Iterable[Item]) -> Iterator[Item]:
    """The entries of a reading. Raises LimitExceeded if iterating takes longer than `seconds`."""
    end = time.monotonic() + seconds
    for one in found:
        if time.monotonic() > end:
            raise LimitExceeded(f"reading it took longer than {seconds:g} seconds (MESHLINE_CHECK_SECONDS): send it in smaller parts")
        yield one


def _load_reading(opened: Resources, source: str, sent: SentReading, seconds: float) -> LoadingCounts:
    live = opened.live
    answer = LoadingCounts(source, live.index.revision, 0, 0, 0, 0, 0, 0)
    if sent.has_items:
        done = load_reading(
            live, Reading(source, list(_limit_time(seconds, decode_items(sent))), complete=sent.complete), get_current_micros()
        )
        answer = LoadingCounts(source, done.revision, done.read, done.unchanged, done.new, done.changed, done.retracted, done.kept)
    if sent.memory is not None:
        save_memory(live.store, source, sent.memory)
    if sent.status is not None:
        save_status(live.store, source, msgspec.structs.replace(sent.status, next=None))
    return answer
