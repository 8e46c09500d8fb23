"""The audit log: an entry is written with each action, shown to users who may write, and never changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app.tokens import Role
from meshline.governance import audit
from meshline.graph.store.base import Batch, Record
from tests.api.conftest import AskGraph, run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event
from tests.queries import mesh

AUDIT = """query($kind: AuditAction, $actor: String, $since: DateTime, $first: Int, $after: String) {
    audit(kind: $kind, actor: $actor, since: $since, first: $first, after: $after) {
        totalCount nodes { id at action actor subject details } pageInfo { hasNextPage endCursor } } }"""
TAG = "mutation($id: ID!, $t: String!, $by: String) { addTag(asset: $id, tag: $t, by: $by) { statement } }"


def test_a_mutation_is_recorded_with_its_statement(ask: AskGraph) -> None:
    statement = ask(TAG, id=mesh.REPORT.id, t="certified", by="eve")["addTag"]["statement"]
    ask("mutation($s: ID!) { retract(statement: $s) { statement } }", s=statement)
    first, second = ask(AUDIT)["audit"]["nodes"]
    assert (first["action"], first["actor"], first["subject"]) == ("MUTATION", "eve", mesh.REPORT.qualified_name)
    assert first["details"]["mutation"] == "tag"
    assert first["details"]["scope"] == ["person", "tag", mesh.REPORT.id, "certified"]
    assert (second["details"]["mutation"], second["actor"]) == ("retract", None)
    (head,) = (head for head in ask.graph.store.read_changes(0).heads if head.source == "person/eve")
    digests = [content.digest.hex() for _, content in ask.graph.store.read_history([head.scope_id])[head.scope_id]]
    assert [first["details"]["digest"], second["details"]["digest"]] == digests


def test_a_mutation_that_fails_records_nothing(ask: AskGraph) -> None:
    assert ask.get_error_code(TAG, id="ds_none", t="x", by="eve") == "NOT_FOUND"
    assert ask(AUDIT)["audit"] == {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


def test_pages_and_filters(ask: AskGraph) -> None:
    for n in range(7):
        ask(TAG, id=mesh.REPORT.id, t=f"t{n}", by=("eve", "ann")[n % 2])
    ask.graph.commit(lambda _: Batch(journal=[Record("notice", "k", 1, b"{}")]))
    everything = ask(AUDIT)["audit"]["nodes"]
    assert [entry["details"]["scope"][3] for entry in everything] == [f"t{n}" for n in range(7)]
    found: list[Any] = []
    after = None
    while True:
        page = ask(AUDIT, first=3, after=after)["audit"]
        found += page["nodes"]
        assert page["totalCount"] == 7
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert found == everything
    assert ask(AUDIT, actor="ann")["audit"]["nodes"] == everything[1::2]
    assert ask(AUDIT, since=everything[4]["at"])["audit"]["nodes"] == everything[4:]
    assert ask(AUDIT, kind="CHECK")["audit"]["nodes"] == []
    assert ask.get_error_code(AUDIT, after="x") == "INVALID_INPUT"


def test_an_entry_that_cannot_be_read_is_damage(ask: AskGraph) -> None:
    ask.graph.commit(lambda _: Batch(journal=[Record(audit.AUDIT, "", 1, b'{"action": "party"}')]))
    (error,) = ask.list_errors(AUDIT)
    assert error["extensions"]["code"] == "STORE_CORRUPT"


def ask_as_role(client: TestClient, role: Role, query: str, **variables: object) -> dict[str, Any]:
    answer = client.post("/graphql", json={"query": query, "variables": variables}, headers=build_authorization(SECRETS[role]))
    found: dict[str, Any] = answer.json()
    return found


def test_readers_do_not_see_it_and_the_token_names_the_actor() -> None:
    with run_application(tokens=TOKENS) as client:
        sent = client.post(
            "/api/v1/lineage",
            json=build_event(1, inputs=[{"namespace": "wh", "name": "a"}]),
            headers=build_authorization(SECRETS[Role.WRITER]),
        )
        assert sent.status_code < 300
        found = ask_as_role(client, Role.READER, '{ dataset(namespace: "wh", name: "a") { id } }')["data"]["dataset"]["id"]
        ask_as_role(client, Role.ADMIN, TAG, id=found, t="gold")
        assert ask_as_role(client, Role.READER, AUDIT)["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        for role in (Role.WRITER, Role.ADMIN):
            (entry,) = ask_as_role(client, role, AUDIT, kind="MUTATION")["data"]["audit"]["nodes"]
            assert (entry["actor"], entry["subject"]) == ("the-admin", "wh/a")


CHECK = {"things": [{"kind": "change", "after": {"name": "change", "text": "drop wh/a.email"}}]}


def ingest_schema(client: TestClient, headers: dict[str, str]) -> None:
    facet = {"_producer": "https://x.org", "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"}
    schema = {**facet, "fields": [{"name": "email", "type": "string"}]}
    sent = build_event(1, inputs=[{"namespace": "wh", "name": "a", "facets": {"schema": schema}}])
    assert client.post("/api/v1/lineage", json=sent, headers=headers).status_code < 300


def test_a_check_is_recorded_with_who_asked_and_what_came_of_it() -> None:
    waivers = {"name": "waivers.yaml", "text": ""}
    with run_application(tokens=TOKENS) as client:
        ingest_schema(client, build_authorization(SECRETS[Role.WRITER]))
        report = client.post("/api/v1/check", json=CHECK, headers=build_authorization(SECRETS[Role.READER])).json()
        fingerprint = report["findings"][0]["fingerprint"]
        waivers["text"] = f"- {{fingerprint: {fingerprint}, reason: it has no readers, approver: ann, expires: {format_today()}}}"
        waived = client.post("/api/v1/check", json={**CHECK, "waivers": waivers}, headers=build_authorization(SECRETS[Role.READER])).json()
        assert waived.get("passed"), waived
        found = ask_as_role(client, Role.ADMIN, AUDIT)["data"]["audit"]["nodes"]
    first, second, waiver = (entry for entry in found if entry["action"] != "ACCESS")
    assert (first["action"], first["actor"], first["subject"]) == ("CHECK", "the-reader", "wh/a")
    kept = {name: first["details"][name] for name in ("verdict", "passed", "findings", "mode", "profile", "failOn")}
    assert kept == {"verdict": "breaking", "passed": False, "findings": 1, "mode": "strict", "profile": "mesh", "failOn": "breaking"}
    assert second["details"]["passed"]
    assert first["details"]["digest"] != second["details"]["digest"]
    assert (waiver["action"], waiver["details"]["fingerprint"], waiver["details"]["approver"]) == ("WAIVER", fingerprint, "ann")
    assert waiver["details"]["digest"] == second["details"]["digest"]


def format_today() -> str:
    return datetime.now(UTC).date().isoformat()


def check_while_locked(client: TestClient, path: Path, headers: dict[str, str]) -> Any:
    """The answer of a check while another process has the store's write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/api/v1/check", json=CHECK, headers=headers)
        other.execute("ROLLBACK")
    return answer


def test_a_check_that_cannot_be_recorded_is_not_answered_where_there_are_tokens(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    with run_application(tokens=TOKENS, store=f"sqlite:///{path}") as client:
        ingest_schema(client, build_authorization(SECRETS[Role.WRITER]))
        answer = check_while_locked(client, path, build_authorization(SECRETS[Role.READER]))
        assert answer.status_code == 503
        assert "cannot be recorded in the audit log" in answer.json()["error"]["message"]


def test_a_check_without_a_known_user_is_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mesh.db"
    with run_application(store=f"sqlite:///{path}") as client:
        ingest_schema(client, {})
        answer = check_while_locked(client, path, {})
        assert answer.status_code == 200
        assert answer.json()["verdict"] == "breaking"
        assert "not in the audit log" in caplog.text
