"""`POST /api/v1/check`: checks whether a change may ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON
from meshline.api.rest.request_body import check_media, decode_json, read_body
from meshline.app.access_file import AccessFile
from meshline.app.access_rules import Action
from meshline.app.check import compute_digest, record_check, run_check
from meshline.app.check_texts import CheckRequest
from meshline.app.parser_process import start_forks
from meshline.app.service import Resources, Service
from meshline.app.threads import Lane
from meshline.app.tokens import Actor
from meshline.errors import NotPermitted
from meshline.governance.report import Report
from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.pages import Limits

MEDIA = frozenset({JSON})

_decoder = msgspec.json.Decoder(CheckRequest)


async def post_check(request: Request) -> Response:
    """200 with the report, whatever the verdict; 400 with `path` for invalid input, 404 and 409 for an unknown or ambiguous name."""
    service: Service = request.app.state.service
    opened = service.resources
    check_media(request, MEDIA)
    body = await read_body(request, service.settings.max_body_bytes)
    asked = decode_json(_decoder, body, "check")
    actor: Actor = request.state.actor
    if asked.waivers is not None:
        await run_in_threadpool(_check_waivers, request.app.state.access, actor)
    limits = (service.settings.query_nodes, service.settings.check_seconds)
    lane: Lane = request.app.state.checks
    find_graph: Callable[[Actor], LiveGraph] = request.app.state.find_graph
    report = await lane.run(partial(_run_check, partial(find_graph, actor), opened, asked, *limits))
    digest, name = compute_digest(body), actor.name
    await run_in_threadpool(partial(record_check, opened.keep_records, name, report, digest, needed=name != ""))
    return Response(msgspec.json.encode(report), media_type=JSON)


def _check_waivers(access: AccessFile | None, actor: Actor) -> None:
    """Raises NotPermitted if access rules limit who may send waivers, and not to this caller."""
    if access is not None and access.rules.is_limited(Action.WAIVE) and not access.rules.may_everywhere(actor, Action.WAIVE):
        raise NotPermitted("waivers are accepted only of callers who may `waive` (access rules)")


def _run_check(find_graph: Callable[[], LiveGraph], opened: Resources, asked: CheckRequest, nodes: int, seconds: float) -> Report:
    start_forks()
    return run_check(find_graph(), opened.naming, asked, Limits(nodes, time.monotonic() + seconds), opened.policies, apart=True)
