"""What a sign-in refuses: paths to other servers, answers of other sign-ins, tokens that are wrong, a provider that is slow or down."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc.jwk import ECKey
from starlette.testclient import TestClient

from meshline.api.session_cookie import MOST_SIGN_INS
from meshline.app import provider as provider_
from meshline.app.settings import load_settings
from meshline.app.sign_in import build_sign_in
from meshline.errors import InvalidInput
from tests.api.conftest import URL, run_application
from tests.oidc.issuer import AUDIENCE, DISCOVERY, KEYS, Answer
from tests.oidc.scripted_sign_in import SignInIssuer, begin, build_settings, finish, sign_in

SECOND = ECKey.generate_key("P-256", {"kid": "second"})
WHO = {"query": "{ about { actor } }"}


def test_what_the_provider_is_asked(browser: TestClient, sign_in_issuer: SignInIssuer) -> None:
    asked = begin(browser)
    sign_in_issuer.answer_token(asked["nonce"])
    answer = finish(browser, state=asked["state"], code="c")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{URL}/jobs")
    assert {name: asked[name] for name in ("response_type", "client_id", "redirect_uri", "scope", "code_challenge_method")} == {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": f"{URL}/sign-in/callback",
        "scope": "openid",
        "code_challenge_method": "S256",
    }
    sent = {name: one for name, (one,) in parse_qs(sign_in_issuer.bodies["/token_endpoint"].decode()).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert challenge == asked["code_challenge"]
    assert len({asked["state"], asked["nonce"], sent["code_verifier"]}) == 3


@pytest.mark.parametrize(
    "to",
    [
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "/a\r\nSet-Cookie: a=b"),
        *("javascript:alert(1)", "jobs", "/é", "/sign-in?to=/", "/sign-out", "/" + "a" * 2000, "/a b", "/a\\b"),
    ],
    ids=lambda to: ascii(to)[:40],
)
def test_the_way_back_leads_to_this_server(browser: TestClient, to: str) -> None:
    refused = browser.get("/sign-in", params={"to": to})
    assert (refused.status_code, "a path of this server is accepted" in refused.text) == (400, True)
    assert "set-cookie" not in refused.headers


def test_a_way_back_that_the_browser_changed_leads_to_the_first_page(browser: TestClient, sign_in_issuer: SignInIssuer) -> None:
    asked = begin(browser)
    (name,) = browser.cookies
    secret = browser.cookies[name].partition(".")[0]
    browser.cookies.clear()
    browser.cookies.set(name, f"{secret}.{base64.urlsafe_b64encode(b'//evil.example').decode()}")
    sign_in_issuer.answer_token(asked["nonce"])
    assert finish(browser, state=asked["state"], code="c").headers["location"] == f"{URL}/"


def test_an_answer_that_did_not_begin_here(browser: TestClient, sign_in_issuer: SignInIssuer) -> None:
    asked = begin(browser)
    sign_in_issuer.answer_token(asked["nonce"])
    for given in ({}, {"state": ""}, {"state": "a" * 43}, {"state": asked["state"][:-1] + "-"}, {"state": "<script>"}):
        refused = finish(browser, code="c", **given)
        assert (refused.status_code, "did not begin in this browser" in refused.text) == (400, True), given
    assert sign_in_issuer.counts["/token_endpoint"] == 0, "the provider is not asked"
    twice = browser.get(f"/sign-in/callback?state={asked['state']}&code=c&code=d")
    assert (twice.status_code, "a parameter twice" in twice.text) == (400, True)
    for given in ({"code": ""}, {}, {"code": "c" * 5000}):
        assert "has no code" in finish(browser, state=asked["state"], **given).text
    assert "another identity provider" in finish(browser, state=asked["state"], code="c", iss="https://evil.example").text
    shown = finish(browser, state=asked["state"], error="access_denied", error_description="<script>alert(1)</script>")
    assert "has refused the sign-in (access_denied)" in shown.text
    assert "<script>" not in finish(browser, state=asked["state"], error="<script>").text
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_provider_that_names_itself_has_to(sign_in_issuer: SignInIssuer) -> None:
    sign_in_issuer.describe(authorization_response_iss_parameter_supported=True)
    with run_application(**build_settings(sign_in_issuer)) as client:
        client.follow_redirects = False
        asked = begin(client)
        sign_in_issuer.answer_token(asked["nonce"])
        assert "another identity provider" in finish(client, state=asked["state"], code="c").text
        assert finish(client, state=asked["state"], code="c", iss=sign_in_issuer.url).status_code == 303


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"nonce": None}, "of another sign-in"),
        ({"nonce": "of another"}, "of another sign-in"),
        ({"aud": "cli"}, "for another audience"),
        ({"aud": AUDIENCE}, "for another audience"),
        ({"aud": ["web", "cli"]}, "issued to another client"),
        ({"aud": ["web", "cli"], "azp": "cli"}, "issued to another client"),
        ({"azp": "cli"}, "issued to another client"),
        ({"iss": "https://evil.example"}, "of another issuer"),
        ({"exp": 1}, "has expired"),
        ({"iat": None}, "when it was issued"),
        ({"sub": None}, "does not name its subject"),
        ({"groups": 7}, "no list of names"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "too many groups"),
        ({"key": SECOND}, "does not list the key"),
        ({"header": {"alg": "none"}}, "its algorithm is none of"),
        ({"header": {"typ": "logout+jwt"}}, "its type"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_each_check_of_an_id_token(browser: TestClient, sign_in_issuer: SignInIssuer, claims: dict[str, Any], sentence: str) -> None:
    if claims.get("header") == {"alg": "none"}:
        asked = begin(browser)
        token = ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in ({"alg": "none"}, {"sub": "a"}))
        sign_in_issuer.answer_always("/token_endpoint", Answer(json.dumps({"id_token": f"{token}."}).encode()))
        refused = finish(browser, state=asked["state"], code="c")
    else:
        refused = sign_in(browser, sign_in_issuer, **claims)
    assert (refused.status_code, sentence in refused.text) == (403, True), refused.text
    assert browser.get("/session").json()["actor"] == ""


def test_keys_that_change_in_the_middle_of_a_sign_in(browser: TestClient, sign_in_issuer: SignInIssuer) -> None:
    asked = begin(browser)  # which has fetched the keys
    sign_in_issuer.keys[:] = [SECOND.as_dict(private=False)]
    sign_in_issuer.answer_token(asked["nonce"], key=SECOND)
    assert finish(browser, state=asked["state"], code="c").status_code == 303
    assert sign_in_issuer.counts[KEYS] == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"{}", 500),
        Answer(b"no JSON"),
        Answer(b"[]"),
        Answer(b'{"id_token": "' + b"a" * provider_.ANSWER_BYTES + b'"}'),
        Answer(b"", 302, {"Location": "https://evil.example"}),
        Answer(b"{}", seconds=60),
    ],
    ids=["error", "no JSON", "a list", "too large", "redirect", "slow"],
)
def test_a_provider_that_does_not_answer_as_it_should(
    browser: TestClient, sign_in_issuer: SignInIssuer, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = begin(browser)
    sign_in_issuer.answer_always("/token_endpoint", answer)
    with monkeypatch.context() as patch:
        if answer.seconds:
            patch.setattr(provider_, "ANSWER_SECONDS", 0.4)
        refused = finish(browser, state=asked["state"], code="c")
    assert (refused.status_code, "does not answer as it should" in refused.text, refused.headers["retry-after"]) == (503, True, "2")
    sign_in_issuer.answer_token(asked["nonce"])
    assert finish(browser, state=asked["state"], code="c").status_code == 303, "the person may try again"


def test_a_provider_that_is_down(sign_in_issuer: SignInIssuer) -> None:
    sign_in_issuer.answer_always(DISCOVERY, Answer(b"", 500))
    with run_application(**build_settings(sign_in_issuer)) as client:
        assert client.get("/sign-in").status_code == 503
        assert client.get("/session").json()["signIn"] is True


def test_claims_of_another_person(sign_in_issuer: SignInIssuer) -> None:
    sign_in_issuer.describe(userinfo_endpoint=f"{sign_in_issuer.url}/userinfo")
    with run_application(**build_settings(sign_in_issuer)) as client:
        client.follow_redirects = False
        for answer, status in (({"sub": "eve", "groups": ["stewards"]}, 403), ({}, 403), ({"sub": "ann", "groups": ["stewards"]}, 303)):
            sign_in_issuer.answer_always("/userinfo", Answer(json.dumps(answer).encode()))
            assert sign_in(client, sign_in_issuer, groups=None).status_code == status
        assert client.post("/graphql", json=WHO, headers={"Origin": URL}).json()["data"]["about"]["actor"] == "user ann"


def test_many_sign_ins_that_are_not_finished_are_forgotten(browser: TestClient) -> None:
    for _ in range(12):
        begin(browser)
        assert len(browser.cookies) <= MOST_SIGN_INS


# -- settings


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"oidc_issuer": None}, "oidc_issuer: is needed"),
        ({"web_address": None}, "web_address: is needed"),
        ({"web_address": "http://mesh.example"}, "web_address: is needed"),
        ({"web_address": "https://mesh.example/sub"}, "web_address: is needed"),
        ({"web_address": "https://a:b@mesh.example"}, "web_address: is needed"),
    ],
    ids=str,
)
def test_settings_that_are_not_complete(other: dict[str, Any], sentence: str) -> None:
    given = {"oidc_issuer": "https://login.example", "oidc_audience": URL, "oidc_web_client": "web", "web_address": URL, **other}
    with pytest.raises(InvalidInput, match=sentence), run_application(**{name: one for name, one in given.items() if one is not None}):
        pass


def test_a_cookie_over_https_is_of_this_host_alone(sign_in_issuer: SignInIssuer) -> None:
    with run_application(**build_settings(sign_in_issuer, web_address="https://mesh.example", allowed_hosts=["mesh.example"])) as client:
        begun = client.get("/sign-in", follow_redirects=False)
    header = begun.headers["set-cookie"]
    assert header.startswith("__Host-meshline-")
    assert header.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


def test_where_people_do_not_sign_in_there_are_no_such_addresses() -> None:
    with run_application() as client:
        assert client.get("/session").json()["signIn"] is False
        assert [client.get(path).status_code for path in ("/sign-in", "/sign-in/callback")] == [404, 404]
    assert build_sign_in(load_settings(), None) is None
