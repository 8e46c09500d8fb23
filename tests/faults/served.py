"""`meshline serve` as processes of its own, that may be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli.command import ROOT, find_executable
from tests.faults import wire

READY_SECONDS = 300  # the first server on a machine compiles the kernels, a minute of processor time

# Imports what `meshline serve` imports and compiles what it compiles, once; then each line of arguments
# on stdin makes a process that runs the command, and its id is printed. A start takes a tenth of the time.
NURSERY = """
import json, os, sys
from meshline.api import app, serve
from meshline.cli import app, main
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.store.neo4j import Neo4jStore
compile_kernels()
for line in sys.stdin:
    log, *arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(to, 1), os.dup2(to, 2)
        main(arguments)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Server:
    """A running server. `log` is what it wrote."""

    def __init__(self, pid: int, log: Path, begun: int) -> None:
        self.pid = pid
        self._log, self._begun = log, begun  # where in the file its own lines begin
        self.port = 0

    @property
    def log(self) -> str:
        return self._log.read_bytes()[self._begun :].decode()

    def wait_until_listening(self, seconds: float = READY_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not (found := re.search(r"http://127\.0\.0\.1:([0-9]+)", self.log)):
            assert time.monotonic() < end, f"it does not listen: {self.log[-2000:]}"
            time.sleep(0.01)
        self.port = int(found[1])

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        end = time.monotonic() + seconds
        while True:
            with suppress(wire.Lost):
                if (answer := wire.send_request(self.port, "GET", "/readyz")).status == 200:
                    return
                assert answer.status == 503, answer
            assert time.monotonic() < end, f"it does not get ready: {self.log[-2000:]}"
            time.sleep(0.02)

    def ask(self, query: str, **variables: object) -> dict[str, object]:
        """The data that GraphQL answers with; no errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = wire.send_request(self.port, "POST", wire.GRAPHQL, body).json
        assert "errors" not in answer, answer["errors"]
        data = answer["data"]
        assert isinstance(data, dict)
        return data

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


class Started(Server):
    """The installed command, as a child of this process."""

    def __init__(self, log: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        begun = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [find_executable(), *map(str, arguments)], cwd=ROOT, stdout=file, stderr=file, env={**os.environ, **environment}
            )
        super().__init__(self.process.pid, log, begun)

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)


@contextmanager
def run_server(store: str, log: Path, *arguments: str, ready: bool = True, **settings: object) -> Iterator[Started]:
    """`meshline serve` on a free port, killed at the end if it still runs. `settings` go into its environment."""
    environment = {f"MESHLINE_{name.upper()}": str(value) for name, value in settings.items()}
    server = Started(log, ["serve", "--store", store, "--port", "0", *arguments], environment)
    try:
        server.wait_until_listening()
        if ready:
            server.wait_until_ready()
        yield server
    finally:
        server.kill()
        server.wait()


class Nursery:
    """Starts one server after the other, quickly. One runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "servers.log"
        self.log.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._server: Server | None = None

    def start(self, store: str) -> Server:
        """A server that begins to run."""
        begun = self.log.stat().st_size
        self._in.write(json.dumps([str(self.log), "serve", "--store", store, "--port", "0"]) + "\n")
        self._in.flush()
        self._server = Server(int(self._out.readline()), self.log, begun)
        return self._server

    def wait(self) -> None:
        """Until the server is gone."""
        assert self._out.readline() == "gone\n"
        self._server = None

    def close(self) -> None:
        if self._server is not None:
            self._server.kill()
        self._in.close()
        self._process.wait(60)
        self._out.close()


@contextmanager
def open_nursery(folder: Path) -> Iterator[Nursery]:
    made = Nursery(folder)
    try:
        yield made
    finally:
        made.close()
