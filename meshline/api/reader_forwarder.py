"""Questions that reader processes answer in place of the server: which ones, and how their answers are passed on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import msgspec
from starlette.types import Message, Receive, Scope, Send

from meshline.api.addresses import get_matched_path, get_raw_path
from meshline.api.handover import BEHIND, CODE, HEADER, Handover, encode_handover
from meshline.api.http_protocol import LONGEST_HEAD
from meshline.api.reader_connection import ReaderConnection, ReaderEnded
from meshline.app.access_file import AccessFile
from meshline.app.agents.tools import REQUEST_ACCESS
from meshline.app.reader_pool import Reader, ReaderPool
from meshline.app.service import Service
from meshline.app.tokens import Actor

GRAPHQL, MCP = "/graphql", "/mcp"
# What the server answers itself if a request has one of these words: what writes, and what is known to the server alone.
SERVER_WORDS = ("mutation", "denials", "accessRequests")
# Headers of the connection (RFC 9110, 7.6.1), those that the server has judged, and those that it makes itself.
_NOT_FORWARDED = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
        *(b"authorization", b"cookie", b"proxy-authorization", b"content-length", HEADER),
    }
)
_NOT_PASSED_ON = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server", CODE, BEHIND})
WHOLE_BYTES = 8 * 2**20  # of an answer that is passed on when it is complete, so that it can still be made here if the reader ends


class _Call(msgspec.Struct):
    """The part of a call of an MCP tool that names it."""

    params: _Parameters | None = None


class _Parameters(msgspec.Struct):
    name: str = ""


class _Query(msgspec.Struct):
    """The part of a GraphQL request that decides what it does."""

    query: str


_calls = msgspec.json.Decoder(_Call)
_queries = msgspec.json.Decoder(_Query)


class _Read(NamedTuple):
    """What has been read of a request's body. `whole`: all of it."""

    body: bytes
    whole: bool


class ReaderForwarder:
    """Forwards questions to readers. Used on the event loop."""

    def __init__(
        self, pool: ReaderPool, service: Service, rules: AccessFile | None, max_body: int, count: Callable[[], None] = lambda: None
    ) -> None:
        """`max_body`: bytes of a body; the server refuses larger ones itself. `count`: called for each request that a reader answers."""
        self._pool = pool
        self._service = service
        self._rules = rules
        self._max_body = max_body
        self._count = count
        self._free: WeakKeyDictionary[Reader, list[ReaderConnection]] = WeakKeyDictionary()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Have a reader answer a request. None if it is answered; else what to receive it from, to answer it here.

        That is so where it may write, no reader is there or up to date, and where one ends before it has answered.
        """
        if scope["method"] not in ("GET", "POST") or self._pool.choose() is None or self._service.resources_or_none is None:
            return receive
        read = await _read_body(receive, self._max_body) if scope["method"] == "POST" else _Read(b"", whole=True)
        if read is None:  # the client has gone
            return None
        again = _receive_again(read, receive)
        if not read.whole or _may_write(scope, read.body):
            return again
        reader = self._pool.choose()
        return again if reader is None or not await self._race_client(reader, scope, read.body, receive, send) else None

    async def _race_client(self, reader: Reader, scope: Scope, body: bytes, receive: Receive, send: Send) -> bool:
        """Whether the reader has answered, or the client has gone: then the reader need not answer any more."""
        answering = asyncio.ensure_future(self._forward(reader, scope, body, send))
        leaving = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                return True
            if answering.result():
                self._count()
            return answering.result()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _forward(self, reader: Reader, scope: Scope, body: bytes, send: Send) -> bool:
        """Whether the reader has answered. Raises ReaderEnded if it ended within its answer, which cannot be repeated."""
        head = _build_head(scope, self._build_handover(scope), len(body))
        if len(head) > LONGEST_HEAD:
            return False
        connection: ReaderConnection | None = None
        answer = _Answer(scope, send)
        reader.questions += 1
        try:
            connection = await self._connect(reader)
            await connection.send_request((head, body))
            return await answer.pass_on(connection)
        except (ReaderEnded, OSError):
            if answer.begun:
                raise
            return False
        finally:
            reader.questions -= 1
            if connection is not None:
                self._give_back(reader, connection)

    def _build_handover(self, scope: Scope) -> Handover:
        actor: Actor = scope["state"]["actor"]
        opened = self._service.resources
        rules = "" if self._rules is None else self._rules.rules.digest
        return Handover(actor, scope["state"]["request_id"], opened.live.revision, opened.access_requests.position, rules)

    async def _connect(self, reader: Reader) -> ReaderConnection:
        """Raises OSError."""
        free = self._free.get(reader)
        while free:
            found = free.pop()
            if found.is_free:
                return found
            found.close()
        return await ReaderConnection.open(reader.connect())

    def _give_back(self, reader: Reader, connection: ReaderConnection) -> None:
        if connection.is_free and not reader.ended.is_set():
            self._free.setdefault(reader, []).append(connection)
        else:
            connection.close()


class _Answer:
    """An answer of a reader on its way to the client. `begun`: the client has got a part of it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.begun = False
        self._scope = scope
        self._send = send

    async def pass_on(self, connection: ReaderConnection) -> bool:
        """Pass the answer on; False if the server is to answer. Raises ReaderEnded."""
        names = dict(connection.headers)
        length = names.get(b"content-length", b"")
        whole = connection.status == 304 or (length.isdigit() and int(length) <= WHOLE_BYTES)
        parts: list[bytes] = []
        while whole and (part := await connection.read_part()):
            parts.append(part)
        if BEHIND in names:
            return False
        self._scope["state"]["code"] = names.get(CODE, b"").decode()
        self.begun = True
        headers = [one for one in connection.headers if one[0] not in _NOT_PASSED_ON]
        await self._send({"type": "http.response.start", "status": connection.status, "headers": headers})
        while not whole and (part := await connection.read_part()):
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"".join(parts)})
        return True


