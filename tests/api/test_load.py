"""A real server under too much load: it stays alive for others, ends requests that take too long, and stops when it is asked to."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.api.test_ingest import build_event
from tests.api.test_serve import free_port, run_forked, wait_for_answer
from tests.forked_program import ForkedProgram
from tests.servers import PATIENCE

CHECK = "/api/v1/check"


class Answer(NamedTuple):
    status: int
    retry_after: str | None
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


def post_json(port: int, path: str, body: object = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    return send_request(urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"}))


def put_bytes(port: int, path: str, data: bytes, media: str) -> Answer:
    return send_request(urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": media}, method="PUT"))


def send_request(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return Answer(answer.status, None, json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers["Retry-After"], json.load(error))


def wait_for_check(port: int) -> None:
    """Until a short check is answered: on a busy machine, or with processes that parse texts still to be started, it may take too long."""
    end = time.monotonic() + PATIENCE
    while (answer := post_json(port, CHECK, build_ddl_check(FEW))).status != 200:
        assert answer.code == "LIMIT_EXCEEDED"
        assert time.monotonic() < end


def build_ddl_check(text: str) -> dict[str, object]:
    return {"things": [{"kind": "ddl", "after": {"name": "a.sql", "text": text}, "options": {"dialect": "postgres"}}]}


TABLES = "\n".join(f"CREATE TABLE t{n} (id INT, name TEXT);" for n in range(40_000))  # a minute of processor time
FEW = "CREATE TABLE t (id INT, name TEXT, price DECIMAL(10, 2));"


@contextmanager
def run_server(folder: Path, **settings: object) -> Iterator[tuple[int, ForkedProgram]]:
    port = free_port()
    with run_forked(f"sqlite:///{folder}/mesh.db", port, folder / "log", **settings) as running:
        wait_for_answer(port, "/readyz")
        yield port, running


def list_descendants(of: int) -> set[int]:
    """The processes that a process began, and those that these began."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    found: set[int] = set()
    near = {of}
    while near := {pid for pid, parent in parents.items() if parent in near}:
        found |= near
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty for a process that has ended and that its parent has not waited for
    except OSError:
        return False


