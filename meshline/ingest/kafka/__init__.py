"""OpenLineage events from a Kafka topic: `consumer` ingests each once, in a group; `dead_letters` keeps what cannot be ingested."""

from meshline.ingest.kafka.client_config import Subscription, read_properties
from meshline.ingest.kafka.consumer import OUTCOMES, EventConsumer, Observer, check_subscription

__all__ = ["OUTCOMES", "EventConsumer", "Observer", "Subscription", "check_subscription", "read_properties"]
