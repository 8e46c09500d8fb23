"""Is the process alive, and can it answer?"""

from __future__ import annotations

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline import __version__
from meshline.api.errors import JSON, RETRY_AFTER
from meshline.api.service import Service
from meshline.errors import MeshlineError
from meshline.graph.store.base import Store

STORE_SECONDS = 3.0  # within which the store must answer


async def healthz(_request: Request) -> Response:
    """200 as long as the process runs."""
    return Response(msgspec.json.encode({"status": "ok", "version": __version__}), media_type=JSON)


async def readyz(request: Request) -> Response:
    """200 once the index is loaded and while the store answers; else 503 with the reasons."""
    service: Service = request.app.state.service
    reasons = [service.waiting_for] if service.waiting_for else await _store_reasons(service.opened.live.store)
    if reasons:
        body = msgspec.json.encode({"status": "not ready", "reasons": reasons})
        return Response(body, 503, {"Retry-After": str(RETRY_AFTER)}, JSON)
    revision = service.opened.live.index.revision
    return Response(msgspec.json.encode({"status": "ready", "revision": revision}), media_type=JSON)


async def _store_reasons(store: Store) -> list[str]:
    try:
        with anyio.fail_after(STORE_SECONDS):
            await anyio.to_thread.run_sync(store.revision, abandon_on_cancel=True)
    except TimeoutError:
        return [f"the store has not answered for {STORE_SECONDS:g} seconds"]
    except MeshlineError as error:
        return [f"the store does not answer: {error}"]
    return []
