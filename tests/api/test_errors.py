"""Errors have the body that the clients of an address read: Marquez's under its addresses, meshline's own everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient
from starlette.types import Scope

from meshline.api.errors import INTERNAL_MESSAGE, STATUS, Forbidden, Unauthenticated, build_error_response
from meshline.api.marquez import namespaces
from meshline.app.tokens import Role
from meshline.errors import Ambiguous, InvalidInput, MeshlineError
from tests.api.conftest import run_application
from tests.api.marquez.schemas import ERROR, check_shape
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

WRITER = build_authorization(SECRETS[Role.WRITER])


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A server with tokens that accepts bodies of 1,024 bytes."""
    with run_application(tokens=TOKENS, max_body_bytes=1024, allowed_hosts=["127.0.0.1"]) as found:
        yield found


def build_scope(method: str, path: str, query: bytes = b"") -> Scope:
    return {"type": "http", "method": method, "path": path, "query_string": query, "state": {"request_id": "1"}}


def check_marquez(body: Any, status: int) -> None:
    check_shape(body, ERROR)
    assert body["code"] == status
    assert set(body) == {"code", "message"}


def check_own(body: Any, code: str) -> None:
    assert set(body) == {"error"}
    assert body["error"]["code"] == code


MARQUEZ = [
    ("GET", "/api/v1/namespaces", b""),
    ("PUT", "/api/v1/namespaces/a/datasets/b", b""),
    ("GET", "/api/v1/lineage", b"nodeId=dataset:a:b"),
    ("GET", "/api/v1/sources", b""),
    ("DELETE", "/api/v1/sources/x", b""),
    ("GET", "/api/v1/nothing", b""),
    ("GET", "/api/v1/check/nothing", b""),
]
OWN = [
    ("POST", "/api/v1/check", b""),
    ("GET", "/api/v1/check", b""),
    ("POST", "/api/v1/lineage", b""),
    ("POST", "/api/v1/lineage/batch", b""),
    ("PUT", "/api/v1/mesh", b""),
    ("PUT", "/api/v1/sources", b"source=a/b"),
    ("GET", "/api/v1/sources", b"source=a/b"),
    ("POST", "/graphql", b""),
    ("GET", "/nothing", b""),
    ("GET", "/api/v2/namespaces", b""),
]


def build_error(kind: type[MeshlineError]) -> MeshlineError:
    match kind:
        case _ if issubclass(kind, InvalidInput):
            return kind("a reason", "limit")
        case _ if issubclass(kind, Ambiguous):
            return kind("a reason", ("a", "b"))
        case _ if issubclass(kind, Unauthenticated):
            return kind("a reason", "unknown_token")
        case _ if issubclass(kind, Forbidden):
            return kind("a reason", "writer")
    return kind("a reason")


class Unlisted(MeshlineError):
    """An error without a status of its own."""

    code = "UNLISTED"


@pytest.mark.parametrize("kind", [*STATUS, Unlisted])
def test_the_body_of_every_error_depends_on_the_address(kind: type[MeshlineError]) -> None:
    error = build_error(kind)
    for request in MARQUEZ:
        answer = build_error_response(error, build_scope(*request))
        assert answer.status_code == STATUS.get(kind, 500)
        check_marquez(msgspec.json.decode(answer.body), answer.status_code)
        assert ("a reason" in bytes(answer.body).decode()) is (kind is not Unlisted), "what failed inside is no affair of a caller"
    for request in OWN:
        same = build_error_response(error, build_scope(*request))
        check_own(msgspec.json.decode(same.body), error.code)
        assert (same.status_code, {*same.headers} - {"content-length"}) == (answer.status_code, {*answer.headers} - {"content-length"})


def test_refusals_before_any_endpoint_have_the_body_of_the_address(client: TestClient) -> None:
    for method, path, _ in MARQUEZ:
        answer = client.request(method, path)
        check_marquez(answer.json(), 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        check_marquez(client.request(method, path, headers={"Host": "other.example"}).json(), 421)
    for method, path, query in OWN:
        check_own(client.request(method, path + "?" + query.decode()).json(), "UNAUTHENTICATED")
    check_own(client.get("/api/v1/check", headers={"Host": "other.example"}).json(), "WRONG_HOST")


def test_paths_and_methods_that_are_not_there_have_the_body_of_the_address(client: TestClient) -> None:
    check_marquez(client.get("/api/v1/nothing", headers=WRITER).json(), 404)
    check_marquez(client.get("/api/v1/namespaces/none", headers=WRITER).json(), 404)
    check_marquez(client.get("/api/v1/namespaces?limit=x", headers=WRITER).json(), 400)
    refused = client.delete("/api/v1/namespaces", headers=WRITER)
    check_marquez(refused.json(), 405)
    assert "GET" in refused.headers["allow"]
    check_own(client.get("/nothing", headers=WRITER).json(), "HTTP_404")
    check_own(client.delete("/api/v1/check", headers=WRITER).json(), "HTTP_405")
    check_own(client.get("/api/v1/sources?source=x", headers=WRITER).json(), "INVALID_INPUT")
    check_own(client.get("/api/v1/sources?source=a/b", headers=build_authorization(SECRETS[Role.READER])).json(), "FORBIDDEN")


def test_large_bodies_are_refused_in_the_words_of_openlineage_clients(client: TestClient) -> None:
    answer = client.post("/api/v1/lineage", content=b" " * 1025, headers={**WRITER, "Content-Type": "application/json"})
    assert answer.status_code == 413
    check_own(answer.json(), "BODY_TOO_LARGE")


def test_failures_have_the_body_of_the_address(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(namespaces, "_build_namespace", fail)
    monkeypatch.setattr("meshline.api.rest.check.read_body", fail)
    marquez = client.get("/api/v1/namespaces/default", headers=WRITER)
    assert marquez.json() == {"code": 500, "message": INTERNAL_MESSAGE}
    own = client.post("/api/v1/check", json={}, headers=WRITER)
    assert own.status_code == 500
    check_own(own.json(), "INTERNAL")
    assert own.json()["error"]["requestId"] == own.headers["x-request-id"]
