"""Agents at /mcp with tokens of a real identity provider: the SDK's own client finds the provider, gets a token, and asks with the
rights of its user."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.api.conftest import serve_application
from tests.api.test_access import MESH, RULES, YAML, build_event
from tests.api.test_auth import build_authorization
from tests.api.test_mcp_endpoint import ASKED, LIST, VERSION
from tests.oidc.provider import AGENT, DESKTOP, REDIRECT, SECRET, Provider, sign_in

METADATA, AUTHORIZATION_SERVER = "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"
GRANTS = [
    {"group": "stewards", "role": "admin"},
    {"group": "sales", "role": "reader"},
    {"service": AGENT, "role": "reader"},
    {"service": "airflow", "role": "writer", "scopes": ["ingest"]},
]


class Place(NamedTuple):
    server: str
    provider: Provider


@pytest.fixture(scope="module")
def place(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that listens, with the real provider, with access rules and data."""
    rules = tmp_path_factory.mktemp("access") / "access.yaml"
    rules.write_text(RULES, "utf-8")

    def build(url: str) -> dict[str, object]:
        return {"oidc_issuer": provider.issuer, "oidc_audience": url, "oidc_groups": "groups", "grants": GRANTS, "access": rules}

    with serve_application(build) as url:
        admin = build_authorization(provider.sign_in_device("ann", url)["access_token"])
        assert httpx.put(f"{url}/api/v1/mesh", content=MESH, headers={**admin, **YAML}, timeout=60).status_code == 200
        events = [
            build_event("orders", ["sales.raw"], "sales.orders"),
            build_event("bonus", ["sales.orders", "salaries.paid"], "sales.bonus"),
            build_event("pay", ["sales.orders"], "salaries.paid"),
        ]
        assert httpx.post(f"{url}/api/v1/lineage/batch", json=events, headers=admin, timeout=60).json()["summary"]["failed"] == 0
        yield Place(url, provider)


class Memory:
    """Where the client of the SDK keeps what it is given."""

    def __init__(self, client: OAuthClientInformationFull | None = None) -> None:
        self.tokens: OAuthToken | None = None
        self.client = client

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Trail:
    """The requests of a client, and their statuses."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []

    async def record(self, response: httpx2.Response) -> None:
        self.steps.append((response.request.url.path, response.status_code))


def converse(place: Place, auth: httpx2.Auth, act: Callable[[Client], Any]) -> list[tuple[str, int]]:
    """Let the SDK's client act as an agent would. Returns its requests."""
    trail = Trail()

    async def run() -> None:
        http = httpx2.AsyncClient(auth=auth, event_hooks={"response": [trail.record]}, timeout=60)
        async with http, Client(streamable_http_client(f"{place.server}/mcp", http_client=http)) as agent:
            await act(agent)

    anyio.run(run)
    return trail.steps


def read(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.content[0].text)
    return found


def test_a_service_finds_the_provider_and_asks(place: Place) -> None:
    """401, the metadata of the resource, those of the provider, a token, and the answer."""
    memory = Memory()
    auth = ClientCredentialsOAuthProvider(f"{place.server}/mcp", memory, AGENT, SECRET, issuer=place.provider.issuer)

    async def act(agent: Client) -> None:
        assert agent.protocol_version == "2026-07-28"
        found = read(await agent.call_tool("find", {"query": "orders"}))
        assert found["page"]["total"] == 0, "the rules of the server grant it nothing"

    steps = converse(place, auth, act)
    assert steps[:5] == [("/mcp", 401), (METADATA, 200), (AUTHORIZATION_SERVER, 200), ("/token", 200), ("/mcp", 200)]
    assert {status for _, status in steps[5:]} == {200}


def test_a_person_signs_in_and_sees_what_the_rules_show(place: Place) -> None:
    """Authorization code with PKCE; the person fills in the provider's forms."""
    redirected: list[str] = []

    async def open_browser(address: str) -> None:
        redirected.append(await anyio.to_thread.run_sync(sign_in, address, "eve"))

    async def get_code() -> AuthorizationCodeResult:
        given = parse_qs(urlsplit(redirected[-1]).query)
        return AuthorizationCodeResult(code=given["code"][0], state=given["state"][0], iss=given["iss"][0])

    known = OAuthClientInformationFull(
        client_id=DESKTOP, redirect_uris=[AnyUrl(REDIRECT)], token_endpoint_auth_method="none", issuer=place.provider.issuer
    )
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(REDIRECT)], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(f"{place.server}/mcp", metadata, Memory(known), open_browser, get_code)
    found: dict[str, Any] = {}

    async def act(agent: Client) -> None:
        for name, arguments in ASKED.items():
            found[name] = read(await agent.call_tool(name, arguments))

    converse(place, auth, act)
    assert "wh/sales.orders" in [one["name"] for one in found["find"]["assets"]]
    assert found["describe"]["name"] == "wh/sales.orders"
    assert "salaries" not in json.dumps(found), "no tool names what she may not see"
    assert any("you may not see" in reason for reason in found["impact"]["completeness"]["because"])


def post(place: Place, token: str) -> httpx.Response:
    return httpx.post(f"{place.server}/mcp", json=LIST, headers={**VERSION, **build_authorization(token)})


def test_a_token_for_another_service_is_refused(place: Place) -> None:
    """A server that an agent talks to, too, cannot use the token that it is given here."""
    for audience in ("https://other.example", f"{place.server}/other", place.server.replace("http:", "https:")):
        token = place.provider.get_service_token(client=AGENT, resource=audience).json()["access_token"]
        refused = post(place, token)
        assert refused.status_code == 401
        challenge = refused.headers["www-authenticate"]
        assert challenge == f'Bearer realm="meshline", error="invalid_token", resource_metadata="{place.server}{METADATA}"'


def test_a_token_without_the_scope_is_refused_with_its_name(place: Place) -> None:
    refused = post(place, place.provider.get_service_token(resource=place.server).json()["access_token"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    challenge = refused.headers["www-authenticate"]
    assert challenge == f'Bearer realm="meshline", error="insufficient_scope", scope="read", resource_metadata="{place.server}{METADATA}"'


def test_a_person_without_a_grant_is_refused(place: Place) -> None:
    refused = post(place, place.provider.sign_in_device("bob", place.server)["access_token"])
    assert (refused.status_code, "'user bob'" in refused.json()["error"]["message"]) == (403, True)


def test_the_metadata_is_found_without_a_token(place: Place) -> None:
    found = httpx.get(f"{place.server}{METADATA}").json()
    assert (found["resource"], found["authorization_servers"]) == (place.server, [place.provider.issuer])
