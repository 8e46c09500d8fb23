"""Which messages of a round are finished, and how far a group's partitions are durable: the store keeps that together with the events.

Kafka's own committed offsets come later than the store's commit, so after a crash they are behind: what
was delivered again would be kept twice. And a store that was restored from a backup is behind them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent import futures
from dataclasses import dataclass

from confluent_kafka import KafkaException, Message, TopicCollection
from confluent_kafka.admin import AdminClient

from meshline.graph.store.base import Store
from meshline.ingest.kafka.client_config import Subscription
from meshline.ingest.pipeline import Accepted

_SECONDS = 10


class Positions:
    """A topic's positions: the offset of the message that comes next, by partition."""

    def __init__(self, store: Store, subscription: Subscription) -> None:
        self._store = store
        self._subscription = subscription
        self._topic_id = "-"  # a topic that was deleted and made again begins anew

    def read_offsets(self, partitions: Iterable[int]) -> dict[int, int]:
        """Those that are known. Raises StoreUnavailable, KafkaException."""
        self._topic_id = self._read_topic_id()
        found: dict[int, int] = {}
        for partition in partitions:
            topic_id, _, offset = (self._store.read_setting(self._name_setting(partition)) or "").partition(" ")
            if topic_id == self._topic_id and offset.isdigit():
                found[partition] = int(offset)
        return found

    def build_mark(self, partition: int, offset: int) -> tuple[str, str]:
        """The setting that says that a message, and all before it, are durable."""
        return self._name_setting(partition), f"{self._topic_id} {offset + 1}"

    def write_offset(self, partition: int, offset: int) -> None:
        """Set that setting now. Raises StoreUnavailable."""
        self._store.read_setting(*self.build_mark(partition, offset))

    def _name_setting(self, partition: int) -> str:
        return f"kafka:{self._subscription.group}:{self._subscription.topic}:{partition}"

    def _read_topic_id(self) -> str:
        admin = AdminClient(self._subscription.build_client_config())
        topic = self._subscription.topic
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic]
        try:
            return str(described.result(_SECONDS + 1).topic_id)
        except KafkaException as error:
            if error.args[0].retriable():
                raise
            return "-"  # it may not be described: old brokers, missing rights


@dataclass
class Item:
    """A message. `known`: durable since before. `refused`: why it cannot be taken; then it is `buried` once it is a dead letter.
    `answer`: of the pipeline.
    """

    message: Message
    partition: int
    offset: int
    body: bytes
    known: bool = False
    refused: Exception | None = None
    buried: bool = False
    answer: futures.Future[Accepted] | None = None

    @property
    def is_written(self) -> bool:
        return self.answer is not None and self.answer.done() and self.answer.exception() is None

    @property
    def is_finished(self) -> bool:
        return self.known or self.buried or self.is_written


def find_finished_offsets(items: Iterable[Item]) -> dict[int, int]:
    """By partition, the offset after the last message before which all are finished."""
    offsets: dict[int, int] = {}
    open_: set[int] = set()
    for item in items:
        if not item.is_finished:
            open_.add(item.partition)
        elif item.partition not in open_:
            offsets[item.partition] = item.offset + 1
    return offsets


def wait_for_answers(items: Iterable[Item], seconds: float, partitions: Collection[int] | None = None) -> None:
    """Wait until the pipeline has answered (for those of some partitions only)."""
    futures.wait(
        [item.answer for item in items if item.answer is not None and (partitions is None or item.partition in partitions)], seconds
    )
