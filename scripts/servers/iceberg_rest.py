"""A real Iceberg REST catalog over SQLite and a folder, on loopback. Standard library only; needs a JDK 17 and Maven.

    with iceberg_rest.serve(home) as catalog:
        catalog.url          # http://127.0.0.1:PORT
        catalog.warehouse    # the folder of the tables

As a command, `python iceberg_rest.py HOME` serves until SIGINT or SIGTERM and prints the URL.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import maven
import process

HERE = Path(__file__).resolve().parent / "iceberg-rest"
MAIN = HERE / "LoopbackCatalog.java"


@dataclass(frozen=True)
class Catalog:
    url: str
    warehouse: Path
    process: subprocess.Popen[bytes]
    log: Path


def start(home: Path) -> Catalog:
    """Start a catalog whose database, warehouse and log are kept in `home`; return once it answers."""
    require_compiler()
    jars = maven.ensure_jars("iceberg-rest", HERE / "pom.xml")
    warehouse = home / "warehouse"
    warehouse.mkdir(parents=True, exist_ok=True)
    log = home / "iceberg-rest.log"
    port = process.find_free_port()
    flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    arguments = [str(port), str(home / "catalog.db"), warehouse.as_uri()]
    started = process.start([maven.find_java(), *flags, "-cp", f"{jars}/*", str(MAIN), *arguments], log)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/v1/config"), log)
    return Catalog(url, warehouse, started, log)


def require_compiler() -> None:
    """The server is started from its source file, which a JRE cannot do."""
    modules = subprocess.run([maven.find_java(), "--list-modules"], capture_output=True, text=True, check=False).stdout
    if "jdk.compiler" not in modules:
        raise process.ServerError(f"{maven.find_java()} has no compiler: install a JDK, e.g. `apt install openjdk-17-jdk-headless`.")


@contextmanager
def serve(home: Path) -> Iterator[Catalog]:
    with process.stop_at_end(start(home), MAIN.name) as server:
        yield server


if __name__ == "__main__":
    sys.exit(process.run_command("iceberg_rest", serve, lambda served: served.url))
