"""The configuration of Kafka's clients."""

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
_CLIENT = {"client.id": "meshline", "log_level": 0}  # `error_cb` logs an error once; librdkafka's own log would repeat it every second


class Subscription(NamedTuple):
    """A topic and the group that consumes it. `servers`: Kafka's bootstrap servers. `properties`: of librdkafka, e.g. credentials.

    `max_bytes`: maximum size of one message.
    """

    servers: str
    topic: str
    group: str
    properties: Mapping[str, str] = {}
    max_bytes: int = 32 * 2**20

    @property
    def dead_letters(self) -> str:
        """The topic of messages that cannot be ingested."""
        return f"{self.topic}.dead-letter"

    def build_client_config(self) -> dict[str, Any]:
        """The configuration that all clients share, as librdkafka names its properties."""
        return {**_CLIENT, **self.properties, "bootstrap.servers": self.servers, "error_cb": ConnectionErrorLog(self.servers)}


class ConnectionErrorLog:
    """Logs each kind of connection error when it first occurs."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._logged: set[int] = set()

    def __call__(self, error: KafkaError) -> None:
        if error.code() not in self._logged:
            self._logged.add(error.code())
            log.warning("Kafka at %s: %s", self._servers, error.str())


def read_properties(path: Path) -> dict[str, str]:
    """The properties of a file. Raises InvalidInput if it cannot be read, is above MAX_BYTES or is no text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"the file has more than {MAX_BYTES} bytes", str(path))
        return {key: value for _, key, value in parse_properties(data.decode("utf-8-sig"), str(path))}
    except OSError as error:
        raise InvalidInput(f"the file cannot be read: {error.strerror or error}", str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput("the file is not UTF-8; save it as UTF-8", str(path)) from error


def format_error(error: KafkaException, subscription: Subscription) -> str:
    """The message of Kafka's client, with the values of properties masked, because they may be secret."""
    first = error.args[0] if error.args else error
    text = first.str() if isinstance(first, KafkaError) else str(first)
    for value in subscription.properties.values():
        if len(value) > 3:
            text = text.replace(value, "***")
    return text
