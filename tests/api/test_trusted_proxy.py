"""Callers that a proxy names in headers: from its networks, once, and not for pages of other sites."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from meshline.api.auth import check_exposure
from meshline.api.trusted_proxy import build_trusted_proxy
from meshline.app.settings import load_settings
from meshline.app.tokens import Role
from meshline.errors import InvalidInput
from tests.api.conftest import URL, run_application
from tests.api.test_auth import ABOUT, SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event
from tests.api.test_metrics import read_metrics
from tests.cli.test_server import run_server

PAGE = Path(__file__).parents[2] / "docs" / "identity-provider.md"
SHOWN = PAGE.read_text("utf-8").partition("## Behind a proxy")[2].partition("```toml\n")[2].partition("```")[0]
PROXY = "10.1.2.3"
ANN = {"X-Forwarded-User": "ann", "X-Forwarded-Groups": "sales, stewards"}
WHO = {"query": "{ about { actor role } }"}


@pytest.fixture(scope="module")
def application() -> Iterator[TestClient]:
    """With the settings of the page, and tokens."""
    with run_application(tokens=TOKENS, **tomllib.loads(SHOWN)) as client:
        yield client


@contextmanager
def connect(application: TestClient, address: str | None) -> Iterator[TestClient]:
    """A client at an address; None: on a socket without addresses."""
    client = TestClient(application.app, base_url=URL)
    client._transport.client = None if address is None else (address, 50_000)  # type: ignore[attr-defined]
    yield client
    client.close()


@pytest.mark.parametrize("address", [PROXY, "10.1.255.255", "::ffff:10.1.0.1"])
def test_a_proxy_names_the_caller(application: TestClient, address: str) -> None:
    with connect(application, address) as client:
        assert client.post("/graphql", json=WHO, headers=ANN).json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}
        assert "version" in client.get("/healthz", headers=ANN).json()
        refused = client.post("/graphql", json=WHO, headers={"X-Forwarded-User": "ann"})
        assert (refused.status_code, "'user ann'" in refused.json()["error"]["message"]) == (403, True), "a name alone is no grant"
        assert client.post("/graphql", json=WHO).status_code == 401, "who is not named needs a token"
        known = client.post("/graphql", json=WHO, headers={**ANN, **build_authorization(SECRETS[Role.READER])})
        assert known.json()["data"]["about"] == {"actor": "the-reader", "role": "READER"}, "a token comes first"


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "::1", "::ffff:10.2.0.1", "testclient", "", None])
@pytest.mark.parametrize("header", list(ANN))
def test_others_cannot_name_a_caller(application: TestClient, address: str | None, header: str) -> None:
    forged = {header: "stewards", "X-Forwarded-For": PROXY, "X-Real-IP": PROXY, "Forwarded": f"for={PROXY}"}
    with connect(application, address) as client:
        for path in ("/graphql", "/healthz", "/nothing"):
            refused = client.get(path, headers=forged)
            assert (refused.status_code, "`proxy_networks`" in refused.json()["error"]["message"]) == (400, True), path
        secret = build_authorization(SECRETS[Role.ADMIN])
        assert client.post("/graphql", json=ABOUT, headers={**forged, **secret}).status_code == 400, "also with a good token"
        assert client.post("/graphql", json=ABOUT, headers=secret).status_code == 200


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ann")], "was sent twice"),
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-Groups", "a"), ("x-forwarded-groups", "stewards")], "was sent twice"),
        ([("X-Forwarded-Groups", "stewards")], "without a name"),
        ([("X-Forwarded-User", " ")], "without a name"),
        ([("X-Forwarded-User", "a" * 201)], "more than 200 characters"),
        ([("X-Forwarded-User", b"ann" + b"\xc3\xa9")], "those of ASCII"),
    ],
)
def test_headers_that_cannot_be_right(application: TestClient, headers: list[tuple[str, Any]], sentence: str) -> None:
    with connect(application, PROXY) as client:
        refused = client.post("/graphql", json=WHO, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_INPUT")
        assert sentence in refused.json()["error"]["message"]


def test_pages_of_other_sites_do_not_write(application: TestClient) -> None:
    def send(method: str = "POST", **headers: str) -> int:
        given = {**ANN, "Content-Type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
        path = "/api/v1/lineage" if method == "POST" else "/graphql?query={about{version}}"
        return client.request(method, path, json=build_event() if method == "POST" else None, headers=given).status_code

    own = f"http://{httpx.URL(URL).netloc.decode()}"
    with connect(application, PROXY) as client:
        allowed = send(Content_Type="application/json")
        assert allowed == 201
        for site in ("cross-site", "same-site"):
            assert send(Sec_Fetch_Site=site, Content_Type="application/json") == 403
            assert send("GET", Sec_Fetch_Site=site) == 200, "they cannot read the answer"
        for site in ("same-origin", "none"):
            assert send(Sec_Fetch_Site=site, Content_Type="application/json") == 201
        assert send(Origin="https://evil.example", Content_Type="application/json") == 403
        assert send(Origin="null", Content_Type="application/json") == 403
        assert send(Origin=own, Content_Type="application/json") == 201
        foreign = client.post("/graphql", json=WHO, headers={**ANN, "Sec-Fetch-Site": "cross-site"})
        assert foreign.json()["error"]["code"] == "CROSS_SITE"
        found = read_metrics(client, **build_authorization(SECRETS[Role.READER]))
        assert found.get_value("auth_refusals_total", reason="origin") == 5
        assert found.get_value("auth_refusals_total", reason="proxy") > 0


def test_without_networks_the_headers_mean_nothing() -> None:
    with run_application(tokens=TOKENS) as application, connect(application, PROXY) as client:
        assert client.post("/graphql", json=WHO, headers=ANN).status_code == 401
        with_token = {**ANN, **build_authorization(SECRETS[Role.READER])}
        assert client.post("/graphql", json=WHO, headers=with_token).json()["data"]["about"]["actor"] == "the-reader"


def test_with_networks_alone_the_server_is_closed_to_others() -> None:
    check_exposure(load_settings(host="0.0.0.0", proxy_networks=[PROXY]))
    with run_application(proxy_networks=[PROXY]) as application, connect(application, "127.0.0.1") as client:
        assert client.post("/graphql", json=WHO).status_code == 401
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("network", "sentence"),
    [("10.1.2.3/16", "is no network"), ("proxy", "is no network"), ("0.0.0.0/0", "every address"), ("::/0", "every address")],
)
def test_networks_that_cannot_be_used(network: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"proxy_networks: .*{sentence}"):
        build_trusted_proxy(load_settings(proxy_networks=[network]))


def test_a_real_server_looks_at_the_peer(tmp_path: Path) -> None:
    """uvicorn, as it is by default, believes X-Forwarded-For of a local proxy."""
    file = tmp_path / "meshline.toml"
    file.write_text(f'store = "sqlite:///{tmp_path / "mesh.db"}"\n{SHOWN}', "utf-8")
    with run_server("serve", "--config", str(file)) as address:
        for claimed in (PROXY, f"{PROXY}, 127.0.0.1"):
            headers = {**ANN, "X-Forwarded-For": claimed, "X-Forwarded-Proto": "https"}
            assert httpx.post(f"{address}/graphql", json=WHO, headers=headers).status_code == 400
