"""What happens to requests for access by time: a reminder before one lapses, and the end of a grant of data. Each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from meshline.api.graphql import Bounds
from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_decisions import AccessDesk, DeskSettings
from meshline.app.access_file import read_access_rules
from meshline.app.access_requests import RequestRegister
from meshline.governance.notify.outbox import NoticeBody, Outbox
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_owner_key
from meshline.graph.naming import Naming
from meshline.graph.store.base import Store
from meshline.graph.store.factory import open_store
from tests.api.conftest import MoveClock
from tests.api.test_access_executor import SCHEMA
from tests.api.test_access_requests import (  # noqa: F401 - a fixture
    ASK,
    CONFIRM,
    DECIDE,
    LIST,
    PAULA,
    PAY,
    RATES,
    ROBOT,
    SALLY,
    Desk,
    list_statements,
    rules,
)
from tests.queries import mesh

SETTINGS = DeskSettings(notify=True, has_executor=True, executor="service:granter")
DAY = 86_400


class Server(Desk):
    """A server in this process, which looks at the clock only where a test calls `write_due`."""

    @property
    def desk(self) -> AccessDesk:
        return self.executor.desk


def open_server(live: LiveGraph, rules: Path, settings: DeskSettings = SETTINGS) -> Server:  # noqa: F811
    register = RequestRegister(live.store)
    register.refresh()
    found = read_access_rules(rules)
    access = Access(live, lambda: found)
    return Server(live, Executor(live, Naming(), Bounds(), access=access, desk=AccessDesk(register, access, settings)), register)


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    found = mesh.build_graph(*list_statements(), mesh.build_asset_statement(build_owner_key("pay-team"), email="pay@mesh.example"))
    yield found
    found.store.close()


@pytest.fixture
def server(live: LiveGraph, rules: Path) -> Server:  # noqa: F811
    return open_server(live, rules)


def list_notices(store: Store) -> list[NoticeBody]:
    return [one.notice.body for one in Outbox(store).list_pending()]


def list_steps(server: Server) -> list[str]:
    """Of the newest request."""
    return [f"{step['kind']} by {step['by']}" for step in server.ask(SALLY, LIST)["nodes"][0]["steps"]]


def test_who_decides_is_reminded_before_a_request_lapses(server: Server, move_clock: MoveClock) -> None:
    asked = server.ask(SALLY, ASK, asset=PAY.id)
    for days, count in ((0, 1), (10, 1), (11, 2), (12, 2), (15, 2)):
        move_clock(days * DAY + 1)
        server.desk.write_due()
        server.desk.write_due()
        assert len(list_notices(server.live.store)) == count, days
    first, reminder = list_notices(server.live.store)
    assert (first.receiver.name, reminder.receiver.name, reminder.event) == ("pay-team", "pay-team", first.event)
    assert reminder.text.startswith("a reminder, since it lapses at ")
    assert reminder.text.endswith(first.text)
    assert reminder.details["request"] == asked["id"]
    assert list_steps(server) == ["ASK by sally", "REMIND by meshline"]
    assert server.ask(SALLY, LIST)["nodes"][0]["state"] == "LAPSED"


def test_a_reminded_request_is_decided_as_others_are(server: Server, move_clock: MoveClock) -> None:
    id_ = server.ask(SALLY, ASK, asset=RATES.id)["id"]
    move_clock(12 * DAY)
    server.desk.write_due()
    assert server.ask(PAULA, DECIDE, id=id_)["state"] == "GRANTED"
    assert list_steps(server) == ["ASK by sally", "REMIND by meshline", "APPROVE by paula"]


@pytest.mark.parametrize(
    ("settings", "days", "reminders"),
    [
        (SETTINGS._replace(remind_days=0), 13.9, 0),
        (SETTINGS._replace(remind_days=365), 6.9, 0),  # at most half the time
        (SETTINGS._replace(remind_days=365), 7.1, 1),
        (SETTINGS._replace(lapse_days=2), 0.9, 0),
        (SETTINGS._replace(lapse_days=2), 1.1, 1),
        (SETTINGS._replace(notify=False), 13, 0),
    ],
)
def test_when_a_reminder_is_due(
    live: LiveGraph,
    rules: Path,  # noqa: F811
    move_clock: MoveClock,
    settings: DeskSettings,
    days: float,
    reminders: int,
) -> None:
    server = open_server(live, rules, settings)
    server.ask(SALLY, ASK, asset=PAY.id)
    move_clock(round(days * DAY))
    server.desk.write_due()
    assert len([step for step in list_steps(server) if step.startswith("REMIND")]) == reminders
    assert len(list_notices(live.store)) == (1 if settings.notify else 0) + reminders


def ask_for_data(server: Server, *, days: int = 30) -> str:
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    id_: str = server.ask(SALLY, ASK, asset=RATES.id, kind="DATA", until=until)["id"]
    server.ask(PAULA, DECIDE, id=id_)
    return id_


def list_events(server: Server) -> list[str]:
    """What the executor is sent."""
    return [body.event for body in list_notices(server.live.store) if body.receiver.kind == "executor"]


@pytest.mark.parametrize("confirmed", [True, False])
def test_the_executor_is_sent_the_end_of_a_grant(server: Server, move_clock: MoveClock, *, confirmed: bool) -> None:
    """Also of one that it has not confirmed: it may have granted it."""
    id_ = ask_for_data(server)
    if confirmed:
        server.ask(ROBOT, CONFIRM, id=id_)
    server.desk.write_due()
    assert list_events(server) == ["access.approved"]
    move_clock(31 * DAY)
    server.desk.write_due()
    server.desk.write_due()
    assert list_events(server) == ["access.approved", "access.expired"]
    event = list_notices(server.live.store)[-1]
    assert (event.details["reference"], event.details["request"]) == ("grant-7" if confirmed else "", id_)
    jsonschema.validate(event.details, json.loads(SCHEMA.read_text("utf-8"))["properties"]["data"])
    assert server.ask(ROBOT, CONFIRM, id=id_, ended=True)["state"] == "EXPIRED"
    server.desk.write_due()
    assert list_events(server) == ["access.approved", "access.expired"]
    assert list_steps(server)[-2:] == ["END by meshline", "CONFIRM by service granter"]


def test_what_has_ended_before_is_not_ended_again(server: Server, move_clock: MoveClock) -> None:
    revoked, ended = ask_for_data(server), ""
    server.ask(PAULA, DECIDE, id=revoked, decision="REVOKE", reason="enough")
    ended = ask_for_data(server)
    server.ask(ROBOT, CONFIRM, id=ended, ended=True)
    metadata = server.ask(SALLY, ASK, asset=RATES.id)["id"]
    server.ask(PAULA, DECIDE, id=metadata)
    late = ask_for_data(server)
    move_clock(31 * DAY)
    assert server.ask(ROBOT, CONFIRM, id=late, ended=True)["state"] == "EXPIRED"  # by itself, before any server has looked
    server.desk.write_due()
    assert list_events(server) == ["access.approved", "access.revoked", "access.approved", "access.approved"]


def test_of_several_servers_one_writes(rules: Path, tmp_path: Path, move_clock: MoveClock) -> None:  # noqa: F811
    """And one that was stopped and started again does not write again."""
    url = f"sqlite:///{tmp_path}/mesh.db"
    with closing(open_store(url)) as store:
        live = LiveGraph.open(store)
        mesh.commit_statements(live, *list_statements())
        first = open_server(live, rules)
        ask_for_data(first)
        first.ask(SALLY, ASK, asset=PAY.id)
        before = len(list_notices(store))
        move_clock(12 * DAY)
        servers = [first, *(open_server(live, rules) for _ in range(3))]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.desk.write_due(), servers))
        assert len(list_notices(store)) == before + 1
        move_clock(31 * DAY)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.desk.write_due(), servers))
        assert len(list_notices(store)) == before + 2
    with closing(open_store(url)) as store:
        again = open_server(LiveGraph.open(store), rules)
        again.desk.write_due()
        assert len(list_notices(store)) == before + 2
