"""The part of the audit log that is about access: what changes, and what is counted once for each caller, subject and day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from meshline.app.access_log import MOST_PURPOSES, OTHERS, AccessLog
from meshline.app.replay import copy_store
from meshline.app.tokens import Role, generate_token, hash_token
from meshline.errors import StoreUnavailable
from meshline.governance import audit
from meshline.governance.audit import AccessEvent, describe_entry
from meshline.graph.store.base import Store
from meshline.graph.store.factory import open_store
from tests.api.conftest import MoveClock, run_application
from tests.api.test_auth import ADD_TAG, SECRETS, TOKENS, YAML, build_authorization
from tests.api.test_ingest import build_event


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store("sqlite://:memory:")
    yield found
    found.close()


def list_entries(store: Store) -> list[tuple[str, str, dict[str, Any]]]:
    found = audit.take_page(store, audit.read_entries(store, action=audit.Action.ACCESS), 100).entries
    return [(one.entry.actor, one.entry.subject, one.entry.details) for one in found]


def test_rules_and_tokens_are_recorded_when_they_change(store: Store) -> None:
    for _ in range(2):  # as two servers do that start with the same files
        AccessLog(store).record_rules("abc")
        AccessLog(store).record_tokens({"f1": "ann", "f2": "ci"})
    AccessLog(store).record_tokens({"f2": "ci", "f3": "ann"})
    AccessLog(store).record_rules("")
    assert list_entries(store) == [
        ("", "", {"event": "rules", "digest": "abc", "before": ""}),
        ("", "ann", {"event": "token", "state": "made", "fingerprint": "f1"}),
        ("", "ci", {"event": "token", "state": "made", "fingerprint": "f2"}),
        ("", "ann", {"event": "token", "state": "made", "fingerprint": "f3"}),
        ("", "ann", {"event": "token", "state": "withdrawn", "fingerprint": "f1"}),
        ("", "", {"event": "rules", "digest": "", "before": "abc"}),
    ]


def count_reads(log: AccessLog, purposes: Mapping[str, int], actor: str = "ann") -> None:
    for purpose, number in purposes.items():
        log.count(AccessEvent.READ, actor, "tag:pii", purpose, number)


def test_reads_are_one_entry_for_a_caller_a_subject_and_a_day(store: Store, move_clock: MoveClock) -> None:
    one, other = AccessLog(store), AccessLog(store)  # of two servers
    count_reads(one, {"fraud": 2, "": 1})
    count_reads(other, {"fraud": 3})
    one.flush()
    other.flush()
    one.flush()
    move_clock(86_400)
    count_reads(one, {"": 1})
    one.flush()
    first, second = list_entries(store)
    assert first[:2] == second[:2] == ("ann", "tag:pii")
    assert (first[2]["count"], first[2]["purposes"]) == (6, {"fraud": 5, "": 1})
    assert (second[2]["count"], second[2]["purposes"]) == (1, {"": 1})
    assert first[2]["day"] < second[2]["day"]
    assert describe_entry("access", "tag:pii", first[2]) == "read, tag:pii, 6 times"
    new = open_store("sqlite://:memory:")
    copy_store(store, new, None, print, lambda _: None)
    assert list_entries(new) == list_entries(store)
    new.close()


def test_purposes_are_limited(store: Store) -> None:
    log = AccessLog(store)
    count_reads(log, {f"purpose {n}": 1 for n in range(MOST_PURPOSES + 5)})
    log.flush()
    ((_, _, details),) = list_entries(store)
    assert (details["count"], details["purposes"][OTHERS]) == (MOST_PURPOSES + 5, 5)


def test_counts_that_cannot_be_written_are_written_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(store)
    count_reads(log, {"": 2})

    def refuse(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(store, "commit", refuse)
        with pytest.raises(StoreUnavailable):
            log.flush()
    count_reads(log, {"": 1})
    log.flush()
    assert [details["count"] for _, _, details in list_entries(store)] == [3]


def test_a_server_records_its_tokens() -> None:
    query = "{ audit(kind: ACCESS) { nodes { subject details } } }"
    with run_application(tokens=TOKENS) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        service._write_log(service.resources.access_log)
        answer = client.post("/graphql", json={"query": query}, headers=build_authorization(SECRETS[Role.ADMIN])).json()
    assert [(one["subject"], one["details"]["state"]) for one in answer["data"]["audit"]["nodes"]] == [
        (f"the-{role}", "made") for role in sorted(Role, key=lambda role: hash_of(f"the-{role}"))
    ]


def hash_of(name: str) -> str:
    return next(str(token["hash"]) for token in TOKENS if token["name"] == name)


RULES = """
version: 1
default: {read: everything}
restrict:
  - {on: "tag:pii", except: [token:the-reader]}
"""
MESH = """
version: 1
source: test
teams: [{name: the-writer}]
domains:
  - {name: sales, owner: the-writer, datasets: ["wh/sales.*"]}
  - {name: pay, datasets: ["wh/pay.*"]}
