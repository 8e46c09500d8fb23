"""A small HTTP server that answers with JSON by path, for catalogs of which no server runs here."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    path: str
    parameters: Mapping[str, str]
    authorization: str
    headers: Mapping[str, str] = {}
    form: Mapping[str, str] = {}  # of a POST


class Failure(NamedTuple):
    """An answer with an error status."""

    status: int
    body: Any = None


Answer = Callable[[Asked], Any]  # the JSON value, or a Failure


@contextmanager
def serve_json(answer: Answer) -> Iterator[str]:
    """Serve on loopback. Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET(dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode())))

        def do_GET(self, form: Mapping[str, str] | None = None) -> None:
            parts = urlsplit(self.path)
            given = self.headers.get("Authorization") or ""
            found = answer(Asked(parts.path, dict(parse_qsl(parts.query)), given, dict(self.headers), form or {}))
            status, value = (found.status, found.body) if isinstance(found, Failure) else (200, found)
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