async def _read_body(receive: Receive, limit: int) -> _Read | None:
    """The body as it was sent; not all of it if it is larger than `limit` bytes. None if the client has gone."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return _Read(b"".join(parts), not more)


def _receive_again(read: _Read, receive: Receive) -> Receive:
    """Receives what was read, and then what follows."""
    unread = [read]

    async def receive_again() -> Message:
        if unread:
            first = unread.pop()
            return {"type": "http.request", "body": first.body, "more_body": not first.whole}
        return await receive()

    return receive_again


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _may_write(scope: Scope, body: bytes) -> bool:
    """Whether a request may do more than read, or asks for what only the server knows."""
    matched = get_matched_path(scope)
    judge = None if matched is None else _JUDGES.get(matched.template)
    return judge is not None and (_is_packed(scope) or judge(scope, body))


def _judge_graphql(scope: Scope, body: bytes) -> bool:
    if scope["method"] == "GET":
        return _has_server_word(" ".join(parse_qs(scope["query_string"].decode("latin-1")).get("query", [])))
    if not any(word.encode() in body for word in SERVER_WORDS) and b"\\u" not in body:
        return False
    try:
        return _has_server_word(_queries.decode(body).query)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True


def _judge_call(_scope: Scope, body: bytes) -> bool:
    if b"\\" not in body and REQUEST_ACCESS.name.encode() not in body:
        return False
    try:
        called = _calls.decode(body).params
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    return called is not None and called.name == REQUEST_ACCESS.name


_JUDGES: dict[str, Callable[[Scope, bytes], bool]] = {GRAPHQL: _judge_graphql, MCP: _judge_call}


def _has_server_word(query: str) -> bool:
    return any(word in query for word in SERVER_WORDS)


def _is_packed(scope: Scope) -> bool:
    return any(name == b"content-encoding" for name, _ in scope["headers"])


def _build_head(scope: Scope, handover: Handover, length: int) -> bytes:
    path, query = get_raw_path(scope), scope["query_string"]
    lines = [b"%b %b%b HTTP/1.1\r\n" % (scope["method"].encode(), path, b"?" + query if query else b"")]
    lines += [b"%b: %b\r\n" % one for one in scope["headers"] if one[0] not in _NOT_FORWARDED]
    lines.append(b"%b: %b\r\n" % (HEADER, encode_handover(handover)))
    if scope["method"] == "POST":
        lines.append(b"content-length: %d\r\n" % length)
    return b"".join([*lines, b"\r\n"])
