"""Request bodies are bounded whatever they say of themselves."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from meshline.api.bodies import check_media, read_body
from meshline.api.errors import JSON, known_error
from meshline.errors import MeshlineError

LIMIT = 10_000


async def echo(request: Request) -> Response:
    check_media(request, frozenset({JSON}), optional=True)
    return Response(await read_body(request, LIMIT))


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", echo, methods=["POST"])], exception_handlers={MeshlineError: known_error})
    return TestClient(app)


def chunks(data: bytes, size: int = 7) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def code(client: TestClient, content: bytes | Iterator[bytes], **headers: str) -> tuple[int, str]:
    answer = client.post("/", content=content, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status_code, answer.json()["error"]["code"]


def test_plain(client: TestClient) -> None:
    assert client.post("/", content=b"x" * LIMIT).content == b"x" * LIMIT
    assert client.post("/", content=chunks(b"hello world, in parts")).content == b"hello world, in parts"


def test_gzip(client: TestClient) -> None:
    data = bytes(range(256)) * 20
    for content in (gzip.compress(data), chunks(gzip.compress(data)), chunks(gzip.compress(data[:100]) + gzip.compress(data[100:]))):
        assert client.post("/", content=content, headers={"Content-Encoding": "gzip"}).content == data


def test_empty(client: TestClient) -> None:
    assert client.post("/", content=b"").content == b""
    assert code(client, b"", content_encoding="gzip") == (400, "INVALID_INPUT")


@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_too_large(client: TestClient, size: int) -> None:
    data = b"\0" * size
    assert code(client, data[: 10 * LIMIT]) == (413, "BODY_TOO_LARGE")
    assert code(client, chunks(data[: 10 * LIMIT], 1000)) == (413, "BODY_TOO_LARGE")
    bomb = gzip.compress(data)
    assert code(client, bomb, content_encoding="gzip") == (413, "BODY_TOO_LARGE")
    assert code(client, chunks(bomb, 100), content_encoding="x-gzip") == (413, "BODY_TOO_LARGE")


def test_a_body_that_is_not_what_it_says(client: TestClient) -> None:
    assert code(client, b"not gzip", content_encoding="gzip") == (400, "INVALID_INPUT")
    assert code(client, gzip.compress(b"x" * 1000)[:-9], content_encoding="gzip") == (400, "INVALID_INPUT")
    assert code(client, gzip.compress(b"x") + b"garbage", content_encoding="gzip") == (400, "INVALID_INPUT")
    assert code(client, b"x", content_encoding="br") == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_content_types(client: TestClient) -> None:
    assert client.post("/", content=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200
    assert client.post("/", content=b"{}").status_code == 200
    assert code(client, b"{}", content_type="text/plain") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert code(client, b"{}", origin="https://elsewhere.example") == (415, "UNSUPPORTED_MEDIA_TYPE")
    form = "application/x-www-form-urlencoded"  # of `curl -d`, and of a form on a foreign page
    assert code(client, b"{}", content_type=form, origin="https://elsewhere.example") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert client.post("/", content=b"{}", headers={"Content-Type": form}).status_code == 200
