"""The outermost middleware: each request gets an id, a log line and metrics, each response safe headers and no internal details."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshline.api.addresses import AddressTable, MatchedPath, get_raw_path
from meshline.api.errors import build_error_response, build_internal_error
from meshline.api.metrics import OTHER, Metrics
from meshline.api.rest.request_body import release_body
from meshline.app.logs import DETAILS, REQUEST_ID
from meshline.errors import NotReady

log = logging.getLogger("meshline.http")

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")  # nothing that could break a log line or a header
LONGEST_PATH = 200  # characters of a path in the log that is unknown, or has parameters

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HEADER = HEADER.lower().encode()
_SAFE = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()]  # in ASGI's form


class RequestContextMiddleware:
    """Context of a request. The request id is the caller's if that is a plain word, else a new one (`scope["state"]["request_id"]`)."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        table: AddressTable,
        quiet: Collection[str],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`table`: our paths. `quiet`: paths that monitoring requests all the time; successes are logged at level debug.

        `clock`: seconds.
        """
        self.app = app
        self._metrics = metrics
        self._table = table
        self._quiet = frozenset(quiet)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _read_request_id(scope) or secrets.token_hex(8)
        matched = self._table.find_path(get_raw_path(scope))
        scope.setdefault("state", {}).update(request_id=request_id, actor=None, code="", matched=matched)
        inside = REQUEST_ID.set(request_id)
        answer = _Answer(send, request_id)
        begun = self._clock()
        self._metrics.count_request_begin()
        try:
            await self._run_application(scope, receive, answer)
        finally:
            seconds = self._clock() - begun
            release_body(scope)
            route = OTHER if matched is None else matched.template
            self._metrics.count_request_end(scope["method"], route, answer.status, seconds)
            self._log_request(scope, matched, answer, seconds)
            REQUEST_ID.reset(inside)

    async def _run_application(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self.app(scope, receive, answer.send)
        except asyncio.CancelledError:
            if answer.status:
                raise
            stopping = NotReady("the server is stopping: send the request again")  # without waiting for requests
            await build_error_response(stopping, scope)(scope, receive, answer.send)
        except Exception:
            if answer.status:  # too late for an answer: the server logs it and closes the connection
                raise
            log.exception("request %s failed", scope["state"]["request_id"])
            await build_internal_error(scope)(scope, receive, answer.send)

    def _log_request(self, scope: Scope, matched: MatchedPath | None, answer: _Answer, seconds: float) -> None:
        state, route = scope["state"], scope["path"][:LONGEST_PATH] if matched is None else matched.template
        level = logging.DEBUG if route in self._quiet and answer.status < 400 else logging.INFO
        if log.isEnabledFor(level):
            details: dict[str, object] = {
                "method": scope["method"],
                "route": route,
                "status": answer.status,
                "ms": round(seconds * 1000, 2),
                "bytes": answer.bytes,
                "actor": state["actor"].name if state["actor"] is not None else "",
            }
            if matched is not None and matched.parameters:
                details["path"] = get_raw_path(scope)[:LONGEST_PATH].decode("latin-1")
            if state["code"]:
                details["code"] = state["code"]
            record = logging.LogRecord(log.name, level, __file__, 0, "request", (), None)  # not log.log, which searches the stack
            setattr(record, DETAILS, details)
            log.handle(record)


def _read_request_id(scope: Scope) -> str:
    """The caller's request id if it is a plain word, else an empty text."""
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER), "")
    return given if _SANE.fullmatch(given) else ""


class _Answer:
    """Sends a response with request id and safe headers; has its status (0 = nothing sent yet) and the bytes of its body."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        self.bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.setdefault("headers", [])
            names = {name.lower() for name, _ in given}
            message["headers"] = [*given, (_HEADER, self._request_id.encode()), *(safe for safe in _SAFE if safe[0] not in names)]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)
