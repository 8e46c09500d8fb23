"""The one place where everything is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshline.api.errors import http_error, known_error
from meshline.api.graphql.http import Endpoint
from meshline.api.health import healthz, readyz
from meshline.api.mesh import put_mesh
from meshline.api.middleware import Envelope
from meshline.api.openlineage import post_batch, post_event
from meshline.api.service import Service
from meshline.api.settings import Settings
from meshline.errors import MeshlineError


def create_app(settings: Settings, on_failure: Callable[[MeshlineError], None] | None = None) -> Starlette:
    """The application. It answers /healthz at once, and everything else when the graph is loaded.

    `on_failure` is told of an error that keeps the graph from being opened and that waiting does not mend.
    """
    service = Service(settings, on_failure)
    endpoint = Endpoint(settings.max_body_bytes)

    async def graphql(request: Request) -> Response:
        return await endpoint.answer(request, service.opened.graphql)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.close()

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/api/v1/lineage", post_event, methods=["POST"]),
            Route("/api/v1/lineage/batch", post_batch, methods=["POST"]),
            Route("/api/v1/mesh", put_mesh, methods=["PUT"]),
        ],
        middleware=[Middleware(Envelope)],
        exception_handlers={MeshlineError: known_error, HTTPException: http_error},
        lifespan=lifespan,
    )
    app.state.service = service
    return app
