"""A server that notifies: an event over HTTP leads to a mail without any command, also if the server is killed in between."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshline.app.notifications import build_sender
from meshline.app.settings import load_settings
from meshline.errors import InvalidInput
from meshline.graph.model import from_micros, get_current_micros
from meshline.graph.store.sqlite import SqliteStore
from tests.cli.command import ROOT
from tests.cli.test_server import wait_until_ready
from tests.forked_program import ForkedProgram
from tests.governance.notify.conftest import Mailbox, get_text, run_mail_server

MESH = """
version: 1
source: t
teams:
  - name: shop
    email: shop@company.com
  - name: finance
    email: finance@company.com
owners:
  - owner: shop
    dataset: wh/orders
consumers:
  - name: report
    owner: finance
    consumes:
      - { dataset: wh/orders, columns: [amount] }
"""
FACET = {"_producer": "https://x.org", "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"}


def build_schema_event(*columns: str) -> dict[str, Any]:
    fields = [{"name": name, "type": "string"} for name in columns]
    return {
        "eventTime": from_micros(get_current_micros()).isoformat(),
        "producer": "https://x.org",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": {"namespace": "wh", "name": "orders", "facets": {"schema": {**FACET, "fields": fields}}},
    }


@contextmanager
def run_notifying_server(store: Path, smtp: str, **more: str) -> Iterator[tuple[str, ForkedProgram]]:
    """A server that notifies, as a process."""
    given = {
        "MESHLINE_CONFIG": "",
        "MESHLINE_STORE": f"sqlite:///{store}",
        "MESHLINE_NOTIFY": "true",
        "MESHLINE_NOTIFY_SEND": "true",
        "MESHLINE_NOTIFY_CHANNELS": json.dumps({"email": smtp.replace("mesh%40", "${TEST_SENDER}%40")}),
        "MESHLINE_NOTIFY_WAIT_SECONDS": "0.5",
        "MESHLINE_NOTIFY_EVERY_SECONDS": "0",
        "MESHLINE_REFRESH_SECONDS": "0.1",
        "TEST_SENDER": "mesh",
        **more,
    }
    process = ForkedProgram(["serve", "--port", "0"], cwd=ROOT, env={**os.environ, **given})
    try:
        yield wait_until_ready(process), process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)
        assert process.stderr is not None
        process.stderr.close()


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "too late"
        time.sleep(0.05)


def is_notification_enabled(path: Path) -> bool:
    with closing(SqliteStore(str(path))) as store:
        return store.read_setting("notify:since") is not None


def count_notices(path: Path) -> int:
    with closing(SqliteStore(str(path))) as store:
        return len(store.read_journal("notice"))


def post_schema(address: str, *columns: str) -> None:
    assert httpx.post(f"{address}/api/v1/lineage", json=build_schema_event(*columns)).status_code < 300


def list_change_mails(box: Mailbox) -> list[EmailMessage]:
    """The mails about the change; others are about policies."""
    return [mail for mail in box.read_mails() if "`amount`" in get_text(mail)]


def put_mesh(address: str) -> None:
    answer = httpx.put(
        f"{address}/api/v1/mesh", content=MESH, headers={"Content-Type": "application/yaml"}, timeout=60
    )  # the first text waits until processes can be forked
    assert answer.status_code < 300, answer.text


def test_from_an_event_to_a_mail(tmp_path: Path) -> None:
    path = tmp_path / "mesh.db"
    with run_mail_server(tmp_path / "mail") as box, run_notifying_server(path, box.url) as (address, _):
        wait_until(lambda: is_notification_enabled(path))
        put_mesh(address)
        post_schema(address, "id", "amount", "email")
        post_schema(address, "id", "email")
        wait_until(lambda: len(list_change_mails(box)) == 2)
        by_receiver = {str(mail["X-Recipients"]): get_text(mail) for mail in list_change_mails(box)}
        assert by_receiver.keys() == {"<shop@company.com>", "<finance@company.com>"}
        assert all("breaking: `amount` is removed" in body for body in by_receiver.values())
        assert "report" in by_receiver["<finance@company.com>"]
        time.sleep(1)
        assert len(list_change_mails(box)) == 2


def test_kill_9_between_recorded_and_sent(tmp_path: Path) -> None:
    """The mail server is away, the server is killed, both come back: each recipient is notified once."""
    path = tmp_path / "mesh.db"
    with run_mail_server(tmp_path / "mail") as box:
        port = box.port
    with run_notifying_server(path, box.url, MESHLINE_NOTIFY_WAIT_SECONDS="3600") as (address, process):
        wait_until(lambda: is_notification_enabled(path))
        put_mesh(address)
        post_schema(address, "id", "amount")
        post_schema(address, "id")
        wait_until(lambda: count_notices(path))
        process.send_signal(signal.SIGKILL)
        process.wait()
    with run_mail_server(tmp_path / "mail", port) as box, run_notifying_server(path, box.url) as (_, _process):
        wait_until(lambda: len(list_change_mails(box)) == 2)
        time.sleep(1)
        assert sorted(str(mail["X-Recipients"]) for mail in list_change_mails(box)) == ["<finance@company.com>", "<shop@company.com>"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"notify_channels": {"email": "mailto://h?p=hushhush"}}, r"notify_channels\.email: a pattern for email contains \{email\}"),
        ({"notify_channels": {"email": "mailto://{email}/{slack}"}}, r"notify_channels\.email: a pattern"),
        ({"notify_channels": {"email": "hushhush {email}"}}, r"notify_channels\.email: this is not an address"),
        (
            {"notify_channels": {"email": "mailto://${NOT_THERE}@h/{email}"}},
            r"notify_channels\.email: the environment variable NOT_THERE is not set",
        ),
        ({"notify_owners": {"a": ("hushhush",)}}, r"notify_owners\.a: this is not an address"),
        ({"notify_fallback": ("hushhush",)}, r"notify_fallback: this is not an address"),
        ({"notify_webhook": "https://x.org/hushhush"}, r"notify_webhook_secret: a webhook is signed"),
        ({"notify_templates": "nowhere"}, r"nowhere: there is no such folder"),
    ],
)
def test_unusable_settings_are_reported_without_secrets(given: dict[str, Any], message: str) -> None:
    with closing(SqliteStore()) as store, pytest.raises(InvalidInput, match=f"^{message}") as refused:
        build_sender(load_settings(config=Path(), **given), store)
    assert "hushhush" not in str(refused.value)


def test_no_secret_is_shown_by_the_settings() -> None:
    found = load_settings(
        config=Path(),
        notify_channels={"email": "mailto://u:hushhush@h/{email}"},
        notify_owners={"a": ("json://hushhush",)},
        notify_fallback=("json://hushhush",),
        notify_webhook="https://x.org/hushhush",
        notify_webhook_secret="hushhush",
    )
    assert "hushhush" not in repr(found)
    assert "hushhush" not in found.model_dump_json()
