"""How far a group's partitions are durable, kept in the store together with the events.

Kafka's own committed offsets come later than the store's commit, so after a crash they are behind: what
was delivered again would be kept twice. And a store that was restored from a backup is behind them.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from meshline.graph.store.base import Store
from meshline.ingest.kafka.connecting import Subscription

_SECONDS = 10


class Positions:
    """A topic's positions: the offset of the message that comes next, by partition."""

    def __init__(self, store: Store, subscription: Subscription) -> None:
        self._store = store
        self._subscription = subscription
        self._topic_id = "-"  # a topic that was deleted and made again begins anew

    def of(self, partitions: Iterable[int]) -> dict[int, int]:
        """Those that are known. Raises StoreUnavailable, KafkaException."""
        self._topic_id = self._id()
        found: dict[int, int] = {}
        for partition in partitions:
            topic_id, _, offset = (self._store.setting(self._name(partition)) or "").partition(" ")
            if topic_id == self._topic_id and offset.isdigit():
                found[partition] = int(offset)
        return found

    def mark(self, partition: int, offset: int) -> tuple[str, str]:
        """The setting that says that a message, and all before it, are durable."""
        return self._name(partition), f"{self._topic_id} {offset + 1}"

    def put(self, partition: int, offset: int) -> None:
        """Set that setting now. Raises StoreUnavailable."""
        self._store.setting(*self.mark(partition, offset))

    def _name(self, partition: int) -> str:
        return f"kafka:{self._subscription.group}:{self._subscription.topic}:{partition}"

    def _id(self) -> str:
        admin = AdminClient(self._subscription.client())
        topic = self._subscription.topic
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_SECONDS)[topic]
        try:
            return str(described.result(_SECONDS + 1).topic_id)
        except KafkaException as error:
            if error.args[0].retriable():
                raise
            return "-"  # it may not be described: old brokers, missing rights
