"""Consuming from Kafka, as the settings say; its client is imported only if there is something to consume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshline.api.settings import Settings
from meshline.errors import required_extra
from meshline.graph.store.base import Store
from meshline.ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from meshline.ingest.kafka import EventConsumer, Subscription
    from meshline.ingest.kafka import Observer as KafkaObserver


def subscription(settings: Settings) -> Subscription | None:
    """What is to be consumed, if anything. Raises InvalidInput if it cannot be, MissingExtra."""
    if settings.kafka is None:
        return None
    with required_extra("kafka", "consuming from Kafka"):
        from meshline.ingest.kafka import Subscription, check, read_properties  # noqa: PLC0415
    properties = {} if settings.kafka_config is None else read_properties(settings.kafka_config)
    found = Subscription(settings.kafka, settings.kafka_topic, settings.kafka_group, properties, settings.max_body_bytes)
    check(found)
    return found


def consumer(
    wanted: Subscription | None, settings: Settings, pipeline: Pipeline, store: Store, observer: KafkaObserver
) -> EventConsumer | None:
    """What consumes it, when it is started."""
    if wanted is None:
        return None
    from meshline.ingest.kafka import EventConsumer  # noqa: PLC0415

    return EventConsumer(wanted, pipeline, store, settings.source, observer)
