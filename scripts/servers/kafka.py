"""A real Kafka broker without Docker or ZooKeeper, on loopback. Standard library only; needs Java 17 and Maven.

    with kafka.serve(home) as broker:
        broker.servers       # 127.0.0.1:PORT

As a command, `python kafka.py HOME` serves until SIGINT or SIGTERM and prints the bootstrap servers. The data, the
log and the ports are kept in HOME: a later start of the same HOME has the same topics at the same address.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import maven
import process

HERE = Path(__file__).resolve().parent / "kafka"
JAVA_FLAGS = ("-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
MAIN = "kafka.Kafka"


@dataclass(frozen=True)
class Broker:
    servers: str
    process: subprocess.Popen[bytes]
    log: Path


def start(home: Path) -> Broker:
    """Start the broker of `home`; return once it answers."""
    home = home.resolve()
    lib = maven.ensure_jars("kafka", HERE / "pom.xml")
    home.mkdir(parents=True, exist_ok=True)
    config, log = home / "server.properties", home / "kafka.log"
    if not config.exists():
        _format(lib, home, config)
    port = int(json.loads((home / "ports.json").read_text())["broker"])
    started = process.start(_build_java_command(lib, MAIN, str(config)), log, _build_environment(home))
    process.wait_until_ready(started, lambda: is_answering(port), log)
    return Broker(f"127.0.0.1:{port}", started, log)


def _format(lib: Path, home: Path, config: Path) -> None:
    """Choose ports, and make the log folder of a new cluster."""
    broker, controller = process.find_free_port(), process.find_free_port()
    own = {
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": home / "data",
    }
    text = (HERE / "server.properties").read_text() + "".join(f"{key}={value}\n" for key, value in own.items())
    unfinished = config.with_suffix(".new")
    unfinished.write_text(text)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = _build_java_command(lib, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(unfinished))
    done = subprocess.run(command, env={**os.environ, **_build_environment(home)}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise process.ServerError(f"Kafka could not format {home}: {(done.stderr or done.stdout).strip()[-500:]}")
    (home / "ports.json").write_text(json.dumps({"broker": broker, "controller": controller}))
    unfinished.rename(config)


def _build_java_command(lib: Path, main: str, *arguments: str) -> list[str]:
    return [maven.find_java(), *JAVA_FLAGS, "-cp", f"{lib}/*", main, *arguments]


def _build_environment(home: Path) -> dict[str, str]:
    return {"LOG_DIR": str(home)}


def is_answering(port: int) -> bool:
    """Whether the broker answers ApiVersions (key 18, version 0), as it does once it takes requests."""
    header = (18).to_bytes(2, "big") + (0).to_bytes(2, "big") + (7).to_bytes(4, "big") + (0xFFFF).to_bytes(2, "big")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(len(header).to_bytes(4, "big") + header)
            return connection.recv(8)[4:8] == (7).to_bytes(4, "big")
    except OSError:
        return False


def stop(broker: Broker) -> None:
    """SIGTERM to this broker's process, by its id."""
    process.stop(broker.process.pid, MAIN)
    broker.process.wait()


def kill(broker: Broker) -> None:
    """As a crash of its machine would."""
    broker.process.kill()
    broker.process.wait()


@contextmanager
def serve(home: Path) -> Iterator[Broker]:
    broker = start(home)
    try:
        yield broker
    finally:
        stop(broker)


if __name__ == "__main__":
    sys.exit(process.run_command("kafka", serve, lambda served: served.servers))
