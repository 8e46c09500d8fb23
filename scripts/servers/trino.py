"""A real Trino without Docker, on loopback, that sends OpenLineage events. Standard library only; needs Maven and Java 24 or newer.

    catalogs = {"lake": trino.describe_iceberg("http://127.0.0.1:8181"), "memory": trino.MEMORY}
    with trino.serve(home, catalogs, events="http://127.0.0.1:5000") as server:
        trino.run_statement(server.url, "CREATE SCHEMA lake.gold")

Its listener names tables as if it were http://trino.internal:8080. A start takes a minute and 1.5 GB of memory; 820 MB are fetched once.
As a command, `python trino.py HOME` serves until SIGINT or SIGTERM and prints the URL; TRINO_ICEBERG may be the address of an Iceberg
REST catalog, which is `lake` then, and TRINO_EVENTS where the events go.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import maven
import process

VERSION = "476"
JAVA_NEEDED = 24
ADDRESS = "http://trino.internal:8080"  # what its events call it
PLUGINS = ("geospatial", "iceberg", "memory", "openlineage", "postgresql")  # the last needs the first
MEMORY: Mapping[str, str] = {"connector.name": "memory", "memory.max-data-per-node": "64MB"}

SETTINGS = """\
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
plugin.dir={plugins}
catalog.config-dir={catalogs}
query.max-memory=512MB
web-ui.enabled=false
"""
NODE = """\
node.environment=test
node.id=meshline
node.data-dir={data}
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
"""
LISTENER = """\
event-listener.name=openlineage
openlineage-event-listener.transport.type=HTTP
openlineage-event-listener.transport.url={events}
openlineage-event-listener.trino.uri={address}
openlineage-event-listener.namespace=trino
openlineage-event-listener.trino.include-query-types=DATA_DEFINITION,DELETE,INSERT,MERGE,UPDATE,ALTER_TABLE_EXECUTE
"""
# Facets of a run with its plan, its statistics and this machine, which are a hundred times as long as the rest of an event. Trino's own
# setting for leaving them out (`disabled-facets`) has no effect in this version.
LONG_FACETS = ("trino_metadata", "trino_query_context", "trino_query_statistics")
FLAGS = (
    "-Xmx1536m",
    "-XX:+UseG1GC",
    "-XX:ReservedCodeCacheSize=256M",
    "-XX:TieredStopAtLevel=1",
    "-XX:-OmitStackTraceInFastThrow",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


def ensure_distribution() -> Path:
    """The folder of Trino with the plugins that are used, fetched once."""
    return maven.ensure_distribution(f"trino-{VERSION}", f"io.trino:trino-server:{VERSION}:tar.gz", "820 MB", unpack)


def unpack(file: Path, folder: Path) -> Path:
    """All of it, then without the other plugins: files in several places are links to one of them, whichever that is."""
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    target = folder / f"trino-server-{VERSION}"
    for plugin in (target / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    return target


def describe_iceberg(uri: str) -> dict[str, str]:
    """A catalog that is an Iceberg REST catalog whose tables are files of this machine."""
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.uri": uri,
        "fs.native-local.enabled": "true",
        "local.location": "/",
    }


def describe_postgres(url: str) -> dict[str, str]:
    """A catalog that is a database of PostgreSQL. `url`: postgresql://user:password@host:port/database."""
    account, _, place = url.removeprefix("postgresql://").rpartition("@")
    user, _, password = account.partition(":")
    return {
        "connector.name": "postgresql",
        "connection-url": f"jdbc:postgresql://{place}",
        "connection-user": user,
        "connection-password": password,
    }


def start(home: Path, catalogs: Mapping[str, Mapping[str, str]], events: str = "") -> process.Server:
    """Start a Trino whose settings, data and log are in `home`; return once it answers. `events`: where its events go."""
    java, folder = maven.find_newer_java(JAVA_NEEDED), ensure_distribution()
    etc, port = home / "etc", process.find_free_port()
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    (etc / "config.properties").write_text(SETTINGS.format(port=port, plugins=folder / "plugin", catalogs=etc / "catalog"))
    (etc / "log.properties").write_text("io.trino=INFO\n")
    if events:
        (etc / "event-listener.properties").write_text(LISTENER.format(events=events, address=ADDRESS))
    for name, properties in catalogs.items():
        file = etc / "catalog" / f"{name}.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        file.chmod(0o600)
    node = dict(line.split("=") for line in NODE.format(data=home / "data").split())
    (home / "data").mkdir(exist_ok=True)
    options = {**node, "config": etc / "config.properties", "log.levels-file": etc / "log.properties"}
    log = home / "trino.log"
    command = [java, *FLAGS, *(f"-D{name}={value}" for name, value in options.items())]
    started = process.start([*command, "-cp", f"{folder / 'lib'}/*", "io.trino.server.TrinoServer"], log, cwd=home)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: is_answering(url), log)
    return process.Server(url, started, log)


def is_answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/info", timeout=process.ANSWER_SECONDS) as answer:
            return not json.load(answer)["starting"]
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return False


def run_statement(url: str, statement: str, user: str = "etl") -> list[list[Any]]:
    """The rows of a statement's answer. Raises ServerError with Trino's message if it fails."""
    headers = {"X-Trino-User": user, "X-Trino-Source": "meshline", "X-Trino-Time-Zone": "UTC"}
    request = urllib.request.Request(f"{url}/v1/statement", statement.encode(), headers, method="POST")
    rows: list[list[Any]] = []
    end = time.monotonic() + process.PATIENCE
    while time.monotonic() < end:
        with urllib.request.urlopen(request, timeout=process.PATIENCE) as response:
            answer: dict[str, Any] = json.load(response)
        rows += answer.get("data") or []
        if "error" in answer:
            raise process.ServerError(f"Trino refuses {statement[:200]!r}: {answer['error']['message']}")
        if "nextUri" not in answer:
            return rows
        request = urllib.request.Request(answer["nextUri"], headers=headers)
    raise process.ServerError(f"Trino did not end {statement[:200]!r} within {process.PATIENCE:g} s")


def thin_event(line: str) -> str:
    """An event without the facets that are LONG_FACETS."""
    event = json.loads(line)
    for name in LONG_FACETS:
        event["run"]["facets"].pop(name, None)
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


@contextmanager
def serve(home: Path, catalogs: Mapping[str, Mapping[str, str]], events: str = "") -> Iterator[process.Server]:
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with process.stop_at_end(start(home, catalogs, events), "io.trino.server.TrinoServer") as server:
        yield server


def main() -> int:
    catalogs: dict[str, Mapping[str, str]] = {"memory": MEMORY}
    if "TRINO_ICEBERG" in os.environ:
        catalogs["lake"] = describe_iceberg(os.environ["TRINO_ICEBERG"])
    serve_here = partial(serve, catalogs=catalogs, events=os.environ.get("TRINO_EVENTS", ""))
    return process.run_command("trino", serve_here, lambda served: served.url)


if __name__ == "__main__":
    sys.exit(main())
