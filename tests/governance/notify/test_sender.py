"""Pending notices are sent once, in one message for each receiver, through real servers; also if servers are away or senders die."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshline.governance.notify.channels import Routes, Secret, parse_pattern
from meshline.governance.notify.outbox import FAILED, REFUSED, SENT, SETTLED, Outbox
from meshline.governance.notify.sender import Pace, SendResult
from meshline.graph.store.base import Store
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.sqlite import SqliteStore
from tests.governance.notify.conftest import Mailbox, get_text, run_mail_server
from tests.governance.notify.http import Receiver
from tests.governance.notify.sending import Clock, build_body, build_sender, count_kinds, record_notices
from tests.servers import Neo4jServer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as found:
        yield found


def test_each_receiver_gets_one_mail_of_all_its_notices(store: Store, mailbox: Mailbox) -> None:
    clock = Clock()
    record_notices(
        store,
        clock,
        a=build_body(),
        b=build_body(fingerprint="f2", text="`name` is renamed to `title`", verdict="conditional", subject="pg/shop.customers"),
        c=build_body("team:shop"),
    )
    assert build_sender(store, clock, mailbox.url).send() == SendResult(2, 0, 0)
    first, second = mailbox.read_mails()
    assert first["X-Recipients"] == "<team-finance@company.com>"
    assert first["From"] == "mesh@company.com"
    assert first["Subject"] == "[meshline] wh/sales.orders and 1 more: 2 notices for team:finance"
    body = get_text(first)
    assert "breaking: `email` is removed" in body
    assert "conditional: `name` is renamed to `title`" in body
    assert body.index("`email`") < body.index("`name`"), "the worst first"
    assert "Your affected assets: wh/fin.revenue" in body
    assert second["X-Recipients"] == "<team-shop@company.com>"
    assert build_sender(store, clock, mailbox.url).send() == SendResult(0, 0, 0)
    assert len(mailbox.read_mails()) == 2
    assert count_kinds(store)[SENT] == 3


def test_receivers_with_one_address_get_one_mail(store: Store, mailbox: Mailbox) -> None:
    clock, ways = Clock(), {"email": "finance@company.com"}
    record_notices(
        store,
        clock,
        a=build_body(contacts=ways),
        b=build_body("dashboard", ways, assets=("dashboard",)),
        c=build_body(contacts=ways, assets=("x", "y")),
    )
    assert build_sender(store, clock, mailbox.url).send() == SendResult(1, 0, 0)
    (mail,) = mailbox.read_mails()
    assert get_text(mail).count("`email` is removed") == 1, "the same change once"
    for name in ("wh/fin.revenue", "dashboard", "x", "y"):
        assert name in get_text(mail)


def test_what_comes_together_is_sent_together_and_not_too_often(store: Store, mailbox: Mailbox) -> None:
    clock = Clock()
    send = build_sender(store, clock, mailbox.url, pace=Pace(wait=30, every=300)).send
    record_notices(store, clock, a=build_body())
    assert send() == SendResult(0, 0, 0)
    clock.forward(20)
    record_notices(store, clock, b=build_body(fingerprint="f2", text="another"))
    clock.forward(11)
    assert send() == SendResult(1, 0, 0)
    assert "another" in get_text(mailbox.read_mails()[0])
    record_notices(store, clock, c=build_body(fingerprint="f3"))
    clock.forward(200)
    assert send() == SendResult(0, 0, 0), "one message in five minutes"
    assert build_sender(store, clock, mailbox.url, pace=Pace(wait=30, every=300)).send() == SendResult(0, 0, 0), "whichever sender runs"
    clock.forward(101)
    assert send() == SendResult(1, 0, 0)


def test_no_more_messages_than_so_many_a_minute(store: Store, mailbox: Mailbox) -> None:
    clock = Clock()
    record_notices(store, clock, **{f"k{n}": build_body(f"team:{n}") for n in range(5)})
    send = build_sender(store, clock, mailbox.url, pace=Pace(wait=0, every=0, per_minute=2)).send
    assert [send().sent for _ in range(2)] == [2, 0]
    clock.forward(61)
    assert send().sent == 2
    clock.forward(61)
    assert send().sent == 1


def test_a_server_that_is_away_is_tried_again_until_it_is_back(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    with run_mail_server(tmp_path / "mail") as box:
        port = box.port
    record_notices(store, clock, a=build_body())
    out = build_sender(store, clock, box.url)
    assert out.send() == SendResult(0, 1, 0)
    assert out.send() == SendResult(0, 0, 0), "not at once"
    (pending,) = Outbox(store).list_pending()
    assert pending.tried.attempts == 1
    assert pending.tried.error.startswith("Connection error")
    clock.forward(40)
    assert out.send() == SendResult(0, 0, 0)
    clock.forward(36)
    assert build_sender(store, clock, box.url).send() == SendResult(0, 1, 0), "also by another process"
    clock.forward(85)
    assert out.send() == SendResult(0, 0, 0), "each time it waits longer"
    clock.forward(66)
    with run_mail_server(tmp_path / "mail", port) as box:
        assert out.send() == SendResult(1, 0, 0)
        assert len(box.read_mails()) == 1
    assert count_kinds(store)[REFUSED] == 2


def test_a_message_is_given_up_after_the_configured_attempts_or_days(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    with run_mail_server(tmp_path / "mail") as box:
        pass
    record_notices(store, clock, a=build_body(), b=build_body("unreachable", {}))
    out = build_sender(store, clock, box.url, pace=Pace(wait=0, every=0, attempts=2))
    for _ in range(2):
        assert out.send().refused == 1
        clock.forward(3600)
    assert out.send() == SendResult(0, 0, 1)
    clock.forward(7 * 86_400)
    assert out.send() == SendResult(0, 0, 1), "and notices without any address"
    assert count_kinds(store)[FAILED] == 2
    assert Outbox(store).list_pending() == []


def test_receivers_without_a_contact_are_notified_by_the_fallback_only(store: Store, receiver: Receiver) -> None:
    clock = Clock()
    record_notices(store, clock, a=build_body("lost", {"pager": "1"}))
    (parcel,) = build_sender(store, clock, "mailto://localhost/{email}").list_parcels()
    assert parcel.route == ((), "not delivered (no channel configured for pager)")
    routes = Routes(fallback=(Secret(f"json://127.0.0.1:{receiver.port}/all"),))
    assert build_sender(store, clock, routes=routes).send() == SendResult(1, 0, 0)
    (posted,) = receiver.posted
    assert posted.path == "/all"
    assert b"`email` is removed" in posted.body


def test_addresses_of_an_owner_go_before(store: Store, receiver: Receiver, mailbox: Mailbox) -> None:
    clock = Clock()
    record_notices(store, clock, a=build_body(), b=build_body("team:shop"))
    own = {"team:finance": (Secret(f"json://127.0.0.1:{receiver.port}/finance"),)}
    routes = Routes(channels={"email": parse_pattern("email", mailbox.url, "x")}, owners=own)
    assert build_sender(store, clock, routes=routes).send() == SendResult(2, 0, 0)
    assert [posted.path for posted in receiver.posted] == ["/finance"]
    assert [mail["X-Recipients"] for mail in mailbox.read_mails()] == ["<team-shop@company.com>"]


@pytest.mark.parametrize("contact", ["a@b", "a@b.example,eve@x.org", "a@b.org?cc=eve@x.org", "a b@x.org", "mesh@x.org\r\nBcc: e@x.org", ""])
def test_no_mail_is_sent_to_a_text_that_is_no_address(store: Store, mailbox: Mailbox, contact: str) -> None:
    clock = Clock()
    record_notices(store, clock, a=build_body(contacts={"email": contact}))
    assert build_sender(store, clock, mailbox.url).send() == SendResult(0, 0, 0)
    assert mailbox.read_mails() == []


def test_a_secret_is_in_no_message_and_no_record(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    record_notices(store, clock, a=build_body())
    url = "mailto://robot:Sw0rdfish!@127.0.0.1:9/{email}?from=mesh%40company.com&mode=insecure&name=hushhush"
    out = build_sender(store, clock, url)
    assert out.send() == SendResult(0, 1, 0)
    (parcel,) = out.list_parcels()
    everything = (
        caplog.text + repr(parcel) + repr(out.list_parcels()[0].route) + "".join(str(kept.record) for kept in store.read_journal("", 0, 99))
    )
    assert "Sw0rdfish" not in everything
    assert "hushhush" not in everything
    assert parcel.route.label == "mailto://127.0.0.1:9 to team-finance@company.com"


PROGRAM = """
import os, signal, sys
from meshline.governance.notify import sender as sending
from meshline.graph.store.sqlite import SqliteStore
from tests.governance.notify.sending import Clock, build_sender
store = SqliteStore(sys.argv[1])
out = build_sender(store, Clock(), sys.argv[2])
where = sys.argv[3]
if where == "before":
    sending.deliver_message = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
