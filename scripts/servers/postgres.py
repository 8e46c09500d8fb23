"""A real PostgreSQL without Docker, on loopback, with pg_stat_statements. Standard library only; needs Java 17 and Maven once.

    with postgres.serve(home) as server:
        server.url       # postgresql://postgres:PASSWORD@127.0.0.1:PORT/postgres

The binaries are those of zonky's embedded-postgres. PostgreSQL refuses to run as root: for root it runs as another user, in a folder of its
own under the system's folder for temporary files. As a command, `python postgres.py HOME` serves until SIGINT or SIGTERM and prints the
address.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import maven
import process

VERSION = "17.6.0"
PLATFORMS = {
    ("Linux", "x86_64"): "linux-amd64",
    ("Linux", "aarch64"): "linux-arm64v8",
    ("Darwin", "x86_64"): "darwin-amd64",
    ("Darwin", "arm64"): "darwin-arm64v8",
}
USER = "postgres"  # of the database
ROOTLESS = "nobody"  # codespell:ignore nobody - the user of the system that root becomes


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    folder: Path


def ensure_binaries() -> Path:
    """The folder with bin/, lib/ and share/, fetched once."""
    system = PLATFORMS.get((platform.system(), platform.machine()))
    if system is None:
        raise process.ServerError(f"there are no binaries of PostgreSQL for {platform.system()} on {platform.machine()}")
    artifact = f"io.zonky.test.postgres:embedded-postgres-binaries-{system}:{VERSION}:jar"
    return maven.ensure_distribution(f"postgres-{VERSION}", artifact, "15 MB", unpack)


def unpack(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as jar:
        [inner] = [name for name in jar.namelist() if name.endswith(".txz")]
        jar.extract(inner, file.parent)
    with tarfile.open(file.parent / inner) as archive:
        archive.extractall(folder, filter="data")
    return folder


def start(home: Path, settings: Mapping[str, str] | None = None) -> Server:
    """Make a database and start its server; return once it answers. `settings`: of the server, besides those that it needs here."""
    log = home.resolve() / "postgres.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    binaries = ensure_binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = ROOTLESS if os.getuid() == 0 else None
    if user is not None:  # who cannot enter the folders of root: neither those of the checkout nor those of tests
        binaries = Path(shutil.copytree(binaries, folder / "binaries", symlinks=True, copy_function=_link))
        shutil.chown(folder, user)
    password, port = secrets.token_hex(12), process.find_free_port()
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if user is not None:
        shutil.chown(secret, user)
    make = [binaries / "bin" / "initdb", "-D", data, "-U", USER, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync"]
    done = subprocess.run([*map(str, make), f"--pwfile={secret}"], capture_output=True, text=True, check=False, user=user, cwd=folder)
    secret.unlink()
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise process.ServerError(f"initdb could not make a database:\n{done.stderr[-2000:]}")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "shared_preload_libraries": "pg_stat_statements",
        "fsync": "off",
        "shared_buffers": "32MB",
        **(settings or {}),
    }
    command = [str(binaries / "bin" / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in options.items())]
    started = process.start(command, log, user=user, cwd=folder)
    process.wait_until_ready(started, lambda: is_answering(port), log)
    return Server(f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres", started, log, folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def is_answering(port: int) -> bool:
    """Whether the server takes connections: it answers a request for TLS with one letter, also while it starts, so a start is tried."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            words = b"user\0postgres\0database\0postgres\0\0"
            connection.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
            return connection.recv(1) == b"R"  # it asks for the password; an error while it starts
    except OSError:
        return False


def stop(server: Server) -> None:
    """SIGINT is its fast stop: it does not wait for clients."""
    if server.process.poll() is None:
        os.kill(server.process.pid, process.signal.SIGINT)
        try:
            server.process.wait(30)
        except subprocess.TimeoutExpired:
            process.stop(server.process.pid)
            server.process.wait()
    shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def serve(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    server = start(home, settings)
    try:
        yield server
    finally:
        stop(server)


if __name__ == "__main__":
    sys.exit(process.run_command("postgres", serve, lambda served: served.url))
