"""`meshline doctor`: what works, what does not, and what to do."""

from __future__ import annotations

import base64
import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from meshline.app.tokens import Role, Token, generate_token, hash_token
from meshline.distribution import install_command
from meshline.graph.index.kernels.jit import find_cached_kernels
from tests.api.conftest import serve_application
from tests.cli.command import run_command, run_successfully
from tests.cli.test_server import run_server


def run_doctor(*arguments: str | Path, code: int = 0) -> dict[str, dict[str, str]]:
    """The findings, by what they are about."""
    ran = run_command("doctor", "--format", "json", *arguments)
    assert ran.code == code, ran
    assert ran.json["ok"] is (code == 0)
    found: Any = ran.json["findings"]
    return {one["about"]: one for one in found}


@pytest.fixture(autouse=True, scope="module")
def _kernels_found_once() -> Iterator[None]:
    """To look for the cached kernels takes half a second, and always finds the same here."""
    with mock.patch("meshline.graph.index.kernels.jit.find_cached_kernels", functools.cache(find_cached_kernels)):
        yield


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MESHLINE_STORE", "MESHLINE_TOKEN", "MESHLINE_TOKEN_FILE", "MESHLINE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_an_installation_without_a_store(example: str) -> None:
    found = run_doctor()
    assert found["meshline"]["found"].startswith("0.1.0, as meshline @ ")
    assert found["extra dbt"] == {"about": "extra dbt", "state": "ok", "found": "sqlglot", "advice": ""}
    assert found["kernels"]["state"] in ("ok", "note")
    assert (found["store"]["state"], found["store"]["found"]) == ("note", "there is none at meshline.db")
    assert run_doctor("--store", example)["store"]["state"] == "ok"
    text = run_command("doctor").out
    assert "note     store" in text
    assert "-> `meshline ingest` and `meshline serve` make one; --store names another" in text


def test_a_missing_extra_is_noted_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.distribution.find_missing", lambda libraries: libraries if libraries == ("deltalake",) else ())
    one = run_doctor()["extra delta"]
    assert one == {"about": "extra delta", "state": "note", "found": "not installed (deltalake)", "advice": install_command("delta")}


def test_a_store_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert run_doctor("--store", "sqlite:///no.db", code=1)["store"]["state"] == "failed"
    assert not (tmp_path / "no.db").exists()
    (tmp_path / "text.db").write_text("this is no store" * 100, "utf-8")
    assert run_doctor("--store", "sqlite:///text.db", code=1)["store"]["state"] == "failed"
    assert "rows" not in run_doctor("--store", "redis://x", code=1)["store"]["found"]


def test_a_token_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_TOKEN", "two words")
    assert run_doctor(code=1)["token"]["state"] == "failed"
    monkeypatch.delenv("MESHLINE_TOKEN")
    monkeypatch.setenv("MESHLINE_TOKEN_FILE", "nowhere")
    assert "nowhere" in run_doctor(code=1)["token"]["found"]


def test_a_server_with_tokens(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run_successfully("token", "new", "ci", "--role", "reader")
    settings = tmp_path / "server.toml"
    settings.write_text(made.err, "utf-8")
    with run_server("serve", "--store", example, "--config", str(settings)) as address:
        found = run_doctor("--server", address, code=1)
        assert (found["access"]["state"], found["access"]["found"]) == ("failed", "the server asks for a token")
        monkeypatch.setenv("MESHLINE_TOKEN", "wrong")
        assert "refuses this token" in run_doctor("--server", address, code=1)["access"]["found"]
        monkeypatch.setenv("MESHLINE_TOKEN", made.out.strip())
        found = run_doctor("--server", address)
        assert [found[name]["state"] for name in ("server", "access", "clock", "token")] == ["ok"] * 4
        assert found["server"]["found"] == f"{address} is ready"


class _Other(BaseHTTPRequestHandler):
    """Another program, or a meshline whose clock is an hour behind."""

    answer = b""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Date", "Sun, 01 Mar 2026 10:00:00 GMT")
        self.end_headers()
        self.wfile.write(self.answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is given
        del format, arguments


@contextmanager
def serve_answer(answer: bytes) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), type("Handler", (_Other,), {"answer": answer})) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_an_address_without_meshline() -> None:
    with serve_answer(b"<html>hello</html>") as address:
        assert "does not answer like meshline" in run_doctor("--server", address, code=1)["server"]["found"]
    assert "no answer from http://127.0.0.1:1" in run_doctor("--server", "http://127.0.0.1:1", code=1)["server"]["found"]
    assert "no answer from nowhere" in run_doctor("--server", "nowhere", code=1)["server"]["found"]


