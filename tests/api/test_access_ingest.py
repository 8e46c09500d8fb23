"""Who may send events about what, where access rules limit that; and what is left out of the events of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.app.tokens import Role, generate_token, hash_token
from tests.api.conftest import run_application
from tests.api.test_access import MESH, YAML, ask, build_event
from tests.api.test_auth import SECRETS, TOKENS, build_authorization

INGEST = """
version: 1
default: {read: everything, ingest: nothing}
grants:
  - {who: token:airflow, may: [ingest], on: ["namespace:air*", "namespace:wh"]}
  - {who: token:backfill, may: [ingest, state], on: everything}
"""


@pytest.fixture(scope="module")
def senders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, dict[str, dict[str, str]]]]:
    """A server that limits who may send what, and the headers of its callers."""
    rules = tmp_path_factory.mktemp("ingest") / "access.yaml"
    rules.write_text(INGEST, "utf-8")
    secrets = {name: generate_token() for name in ("airflow", "backfill", "other")}
    tokens = [{"name": name, "role": Role.WRITER, "hash": hash_token(secret)} for name, secret in secrets.items()]
    with run_application(tokens=[*TOKENS, *tokens], access=rules) as found:
        yield found, {name: build_authorization(secret) for name, secret in secrets.items()}


def change_event(**changes: Any) -> dict[str, Any]:
    return build_event("orders", ["sales.raw"], "sales.orders") | changes


def build_facet(**members: Any) -> dict[str, Any]:
    return {"_producer": "https://example.org", "_schemaURL": "https://example.org", **members}


SYMLINKS = build_facet(identifiers=[{"namespace": "hr", "name": "a", "type": "TABLE"}])
RENAME = build_facet(lifecycleStateChange="RENAME", previousIdentifier={"namespace": "hr", "name": "a"})
FLOWS = build_facet(entries=[{"type": "DATASET", "namespace": "hr", "name": "b", "inputs": [{"namespace": "wh", "name": "a"}]}])
FOREIGN = [
    (change_event(job={"namespace": "spark", "name": "a"}), "the job is in the namespace 'spark'"),
    (
        change_event(outputs=[{"namespace": "wh", "name": "a"}, {"namespace": "hr", "name": "b"}]),
        "the dataset 'b' is in the namespace 'hr'",
    ),
    (
        change_event(outputs=[{"namespace": "wh", "name": "a", "facets": {"symlinks": SYMLINKS}}]),
        "a symlink of 'a' is in the namespace 'hr'",
    ),
    (
        change_event(inputs=[{"namespace": "wh", "name": "a", "facets": {"symlinks": SYMLINKS}}]),
        "a symlink of 'a' is in the namespace 'hr'",
    ),
    (
        change_event(outputs=[{"namespace": "wh", "name": "a", "facets": {"lifecycleStateChange": RENAME}}]),
        "the former name of 'a' is in the namespace 'hr'",
    ),
    (
        change_event(job={"namespace": "air", "name": "a", "facets": {"lineage": FLOWS}}),
        "'b', of which the lineage of the job is, is in the namespace 'hr'",
    ),
    (
        {
            "eventTime": "2026-11-01T00:00:00Z",
            "producer": "https://a",
            "schemaURL": "https://a",
            "dataset": {"namespace": "hr", "name": "c"},
        },
        "the dataset 'c' is in the namespace 'hr'",
    ),
]


@pytest.mark.parametrize(("event", "message"), FOREIGN)
def test_events_about_other_namespaces_are_refused(
    senders: tuple[TestClient, dict[str, dict[str, str]]], event: dict[str, Any], message: str
) -> None:
    client, headers = senders
    large = event | {"padding": "x" * 100_000}  # is parsed elsewhere
    for body in (event, large):
        answer = client.post("/api/v1/lineage", json=body, headers=headers["airflow"])
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
        assert answer.json()["error"]["message"] == f"{message}, and 'airflow' may send events about: air*, wh (access rules)"
    assert client.post("/api/v1/lineage", json=event, headers=headers["backfill"]).status_code == 201
    batch = client.post("/api/v1/lineage/batch", json=[event, change_event()], headers=headers["airflow"]).json()
    assert [(one["index"], one["retriable"]) for one in batch["failed_events"]] == [(0, False)]
    assert batch["summary"]["successful"] == 1


@pytest.mark.parametrize(
    ("name", "facet"), [("symlinks", {**SYMLINKS, "identifiers": 7}), ("lifecycleStateChange", {**RENAME, "previousIdentifier": 7})]
)
def test_events_are_refused_if_it_cannot_be_read_what_they_join(
    senders: tuple[TestClient, dict[str, dict[str, str]]], name: str, facet: dict[str, Any]
) -> None:
    client, headers = senders
    event = change_event(outputs=[{"namespace": "wh", "name": "a", "facets": {name: facet}}])
    answer = client.post("/api/v1/lineage", json=event, headers=headers["airflow"])
    assert answer.status_code == 403
    assert answer.json()["error"]["message"].startswith(f"the facet {name!r} cannot be read (")


def test_what_an_input_is_is_not_stated_by_those_who_may_only_read_it(tmp_path: Path) -> None:
    """Else it could be joined with what they see, be given a tag that grants it, or owners."""
    rules, secret = tmp_path / "access.yaml", generate_token()
    grants = '{who: token:air, may: ingest, on: ["namespace:air", "namespace:mine"]}, {who: token:air, on: ["namespace:mine", "tag:open"]}'
    rules.write_text(f"version: 1\ndefault: {{read: nothing, ingest: nothing}}\ngrants: [{grants}]\n", "utf-8")
    tokens = [*TOKENS, {"name": "air", "role": Role.WRITER, "hash": hash_token(secret)}]
    people = {
        "namespace": "hr",
        "name": "people",
        "facets": {
            "symlinks": build_facet(identifiers=[{"namespace": "mine", "name": "copy", "type": "TABLE"}]),
            "ownership": build_facet(owners=[{"name": "air"}]),
            "tags": build_facet(tags=[{"key": "open", "value": "true", "source": "AIR"}]),
            "lifecycleStateChange": build_facet(lifecycleStateChange="RENAME", previousIdentifier={"namespace": "mine", "name": "copy"}),
            "documentation": build_facet(description="mine"),
            "version": build_facet(datasetVersion="7"),
        },
    }
    job = {"namespace": "air", "name": "copy"}
    event = change_event(job=job, inputs=[people], outputs=[{"namespace": "mine", "name": "copy"}])
    with run_application(tokens=tokens, access=rules) as client:
        admin, air = build_authorization(SECRETS[Role.ADMIN]), build_authorization(secret)
        documented = {"namespace": "hr", "name": "people", "facets": {"documentation": build_facet(description="of people")}}
        assert client.post("/api/v1/lineage", json=change_event(outputs=[documented]), headers=admin).status_code == 201
        for body in (event, event | {"padding": "x" * 100_000}):
            answer = client.post("/api/v1/lineage", json=body, headers=air)
            assert answer.status_code == 201
            names = "`documentation`, `lifecycleStateChange`, `ownership`, `symlinks`, `tags`"
            note = f"{names}: left out, since 'air' may send events about: air, mine (access rules)"
            assert answer.json()["warnings"] == [{"path": "$.inputs[0].facets", "message": note}]
        asked = '{ datasets(filter: {namespace: "hr"}) { nodes { name description tags { key } owners { type } aliases { name } } } }'
        seen = ask(client, "{ datasets { nodes { name description } } }", secret)["data"]["datasets"]["nodes"]
        assert seen == [{"name": "copy", "description": None}]
        whole = ask(client, asked, SECRETS[Role.ADMIN])["data"]["datasets"]["nodes"]
        assert whole == [{"name": "people", "description": "of people", "tags": [], "owners": [], "aliases": []}]
        events = ask(client, "{ events { nodes { body } } }", SECRETS[Role.ADMIN])["data"]["events"]["nodes"]
        assert "datasetVersion" in str(events)
        assert "symlinks" not in str(events), "a replay would join them"


def test_events_name_owners_that_their_sender_sees(tmp_path: Path) -> None:
    """A hidden one is left out like one that is new: what owns a visible dataset is seen with its texts."""
    rules, secret, blind = tmp_path / "access.yaml", generate_token(), generate_token()
    on = '["namespace:air", "namespace:wh"]'
    seeing = '{who: token:air, on: "namespace:wh"}'
    grants = f"{{who: [token:air, token:blind], may: ingest, on: {on}}}, {seeing}"
    rules.write_text(f"version: 1\ndefault: {{read: nothing, ingest: nothing}}\ngrants: [{grants}]\n", "utf-8")
    callers = {"air": secret, "blind": blind}
    tokens = [*TOKENS, *({"name": name, "role": Role.WRITER, "hash": hash_token(of), "groups": ["team"]} for name, of in callers.items())]
    mesh = "version: 1\nsource: test\nteams: [{name: hidden, title: Secret}, {name: seen}]\nowners: [{dataset: wh/b, owner: seen}]\n"

    def build(owner: str) -> dict[str, Any]:
        facets = {"ownership": build_facet(owners=[{"name": owner, "type": "x"}])}
        output = {"namespace": "wh", "name": "b", "facets": facets}
        return change_event(job={"namespace": "air", "name": f"of {owner}", "facets": facets}, inputs=[], outputs=[output])

    with run_application(tokens=tokens, access=rules) as client:
        admin = build_authorization(SECRETS[Role.ADMIN])
        stated = client.put("/api/v1/mesh", content=mesh, headers={**admin, **YAML})
        assert stated.status_code == 200, stated.text
        answers = {
            name: client.post("/api/v1/lineage", json=build(name), headers=build_authorization(secret)).json()["warnings"]
            for name in ("seen", "air", "team", "hidden", "nothing")
        }
        assert [name for name, warnings in answers.items() if not warnings] == ["seen", "air", "team"]
        assert [one["path"] for one in answers["hidden"]] == ["$.job.facets", "$.outputs[0].facets"]
        assert str(answers["hidden"]) == str(answers["nothing"]).replace("'nothing'", "'hidden'")
        seen = ask(client, "{ owners { nodes { name title } } }", secret)["data"]["owners"]["nodes"]
        assert [one["name"] for one in seen] == ["air", "seen", "team"]
        of_blind = client.post("/api/v1/lineage", json=build("another"), headers=build_authorization(blind))
        assert of_blind.json()["warnings"] == [], "who sees nothing learns nothing"


def test_who_may_send_events(senders: tuple[TestClient, dict[str, dict[str, str]]]) -> None:
    client, headers = senders
    foreign_input = change_event(inputs=[{"namespace": "hr", "name": "people"}])
    statuses = {name: client.post("/api/v1/lineage", json=foreign_input, headers=of).status_code for name, of in headers.items()}
    assert statuses == {"airflow": 201, "backfill": 201, "other": 403}
    assert client.post("/api/v1/lineage", json=foreign_input, headers=build_authorization(SECRETS[Role.ADMIN])).status_code == 201
    for name, status in {"airflow": 403, "backfill": 200, "other": 403}.items():
        answer = client.put("/api/v1/mesh", content=MESH, headers={**headers[name], **YAML})
        assert answer.status_code == status
    assert client.put("/api/v1/namespaces/hr", json={"ownerName": "a"}, headers=headers["airflow"]).status_code == 403
    assert client.get("/metrics", headers=headers["other"]).status_code == 200  # they see everything
