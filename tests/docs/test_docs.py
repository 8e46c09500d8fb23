"""Every command and every query in README.md and docs/ is run, and prints what the page shows.

A ```console block: each line that begins with `$ ` is run by bash, in order, in one empty folder for the page
(with `examples/` of the checkout in it); the lines below it are its output (`...` matches any text). A command
that ends in `&` is a server: the page's commands go on when it is ready. Ports 8080 and 8081 stand for free ones.
`meshline` is forked from a process that has imported it, but for servers and README.md as a whole, which start the program itself.
An output of nothing but `...` would match a failure, so it is refused. README.md is also pasted as a whole into one shell.
A ```graphql block is asked of the example mesh; `$email` is the id of the column customers.email.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from meshline.cli.app import app
from meshline.errors import InvalidInput
from meshline.ingest.openlineage.event_files import read_events
from tests.acceptance.service import Service, run_service
from tests.api.test_serve import free_port
from tests.forked_program import ForkedProgram
from tests.servers import PATIENCE, wait_until_ready

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PORTS = ("8080", "8081")
BLOCK = re.compile(r"^```(console|graphql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


# What sets up a checkout is running this test, and no container engine is available.
SETUP = ("scripts/", "git clone", "cd meshline", "export PATH=", "docker ", "NEO4J_PASSWORD=", "pip install")


class Command(NamedTuple):
    """A command and the output that the page shows ('' = not shown)."""

    line: str
    output: str


def parse_commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        while line.endswith("\\"):
            more, _, output = output.partition("\n")
            line = line[:-1] + more
        if "<<'END'" in line:
            text, _, output = output.partition("\nEND\n")
            line = f"{line}\n{text}\nEND"
        yield Command(line, output)


def read_blocks(page: Path, language: str) -> list[str]:
    return [match[2] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match[1] == language]


def list_pages(language: str) -> list[Path]:
    return [page for page in PAGES if page.exists() and read_blocks(page, language)]


@pytest.mark.parametrize("page", list_pages("console"), ids=lambda p: p.name)
def test_no_output_matches_a_failure(page: Path) -> None:
    shown = [command for block in read_blocks(page, "console") for command in parse_commands(block) if command.output.strip()]
    empty = [command.line for command in shown if not command.output.replace("...", "").strip()]
    assert not empty, "these show nothing but `...`, which any output matches"


def test_readme_can_be_pasted(tmp_path: Path) -> None:
    """All blocks at once, into one shell that never waits for anything by itself: no command fails, and the server is stopped."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    lines = [command.line for block in read_blocks(ROOT / "README.md", "console") for command in parse_commands(block)]
    script = replace_ports("\n".join(line for line in lines if not line.startswith(SETUP)), choose_ports())
    done = subprocess.run(
        ["bash", "-e"],
        input=script,
        cwd=tmp_path,
        env=build_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for shown in ('{"revision":', "marketing.campaigns", '"qualifiedName":"http://iceberg-rest.internal:8181/customers.customers.email"'):
        assert shown in done.stdout
    assert "Traceback" not in done.stdout


def build_environment(home: Path, programs: Path = Path(sys.executable).parent) -> dict[str, str]:
    return {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "COLUMNS": "120",
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
    }


def choose_ports() -> dict[str, str]:
    return dict(zip(PORTS, (str(free_port()) for _ in PORTS), strict=True))


@pytest.mark.parametrize("page", list_pages("console"), ids=lambda p: p.name)
def test_commands(page: Path, tmp_path: Path, programs: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    chosen, folder = choose_ports(), tmp_path
    servers: list[ForkedProgram] = []
    try:
        for block in read_blocks(page, "console"):
            for command in parse_commands(block):
                if command.line.startswith((*SETUP, "kill ")):
                    continue
                line = replace_ports(command.line, chosen)
                if line.endswith("&"):
                    log = tmp_path / f"server-{len(servers)}.log"
                    with log.open("wb") as out:
                        program, *arguments = line[:-1].split()
                        assert program == "meshline"
                        servers.append(ForkedProgram(arguments, cwd=folder, env=build_environment(tmp_path), log=out))
                    port = next(port for shown, port in chosen.items() if shown in command.line)
                    wait_until_ready(servers[-1], f"http://127.0.0.1:{port}/readyz", log)
                    continue
                done = subprocess.run(  # both streams in one, as a terminal shows them
                    ["bash", "-c", f"{line}\n__status=$?; pwd > {tmp_path}/.folder; exit $__status"],
                    cwd=folder,
                    env=build_environment(tmp_path, programs),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=PATIENCE,
                    check=False,
                )
                folder = Path((tmp_path / ".folder").read_text("utf-8").strip())
                shown = replace_ports(command.output, chosen)
                assert done.returncode == 0, f"{line}: exit code {done.returncode}\n{done.stdout}"
                if shown.strip():
                    same = doctest.OutputChecker().check_output(shown, done.stdout, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
                    assert same, f"{page.name}: {line} printed\n{done.stdout}\nthe page shows\n{shown}"
    finally:
        for server in servers:
            server.terminate()
            server.wait(PATIENCE)


def replace_ports(text: str, ports: Mapping[str, str]) -> str:
    for shown, port in ports.items():
        text = text.replace(shown, port)
    return text


@pytest.fixture(scope="module")
def example() -> Iterator[Service]:
    with run_service(mesh=ROOT / "examples/mesh/mesh.yaml") as service:
        for event in read_events([str(ROOT / "examples/mesh/events")]):
            assert not isinstance(event, InvalidInput), event
            answer = service.client.post("/api/v1/lineage", content=event[1])
            assert answer.status_code == 201, answer.text
        yield service


@pytest.mark.parametrize("page", list_pages("graphql"), ids=lambda p: p.name)
def test_queries(page: Path, example: Service) -> None:
    email = example.list_columns("http://iceberg-rest.internal:8181", "customers.customers")["email"]
    for query in read_blocks(page, "graphql"):
        variables = {"email": email} if "$email" in query else {}
        data = example.ask(query, **variables)
        assert all(value not in (None, [], {}) for value in data.values()), f"{page.name}: nothing found by\n{query}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Of links within the repository: the file exists, and so does the heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in read_anchors(other), f"{page.name}: {target}"


def test_the_smallest_mesh_file_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "mesh-file.md").read_text("utf-8")
    (tmp_path / "mesh.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0], "utf-8")
    done = CliRunner().invoke(app, ["ingest", "mesh", str(tmp_path / "mesh.yaml"), "--strict", "--store", f"sqlite:///{tmp_path}/mesh.db"])
    assert (done.exit_code, done.output) == (0, "mesh/shop: 3 entries changed, 0 unchanged, 0 retracted\n")


def read_anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
