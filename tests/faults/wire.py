"""HTTP as rude as needed: sockets, so that a test decides what is sent, when, and when it stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

ANSWER_SECONDS = 60.0  # within which anything must be answered
EVENT, BATCH, GRAPHQL = "/api/v1/lineage", "/api/v1/lineage/batch", "/graphql"
JSON = {"Content-Type": "application/json"}


class Answer(NamedTuple):
    """`headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Lost(Exception):
    """The connection ended before the answer."""


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Lost from error

    async def answer(self) -> Answer:
        """Raises Lost, or TimeoutError: a hang."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await self._reader.readuntil(b"\r\n\r\n")
                first, *rest = head.decode("latin-1").split("\r\n")[:-2]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
                body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except TimeoutError:  # is an OSError
            raise
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Lost from error
        return Answer(int(first.split()[1]), headers, body)

    async def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = JSON) -> Answer:
        await self.send(build_request(method, path, body, headers))
        return await self.answer()

    async def wait_closed(self) -> None:
        """Return when the other side has closed."""
        with suppress(OSError):
            while await self._reader.read(65536):
                pass

    def end(self) -> None:
        """Send no more, and go on reading."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        """Without a goodbye."""
        self._writer.transport.abort()


def build_request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = JSON) -> bytes:
    """The bytes of a request; with its length, unless the headers already describe the body."""
    given = {name.lower() for name in headers}
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def open_wire(port: int) -> AsyncIterator[Wire]:
    """A connection to the server on loopback. Raises Lost if there is none."""
    try:
        opened = Wire(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))
    except OSError as error:
        raise Lost from error
    try:
        yield opened
    finally:
        opened.close()


def send_request(port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = JSON) -> Answer:
    """One request on a connection of its own."""

    async def send_once() -> Answer:
        async with open_wire(port) as to:
            return await to.request(method, path, body, headers)

    return asyncio.run(send_once())


class Posted:
    """What became of events that were sent over HTTP."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []  # also those that were lost on the way
        self.acknowledged: dict[bytes, int] = {}  # -> revision
        self.refused: list[tuple[bytes, Answer]] = []  # each other answer

    async def post(self, port: int, bodies: Iterable[bytes], connections: int) -> None:
        """Send events over so many connections at once, until all are sent or the server is gone."""
        left = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._post(port, left))

    async def _post(self, port: int, left: Iterator[bytes]) -> None:
        with suppress(Lost):
            async with open_wire(port) as to:
                for body in left:
                    self.sent.append(body)
                    answer = await to.request("POST", EVENT, body)
                    if answer.status == 201:
                        self.acknowledged[body] = answer.json["revision"]
                    else:
                        self.refused.append((body, answer))
