"""A real Keycloak without Docker, on loopback. Standard library only; needs Java 17 and Maven, and 440 MB of memory.

    with keycloak.serve(home) as server:
        server.url       # http://127.0.0.1:PORT

Its first start imports the realms of `home/realms` (JSON). As a command, `python keycloak.py HOME` serves until SIGINT or SIGTERM and
prints the address. The administrator of its realm `master` is `admin`, with the password `admin`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import maven
import process

VERSION = "26.7.3"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
ADMIN = "admin"
MARKER = "keycloak"
START_SECONDS = 300.0  # the first one builds the server; on a busy machine it took more than three minutes


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path


def ensure_distribution() -> Path:
    """The folder of Keycloak, fetched once."""
    folder = maven.get_cache_folder() / f"keycloak-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with maven.lock_file(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            process.report(f"Maven fetches Keycloak {VERSION} into {folder} (177 MB, once)")
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
                command = [maven.find_maven(), "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={temporary}"]
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=temporary)
                archives = list(Path(temporary).glob("*.zip"))
                if done.returncode or len(archives) != 1:
                    raise process.ServerError(f"Maven could not fetch Keycloak:\n{done.stdout[-2000:]}")
                with zipfile.ZipFile(archives[0]) as archive:
                    archive.extractall(temporary)
                (Path(temporary) / f"keycloak-{VERSION}").rename(folder)
    return folder


def start(home: Path) -> Server:
    """Start the server of `home`; return once it answers."""
    home = home.resolve()
    folder, log = home / MARKER, home / "keycloak.log"
    if not folder.exists():
        shutil.copytree(ensure_distribution(), folder)
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
    process.wait_until_ready(started, lambda: is_answering(url), log, START_SECONDS)
    return Server(url, started, log)


def is_answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/realms/master/.well-known/openid-configuration", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop(server: Server) -> None:
    """SIGTERM to this server's process, by its id: kc.sh becomes the server (exec)."""
    process.stop(server.process.pid)
    server.process.wait()


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    server = start(home)
    try:
        yield server
    finally:
        stop(server)


if __name__ == "__main__":
    sys.exit(process.run_command("keycloak", serve, lambda served: served.url))
