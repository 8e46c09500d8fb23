"""The dead-letter topic: messages that cannot be ingested, unchanged, with the reason in their headers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from meshline.ingest.kafka.client_config import Subscription

log = logging.getLogger("meshline.ingest")

_SECONDS = 10.0
_LARGEST = 1_000_000_000  # what librdkafka accepts at most: the broker decides


class DeadLetter(NamedTuple):
    """A message and the reason why it cannot be ingested."""

    message: Message
    reason: str


class DeadLetters:
    """Writes dead letters. The producer is opened for the first one."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._producer: Producer | None = None

    def send(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Write dead letters; returns those that could not be written. Takes about ten seconds at most."""
        producer = self._producer = self._producer or self._open_producer()
        failed: dict[int, KafkaError] = {}
        for number, letter in enumerate(letters):
            self._produce_letter(producer, letter, number, failed, with_value=True)
        producer.flush(_SECONDS + 2)
        large = [number for number, error in failed.items() if error.code() == KafkaError.MSG_SIZE_TOO_LARGE]
        for number in large:  # the headers made the message too large
            del failed[number]
            self._produce_letter(producer, letters[number], number, failed, with_value=False)
        producer.flush(_SECONDS + 2)
        if failed:
            reason = next(iter(failed.values())).str()
            log.warning("%d messages cannot be written to %s: %s", len(failed), self._subscription.dead_letters, reason)
        return [letters[number] for number in sorted(failed)]

    def _open_producer(self) -> Producer:
        config, topic = self._subscription.build_client_config(), self._subscription.dead_letters
        admin = AdminClient(config)
        with suppress(KafkaException):  # it exists already, or this client may not create topics
            admin.create_topics([NewTopic(topic, 1)])[topic].result(_SECONDS)
        limits = {"message.timeout.ms": int(_SECONDS * 1000), "message.max.bytes": _LARGEST}
        return Producer({**config, **limits, "enable.idempotence": True})

    def _produce_letter(
        self, producer: Producer, letter: DeadLetter, number: int, failed: dict[int, KafkaError], *, with_value: bool
    ) -> None:
        def record_failure(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed[number] = error

        message = letter.message
        headers = [
            *(message.headers() or ()),
            ("meshline.error", letter.reason.encode()),
            ("meshline.topic", str(message.topic()).encode()),
            ("meshline.partition", str(message.partition()).encode()),
            ("meshline.offset", str(message.offset()).encode()),
        ]
        if not with_value:
            headers.append(("meshline.value", b"left out: with these headers it was too large"))
        while True:
            try:
                producer.produce(
                    self._subscription.dead_letters,
                    message.value() if with_value else None,
                    message.key(),
                    on_delivery=record_failure,
                    timestamp=max(message.timestamp()[1], 0),
                    headers=headers,
                )
            except BufferError:
                producer.poll(1)
            except KafkaException as error:
                failed[number] = error.args[0]
                return
            else:
                return
