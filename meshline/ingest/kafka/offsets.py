"""The finished messages of a round, and the durable position of each partition, which the store writes together with the events.

Kafka's own offsets are committed later than the store, so after a crash they are behind: events that are
delivered again would be stored twice. A store that was restored from a backup, in turn, is behind Kafka.
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
    """The positions of a topic in the store: by partition, the offset of the next message."""

    def __init__(self, store: Store, subscription: Subscription) -> None:
        self._store = store
        self._subscription = subscription
        self._topic_id = "-"  # a topic that was deleted and created again starts at its beginning

    def read_offsets(self, partitions: Iterable[int]) -> dict[int, int]:
        """The positions of these partitions, as far as the store has one. Raises StoreUnavailable, KafkaException."""
        self._topic_id = self._read_topic_id()
        found: dict[int, int] = {}
        for partition in partitions:
            topic_id, _, offset = (self._store.read_setting(self._name_setting(partition)) or "").partition(" ")
            if topic_id == self._topic_id and offset.isdigit():
                found[partition] = int(offset)
        return found

    def build_mark(self, partition: int, offset: int) -> tuple[str, str]:
        """The setting (name, value) that records that a message and all before it are durable."""
        return self._name_setting(partition), f"{self._topic_id} {offset + 1}"

    def write_offset(self, partition: int, offset: int) -> None:
        """Write that setting now. Raises StoreUnavailable."""
        self._store.write_setting(*self.build_mark(partition, offset))

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
            return "-"  # the topic cannot be described: an old broker, or missing rights


@dataclass
class Item:
    """A message. `known`: it was durable before. `refused`: why it cannot be ingested; `buried`: it was written as a dead letter.

    `answer`: the future of the pipeline.
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
        """Whether the pipeline has acknowledged the message."""
        return self.answer is not None and self.answer.done() and self.answer.exception() is None

    @property
    def is_finished(self) -> bool:
        """Whether the message is durable or a dead letter, so that its offset may be committed."""
        return self.known or self.buried or self.is_written


def find_finished_offsets(items: Iterable[Item]) -> dict[int, int]:
    """By partition, the offset after the leading messages that are finished."""
    offsets: dict[int, int] = {}
    open_: set[int] = set()
    for item in items:
        if not item.is_finished:
            open_.add(item.partition)
        elif item.partition not in open_:
            offsets[item.partition] = item.offset + 1
    return offsets


def wait_for_answers(items: Iterable[Item], seconds: float, partitions: Collection[int] | None = None) -> None:
    """Wait at most `seconds` until the pipeline has answered for these items. `partitions`: only for items of these."""
    futures.wait(
        [item.answer for item in items if item.answer is not None and (partitions is None or item.partition in partitions)], seconds
    )
