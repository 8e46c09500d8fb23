"""Keycloak, as docs/identity-provider.md sets it up, with its realm file: with `scripts/test --all`."""

from __future__ import annotations

import json
import os
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
from tests.cli.command import run_successfully
from tests.servers import PATIENCE, run_server_script
from tests.sizes import ALL

pytestmark = pytest.mark.skipif(not ALL, reason="Keycloak takes a minute to start: scripts/test --all")

ROOT = Path(__file__).parents[2]
MESH = ROOT / "examples" / "mesh" / "mesh.yaml"
REALM = ROOT / "docs" / "deploy" / "keycloak-realm.json"
PAGE = ROOT / "docs" / "identity-provider.md"
SHOWN = "https://meshline.company.com"  # in the realm file, where a test has its own address
SECRET = "change-this-secret"
PASSWORD = "a-password-of-this-test"
PEOPLE = {"ann": "stewards", "omar": "orders-engineering", "cleo": "customers-engineering"}
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
        answer: dict[str, Any] = httpx.post(f"{self.issuer}/protocol/openid-connect/{path}", data=fields, timeout=PATIENCE).json()
        return answer

    def get_service_token(self) -> str:
        found = self.post("token", grant_type="client_credentials", client_id="airflow", client_secret=SECRET)
        return str(found["access_token"])


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """With the realm of the docs, for a server at an address of this machine, and a person."""
    home, web = tmp_path_factory.mktemp("keycloak"), f"http://127.0.0.1:{free_port()}"
    realm = json.loads(REALM.read_text("utf-8").replace(SHOWN, web))
    realm["groups"] = [{"name": group} for group in PEOPLE.values()]
    realm["users"] = [build_user(name, group) for name, group in PEOPLE.items()]
    (home / "realms").mkdir()
    (home / "realms" / "meshline.json").write_text(json.dumps(realm), "utf-8")
    with run_server_script("keycloak", home) as url:
        yield Keycloak(url, web)


def build_user(name: str, group: str) -> dict[str, object]:
    credentials = [{"type": "password", "value": PASSWORD, "temporary": False}]
    person = {"firstName": name.title(), "lastName": "Ames", "email": f"{name}@company.com", "emailVerified": True}
    return {
        "username": name,
        "enabled": True,
        "groups": [group],
        "realmRoles": ["default-roles-meshline"],
        "credentials": credentials,
        **person,
    }


