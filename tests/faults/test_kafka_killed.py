"""`kill -9` of servers that consume from Kafka, again and again: nothing is lost, and nothing is there twice.

One server after the other on one store, or four at once over one Neo4j, which share a topic's partitions.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from meshline.graph.store.factory import open_store
from meshline.graph.store.neo4j import Neo4jStore
from tests.faults import wire
from tests.faults.served import Nursery, Server, Started, open_nursery
from tests.faults.traffic import generate_bodies
from tests.faults.truth import Truth, check_answers, check_store, list_bodies, sample_datasets
from tests.kafka import KafkaBroker, Topic, headers_of
from tests.servers import Neo4jServer
from tests.sizes import choose_size
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import list_heads

pytestmark = pytest.mark.server

EVENTS = choose_size(1_200, 6_000)
POISON = 40
PARTITIONS = 3
SERVERS = 4  # at once, over as many partitions


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
        check_letters(self.topic)

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
        while sum(self.topic.committed().values()) < len(self.mixed) or read_lags(server) != dict.fromkeys(range(PARTITIONS), 0):
            assert time.monotonic() < end, (self.topic.committed(), server.log[-3000:])
            time.sleep(0.2)
        server.terminate()
        servers.wait()
        check_log(server)


class Consumers:
    """Four servers in one group. One that was killed takes its partitions again if it has an id of its own in the group; the others give
    theirs to the rest, after a time or when the server that follows joins.
    """

    def __init__(self, broker: str, topic: Topic, store: str, folder: Path) -> None:
        self._folder = folder
        self._store = store
        self._settings = {"MESHLINE_KAFKA": broker, "MESHLINE_KAFKA_TOPIC": topic.name}
        self.running: dict[int, Started] = {}

    def start(self, place: int) -> None:
        config = self._folder / f"client-{place}.properties"
        config.write_text("session.timeout.ms=6000\n" + (f"group.instance.id=consumer-{place}\n" if place % 2 else ""))
        arguments = ["serve", "--store", self._store, "--port", "0"]
        settings = {**self._settings, "MESHLINE_KAFKA_CONFIG": str(config)}
        self.running[place] = Started(self._folder / f"server-{place}.log", arguments, settings)

    def wait_until_ready(self, place: int) -> None:
        self.running[place].wait_until_listening()
        self.running[place].wait_until_ready()

    def kill(self, place: int) -> None:
        server = self.running.pop(place)
        server.kill()
        server.wait()
        check_log(server)

    def stop(self) -> None:
        """Politely, all of them."""
        for server in self.running.values():
            server.terminate()
        for server in self.running.values():
            server.wait()
            check_log(server)
        self.running.clear()

    def close(self) -> None:
        for server in self.running.values():
            server.kill()
            server.wait()


class FanIn:
    """Half of the jobs have keys as of OpenLineage's clients, so that each is in one partition. The events of the others, and so those of
    one run, are in any partition, and are ingested by several servers at once.
    """

    def __init__(self, kafka: KafkaBroker, neo4j: Neo4jServer, folder: Path, seed: int) -> None:
        self.topic = kafka.topic(SERVERS)
        self.neo4j = neo4j
        self.chance = random.Random(seed)
        self.mixed, self.good = draw_messages(seed)
        self.keys = [find_key(body) for body in self.mixed]
        self.consumers = Consumers(kafka.servers, self.topic, neo4j.url, folder)

    def run(self, kills: int) -> None:
        share = -(-len(self.mixed) // kills)
        with closing(self.consumers), closing(Neo4jStore(self.neo4j.url)) as store:
            for place in range(SERVERS):
                self.consumers.start(place)
            for begin in range(0, len(self.mixed), share):
                place = self.chance.randrange(SERVERS)
                self.consumers.wait_until_ready(place)
                self.topic.send(self.mixed[begin : begin + share], self.keys[begin : begin + share])
                time.sleep(self.chance.uniform(0, 2))
                self.consumers.kill(place)
                self.check_offsets(store)
                time.sleep(self.chance.choice((0, 0, 1, 8)))  # in the longest of these pauses others take the partitions
                self.consumers.start(place)
            self.finish(store)
            self.check(store)

    def check_offsets(self, store: Neo4jStore) -> None:
        """Kafka knows of nothing that is not durable: the offsets are read first, and positions only grow."""
        for partition, offset in self.topic.committed().items():
            assert offset <= self.read_position(store, partition), partition

    def read_position(self, store: Neo4jStore, partition: int) -> int:
        return int((store.read_setting(f"kafka:meshline:{self.topic.name}:{partition}") or "- 0").split()[1])

    def finish(self, store: Neo4jStore) -> None:
        """All servers take what is left, answer alike, and stop politely."""
        servers = [self.consumers.running[place] for place in range(SERVERS)]
        for place in range(SERVERS):
            self.consumers.wait_until_ready(place)
        end = time.monotonic() + 240
        while sum(self.topic.committed().values()) < len(self.mixed):
            assert time.monotonic() < end, (self.topic.committed(), [self.read_position(store, number) for number in range(SERVERS)])
            time.sleep(0.2)
        self.check_offsets(store)
        while any(wire.send_request(server.port, "GET", "/readyz").json.get("revision") != store.read_revision() for server in servers):
            assert time.monotonic() < end, "a server does not follow"
            time.sleep(0.2)
        with closing(Truth()) as truth:
            truth.add_bodies(self.good)
            for server in servers:
                check_answers(server, truth, sample_datasets(self.chance, truth, 2))
        while sorted(partition for server in servers for partition in read_lags(server)) != list(range(SERVERS)):
            assert time.monotonic() < end, "each partition has one server, once none of them joins or leaves"
            time.sleep(0.2)
        self.consumers.stop()

    def check(self, store: Neo4jStore) -> None:
        kept = list_bodies(store)
        assert Counter(kept) == Counter(self.good)
        keys = dict(zip(self.mixed, self.keys, strict=True))
        for key in sorted({key for key in self.keys if key is not None}):
            assert [body for body in kept if keys[body] == key] == [body for body in self.good if keys[body] == key], "the order of a job"
        with closing(Truth()) as truth:
            truth.add_bodies(self.good)
            check_store(store, truth)
        assert store.complete_projection()
        assert read_drawing(self.neo4j) == build_drawing(list_heads(store))
        check_letters(self.topic)


def find_key(body: bytes) -> str | None:
    """The key that OpenLineage's clients give an event; None for half of the jobs, for datasets and for what is no event."""
    if body.startswith(b"poison"):
        return None
    job = json.loads(body).get("job")
    key = None if job is None else f"run:{job['namespace']}/{job['name']}"
    return key if key and zlib.crc32(key.encode()) % 2 else None


