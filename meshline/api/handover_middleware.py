"""The outermost middleware of a reader process: each request is that of the caller that the server has handed over, and its answer is
as new as the server wants it.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshline.api.addresses import AddressTable, get_raw_path
from meshline.api.errors import build_internal_error
from meshline.api.handover import BEHIND, CODE, HEADER, Handover, decode_handover
from meshline.api.rest.request_body import release_body
from meshline.app.access_file import AccessFile
from meshline.app.logs import REQUEST_ID
from meshline.app.reader_service import Behind, ReaderService
from meshline.errors import MeshlineError

log = logging.getLogger("meshline.http")


class HandoverMiddleware:
    """Sets in `scope["state"]` what RequestContextMiddleware and AuthMiddleware do in the server. Ends a request when its client leaves."""

    def __init__(self, app: ASGIApp, table: AddressTable, service: ReaderService, rules: AccessFile | None) -> None:
        self.app = app
        self._table = table
        self._service = service
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        handover = decode_handover(Headers(scope=scope)[HEADER.decode()].encode())
        matched = self._table.find_path(get_raw_path(scope))
        state = {"request_id": handover.request_id, "actor": handover.actor, "code": "", "matched": matched}
        scope.setdefault("state", {}).update(state)
        inside = REQUEST_ID.set(handover.request_id)
        incoming = _Incoming(receive)
        answering = asyncio.ensure_future(self._answer(handover, scope, incoming.receive, send))
        incoming.gone.add_done_callback(lambda _: answering.cancel())
        try:
            await answering
        except asyncio.CancelledError:
            if not incoming.gone.done():
                raise
        finally:
            incoming.close()
            release_body(scope)
            REQUEST_ID.reset(inside)

    async def _answer(self, handover: Handover, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._catch_up(handover)
        except (Behind, MeshlineError):
            await Response(status_code=503, headers={BEHIND.decode(): "1"})(scope, receive, send)
            return
        begun = False

        async def send_code(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if code := scope["state"]["code"]:
                    message["headers"] = [*message.get("headers", ()), (CODE, code.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_code)
        except Exception:
            if begun:
                raise
            log.exception("request %s failed", handover.request_id)
            await build_internal_error(scope)(scope, receive, send)

    async def _catch_up(self, handover: Handover) -> None:
        """Raises Behind, and StoreUnavailable."""
        if self._rules is not None:
            await self._rules.look(handover.rules)
            if self._rules.rules.digest != handover.rules:
                raise Behind
        await self._service.wait_for(handover.revision, handover.register)


class _Incoming:
    """What a client sends, read ahead to its end, to see whether it leaves. `gone`: done when it has."""

    def __init__(self, receive: Receive) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._receive = receive
        self._messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._reading = asyncio.ensure_future(self._read())

    async def receive(self) -> Message:
        return await self._messages.get()

    def close(self) -> None:
        self._reading.cancel()

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                if not self.gone.done():
                    self.gone.set_result(None)
                return
            await self._messages.put(message)
