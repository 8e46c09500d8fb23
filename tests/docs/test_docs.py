"""Every command and every query in README.md and docs/ is run, and prints what the page says it prints.

A ```console block: each line that begins with `$ ` is run by bash, in order, in one empty folder for the page
(with `examples/` of the checkout in it); the lines below it are its output (`...` stands for anything). A command
that ends in `&` is a server: the page's commands go on when it is ready. Ports 8080 and 8081 stand for free ones.
A ```graphql block is asked of the example mesh; `$email` is the id of the column customers.email.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.files import events_in
from tests.acceptance.service import Service, serving

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PORTS = ("8080", "8081")
BLOCK = re.compile(r"^```(console|graphql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A command and the output that the page shows ('' = not shown)."""

    line: str
    output: str


def commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        while line.endswith("\\"):
            more, _, output = output.partition("\n")
            line = line[:-1] + more
        yield Command(line, output)


def blocks(page: Path, language: str) -> list[str]:
    return [match[2] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match[1] == language]


def with_blocks(language: str) -> list[Path]:
    return [page for page in PAGES if page.exists() and blocks(page, language)]


@pytest.mark.parametrize("page", with_blocks("console"), ids=lambda p: p.name)
def test_commands(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "COLUMNS": "120",
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
    }
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for block in blocks(page, "console"):
            for command in commands(block):
                if command.line.startswith(("scripts/", "git clone", "cd ", "docker ", "NEO4J_PASSWORD=", "pip install")):
                    continue  # what sets up a checkout is what is running this test, and containers are not to be had here
                line = with_ports(command.line, ports)
                if line.endswith("&"):
                    servers.append(subprocess.Popen(line[:-1].split(), cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL))
                    wait_ready(next(port for shown, port in ports.items() if shown in command.line))
                    continue
                done = subprocess.run(  # both streams in one, as a terminal shows them
                    ["bash", "-c", line],
                    cwd=tmp_path,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=120,
                    check=False,
                )
                shown = with_ports(command.output, ports)
                assert done.returncode == 0, f"{line}: exit code {done.returncode}\n{done.stdout}"
                if shown.strip():
                    same = doctest.OutputChecker().check_output(shown, done.stdout, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
                    assert same, f"{page.name}: {line} printed\n{done.stdout}\nthe page says\n{shown}"
    finally:
        for server in servers:
            server.terminate()
            server.wait(timeout=30)


def free_ports(count: int) -> list[str]:
    with ExitStack() as open_ones:
        probes = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [str(probe.getsockname()[1]) for probe in probes]


def with_ports(text: str, ports: Mapping[str, str]) -> str:
    for shown, port in ports.items():
        text = text.replace(shown, port)
    return text


def wait_ready(port: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server of the page did not get ready")


@pytest.fixture(scope="module")
def example() -> Iterator[Service]:
    with serving(mesh=ROOT / "examples/mesh/mesh.yaml") as service:
        for event in events_in([str(ROOT / "examples/mesh/events")]):
            assert not isinstance(event, InvalidInput), event
            answer = service.client.post("/api/v1/lineage", content=event[1])
            assert answer.status_code == 201, answer.text
        yield service


@pytest.mark.parametrize("page", with_blocks("graphql"), ids=lambda p: p.name)
def test_queries(page: Path, example: Service) -> None:
    email = example.columns("http://iceberg-rest.internal:8181", "customers.customers")["email"]
    for query in blocks(page, "graphql"):
        variables = {"email": email} if "$email" in query else {}
        data = example.ask(query, **variables)
        assert all(value not in (None, [], {}) for value in data.values()), f"{page.name}: nothing found by\n{query}"
