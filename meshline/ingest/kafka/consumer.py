"""Takes the events of a topic in a consumer group.

A round takes a few hundred messages, hands them to the pipeline as one, waits until they are durable, and then
commits their offsets. The store keeps the position in the same transaction as the events, and a consumer begins
there, so nothing is lost and nothing is kept twice, whenever a process is killed. Only a consumer that Kafka
takes for dead while it still writes may write what its successor writes, too; the graph is the same then.
"""

from __future__ import annotations

import logging
import threading

from confluent_kafka import Consumer, KafkaException

from meshline.errors import InvalidInput, MeshlineError
from meshline.graph.store.base import Store
from meshline.ingest.kafka.connecting import Subscription, plain
from meshline.ingest.kafka.observing import Observer
from meshline.ingest.kafka.positions import Positions
from meshline.ingest.kafka.rounds import RETRY_SECONDS, Rounds
from meshline.ingest.pipeline import Pipeline

log = logging.getLogger("meshline.ingest")


class EventConsumer:
    """Owns a thread that consumes until it is stopped, and begins again after whatever fails."""

    def __init__(self, subscription: Subscription, pipeline: Pipeline, store: Store, source: str, observer: Observer) -> None:
        self._subscription = subscription
        self._rounds = Rounds(subscription, pipeline, source, Positions(store, subscription), observer)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshline-kafka", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after what was taken is durable and Kafka knows of it, or cannot be told."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._rounds.consume(_consumer(self._subscription), self._stopping)
            except KafkaException as error:
                log.warning("Kafka is not consumed: %s; trying again", plain(error, self._subscription))
            except MeshlineError as error:
                log.warning("Kafka is not consumed: %s; trying again", error)
            except Exception:
                log.exception("Kafka is not consumed; trying again")
            if self._stopping.wait(RETRY_SECONDS):
                return


def check(subscription: Subscription) -> None:
    """Raises InvalidInput if Kafka's client does not accept the subscription's properties."""
    _consumer(subscription).close()


def _consumer(subscription: Subscription) -> Consumer:
    config = {
        "queued.max.messages.kbytes": 65_536,
        **subscription.client(),
        "group.id": subscription.group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "cooperative-sticky",
    }
    try:
        return Consumer(config)
    except KafkaException as error:
        raise InvalidInput(plain(error, subscription), "kafka") from error
