"""How Kafka is reached."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from meshline.errors import InvalidInput
from meshline.ingest.java_properties import parse_properties

log = logging.getLogger("meshline.ingest")

MAX_BYTES = 2**20  # of a properties file
_CLIENT = {"client.id": "meshline", "log_level": 0}  # what is wrong is told to `error_cb`, once; its log repeats it every second


class Subscription(NamedTuple):
    """What is consumed. `servers`: where Kafka is found. `properties`: librdkafka's, e.g. how to log in; they may be secret.
    `max_bytes`: of one message.
    """

    servers: str
    topic: str
    group: str
    properties: Mapping[str, str] = {}
    max_bytes: int = 32 * 2**20

    @property
    def dead_letters(self) -> str:
        """The topic of what cannot be taken."""
        return f"{self.topic}.dead-letter"

    def build_client_config(self) -> dict[str, Any]:
        """The configuration that all clients share."""
        return {**_CLIENT, **self.properties, "bootstrap.servers": self.servers, "error_cb": ConnectionErrorLog(self.servers)}


class ConnectionErrorLog:
    """Logs what is wrong with the connection when it begins to be."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._logged: set[int] = set()

    def __call__(self, error: KafkaError) -> None:
        if error.code() not in self._logged:
            self._logged.add(error.code())
            log.warning("Kafka at %s: %s", self._servers, error.str())


def read_properties(path: Path) -> dict[str, str]:
    """A properties file. Raises InvalidInput."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"it has more than {MAX_BYTES} bytes", str(path))
        return {key: value for _, key, value in parse_properties(data.decode("utf-8-sig"))}
    except OSError as error:
        raise InvalidInput(f"it cannot be read: {error.strerror or error}", str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput("it is no UTF-8; save the file as UTF-8", str(path)) from error


def format_error(error: KafkaException, subscription: Subscription) -> str:
    """What Kafka's client says, without the values of properties."""
    first = error.args[0] if error.args else error
    text = first.str() if isinstance(first, KafkaError) else str(first)
    for value in subscription.properties.values():
        if len(value) > 3:
            text = text.replace(value, "***")
    return text
