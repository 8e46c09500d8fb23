"""Addresses with parameters: one table decides about the role, the label of metrics, the log and the endpoint."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.testclient import TestClient

from meshline.api import app as application
from meshline.api.addresses import Address, AddressTable, MatchedPath
from meshline.app.logs import DETAILS
from meshline.app.tokens import Role
from tests.api.conftest import run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

NAMES = st.text(min_size=1).filter(lambda name: name.isprintable() or "\x00" in name or "\n" in name)


async def answer_names(request: Request) -> Response:
    return JSONResponse({"names": request.path_params, "actor": request.state.actor and request.state.actor.name})


PATHS = (
    Address("/api/v1/namespaces/{ns}/jobs", ("GET",), Role.READER, answer_names),
    Address("/api/v1/namespaces/{ns}/jobs/{job}", ("GET",), Role.READER, answer_names),
    Address("/api/v1/namespaces/{ns}/jobs/{job}", ("PUT", "DELETE"), Role.WRITER, answer_names),
    Address("/api/v1/jobs/runs/{id}", ("GET",), None, answer_names),
    Address("/api/v1/jobs/{job}/versions", ("GET",), Role.ADMIN, answer_names),
    Address("/files/{rest:path}", ("GET",), None, answer_names),
    Address("/files/index", ("GET",), Role.ADMIN, answer_names),
)
TABLE = AddressTable(PATHS)


def find(path: str) -> MatchedPath:
    found = TABLE.find_path(path.encode())
    assert found is not None, path
    return found


def test_a_name_with_slashes_is_one_segment() -> None:
    found = find("/api/v1/namespaces/s3%3A%2F%2Fbucket%2Fa/jobs/a%20b%252Fc")
    assert found.template == "/api/v1/namespaces/{ns}/jobs/{job}"
    assert found.parameters == {"ns": "s3://bucket/a", "job": "a b%2Fc"}, "decoded once, not twice"


@given(ns=NAMES, job=NAMES)
def test_every_name_comes_back_as_it_was_encoded(ns: str, job: str) -> None:
    found = find(f"/api/v1/namespaces/{quote(ns, safe='')}/jobs/{quote(job, safe='')}")
    assert found.parameters == {"ns": ns, "job": job}


@given(path=st.binary())
def test_no_bytes_are_an_error(path: bytes) -> None:
    found = TABLE.find_path(path)
    assert found is None or path.startswith(b"/")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces//jobs",  # a name is never empty
        "/api/v1/namespaces/a/jobs/",
        "/api/v1/namespaces/a/b/jobs",
        "/api/v1/namespaces/%ff/jobs",  # no text
        "/api/v1//namespaces/a/jobs",
        "api/v1/namespaces/a/jobs",
        "/",
        "",
    ],
)
def test_other_paths_are_unknown(path: str) -> None:
    assert TABLE.find_path(path.encode()) is None


def test_a_fixed_segment_counts_before_a_name() -> None:
    assert find("/api/v1/jobs/runs/versions").template == "/api/v1/jobs/runs/{id}"
    assert find("/api/v1/jobs/run/versions").template == "/api/v1/jobs/{job}/versions"
    assert find("/files/index").template == "/files/index"
    assert find("/files/%69ndex").template == "/files/index", "an escape that is not needed changes nothing (RFC 3986, 6.2.2.2)"
    assert find("/files/index/a//b").parameters == {"rest": "index/a//b"}


def test_the_role_is_that_of_the_method() -> None:
    found = find("/api/v1/namespaces/a/jobs/b")
    roles = [found.find_role({"method": method}) for method in ("GET", "HEAD", "PUT", "DELETE")]
    assert roles == [Role.READER, Role.READER, Role.WRITER, Role.WRITER]
    assert found.find_role({"method": "PATCH"}) == Role.READER, "only who may use the address learns which methods it has"
    assert find("/files/a").find_role({"method": "PATCH"}) is None


@pytest.mark.parametrize(
    "second",
    [
        Address("/api/v1/jobs/runs/{id}", ("GET",), None, answer_names),
        Address("/api/v1/jobs/runs/{run}", ("POST",), None, answer_names),
        Address("/files/{other:path}", ("POST",), None, answer_names),
    ],
)
def test_two_addresses_for_the_same_requests_are_refused(second: Address) -> None:
    with pytest.raises(ValueError, match="/"):
        AddressTable([*PATHS, second])


# -- the whole application


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(application, "ADDRESSES", (*(a for a in application.ADDRESSES if a.path in {"/readyz", "/metrics"}), *PATHS))
    monkeypatch.setattr(application, "build_document", lambda _addresses: b"{}")  # these addresses have no description
    monkeypatch.setattr(application, "build_front_page", lambda _addresses: "")
    with run_application(tokens=TOKENS) as client:
        yield client


NAMED = "/api/v1/namespaces/a%2Fb/jobs/c"


def test_the_endpoint_gets_the_names(guarded: TestClient) -> None:
    answer = guarded.get(NAMED, headers=build_authorization(SECRETS[Role.READER]))
    assert answer.json() == {"names": {"ns": "a/b", "job": "c"}, "actor": "the-reader"}
    assert guarded.head(NAMED, headers=build_authorization(SECRETS[Role.READER])).status_code == 200


def test_the_role_of_a_path_with_names_is_needed(guarded: TestClient) -> None:
    assert guarded.get(NAMED).status_code == 401
    reader, writer = (build_authorization(SECRETS[role]) for role in (Role.READER, Role.WRITER))
    assert guarded.put(NAMED, headers=reader).status_code == 403
    assert guarded.put(NAMED, headers=writer).status_code == 200
    assert guarded.get("/api/v1/jobs/a/versions", headers=writer).status_code == 403
    assert guarded.get("/api/v1/jobs/runs/versions").status_code == 200, "an address that needs no role"
    assert guarded.get("/api/v1/jobs%2Fruns/versions").status_code == 401, "another path, which is not ours"


def test_a_method_that_is_not_there(guarded: TestClient) -> None:
    answer = guarded.patch(NAMED, headers=build_authorization(SECRETS[Role.READER]))
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")
    assert guarded.patch(NAMED).status_code == 401


def test_a_slash_too_many_leads_to_the_address(guarded: TestClient) -> None:
    answer = guarded.get(f"{NAMED}/?a=b%20c", headers=build_authorization(SECRETS[Role.READER]), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{NAMED}?a=b%20c")
    answer = guarded.get("//elsewhere.com/", headers=build_authorization(SECRETS[Role.READER]), follow_redirects=False)
    assert answer.status_code == 404


def test_metrics_have_the_template_and_never_a_name(guarded: TestClient) -> None:
    reader = build_authorization(SECRETS[Role.READER])
    for number in range(20):
        guarded.get(f"/api/v1/namespaces/n{number}/jobs", headers=reader)
    found = guarded.get("/metrics", headers=reader).text
    assert 'meshline_http_requests_total{method="GET",route="/api/v1/namespaces/{ns}/jobs",status="200"} 20.0' in found
    assert "n7" not in found


def test_the_log_has_the_template_and_the_path(guarded: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "meshline.http"):
        guarded.get(NAMED, headers=build_authorization(SECRETS[Role.READER]))
    (details,) = [getattr(record, DETAILS) for record in caplog.records if record.name == "meshline.http"]
    assert json.loads(json.dumps(details)) | {"ms": 0} == {
        "method": "GET",
        "route": "/api/v1/namespaces/{ns}/jobs/{job}",
        "path": NAMED,
        "status": 200,
        "ms": 0,
        "bytes": 53,
        "actor": "the-reader",
    }
