"""OpenLineage events from a Kafka topic: `consumer` takes them in a group, in `rounds`, each once; `letters` keeps what cannot be taken."""

from meshline.ingest.kafka.connecting import Subscription, read_properties
from meshline.ingest.kafka.consumer import EventConsumer, check
from meshline.ingest.kafka.observing import OUTCOMES, Observer

__all__ = ["OUTCOMES", "EventConsumer", "Observer", "Subscription", "check", "read_properties"]
