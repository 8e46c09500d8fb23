"""A real server, asked by programs that are not ours: bytes on a socket, and Java's HttpClient."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_ingest import build_event
from tests.api.test_serve import free_port, run_process, wait_for_answer

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
    number = free_port()
    with run_process(f"sqlite:///{tmp_path_factory.mktemp('sockets')}/mesh.db", number) as running:
        wait_for_answer(number, "/readyz")
        yield number
        running.terminate()
        _, errors = running.communicate(timeout=30)
        assert "upgrade" not in errors, "a client that offers another protocol is nothing to warn of"


def exchange_bytes(port: int, request: bytes) -> bytes:
    """All that the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as opened:
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
