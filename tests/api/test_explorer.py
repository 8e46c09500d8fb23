"""The page for browsers: its routes, its files, and what confines it. `conftest.PAGE` is what a build left."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.api import explorer
from meshline.api.app import create_app
from meshline.api.etags import matches_etag
from meshline.api.explorer import HOW_TO, ROUTES, load_page
from meshline.api.gzip_middleware import parse_encodings
from meshline.app.settings import load_settings
from tests.api.conftest import PAGE, SCRIPT, SHELL, run_application
from tests.api.test_auth import TOKENS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types meshline"
)
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A server with tokens, as strangers find it."""
    with run_application(tokens=TOKENS) as found:
        yield found


@pytest.mark.parametrize("path", ["/", *ROUTES])
def test_every_route_of_the_page_answers_with_the_page(client: TestClient, path: str) -> None:
    answer = client.get(path.replace("{id}", "ds_1%2F2"))
    assert (answer.status_code, answer.content) == (200, SHELL)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"


def test_people_who_open_an_unknown_address_see_the_page() -> None:
    with run_application() as client:
        kept = {"If-None-Match": client.get("/").headers["etag"]}
        answer = client.get("/datsets", headers=BROWSER | kept)
        assert (answer.status_code, answer.content, answer.headers["content-security-policy"]) == (404, SHELL, POLICY)
        for path, headers in (("/datsets", {"Accept": "*/*"}), ("/api/v1/x", BROWSER)):
            other = client.get(path, headers=headers)
            assert (other.status_code, other.headers["content-type"]) == (404, "application/json"), "programs read JSON"


def test_the_page_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/")
    again = client.get("/lineage?of=ds_1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == POLICY
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_assets_are_kept_for_ever(client: TestClient) -> None:
    answer = client.get("/explorer/assets/index-1a2b3c4d.js", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.content) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-security-policy"] == POLICY, "a worker has the policy of its own file"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get("/explorer/assets/icon-5e6f7a8b.svg").headers["content-type"] == "image/svg+xml"


def test_files_are_sent_as_the_build_has_compressed_them(client: TestClient) -> None:
    def ask(encodings: str) -> tuple[str | None, str, bytes]:
        with client.stream("GET", "/explorer/assets/index-1a2b3c4d.js", headers={"Accept-Encoding": encodings}) as answer:
            return answer.headers.get("content-encoding"), answer.headers["vary"], b"".join(answer.iter_raw())

    assert ask("gzip, deflate, br") == ("br", "Accept-Encoding", b"brotli of the script")
    encoding, vary, packed = ask("gzip, br;q=0")
    assert (encoding, vary, gzip.decompress(packed)) == ("gzip", "Accept-Encoding", SCRIPT)
    assert ask("identity") == (None, "Accept-Encoding", SCRIPT)
    assert ask("gzip;q=0.0") == (None, "Accept-Encoding", SCRIPT)


def test_graphiql_is_for_browsers_that_bring_no_query(client: TestClient) -> None:
    visited = client.get("/graphql", headers=BROWSER)
    assert (visited.status_code, visited.content) == (200, PAGE["graphiql.html"])
    confined = POLICY.replace("trusted-types meshline", "trusted-types default")
    assert visited.headers["content-security-policy"] == confined, "it escapes the HTML of its libraries, and nothing else is relaxed"
    assert client.get("/graphql", headers=BROWSER, params={"query": "{ about { version } }"}).status_code == 401
    assert client.get("/graphql").status_code == 401
    assert client.post("/graphql", headers=BROWSER, json={"query": "{ about { version } }"}).status_code == 401


def ask_raw(raw_path: bytes) -> tuple[int, bytes]:
    """The answer to a request whose path is exactly this, which clients would tidy up."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": raw_path, "query_string": b"", "headers": [(b"host", b"localhost")]}
    asyncio.run(create_app(load_settings(store=":memory:"))({**scope, "state": {}}, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize(
    "path",
    [
        b"/explorer/../explorer.py",
        b"/explorer/assets/../../app.py",
        b"/explorer/%2e%2e/explorer.py",
        b"/explorer/assets/%2e%2e%2f%2e%2e%2fapp.py",
        b"/explorer/..%5c..%5capp.py",
        b"/explorer//etc/passwd",
        b"/explorer/%2Fetc%2Fpasswd",
        b"/explorer/file:///etc/passwd",
        b"/explorer/assets/index-1a2b3c4d.js%00",
        b"/explorer/%00",
        b"/explorer/assets/index-1a2b3c4d.js%2500",
        b"/explorer/assets/%252e%252e/index.html",
        b"/explorer/assets/./index-1a2b3c4d.js",
        b"/explorer/assets//index-1a2b3c4d.js",
        b"/explorer/assets",
        b"/explorer/",
        b"/explorer/.vite/manifest.json",
        b"/explorer/assets/outside.js",  # a link out of the folder
        b"/explorer/assets/index-1a2b3c4d.js.br",  # sent as an encoding only
        b"/explorer/" + b"a/" * 20_000,
        b"/explorer/%ff",
    ],
)
def test_no_path_leads_out_of_the_folder(path: bytes) -> None:
    status, body = ask_raw(path)
    assert status == 404, body
    assert b"root:" not in body
    assert b"import" not in body


def test_an_asset_whose_name_is_escaped_is_the_asset() -> None:
    assert ask_raw(b"/explorer/%61ssets/index-1a2b3c4d.js") == (200, SCRIPT)


def test_without_the_page_the_server_shows_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "FOLDER", tmp_path / "nowhere")
    with run_application(tokens=TOKENS) as client:
        home = client.get("/")
        assert home.status_code == 200
        assert HOW_TO in home.text
        assert "POST /api/v1/lineage" in home.text
        assert home.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        answer = client.get("/lineage")
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, HOW_TO)
        assert client.get("/graphql", headers=BROWSER, follow_redirects=False).headers["location"] == "/"


def test_a_half_built_page_is_none(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.js").write_text("1")
    assert load_page(tmp_path) == {}


@pytest.mark.parametrize(
    ("given", "same"), [('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ("*", True), ('"b"', False), ("", False), ("a", False)]
)
def test_etags_are_compared_weakly(given: str, *, same: bool) -> None:
    assert matches_etag(given, 'W/"a"') is same


def test_encodings_that_are_excluded_are_not_accepted() -> None:
    assert parse_encodings("gzip, BR ;q=0.5, zstd; q=0, *;q=0.000") == {"gzip", "br"}
