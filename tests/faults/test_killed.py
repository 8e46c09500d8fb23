"""`kill -9` of the server at random moments, again and again, on one store that grows."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from meshline.graph.store.factory import open_store
from meshline.graph.store.neo4j import Neo4jStore
from tests.faults.served import Nursery, Server, open_nursery
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_oracle, check_store, list_raw_events, sample_datasets
from tests.faults.wire import Posted
from tests.forked_program import find_program
from tests.servers import Neo4jServer
from tests.sizes import choose_size
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import list_heads

KILLS = choose_size(8, 130)
CONNECTIONS = (1, 8, 32)


class Life(NamedTuple):
    """How long the server lives, in seconds: from its start, or from its first event on."""

    while_starting: bool
    politely_first: bool  # SIGTERM, and the kill while it stops
    seconds: float


def draw_lives(chance: random.Random, longest: float) -> Iterator[Life]:
    for _ in range(KILLS):
        kind = chance.random()
        yield Life(kind < 0.1, kind > 0.85, chance.uniform(0, longest))


class Trial:
    """One store, its truth, and what clients know."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.url = url
        self.chance = random.Random(seed)
        self.truth = Truth()
        self.traffic = generate_bodies(seed)
        self.sent: set[bytes] = set()
        self.acknowledged: dict[bytes, int] = {}
        self.position = 0
        self.nursery: Nursery
        self.folder = folder

    def run(self, longest: float) -> None:
        with open_nursery(self.folder) as self.nursery:
            for life in draw_lives(self.chance, longest):
                server = self.nursery.start(self.url)
                if life.while_starting:
                    time.sleep(life.seconds)
                else:
                    server.wait_until_listening()
                    server.wait_until_ready()
                    self.check(server)
                    asyncio.run(self.load(server, life))
                server.kill()
                self.nursery.wait()
                assert "Traceback" not in server.log, server.log[-5000:]
            server = self.nursery.start(self.url)
            server.wait_until_listening()
            server.wait_until_ready()
            self.check(server)
            with closing(open_store(self.url)) as store:
                check_store(store, self.truth)
            check_oracle(server, self.truth.events)
            done = subprocess.run(
                [find_program(), "store", "check", "--store", self.url], capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == 0, done
            server.terminate()
            self.nursery.wait()
        self.truth.close()

    async def load(self, server: Server, life: Life) -> None:
        """Send events until the server is killed."""
        posted = Posted()
        posting = asyncio.create_task(posted.post(server.port, self.traffic, self.chance.choice(CONNECTIONS)))
        while not posted.acknowledged and not posting.done():  # noqa: ASYNC110 - of answers, not of a task
            await asyncio.sleep(0.001)
        await asyncio.sleep(life.seconds)
        if life.politely_first:
            server.terminate()
            await asyncio.sleep(self.chance.uniform(0, 0.2))
        server.kill()
        await posting
        self.sent.update(posted.sent)
        self.acknowledged.update(posted.acknowledged)
        stopping = {503} if life.politely_first else set()
        assert {answer.status for _, answer in posted.refused} <= stopping

    def check(self, server: Server) -> None:
        """All that was acknowledged is there, nothing that was never sent, nothing twice, and the graph is theirs."""
        with closing(open_store(self.url)) as store:  # not kept open: the next server is alone with what the kill left
            new = list_raw_events(store, self.position)
            revision = store.read_revision()
        self.position = new[-1].position if new else self.position
        kept = [bytes(event.event.body) for event in new]
        if kept:
            self.truth.add_bodies(kept)
        there = set(self.truth.events)
        assert len(there) == len(self.truth.events), "kept twice"
        assert there <= self.sent
        assert self.acknowledged.keys() <= there
        assert revision >= max(self.acknowledged.values(), default=0)
        check_answers(server, self.truth, sample_datasets(self.chance, self.truth, 1))


def test_sqlite(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "mesh.db"
    Trial(f"sqlite:///{path}", tmp_path, seed).run(longest=0.15)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.server
def test_neo4j(neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    Trial(neo4j.url, tmp_path, seed).run(longest=0.25)
    with closing(Neo4jStore(neo4j.url)) as store:
        assert store.complete_projection()
        assert read_drawing(neo4j) == build_drawing(list_heads(store))
