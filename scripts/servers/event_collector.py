"""A receiver of OpenLineage events over HTTP, on loopback, that keeps them. Standard library only.

with event_collector.collect_events() as collector:
    collector.url        # http://127.0.0.1:PORT, which takes POST requests at any path
    collector.lines      # the bodies so far, one event each
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import process

ENDS = ("COMPLETE", "FAIL", "ABORT")
MAX_BYTES = 64 * 2**20  # of one request


class Collector:
    """What was received. `url`: where it is received."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lines: list[str] = []
        self.received_at = time.monotonic()
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        with self._lock:
            self.lines.append(line)
            self.received_at = time.monotonic()

    def wait_until_quiet(self, seconds: float, most: float = process.PATIENCE) -> None:
        """Return once the end of each run has come, and nothing else for some seconds: producers send after their answer to the client."""
        end, begun = time.monotonic() + most, time.monotonic()
        while (left := self._list_unended()) or time.monotonic() < max(begun, self.received_at) + seconds:
            if time.monotonic() >= end:
                raise process.ServerError(f"events still come after {most:g} s, and the ends of {len(left)} runs are missing: {left[:5]}")
            time.sleep(0.1)

    def _list_unended(self) -> list[str]:
        """The jobs of runs that have begun, and whose end has not come."""
        with self._lock:
            events = [json.loads(line) for line in self.lines]
        ended = {event["run"]["runId"] for event in events if event.get("eventType") in ENDS}
        return [event["job"]["name"] for event in events if "run" in event and event["run"]["runId"] not in ended]


@contextmanager
def collect_events() -> Iterator[Collector]:
    port = process.find_free_port()
    collector = Collector(f"http://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def receive(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", "0")), MAX_BYTES))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.add(body.decode())
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = receive  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Requests are no messages for the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
