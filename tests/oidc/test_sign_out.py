"""Sessions end: by themselves, by reports of the provider, by the deny list; and the journal that servers of one store share."""

from __future__ import annotations

import time
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app import sessions
from meshline.app.access_journal import STALE_SECONDS, AccessJournal
from meshline.app.denials import Denial, DenialKind, DenyList
from meshline.app.sign_in import LOGOUT_EVENT
from meshline.app.tokens import TokenRefused
from meshline.errors import NotReady, StoreUnavailable
from meshline.graph.model import get_current_micros
from meshline.graph.store.factory import open_store
from tests.api.conftest import MoveClock
from tests.oidc.issuer import FIRST, sign
from tests.oidc.scripted_sign_in import SignInIssuer, sign_in

WHO = {"query": "{ about { actor } }"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
COOKIE = "meshline-8080"


@pytest.mark.parametrize("seconds", [3601, 8 * 3600 + 1])
def test_a_session_ends_by_itself(browser: TestClient, sign_in_issuer: SignInIssuer, move_clock: MoveClock, seconds: int) -> None:
    assert sign_in(browser, sign_in_issuer).status_code == 303
    for _ in range(seconds // 3000):
        if seconds > 4000:  # it is used all the time
            move_clock(3000 * (_ + 1))
            assert browser.get("/session").json()["actor"] == ("user ann" if 3000 * (_ + 1) < 8 * 3600 else "")
    move_clock(seconds)
    assert browser.get("/session").json()["actor"] == ""


def test_a_guessed_cookie_opens_nothing(browser: TestClient) -> None:
    for value in ("", "x", "a" * 43, "a" * 10_000, '"; Path=/', "=="):
        refused = browser.get("/openapi.json", headers={"Cookie": f"{COOKIE}={value}"})
        assert refused.status_code == 401
    assert browser.get("/openapi.json", headers={"Cookie": f"meshline-9={'a' * 43}"}).json()["error"]["message"].startswith("send a token")


# -- sign-outs that the provider reports


def report(client: TestClient, issuer: SignInIssuer, header: dict[str, object] | None = None, **claims: object) -> tuple[int, str]:
    now = int(time.time())
    usual: dict[str, object] = {
        "aud": "web",
        "client_id": None,
        "events": {LOGOUT_EVENT: {}},
        "jti": "j1",
        "sid": "s1",
        "iat": now,
        "exp": now + 120,
    }
    token = sign({"alg": "ES256", "kid": "first", "typ": "logout+jwt", **(header or {})}, issuer.build_claims(**{**usual, **claims}), FIRST)
    answer = client.post("/sign-out/report", content=f"logout_token={token}", headers=FORM)
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]["message"]


def is_signed_in(client: TestClient) -> bool:
    return bool(client.get("/session").json()["actor"])


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"events": None}, "no logout token"),
        ({"events": {}}, "no logout token"),
        ({"events": {LOGOUT_EVENT: "yes"}}, "no logout token"),
        ({"nonce": "n"}, "has no `nonce`"),
        ({"jti": None}, "no name (`jti`)"),
        ({"sid": None, "sub": None}, "neither a session"),
        ({"sid": 7}, "neither a session"),
        ({"aud": "cli"}, "for another audience"),
        ({"iss": "https://evil.example"}, "of another issuer"),
        ({"exp": None}, "no end"),
        ({"exp": 1}, "has expired"),
        ({"iat": None}, "when it was issued"),
        ({"header": {"typ": "at+jwt"}}, "its type"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_each_check_of_a_logout_token(browser: TestClient, sign_in_issuer: SignInIssuer, claims: dict[str, Any], sentence: str) -> None:
    sign_in(browser, sign_in_issuer)
    status, message = report(browser, sign_in_issuer, **claims)
    assert (status, sentence in message) == (400, True), message
    assert is_signed_in(browser)


def test_a_report_counts_once(browser: TestClient, sign_in_issuer: SignInIssuer, move_clock: MoveClock) -> None:
    sign_in(browser, sign_in_issuer)
    assert report(browser, sign_in_issuer) == (200, "")
    assert not is_signed_in(browser)
    assert report(browser, sign_in_issuer) == (400, "logout_token: this logout token was received before")
    sign_in(browser, sign_in_issuer, sid="s2")
    assert is_signed_in(browser)
    assert report(browser, sign_in_issuer, jti="j2", sid=None, iat=int(time.time()) - 60)[0] == 200
    assert is_signed_in(browser), "who signed in after the sign-out goes on"
    assert report(browser, sign_in_issuer, jti="j3", sid=None)[0] == 200
    assert not is_signed_in(browser), "all sessions of the person"
    move_clock(5)
    assert sign_in(browser, sign_in_issuer, sid="s3").status_code == 303, "and the person may sign in again"
    for body in ("", "logout_token=", "logout_token=a&logout_token=b", "x=y", "logout_token=" + "a" * 70_000):
        assert browser.post("/sign-out/report", content=body, headers=FORM).status_code in (400, 413), body[:20]
    assert browser.post("/sign-out/report", json={}).status_code == 415


def test_an_access_token_of_an_ended_session_is_refused(browser: TestClient, sign_in_issuer: SignInIssuer) -> None:
    headers = {"Authorization": f"Bearer {sign_in_issuer.sign(sid='s1', groups=['stewards'])}"}
    assert browser.post("/graphql", json=WHO, headers=headers).status_code == 200
    report(browser, sign_in_issuer)
    refused = browser.post("/graphql", json=WHO, headers=headers)
    assert (refused.status_code, "denies its caller, its session or this token (`sid`)" in refused.json()["error"]["message"]) == (
        401,
        True,
    )


# -- the journal


def build_denial(value: str, **other: Any) -> Denial:
    now = get_current_micros()
    return Denial(**{"kind": DenialKind.SUB, "value": value, "at": now, "until": now + 3600 * sessions.SECOND, **other})


def test_an_entry_of_an_administrator_is_not_ended_by_a_sign_out() -> None:
    denied = DenyList()
    denied.add(build_denial("eve"))
    denied.add(build_denial("eve", issued=5))
    with pytest.raises(TokenRefused):
        denied.check_claims({"sub": "eve", "iat": 1_000_000})
    denied.add(build_denial("bob", issued=5))
    denied.check_claims({"sub": "bob", "iat": 6})
    for claims in ({"sub": "bob", "iat": 5}, {"sub": "bob"}):
        with pytest.raises(TokenRefused):
            denied.check_claims(claims)


def test_who_cannot_follow_the_journal_refuses() -> None:
    seconds = [0.0]
    journal = AccessJournal(lambda: seconds[0])
    with pytest.raises(NotReady):
        journal.check_current()
    store = open_store("sqlite://:memory:")
    journal.open(store)
    journal.check_current()
    seconds[0] = STALE_SECONDS + 1
    with pytest.raises(StoreUnavailable):
        journal.check_current()
    journal.follow()
    journal.check_current()
    store.close()


def test_a_journal_begins_where_records_still_count(move_clock: MoveClock) -> None:
    seconds = [0.0]
    journal = AccessJournal(lambda: seconds[0])
    store = open_store("sqlite://:memory:")
    journal.open(store)
    for name in ("eve", "bob"):
        journal.deny(build_denial(name))
    journal.deny(build_denial("kim", until=get_current_micros() + 86_400 * sessions.SECOND))
    move_clock(7200)
    seconds[0] = 1000.0
    journal.follow()
    again = AccessJournal()
    again.open(store)
    assert [one.value for one in again.denials.list_entries()] == ["kim"]
    assert int(store.read_setting("session:settled") or 0) > 0
    store.close()
