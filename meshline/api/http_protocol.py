"""HTTP/1.1 by httptools, as uvicorn does it, for clients that offer another protocol, and with a limit for the head of a request."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

LONGEST_HEAD = 64 * 1024  # bytes of a request's line and headers
_TOO_LARGE = (
    STATUS_LINE[431]
    + b"content-type: text/plain; charset=utf-8\r\ncontent-length: 31\r\nconnection: close\r\n\r\nthe head of the request is long\n"
)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"  # precedes the answer, as soon as the body is read


class _JoiningTransport:
    """Writes the head of an answer together with the first part of its body: each write is a call of the system."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self._joined = False

    def write(self, data: bytes) -> None:
        if self._joined or data == _CONTINUE:
            self._transport.write(data)
        elif self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._joined, self._head = True, None

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        if self._head is not None:
            self._transport.write(self._head)
        self._transport.close()


class HttpProtocol(HttpToolsProtocol):
    """Ignores an offer to upgrade, as a server may (RFC 9110, 7.8): Java's HttpClient offers HTTP/2 with every request.

    The parser ends at the head of such a request, and what follows is to be the other protocol: uvicorn drops it, the body included. So
    the head goes to a new parser without its offer, and what follows it after it.
    """

    _head = 0  # bytes of the packets in which the head of a request is not complete yet
    _in_head = False

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        rest: bytes | memoryview = data
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    if self.parser.get_method() == b"CONNECT":
                        self.send_400_response("This server is no proxy.")
                        return
                    rest = memoryview(rest)[upgrade.args[0] :]
                    head = self._build_head()
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn
                    self.parser.feed_data(head)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._in_head:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def _build_head(self) -> bytes:
        lines = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join([*lines, b"\r\n"])

    # -- callbacks of the parser

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            if self.scope["method"] != "HEAD":  # whose answers have no body
                # uvicorn calls no other methods of it, and none before the event loop runs the task of the request
                self.cycle.transport = cast("asyncio.Transport", _JoiningTransport(self.transport))

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()
