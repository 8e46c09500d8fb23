"""Request bodies are bounded, whatever length their headers declare."""

from __future__ import annotations

import gc
import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from meshline.api.errors import JSON, handle_known_error
from meshline.api.rest.request_body import BodyBudget, check_media, read_body
from meshline.errors import MeshlineError
from meshline.graph.live_graph import USUAL, collect_seldom
from tests.api.conftest import run_application
from tests.api.test_ingest import build_event

LIMIT = 10_000


async def echo_body(request: Request) -> Response:
    check_media(request, frozenset({JSON}), optional=True)
    return Response(await read_body(request, LIMIT))


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", echo_body, methods=["POST"])], exception_handlers={MeshlineError: handle_known_error})
    return TestClient(app)


def split_chunks(data: bytes, size: int = 7) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def read_error_code(client: TestClient, content: bytes | Iterator[bytes], **headers: str) -> tuple[int, str]:
    answer = client.post("/", content=content, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status_code, answer.json()["error"]["code"]


def test_plain(client: TestClient) -> None:
    assert client.post("/", content=b"x" * LIMIT).content == b"x" * LIMIT
    assert client.post("/", content=split_chunks(b"hello world, in parts")).content == b"hello world, in parts"


def test_gzip(client: TestClient) -> None:
    data = bytes(range(256)) * 20
    for content in (
        gzip.compress(data),
        split_chunks(gzip.compress(data)),
        split_chunks(gzip.compress(data[:100]) + gzip.compress(data[100:])),
    ):
        assert client.post("/", content=content, headers={"Content-Encoding": "gzip"}).content == data


def test_empty(client: TestClient) -> None:
    assert client.post("/", content=b"").content == b""
    assert read_error_code(client, b"", content_encoding="gzip") == (400, "INVALID_INPUT")


@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_too_large(client: TestClient, size: int) -> None:
    data = b"\0" * size
    assert read_error_code(client, data[: 10 * LIMIT]) == (413, "BODY_TOO_LARGE")
    assert read_error_code(client, split_chunks(data[: 10 * LIMIT], 1000)) == (413, "BODY_TOO_LARGE")
    bomb = gzip.compress(data)
    assert read_error_code(client, bomb, content_encoding="gzip") == (413, "BODY_TOO_LARGE")
    assert read_error_code(client, split_chunks(bomb, 100), content_encoding="x-gzip") == (413, "BODY_TOO_LARGE")


def test_a_body_that_differs_from_its_headers(client: TestClient) -> None:
    assert read_error_code(client, b"not gzip", content_encoding="gzip") == (400, "INVALID_INPUT")
    assert read_error_code(client, gzip.compress(b"x" * 1000)[:-9], content_encoding="gzip") == (400, "INVALID_INPUT")
    assert read_error_code(client, gzip.compress(b"x") + b"garbage", content_encoding="gzip") == (400, "INVALID_INPUT")
    assert read_error_code(client, b"x", content_encoding="br") == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_content_types(client: TestClient) -> None:
    assert client.post("/", content=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200
    assert client.post("/", content=b"{}").status_code == 200
    assert read_error_code(client, b"{}", content_type="text/plain") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert read_error_code(client, b"{}", origin="https://elsewhere.example") == (415, "UNSUPPORTED_MEDIA_TYPE")
    form = "application/x-www-form-urlencoded"  # of `curl -d`, and of a form on a foreign page
    assert read_error_code(client, b"{}", content_type=form, origin="https://elsewhere.example") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert client.post("/", content=b"{}", headers={"Content-Type": form}).status_code == 200


def test_many_empty_members(client: TestClient) -> None:
    assert read_error_code(client, gzip.compress(b"") * 100_000, content_encoding="gzip") == (413, "BODY_TOO_LARGE")
    app = Starlette(routes=[Route("/", read_large_body, methods=["POST"])], exception_handlers={MeshlineError: handle_known_error})
    assert read_error_code(TestClient(app), gzip.compress(b"") * 100_000, content_encoding="gzip") == (400, "INVALID_INPUT")


async def read_large_body(request: Request) -> Response:
    return Response(await read_body(request, 2**25))


def test_bodies_have_a_budget_together() -> None:
    with run_application(bodies_bytes=50_000) as opened:
        budget: BodyBudget = opened.app.state.body_budget  # type: ignore[attr-defined]
        budget.reserve_bytes(49_000, 0)
        refused = opened.post("/api/v1/lineage", json=build_event(0, producer="x" * 2_000))
        assert (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"]) == (503, "QUEUE_FULL", "2")
        packed = gzip.compress(json.dumps(build_event(0, producer="x" * 2_000)).encode())
        assert opened.post("/api/v1/lineage", content=packed, headers={"Content-Type": JSON, "Content-Encoding": "gzip"}).status_code == 503
        budget.release_bytes(49_000)
        assert opened.post("/api/v1/lineage", json=build_event(0, producer="x" * 60_000)).status_code == 201, "alone it may be larger"
        assert budget.used == 0


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """As in a server: else the garbage of all tests is collected meanwhile, too."""
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*USUAL)


def test_health_is_answered_while_large_bodies_are_read() -> None:
    """One after the other on the event loop it is seconds."""
    batch = b"[" + b",".join(json.dumps(build_event(n % 7)).encode() for n in range(30_000)) + b"]"
    with run_application() as opened, ThreadPoolExecutor(1) as pool, collecting_seldom():
        posted = pool.submit(opened.post, "/api/v1/lineage/batch", content=batch, headers={"Content-Type": JSON})
        longest = answered = 0.0
        first = time.monotonic()
        while not posted.done():
            begun = time.monotonic()
            assert opened.get("/healthz").status_code == 200
            longest, answered = max(longest, time.monotonic() - begun), answered + 1
        whole = time.monotonic() - first
        summary = posted.result().json()["summary"]
        assert summary["received"] == 30_000
        assert summary["successful"] + summary["retriable"] == 30_000
        assert answered > 20
        assert longest < max(1, whole / 4)
