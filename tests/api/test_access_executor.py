"""The executor of access to data: it is sent a signed event for each approved request, and confirms what it has granted."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from meshline.app.notifications import build_sender
from meshline.app.settings import load_settings
from meshline.app.tokens import Role, generate_token, hash_token
from meshline.errors import InvalidInput
from meshline.graph.store.factory import open_store
from tests.api.conftest import run_application
from tests.api.test_auth import build_authorization
from tests.governance.notify.http import Receiver, run_receiver

SECRET = "whsec_" + "c2VjcmV0IG9mIGF0IGxlYXN0IDI0IHJhbmRvbSBieXRlcw=="
SCHEMA = Path(__file__).parents[2] / "docs" / "access-event.schema.json"
MESH = """
version: 1
source: test
teams: [{name: sales-team}]
domains: [{name: sales, owner: sales-team, datasets: ["wh/s.*"]}]
namespaces: {wh: wh}
"""
ASK = 'mutation { requestAccess(asset: "%s", purpose: "a model", kind: DATA, for: "service:model") { id state } }'


def wait_posted(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 60
    while len(receiver.posted) < count:
        assert time.monotonic() < end, "not sent"
        time.sleep(0.02)
    return [json.loads(posted.body) for posted in receiver.posted]


def test_data_is_granted_by_the_executor() -> None:
    names: dict[str, tuple[Role, list[str]]] = {
        "ann": (Role.READER, []),
        "sal": (Role.READER, ["sales-team"]),
        "granter": (Role.READER, []),
        "root": (Role.ADMIN, []),
    }
    secrets = {name: generate_token() for name in names}
    tokens = [{"name": name, "role": role, "hash": hash_token(secrets[name]), "groups": groups} for name, (role, groups) in names.items()]
    with run_receiver() as receiver:
        settings = {
            "access_executor": SecretStr(f"http://127.0.0.1:{receiver.port}/grants"),
            "access_executor_secret": SecretStr(SECRET),
            "access_executor_caller": "token:granter",
            "refresh_seconds": 0.05,
        }
        with run_application(tokens=tokens, **settings) as client:

            def ask(name: str, query: str) -> Any:
                answer = client.post("/graphql", json={"query": query}, headers=build_authorization(secrets[name])).json()
                assert "errors" not in answer, answer
                return next(iter(answer["data"].values()))

            headers = {**build_authorization(secrets["root"]), "Content-Type": "application/yaml"}
            assert client.put("/api/v1/mesh", content=MESH, headers=headers).status_code == 200
            domain = ask("ann", '{ resolve(name: "domain:sales") { id } }')["id"]
            id_ = ask("ann", ASK % domain)["id"]
            decide = 'mutation { decideAccess(request: "%s", decision: %s, reason: "it was %s") { state } }'
            assert ask("granter", "{ accessRequests { totalCount } }") == {"totalCount": 0}  # who does not own it does not decide
            assert ask("sal", decide % (id_, "APPROVE", "asked"))["state"] == "APPROVED"
            (approved,) = wait_posted(receiver, 1)
            confirm = f'mutation {{ confirmAccess(request: "{id_}", reference: "grant-1") {{ state reference }} }}'
            assert ask("granter", confirm) == {"state": "GRANTED", "reference": "grant-1"}
            assert ask("ann", "{ accessRequests { nodes { state } } }") == {"nodes": [{"state": "GRANTED"}]}
            assert ask("sal", decide % (id_, "REVOKE", "enough"))["state"] == "REVOKED"
            short = ASK.replace("kind: DATA", f'kind: DATA, until: "{(datetime.now(UTC) + timedelta(seconds=5)).isoformat()}"')
            ask("sal", decide % (ask("ann", short % domain)["id"], "APPROVE", "asked"))
            events = wait_posted(receiver, 4)
    schema = json.loads(SCHEMA.read_text("utf-8"))
    for event, posted in zip(events, receiver.posted, strict=True):
        jsonschema.validate(event, schema, format_checker=jsonschema.FormatChecker())
        Webhook(SECRET).verify(posted.body, posted.headers)
    assert (approved["type"], approved["data"]["principal"]) == ("com.meshline.access.approved.v1", "service:model")
    assert approved["data"]["approvers"] == ["sal"]
    assert (events[1]["type"], events[1]["data"]["reference"]) == ("com.meshline.access.revoked.v1", "grant-1")
    assert events[1]["data"]["reason"] == "it was enough"
    assert [event["type"] for event in events[2:]] == ["com.meshline.access.approved.v1", "com.meshline.access.expired.v1"]


@pytest.mark.parametrize("secret", [None, SecretStr("whsec_short")])
def test_events_to_an_executor_are_signed(secret: SecretStr | None) -> None:
    """A server with an address and no secret for it does not get ready."""
    settings = load_settings(access_executor=SecretStr("https://example.org"), access_executor_secret=secret)
    store = open_store("sqlite://:memory:")
    with pytest.raises(InvalidInput, match="access_executor_secret"):
        build_sender(settings, store)
    store.close()
