"""GraphQL over HTTP, and what all answers have."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

ABOUT = {"query": "{ about { version } }"}
NEWER = "application/graphql-response+json"


def test_post(client: TestClient) -> None:
    answer = client.post(
        "/graphql", json={"query": "query a($n: Int) { datasets(first: $n) { totalCount } }", "variables": {"n": 3}, "operationName": "a"}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"data": {"datasets": {"totalCount": 0}}}


def test_get(client: TestClient) -> None:
    params = {"query": "query($n: Int) { datasets(first: $n) { totalCount } }", "variables": '{"n": 3}'}
    assert client.get("/graphql", params=params).json() == {"data": {"datasets": {"totalCount": 0}}}
    assert client.get("/graphql").status_code == 400
    assert client.get("/graphql", params={"query": "{ about { version } }", "variables": "["}).status_code == 400


def test_get_changes_nothing(client: TestClient) -> None:
    answer = client.get("/graphql", params={"query": 'mutation { retract(statement: "st_1") { statement } }'})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_the_newer_media_type_has_statuses(client: TestClient) -> None:
    for query, status in (("{ about { version } }", 200), ("{", 400), ("{ nothing }", 400), ('{ impact(of: ["x"]) { total } }', 200)):
        answer = client.post("/graphql", json={"query": query}, headers={"Accept": NEWER})
        assert (answer.status_code, answer.headers["content-type"]) == (status, NEWER), query
        assert client.post("/graphql", json={"query": query}).status_code == 200
    assert client.post("/graphql", json=ABOUT, headers={"Accept": "text/html"}).status_code == 406
    assert client.post("/graphql", json=ABOUT, headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200


@pytest.mark.parametrize(
    ("content", "media", "status", "code"),
    [
        (b"", "application/json", 400, "INVALID_INPUT"),
        (b"{", "application/json", 400, "INVALID_INPUT"),
        (b"[" * 100_000, "application/json", 400, "INVALID_INPUT"),
        (b'{"query": 1}', "application/json", 400, "INVALID_INPUT"),
        (b'{"query": "{a}", "variables": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, "application/json", 400, "INVALID_INPUT"),
        (b"{}", "application/json", 400, "INVALID_INPUT"),
        (json.dumps([ABOUT]).encode(), "application/json", 400, "INVALID_INPUT"),
        (json.dumps(ABOUT).encode(), "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (json.dumps(ABOUT).encode(), "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (json.dumps(ABOUT).encode(), "multipart/form-data", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
def test_bad_requests(client: TestClient, content: bytes, media: str, status: int, code: str) -> None:
    answer = client.post("/graphql", content=content, headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_gzip(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.post("/graphql", content=gzip.compress(json.dumps(ABOUT).encode()), headers=headers).json()["data"]


def test_request_ids_and_safe_headers(client: TestClient) -> None:
    given = client.get("/healthz", headers={"X-Request-Id": "abc-1.2_3"})
    assert given.headers["x-request-id"] == "abc-1.2_3"
    for bad in ("", "a b", "x" * 65, "a;b", "<script>"):
        made = client.get("/healthz", headers={"X-Request-Id": bad}).headers["x-request-id"]
        assert made != bad
        assert len(made) == 16
    for path in ("/healthz", "/nothing", "/graphql?query=%7Babout%7Bversion%7D%7D"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/graphql", 405), ("DELETE", "/api/v1/check", 405)]
)
def test_other_addresses_and_methods(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, f"HTTP_{status}")


def test_errors_in_graphql_have_codes(client: TestClient) -> None:
    def list_error_codes(query: str) -> list[str]:
        found: list[dict[str, Any]] = client.post("/graphql", json={"query": query}).json()["errors"]
        return [error["extensions"]["code"] for error in found]

    assert list_error_codes('{ impact(of: ["x"]) { total } }') == ["NOT_FOUND"]
    assert list_error_codes("{ nothing }") == ["GRAPHQL_INVALID"]
    assert list_error_codes('{ a: resolve(name: "x") { id } b: datasets(first: -1) { totalCount } }')[0] in {"NOT_FOUND", "INVALID_INPUT"}


def test_a_browser_may_send_a_query(client: TestClient) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert client.get("/graphql", params={"query": "{ about { version } }"}, headers=browser).json()["data"]["about"]["version"]
