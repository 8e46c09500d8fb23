"""A real worker of Kafka Connect with Debezium and Avro converters, on loopback. Standard library only; needs Java 17 and Maven.

    with kafka_connect.serve(home, broker.servers) as worker:
        kafka_connect.put_connector(worker, "shop", {"connector.class": ..., ...})
        kafka_connect.wait_until_running(worker, "shop")

Configs may have `${file:PATH:KEY}` for a secret in a file of properties. As a command, `python kafka_connect.py HOME` serves until
SIGINT or SIGTERM and prints the address of its REST API; KAFKA is then the address of the broker.
"""

from __future__ import annotations

import json
import os
import sys
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

HERE = Path(__file__).resolve().parent / "kafka-connect"
MAIN = "org.apache.kafka.connect.cli.ConnectStandalone"
JAVA_FLAGS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def start(home: Path, kafka: str) -> process.Server:
    """Start a worker whose offsets and log are kept in `home`; return once it answers. `kafka`: the broker, host:port."""
    lib = maven.ensure_jars("kafka-connect", HERE / "pom.xml")
    home.mkdir(parents=True, exist_ok=True)
    port, log, config = process.find_free_port(), home / "kafka-connect.log", home / "worker.properties"
    settings = {
        "bootstrap.servers": kafka,
        "listeners": f"http://127.0.0.1:{port}",
        "offset.storage.file.filename": home / "offsets",
        "offset.flush.interval.ms": 2000,
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",  # connectors name their own
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "plugin.discovery": "only_scan",
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    }
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    started = process.start([maven.find_java(), *JAVA_FLAGS, "-cp", f"{lib}/*", MAIN, str(config)], log, cwd=home)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: is_answering(url), log)
    return process.Server(url, started, log)


def is_answering(url: str) -> bool:
    try:
        return isinstance(ask(f"{url}/connectors"), list)
    except (urllib.error.URLError, OSError):
        return False


def ask(address: str, body: object = None, method: str = "GET") -> Any:
    """The answer of the REST API, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=process.PATIENCE) as answer:
        return json.load(answer)


def put_connector(worker: process.Server, name: str, config: Mapping[str, str]) -> None:
    """Create a connector, or replace its config. Raises ServerError with the reason of a refusal."""
    try:
        ask(f"{worker.url}/connectors/{name}/config", dict(config), "PUT")
    except urllib.error.HTTPError as error:
        raise process.ServerError(f"Kafka Connect refuses {name}: {error.read().decode(errors='replace')[:1000]}") from error


def wait_until_running(worker: process.Server, name: str, seconds: float = process.PATIENCE) -> None:
    """Return once the connector and its task run. Raises ServerError if one of them fails, or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = ask(f"{worker.url}/connectors/{name}/status")
        parts = [state["connector"], *state["tasks"]]
        for part in parts:
            if part["state"] == "FAILED":
                raise process.ServerError(f"{name} failed: {part.get('trace', '')[:1500]}; see {worker.log}")
        if len(parts) > 1 and all(part["state"] == "RUNNING" for part in parts):
            return
        time.sleep(0.2)
    raise process.ServerError(f"{name} did not run within {seconds:g} s; {worker.log} ends with:\n{process.read_log_end(worker.log)}")


@contextmanager
def serve(home: Path, kafka: str) -> Iterator[process.Server]:
    with process.stop_at_end(start(home, kafka), MAIN) as server:
        yield server


if __name__ == "__main__":
    sys.exit(process.run_command("kafka_connect", partial(serve, kafka=os.environ.get("KAFKA", "")), lambda served: served.url))
