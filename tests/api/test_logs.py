"""One line for each request, whatever the request is; and no secret in any."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.api.app import create_app
from meshline.app.logs import DETAILS, REQUEST_ID, JsonLines, TextLines, configure_logs
from meshline.app.settings import load_settings
from meshline.app.tokens import Role, generate_token
from meshline.errors import MeshlineError
from meshline.graph.store.factory import open_store
from tests.api.conftest import URL, run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event
from tests.api.test_mcp_endpoint import VERSION

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def log_to(stream: io.StringIO, form: Any = "json", level: str = "info") -> Iterator[None]:
    """The logging that `configure` sets up, restored at the end."""
    root = logging.getLogger()
    before, kept = root.level, root.handlers[:]
    named = {name: logging.getLogger(name).level for name in ("uvicorn", "uvicorn.error", "uvicorn.access")}
    configure_logs(level, form, stream)
    logging.getLogger("httpx2").setLevel("WARNING")  # the client's log is not ours
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = kept
        root.setLevel(before)
        for name, was in named.items():
            logging.getLogger(name).setLevel(was)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The JSON log so far."""
    stream = io.StringIO()

    def read_lines() -> list[dict[str, Any]]:
        for handler in logging.getLogger().handlers:
            handler.flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    with log_to(stream):
        yield read_lines


def select_requests(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in found if line["message"] == "request" and line["route"] != "/readyz"]


def test_one_line_for_a_request(lines: Lines) -> None:
    with run_application(tokens=TOKENS) as client:
        answer = client.post(
            "/api/v1/lineage", json=build_event(), headers={"X-Request-Id": "mine", **build_authorization(SECRETS[Role.WRITER])}
        )
    (line,) = select_requests(lines())
    took = line.pop("ms")
    assert 0 < took < 60_000
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "meshline.http",
        "message": "request",
        "method": "POST",
        "route": "/api/v1/lineage",
        "status": 201,
        "bytes": len(answer.content),
        "actor": "the-writer",
        "request_id": "mine",
    }


def test_one_line_for_a_question_of_an_agent(lines: Lines) -> None:
    with run_application() as client:
        assert client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=VERSION).status_code == 200
        before = len(lines())
        client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=VERSION)
        assert [line["route"] for line in lines()[before:]] == ["/mcp"]


def test_refused_requests_are_logged_too(lines: Lines) -> None:
    with run_application(tokens=TOKENS) as client:
        client.post("/graphql?query=secret", json={})
        client.get("/nothing/here", headers=build_authorization(SECRETS[Role.READER]))
        client.get("/healthz")
    found = select_requests(lines())
    summaries = [(line["route"], line["status"], line["actor"], line.get("code")) for line in found]
    assert summaries == [("/graphql", 401, "", "UNAUTHENTICATED"), ("/nothing/here", 404, "the-reader", None)]


def test_a_hostile_path_stays_one_line(lines: Lines) -> None:
    with run_application() as client:
        client.get('/a%0ab"%1b[31m' + "x" * 5000)
    (line,) = select_requests(lines())
    assert line["route"].startswith('/a\nb"\x1b[31mxxx')
    assert len(line["route"]) == 200


