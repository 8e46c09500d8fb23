"""A reader process: the application over connections that the server hands to it, until the server ends it, or ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from meshline.api.app import create_reader_app
from meshline.api.http_protocol import HttpProtocol
from meshline.app.logs import configure_logs
from meshline.app.reader_link import ReaderLink
from meshline.app.threads import switch_threads_often

KEEP_ALIVE = 3600  # seconds for which the server keeps a connection without a request
GRACE_SECONDS = 4

log = logging.getLogger("meshline.reader")


def main(link_number: str, door_number: str) -> None:
    """Run in the process that `reader_pool` starts. The numbers: of the sockets that it inherits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends its readers: they have answers to finish
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link = ReaderLink(socket.socket(fileno=int(link_number)))
    door = socket.socket(fileno=int(door_number))
    door.settimeout(0)  # never waits
    try:
        setup = link.read_setup()
    except (EOFError, OSError):
        return
    configure_logs(setup.settings.log_level, setup.settings.log_format, process=f"reader {setup.number}")
    switch_threads_often()
    server: _ReaderServer | None = None

    def end() -> None:
        if server is not None:
            server.should_exit = True

    app = create_reader_app(setup, link, end)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=HttpProtocol,
        ws="none",
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the server's has one
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _ReaderServer(config, door)
    server.run(sockets=[])
    logging.shutdown()
    os._exit(0)  # threads that still answer need not end before


class _ReaderServer(uvicorn.Server):
    """Serves the connections that come through a door: a socket that receives one end of a pair of sockets with each message."""

    def __init__(self, config: uvicorn.Config, door: socket.socket) -> None:
        super().__init__(config)
        self._door = door

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().add_reader(self._door.fileno(), self._accept)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().remove_reader(self._door.fileno())
        await super().shutdown(sockets)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, descriptors, _, _ = socket.recv_fds(self._door, 1, 1)
                if not data:  # the server has ended
                    asyncio.get_running_loop().remove_reader(self._door.fileno())
                    return
                for descriptor in descriptors:
                    task = asyncio.ensure_future(self._serve_connection(socket.socket(fileno=descriptor)))
                    self.server_state.tasks.add(task)
                    task.add_done_callback(self.server_state.tasks.discard)

    async def _serve_connection(self, connected: socket.socket) -> None:
        connected.settimeout(0)  # never waits
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: HttpProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state), connected
            )
