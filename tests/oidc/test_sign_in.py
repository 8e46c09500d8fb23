"""People sign in at the page, with a real identity provider (npm oidc-provider) and a real server, and their sessions end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from meshline.app.access_journal import ACCESS
from meshline.graph.store.factory import open_store
from tests.api.conftest import URL, serve_application
from tests.api.test_notifying import wait_until
from tests.oidc.provider import WEB_CLIENT, WEB_SECRET, Provider, fill_forms

WHO = {"query": "{ about { actor role } }"}
GRANTS = [{"group": "stewards", "role": "admin"}]


class Browser(httpx.Client):
    """With the cookies of one person, who is led from address to address."""

    def __init__(self, web: str) -> None:
        super().__init__(base_url=web, follow_redirects=True, timeout=60)

    def sign_in(self, person: str, to: str = "/") -> httpx.Response:
        return fill_forms(self, self.get("/sign-in", params={"to": to}), person)

    def ask(self, **headers: str) -> httpx.Response:
        """Who this is; by default as the page asks."""
        return self.post(
            "/graphql", json=WHO, headers=headers or {"Origin": str(self.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        )

    def get_session(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/session").json()
        return found


def build_settings(provider: Provider, store: str) -> dict[str, object]:
    return {
        "store": store,
        "oidc_issuer": provider.issuer,
        "oidc_audience": URL,
        "oidc_web_client": WEB_CLIENT,
        "oidc_web_secret": WEB_SECRET,
        "web_address": provider.web,
        "refresh_seconds": 0.05,
        "grants": GRANTS,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('sessions')}/mesh.db"


@pytest.fixture(scope="module")
def server(provider: Provider, store: str) -> Iterator[str]:
    with serve_application(lambda _url: build_settings(provider, store), int(provider.web.rpartition(":")[2])) as url:
        yield url


OpenBrowser = Callable[[], Browser]


@pytest.fixture
def open_browser(server: str) -> Iterator[OpenBrowser]:
    opened: list[Browser] = []

    def act() -> Browser:
        opened.append(Browser(server))
        return opened[-1]

    yield act
    for browser in opened:
        browser.close()


def test_a_person_signs_in_and_out(open_browser: OpenBrowser, provider: Provider) -> None:
    browser = open_browser()
    assert browser.get_session() == {"signIn": True, "name": "", "actor": "", "ends": ""}
    assert browser.ask().status_code == 401
    page = browser.sign_in("ann", "/search?q=orders&x=%2F%2Fy")
    assert str(page.url) == f"{provider.web}/search?q=orders&x=%2F%2Fy"
    shown = browser.get_session()
    assert (shown["name"], shown["actor"]) == ("ann of the tests", "user ann"), "the name is of the userinfo endpoint"
    assert browser.ask().json()["data"]["about"] == {"actor": "user ann", "role": "ADMIN"}, "by a group of the userinfo endpoint"
    ended = browser.post("/sign-out", headers={"Origin": provider.web})
    assert ended.json()["next"].startswith(f"{provider.issuer}/session/end?client_id=meshline-web&post_logout_redirect_uri=")
    assert browser.get_session()["actor"] == ""
    assert browser.ask().status_code == 401
    page = fill_forms(browser, browser.get(ended.json()["next"]), "ann")
    assert str(page.url) == f"{provider.web}/", "the session at the provider has ended, too"


def find_cookie(answer: httpx.Response) -> tuple[str, str]:
    """The session's cookie in the answer to the second step: its value, and its attributes."""
    (header,) = [one for one in answer.headers.get_list("set-cookie") if re.match(r"meshline-\d+=[^;]", one)]
    value, _, attributes = header.partition("; ")
    return value.partition("=")[2], attributes


def test_the_browser_has_a_random_secret_and_the_store_its_hash(open_browser: OpenBrowser, store: str) -> None:
    browser = open_browser()
    page = browser.sign_in("ann")
    secret, attributes = find_cookie(page.history[-1])
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret), "256 bits"
    assert attributes == "Max-Age=28800; Path=/; HttpOnly; SameSite=Lax", "no Secure on http://127.0.0.1"
    with closing(open_store(store)) as opened:
        kept = json.dumps([one.record.body.decode() for one in opened.read_journal(ACCESS)])
    assert "ann of the tests" in kept
    assert secret not in kept
    assert "eyJ" not in kept, "no token of the provider"
    again = browser.sign_in("ann")
    assert find_cookie(again.history[-1])[0] != secret, "each sign-in has a new secret: one that was known before opens nothing (fixation)"
    browser.cookies.jar.clear()
    stale = browser.get("/session", headers={"Cookie": f"meshline-{browser.base_url.port}={secret}"}).json()
    assert stale["actor"] == "", "the session before it has ended"


