"""A real Neo4j 5 Community server without Docker: Java 17, Maven, and this file. Standard library only.

    python scripts/servers/neo4j.py start --home DIR [--port P]   prints JSON (url, pid, ...) when queries are answered
    python scripts/servers/neo4j.py stop --home DIR
    python scripts/servers/neo4j.py run --home DIR                the same in the foreground, until SIGTERM or Ctrl-C

The data, the logs and `server.json` (what `start` printed; readable by its owner only, since it contains
the password) are kept in DIR: a later start of the same DIR has the same data, password and port.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import NamedTuple, TypedDict

import maven
import process
from process import ServerError, report

FOLDER = Path(__file__).resolve().parent / "neo4j"
JAVA_FLAGS = (
    "-XX:+UseSerialGC",
    "-Dlog4j2.disable.jmx=true",
    "-Dfile.encoding=UTF-8",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
)
QUICK_FLAG = "-XX:TieredStopAtLevel=1"  # starts faster, runs long work slower: right for tests, wrong for measurements


class Server(TypedDict):
    """What `start` prints and `server.json` keeps."""

    url: str  # with user and password
    host: str
    port: int
    user: str
    password: str
    pid: int
    home: str
    log: str


class Options(NamedTuple):
    """How to start: port 0 and password '' mean those of the last start of this home, else new ones."""

    port: int = 0
    password: str = ""
    heap: str = "512m"
    quick: bool = False
    seconds: float = process.PATIENCE


def start(home: Path, options: Options) -> Server:
    """The running server of this home, started if need be; it answers queries when this returns."""
    home = home.resolve()
    known = _read_last_start(home)
    if known is not None and process.is_running(known["pid"], _build_marker(home)):
        report(f"Neo4j already runs in {home} (pid {known['pid']})")
        return known
    home.mkdir(parents=True, exist_ok=True)
    lib = maven.ensure_jars("neo4j", FOLDER / "pom.xml")
    password = known["password"] if known else options.password or secrets.token_hex(12)
    port = options.port or (known["port"] if known else process.find_free_port())
    if known is None:
        _set_password(lib, home, password)
    report(f"starting Neo4j in {home} on 127.0.0.1:{port}")
    log = home / "console.log"
    flags = _build_quick_flags(lib) if options.quick else []
    java = process.start(_build_command(lib, home, port, options.heap, flags), log)
    server = _remember(home, port, password, java.pid)
    process.wait_until_ready(java, lambda: is_answering(port, "neo4j", password), log, options.seconds)
    report(f"Neo4j answers (pid {java.pid})")
    return server


def stop(home: Path) -> bool:
    """Stop the server of this home; False if none runs. Data and logs stay."""
    home = home.resolve()
    known = _read_last_start(home)
    return known is not None and process.stop(known["pid"], _build_marker(home))


def run(home: Path, options: Options) -> int:
    """Start, and serve until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    server = start(home, options)
    print(json.dumps(server), flush=True)
    while not ended.wait(0.5):
        if not process.is_running(server["pid"], _build_marker(home.resolve())):
            raise ServerError(f"Neo4j ended by itself; see {server['log']}")
    stop(home)
    return 0


def _build_quick_flags(lib: Path) -> list[str]:
    """Java's own archive of loaded classes halves the time of a start. It is made once, by a start for nothing else."""
    archive = lib.with_name(f"{lib.name}-java-{maven.read_java_version(maven.find_java())}.jsa")
    with maven.lock_file(lib.with_name(f"{archive.stem}.lock")):
        if not archive.exists():
            _make_archive(lib, archive)
    return [QUICK_FLAG, f"-XX:SharedArchiveFile={archive}"]


def _make_archive(lib: Path, archive: Path) -> None:
    report(f"starting Neo4j once to make {archive.name}, so that it starts in half the time")
    with tempfile.TemporaryDirectory(prefix=f".{archive.name}-", dir=archive.parent) as temporary:
        home, made, port = Path(temporary), Path(temporary) / "classes.jsa", process.find_free_port()
        _set_password(lib, home, password := secrets.token_hex(12))
        command = _build_command(lib, home, port, Options().heap, [QUICK_FLAG, f"-XX:ArchiveClassesAtExit={made}"])
        java = process.start(command, log := home / "console.log")
        process.wait_until_ready(java, lambda: is_answering(port, "neo4j", password), log, Options().seconds)
        process.stop(java.pid)
        java.wait()
        if not made.exists():
            raise ServerError(
                f"Java did not write its archive of classes; start without --quick. {log} ends with:\n{process.read_log_end(log)}"
            )
        made.rename(archive)


