"""A real schema registry (Apicurio, which answers like Confluent's) without Docker, on loopback. Needs Java 17 and Maven, no packages.

    with apicurio.serve(home) as registry:
        registry.url      # http://127.0.0.1:PORT/apis/ccompat/v7

Its schemas are in memory, and gone with it. As a command, `python apicurio.py HOME` serves until SIGINT or SIGTERM and prints the address.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import maven
import process

VERSION = "2.6.13.Final"  # the last that runs on Java 17
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
JAR = f"apicurio-registry-app-{VERSION}-runner.jar"


@dataclass(frozen=True)
class Registry:
    url: str
    process: subprocess.Popen[bytes]
    log: Path


def ensure_distribution() -> Path:
    """The folder of Apicurio, fetched once."""
    folder = maven.get_cache_folder() / f"apicurio-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with maven.lock_file(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            process.report(f"Maven fetches Apicurio {VERSION} into {folder} (142 MB, once)")
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
                command = [maven.find_maven(), "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={temporary}"]
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    cwd=temporary,
                )
                archives = list(Path(temporary).glob("*.tar.gz"))
                if done.returncode or len(archives) != 1:
                    raise process.ServerError(f"Maven could not fetch Apicurio (is its repository reachable?):\n{done.stdout[-2000:]}")
                unpacked = Path(temporary) / "unpacked"
                with tarfile.open(archives[0]) as archive:
                    archive.extractall(unpacked, filter="data")
                unpacked.rename(folder)
    return folder


def start(home: Path) -> Registry:
    """Start a registry whose log is in `home`; return once it answers."""
    java, folder = maven.find_java(), ensure_distribution()
    log, port = home / "apicurio.log", process.find_free_port()
    flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}"]
    started = process.start([java, *flags, "-jar", str(folder / JAR)], log)
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    process.wait_until_ready(started, lambda: is_answering(url), log)
    return Registry(url, started, log)


def is_answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop(registry: Registry) -> None:
    """SIGTERM to this registry's process, by its id."""
    process.stop(registry.process.pid, JAR)
    registry.process.wait()


@contextmanager
def serve(home: Path) -> Iterator[Registry]:
    registry = start(home)
    try:
        yield registry
    finally:
        stop(registry)


if __name__ == "__main__":
    sys.exit(process.run_command("apicurio", serve, lambda served: served.url))
