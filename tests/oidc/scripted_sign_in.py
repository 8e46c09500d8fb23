"""A scripted issuer at which people sign in, and the steps of a browser, for tests of what is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.testclient import TestClient

from tests.api.conftest import URL
from tests.oidc.issuer import AUDIENCE, DISCOVERY, FIRST, KEYS, Answer, ScriptedIssuer, sign


class SignInIssuer(ScriptedIssuer):
    """With the addresses of a sign-in."""

    def describe(self, **other: object) -> None:
        places = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "end_session_endpoint")}
        found = {"issuer": self.url, "jwks_uri": self.url + KEYS, **places, **other}
        self.answer_always(DISCOVERY, Answer(json.dumps({name: one for name, one in found.items() if one is not None}).encode()))

    def answer_token(self, nonce: str | None, header: dict[str, object] | None = None, key: Any = FIRST, **claims: object) -> None:
        given = {"aud": "web", "client_id": None, "nonce": nonce, "sid": "s1", "groups": ["stewards"], **claims}
        token = sign({"alg": "ES256", "kid": key.kid, **(header or {})}, self.build_claims(**given), key)
        self.answer_always("/token_endpoint", Answer(json.dumps({"id_token": token, "access_token": "opaque"}).encode()))


def build_settings(issuer: ScriptedIssuer, **other: object) -> dict[str, Any]:
    given = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_web_client": "web", "web_address": URL}
    return {**given, "grants": [{"group": "stewards", "role": "admin"}], **other}


def begin(client: TestClient, to: str = "/jobs") -> dict[str, str]:
    """What the provider is asked."""
    begun = client.get("/sign-in", params={"to": to})
    assert begun.status_code == 303, begun.text
    return {name: one for name, (one,) in parse_qs(urlsplit(begun.headers["location"]).query).items()}


def sign_in(client: TestClient, issuer: SignInIssuer, **claims: Any) -> Any:
    asked = begin(client)
    issuer.answer_token(**{"nonce": asked["nonce"], **claims})
    return finish(client, state=asked["state"], code="c")


def finish(client: TestClient, **given: str) -> Any:
    return client.get("/sign-in/callback", params=given)