def _build_command(lib: Path, home: Path, port: int, heap: str, flags: list[str]) -> list[str]:
    return [
        maven.find_java(),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        *JAVA_FLAGS,
        *flags,
        "-cp",
        f"{lib}/*",
        _read_main_class(lib),
        _build_marker(home),
        f"--config-dir={FOLDER}",
        "-c",
        f"server.bolt.listen_address=127.0.0.1:{port}",
    ]


def _build_marker(home: Path) -> str:
    """A text that only the command line of this home's server contains."""
    return f"--home-dir={home}"


def _read_main_class(lib: Path) -> str:
    """Neo4j renames its main class now and then; the jar names it."""
    jar = next(path for path in lib.glob("neo4j-*.jar") if re.fullmatch(r"neo4j-[\d.]+\.jar", path.name))
    with zipfile.ZipFile(jar) as archive:
        return archive.read("META-INF/services/org.neo4j.server.startup.EntryPoint").decode().strip()


def _set_password(lib: Path, home: Path, password: str) -> None:
    command = [maven.find_java(), QUICK_FLAG, "-cp", f"{lib}/*", "org.neo4j.cli.AdminTool", "dbms", "set-initial-password", password]
    env = {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(FOLDER)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"Neo4j's admin tool could not set the password in {home}: {done.stderr.strip() or done.stdout.strip()}")


def _read_last_start(home: Path) -> Server | None:
    """What the last start of this home wrote."""
    file = home / "server.json"
    if not file.exists():
        return None
    known: Server = json.loads(file.read_text())
    return known


def _remember(home: Path, port: int, password: str, pid: int) -> Server:
    server = Server(
        url=f"bolt://neo4j:{password}@127.0.0.1:{port}",
        host="127.0.0.1",
        port=port,
        user="neo4j",
        password=password,
        pid=pid,
        home=str(home),
        log=str(home / "logs" / "neo4j.log"),
    )
    temporary = home / ".server.json"
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(server, indent=1) + "\n")
    temporary.rename(home / "server.json")
    return server


def is_answering(port: int, user: str, password: str) -> bool:
    """Whether a query is answered. The handshake alone succeeds two seconds before queries do."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"\x60\x60\xb0\x17" + b"\x00\x00\x04\x04" + bytes(12))  # Bolt 4.4
            if _read(connection, 4) != b"\x00\x00\x04\x04":
                return False
            hello = {"user_agent": "meshline-start/1", "scheme": "basic", "principal": user, "credentials": password}
            _send(connection, b"\xb1\x01" + _pack(hello))
            _send(connection, b"\xb3\x10" + _pack("RETURN 1") + _pack({}) + _pack({}))
            _send(connection, b"\xb1\x3f\xa1" + _pack("n") + b"\xff")  # PULL all
            return [_read_reply(connection) for _ in range(4)] == [b"\xb1\x70", b"\xb1\x70", b"\xb1\x71", b"\xb1\x70"]
    except OSError:
        return False


def _pack(value: str | dict[str, str]) -> bytes:
    """PackStream of a string of at most 255 bytes, or a map of at most 15 of them."""
    if isinstance(value, str):
        text = value.encode()
        return b"\xd0" + bytes([len(text)]) + text
    return bytes([0xA0 | len(value)]) + b"".join(_pack(key) + _pack(text) for key, text in value.items())


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(len(message).to_bytes(2, "big") + message + b"\x00\x00")


def _read_reply(connection: socket.socket) -> bytes:
    """The signature of the next message."""
    message = b""
    while True:
        size = int.from_bytes(_read(connection, 2), "big")
        if size == 0 and message:
            return message[:2]
        message += _read(connection, size)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def main() -> int:
    parser = argparse.ArgumentParser(description="A real Neo4j 5 without Docker, on loopback only.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("start", "run", "stop"):
        command = verbs.add_parser(verb)
        command.add_argument("--home", type=Path, required=True, help="folder of its data, logs and server.json")
        if verb != "stop":
            command.add_argument("--port", type=int, default=0, help="default: that of the last start, else a free one")
            command.add_argument("--password", default="", help="of a new home; default: a random one")
            command.add_argument("--heap", default="512m", help="Java heap (default: %(default)s)")
            command.add_argument("--quick", action="store_true", help="start faster, run long work slower")
    given = parser.parse_args()
    try:
        if given.verb == "stop":
            print(json.dumps({"stopped": stop(given.home)}))
            return 0
        options = Options(given.port, given.password, given.heap, given.quick)
        if given.verb == "run":
            return run(given.home, options)
        print(json.dumps(start(given.home, options)))
    except ServerError as error:
        print(f"neo4j: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
