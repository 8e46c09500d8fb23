"""CloudEvents, signed: a real receiver checks each with the library of the specification."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from meshline.errors import InvalidInput
from meshline.governance.notify.channels import Secret, build_webhook
from meshline.governance.notify.outbox import WEBHOOK, NoticeBody
from meshline.governance.notify.outbox import Receiver as To
from meshline.governance.notify.sender import SendResult
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from tests.governance.notify.http import Receiver
from tests.governance.notify.sending import Clock, build_sender, record_notices

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(SqliteStore()) as found:
        yield found


def build_full_notice(text: str) -> NoticeBody:
    return NoticeBody(
        event="change.landed",
        receiver=To(WEBHOOK, WEBHOOK),
        fingerprint="f1",
        rule="column-removed",
        verdict="breaking",
        subject="wh/sales.orders",
        text=text,
        why="Every query that reads it fails.",
        at=1_700_000_000_000_000,
        details={"fingerprint": "f1", "hits": []},
    )


def test_each_event_is_signed_and_has_an_id_of_its_own(store: Store, receiver: Receiver) -> None:
    clock = Clock()
    record_notices(store, clock, k1=build_full_notice("one é"), k2=build_full_notice("two"))
    to = build_webhook(Secret(f"http://127.0.0.1:{receiver.port}/mesh"), SecretStr(SECRET), "x")
    out = build_sender(store, clock, webhook=to)
    receiver.status = 500
    assert out.send() == SendResult(0, 2, 0)
    receiver.status = 204
    clock.forward(100)
    assert out.send() == SendResult(2, 0, 0)
    assert out.send() == SendResult(0, 0, 0)
    first, second = receiver.posted
    assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = Verifier(SECRET).verify(first.body, first.headers)
    assert event == json.loads(first.body)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "id": "k1",
        "source": "/meshline",
        "type": "com.meshline.change.landed.v1",
        "subject": "wh/sales.orders",
        "time": "2023-11-14T22:13:20Z",
        "datacontenttype": "application/json",
    }
    assert event["data"]["text"] == "one é"
    assert event["data"]["details"] == {"fingerprint": "f1", "hits": []}
    assert Verifier(SECRET).verify(second.body, second.headers)["id"] == second.headers["webhook-id"] == "k2"


def test_what_was_changed_on_the_way_does_not_verify(store: Store, receiver: Receiver) -> None:
    clock = Clock()
    record_notices(store, clock, k1=build_full_notice("one"))
    build_sender(store, clock, webhook=build_webhook(Secret(f"http://127.0.0.1:{receiver.port}/mesh"), SecretStr(SECRET), "x")).send()
    (posted,) = receiver.posted
    other = "whsec_" + base64.b64encode(b"t" * 32).decode()
    for secret, body, headers in (
        (SECRET, posted.body.replace(b"one", b"two"), posted.headers),
        (other, posted.body, posted.headers),
        (SECRET, posted.body, {**posted.headers, "webhook-id": "k2"}),
        (SECRET, posted.body, {**posted.headers, "webhook-timestamp": "1"}),
    ):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(body, headers)


def test_without_a_webhook_its_notices_stay_pending(store: Store) -> None:
    clock = Clock()
    record_notices(store, clock, k1=build_full_notice("one"))
    out = build_sender(store, clock)
    assert out.send() == SendResult(0, 0, 0)
    assert [parcel.route.label for parcel in out.list_parcels()] == ["not delivered (no webhook is configured)"]


@pytest.mark.parametrize("secret", [None, "", "hush", "whsec_", "whsec_" + base64.b64encode(b"short").decode(), "whsec_é"])
def test_a_webhook_needs_a_secret(secret: str | None) -> None:
    with pytest.raises(InvalidInput, match=r"notify_webhook_secret: .*24 bytes") as refused:
        build_webhook(Secret("https://x.org/hook"), None if secret is None else SecretStr(secret), "notify_webhook_secret")
    assert "hush" not in str(refused.value)


def test_the_example_of_the_page_verifies(store: Store, receiver: Receiver) -> None:
    page = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(code, names)
    record_notices(store, Clock(), k1=build_full_notice("one"))
    build_sender(store, Clock(), webhook=build_webhook(Secret(f"http://127.0.0.1:{receiver.port}/mesh"), SecretStr(SECRET), "x")).send()
    (posted,) = receiver.posted
    assert names["receive"](SECRET, posted.headers, posted.body)["subject"] == "wh/sales.orders"
    with pytest.raises(WebhookVerificationError):
        names["receive"](SECRET, posted.headers, posted.body + b" ")
