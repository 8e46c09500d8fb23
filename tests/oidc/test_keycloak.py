"""Keycloak, as docs/identity-provider.md sets it up, with its realm file: with `scripts/test --all`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from meshline.app.provider import UNKNOWN_SECONDS
from tests.api.conftest import serve_application
from tests.api.test_ingest import build_event
from tests.api.test_notifying import wait_until
from tests.api.test_serve import free_port
from tests.sizes import ALL

pytestmark = pytest.mark.skipif(not ALL, reason="Keycloak takes a minute to start: scripts/test --all")

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "servers" / "keycloak.py"
REALM = ROOT / "docs" / "deploy" / "keycloak-realm.json"
SHOWN = "https://meshline.company.com"  # in the realm file, where a test has its own address
SECRET = "change-this-secret"
PASSWORD = "a-password-of-this-test"
WHO = {"query": "{ about { actor role } }"}
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
ROTATE_SECONDS = 3.0  # for which callers go on while the keys change


class Keycloak(NamedTuple):
    url: str
    web: str

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/meshline"

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(f"{self.issuer}/protocol/openid-connect/{path}", data=fields, timeout=30).json()
        return answer

    def get_service_token(self) -> str:
        found = self.post("token", grant_type="client_credentials", client_id="airflow", client_secret=SECRET)
        return str(found["access_token"])


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """With the realm of the docs, for a server at an address of this machine, and a person."""
    home, web = tmp_path_factory.mktemp("keycloak"), f"http://127.0.0.1:{free_port()}"
    realm = json.loads(REALM.read_text("utf-8").replace(SHOWN, web))
    credentials = [{"type": "password", "value": PASSWORD, "temporary": False}]
    person = {"firstName": "Ann", "lastName": "Ames", "email": "ann@company.com", "emailVerified": True}
    realm["users"] = [{"username": "ann", "enabled": True, "groups": ["stewards"], "credentials": credentials, **person}]
    (home / "realms").mkdir()
    (home / "realms" / "meshline.json").write_text(json.dumps(realm), "utf-8")
    with subprocess.Popen([sys.executable, str(SCRIPT), str(home)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url, "Keycloak has not begun"
            yield Keycloak(url, web)
        finally:
            process.terminate()
            process.wait(120)


@pytest.fixture(scope="module")
def server(keycloak: Keycloak) -> Iterator[str]:
    def build(url: str) -> dict[str, object]:
        return {
            "oidc_issuer": keycloak.issuer,
            "oidc_audience": url,
            "oidc_web_client": "meshline-web",
            "oidc_web_secret": SECRET,
            "web_address": url,
            "refresh_seconds": 0.1,
            "grants": [{"group": "stewards", "role": "admin"}, {"service": "airflow", "role": "writer", "scopes": ["ingest", "read"]}],
        }

    with serve_application(build, int(keycloak.web.rpartition(":")[2])) as url:
        yield url


class Browser:
    """Sends back what cookies Keycloak sets, which are `Secure` also on http://127.0.0.1: browsers do so there, httpx does not."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def send(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Follows redirections to the end."""
        for _ in range(20):
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **given.pop("headers", {})}
            answer = httpx.request(method, url, headers=headers, follow_redirects=False, timeout=30, **given)
            for header in answer.headers.get_list("set-cookie"):
                name, _, value = header.partition(";")[0].partition("=")
                self.cookies[name] = value
                if "max-age=0" in header.lower():
                    self.cookies.pop(name)
            if not answer.is_redirect:
                return answer
            method, url, given = "GET", str(answer.url.join(answer.headers["location"])), {}
        pytest.fail("more than 20 redirections")

    def fill_forms(self, page: httpx.Response) -> httpx.Response:
        """As ann would."""
        for _ in range(6):
            form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
            if form is None or "kc-" not in form[0]:
                return page
            inputs = (dict(re.findall(r'(name|value)="([^"]*)"', one)) for one in re.findall(r"<input[^>]*>", form[2]))
            fields = {one["name"]: unescape(one.get("value", "")) for one in inputs if "name" in one}
            if "password" in fields:
                fields.update(username="ann", password=PASSWORD)
            fields.pop("cancel", None)
            page = self.send("POST", str(page.url.join(unescape(form[1]))), data=fields)
        pytest.fail(f"more forms than expected: {page.text[:500]}")

    def get_actor(self, server: str) -> str:
        return str(self.send("GET", f"{server}/session").json()["actor"])


