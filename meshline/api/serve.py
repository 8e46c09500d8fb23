"""Runs the application in uvicorn until a signal stops it."""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from meshline.api.app import create_app
from meshline.api.auth import check_exposure
from meshline.api.http_protocol import HttpProtocol
from meshline.app.logs import DETAILS, configure_logs
from meshline.app.settings import Settings
from meshline.app.threads import switch_threads_often
from meshline.errors import InvalidInput, MeshlineError

log = logging.getLogger("meshline.api")

GRACE_SECONDS = 10  # for requests that are under way when the signal comes
END_SECONDS = 19  # after the signal, when the process ends in any case


def run_server(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; then finish the requests under way and write accepted events. A second SIGINT does not wait.

    `ready` is called with the address when the graph is loaded. Raises InvalidInput if the address is in use, or if it would let in
    unauthenticated callers, and the MeshlineError that prevents opening the graph if it does not go away by waiting.
    """
    check_exposure(settings)
    configure_logs(settings.log_level, settings.log_format)
    switch_threads_often()
    failures: list[MeshlineError] = []

    def fail(error: MeshlineError) -> None:
        failures.append(error)
        server.should_exit = True

    def report_ready() -> None:
        log.info("GraphQL on %s/graphql, OpenLineage events to %s/api/v1/lineage", url, url)
        if ready is not None:
            ready(url)

    with _bind_socket(settings.host, settings.port) as bound:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{bound.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(settings, on_failure=fail, on_ready=report_ready),
            log_config=None,
            access_log=False,  # RequestContextMiddleware logs requests
            http=HttpProtocol,
            ws="none",
            proxy_headers=False,  # the peer of a connection decides whether it may name callers (TrustedProxy): no header may change it
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config)
        log.info("listening on %s, loading the graph", url, extra={DETAILS: {"auth": _describe_auth(settings)}})
        with suppress(KeyboardInterrupt):
            server.run(sockets=[bound])
    if failures:
        raise failures[0]


class _Server(uvicorn.Server):
    """Ends within END_SECONDS after the first signal: acknowledged events are durable, and other work may be lost."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            threading.Thread(target=_end_late, name="meshline-end", daemon=True).start()
            if sys.__stderr__ is not None:  # works also while a call into C blocks all threads, and prints where
                faulthandler.dump_traceback_later(END_SECONDS + 0.5, exit=True, file=sys.__stderr__)
        super().handle_exit(sig, frame)


def _end_late() -> None:
    time.sleep(END_SECONDS)
    log.critical("still busy %d seconds after the signal: the process ends now; acknowledged events are in the store", END_SECONDS)
    logging.shutdown()
    os._exit(1)


def _describe_auth(settings: Settings) -> str:
    provider = [] if settings.oidc_issuer is None else [f"identity provider {settings.oidc_issuer}"]
    tokens = [f"tokens of {len(settings.tokens)}"] if settings.tokens else []
    proxies = [f"proxies in {', '.join(settings.proxy_networks)}"] if settings.proxy_networks else []
    return ", ".join([*tokens, *provider, *proxies]) or "off"


def _bind_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address. Raises InvalidInput if that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InvalidInput(f"cannot listen on {host}:{port} ({error.strerror or error}): choose another with --host and --port") from error
    return bound
