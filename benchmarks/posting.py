"""A client that costs little: the same requests over many connections, each sending the next when the last is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

HEAD = "POST /api/v1/lineage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
CREATED = b"HTTP/1.1 201 "


def build_request(body: bytes) -> bytes:
    return HEAD.format(len(body)).encode() + body


def post_bodies(port: int, bodies: Sequence[bytes], connections: int) -> None:
    """Send each body once. Raises RuntimeError for an answer that is not 201."""
    asyncio.run(_post(port, [build_request(body) for body in bodies], connections))


async def _post(port: int, requests: Sequence[bytes], connections: int) -> None:
    loop = asyncio.get_running_loop()
    waiting = iter(requests)
    opened = [await loop.create_connection(lambda: _Connection(waiting), "127.0.0.1", port) for _ in range(connections)]
    for _, connection in opened:
        connection.send_next()
    await asyncio.gather(*(connection.done for _, connection in opened))
    for transport, _ in opened:
        transport.close()


class _Connection(asyncio.Protocol):
    """One connection, kept alive. `done` when no request is left."""

    def __init__(self, waiting: Iterator[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def send_next(self) -> None:
        assert self._transport is not None
        sending = next(self._waiting, None)
        if sending is None:
            self.done.set_result(None)
        else:
            self._transport.write(sending)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _read_length(head):
            return
        if head.startswith(CREATED):
            self._received = b""
            self.send_next()
        else:
            self._fail(RuntimeError(f"the server answered {self._received.decode(errors='replace')}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or RuntimeError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _read_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.partition(b"\r\n")[0] or 0)
