"""`meshline login` with a real identity provider and a real server; and what it refuses to send a token to."""

from __future__ import annotations

import json
import re
import shlex
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from meshline.cli import login, terminal
from tests.api.conftest import run_application, serve_application
from tests.cli.command import run_command, run_successfully
from tests.oidc.issuer import DISCOVERY, Answer, ScriptedIssuer
from tests.oidc.provider import CLIENT, Provider, approve_device

PAGE = Path(__file__).parents[2] / "docs" / "identity-provider.md"
METADATA = "/.well-known/oauth-protected-resource"


class Place(NamedTuple):
    server: str
    provider: Provider


@pytest.fixture(scope="module")
def place(provider: Provider) -> Iterator[Place]:
    """A server that listens, with the real provider."""

    def build(url: str) -> dict[str, object]:
        grants = [{"group": "stewards", "role": "admin"}]
        return {"grants": grants, "oidc_issuer": provider.issuer, "oidc_audience": url, "oidc_client": CLIENT}

    with serve_application(build) as url:
        yield Place(url, provider)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the sign-ins."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "meshline" / "logins.json"


SignIn = Callable[[str], list[str]]


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """A function that has a person confirm the code while `meshline login` waits. Returns the list of what is shown."""
    write = terminal.write_message

    def act(person: str) -> list[str]:
        shown: list[str] = []
        waits: list[float] = []

        def record(message: str) -> None:
            shown.append(message)
            write(message)

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:  # the provider has answered once that it waits, too
                address = re.search(r"Open (\S+) and confirm the code \S+", shown[0])
                assert address is not None
                approve_device(address[1], person)

        monkeypatch.setattr(terminal, "write_message", record)
        monkeypatch.setattr(login, "sleep", wait)
        return shown

    return act


def test_the_commands_of_the_page(place: Place, sign_in: SignIn, state: Path) -> None:
    """Sign in, ask, sign out; then the server is closed again."""
    block = PAGE.read_text("utf-8").partition("```sh\n")[2].partition("```")[0]
    assert "https://meshline.company.com" in block
    commands = [shlex.split(line)[1:] for line in block.replace("https://meshline.company.com", place.server).splitlines()]
    assert [command[0] for command in commands] == ["login", "search", "logout"]
    sign_in("ann")
    run_successfully(*commands[0])
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert "no asset has" in run_successfully(*commands[1]).out
    refresh = json.loads(state.read_text())[place.server]["refresh_token"]
    run_successfully(*commands[2])
    assert json.loads(state.read_text()) == {}
    assert "send a token" in run_command(*commands[1]).err
    given = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": CLIENT}
    assert httpx.post(place.provider.endpoints["token_endpoint"], data=given).json()["error"] == "invalid_grant", "withdrawn"


def test_who_has_signed_in_is_shown(place: Place, sign_in: SignIn) -> None:
    shown = sign_in("ann")
    run_successfully("login", "--server", place.server)
    assert shown[-1] == f"signed in to {place.server} as user ann, with the role admin"
    sign_in("bob")
    refused = run_command("login", "--server", place.server)
    assert (refused.code, "no entry of `grants`" in refused.err) == (2, True)


def test_a_token_that_has_expired_is_renewed(place: Place, sign_in: SignIn, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in("ann")
    run_successfully("login", "--server", place.server)
    logins = json.loads(state.read_text())
    first = logins[place.server]["access_token"]
    assert "no asset has" in run_successfully("search", "x", "--server", place.server).out
    assert json.loads(state.read_text())[place.server]["access_token"] == first, "not before it ends"
    logins[place.server]["ends"] = time.time() + 1
    state.write_text(json.dumps(logins))
    assert "no asset has" in run_successfully("search", "x", "--server", f"{place.server}/").out
    renewed = json.loads(state.read_text())
    assert renewed[place.server]["access_token"] != first
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    renewed[place.server].update(ends=0, refresh_token="made-up")
    state.write_text(json.dumps(renewed))
    ended = run_command("search", "x", "--server", place.server)
    assert (ended.code, f"run `meshline login --server {place.server}` again" in ended.err) == (2, True)
    monkeypatch.setenv("MESHLINE_TOKEN", "another")
    assert "is refused" not in run_command("search", "x", "--server", place.server).err, "a token of the settings comes first"
    monkeypatch.delenv("MESHLINE_TOKEN")
    assert "send a token" in run_command("search", "x", "--server", place.server.replace("127.0.0.1", "localhost")).err, (
        "no other server gets it"
    )


# -- what is refused


def describe(issuer: ScriptedIssuer, /, **other: object) -> dict[str, Any]:
    """A server and its provider, both at one address, as they should be."""
    endpoints = {"token_endpoint": f"{issuer.url}/token", "device_authorization_endpoint": f"{issuer.url}/device"}
    found = {
        "issuer": issuer.url,
        "resource": issuer.url,
        "authorization_servers": [issuer.url],
        "meshline_client": "cli",
        **endpoints,
        **other,
    }
    for path in (DISCOVERY, METADATA):
        issuer.answer_always(path, Answer(json.dumps(found).encode()))
    return found


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"resource": "https://mesh.example"}, "asks for a token for 'https://mesh.example'"),
        ({"resource": None}, "does not name its audience"),
        ({"authorization_servers": []}, "names no identity provider"),
        ({"meshline_client": None}, "names no identity provider"),
        ({"authorization_servers": ["http://login.example"]}, "a token is sent to https:// addresses only"),
        ({"issuer": "https://evil.example"}, "another identity provider"),
        ({"token_endpoint": "http://evil.example"}, "a token is sent to https:// addresses only"),
        ({"device_authorization_endpoint": None}, "has no device_authorization_endpoint"),
    ],
    ids=json.dumps,
)
def test_what_a_server_and_a_provider_must_not_answer(issuer: ScriptedIssuer, state: Path, other: dict[str, object], sentence: str) -> None:
    describe(issuer, **other)
    refused = run_command("login", "--server", issuer.url)
    assert (refused.code, refused.out) == (2, "")
    assert sentence in refused.err
    assert not state.exists()


