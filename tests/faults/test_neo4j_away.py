"""Neo4j goes away and comes back: stopped, frozen, killed, or cut off at the worst moment."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import pytest

from meshline.graph.store.neo4j import Neo4jStore
from tests.faults.proxy import Proxy, cut_never
from tests.faults.served import Server, run_server
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_oracle, check_store, list_bodies
from tests.faults.wire import Posted, send_request
from tests.servers import Neo4jServer
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import list_heads

pytestmark = pytest.mark.server

EVENTS, CONNECTIONS = 12, 4
BACK_SECONDS = 60
# Bolt messages (docs: "Bolt Protocol message specification"): COMMIT has no fields, signature 0x12.
COMMIT = b"\x00\x02\xb0\x12\x00\x00"
EVENT = b"CREATE (e:RawEvent)"  # of the query that adds raw events: the projector and what tidies up commit, too, at times of their own
# A connection that is cut before the driver has read its socket's addresses is never handed to us, so we cannot close it. The driver's
# own __del__ tries to, on an object whose __init__ did not end, and Python shows what that raises.
HALF_MADE = re.compile(
    r"Exception ignored in: <function Bolt\.__del__ at 0x[0-9a-f]+>\nTraceback \(most recent call last\):\n(?:  .*\n)+"
    r"AttributeError: 'Bolt\w+' object has no attribute 'hydration_handler'"
)


@contextmanager
def run_proxy(neo4j: Neo4jServer) -> Iterator[tuple[Proxy, str]]:
    """A proxy to the server, and the store's URL through it."""
    head, _, port = neo4j.url.rpartition(":")
    with closing(Proxy(int(port))) as proxy:
        yield proxy, f"{head}:{proxy.port}"


def post_events(server: Server, found: list[bytes]) -> Posted:
    posted = Posted()
    asyncio.run(posted.post(server.port, found, CONNECTIONS))
    assert len(posted.sent) == len(found), "the server is gone"
    assert {answer.status for _, answer in posted.refused} <= {503}
    assert all(answer.headers["retry-after"] and "Neo4j" in answer.json["error"]["message"] for _, answer in posted.refused)
    return posted


def post_until_accepted(server: Server, found: list[bytes]) -> None:
    """As a patient client does."""
    end = time.monotonic() + BACK_SECONDS
    while found := [body for body, _ in post_events(server, found).refused]:
        assert time.monotonic() < end, "it does not recover"
        time.sleep(0.5)


def check_all(neo4j: Neo4jServer, server: Server, truth: Truth, sent: list[bytes]) -> None:
    """Everything that was sent is there, and the graph is theirs; events that were sent twice are kept twice."""
    with closing(Neo4jStore(neo4j.url)) as store:
        truth.add_bodies((Counter(list_bodies(store)) - Counter(truth.events)).elements())
        assert set(truth.events) == set(sent)
        check_store(store, truth)
        assert store.complete_projection()
        assert read_drawing(neo4j) == build_drawing(list_heads(store))
    check_answers(server, truth, truth.list_datasets()[:3])
    check_oracle(server, sent)


def test_gone_and_back(own_neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    """Killed, and then frozen, while events come in."""
    own_neo4j.wipe()
    traffic, sent = generate_bodies(seed), []
    with closing(Truth()) as truth, run_server(own_neo4j.url, tmp_path / "server.log", refresh_seconds=0.2) as server:
        for kind in ("kill", "freeze"):
            sent += (found := list(islice(traffic, EVENTS)))
            assert post_events(server, found).refused == []
            pid = read_pid(own_neo4j)
            os.kill(pid, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
            sent += (found := list(islice(traffic, CONNECTIONS)))
            if kind == "kill":
                wait_until_gone(own_neo4j)
                posted = post_events(server, found)
                assert len(posted.refused) == len(found)
                assert send_request(server.port, "GET", "/readyz").status == 503
                assert send_request(server.port, "GET", "/healthz").status == 200
                own_neo4j.start()
            else:
                posting = Posted()

                async def post_while_frozen(posting: Posted = posting, found: list[bytes] = found, pid: int = pid) -> None:
                    waiting = asyncio.create_task(posting.post(server.port, found, CONNECTIONS))
                    await asyncio.sleep(3)
                    os.kill(pid, signal.SIGCONT)
                    await waiting

                asyncio.run(post_while_frozen())
                posted = posting
            post_until_accepted(server, [body for body, _ in posted.refused])
            server.wait_until_ready()
        check_all(own_neo4j, server, truth, sent)
        assert "Traceback" not in server.log


def wait_until_gone(neo4j: Neo4jServer) -> None:
    """A killed process may still answer for some milliseconds."""
    end = time.monotonic() + BACK_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(neo4j.url.rpartition(":")[2]))).close()
        except OSError:
            return
        assert time.monotonic() < end
        time.sleep(0.01)


