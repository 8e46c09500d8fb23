"""The server as a process: it starts, answers, stops, and keeps what it acknowledged."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.test_ingest import event

CODE = """
import sys
from meshline.api.serve import serve
from meshline.api.settings import load
from meshline.errors import MeshlineError
try:
    serve(load(store=sys.argv[1], port=int(sys.argv[2]), mesh=sys.argv[3] or None), lambda address: None)
except MeshlineError as error:
    print(error.code, error, file=sys.stderr)
    sys.exit(2)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(store: str, port: int, mesh: str = "") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CODE, store, str(port), mesh]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def call(port: int, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait(port: int, path: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            if call(port, path)[0] == 200:
                return
        except OSError:
            assert time.monotonic() < end, f"{path} never answered"
        time.sleep(0.05)


def datasets(port: int) -> int:
    count = call(port, "/graphql", {"query": "{ datasets { totalCount } }"})[1]["data"]["datasets"]["totalCount"]
    assert isinstance(count, int)
    return count


def test_it_stops_when_told_and_keeps_everything(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    with process(store, port) as running:
        wait(port, "/healthz")
        wait(port, "/readyz")
        assert call(port, "/api/v1/lineage", event())[0] == 201
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) in (0, -signal.SIGTERM)
    with process(store, port):
        wait(port, "/readyz")
        assert datasets(port) == 2


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    with process(store, port) as running:
        wait(port, "/readyz")
        for n in range(5):
            assert call(port, "/api/v1/lineage", event(n))[0] == 201
        running.kill()
        running.wait(timeout=30)
    with process(store, port):
        wait(port, "/readyz")
        jobs = call(port, "/graphql", {"query": "{ jobs { totalCount } }"})[1]["data"]["jobs"]["totalCount"]
        assert (datasets(port), jobs) == (2, 5)


def test_what_it_cannot_open_ends_it(tmp_path: Path) -> None:
    with process(":memory:", free_port(), str(tmp_path / "no.yaml")) as running:
        _, errors = running.communicate(timeout=60)
        assert running.returncode == 2
        assert "INVALID_INPUT" in errors
        assert "no.yaml" in errors
