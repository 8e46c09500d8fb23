"""Tokens of a real identity provider (npm oidc-provider): client credentials of a service, and the device flow of a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import URL, run_application
from tests.api.test_auth import ADD_TAG, build_authorization
from tests.api.test_ingest import build_event
from tests.oidc.provider import SERVICE, Provider

PAGE = Path(__file__).parents[2] / "docs" / "identity-provider.md"


@pytest.fixture(scope="module")
def client(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with the settings of docs/identity-provider.md, for this provider."""
    shown = PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    for of_page, here in (("https://login.company.com/realms/company", provider.issuer), ("https://meshline.company.com", URL)):
        assert of_page in shown
        shown = shown.replace(of_page, here)
    file = tmp_path_factory.mktemp("settings") / "meshline.toml"
    file.write_text(shown, "utf-8")
    with run_application(config=file) as found:
        yield found


def ask(client: TestClient, token: str, query: str = "{ about { actor role } }") -> Any:
    return client.post("/graphql", json={"query": query}, headers=build_authorization(token))


def test_a_service_sends_events_and_nothing_else(client: TestClient, provider: Provider) -> None:
    token = provider.get_service_token(resource=URL).json()["access_token"]
    assert client.post("/api/v1/lineage", json=build_event(), headers=build_authorization(token)).status_code == 201
    assert ask(client, token).json()["error"]["message"] == f"this needs a token with the scope read, and 'service {SERVICE}' has ingest"


def test_a_token_for_another_service_is_refused(client: TestClient, provider: Provider) -> None:
    token = provider.get_service_token(resource="https://other.example").json()["access_token"]
    refused = client.post("/api/v1/lineage", json=build_event(), headers=build_authorization(token))
    assert (refused.status_code, "another audience" in refused.json()["error"]["message"]) == (401, True)


def test_a_person_signs_in_by_the_device_flow(client: TestClient, provider: Provider) -> None:
    tokens = provider.sign_in_device("ann")
    assert ask(client, tokens["access_token"]).json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}
    answer = ask(client, tokens["access_token"], ADD_TAG % "").json()
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND", "she may state; there is no asset x"
    assert ask(client, tokens["id_token"]).status_code == 401, "an ID token is for the client, and opens nothing"


def test_a_person_without_a_grant_may_nothing(client: TestClient, provider: Provider) -> None:
    refused = ask(client, provider.sign_in_device("bob")["access_token"])
    assert (refused.status_code, "'user bob'" in refused.json()["error"]["message"]) == (403, True)
