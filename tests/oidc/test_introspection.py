"""Tokens that are no JWT: what the provider answers about them, for how long that counts; and services that act for people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app import introspection
from meshline.app.access_rules import AccessRules, Action, Default, Rule
from meshline.app.grants import Grant, Principal, build_actor
from meshline.app.tokens import AccessScope, Actor, Role
from meshline.errors import InvalidInput
from meshline.graph.queries.selection import Selector, SelectorKind
from tests.api.conftest import URL, run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.oidc.issuer import AUDIENCE, Answer
from tests.oidc.provider import SECRET, SERVICE, Provider
from tests.oidc.scripted_sign_in import SignInIssuer

WHO = {"query": "{ about { actor role } }"}
GRANTS = [{"user": "ann", "role": "admin"}, {"service": "bot", "role": "reader", "scopes": ["read"]}]


def ask(client: TestClient, token: str) -> Any:
    return client.post("/graphql", json=WHO, headers=build_authorization(token))


@pytest.fixture
def client(sign_in_issuer: SignInIssuer) -> Iterator[TestClient]:
    sign_in_issuer.describe(introspection_endpoint=f"{sign_in_issuer.url}/introspect")
    given = {"oidc_issuer": sign_in_issuer.url, "oidc_audience": AUDIENCE, "oidc_agents": ["bot"], "grants": GRANTS, "tokens": TOKENS}
    with run_application(**given, oidc_introspection_client="server", oidc_introspection_secret="secret") as found:
        yield found


def describe(issuer: SignInIssuer, **other: object) -> None:
    answer = {"active": True, "client_id": "cli", "sub": "ann", "aud": AUDIENCE, **other}
    issuer.answer_always("/introspect", Answer(json.dumps({name: one for name, one in answer.items() if one is not None}).encode()))


def test_an_answer_counts_for_a_minute(client: TestClient, sign_in_issuer: SignInIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(sign_in_issuer)
    for _ in range(3):
        assert ask(client, "opaque").json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}
    assert sign_in_issuer.counts["/introspect"] == 1
    assert sign_in_issuer.bodies["/introspect"] == b"token=opaque&token_type_hint=access_token"
    describe(sign_in_issuer, active=False)
    assert ask(client, "opaque").status_code == 200
    monkeypatch.setattr(introspection, "CACHE_SECONDS", -1.0)
    assert ask(client, "opaque").status_code == 401, "the provider has withdrawn it"
    monkeypatch.setattr(introspection, "CACHE_SECONDS", 60.0)
    for _ in range(3):
        assert ask(client, "opaque").status_code == 401
    assert sign_in_issuer.counts["/introspect"] == 2, "a refusal counts, too"
    assert ask(client, SECRETS[Role.READER]).json()["data"]["about"]["actor"] == "the-reader", "tokens of the settings go on"
    assert sign_in_issuer.counts["/introspect"] == 2, "and are not sent to the provider"


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"active": "true"}, "neither this server nor the identity provider knows the token"),
        ({"active": None}, "neither this server nor the identity provider knows the token"),
        ({"token_type": "refresh_token"}, "neither this server nor the identity provider knows the token"),
        ({"aud": None}, "for another audience"),
        ({"aud": "https://other.example"}, "for another audience"),
        ({"iss": "https://evil.example"}, "of another issuer"),
        ({"sub": None}, "does not name its subject"),
        ({"client_id": None}, "names no client"),
        ({"exp": 1}, "has expired"),
    ],
    ids=str,
)
def test_each_check_of_an_answer(client: TestClient, sign_in_issuer: SignInIssuer, other: dict[str, Any], sentence: str) -> None:
    describe(sign_in_issuer, **other)
    refused = ask(client, "opaque")
    assert (refused.status_code, sentence in refused.json()["error"]["message"]) == (401, True), refused.text


@pytest.mark.parametrize(
    "answer", [Answer(b"{}", 401), Answer(b"{}", 500), Answer(b"x" * 300_000), Answer(b"[]")], ids=lambda a: str(a[:2])[:20]
)
def test_a_provider_that_does_not_answer(client: TestClient, sign_in_issuer: SignInIssuer, answer: Answer) -> None:
    sign_in_issuer.answer_always("/introspect", answer)
    assert ask(client, "opaque").status_code == 503
    describe(sign_in_issuer)
    assert ask(client, "opaque").status_code == 200, "a failure is not kept"


def test_opaque_tokens_of_a_real_provider(provider: Provider) -> None:
    audience = f"{URL}/opaque"
    token = provider.sign_in_device("ann", audience)["access_token"]
    assert token.count(".") == 0
    given = {"oidc_issuer": provider.issuer, "oidc_audience": audience, "grants": [{"group": "stewards", "role": "admin"}]}
    with run_application(**given, oidc_introspection_client=SERVICE, oidc_introspection_secret=SECRET) as client:
        assert ask(client, token).json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}
        assert ask(client, token + "x").status_code == 401
    with run_application(**given) as client:
        assert ask(client, token).status_code == 401, "without the setting"


def test_settings_that_are_not_complete() -> None:
    with pytest.raises(InvalidInput, match="oidc_issuer"), run_application(oidc_introspection_client="a"):
        pass
    given = {"oidc_issuer": "https://login.example", "oidc_audience": AUDIENCE}
    with pytest.raises(InvalidInput, match="oidc_introspection_secret"), run_application(oidc_introspection_client="a", **given):
        pass


# -- services that act for people


@pytest.mark.parametrize(
    ("claims", "actor"),
    [
        ({"act": {"sub": "bot"}}, "user ann by service bot"),
        ({"act": {"sub": "bot", "act": {"sub": "an earlier one"}}}, "user ann by service bot"),
        ({"act": {"client_id": "bot", "sub": "an id"}}, "user ann by service bot"),
        ({"client_id": "bot"}, "user ann by service bot"),  # of oidc_agents
        ({"client_id": "cli"}, "user ann"),
    ],
    ids=str,
)
def test_an_agent_may_what_both_may(client: TestClient, sign_in_issuer: SignInIssuer, claims: dict[str, Any], actor: str) -> None:
    found = ask(client, sign_in_issuer.sign(**claims))
    assert found.json()["data"]["about"] == {"actor": actor, "role": "READER" if "bot" in actor else "ADMIN"}
    refused = client.get("/metrics", headers=build_authorization(sign_in_issuer.sign(**claims)))
    assert refused.status_code == (403 if "bot" in actor else 200)


@pytest.mark.parametrize("act", [{}, {"sub": ""}, {"sub": 7}, "bot", None, [], {"sub": "bot", "iss": "https://evil.example"}], ids=str)
def test_an_agent_that_is_not_named_is_refused(client: TestClient, sign_in_issuer: SignInIssuer, act: object) -> None:
    now = int(time.time())
    claims = {"iss": sign_in_issuer.url, "aud": AUDIENCE, "sub": "ann", "client_id": "cli", "iat": now, "exp": now + 300, "act": act}
    describe(sign_in_issuer, **{name: one for name, one in claims.items() if name != "act"})
    answer = {"active": True, **claims}
    sign_in_issuer.answer_always("/introspect", Answer(json.dumps(answer).encode()))
    assert ask(client, "opaque").status_code == 401


def test_an_agent_sees_what_both_see() -> None:
    rules = AccessRules(
        {Action.READ: Default.NOTHING, Action.INGEST: Default.NOTHING},
        (
            Rule(frozenset({"group:sales"}), (Selector(SelectorKind.DOMAIN, "sales"),), "rules:1"),
            Rule(frozenset({"service:bot"}), (Selector(SelectorKind.TAG, "public"),), "rules:2"),
        ),
        (),
    )
    grants = [Grant(user="ann", role=Role.WRITER), Grant(service="bot", role=Role.WRITER, scopes=(AccessScope.READ,))]
    agent = build_actor(Principal("ann", frozenset({"sales"}), agent="bot"), grants)
    assert agent[:4] == ("user ann by service bot", Role.WRITER, frozenset({AccessScope.READ}), ("sales",))
    rights = rules.find_rights(agent)
    assert rights is not None
    granted = {frozenset(selector.name for selector in one.granted) for one in (rights, *rights.also)}
    assert granted == {frozenset({"sales"}), frozenset({"public"})}
    assert build_actor(Principal("ann", agent="unknown"), grants).scopes == frozenset(), "an agent without a grant may nothing"
    ingest = rules.find_ingest(agent)
    assert ingest is not None
    assert len(ingest.also) == 1
    administrators = tuple(Actor(name, Role.ADMIN) for name in ("user a", "service b"))
    assert rules.find_rights(Actor("both", Role.ADMIN, parties=administrators)) is None
