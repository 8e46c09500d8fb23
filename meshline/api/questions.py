"""What can be read: the graph, and how this process fares."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from meshline.api.graphql.http import Endpoint
from meshline.api.metrics import CONTENT_TYPE, Metrics, State
from meshline.api.probe import STORE_SECONDS
from meshline.api.service import Opened, Service
from meshline.api.threads import run_in_thread
from meshline.graph.index import Size

LOCK_SECONDS = 1.0


async def graphql(request: Request) -> Response:
    """GraphQL over HTTP. What changes the graph needs the role admin."""
    endpoint: Endpoint = request.app.state.endpoint
    service: Service = request.app.state.service
    return await endpoint.answer(request, service.opened.graphql)


async def metrics(request: Request) -> Response:
    """Prometheus' text format; also while the graph is loaded, and while the store does not answer."""
    service: Service = request.app.state.service
    found: Metrics = service.metrics
    return Response(found.page(await _state(service)), media_type=CONTENT_TYPE)


async def _state(service: Service) -> State:
    opened = service.opened_or_none
    if opened is None:
        return State(ready=False, waiting=0, waiting_bytes=0, size=None, index_revision=None, store_revision=None)
    answered = await opened.probe.revision(STORE_SECONDS)
    newest = answered if isinstance(answered, int) else None
    return State(
        ready=newest is not None and not service.waiting_for,
        waiting=opened.pipeline.waiting,
        waiting_bytes=opened.pipeline.waiting_bytes,
        size=await run_in_thread(partial(_size, opened)),
        index_revision=opened.live.index.revision,
        store_revision=newest,
    )


def _size(opened: Opened) -> Size | None:
    """None if a question takes long just now: who watches does not wait for it."""
    lock = opened.live.lock
    if not lock.acquire(timeout=LOCK_SECONDS):
        return None
    try:
        return opened.live.index.size()
    finally:
        lock.release()
