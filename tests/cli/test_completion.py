"""Completion of the names of assets in the shell."""

from __future__ import annotations

import math
import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshline.cli.completion import MOST, SECONDS, complete_asset, join_words
from tests.api.conftest import serve_application
from tests.cli.command import find_executable


def complete(incomplete: str, **options: str) -> list[str]:
    return complete_asset(SimpleNamespace(params=options), incomplete)  # type: ignore[arg-type]


def wait_for_names(incomplete: str, **options: str) -> list[str]:
    """The names that are found: a busy machine may not find them in time, which is no name."""
    end = time.monotonic() + 60
    found: list[str] = []
    while not found and time.monotonic() < end:
        found = complete(incomplete, **options)
    return found


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MESHLINE_STORE", "MESHLINE_TOKEN", "MESHLINE_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_names_that_begin_with_what_was_typed(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait_for_names("customers.customers.em", store=example) == ["customers.customers.email"]
    assert "receipts.amount" in wait_for_names("receipts.am", store=example), "an end of a name is a name, too"
    assert "finance-marts" in wait_for_names("finance-m", store=example)
    whole = "http://iceberg-rest.internal:8181/customers.customers.e"
    assert wait_for_names(whole, store=example) == [f"{whole}mail"]
    found = wait_for_names("c", store=example)
    assert 0 < len(found) <= MOST
    assert all(name.casefold().startswith("c") for name in found)
    assert complete("", store=example) == []
    assert complete("zzzz", store=example) == []
    monkeypatch.setenv("MESHLINE_STORE", example)
    assert wait_for_names("customers.customers.em") == ["customers.customers.email"]


def test_a_server_suggests(example: str) -> None:
    with serve_application(lambda _url: {"store": example}) as server:
        assert wait_for_names("customers.customers.em", server=server) == ["customers.customers.email"]


@contextmanager
def run_slow_server() -> Iterator[str]:
    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(1)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_whatever_fails_suggests_nothing_and_in_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.db").write_text("no store" * 100)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    with socket.socket() as silent, run_slow_server() as slow:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for options in (
            {"store": "sqlite:///none.db"},
            {"store": "sqlite:///text.db"},
            {"store": "sqlite:///other.db"},
            {"store": "neo4j://127.0.0.1:1"},
            {"store": "nonsense"},
            {"server": "http://127.0.0.1:1"},
            {"server": "nonsense"},
            {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"},
            {"server": slow},
        ):
            end, seconds = time.monotonic() + 60, math.inf
            while seconds > SECONDS * 3 + 0.5 and time.monotonic() < end:  # the rest is for imports; a busy machine may need several tries
                begun = time.monotonic()
                assert complete("orders", **options) == [], options
                seconds = time.monotonic() - begun
            assert seconds < SECONDS * 3 + 0.5, options
    assert not (tmp_path / "none.db").exists()
    assert capfd.readouterr() == ("", "")


def test_the_shell_gets_names(example: str) -> None:
    environment = {**os.environ, "_MESHLINE_COMPLETE": "complete_bash", "MESHLINE_STORE": example}
    for words, expected in (
        (f"meshline impact customers.customers.em --store {example}", "customers.customers.email"),
        ("meshline cov", "coverage"),
    ):
        place = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" --")[0].split()) - 1)}
        end = time.monotonic() + 60
        while True:
            done = subprocess.run([find_executable()], env={**environment, **place}, capture_output=True, text=True, check=False)
            if expected in done.stdout.split() or time.monotonic() > end:
                break
        assert expected in done.stdout.split(), done
        assert done.stderr == ""


NAMESPACE = "http://iceberg-rest.internal:8181"


@pytest.mark.parametrize(
    ("words", "place", "joined", "kept"),
    [
        ("meshline impact http : //x:8", 4, ["meshline", "impact", "http://x:8"], "http://x:"),
        ("meshline impact http :", 3, ["meshline", "impact", "http:"], "http:"),
        ("meshline impact a :: b c", 5, ["meshline", "impact", "a::b", "c"], ""),
        ("meshline impact orders.c", 2, ["meshline", "impact", "orders.c"], ""),
        ("meshline impact http : //x more", 2, ["meshline", "impact", "http"], ""),
        ("meshline", 1, ["meshline"], ""),
    ],
)
def test_words_that_bash_has_cut_at_colons(monkeypatch: pytest.MonkeyPatch, words: str, place: int, joined: list[str], kept: str) -> None:
    monkeypatch.setenv("COMP_WORDS", "\n".join(words.split()))
    monkeypatch.setenv("COMP_CWORD", str(place))
    assert join_words() == kept
    assert os.environ["COMP_WORDS"].split("\n") == joined


class Terminal:
    """A shell in a terminal of its own, into which a person types."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._child, self._terminal = pty.fork()
        if self._child == 0:
            os.execvpe(command[0], command, {**os.environ, **environment})
        self.shown = ""

    def type_text(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_until(self, text: str, seconds: float = 60) -> None:
        """Read what is shown until it contains a text, or for some seconds."""
        end = time.monotonic() + seconds
        while text not in self.clean and select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            try:
                self.shown += os.read(self._terminal, 65_536).decode("utf-8", "replace")
            except OSError:  # the shell has ended
                return

    @property
    def clean(self) -> str:
        """What is shown, without what rings and what moves the cursor."""
        return re.sub(r"[\x07\r]", "", self.shown)

    def close(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._terminal)


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
BEGIN = {
    "bash": "source {}; bind 'set enable-bracketed-paste off'\n",
    "zsh": "autoload -Uz compinit; compinit -u -D; source {}\n",
    "fish": "source {}\n",
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("typed", [f"{NAMESPACE}/customers.customers.em", "customers.customers.em"])
def test_a_real_shell_completes_a_name(example: str, tmp_path: Path, shell: str, typed: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    path = f"{Path(find_executable()).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"HOME": str(tmp_path), "MESHLINE_STORE": example, "PATH": path, "TERM": "dumb", "COLUMNS": "400"}
    script = tmp_path / "completion"
    done = subprocess.run(
        [find_executable()], env={**os.environ, **own, "_MESHLINE_COMPLETE": f"source_{shell}"}, capture_output=True, text=True, check=False
    )
    script.write_text(done.stdout)
    terminal = Terminal(SHELLS[shell], own)
    try:
        terminal.type_text(BEGIN[shell].format(script))
        terminal.type_text("echo it is rea''dy\n")
        terminal.read_until("it is ready")
        terminal.shown = ""
        terminal.type_text(f"meshline impact {typed}")
        end = time.monotonic() + 60
        while f"{typed}ail" not in terminal.clean and time.monotonic() < end:
            terminal.type_text("\t")  # a busy machine may not answer in time
            terminal.read_until(f"{typed}ail", 3)
        assert f"{typed}ail" in terminal.clean, terminal.shown
        assert f"{typed}{typed}" not in terminal.shown
    finally:
        terminal.close()
