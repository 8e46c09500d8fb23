"""Servers that configurations name: sources of a mesh file, with `${NAME}` in the place of each secret. None of them is connected to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from meshline.graph.model import Json

SECRET = re.compile(r"secret|password|passwd|token|credential|access-key|session|private|authorization|api-?key|\bauth\b", re.IGNORECASE)

_KINDS = (
    ("iceberg", re.compile(r"iceberg-rest|/polaris|nessie|lakekeeper", re.IGNORECASE)),
    ("marquez", re.compile(r"(^|/)marquez(:|$)")),
    ("postgres", re.compile(r"(^|/)(postgres|postgis|timescaledb)(:|$)")),
    ("registry", re.compile(r"schema-registry|karapace", re.IGNORECASE)),
    ("hive", re.compile(r"(^|/)(hive|hive-metastore)(:|$)")),
    ("superset", re.compile(r"(^|/)superset(:|$)")),
    ("metabase", re.compile(r"(^|/)metabase(-enterprise)?(:|$)")),
    ("gravitino", re.compile(r"(^|/)gravitino(:|$)")),
    ("unity", re.compile(r"(^|/)unitycatalog(:|$)")),
    ("glue", re.compile(r"(^|/)(moto|localstack(-pro)?)(:|$)")),
)
_PORTS = {
    "iceberg": 8181,
    "marquez": 5000,
    "postgres": 5432,
    "registry": 8081,
    "hive": 9083,
    "superset": 8088,
    "metabase": 3000,
    "gravitino": 8090,
    "unity": 8080,
    "glue": 4566,
}
_PORT_ALONE = frozenset({"hive"})  # another port of it is of another service
_PATHS = {"polaris": "/api/catalog", "nessie": "/iceberg", "gravitino": "/iceberg", "lakekeeper": "/catalog"}
_NO_SOURCE = {
    "kafka": "topics are no source: their registry is (kind registry); `meshline serve --kafka` takes OpenLineage events from one",
    "redpanda": "topics are no source: their registry is (kind registry); `meshline serve --kafka` takes OpenLineage events from one",
    "mysql": "a database of this kind is no source: what dbt, Debezium or a catalog states about it is",
    "trino": "Trino is no source: its views are (kind sql, the text of SHOW CREATE VIEW), and the catalogs that it queries",
    "debezium": "keep the answer of GET /connectors?expand=info in a file: kind debezium reads it",
    "kafka-connect": "keep the answer of GET /connectors?expand=info in a file: kind debezium reads it",
    "datahub-gms": "DataHub is read from files: write its metadata with `datahub get` or a file sink, for the kind datahub",
}


class FoundServer(NamedTuple):
    """A server as a source (`keys`), or why it is none (`reason`). `secrets`: the variables that `keys` needs. `undecided`: something in
    `keys` has to be written or decided first.
    """

    what: str
    keys: dict[str, Json] = {}  # noqa: RUF012 - not changed
    reason: str = ""
    secrets: tuple[str, ...] = ()
    undecided: bool = False


def list_compose_servers(value: Mapping[str, Json]) -> Iterator[FoundServer]:
    """The servers of a file of Docker Compose, at the ports that it publishes on this machine."""
    services = value.get("services")
    assert isinstance(services, dict)
    images = {name: str(service.get("image", "")) for name, service in services.items() if isinstance(service, dict)}
    broker = next((_find_port(services[name].get("ports"), 9092) for name, image in images.items() if _is_broker(image)), None)  # type: ignore[union-attr]
    for name, image in sorted(images.items()):
        service = services[name]
        assert isinstance(service, dict)
        what = f"service {name} ({image})"
        kind = next((kind for kind, fits in _KINDS if fits.search(image)), "")
        port = _find_port(service.get("ports"), _PORTS[kind], alone=kind in _PORT_ALONE) if kind else None
        if kind and port is None:
            yield FoundServer(what, reason="it publishes no port on this machine: no address of it is known")
        elif kind == "registry" and broker is None:
            yield FoundServer(what, reason="no broker of its topics is published on this machine, whose address is the namespace")
        elif kind:
            assert port is not None
            yield _build_server(kind, name, what, port, service, broker)
        elif reason := _find_reason(image):
            yield FoundServer(what, reason=reason)


def _is_broker(image: str) -> bool:
    return re.search(r"(^|/)(cp-kafka|kafka|kafka-native|redpanda)(:|$)", image) is not None


def _build_server(kind: str, name: str, what: str, port: int, service: Mapping[str, Json], broker: int | None) -> FoundServer:
    """A server as a source, at its port on this machine."""
    address = f"http://localhost:{port}"
    keys: dict[str, Json] = {"kind": kind, "name": name}
    if kind == "iceberg":
        path = next((path for word, path in _PATHS.items() if word in what.lower()), "")
        return FoundServer(what, {**keys, "uri": f"{address}{path}"})
    if kind == "marquez":
        return FoundServer(what, {**keys, "url": address})
    if kind == "registry":
        return FoundServer(what, {**keys, "url": address, "namespace": f"kafka://localhost:{broker}"})
    if kind != "postgres":
        more, secrets = _MORE_KEYS.get(kind, ({}, ()))
        place = f"thrift://localhost:{port}" if kind == "hive" else address
        return FoundServer(what, {**keys, _ADDRESSES.get(kind, "url"): place, **more}, secrets=secrets, undecided=kind in _UNDECIDED)
    user, database = (_read_variable(service, variable) for variable in ("POSTGRES_USER", "POSTGRES_DB"))
    user = user or "postgres"
    secret = re.sub(r"[^A-Z0-9]+", "_", f"{name}_password".upper())
    secret = secret if not secret[0].isdigit() else f"_{secret}"
    url = f"postgresql://{user}@localhost:{port}/{database or user}"
    return FoundServer(what, {**keys, "url": url, "password": f"${{{secret}}}"}, secrets=(secret,))


_ADDRESSES = {"hive": "uri", "glue": "endpoint"}  # the keys of the address, where it is not `url`
_MORE_KEYS: Mapping[str, tuple[Mapping[str, Json], tuple[str, ...]]] = {
    "superset": ({"user": "${SUPERSET_USER}", "password": "${SUPERSET_PASSWORD}"}, ("SUPERSET_USER", "SUPERSET_PASSWORD")),
    "metabase": ({"api_key": "${METABASE_API_KEY}"}, ("METABASE_API_KEY",)),
    "gravitino": ({"metalake": "METALAKE"}, ()),
    "glue": ({"region": "us-east-1"}, ()),
}
_UNDECIDED = frozenset({"gravitino"})


def _read_variable(service: Mapping[str, Json], name: str) -> str:
    """A variable of a service that is one plain word; empty if it is not set, or is made of other variables."""
    environment = service.get("environment")
    if isinstance(environment, list):
        environment = {key: one for key, _, one in (str(entry).partition("=") for entry in environment)}
    found = environment.get(name) if isinstance(environment, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,63}", found) else ""


def _find_reason(image: str) -> str:
    """Why a server is no source that can be written without asking; empty if it has nothing to do with data."""
    short = image.rpartition("/")[2].partition(":")[0].lower()
    if "-ui" in short:
        return ""
    return next((text for word, text in _NO_SOURCE.items() if word in short or (word == "debezium" and "debezium/" in image)), "")


def _find_port(ports: Json, inside: int, *, alone: bool = False) -> int | None:
    """The port on this machine of a port inside: `"8181:8181"`, `127.0.0.1:8181:8181`, or the long form; the first, if none is `inside`,
    unless that one alone is wanted.
    """
    found: dict[int, int] = {}
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            published, target = str(port.get("published", "")), str(port.get("target", ""))
        else:
            parts = str(port).partition("/")[0].split(":")
            published, target = (parts[-2], parts[-1]) if len(parts) > 1 else ("", "")
        if published.isdecimal() and target.isdecimal():
            found[int(target)] = int(published)
    return found.get(inside, None if alone else next(iter(found.values()), None))


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
