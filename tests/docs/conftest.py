"""A `meshline` that starts at once, and what CI checks with it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.dbt_project import PAIR, DbtProject
from tests.docs.ci_world import CONTRACT, DBT, MESH, ROOT, Running, World, run_git
from tests.docs.comments import CommentServer, run_comment_server
from tests.forked_program import ForkedProgram, find_program
from tests.servers import PATIENCE, wait_until_ready


@pytest.fixture(scope="package")
def programs() -> Path:
    """A folder for PATH with a `meshline` that starts at once."""
    return Path(find_program()).parent


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Iterator[Running]:
    """A meshline that knows the example mesh from its own systems."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(ROOT / "examples", folder / "examples")

    def run_meshline(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([programs / "meshline", *arguments], cwd=folder, check=True, capture_output=True, text=True)

    run_meshline("sync", "examples/mesh/mesh.yaml", "--store", "sqlite:///mesh.db")
    made = run_meshline("token", "new", "ci", "--role", "reader")
    (folder / "meshline.toml").write_text(made.stderr, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["serve", "--store", "sqlite:///mesh.db", "--port", str(port), "--config", "meshline.toml"]
    log = folder / "server.log"
    with log.open("wb") as out:
        process = ForkedProgram(command, cwd=folder, log=out)
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", log)
        yield Running(f"http://127.0.0.1:{port}", made.stdout.strip())
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def world(tmp_path: Path, server: Running, programs: Path) -> World:
    """A repository with a contract; a clone of it on a branch that drops a column."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    (origin / "contracts").mkdir(parents=True)
    (origin / "mesh.yaml").write_text(MESH, "utf-8")
    (origin / "contracts" / "audience.yaml").write_text(CONTRACT, "utf-8")
    run_git(origin, "init")
    run_git(origin, "add", "-A")
    run_git(origin, "commit", "-m", "a contract")
    run_git(tmp_path, "clone", "origin", "clone")
    run_git(clone, "checkout", "-b", "drop-email")
    kept = [line for line in CONTRACT.splitlines(keepends=True) if "name: email" not in line and ".email" not in line]
    (clone / "contracts" / "audience.yaml").write_text("".join(kept), "utf-8")
    run_git(clone, "commit", "-am", "drop email")
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return World(clone, {"PATH": path, "MESHLINE_SERVER": server.address, "MESHLINE_TOKEN": server.token})


@pytest.fixture
def dbt_world(tmp_path: Path, server: Running, programs: Path) -> World:
    """A clone of a repository with a dbt project, on a branch that removes a column; the target folder is ignored."""
    project = DbtProject(tmp_path)
    project.remove_column()
    project.work.commit("remove a column")
    run_git(tmp_path, "clone", "--branch", "feature", "repository", "clone")
    tools = tmp_path / "tools"
    tools.mkdir()
    dbt = tools / "dbt"
    dbt.write_text(DBT.format(python=sys.executable, pair=PAIR), "utf-8")
    dbt.chmod(0o755)
    path = f"{tools}:{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return World(tmp_path / "clone", {"PATH": path, "MESHLINE_SERVER": server.address, "MESHLINE_TOKEN": server.token})


@pytest.fixture
def comments() -> Iterator[CommentServer]:
    """In place of GitHub and GitLab."""
    with run_comment_server() as server:
        yield server
