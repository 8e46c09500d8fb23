"""`meshline doctor`: what works, what does not, and what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from meshline.distribution import install_command
from tests.cli.command import run_command, run_successfully
from tests.cli.test_server import run_server


def run_doctor(*arguments: str | Path, code: int = 0) -> dict[str, dict[str, str]]:
    """The findings, by what they are about."""
    ran = run_command("doctor", "--format", "json", *arguments)
    assert ran.code == code, ran
    assert ran.json["ok"] is (code == 0)
    found: Any = ran.json["findings"]
    return {one["about"]: one for one in found}


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
