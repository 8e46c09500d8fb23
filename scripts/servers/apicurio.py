"""A real schema registry (Apicurio, which answers like Confluent's) without Docker, on loopback. Needs Java 17 and Maven, no packages.

    with apicurio.serve(home) as registry:
        registry.url      # http://127.0.0.1:PORT/apis/ccompat/v7

Its schemas are in memory, and gone with it. As a command, `python apicurio.py HOME` serves until SIGINT or SIGTERM and prints the address.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import maven
import process

VERSION = "2.6.13.Final"  # the last that runs on Java 17
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
JAR = f"apicurio-registry-app-{VERSION}-runner.jar"


def unpack(file: Path, folder: Path) -> Path:
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    return folder


def start(home: Path) -> process.Server:
    """Start a registry whose log is in `home`; return once it answers."""
    java, folder = maven.find_java(), maven.ensure_distribution(f"apicurio-{VERSION}", ARTIFACT, "142 MB", unpack)
    log, port = home / "apicurio.log", process.find_free_port()
    flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
    started = process.start([java, *flags, "-jar", str(folder / JAR)], log)
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/subjects"), log)
    return process.Server(url, started, log)


@contextmanager
def serve(home: Path) -> Iterator[process.Server]:
    with process.stop_at_end(start(home), JAR) as server:
        yield server


if __name__ == "__main__":
    sys.exit(process.run_command("apicurio", serve, lambda served: served.url))