def read_pid(neo4j: Neo4jServer) -> int:
    assert neo4j.home is not None
    pid: int = json.loads((neo4j.home / "server.json").read_text())["pid"]
    return pid


def test_cut_at_random(neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    """Connections end in the middle of anything, and for a while there are none."""
    chance = random.Random(seed)
    traffic, sent = generate_bodies(seed), []
    with (
        closing(Truth()) as truth,
        run_proxy(neo4j) as (proxy, url),
        run_server(url, tmp_path / "server.log", refresh_seconds=0.2) as server,
    ):
        for _ in range(2):
            proxy.cut_request = proxy.cut_answer = lambda *_: chance.random() < 0.005
            sent += (found := list(islice(traffic, EVENTS)))
            refused = [body for body, _ in post_events(server, found).refused]
            proxy.refuse(refusing=True)
            sent += (found := list(islice(traffic, 1)))
            refused += [body for body, _ in post_events(server, found).refused]
            assert found[0] in refused
            proxy.refuse(refusing=False)
            proxy.cut_request = proxy.cut_answer = cut_never
            post_until_accepted(server, refused)
        server.wait_until_ready()
        assert proxy.cuts
        check_all(neo4j, server, truth, sent)
        assert "Traceback" not in HALF_MADE.sub("", server.log)


def test_the_acknowledgement_of_a_commit_is_lost(neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    """The commit is in the database, but the server cannot know it: 503; the graph shows it, and the repeated event changes nothing."""
    found = list(islice(generate_bodies(seed), 12))
    with (
        closing(Truth()) as truth,
        closing(Neo4jStore(neo4j.url)) as store,
        run_proxy(neo4j) as (proxy, url),
        run_server(url, tmp_path / "server.log", refresh_seconds=0.2) as server,
    ):
        for number, body in enumerate(found):
            revision = store.read_revision()
            lost = Lost()
            if number % 3 == 1:
                proxy.cut_request, proxy.cut_answer = lost.request, lost.answer
            posted = post_events(server, [body])
            proxy.cut_request = proxy.cut_answer = cut_never
            assert lost.lost == bool(posted.refused) == (number % 3 == 1)
            assert store.read_revision() == revision + 1, "committed once"
            assert sorted(list_bodies(store)) == sorted([*truth.events, body])
            truth.add_bodies([body])
            check_shown(server, store, truth)
            if posted.refused:
                assert post_events(server, [body]).refused == []
                truth.add_bodies([body])
        check_all(neo4j, server, truth, found)


def check_shown(server: Server, store: Neo4jStore, truth: Truth) -> None:
    """The server has followed, and answers as the truth does."""
    end = time.monotonic() + BACK_SECONDS
    while send_request(server.port, "GET", "/readyz").json.get("revision") != store.read_revision():
        assert time.monotonic() < end, "it does not follow"
        time.sleep(0.05)
    check_answers(server, truth, truth.list_datasets()[:2])


class Lost:
    """Cuts a connection when the commit of its event is answered: once."""

    def __init__(self) -> None:
        self.adding: socket.socket | None = None
        self.committing: socket.socket | None = None
        self.lost = False

    def request(self, client: socket.socket, data: bytes) -> bool:
        if EVENT in data:
            self.adding = client
        if client is self.adding and data.endswith(COMMIT):
            self.committing = client
        return False

    def answer(self, client: socket.socket, _data: bytes) -> bool:
        if client is not self.committing or self.lost:
            return False
        self.lost = True
        return True