def check_letters(topic: Topic) -> None:
    """What is bad became dead letters, perhaps more than once, and nothing else."""
    letters = topic.dead_letters(POISON)
    assert {letter.value() for letter in letters} == {b"poison %d" % number for number in range(POISON)}
    assert all(headers_of(letter)["meshline.error"].startswith(b"$: not JSON") for letter in letters)


def check_log(server: Server) -> None:
    assert "Traceback" not in server.log, server.log[-5000:]


def read_lags(server: Server) -> dict[int, int]:
    """Of each partition of a server, as an operator sees it."""
    text = wire.send_request(server.port, "GET", "/metrics").body.decode()
    found = re.findall(r'^meshline_kafka_lag_messages\{partition="(\d+)"\} (\S+)', text, re.MULTILINE)
    return {int(partition): int(float(number)) for partition, number in found}


def test_sqlite(kafka: KafkaBroker, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Trial(kafka, f"sqlite:///{tmp_path / 'mesh.db'}", tmp_path, seed, monkeypatch).run(kills=choose_size(3, 40))


def test_neo4j(kafka: KafkaBroker, neo4j: Neo4jServer, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Trial(kafka, neo4j.url, tmp_path, seed, monkeypatch).run(kills=choose_size(2, 20))


def test_four_servers_over_one_neo4j(kafka: KafkaBroker, neo4j: Neo4jServer, tmp_path: Path, seed: int) -> None:
    FanIn(kafka, neo4j, tmp_path, seed).run(kills=choose_size(5, 30))
