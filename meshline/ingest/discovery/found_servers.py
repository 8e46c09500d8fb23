"""Servers that configurations name: sources of a mesh file, with `${NAME}` in the place of each secret. None of them is connected to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from meshline.graph.model import Json

SECRET = re.compile(r"secret|password|passwd|token|credential|access-key|session|private|authorization|api-?key|\bauth\b", re.IGNORECASE)

_ICEBERG = re.compile(r"iceberg-rest|apache/polaris|/polaris|nessie|gravitino|unitycatalog|lakekeeper", re.IGNORECASE)
_PORTS = {"iceberg": 8181, "marquez": 5000}
_PATHS = {
    "polaris": "/api/catalog",
    "nessie": "/iceberg",
    "gravitino": "/iceberg",
    "lakekeeper": "/catalog",
    "unitycatalog": "/api/2.1/unity-catalog/iceberg",
}
_NO_SOURCE = {
    "kafka": "topics are no source; `meshline serve --kafka` takes OpenLineage events from one",
    "redpanda": "topics are no source; `meshline serve --kafka` takes OpenLineage events from one",
    "postgres": "a database is no source: what dbt, Debezium or a catalog states about it is",
    "mysql": "a database is no source: what dbt, Debezium or a catalog states about it is",
    "trino": "Trino is no source: its views are (kind sql, the text of SHOW CREATE VIEW), and the catalogs that it queries",
    "debezium": "keep the answer of GET /connectors?expand=info in a file: kind debezium reads it",
    "kafka-connect": "keep the answer of GET /connectors?expand=info in a file: kind debezium reads it",
}


class FoundServer(NamedTuple):
    """A server as a source (`keys`), or why it is none (`reason`). `secrets`: the variables that `keys` needs."""

    what: str
    keys: dict[str, Json] = {}  # noqa: RUF012 - not changed
    reason: str = ""
    secrets: tuple[str, ...] = ()


def list_compose_servers(value: Mapping[str, Json]) -> Iterator[FoundServer]:
    """The servers of a file of Docker Compose, at the ports that it publishes on this machine."""
    services = value.get("services")
    assert isinstance(services, dict)
    for name, service in sorted(services.items()):
        image = str(service.get("image", "")) if isinstance(service, dict) else ""
        if not image or not isinstance(service, dict):
            continue
        what = f"service {name} ({image})"
        kind = "iceberg" if _ICEBERG.search(image) else "marquez" if re.search(r"(^|/)marquez(:|$)", image) else ""
        if kind:
            port = _find_port(service.get("ports"), _PORTS[kind])
            if port is None:
                yield FoundServer(what, reason="it publishes no port on this machine: no address of it is known")
            elif kind == "iceberg":
                path = next((path for word, path in _PATHS.items() if word in image.lower()), "")
                yield FoundServer(what, {"kind": kind, "name": name, "uri": f"http://localhost:{port}{path}"})
            else:
                yield FoundServer(what, {"kind": kind, "name": name, "url": f"http://localhost:{port}"})
            continue
        short = image.rpartition("/")[2].partition(":")[0].lower()
        reason = next((text for word, text in _NO_SOURCE.items() if word in short or (word == "debezium" and "debezium/" in image)), "")
        if reason and "-ui" not in short:
            yield FoundServer(what, reason=reason)


def _find_port(ports: Json, inside: int) -> int | None:
    """The port on this machine of a port inside: `"8181:8181"`, `127.0.0.1:8181:8181`, or the long form; the first, if none is `inside`."""
    found: dict[int, int] = {}
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            published, target = str(port.get("published", "")), str(port.get("target", ""))
        else:
            parts = str(port).partition("/")[0].split(":")
            published, target = (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")
        if published.isdecimal() and target.isdecimal():
            found[int(target)] = int(published)
    return found.get(inside, next(iter(found.values()), None))


def list_iceberg_catalogs(value: Mapping[str, Json]) -> Iterator[FoundServer]:
    """The catalogs of pyiceberg's own configuration."""
    catalogs = value.get("catalog")
    for name, properties in sorted(catalogs.items()) if isinstance(catalogs, dict) else ():
        if not isinstance(properties, dict):
            continue
        secrets: list[str] = []
        keys: dict[str, Json] = {"kind": "iceberg", "name": name, "catalog": name}
        others: dict[str, Json] = {}
        for key, one in sorted(properties.items()):
            if not isinstance(one, str | int | float | bool):
                continue
            text = _hide_secret(name, key, one, secrets)
            (keys if key == "uri" else others)[key] = text
        yield FoundServer(f"catalog {name}", keys | ({"properties": others} if others else {}), secrets=tuple(secrets))


def _hide_secret(catalog: str, key: str, value: str | float, secrets: list[str]) -> Json:
    """The value, with a variable in the place of a secret: of the whole value, or of user and password of an address."""
    name = re.sub(r"[^A-Z0-9]+", "_", f"{catalog}_{key}".upper()).strip("_")
    name = f"ICEBERG_{name}"
    if SECRET.search(key):
        secrets.append(name)
        return f"${{{name}}}"
    if isinstance(value, str) and "://" in value and "@" in value:
        parts = urlsplit(value)
        if parts.username is not None:
            secrets.append(name)
            return urlunsplit(parts._replace(netloc=f"${{{name}}}@{parts.netloc.rpartition('@')[2]}"))
    if isinstance(value, str):
        return value.replace("${", "$ {") if "${" in value else value
    return value


def describe_transport(value: Mapping[str, Json]) -> tuple[str, str]:
    """Of the configuration of an OpenLineage client: the file that events are written into (or empty), else where they go to."""
    transport = value.get("transport")
    if not isinstance(transport, dict):
        return "", "it configures no transport"
    kind = str(transport.get("type", ""))
    if kind == "file":
        return str(transport.get("log_file_path") or transport.get("location") or ""), "its events are written into files"
    if kind == "kafka":
        return "", f"its events go to the topic {transport.get('topic')}: `meshline serve --kafka` takes them from there"
    if kind == "http":
        parts = urlsplit(str(transport.get("url", "")))
        return "", f"its events go to {parts.hostname or 'a server'} by HTTP: meshline serves the same address, /api/v1/lineage"
    return "", f"its events go by {kind or 'an unknown transport'}"
