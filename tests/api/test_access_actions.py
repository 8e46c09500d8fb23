"""What callers may do by access rules besides seeing: statements by hand, waivers, audit; and rules that change while a server runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app import access_file
from meshline.app.access_file import read_access_rules
from meshline.app.access_rules import Action
from meshline.app.tokens import Actor, Role, generate_token, hash_token
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import Rights
from tests.api.conftest import run_application
from tests.api.test_access import MESH, YAML, build_event
from tests.api.test_audit import CHECK
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

NAMES = ("sally", "sam", "reader", "auditor", "other")
PEOPLE = {name: generate_token() for name in NAMES}
RULES = """
version: 1
default: {read: nothing, state: nothing, waive: nothing, audit: nothing}
grants:
  - {who: [token:sally, token:reader], on: domain:sales}
  - {who: [token:sally, token:reader], may: state, on: "namespace:wh"}
  - {who: [token:sam, token:other], on: everything}
  - {who: token:sam, may: state, on: domain:salaries}
  - {who: token:auditor, may: [audit, waive], on: everything}
restrict:
  - {on: "tag:frozen", may: state}
"""
EVERYTHING = "{ datasets { totalCount } }"


def parse(texts: str) -> frozenset[Selector]:
    return frozenset(Selector(SelectorKind(text.partition(":")[0]), text.partition(":")[2]) for text in texts.split())


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    found = tmp_path / "access.yaml"
    found.write_text(RULES, "utf-8")
    return found


@pytest.fixture
def client(rules: Path) -> Iterator[TestClient]:
    tokens = [
        {"name": name, "role": Role.READER if name == "reader" else Role.WRITER, "hash": hash_token(secret)}
        for name, secret in PEOPLE.items()
    ]
    with run_application(tokens=[*TOKENS, *tokens], access=rules) as found:
        admin = build_authorization(SECRETS[Role.ADMIN])
        assert found.put("/api/v1/mesh", content=MESH, headers={**admin, **YAML}).status_code == 200
        for event in (build_event("orders", ["sales.raw"], "sales.orders"), build_event("pay", ["sales.orders"], "salaries.paid")):
            assert found.post("/api/v1/lineage", json=event, headers=admin).status_code < 300
        yield found


def ask(client: TestClient, query: str, who: str) -> dict[str, Any]:
    secret = SECRETS[Role.ADMIN] if who == "admin" else PEOPLE[who]
    body: dict[str, Any] = client.post("/graphql", json={"query": query}, headers=build_authorization(secret)).json()
    return body


def find_id(client: TestClient, name: str) -> str:
    found: str = ask(client, f'{{ resolve(name: "{name}") {{ id }} }}', "admin")["data"]["resolve"]["id"]
    return found


def get_code(answer: dict[str, Any]) -> str:
    """The code of the one error; `FORBIDDEN` of an answer that is no GraphQL, too."""
    code: str = answer["error"]["code"] if "error" in answer else answer["errors"][0]["extensions"]["code"]
    return code


def test_statements_by_hand(client: TestClient) -> None:
    orders, paid = find_id(client, "sales.orders"), find_id(client, "salaries.paid")

    def add_tag(asset: str, tag: str, who: str) -> dict[str, Any]:
        return ask(client, f'mutation {{ addTag(asset: "{asset}", tag: "{tag}") {{ statement asset {{ tags {{ key }} }} }} }}', who)

    stated = add_tag(orders, "good", "sally")["data"]["addTag"]
    assert stated["asset"]["tags"] == [{"key": "good"}]
    assert get_code(add_tag(orders, "good", "reader")) == "FORBIDDEN"  # the role is what a caller may do at most
    assert get_code(add_tag(orders, "good", "other")) == "FORBIDDEN"  # sees everything, and may state nothing
    assert add_tag(paid, "x", "sally")["errors"][0]["message"] == f"no asset has the id '{paid}'"  # may state it, but not see it
    assert ask(client, 'mutation { retract(statement: "st_1") { statement } }', "sally")["errors"][0]["message"] == (
        "there is no active statement 'st_1'"  # it is a source's
    )
    (error,) = add_tag(orders, "x", "sam")["errors"]
    assert (error["extensions"]["code"], error["message"]) == (
        "FORBIDDEN",
        "'sam' may make no statements about 'wh/sales.orders' (access rules)",
    )
    (error,) = add_tag(paid, "frozen", "sam")["errors"]
    assert error["message"] == "'sam' may make no statements about 'wh/salaries.paid' as it would be after this (access rules)"
    frozen = add_tag(paid, "frozen", "admin")["data"]["addTag"]["statement"]
    retract = 'mutation { retract(statement: "%s") { statement } }'
    assert get_code(ask(client, retract % frozen, "sam")) == "FORBIDDEN"  # as it is before
    assert get_code(ask(client, retract % frozen, "sally")) == "NOT_FOUND"
    assert ask(client, retract % stated["statement"], "sally") == {"data": {"retract": {"statement": None}}}
    same = f'mutation {{ sameAs(dataset: "{orders}", other: "{paid}") {{ statement }} }}'
    assert get_code(ask(client, same, "sam")) == "FORBIDDEN"  # needs both
    assert ask(client, "{ audit { nodes { actor action } } }", "admin")["data"]["audit"]["nodes"][-1]["actor"] == "sally"


def test_addresses_that_state(client: TestClient) -> None:
    for name in ("sam", "other"):
        answer = client.put("/api/v1/mesh", content=MESH, headers={**build_authorization(PEOPLE[name]), **YAML})
        assert (answer.status_code, "make statements about everything" in answer.text) == (403, True)


def test_the_audit_log_and_metrics(client: TestClient) -> None:
    query = "{ audit { totalCount } }"
    for name, allowed in (("auditor", True), ("sam", False), ("sally", False)):
        assert ("errors" not in ask(client, query, name)) == allowed
        assert client.get("/metrics", headers=build_authorization(PEOPLE[name])).status_code == (200 if allowed else 403)
    assert ask(client, EVERYTHING, "auditor")["data"]["datasets"]["totalCount"] == 0


def test_waivers(client: TestClient) -> None:
    waivers = {"waivers": {"name": "w.yaml", "text": "[]"}}
    headers = build_authorization(PEOPLE["other"])
    answers = [client.post("/api/v1/check", json=body, headers=headers).json() for body in (CHECK, CHECK | waivers)]
    assert answers[1]["error"]["message"] == "waivers are accepted only of callers who may `waive` (access rules)"
    assert "waivers" not in answers[0].get("error", {}).get("message", "")


def write_rules(path: Path, text: str) -> None:
    """At once, as a careful user does, and so that the time of the file differs."""
    before = path.stat().st_mtime_ns
    other = path.with_suffix(".new")
    other.write_text(text, "utf-8")
    os.utime(other, ns=(before + 1_000_000, before + 1_000_000))
    other.replace(path)


def test_rules_are_read_again(client: TestClient, rules: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(access_file, "LOOK_SECONDS", 0.0)
    sally = build_authorization(PEOPLE["sally"])

    def count(etag: str = "") -> tuple[int, str]:
        headers = {**sally, "If-None-Match": etag} if etag else sally
        answer = client.get("/graphql", params={"query": EVERYTHING}, headers=headers)
        return -1 if answer.status_code == 304 else answer.json()["data"]["datasets"]["totalCount"], answer.headers["etag"]

    assert count()[0] == 2
    assert count(count()[1])[0] == -1
    etag = count()[1]
    write_rules(rules, RULES.replace("domain:sales}", "everything}"))
    assert count(etag)[0] == 3  # the view and the answer that a client has are of the rules
    write_rules(rules, "version: 1\ngrants: [")
    assert count()[0] == 3
    health = client.get("/healthz", headers=build_authorization(SECRETS[Role.ADMIN])).json()
    assert health["problems"][0].startswith(f"{rules}:2")
    assert "problems" not in client.get("/healthz", headers=sally).json()
    assert any("were not read again, and those from before count" in record.getMessage() for record in caplog.records)
    rules.unlink()
    assert count()[0] == 3
    rules.write_text(RULES, "utf-8")
    assert count()[0] == 2
    assert "problems" not in client.get("/healthz", headers=build_authorization(SECRETS[Role.ADMIN])).json()


ACTIONS = """
version: 1
default: {read: own, state: own, waive: nothing}
grants:
  - {who: "group:g", may: [state, decide], on: "domain:x"}
  - {who: everyone, may: browse, on: "product:y"}
  - {who: "token:a", may: read_sql, on: "tag:z"}
