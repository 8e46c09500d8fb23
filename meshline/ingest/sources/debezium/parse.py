"""Files of connector configs -> configs, in all the forms in which they are stored.

`{"name": ..., "config": {...}}` and flat JSON as Kafka Connect's REST API accepts them, lists of these, the answer of
`GET /connectors?expand=info`, Strimzi's KafkaConnector, and properties files (also those of Debezium Server).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, decode_text, parse_yaml
from meshline.ingest.java_properties import parse_properties

MAX_CONNECTORS = 1_000

_SERVER = "debezium.source."  # begins the connector's keys in Debezium Server's properties
_SERVER_OTHERS = re.compile(r"debezium\.((transforms|predicates)\b.*)")
_SERVER_BROKER = "debezium.sink.kafka.producer.bootstrap.servers"


class ConnectorConfig(NamedTuple):
    """The config of one connector. `places`: `file:line` of its keys. Values may be secret and must not occur in messages."""

    name: str
    values: Mapping[str, str]
    place: str
    places: Mapping[str, str]

    def locate(self, key: str) -> str:
        """The place of a key: `file:line: key`."""
        return f"{self.places.get(key, self.place)}: {key}"

    def find_value(self, *keys: str) -> str:
        """The value of the first of these keys that has one, else an empty text; the later keys are older names of the first."""
        return next((found for key in keys if (found := self.values.get(key, "").strip())), "")

    def find_key(self, *keys: str) -> str:
        """The first of these keys that has a value; the first key if none has."""
        return next((key for key in keys if self.values.get(key, "").strip()), keys[0])


def parse_configs(data: bytes, file: str) -> Iterator[ConnectorConfig | InvalidInput]:
    """The connectors of a file. Raises InvalidInput if the file cannot be parsed."""
    stem = FilePath(file).stem
    if FilePath(file).suffix == ".properties":
        yield _parse_properties(data, file, stem)
        return
    doc = parse_yaml(data, file)
    for number, (name, value, path) in enumerate(_list_connectors(doc.value, (), stem)):
        if number >= MAX_CONNECTORS:
            yield InvalidInput(f"the file has more than {MAX_CONNECTORS} connectors", file)
            return
        yield _parse_config(doc, name, value, path)


def _list_connectors(value: Json, path: Path, name: str) -> Iterator[tuple[str, Json, Path]]:
    """(name, settings, path of the settings) of all connectors in a document."""
    if isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _list_connectors(one, (*path, number), f"{name}-{number + 1}")
    elif not isinstance(value, dict) or "connector.class" in value:
        yield name, value, path
    elif isinstance(spec := value.get("spec"), dict):  # Strimzi
        metadata = value.get("metadata")
        called = metadata.get("name") if isinstance(metadata, dict) else None
        settings = spec.get("config")
        settings = settings if isinstance(settings, dict) else {}
        yield str(called or name), {"connector.class": spec.get("class"), **settings}, (*path, "spec", "config")
    elif "config" in value:
        yield str(value.get("name") or name), value["config"], (*path, "config")
    elif value and all(isinstance(one, dict) and ("info" in one or "config" in one) for one in value.values()):
        for key, one in value.items():
            assert isinstance(one, dict)
            yield from _list_connectors(one.get("info", one), (*path, key, "info") if "info" in one else (*path, key), key)
    else:
        yield name, value, path


def _parse_config(doc: Document, name: str, value: Json, path: Path) -> ConnectorConfig | InvalidInput:
    if not isinstance(value, dict) or "connector.class" not in value:
        return InvalidInput(
            "not a connector's config; accepted is an object with connector.class, or one with name and config", doc.format_place(path)
        )
    values: dict[str, str] = {}
    for key, one in value.items():
        if isinstance(one, (dict, list)):
            return InvalidInput(
                f"{key}: found an object or a list; accepted is a text, a number or a truth value", doc.format_place((*path, key))
            )
        if one is not None:
            values[key] = str(one).lower() if isinstance(one, bool) else str(one)
    return ConnectorConfig(
        values.get("name", name), values, doc.format_place(path), {key: doc.format_place((*path, key)) for key in values}
    )


def _parse_properties(data: bytes, file: str, stem: str) -> ConnectorConfig | InvalidInput:
    values: dict[str, str] = {}
    places: dict[str, str] = {}
    for line, key, value in parse_properties(decode_text(data, file), file):
        name = _map_server_key(key)
        values[name], places[name] = value, f"{file}:{line}"
    if "connector.class" not in values:
        return InvalidInput("not a connector's config: the key connector.class is missing", f"{file}:1")
    return ConnectorConfig(values.get("name", stem), values, f"{file}:1", places)


def _map_server_key(key: str) -> str:
    if key == _SERVER_BROKER:
        return "kafka.bootstrap.servers"
    if others := _SERVER_OTHERS.fullmatch(key):
        return others[1]
    return key.removeprefix(_SERVER)
