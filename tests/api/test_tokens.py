"""The tokens of the settings file: scopes, ends, their exchange while the server runs, and when each was last used."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.api.app import ADDRESSES
from meshline.api.marquez.routes import ADDRESSES as MARQUEZ
from meshline.app import tokens as module
from meshline.app.token_uses import read_uses, write_uses
from meshline.app.tokens import AccessScope, Role, Token, generate_token, hash_token
from meshline.graph.store.factory import open_store
from tests.api.conftest import MoveClock, run_application
from tests.api.test_auth import ABOUT, ADD_TAG, NEEDS_PROVIDER, build_authorization, use_address
from tests.api.test_metrics import read_metrics
from tests.cli.command import run_command, run_successfully

SETS = [(scope,) if scope not in module.WITH_READ else (AccessScope.READ, scope) for scope in AccessScope]
SECRETS = {scopes: generate_token() for scopes in SETS}
ADMIN = generate_token()


def build_token(name: str, secret: str, scopes: Sequence[str] | None = None, **more: Any) -> dict[str, Any]:
    found = {"name": name, "role": "admin", "hash": hash_token(secret), **more}
    return found if scopes is None else {**found, "scopes": list(scopes)}


@pytest.fixture(scope="module")
def scoped() -> Iterator[TestClient]:
    entries = [build_token("-".join(scopes), secret, scopes) for scopes, secret in SECRETS.items()]
    with run_application(tokens=[*entries, build_token("all", ADMIN)]) as client:
        yield client


# -- scopes


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda a: a.path)
def test_each_address_admits_the_scopes_that_it_should(scoped: TestClient, address: Any) -> None:
    for method in address.methods:
        for scopes, secret in SECRETS.items():
            status = use_address(scoped, address.path, method, build_authorization(secret))
            if address.role is None or address.accepted_scopes.intersection(scopes):
                allowed = (200, 201, 404) if address in MARQUEZ or address.path in NEEDS_PROVIDER else (200, 201)
                asks_another_way = address.path == "/api/v1/sources" and method == "GET" and scopes == (AccessScope.INGEST,)
                assert status in allowed or asks_another_way, (address, method, scopes, status)
            else:
                assert status == 403, (address, method, scopes)


def test_the_scopes_of_the_addresses() -> None:
    """By hand, so that an address that gets another scope is noticed."""
    found = {scope: {a.path for a in ADDRESSES if scope in a.accepted_scopes and a not in MARQUEZ} for scope in AccessScope}
    assert found == {
        AccessScope.READ: {"/graphql", "/mcp", "/openapi.json", "/api/v1/export", "/api/v1/export/events"},
        AccessScope.CHECK: {"/api/v1/check"},
        AccessScope.METRICS: {"/metrics"},
        AccessScope.AUDIT: set(),  # a field of GraphQL
        AccessScope.INGEST: {"/api/v1/lineage", "/api/v1/lineage/batch", "/api/v1/mesh", "/api/v1/sources"},
        AccessScope.STATE: set(),  # mutations of GraphQL
        AccessScope.REQUEST: set(),  # mutations of GraphQL, too
    }


def test_what_a_source_needs_to_know_is_for_those_who_send_it(scoped: TestClient) -> None:
    asked = {
        scopes: [
            scoped.get(f"/api/v1/sources{query}", headers=build_authorization(SECRETS[scopes])).status_code
            for query in ("", "?source=delta/lake")
        ]
        for scopes in SETS
    }
    assert asked[AccessScope.INGEST,] == [403, 200]
    assert asked[AccessScope.READ,] == [200, 403]
    assert asked[AccessScope.CHECK,] == [403, 403]


def test_mutations_and_the_audit_log_need_their_scopes(scoped: TestClient) -> None:
    def ask(secret: str, query: str) -> Any:
        return scoped.post("/graphql", json={"query": query}, headers=build_authorization(secret)).json()

    state, audit, read = ((AccessScope.READ, AccessScope.STATE), (AccessScope.READ, AccessScope.AUDIT), (AccessScope.READ,))
    mutation, log = ADD_TAG % "", "{ audit { nodes { id } } }"
    assert ask(SECRETS[state], mutation)["errors"][0]["extensions"]["code"] == "NOT_FOUND"  # there is no asset x
    for scopes in (audit, read):
        refused = ask(SECRETS[scopes], mutation)["error"]
        assert (refused["code"], "the scope state" in refused["message"]) == ("FORBIDDEN", True)
    assert "errors" not in ask(SECRETS[audit], log)
    for scopes in (state, read):
        assert ask(SECRETS[scopes], log)["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "errors" not in ask(ADMIN, log)


def test_a_refusal_names_the_scope(scoped: TestClient) -> None:
    answer = scoped.post("/graphql", json=ABOUT, headers=build_authorization(SECRETS[AccessScope.INGEST,]))
    assert answer.json()["error"]["message"] == "this needs a token with the scope read, and 'ingest' has ingest"
    assert answer.headers["www-authenticate"] == 'Bearer realm="meshline", error="insufficient_scope", scope="read"'


# -- the end of a token


def test_an_expired_token_is_refused_with_the_reason(move_clock: MoveClock) -> None:
    secret, end = generate_token(), datetime.now(UTC) + timedelta(hours=1)
    with run_application(tokens=[build_token("ci", secret, expires=end.isoformat()), build_token("all", ADMIN)]) as client:
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(secret)).status_code == 200
        move_clock(3601)
        answer = client.post("/graphql", json=ABOUT, headers=build_authorization(secret))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="meshline", error="invalid_token"')
        assert answer.json()["error"]["message"] == f"this token expired at {end.isoformat()}: ask for a new one"
        assert client.get("/healthz", headers=build_authorization(secret)).json() == {"status": "ok"}, "no more than a stranger gets"
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(ADMIN)).status_code == 200, "the others go on"
        found = read_metrics(client, **build_authorization(ADMIN))
        assert found.get_value("auth_refusals_total", reason="expired_token") == 1


def test_a_day_counts_to_its_end() -> None:
    def parse(expires: object) -> datetime | None:
        return Token.model_validate({**build_token("a", "x"), "expires": expires}).expires

    end = datetime(2027, 2, 1, tzinfo=UTC)
    assert parse("2027-01-31") == parse(datetime(2027, 1, 31, tzinfo=UTC).date()) == end
    assert parse("2027-02-01T00:00:00Z") == parse(end) == parse("2027-02-01T01:00:00+01:00") == end
    assert parse(None) is None


# -- a change of the file


def write_file(path: Path, *entries: dict[str, Any], tail: str = "") -> None:
    lines = [f"store = 'sqlite:///{path.parent / 'mesh.db'}'"]
    for entry in entries:
        lines += ["[[tokens]]", *(f"{name} = {json.dumps(value)}" for name, value in entry.items())]
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines) + tail, "utf-8")
    new.replace(path)


def test_the_file_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    old, new, file = generate_token(), generate_token(), tmp_path / "meshline.toml"
    write_file(file, build_token("ci", old))
    with run_application(config=file, store=None) as client:

        def ask() -> list[int]:
            return [client.post("/graphql", json=ABOUT, headers=build_authorization(one)).status_code for one in (old, new)]

        assert ask() == [200, 401]
        write_file(file, build_token("ci", old), build_token("ci", new))
        assert ask() == [200, 200], "both, while the owner changes from one to the other"
        write_file(file, build_token("ci", new))
        assert ask() == [401, 200]
        for wrong in ("\nhash = ", "\n[[tokens]]\nname = 'eve'\nrole = 'king'\nhash = 'x'"):
            caplog.clear()
            with caplog.at_level(logging.ERROR, "meshline.api"):
                write_file(file, tail=wrong)
                assert ask() == ask() == [401, 200], "a file that cannot be used changes nothing"
            assert [record.message.partition(": ")[0] for record in caplog.records] == [
                "the tokens were not read again, and those from before count"
            ], "once, not with each request"
            assert hash_token(new) not in caplog.text
        file.unlink()
        assert ask() == [401, 200]
        write_file(file)
        assert ask() == [401, 401]
        assert client.post("/graphql", json=ABOUT).status_code == 401, "without the last token, the server is closed and not open"
        write_file(file, build_token("ci", old))
        assert ask() == [200, 401]


def test_a_server_that_gets_its_first_token_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    file = tmp_path / "meshline.toml"
    write_file(file)
    with run_application(config=file, store=None) as client:
        assert client.post("/graphql", json=ABOUT).status_code == 200
        write_file(file, build_token("all", ADMIN))
        assert client.post("/graphql", json=ABOUT).status_code == 401
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(ADMIN)).status_code == 200


def test_the_file_is_not_looked_at_with_each_request(tmp_path: Path) -> None:
    file, times = tmp_path / "meshline.toml", [0.0]
    write_file(file, build_token("all", ADMIN))
    register = module.TokenRegister(module.read_tokens(file), file, lambda: times[0])
    write_file(file)
    register.look()
    assert register.find_actor(ADMIN).name == "all"
    times[0] = module.LOOK_SECONDS
    register.look()
    with pytest.raises(module.TokenRefused):
        register.find_actor(ADMIN)


def test_tokens_of_the_environment_are_not_replaced_by_those_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    file, other = tmp_path / "meshline.toml", generate_token()
    write_file(file, build_token("file", other))
    monkeypatch.setenv("MESHLINE_TOKENS", json.dumps([build_token("environment", ADMIN)]))
    with run_application(config=file, store=None) as client:
        write_file(file, build_token("file", other), build_token("more", generate_token()))
        asked = [client.post("/graphql", json=ABOUT, headers=build_authorization(one)).status_code for one in (ADMIN, other)]
        assert asked == [200, 401]


# -- last use, and the commands


def list_tokens(file: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(run_successfully("token", "list", "--config", file, "--format", "json").out)["tokens"]
    return listed


def test_the_last_use_is_kept_and_listed(tmp_path: Path) -> None:
    file, unused = tmp_path / "meshline.toml", generate_token()
    write_file(file, build_token("all", ADMIN), build_token("ci", unused, ["check"], expires="2020-01-01"))
    assert [one["lastUsed"] for one in list_tokens(file)] == [None, None], "there is no store yet"
    begun = time.time()
    with run_application(config=file, store=None) as client:
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(ADMIN)).status_code == 200
        assert client.post("/graphql", json=ABOUT, headers=build_authorization(unused)).status_code == 401
    first, second = list_tokens(file)
    assert begun - 1 <= datetime.fromisoformat(first["lastUsed"]).timestamp() <= time.time() + 1
    assert second == {
        "name": "ci",
        "role": "admin",
        "scopes": ["check"],
        "expires": "2020-01-02T00:00:00+00:00",
        "expired": True,
        "lastUsed": None,
        "hash": hash_token(unused)[7:19],
    }
    text = run_successfully("token", "list", "--config", file).out.splitlines()
    assert [line.split()[0] for line in text] == ["name", "all", "ci"]
    assert "2020-01-02T00:00:00 (expired)" in text[2]


def test_an_earlier_use_does_not_replace_a_later_one(tmp_path: Path) -> None:
    token = Token(name="a", role=Role.READER, hash=hash_token("x"))
    store = open_store(f"sqlite:///{tmp_path / 'mesh.db'}")
    for at in (5, 3):
        write_uses(store, {token.fingerprint: at})
    assert read_uses(store, [token]) == {token.fingerprint: 5}
    assert store.read_revision() == 0, "no revision of the graph"
    store.close()


def test_the_entry_of_a_new_token_has_its_scopes_and_its_end(tmp_path: Path) -> None:
    made = run_successfully("token", "new", "prometheus", "--scope", "metrics", "--scope", "check", "--days", "90")
    file = tmp_path / "meshline.toml"
    file.write_text(made.err)
    (token,) = module.read_tokens(file)
    assert token.scopes == (AccessScope.METRICS, AccessScope.CHECK)
    assert token.expires is not None
    assert abs(token.expires - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    refused = run_command("token", "new", "ci", "--scope", "ingest")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == "meshline: --scope: the scope ingest needs the role writer, and the role is reader\n"
