"""`meshline serve` as processes of its own, that may be killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

from tests.cli.command import ROOT
from tests.faults import wire
from tests.forked_program import ForkedProgram

READY_SECONDS = 300  # the first server on a machine compiles the kernels, a minute of processor time


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
            assert not self.has_ended(), f"it has ended: {self.log[-2000:]}"
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
            assert not self.has_ended(), f"it has ended: {self.log[-2000:]}"
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

    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        return False

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


class Started(Server):
    """The command, forked."""

    def __init__(self, log: Path, arguments: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        begun = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self.process: ForkedProgram | Popen[bytes] = ForkedProgram(arguments, cwd=ROOT, log=file, env={**os.environ, **environment})
        super().__init__(self.process.pid, log, begun)

    def has_ended(self) -> bool:
        return self.process.poll() is not None

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
    """Starts one server after the other. One runs at a time."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "servers.log"
        self._server: Started | None = None

    def start(self, store: str) -> Server:
        """A server that begins to run."""
        self._server = Started(self.log, ["serve", "--store", store, "--port", "0"], {})
        return self._server

    def wait(self) -> None:
        """Until the server is gone."""
        assert self._server is not None
        self._server.wait()
        self._server = None

    def close(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()


@contextmanager
def open_nursery(folder: Path) -> Iterator[Nursery]:
    made = Nursery(folder)
    try:
        yield made
    finally:
        made.close()
