"""The server in this process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from meshline.api.app import create_app
from meshline.api.settings import Settings
from meshline.errors import InvalidInput, MeshlineError


def serve(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `listening` is told the address. Raises MeshlineError if it cannot go on."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    failures: list[MeshlineError] = []

    def fail(error: MeshlineError) -> None:
        failures.append(error)
        server.should_exit = True

    level = "warning" if settings.log_level == "info" else settings.log_level  # of uvicorn's own news
    config = uvicorn.Config(create_app(settings, fail), log_config=None, log_level=level, access_log=False)
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