def test_requests_that_take_too_long_end(tmp_path: Path) -> None:
    with run_server(tmp_path, check_seconds=1.5, query_seconds=1.5) as (port, running), ThreadPoolExecutor() as pool:
        wait_for_check(port)
        idle = list_descendants(running.pid)
        long = pool.submit(post_json, port, CHECK, build_ddl_check(TABLES))
        query = "query($ddl: String!) { blastRadius(change: {ddl: {text: $ddl}}) { verdict } }"
        asked = pool.submit(post_json, port, "/graphql", {"query": query, "variables": {"ddl": TABLES}})
        while not (long.done() and asked.done()):
            assert post_json(port, "/graphql", {"query": "{ about { revision } }"}).body["data"]
            assert post_json(port, "/api/v1/lineage", build_event()).status == 201
        assert (long.result().status, long.result().code) == (422, "LIMIT_EXCEEDED")
        assert asked.result().body["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert list_descendants(running.pid) <= idle, "nothing goes on"
        wait_for_check(port)


def test_a_mesh_file_and_a_source_that_take_too_long_to_read(tmp_path: Path) -> None:
    """A minute of processor time, as YAML; the server answers others meanwhile, and nothing goes on afterwards."""
    teams = "\n".join(f"  - {{name: t{n}, description: a team}}" for n in range(30_000))
    scopes = [["table", "n", f"t{n}"] for n in range(400_000)]
    with run_server(tmp_path, check_seconds=0.2) as (port, running):
        small = put_bytes(port, "/api/v1/mesh", b"version: 1\nteams: [{name: a}]\n", "application/yaml")
        assert small.status in (200, 422), "a busy machine"
        idle = list_descendants(running.pid)
        long = put_bytes(port, "/api/v1/mesh", f"version: 1\nteams:\n{teams}\n".encode(), "application/yaml")
        assert (long.status, long.code) == (422, "LIMIT_EXCEEDED")
        assert "longer than 0.2 seconds (MESHLINE_CHECK_SECONDS)" in long.body["error"]["message"]
        assert list_descendants(running.pid) <= idle, "nothing goes on"
        assert post_json(port, "/graphql", {"query": "{ about { revision } }"}).body["data"]
    with run_server(tmp_path, check_seconds=0.01) as (port, _):
        sent = put_bytes(port, "/api/v1/sources?source=delta/x", json.dumps({"unchanged": scopes}).encode(), "application/json")
        assert (sent.status, sent.code) == (422, "LIMIT_EXCEEDED")
        assert "send it in smaller parts" in sent.body["error"]["message"]


LONG = "".join(f"- {{a: x{n}}}\n" for n in range(60_000))  # within the limits of a file, and five seconds of processor time
LONG_CHECKS = {
    "contract": {"things": [{"kind": "contract", "after": {"name": "c.yaml", "text": LONG}}]},
    "product": {"things": [{"kind": "product", "after": {"name": "p.yaml", "text": LONG}}]},
    "policies": build_ddl_check(FEW) | {"policies": [{"name": f"{n}.yaml", "text": LONG} for n in range(15)]},
    "waivers": build_ddl_check(FEW) | {"waivers": {"name": "w.yaml", "text": LONG}},
}


def test_files_that_take_too_long_to_read_end(tmp_path: Path) -> None:
    with run_server(tmp_path, check_seconds=1.5) as (port, running):
        wait_for_check(port)
        idle = list_descendants(running.pid)
        for name, body in LONG_CHECKS.items():
            begun = time.monotonic()
            answer = post_json(port, CHECK, body)
            assert (name, answer.status, answer.code) == (name, 422, "LIMIT_EXCEEDED")
            assert time.monotonic() - begun < 60, "a busy machine; all the files take longer"
            assert list_descendants(running.pid) <= idle, "nothing goes on"
        wait_for_check(port)


def test_health_does_not_wait_for_checks(tmp_path: Path) -> None:
    with run_server(tmp_path, check_seconds=120) as (port, _), ThreadPoolExecutor(100) as pool:
        assert post_json(port, CHECK, build_ddl_check(FEW)).status == 200
        checks = [pool.submit(post_json, port, CHECK, build_ddl_check(FEW)) for _ in range(100)]
        seconds: list[float] = []
        first = time.monotonic()
        while not all(check.done() for check in checks):
            for path in ("/readyz", "/healthz"):
                begun = time.monotonic()
                assert post_json(port, path).status == 200
                seconds.append(time.monotonic() - begun)
            time.sleep(0.02)
        whole = time.monotonic() - first
        assert {check.result().status for check in checks} == {200}
    assert len(seconds) > 20
    assert sorted(seconds)[len(seconds) // 2] < whole / 20
    assert max(seconds) < whole / 2, "without threads of its own it is a 503 after three seconds"


def test_requests_beyond_the_limit_are_asked_to_retry(tmp_path: Path) -> None:
    with run_server(tmp_path, check_seconds=1, request_queue=1) as (port, _), ThreadPoolExecutor(12) as pool:
        checks = [pool.submit(post_json, port, CHECK, build_ddl_check(TABLES)) for _ in range(12)]
        refused = [check.result() for check in checks if check.result().status == 503]
        assert len(refused) >= 9, "two run, one waits"
        assert {(answer.code, answer.retry_after) for answer in refused} == {("QUEUE_FULL", "2")}


def measure_shutdown(running: ForkedProgram) -> float:
    """Seconds from the signal to the end."""
    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    running.wait(timeout=60)
    return time.monotonic() - begun


def test_it_ends_in_the_middle_of_a_check_and_of_a_commit(tmp_path: Path) -> None:
    with run_server(tmp_path, check_seconds=600) as (port, running), ThreadPoolExecutor() as pool:
        assert post_json(port, CHECK, build_ddl_check(FEW)).status == 200
        assert post_json(port, "/api/v1/lineage", build_event(1)).status == 201
        begun = list_descendants(running.pid)
        with closing(sqlite3.connect(tmp_path / "mesh.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            bodies = {CHECK: build_ddl_check(TABLES), "/api/v1/lineage": build_event(2)}
            waiting = {path: pool.submit(post_json, port, path, body) for path, body in bodies.items()}
            while not list_descendants(running.pid) - begun:
                time.sleep(0.05)
            left = list_descendants(running.pid)
            assert measure_shutdown(running) < 60, "the check alone may take ten minutes"
            other.execute("ROLLBACK")
        assert {(one.result().status, one.result().retry_after) for one in waiting.values()} == {(503, "2")}
        # A commit waits for the lock for less time than requests are given to end, so the reason is the store; a check is cut off.
        assert {path: one.result().code for path, one in waiting.items()} == {CHECK: "NOT_READY", "/api/v1/lineage": "STORE_UNAVAILABLE"}
        end = time.monotonic() + 60
        while any(map(is_running, left)):
            assert time.monotonic() < end, "what it began has ended, too"
            time.sleep(0.1)
    with run_forked(f"sqlite:///{tmp_path}/mesh.db", port, tmp_path / "again.log"):
        wait_for_answer(port, "/readyz")
        jobs = post_json(port, "/graphql", {"query": "{ jobs { totalCount } }"}).body["data"]["jobs"]["totalCount"]
        assert jobs in (1, 2), "what was acknowledged is there"