namespaces: {wh: wh}
"""


def test_reads_of_restricted_data_and_of_foreign_domains_are_counted(tmp_path: Path) -> None:
    rules = tmp_path / "access.yaml"
    rules.write_text(RULES, "utf-8")
    with run_application(tokens=TOKENS, access=rules, store=f"sqlite:///{tmp_path}/mesh.db") as client:
        admin = build_authorization(SECRETS[Role.ADMIN])
        assert client.put("/api/v1/mesh", content=MESH, headers={**admin, **YAML}).status_code == 200
        for name in ("sales.orders", "pay.cards"):
            event = build_event(1, outputs=[{"namespace": "wh", "name": name}])
            assert client.post("/api/v1/lineage", json=event, headers=admin).status_code < 300

        def ask(role: Role, query: str, purpose: str = "") -> dict[str, Any]:
            headers = {**build_authorization(SECRETS[role]), **({"Meshline-Purpose": purpose} if purpose else {})}
            answer: dict[str, Any] = client.post("/graphql", json={"query": query}, headers=headers).json()
            return answer

        cards = ask(Role.ADMIN, '{ dataset(namespace: "wh", name: "pay.cards") { id } }')["data"]["dataset"]["id"]
        assert "errors" not in ask(Role.ADMIN, f'mutation {{ addTag(asset: "{cards}", tag: "pii") {{ statement }} }}')
        for purpose in ("fraud", "fraud", ""):
            ask(Role.READER, f'{{ node(id: "{cards}") {{ name }} }}', purpose)
        ask(Role.READER, f'{{ compactLineage(of: ["{cards}"]) {{ names }} }}')
        marquez = {**build_authorization(SECRETS[Role.READER]), "Meshline-Purpose": "fraud"}
        assert client.get("/api/v1/lineage", params={"nodeId": "dataset:wh:pay.cards"}, headers=marquez).status_code == 200
        assert client.get("/api/v1/search", params={"q": "cards"}, headers=marquez).json()["totalCount"] == 1
        ask(Role.WRITER, "{ datasets { nodes { name } } }")  # who owns the domain that it sees
        ask(Role.WRITER, f'{{ node(id: "{cards}") {{ name }} }}')  # which it may not see
        for _ in range(2):
            assert (
                client.post("/graphql", json={"query": ADD_TAG % ""}, headers=build_authorization(SECRETS[Role.READER])).status_code == 403
            )
        assert client.put("/api/v1/mesh", content=MESH, headers=build_authorization(SECRETS[Role.READER])).status_code == 403
        assert client.put("/api/v1/mesh", content=MESH, headers={"Authorization": "Bearer unknown"}).status_code == 401
    with closing(open_store(f"sqlite:///{tmp_path}/mesh.db")) as store:  # a clean stop loses nothing
        found = [one for one in list_entries(store) if one[2]["event"] in ("read", "refused write")]
    counts = {(actor, subject): (details["count"], details["purposes"]) for actor, subject, details in found}
    admins = {subject for actor, subject in counts if actor == "the-admin"}
    assert {key: value for key, value in counts.items() if key[0] != "the-admin"} == {
        ("the-reader", "tag:pii"): (6, {"fraud": 4, "": 2}),
        ("the-reader", "domain:pay"): (6, {"fraud": 4, "": 2}),
        ("the-reader", "domain:sales"): (1, {"fraud": 1}),  # another output of the same job
        ("the-reader", "POST /graphql"): (2, {"": 2}),
        ("the-reader", "PUT /api/v1/mesh"): (1, {"": 1}),
    }
    assert admins == {"tag:pii", "domain:pay"}


POLICIES = """
@id("cards of the stewards")
forbid(principal, action, resource) when { resource.tags.contains("pii") } unless { principal in Group::"stewards" };
forbid(principal in Group::"contractors", action == Action::"read", resource in Domain::"pay");
forbid(principal == User::"eve", action == Action::"state", resource);
"""


def test_reads_of_what_policies_restrict_are_counted_by_policy(tmp_path: Path) -> None:
    rules, secret = tmp_path / "access.yaml", generate_token()
    rules.write_text("version: 1\nrules: access.cedar\n", "utf-8")
    (tmp_path / "access.cedar").write_text(POLICIES, "utf-8")
    steward = {"name": "steward", "role": Role.READER, "hash": hash_token(secret), "groups": ["stewards"]}
    with run_application(tokens=[*TOKENS, steward], access=rules, store=f"sqlite:///{tmp_path}/mesh.db") as client:
        admin = build_authorization(SECRETS[Role.ADMIN])
        assert client.put("/api/v1/mesh", content=MESH, headers={**admin, **YAML}).status_code == 200
        tagged = {"tags": {"_producer": "https://a", "_schemaURL": "https://a", "tags": [{"key": "pii", "value": "true", "source": "X"}]}}
        for name, facets in (("sales.orders", {}), ("pay.rates", {}), ("pay.cards", tagged)):
            event = build_event(1, outputs=[{"namespace": "wh", "name": name, "facets": facets}])
            assert client.post("/api/v1/lineage", json=event, headers=admin).status_code < 300
        for name in ("sales.orders", "pay.rates", "pay.rates", "pay.cards"):
            query = f'{{ dataset(namespace: "wh", name: "{name}") {{ name }} }}'
            for of in (secret, SECRETS[Role.READER]):
                answer = client.post("/graphql", json={"query": query}, headers=build_authorization(of)).json()
                seen = of == secret or name != "pay.cards"
                assert (answer["data"]["dataset"] is not None) == seen
    with closing(open_store(f"sqlite:///{tmp_path}/mesh.db")) as store:
        found = [one for one in list_entries(store) if one[2]["event"] == "read" and one[1].startswith("policy:")]
    assert {(actor, subject): details["count"] for actor, subject, details in found} == {
        ("steward", "policy:cards of the stewards@access.cedar:2"): 1,
        ("steward", "policy:access.cedar:4"): 3,
        ("the-reader", "policy:access.cedar:4"): 2,
    }