@pytest.mark.parametrize(
    ("device", "token", "sentence"),
    [
        ({"error": "unauthorized_client"}, {}, "unauthorized_client"),
        ({"verification_uri": "https://a\x1b[2J", "user_code": "A"}, {}, "that can be shown"),
        ({"verification_uri": "https://a"}, {}, "that can be shown"),
        ({"verification_uri": "https://a", "user_code": "A"}, {"error": "access_denied"}, "the sign-in was refused"),
        ({"verification_uri": "https://a", "user_code": "A"}, {"error": "expired_token"}, "has expired before it was confirmed"),
        ({"verification_uri": "https://a", "user_code": "A"}, {"access_token": "a b"}, "has sent no access token"),
        ({"verification_uri": "https://a", "user_code": "A"}, {"error": "\x1b[2Jodd"}, "[2Jodd"),
    ],
    ids=json.dumps,
)
def test_sign_ins_that_fail(
    issuer: ScriptedIssuer, state: Path, device: dict[str, object], token: dict[str, object], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(issuer)
    monkeypatch.setattr(login, "sleep", lambda _seconds: None)
    issuer.answer_always("/device", Answer(json.dumps({"device_code": "d", **device}).encode(), 400 if "error" in device else 200))
    issuer.answer_always("/token", Answer(json.dumps(token).encode(), 400 if "error" in token else 200))
    refused = run_command("login", "--server", issuer.url)
    assert refused.code == 2
    assert sentence in refused.err
    assert "\x1b" not in refused.err
    assert not state.exists()


def test_slow_down_is_obeyed(issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(issuer)
    begun = {"device_code": "d", "verification_uri": "https://a", "user_code": "A", "interval": 2}
    issuer.answer_always("/device", Answer(json.dumps(begun).encode()))
    answers = iter(["slow_down", "authorization_pending", "slow_down", "access_denied"])
    issuer.answers["/token"] = lambda: Answer(json.dumps({"error": next(answers)}).encode(), 400)
    waits: list[float] = []
    monkeypatch.setattr(login, "sleep", waits.append)
    assert run_command("login", "--server", issuer.url).code == 2
    assert waits == [2, 7, 7, 12]


def test_another_audience_is_for_the_user_to_name(issuer: ScriptedIssuer) -> None:
    describe(issuer, resource="api://meshline")
    issuer.answer_always("/device", Answer(b'{"error": "reached"}', 400))
    assert "--audience" in run_command("login", "--server", issuer.url).err
    assert "reached" in run_command("login", "--server", issuer.url, "--audience", "api://meshline").err
    assert "--audience" in run_command("login", "--server", issuer.url, "--audience", "api://other").err


@pytest.mark.parametrize("server", ["http://mesh.example", "mesh.example", "file:///etc/passwd"])
def test_no_sign_in_over_plain_http(server: str) -> None:
    refused = run_command("login", "--server", server)
    assert (refused.code, "https:// addresses only" in refused.err) == (2, True)


def test_a_damaged_file_is_named(state: Path) -> None:
    state.parent.mkdir()
    state.write_text("{")
    assert "the sign-ins cannot be read" in run_command("search", "x", "--server", "http://127.0.0.1:9").err


# -- the description of the server


def test_a_server_names_its_identity_provider() -> None:
    given = {"oidc_issuer": "https://login.example", "oidc_audience": "https://mesh.example/sub", "oidc_client": "cli"}
    with run_application(**given) as client:
        assert client.get(METADATA).json() == {
            "resource": "https://mesh.example/sub",
            "bearer_methods_supported": ["header"],
            "authorization_servers": ["https://login.example"],
            "scopes_supported": ["openid", "offline_access"],
            "meshline_client": "cli",
        }
        challenge = client.get("/openapi.json").headers["www-authenticate"]
        assert challenge == f'Bearer realm="meshline", resource_metadata="https://mesh.example{METADATA}"'
    with run_application() as client:
        assert client.get(METADATA).json() == {"resource": "http://127.0.0.1:8080", "bearer_methods_supported": ["header"]}
