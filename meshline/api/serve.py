"""Run the application until it is told to stop."""

from __future__ import annotations

import logging

import uvicorn

from meshline.api.app import create_app
from meshline.api.settings import Settings
from meshline.errors import MeshlineError

GRACE_SECONDS = 20  # for requests that are under way when told to stop


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; then finish what was begun and write what was accepted.

    Raises the MeshlineError that keeps the graph from being opened, if waiting does not mend it.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    failures: list[MeshlineError] = []

    def fail(error: MeshlineError) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, on_failure=fail),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    server.run()
    if failures:
        raise failures[0]