def read_subject(keycloak: Keycloak) -> str:
    """The `sub` of ann: an id that Keycloak gives."""
    admin = httpx.post(
        f"{keycloak.url}/realms/master/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"},
    ).json()
    users = httpx.get(
        f"{keycloak.url}/admin/realms/meshline/users?username=ann", headers={"Authorization": f"Bearer {admin['access_token']}"}
    ).json()
    return str(users[0]["id"])


def ask(server: str, token: str) -> httpx.Response:
    return httpx.post(f"{server}/graphql", json=WHO, headers={"Authorization": f"Bearer {token}"})


def test_a_service_with_its_own_credentials(server: str, keycloak: Keycloak) -> None:
    token = keycloak.get_service_token()
    assert ask(server, token).json()["data"]["about"] == {"actor": "service airflow", "role": "WRITER"}
    sent = httpx.post(f"{server}/api/v1/lineage", json=build_event(), headers={"Authorization": f"Bearer {token}"})
    assert sent.status_code == 201


def test_a_person_at_the_page_and_a_sign_out_that_keycloak_reports(server: str, keycloak: Keycloak) -> None:
    browser = Browser()
    page = browser.fill_forms(browser.send("GET", f"{server}/sign-in?to=/healthz"))
    assert str(page.url) == f"{server}/healthz", page.text[:2000]
    assert browser.get_actor(server) == f"user {read_subject(keycloak)}"
    asked = browser.send("POST", f"{server}/graphql", json=WHO, headers={"Origin": server})
    assert asked.json()["data"]["about"]["role"] == "ADMIN", "by a group of the ID token"
    assert browser.send("GET", f"{server}/session").json()["name"] == "Ann Ames"
    browser.fill_forms(browser.send("GET", f"{keycloak.issuer}/protocol/openid-connect/logout?client_id=meshline-web"))
    wait_until(lambda: browser.get_actor(server) == "")


def test_a_person_on_the_command_line(server: str, keycloak: Keycloak) -> None:
    begun = keycloak.post("auth/device", client_id="meshline-cli", scope="openid")
    browser = Browser()
    page = browser.fill_forms(browser.send("GET", begun["verification_uri_complete"]))
    assert "Device Login Successful" in page.text, page.text[:3000]
    token = keycloak.post("token", grant_type=DEVICE_CODE, device_code=begun["device_code"], client_id="meshline-cli")["access_token"]
    assert ask(server, token).json()["data"]["about"] == {"actor": f"user {read_subject(keycloak)}", "role": "ADMIN"}


def test_keys_that_change_under_load(server: str, keycloak: Keycloak) -> None:
    """No caller with a good token is refused while Keycloak changes its signing key."""
    outcomes: Counter[int] = Counter()
    done = threading.Event()
    tokens = [keycloak.get_service_token()]

    def call() -> None:
        with httpx.Client() as client:
            while not done.is_set():
                outcomes[client.post(f"{server}/graphql", json=WHO, headers={"Authorization": f"Bearer {tokens[-1]}"}).status_code] += 1

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        time.sleep(UNKNOWN_SECONDS)  # after which a key that is not known is looked for again
        add_key(keycloak)
        before, after = (json.dumps(httpx.get(f"{keycloak.issuer}/protocol/openid-connect/certs").json()), keycloak.get_service_token())
        assert len(json.loads(before)["keys"]) > 2
        tokens.append(after)
        time.sleep(ROTATE_SECONDS)
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert set(outcomes) == {200}, outcomes
    assert outcomes[200] > 50


def add_key(keycloak: Keycloak) -> None:
    """A new signing key, which Keycloak uses from now on."""
    admin = httpx.post(
        f"{keycloak.url}/realms/master/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"},
    ).json()
    headers = {"Authorization": f"Bearer {admin['access_token']}"}
    realm = httpx.get(f"{keycloak.url}/admin/realms/meshline", headers=headers).json()
    component = {
        "name": "newer",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm["id"],
        "config": {"priority": ["200"], "algorithm": ["RS256"], "keySize": ["2048"]},
    }
    httpx.post(f"{keycloak.url}/admin/realms/meshline/components", headers=headers, json=component).raise_for_status()
