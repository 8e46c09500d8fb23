"""Run the application until it is told to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from meshline.api.app import create_app
from meshline.api.settings import Settings
from meshline.errors import InvalidInput, MeshlineError

GRACE_SECONDS = 20  # for requests that are under way when told to stop


def serve(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; then finish what was begun and write what was accepted.

    `listening` is told the address. Raises InvalidInput if the address cannot be had, and the
    MeshlineError that keeps the graph from being opened, if waiting does not mend it.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    failures: list[MeshlineError] = []

    def fail(error: MeshlineError) -> None:
        failures.append(error)
        server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, on_failure=fail),
        log_config=None,
        log_level="warning" if settings.log_level == "info" else settings.log_level,  # of uvicorn's own news
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    with _bound(settings.host, settings.port) as bound:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        listening(f"http://{host}:{bound.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            server.run(sockets=[bound])
    if failures:
        raise failures[0]


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises InvalidInput."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidInput(f"cannot listen on {host}:{port} ({error.strerror or error}): choose another with --host and --port") from error
    return bound
