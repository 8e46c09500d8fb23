"""A real Kafka broker for tests, started once for a file; each test has topics of its own. Nothing here is skipped."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "servers" / "kafka.py"
BY_KEY = -1  # in place of a partition: Kafka's client chooses it


class KafkaBroker:
    """A broker that may be killed and started again, with the same data at the same address."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.servers = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.servers = self._process.stdout.readline().strip()
        if not self.servers:
            pytest.fail(self._process.stderr.read().strip(), pytrace=False)

    def stop(self) -> None:
        """Politely, and wait until it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.communicate(timeout=120)
        self._process = None

    def topic(self, partitions: int = 1) -> Topic:
        """A new topic."""
        name = f"events-{uuid.uuid4().hex[:12]}"
        topic = Topic(self.servers, name, partitions)
        topic.make()
        return topic


class Topic(NamedTuple):
    """A topic, as its producers and an operator see it."""

    servers: str
    name: str
    partitions: int

    def send(self, bodies: Sequence[bytes | None], keys: Sequence[str | None] = ()) -> None:
        """Messages where their `keys` belong, without keys in turn over the partitions; durable when this returns."""
        failed: list[object] = []
        producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 5})
        for number, (body, key) in enumerate(itertools.zip_longest(bodies, keys)):
            producer.produce(
                self.name,
                body,
                key=key or f"run:pipeline/{number}",
                partition=number % self.partitions if key is None else BY_KEY,
                headers=[("source", b"test")],
                on_delivery=lambda error, _: failed.append(error) if error is not None else None,
            )
            if number % 1000 == 999:
                producer.flush(60)
        assert producer.flush(60) == 0
        assert failed == []

    def committed(self, group: str = "meshline") -> dict[int, int]:
        """The offsets that a group has committed."""
        with closing(self._consumer(group)) as consumer:
            found = consumer.committed([TopicPartition(self.name, number) for number in range(self.partitions)], timeout=60)
        return {partition.partition: partition.offset for partition in found if partition.offset >= 0}

    def commit(self, offset: int, group: str = "meshline") -> None:
        """Set a group's offsets, as an operator resets them."""
        with closing(self._consumer(group)) as consumer:
            offsets = [TopicPartition(self.name, number, offset) for number in range(self.partitions)]
            consumer.commit(offsets=offsets, asynchronous=False)

    def dead_letters(self, number: int, seconds: float = 60) -> list[Message]:
        """All there are, at least `number`."""
        return self.letters.read_messages(number, seconds)

    def read_messages(self, number: int, seconds: float = 60) -> list[Message]:
        """All there are, at least `number`."""
        found: list[Message] = []
        with closing(self._consumer(uuid.uuid4().hex)) as consumer:
            consumer.assign([TopicPartition(self.name, partition, 0) for partition in range(self.partitions)])
            while len(found) < number and (message := consumer.poll(seconds)) is not None:
                if message.error() is None:
                    found.append(message)
            while (message := consumer.poll(1)) is not None:
                found.append(message)
        return found

    @property
    def letters(self) -> Topic:
        """Its dead-letter topic."""
        return Topic(self.servers, f"{self.name}.dead-letter", 1)

    def make(self, **config: str) -> None:
        admin = self._admin()
        new = NewTopic(self.name, self.partitions, 1, config={name.replace("_", "."): value for name, value in config.items()})
        admin.create_topics([new])[self.name].result(60)

    def delete(self) -> None:
        admin = self._admin()
        admin.delete_topics([self.name])[self.name].result(60)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers})

    def _consumer(self, group: str) -> Consumer:
        rest = {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
        return Consumer({"bootstrap.servers": self.servers, "group.id": group, **rest})


def headers_of(message: Message) -> dict[str, bytes]:
    headers: Any = message.headers() or []  # declared as more than it can be
    return dict(headers)


def kafka_broker(home: Path) -> Iterator[KafkaBroker]:
    """For a fixture of the session."""
    broker = KafkaBroker(home)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(home)
