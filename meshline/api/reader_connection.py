"""A client of HTTP/1.1 for the connections to reader processes, by httptools, whose parser the server itself uses: a general client takes
several times as much processor for a request to one peer that is trusted and near.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TypeAlias

import httptools

HIGH_WATER = 256 * 1024  # bytes of an answer that wait to be sent on, beyond which no more are read

Headers: TypeAlias = list[tuple[bytes, bytes]]


class ReaderEnded(Exception):
    """The connection ended before the answer did."""


class ReaderConnection(asyncio.Protocol):
    """One connection, for one request after the other. Used on the event loop."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._arrived = asyncio.Event()  # set when there is something new to look at
        self._begun = self._complete = self._ended = False
        self._parts: list[bytes] = []
        self._size = 0

    @classmethod
    async def open(cls, connected: socket.socket) -> ReaderConnection:
        """The connection over a connected socket."""
        _, opened = await asyncio.get_running_loop().create_unix_connection(cls, sock=connected)
        return opened

    @property
    def is_free(self) -> bool:
        """Whether it can take another request."""
        return self._complete and not self._parts and not self._ended and self._parser.should_keep_alive()

    async def send_request(self, request: Sequence[bytes]) -> None:
        """Send a request, and wait for `status` and `headers` of its answer. Raises ReaderEnded."""
        self.status, self.headers = 0, []
        self._begun = self._complete = False
        if self._transport is None or self._ended:
            raise ReaderEnded
        self._transport.writelines(request)
        while not self._begun:
            await self._wait()

    async def read_part(self) -> bytes:
        """The next part of the body; empty at its end. Raises ReaderEnded."""
        while not self._parts:
            if self._complete:
                return b""
            await self._wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        if self._ended:
            raise ReaderEnded
        self._arrived.clear()
        await self._arrived.wait()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is none of asyncio's classes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._ended = True
            self.close()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._ended = True
        self._arrived.set()

    # -- callbacks of the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._begun = True

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._complete = True
