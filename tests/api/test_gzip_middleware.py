"""Answers are compressed for who accepts it, once, and correctly."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from meshline.api.gzip_middleware import IN_LOOP, LEAST, compress_body
from tests.api.conftest import SHELL, run_application
from tests.api.test_ingest import build_event

SCHEMA = "{ __schema { types { name fields { name description } } } }"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with run_application() as found:
        yield found


def ask(client: TestClient, path: str, encodings: str, query: str = "") -> tuple[dict[str, str], bytes]:
    """Headers and body as they are sent."""
    with client.stream(
        "POST" if query else "GET", path, headers={"Accept-Encoding": encodings}, json={"query": query} if query else None
    ) as answer:
        assert answer.status_code == 200
        return dict(answer.headers), b"".join(answer.iter_raw())


def test_a_long_answer_of_graphql_is_compressed(client: TestClient) -> None:
    plain_headers, plain = ask(client, "/graphql", "identity", SCHEMA)
    headers, packed = ask(client, "/graphql", "gzip, deflate", SCHEMA)
    assert "content-encoding" not in plain_headers
    assert (headers["content-encoding"], headers["content-length"]) == ("gzip", str(len(packed)))
    assert headers["vary"] == plain_headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed) == plain
    assert len(packed) * 4 < len(plain)
    assert json.loads(plain)["data"]


@pytest.mark.parametrize("encodings", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, identity", "x-gzipped"])
def test_metrics_are_plain_for_who_does_not_ask(client: TestClient, encodings: str) -> None:
    headers, body = ask(client, "/metrics", encodings)
    assert "content-encoding" not in headers
    assert b"\nmeshline_ready 1.0\n" in body
    assert headers["vary"] == "Accept-Encoding"


def test_metrics_are_compressed_for_prometheus(client: TestClient) -> None:
    headers, packed = ask(client, "/metrics", "gzip")
    assert headers["content-encoding"] == "gzip"
    assert b"\nmeshline_ready 1.0\n" in gzip.decompress(packed)


def test_short_answers_are_sent_as_they_are(client: TestClient) -> None:
    headers, body = ask(client, "/healthz", "gzip")
    assert "content-encoding" not in headers
    assert "vary" not in headers
    assert json.loads(body)["status"] == "ok"
    answer = client.post("/api/v1/lineage", json=build_event(), headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, "content-encoding" in answer.headers) == (201, False)


def test_files_of_the_page_are_not_compressed_twice(client: TestClient) -> None:
    headers, packed = ask(client, "/explorer/assets/index-1a2b3c4d.js", "gzip, br")
    assert (headers["content-encoding"], packed) == ("br", b"brotli of the script")
    headers, packed = ask(client, "/", "gzip")
    assert (headers["content-encoding"], gzip.decompress(packed)) == ("gzip", SHELL)
    assert headers["vary"] == "Accept-Encoding"


def test_head_has_the_headers_of_get(client: TestClient) -> None:
    found = client.head("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["content-length"] == client.get("/openapi.json", headers={"Accept-Encoding": "gzip"}).headers["content-length"]


def test_an_error_is_readable(client: TestClient) -> None:
    answer = client.post("/graphql", json={"query": "{ " + "nothing " * 500 + "}"}, headers={"Accept-Encoding": "gzip"})
    assert answer.json()["errors"]


@pytest.mark.parametrize("size", [LEAST, 100_000, IN_LOOP + 1, 5_000_000])
def test_any_size_comes_back(size: int) -> None:
    body = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    assert gzip.decompress(compress_body(body)) == body
