"""Run the application until it is told to stop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from meshline.api.app import create_app
from meshline.api.auth import check_exposure
from meshline.api.logs import DETAILS, configure
from meshline.api.settings import Settings
from meshline.errors import InvalidInput, MeshlineError

log = logging.getLogger("meshline.api")

GRACE_SECONDS = 20  # for requests that are under way when told to stop


def serve(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; then finish what was begun and write what was accepted. A second SIGINT does not wait.

    `ready` is told the address when the graph is loaded. Raises InvalidInput if the address cannot be had or would be open to
    strangers, and the MeshlineError that keeps the graph from being opened, if waiting does not mend it.
    """
    check_exposure(settings)
    configure(settings.log_level, settings.log_format)
    failures: list[MeshlineError] = []

    def fail(error: MeshlineError) -> None:
        failures.append(error)
        server.should_exit = True

    def opened() -> None:
        log.info("GraphQL on %s/graphql, OpenLineage events to %s/api/v1/lineage", url, url)
        if ready is not None:
            ready(url)

    with _bound(settings.host, settings.port) as bound:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{bound.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(settings, on_failure=fail, on_ready=opened),
            log_config=None,
            access_log=False,  # the envelope logs requests
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = uvicorn.Server(config)
        log.info("listening on %s, loading the graph", url, extra={DETAILS: {"auth": _auth(settings)}})
        with suppress(KeyboardInterrupt):
            server.run(sockets=[bound])
    if failures:
        raise failures[0]


def _auth(settings: Settings) -> str:
    return f"tokens of {len(settings.tokens)}" if settings.tokens else "off"


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
