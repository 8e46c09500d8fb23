"""A real server, asked by programs that are not ours: bytes on a socket, and Java's HttpClient."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_ingest import build_event
from tests.api.test_serve import free_port, run_forked, wait_for_answer

JAVA = """
import java.net.URI;
import java.net.http.*;
public class Post {
    public static void main(String[] given) throws Exception {
        var body = HttpRequest.BodyPublishers.ofString(given[1]);
        var request = HttpRequest.newBuilder(URI.create(given[0])).header("Content-Type", "application/json").POST(body).build();
        System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
}
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    number, folder = free_port(), tmp_path_factory.mktemp("sockets")
    with run_forked(f"sqlite:///{folder}/mesh.db", number, folder / "log") as running:
        wait_for_answer(number, "/readyz")
        yield number
        running.terminate()
        running.wait(timeout=60)
        log = (folder / "log").read_text("utf-8")
        assert "listening" in log
        assert "upgrade" not in log, "a client that offers another protocol is nothing to warn of"


def exchange_bytes(port: int, request: bytes) -> bytes:
    """All that the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
        opened.sendall(request)
        return b"".join(iter(lambda: opened.recv(65536), b""))


@pytest.mark.parametrize("chunked", [False, True])
def test_an_offer_of_http_2_keeps_its_body(port: int, *, chunked: bool) -> None:
    body = json.dumps(build_event()).encode()
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body)
    head = [
        b"POST /api/v1/lineage HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Connection: Upgrade, HTTP2-Settings, close",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        b"Content-Type: application/json",
        length,
    ]
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    answer = exchange_bytes(port, b"\r\n".join([*head, b"", b""]) + sent)
    assert answer.startswith(b"HTTP/1.1 201 "), answer


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"


def build_post(number: int, *headers: bytes) -> tuple[bytes, bytes]:
    """Head and body of a request that sends an event."""
    body = json.dumps(build_event(number)).encode()
    head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"".join(headers) + b"\r\n", body


CLOSE = build_post(9, b"Connection: close\r\n")


def send_parts(port: int, *parts: bytes) -> bytes:
    """All that the server answers to bytes that arrive in these packets, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            opened.sendall(part)
            time.sleep(0.05)
        return b"".join(iter(lambda: opened.recv(65536), b""))


def test_an_offer_in_any_packets_keeps_its_body(port: int) -> None:
    head, body = build_post(1, OFFER)
    last = b"".join(CLOSE)
    whole = head + body
    for parts in (
        [whole + last],
        [head, body, last],
        [head[:20], head[20:-1], head[-1:] + body[:7], body[7:], last],
        [head + body[:1], body[1:] + last],
        [whole[: len(head) - 2], whole[len(head) - 2 :] + last],
    ):
        answer = send_parts(port, *parts)
        assert answer.count(b"HTTP/1.1 201 ") == 2, (parts, answer)


def test_offers_that_follow_each_other_are_answered_in_order(port: int) -> None:
    visit = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + OFFER + b"\r\n"
    answer = send_parts(port, b"".join([visit, *build_post(1, OFFER), visit, *build_post(2), *build_post(3, OFFER), visit, *CLOSE]))
    assert re.findall(rb"HTTP/1\.1 (\d+) ", answer) == [b"200", b"201", b"200", b"201", b"201", b"200", b"201"]


def test_many_offers_in_one_packet_take_no_time(port: int) -> None:
    visit = b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n" + OFFER + b"\r\n"
    begun = time.monotonic()
    answer = exchange_bytes(port, visit * 300 + b"".join(CLOSE))
    assert answer.count(b"HTTP/1.1 404 ") == 300
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0\r\n",
        b"Upgrade: h2c\r\n",
        b"Connection: Upgrade\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n",
    ],
)
def test_every_offer_is_ignored(port: int, offer: bytes) -> None:
    head, body = build_post(1, offer)
    answer = send_parts(port, head, body, b"".join(CLOSE))
    assert answer.count(b"HTTP/1.1 201 ") == 2, answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"CONNECT elsewhere.com:443 HTTP/1.1\r\nHost: elsewhere.com\r\n\r\n",
        b"CONNECT / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" + OFFER + b"\r\n0\r\n\r\n",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n" + OFFER + b"\r\n123456",
        b"POST /api/v1/lineage HTTP/1.1\r\nHost: a\r\nContent-Length: 5 \r\n X: y\r\n" + OFFER + b"\r\n123456",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_request_is_refused(port: int, request_bytes: bytes) -> None:
    answer = exchange_bytes(port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("part", [b"a" * 8192, b"X-Header: value\r\n" * 500])
def test_a_head_without_end_is_refused(port: int, part: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 10_000_000:
                opened.sendall(part)
                sent += len(part)
        assert sent < 10_000_000, "the server reads a head without end"


@pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine")
def test_javas_client(port: int, tmp_path: Path) -> None:
    source = tmp_path / "Post.java"
    source.write_text(JAVA)
    command = ["java", str(source), f"http://127.0.0.1:{port}/api/v1/lineage", json.dumps(build_event())]
    assert subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout == "201"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/check", b'{"things": [{"kind": "ddl", "after": {"name": "a.sql", "text": "\xff\xfe"}}]}'),
        ("PUT", "/api/v1/sources?source=dbt/shop", b'{"memory": {"a": "\xff\xfe"}}'),
        ("POST", "/graphql", b'{"query": "{ about { version } } # \xff\xfe"}'),
        ("POST", "/api/v1/lineage", b'{"eventType": "\xff\xfe"}'),
        ("POST", "/api/v1/lineage/batch", b'[{"eventType": "\xff\xfe"}]\xff'),
        ("PUT", "/api/v1/mesh", b'{"version": 1, "source": "\xff\xfe"}'),
    ],
)
def test_bytes_that_are_no_text(port: int, method: str, path: str, body: bytes) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = exchange_bytes(port, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b'"code":"INVALID_INPUT"' in answer