restrict:
  - {on: "tag:pii", may: read_sql}
  - {on: "tag:closed"}
  - {on: "domain:frozen", may: state, except: "group:h"}
"""


@pytest.mark.parametrize(
    ("action", "groups", "granted", "restricted", "owners"),
    [
        ("browse", (), "product:y tag:z", "tag:closed", "a"),
        ("read", (), "tag:z", "tag:closed", "a"),
        ("read_sql", (), "tag:z", "tag:closed tag:pii", "a"),
        ("state", (), "", "tag:closed domain:frozen", "a"),
        ("state", ("g", "h"), "domain:x", "tag:closed", "a g h"),
        ("waive", ("g",), "", "tag:closed", ""),
        ("decide", ("g",), "domain:x", "tag:closed", "a g"),
        ("audit", ("g",), "", "tag:closed", ""),
    ],
)
def test_the_rights_of_each_action(
    tmp_path: Path, action: str, groups: tuple[str, ...], granted: str, restricted: str, owners: str
) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(ACTIONS, "utf-8")

    found = read_access_rules(path).find_rights(Actor("a", Role.WRITER, groups=groups), Action(action))
    assert found == Rights(parse(granted), parse(restricted), frozenset(owners.split()))
    assert read_access_rules(path).find_rights(Actor("a", Role.ADMIN), Action(action)) is None


@pytest.mark.parametrize(
    ("preset", "everything"),
    [("open", {"browse", "read", "read_sql"}), ("domains", {"browse"}), ("closed", set())],
)
def test_presets(tmp_path: Path, preset: str, everything: set[str]) -> None:
    path = tmp_path / "access.yaml"
    path.write_text(f"version: 1\ndefault: {preset}", "utf-8")
    rules = read_access_rules(path)
    actor = Actor("a", Role.WRITER)
    rights = {action: rules.find_rights(actor, action) for action in Action}
    assert {action for action, found in rights.items() if found is None} - {"ingest"} == everything
    owning = {action for action, found in rights.items() if found is not None and found.owners}
    assert owning == {"open": {"decide"}, "domains": {"read", "read_sql", "state", "decide"}, "closed": set()}[preset]
    assert (rules.find_ingest(actor) is None) == (preset != "closed")