def test_clocks_that_are_apart() -> None:
    with serve_answer(b'{"status":"ok","version":"0.0.9"}') as address:
        found = run_doctor("--server", address)
    assert found["clock"]["state"] == "warning"
    assert "seconds apart from the server's" in found["clock"]["found"]
    assert found["server"]["found"] == f"{address} is ready, with version 0.0.9"


def build_jwt(ends: float) -> str:
    parts = ({"alg": "RS256"}, {"exp": ends})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"])


def test_a_token_that_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, code, state, words in (
        (-60, 1, "failed", "expired at 20"),
        (60, 0, "warning", "expires at 20"),
        (7200, 0, "ok", "which expires at 20"),
        (1e300, 0, "ok", "one is set, of "),
    ):
        monkeypatch.setenv("MESHLINE_TOKEN", build_jwt(time.time() + seconds))
        token = run_doctor(code=code)["token"]
        assert token["state"] == state
        assert words in token["found"]
    monkeypatch.setenv("MESHLINE_TOKEN", "a.b.c")
    assert run_doctor()["token"]["found"] == "one is set, of 5 characters"


def test_what_a_token_may_do(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = generate_token()
    tokens = [Token(name="rita", role=Role.READER, hash=hash_token(text))]
    with serve_application(lambda _url: {"store": example, "tokens": tokens}) as server:
        monkeypatch.setenv("MESHLINE_TOKEN", text)
        found = run_doctor("--server", server)
        assert found["access"]["found"] == "the server accepts this token of rita, with the role reader"
        monkeypatch.setenv("MESHLINE_TOKEN", generate_token())
        assert run_doctor("--server", server, code=1)["access"]["state"] == "failed"


def test_the_sources_of_a_mesh_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events.ndjson").write_text("{}")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        lines = [
            "version: 1",
            "sources:",
            "  - {kind: openlineage, name: here, files: ['*.ndjson']}",
            "  - {kind: contract, name: gone, files: ['contracts/*.yaml']}",
            "  - {kind: dbt, name: gone, path: target, namespace: x}",
            "  - {kind: delta, name: gone, tables: [lake/orders]}",
            f"  - {{kind: iceberg, name: up, uri: 'http://127.0.0.1:{port}'}}",
            "  - {kind: iceberg, name: down, uri: 'http://127.0.0.1:1'}",
            "  - {kind: iceberg, name: secret, uri: 'http://127.0.0.1:1', properties: {token: '${NO_SUCH_VARIABLE}'}}",
            "  - {kind: marquez, name: down, url: 'http://127.0.0.1:1'}",
        ]
        (tmp_path / "mesh.yaml").write_text("\n".join(lines))
        found = run_doctor(code=1)
        assert found["mesh file"]["found"] == "mesh.yaml: 0 entries and 8 sources"
        assert found["source openlineage/here"]["state"] == "ok"
        assert found["source iceberg/up"]["found"] == f"127.0.0.1:{port} answers"
        for name, words in (
            ("contract/gone", "contracts/*.yaml: no file matches"),
            ("dbt/gone", "target: there is no such file or folder"),
            ("delta/gone", "lake/orders: there is no such table"),
            ("iceberg/down", "no connection to 127.0.0.1:1: Connection refused"),
            ("iceberg/secret", "the variables NO_SUCH_VARIABLE of the environment are not set"),
            ("marquez/down", "no connection to 127.0.0.1:1"),
        ):
            assert found[f"source {name}"]["state"] == "failed"
            assert words in found[f"source {name}"]["found"]
    monkeypatch.setattr("meshline.cli.mesh_examination.find_missing", lambda libraries: libraries)
    assert run_doctor(code=1)["source delta/gone"]["found"] == "needs the extra delta, which is not installed (deltalake)"
    (tmp_path / "other.yaml").write_text("version: 1\nsourcs: []\n")
    assert run_doctor("--mesh", "other.yaml", code=1)["mesh file"]["state"] == "failed"
    assert run_doctor("--mesh", "none.yaml", code=1)["mesh file"]["found"].startswith("none.yaml: ")
