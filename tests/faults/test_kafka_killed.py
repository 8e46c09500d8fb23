"""`kill -9` of a server that consumes from Kafka, again and again: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import itertools
import random
import re
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from meshline.graph.store.factory import open_store
from tests.faults import wire
from tests.faults.served import Nursery, Server, open_nursery
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_store, list_bodies
from tests.kafka import KafkaBroker, headers_of
from tests.servers import Neo4jServer
from tests.sizes import choose_size

pytestmark = pytest.mark.server

EVENTS = choose_size(1_200, 6_000)
POISON = 40
PARTITIONS = 3


def draw_messages(seed: int) -> tuple[list[bytes], list[bytes]]:
    """What is sent, in order, and which of it are events."""
    chance = random.Random(seed)
    good = list(itertools.islice(generate_bodies(seed), EVENTS))
    mixed = list(good)
    for number in range(POISON):
        mixed.insert(chance.randrange(len(mixed)), b"poison %d" % number)
    return mixed, good


class Trial:
    def __init__(self, kafka: KafkaBroker, store: str, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.topic = kafka.topic(PARTITIONS)
        self.store = store
        self.folder = folder
        self.chance = random.Random(seed)
        self.mixed, self.good = draw_messages(seed)
        for name, value in {"KAFKA": kafka.servers, "KAFKA_TOPIC": self.topic.name, "KAFKA_CONFIG": self.write_config()}.items():
            monkeypatch.setenv(f"MESHLINE_{name}", value)

    def write_config(self) -> str:
        """So that who follows on one that was killed takes its place at once, and need not wait until that is missed."""
        file = self.folder / "client.properties"
        file.write_text("group.instance.id=the-only-one\nsession.timeout.ms=6000\n")
        return str(file)

    def run(self, kills: int) -> None:
        sender = threading.Thread(target=self.send, daemon=True)
        with open_nursery(self.folder) as servers:
            sender.start()
            for _ in range(kills):
                server = servers.start(self.store)
                server.wait_until_listening()
                server.wait_until_ready()
                time.sleep(self.chance.uniform(0, 2))
                server.kill()
                servers.wait()
            sender.join()
            self.finish(servers)
        with closing(open_store(self.store)) as store:
            assert Counter(list_bodies(store)) == Counter(self.good)
            truth = Truth()
            truth.add_bodies(self.good)
            check_store(store, truth)
            truth.close()
        letters = self.topic.dead_letters(POISON)
        assert {letter.value() for letter in letters} == {b"poison %d" % number for number in range(POISON)}
        assert all(headers_of(letter)["meshline.error"].startswith(b"$: not JSON") for letter in letters)

    def send(self) -> None:
        """Over about as long as the server is killed."""
        for begin in range(0, len(self.mixed), 100):
            self.topic.send(self.mixed[begin : begin + 100])
            time.sleep(0.5)

    def finish(self, servers: Nursery) -> None:
        """The last server takes what is left, and stops politely."""
        server = servers.start(self.store)
        server.wait_until_listening()
        server.wait_until_ready()
        end = time.monotonic() + 120
        while sum(self.topic.committed().values()) < len(self.mixed) or read_lag(server) != [0] * PARTITIONS:
            assert time.monotonic() < end, (self.topic.committed(), server.log[-3000:])
            time.sleep(0.2)
        server.terminate()
        servers.wait()
        assert "Traceback" not in server.log, server.log[-5000:]


def read_lag(server: Server) -> list[int]:
    """Of each partition, as an operator sees it."""
    text = wire.send_request(server.port, "GET", "/metrics").body.decode()
    return [int(float(number)) for number in re.findall(r'^meshline_kafka_lag_messages\{partition="\d+"\} (\S+)', text, re.MULTILINE)]


def test_sqlite(kafka: KafkaBroker, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Trial(kafka, f"sqlite:///{tmp_path / 'mesh.db'}", tmp_path, seed, monkeypatch).run(kills=choose_size(3, 40))


def test_neo4j(kafka: KafkaBroker, neo4j: Neo4jServer, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Trial(kafka, neo4j.url, tmp_path, seed, monkeypatch).run(kills=choose_size(2, 20))
