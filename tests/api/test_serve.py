"""The server as a process: it starts, answers, stops, and keeps what it acknowledged."""

from __future__ import annotations

import atexit
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_ingest import build_event
from tests.forked_program import ForkedProgram
from tests.servers import PATIENCE

CODE = """
import json, sys
from meshline.api.serve import run_server
from meshline.app.settings import load_settings
from meshline.errors import MeshlineError
try:
    run_server(load_settings(store=sys.argv[1], port=int(sys.argv[2]), mesh=sys.argv[3] or None, **json.loads(sys.argv[4])))
except MeshlineError as error:
    print(error.code, error, file=sys.stderr)
    sys.exit(2)
"""


def free_port() -> int:
    """A port for a server of a test, which may listen there, for it sets SO_REUSEADDR, too. It stays bound for as long as this process
    runs: nothing else on the machine is given it.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    atexit.register(probe.close)
    port: int = probe.getsockname()[1]
    return port


@contextmanager
def run_process(store: str, port: int, mesh: str = "", **settings: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CODE, store, str(port), mesh, json.dumps(settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


@contextmanager
def run_forked(store: str, port: int, log: Path, **settings: object) -> Iterator[ForkedProgram]:
    """The same, forked from a process that has imported everything, with a file for its log: for tests that are not about its start."""
    with log.open("ab") as file:
        running = ForkedProgram([store, str(port), "", json.dumps(settings)], cwd=log.parent, log=file, code=CODE)
    try:
        yield running
    finally:
        running.kill()
        running.wait(timeout=60)


def post_json(port: int, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_for_answer(port: int, path: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if post_json(port, path)[0] == 200:
                return
        except OSError:
            assert time.monotonic() < end, f"{path} never answered"
        time.sleep(0.05)


def count_datasets(port: int) -> int:
    count = post_json(port, "/graphql", {"query": "{ datasets { totalCount } }"})[1]["data"]["datasets"]["totalCount"]
    assert isinstance(count, int)
    return count


def test_it_stops_at_a_signal_and_keeps_everything(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    with run_process(store, port) as running:
        wait_for_answer(port, "/healthz")
        wait_for_answer(port, "/readyz")
        assert post_json(port, "/api/v1/lineage", build_event())[0] == 201
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) in (0, -signal.SIGTERM)
    with run_forked(store, port, tmp_path / "again.log"):
        wait_for_answer(port, "/readyz")
        assert count_datasets(port) == 2


def test_acknowledged_events_survive_a_kill(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    with run_process(store, port) as running:
        wait_for_answer(port, "/readyz")
        for n in range(5):
            assert post_json(port, "/api/v1/lineage", build_event(n))[0] == 201
        running.kill()
        running.wait(timeout=60)
    with run_forked(store, port, tmp_path / "again.log"):
        wait_for_answer(port, "/readyz")
        jobs = post_json(port, "/graphql", {"query": "{ jobs { totalCount } }"})[1]["data"]["jobs"]["totalCount"]
        assert (count_datasets(port), jobs) == (2, 5)


def test_what_it_cannot_open_ends_it(tmp_path: Path) -> None:
    with run_process(":memory:", free_port(), str(tmp_path / "no.yaml")) as running:
        _, errors = running.communicate(timeout=60)
        assert running.returncode == 2
        assert "INVALID_INPUT" in errors
        assert "no.yaml" in errors


class Poster(threading.Thread):
    """Sends events until the server takes no more; the numbers of those that it acknowledged."""

    def __init__(self, port: int, first: int) -> None:
        super().__init__()
        self.port, self.next = port, first
        self.acknowledged: list[int] = []

    def run(self) -> None:
        while True:
            number, self.next = self.next, self.next + 1
            body = build_event(
                0, job={"namespace": "load", "name": f"job{number}"}, run={"runId": f"00000000-0000-4000-8000-{number:012x}"}
            )
            try:
                status, _ = post_json(self.port, "/api/v1/lineage", body)
            except (OSError, http.client.HTTPException):
                return  # the connection is refused, or was closed without an answer
            if status == 201:
                self.acknowledged.append(number)
            elif status == 503:
                return


def test_events_acknowledged_under_load_remain_after_sigterm(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    posters = [Poster(port, 100_000 * (n + 1)) for n in range(8)]
    with run_process(store, port) as running:
        wait_for_answer(port, "/readyz")
        for poster in posters:
            poster.start()
        while not all(len(poster.acknowledged) > 3 for poster in posters):
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) in (0, -signal.SIGTERM)
        for poster in posters:
            poster.join(60)
    acknowledged = {f"job{number}" for poster in posters for number in poster.acknowledged}
    with run_forked(store, port, tmp_path / "again.log"):
        wait_for_answer(port, "/readyz")
        query = "query($after: String) { jobs(first: 1000, after: $after) { nodes { name } pageInfo { endCursor hasNextPage } } }"
        kept: set[str] = set()
        page: dict[str, Any] = {"endCursor": None, "hasNextPage": True}
        while page["hasNextPage"]:
            found = post_json(port, "/graphql", {"query": query, "variables": {"after": page["endCursor"]}})[1]["data"]["jobs"]
            kept |= {node["name"] for node in found["nodes"]}
            page = found["pageInfo"]
    assert len(acknowledged) >= 32
    assert acknowledged <= kept


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    store, port = f"sqlite:///{tmp_path}/mesh.db", free_port()
    with run_process(store, port) as running:
        wait_for_answer(port, "/readyz")
        assert post_json(port, "/api/v1/lineage", build_event())[0] == 201
        with socket.create_connection(("127.0.0.1", port)) as unfinished:
            head = b"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
            unfinished.sendall(head + b"Expect: 100-continue\r\n\r\n{")
            assert unfinished.recv(100).startswith(b"HTTP/1.1 100 "), "it waits for the rest of the body"
            running.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(timeout=1)  # it waits for the request
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=60)
            assert "timeout graceful shutdown exceeded" not in errors, "it did not wait until a single signal would end it, too"
    with run_forked(store, port, tmp_path / "again.log"):
        wait_for_answer(port, "/readyz")
        assert count_datasets(port) == 2


def test_it_logs_when_it_listens_and_when_it_is_ready(tmp_path: Path) -> None:
    port = free_port()
    with run_process(f"sqlite:///{tmp_path}/mesh.db", port, log_format="json") as running:
        wait_for_answer(port, "/readyz")
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=60)
    lines = [json.loads(line) for line in errors.splitlines()]
    logged = [line for line in lines if line["logger"] == "meshline.api"]
    url = f"http://127.0.0.1:{port}"
    assert [line["message"] for line in logged] == [
        f"listening on {url}, loading the graph",
        "ready",
        f"GraphQL on {url}/graphql, OpenLineage events to {url}/api/v1/lineage",
        "stopping",
        "stopped",
    ]
    assert logged[0]["auth"] == "off"
    assert (logged[1]["revision"], logged[1]["columns"]) == (0, 0)


def test_it_does_not_listen_on_public_addresses_without_authentication(tmp_path: Path) -> None:
    with run_process(f"sqlite:///{tmp_path}/mesh.db", free_port(), host="0.0.0.0") as running:
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 2
    assert errors.startswith("INVALID_INPUT --host: the server would listen on 0.0.0.0, which other machines can reach, without tokens: ")
    assert not (tmp_path / "mesh.db").exists()
    port = free_port()
    with run_process(f"sqlite:///{tmp_path}/mesh.db", port, host="0.0.0.0", insecure=True):
        wait_for_answer(port, "/readyz")


SEEING = """
import json, sys
from meshline.api import serve
from meshline.app.settings import load_settings

async def seen(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": (await receive())["type"] + ".complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps([scope["client"][0], scope["scheme"]]).encode()})

serve.create_app = lambda *_, **__: seen
serve.run_server(load_settings(store="sqlite://", port=int(sys.argv[1])))
"""


def test_the_address_that_a_client_claims_is_not_believed() -> None:
    """`SEEING` answers what the application is given of a client, by the server as it is configured for meshline."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", SEEING, str(port)], stderr=subprocess.DEVNULL) as running:
        try:
            wait_for_answer(port, "/")
            forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.7;proto=https"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=forged)
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer) == ["127.0.0.1", "http"]
        finally:
            running.kill()
