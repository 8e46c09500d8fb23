"""Those who decide about a request for access are notified of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from meshline.api.graphql import Bounds
from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_decisions import AccessDesk, DeskSettings
from meshline.app.access_file import read_access_rules
from meshline.app.access_requests import RequestRegister
from meshline.app.notifications import build_sender
from meshline.app.settings import load_settings
from meshline.governance.notify.outbox import ACCESS_REQUESTED, NoticeBody, build_receiver, build_record
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_owner_key
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch
from tests.api.test_access_requests import ASK, PAY, SALES, SALLY, Desk, list_statements, rules  # noqa: F401 - a fixture
from tests.governance.notify.http import run_receiver
from tests.queries import mesh


def open_notifying(live: LiveGraph, rules: Path, *, notify: bool = True) -> Desk:  # noqa: F811
    register = RequestRegister(live.store)
    found = read_access_rules(rules)
    access = Access(live, lambda: found)
    desk = AccessDesk(register, access, DeskSettings(notify=notify, webhook=True))
    return Desk(live, Executor(live, Naming(), Bounds(), access=access, desk=desk), register)


@pytest.fixture
def live() -> LiveGraph:
    owner = mesh.build_asset_statement(build_owner_key("pay-team"), email="pay@mesh.example")
    return mesh.build_graph(*list_statements(), owner)


@pytest.mark.parametrize("markdown", [False, True])
def test_who_decides_gets_a_message(live: LiveGraph, rules: Path, *, markdown: bool) -> None:  # noqa: F811
    desk = open_notifying(live, rules)
    asked = desk.ask(SALLY, ASK, asset=PAY.id)
    with run_receiver() as receiver:
        settings = load_settings(
            notify=True,
            notify_send=True,
            notify_markdown=markdown,
            notify_channels={"email": SecretStr(f"json://127.0.0.1:{receiver.port}/mail?to={{email}}")},
        )
        sender = build_sender(settings, live.store)
        assert [parcel.pending[0].notice.body.receiver.name for parcel in sender.list_parcels()] == ["pay-team", "webhook"]
        assert sender.send(now=True)[:2] == (1, 0)
        (posted,) = receiver.posted
        message = json.loads(posted.body)
        assert message["title"] == "[meshline] access to pay is asked for: 1 notice for pay-team"
        for text in ("token:sally", asked["id"], "read", "look", "meshline access decide"):
            assert text in message["message"].replace("\\", ""), text
        assert "breaking" not in message["message"]
    live.store.close()


def test_a_decider_without_a_contact_is_reached_by_the_fallback(live: LiveGraph, rules: Path) -> None:  # noqa: F811
    """And its requests are a message of their own, beside the one about changes."""
    desk = open_notifying(live, rules)
    desk.ask(SALLY, ASK, asset=SALES.id)
    change = NoticeBody(
        event="change.landed",
        receiver=build_receiver("OWNER", "sales-team", "", {}),
        fingerprint="f",
        rule="column-removed",
        verdict="breaking",
        subject="orders",
        text="`a` is removed",
        why="",
        at=1,
    )
    live.store.commit(lambda _: Batch(journal=[build_record("one", change, 1)]))
    settings = load_settings(notify_fallback=(SecretStr("json://127.0.0.1:9/all"),))
    parcels = [parcel for parcel in build_sender(settings, live.store).list_parcels() if not parcel.is_webhook]
    assert [parcel.route.label for parcel in parcels] == ["json://127.0.0.1:9 (fallback)"] * 2
    assert [parcel.pending[0].notice.body.event for parcel in parcels] == [ACCESS_REQUESTED, "change.landed"]
    live.store.close()


def test_nothing_is_recorded_where_notices_are_off(live: LiveGraph, rules: Path) -> None:  # noqa: F811
    desk = open_notifying(live, rules, notify=False)
    desk.ask(SALLY, ASK, asset=PAY.id)
    assert build_sender(load_settings(), live.store).list_parcels() == []
    live.store.close()