else:
    out._outbox.mark_sent = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
out.send()
"""


@pytest.mark.parametrize("where", ["before", "after"])
def test_kill_9_between_claim_and_sent(store: Store, mailbox: Mailbox, tmp_path: Path, where: str) -> None:
    """A sender that dies before the mail leaves: it is sent later. One that dies after: it is sent again, for nothing records the first."""
    clock = Clock()
    record_notices(store, clock, a=build_body(), b=build_body(fingerprint="f2", text="another"))
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "mesh.db"), mailbox.url, where], check=False)
    assert done.returncode == -signal.SIGKILL
    sent_before = len(mailbox.read_mails())
    assert sent_before == (0 if where == "before" else 1)
    out = build_sender(store, clock, mailbox.url)
    assert [one.notice.key for one in Outbox(store).list_pending()] == ["a", "b"], "exactly the pending notices survive"
    assert out.send() == SendResult(0, 0, 0), "it may be under way elsewhere"
    clock.forward(80)
    assert out.send() == SendResult(1, 0, 0)
    assert "another" in get_text(mailbox.read_mails()[-1])
    clock.forward(10_000)
    assert out.send() == SendResult(0, 0, 0)
    assert len(mailbox.read_mails()) == sent_before + 1


def test_senders_of_several_processes_send_once(store: Store, mailbox: Mailbox, tmp_path: Path) -> None:
    clock = Clock()
    record_notices(store, clock, **{f"k{n}": build_body(f"team:{n}") for n in range(10)})
    stores = [SqliteStore(str(tmp_path / "mesh.db")) for _ in range(4)]
    senders = [build_sender(one, clock, mailbox.url) for one in stores]
    threads = [threading.Thread(target=one.send) for one in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.close()
    assert sorted(mail["X-Recipients"] for mail in mailbox.read_mails()) == sorted(f"<team-{n}@company.com>" for n in range(10))


def test_settled_notices_are_not_read_again(store: Store, mailbox: Mailbox) -> None:
    clock = Clock()
    record_notices(store, clock, a=build_body(), lost=build_body("lost", {}), b=build_body("team:shop"))
    build_sender(store, clock, mailbox.url).send()
    assert store.read_setting(SETTLED) == "1", "all before the first pending notice"
    assert [one.notice.key for one in Outbox(store).list_pending()] == ["lost"]
    clock.forward(8 * 86_400)
    build_sender(store, clock, mailbox.url).send()
    assert int(store.read_setting(SETTLED) or 0) == store.read_journal("", 0, 99)[-1].position
    assert Outbox(store).list_pending() == []


@pytest.mark.server
def test_in_neo4j_too(neo4j: Neo4jServer, mailbox: Mailbox) -> None:
    clock = Clock()
    with closing(Neo4jStore(neo4j.url)) as one, closing(Neo4jStore(neo4j.url)) as other:
        record_notices(
            one, clock, **{f"k{n}": build_body(f"team:{n % 3}", fingerprint=f"f{n}", text=f"`c{n}` is removed") for n in range(9)}
        )
        senders = [build_sender(store, clock, mailbox.url) for store in (one, other)]
        threads = [threading.Thread(target=out.send) for out in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Outbox(other).list_pending() == []
        bodies = [get_text(mail) for mail in mailbox.read_mails()]
        assert all(sum(f"`c{n}` is removed" in body for body in bodies) == 1 for n in range(9))
        assert count_kinds(one)[SENT] == 9