def test_records_inside_a_request_carry_its_id(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_application() as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        monkeypatch.setattr(service.resources.live, "get_index", lambda *_, **__: 1 / 0)  # in a worker thread
        answer = client.post("/graphql", json={"query": "{ about { version } }"}, headers={"X-Request-Id": "one"}).json()
        monkeypatch.setattr(client.app.state.metrics, "format_metrics", None)  # type: ignore[attr-defined]  # in the event loop
        assert client.get("/metrics", headers={"X-Request-Id": "two"}).status_code == 500
    assert answer["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "one"}
    failures = [line for line in lines() if line["level"] == "error" and "ZeroDivisionError" in line.get("error", "")]
    assert [line["request_id"] for line in failures] == ["one"]
    assert {line["request_id"] for line in lines() if line["level"] == "error"} == {"one", "two"}
    assert REQUEST_ID.get() == ""


def build_record(message: str, **details: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "a.b", "levelno": 20, "levelname": "INFO", "msg": message, "created": 1.5})
    setattr(made, DETAILS, details)
    made.request_id = "r1"
    return made


class Stream(io.StringIO):
    """A stream that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(" ".join(line.rpartition(": ")[2] for line in text.splitlines()))
        return super().write(text)


def test_records_of_one_turn_of_an_event_loop_are_written_together() -> None:
    stream, log = Stream(), logging.getLogger("a.b")

    async def run_turns() -> None:
        log.info("one")
        log.info("two")
        await asyncio.sleep(0)
        log.info("three")
        log.warning("four")  # at once, after what came before it
        assert stream.writes == ["one two", "three four"]
        log.info("five")
        thread = threading.Thread(target=log.info, args=("six",))
        thread.start()
        thread.join()
        assert stream.writes[2:] == ["five six"]
        log.info("seven")

    with log_to(stream, "text"):
        asyncio.run(run_turns())
        log.info("eight")
    assert stream.writes[3:] == ["seven", "eight"]


def test_what_a_closed_loop_has_not_written_comes_first() -> None:
    stream, log = Stream(), logging.getLogger("a.b")

    async def log_late(text: str) -> None:
        log.info(text)
        asyncio.get_running_loop().stop()  # before its next turn

    with log_to(stream, "text"):
        for text in ("one", "two"):
            loop = asyncio.new_event_loop()
            task = loop.create_task(log_late(text))
            loop.run_forever()
            assert task.done()
            loop.close()
        logging.getLogger().handlers[0].flush()
    assert stream.writes == ["one two"]


def test_text() -> None:
    shown = TextLines().format(build_record("done", route="/a b", status=200, actor="", odd='"\n'))
    assert shown == '1970-01-01T00:00:01.500Z INFO a.b: done route="/a b" status=200 actor="" odd="\\"\\n" request_id=r1'
    assert TextLines().format(build_record("two\nlines \x1b[31m")).count("\n") == 0


def test_json() -> None:
    made = build_record("done", status=200)
    made.exc_info = (ValueError, ValueError("what"), None)
    line = JsonLines().format(made)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("error").endswith("ValueError: what")
    assert found == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "logger": "a.b",
        "message": "done",
        "status": 200,
        "request_id": "r1",
    }


PASSWORD = "hunter2-is-the-password"


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_logged_or_answered(form: str) -> None:
    """A whole scenario at the most detailed level, with valid and invalid requests to every address."""
    stream, answers = io.StringIO(), []
    wrong = generate_token()
    with log_to(stream, form, "debug"), run_application(tokens=TOKENS, token="meshline_mine") as client:
        for secret in (*SECRETS.values(), wrong, "not a token"):
            for headers in (build_authorization(secret), {"Authorization": secret}, {"Authorization": f"Basic {secret}"}):
                answers += [
                    client.get("/healthz", headers=headers),
                    client.get("/readyz", headers=headers),
                    client.post("/graphql", json={"query": "{ about { version } }"}, headers=headers),
                    client.post("/graphql", json={"query": "{"}, headers=headers),
                    client.post("/api/v1/lineage", json=build_event(), headers=headers),
                    client.post("/api/v1/lineage", content=b"[", headers=headers),
                    client.put("/api/v1/mesh", content="version: [", headers={"Content-Type": "application/yaml", **headers}),
                    client.get("/nothing", params={"token": secret}, headers=headers),
                ]
        answers.append(client.get("/metrics", headers=build_authorization(SECRETS[Role.READER])))
        answers.append(client.get("/openapi.json", headers=build_authorization(SECRETS[Role.READER])))
    everything = stream.getvalue() + "".join(answer.text + str(answer.headers) for answer in answers)
    assert "the-admin" in everything
    for secret in (*SECRETS.values(), wrong, "meshline_mine", *(str(token["hash"]) for token in TOKENS)):
        assert secret not in everything


@pytest.mark.parametrize(
    "url",
    [
        f"neo4j://neo4j:{PASSWORD}@127.0.0.1:1",
        f"neo4j//neo4j:{PASSWORD}@127.0.0.1:1",
        f"neo5j://neo4j:{PASSWORD}@127.0.0.1:1",
        f"neo4j://neo4j:{PASSWORD}@127.0.0.1:what",
        f"neo4j:{PASSWORD}@127.0.0.1",
        f"sqlite://neo4j:{PASSWORD}@127.0.0.1",
    ],
)
def test_the_password_of_the_store_is_not_logged(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    failures: list[MeshlineError] = []
    tried: list[str] = []

    def record_url(given: str) -> object:
        tried.append(given)
        return open_store(given)

    monkeypatch.setattr("meshline.app.service.open_store", record_url)
    monkeypatch.setattr("meshline.app.service.RETRY_SECONDS", 0.05)
    with log_to(stream, "text", "debug"):
        app = create_app(load_settings(store=url), on_failure=failures.append)
        with TestClient(app, base_url=URL) as client:
            while len(tried) < 2 and not failures:
                answer = client.get("/readyz").text
            answer = client.get("/readyz").text
    assert tried[0] == url
    assert PASSWORD not in stream.getvalue() + answer + "".join(map(str, failures))