def test_writes_come_from_the_page(open_browser: OpenBrowser, provider: Provider) -> None:
    browser = open_browser()
    browser.sign_in("ann")
    for headers in (
        {"X-Any": "x"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": provider.web, "Sec-Fetch-Site": "cross-site"},
        {"Origin": provider.web, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": provider.issuer},  # another port of this machine
    ):
        assert browser.ask(**headers).json()["error"]["code"] == "CROSS_SITE", headers
        assert browser.post("/sign-out", headers=headers).json()["error"]["code"] == "CROSS_SITE", headers
    assert browser.get("/graphql", params=WHO).json()["data"]["about"]["actor"] == "user ann", "questions have no effects"
    assert browser.ask().status_code == 200


def test_the_provider_reports_a_sign_out(open_browser: OpenBrowser, provider: Provider) -> None:
    browser, other = open_browser(), open_browser()
    for one in (browser, other):
        one.sign_in("ann")
        assert one.get_session()["actor"] == "user ann"
    page = fill_forms(browser, browser.get(provider.endpoints["end_session_endpoint"]), "ann")
    assert "Sign-out Success" in page.text, page.text
    wait_until(lambda: browser.get_session()["actor"] == "")
    refused = browser.ask()
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "your session has ended: sign in again")
    assert other.get_session()["actor"] == "user ann", "her session in another browser goes on"
    assert browser.sign_in("ann").status_code == 200
    assert browser.get_session()["actor"] == "user ann", "and she may sign in again"


def test_a_person_without_a_grant_is_signed_in_and_may_nothing(open_browser: OpenBrowser) -> None:
    browser = open_browser()
    browser.sign_in("bob")
    assert browser.get_session()["actor"] == "user bob"
    assert (browser.ask().status_code, "'user bob'" in browser.ask().json()["error"]["message"]) == (403, True)


def test_two_sign_ins_of_one_browser_do_not_disturb_each_other(open_browser: OpenBrowser) -> None:
    browser = open_browser()
    first, second = (browser.get("/sign-in", params={"to": to}) for to in ("/owners", "/jobs"))
    assert fill_forms(browser, first, "ann").url.path == "/owners"
    assert fill_forms(browser, second, "ann").url.path == "/jobs"


def test_a_code_and_its_state_count_once_and_in_one_browser(open_browser: OpenBrowser) -> None:
    browser, other = open_browser(), open_browser()
    answer = browser.sign_in("ann").history[-1]
    callback = str(answer.request.url)
    for one in (browser, other):
        refused = one.get(callback)
        assert (refused.status_code, "did not begin in this browser" in refused.text) == (400, True)
    assert other.get_session()["actor"] == "", "a link to the second step does not sign its reader in as another person (login CSRF)"
    begun = other.get("/sign-in", follow_redirects=False)
    state = httpx.URL(begun.headers["location"]).params["state"]
    refused = other.get("/sign-in/callback", params={**dict(httpx.URL(callback).params), "state": state})
    assert (refused.status_code, "has refused the code of this sign-in (invalid_grant)" in refused.text) == (400, True)


@contextmanager
def run_again(provider: Provider, store: str) -> Iterator[str]:
    """Another server of the same store, with the same settings, at another port."""
    with serve_application(lambda _url: build_settings(provider, store)) as url:
        yield url


def test_a_session_is_known_to_each_server_of_the_store(open_browser: OpenBrowser, provider: Provider, store: str) -> None:
    browser = open_browser()
    browser.sign_in("ann")
    cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in browser.cookies.jar if one.name.startswith("meshline"))}

    def find_actor(url: str) -> str:
        return str(httpx.get(f"{url}/session", headers=cookie).json()["actor"])

    with run_again(provider, store) as url:
        assert find_actor(url) == "user ann", "also after a restart"
        browser.post("/sign-out", headers={"Origin": provider.web})
        wait_until(lambda: find_actor(url) == "")


def test_sign_ins_are_in_the_audit_log(open_browser: OpenBrowser) -> None:
    browser = open_browser()
    browser.sign_in("ann")
    query = {"query": '{ audit(kind: ACCESS, actor: "user ann", first: 1) { nodes { action actor subject details } } }'}
    (entry,) = browser.get("/graphql", params=query).json()["data"]["audit"]["nodes"]
    assert entry == {"action": "ACCESS", "actor": "user ann", "subject": "page", "details": {"event": "sign-in"}}
