"""A real Keycloak without Docker, on loopback. Standard library only; needs Java 17 and Maven, and 440 MB of memory.

    with keycloak.serve(home) as server:
        server.url       # http://127.0.0.1:PORT

Its first start imports the realms of `home/realms` (JSON). As a command, `python keycloak.py HOME` serves until SIGINT or SIGTERM and
prints the address. The administrator of its realm `master` is `admin`, with the password `admin`.
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import maven
import process

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
ADMIN = "admin"
MARKER = "keycloak"
READY = "/realms/master/.well-known/openid-configuration"


def unpack(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder / f"keycloak-{VERSION}"


def start(home: Path) -> process.Server:
    """Start the server of `home`; return once it answers."""
    home = home.resolve()
    folder, log = home / MARKER, home / "keycloak.log"
    if not folder.exists():
        shutil.copytree(maven.ensure_distribution(f"keycloak-{VERSION}", ARTIFACT, "177 MB", unpack), folder)
        imported = folder / "data" / "import"
        imported.mkdir(parents=True)
        for realm in (home / "realms").glob("*.json"):
            shutil.copy(realm, imported)
    port = process.find_free_port()
    environment = {
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN,
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
        "JAVA": maven.find_java(),
    }
    options = ["--http-host=127.0.0.1", f"--http-port={port}", "--import-realm", "--log-level=warn"]
    started = process.start(["bash", str(folder / "bin" / "kc.sh"), "start-dev", *options], log, environment)
    url = f"http://127.0.0.1:{port}"
    process.wait_until_ready(started, lambda: process.is_answering(f"{url}/realms/master/.well-known/openid-configuration"), log)
    return process.Server(url, started, log)


@contextmanager
def serve(home: Path) -> Iterator[process.Server]:
    with process.stop_at_end(start(home)) as server:
        yield server


if __name__ == "__main__":
    sys.exit(process.run_command("keycloak", serve, lambda served: served.url))