@pytest.fixture(scope="module")
def server(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With the access rules and the example mesh that the docs walk through."""
    home = tmp_path_factory.mktemp("server")
    rules, store = home / "access.yaml", f"sqlite:///{home}/meshline.db"
    rules.write_text(read_block("yaml"), "utf-8")
    run_successfully("ingest", "mesh", MESH, "--store", store)

    def build(url: str) -> dict[str, object]:
        return {
            "oidc_issuer": keycloak.issuer,
            "oidc_audience": url,
            "oidc_client": "meshline-cli",
            "oidc_web_client": "meshline-web",
            "oidc_web_secret": SECRET,
            "web_address": url,
            "refresh_seconds": 0.1,
            "access": rules,
            "store": store,
            "grants": [
                {"group": "stewards", "role": "admin"},
                {"service": "airflow", "role": "writer", "scopes": ["ingest", "read"]},
                *({"group": group, "role": "reader"} for group in list(PEOPLE.values())[1:]),
            ],
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
            answer = httpx.request(method, url, headers=headers, follow_redirects=False, timeout=PATIENCE, **given)
            for header in answer.headers.get_list("set-cookie"):
                name, _, value = header.partition(";")[0].partition("=")
                self.cookies[name] = value
                if "max-age=0" in header.lower():
                    self.cookies.pop(name)
            if not answer.is_redirect:
                return answer
            method, url, given = "GET", str(answer.url.join(answer.headers["location"])), {}
        pytest.fail("more than 20 redirections")

    def fill_forms(self, page: httpx.Response, name: str = "ann") -> httpx.Response:
        """As a person would."""
        for _ in range(6):
            form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
            if form is None or "kc-" not in form[0]:
                return page
            inputs = (dict(re.findall(r'(name|value)="([^"]*)"', one)) for one in re.findall(r"<input[^>]*>", form[2]))
            fields = {one["name"]: unescape(one.get("value", "")) for one in inputs if "name" in one}
            if "password" in fields:
                fields.update(username=name, password=PASSWORD)
            fields.pop("cancel", None)
            page = self.send("POST", str(page.url.join(unescape(form[1]))), data=fields)
        pytest.fail(f"more forms than expected: {page.text[:500]}")

    def get_actor(self, server: str) -> str:
        return str(self.send("GET", f"{server}/session").json()["actor"])


def read_block(language: str) -> str:
    """What the docs show of the way from a team to an agent."""
    section = PAGE.read_text("utf-8").partition("## A team, a request and an agent\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None, language
    return found[1]


def read_subject(keycloak: Keycloak) -> str:
    """The `sub` of ann: an id that Keycloak gives."""
    admin = httpx.post(
        f"{keycloak.url}/realms/master/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"},
        timeout=PATIENCE,
    ).json()
    users = httpx.get(
        f"{keycloak.url}/admin/realms/meshline/users?username=ann",
        headers={"Authorization": f"Bearer {admin['access_token']}"},
        timeout=PATIENCE,
    ).json()
    return str(users[0]["id"])


def ask(server: str, token: str) -> httpx.Response:
    return httpx.post(f"{server}/graphql", json=WHO, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)


def test_a_service_with_its_own_credentials(server: str, keycloak: Keycloak) -> None:
    token = keycloak.get_service_token()
    assert ask(server, token).json()["data"]["about"] == {"actor": "service airflow", "role": "WRITER"}
    sent = httpx.post(f"{server}/api/v1/lineage", json=build_event(), headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE)
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
        with httpx.Client(timeout=PATIENCE) as client:
            while not done.is_set():
                outcomes[client.post(f"{server}/graphql", json=WHO, headers={"Authorization": f"Bearer {tokens[-1]}"}).status_code] += 1

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        time.sleep(UNKNOWN_SECONDS)  # after which a key that is not known is looked for again
        add_key(keycloak)
        before, after = (
            json.dumps(httpx.get(f"{keycloak.issuer}/protocol/openid-connect/certs", timeout=PATIENCE).json()),
            keycloak.get_service_token(),
        )
        assert len(json.loads(before)["keys"]) > 2
        tokens.append(after)
        time.sleep(ROTATE_SECONDS)
        end = time.monotonic() + PATIENCE
        while outcomes[200] <= 50 and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert set(outcomes) == {200}, outcomes
    assert outcomes[200] > 50


def test_a_team_a_request_and_an_agent(server: str, tmp_path: Path) -> None:
    """The commands of the docs, run by the people of the docs: each with sign-ins of its own."""
    (tmp_path / "ask.py").write_text(read_block("python").replace(SHOWN, server), "utf-8")
    shown: list[str] = []
    for line in read_block("sh").splitlines():
        if line.startswith("# "):
            person = Person(line.split()[1].strip(",").lower(), server, tmp_path)
        elif line:
            request = re.search(r"req_[0-9a-f]{16}", "".join(shown))
            shown.append(person.run(line.replace("req_4f1c27a90d36b85e", request[0] if request else "")))
    refused, asked, waiting, decided, owners, answer = (text for text in shown if not text.startswith("Open "))
    assert "no asset is called 'customers.customers'" in refused
    assert "Omar Ames (user " in asked, "an id is no name for people"
    assert asked.splitlines()[0] == waiting.splitlines()[0]
    assert "  granted" in decided
    assert "Cleo Ames (user " in decided
    assert "customers-engineering  technical" in owners
    seen, hidden = json.loads(answer)["assets"]
    assert "error" not in seen
    assert "customers-engineering" in json.dumps(seen)
    assert "no asset is called 'payments.receipts'" in hidden["error"]


class Person(NamedTuple):
    """One who types commands, and has a browser."""

    name: str
    server: str
    home: Path

    def run(self, command: str) -> str:
        """What a command of the docs prints."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
            "HOME": str(self.home / self.name),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        given = command.replace(SHOWN, self.server)
        (self.home / self.name).mkdir(exist_ok=True)
        with subprocess.Popen(
            ["bash", "-c", given], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=self.home
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            if first.startswith("Open "):
                browser = Browser()
                page = browser.fill_forms(browser.send("GET", first.split()[1]), self.name)
                assert "Device Login Successful" in page.text, page.text[:3000]
            return first + process.stdout.read()


def add_key(keycloak: Keycloak) -> None:
    """A new signing key, which Keycloak uses from now on."""
    admin = httpx.post(
        f"{keycloak.url}/realms/master/protocol/openid-connect/token",
        data={"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"},
        timeout=PATIENCE,
    ).json()
    headers = {"Authorization": f"Bearer {admin['access_token']}"}
    realm = httpx.get(f"{keycloak.url}/admin/realms/meshline", headers=headers, timeout=PATIENCE).json()
    component = {
        "name": "newer",
        "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm["id"],
        "config": {"priority": ["200"], "algorithm": ["RS256"], "keySize": ["2048"]},
    }
    httpx.post(f"{keycloak.url}/admin/realms/meshline/components", headers=headers, json=component, timeout=PATIENCE).raise_for_status()
