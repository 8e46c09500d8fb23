"""The workflow files of docs/ci: their commands are run in a real repository, in which a branch drops a column."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from tests.cli.dbt_project import PAIR, DbtProject

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"
CONTRACT = (ROOT / "examples/mesh/contracts/campaign_audience.odcs.yaml").read_text("utf-8")
MESH = """\
version: 1
source: shop
sources:
  - kind: contract
    name: mesh
    files: ["contracts/*.yaml"]
"""
HEADLINE = "### BREAKING: contract campaign-audience-contract-v1, model campaign\\_audience: `email` is removed; "


class World(NamedTuple):
    """A clone of a repository on a branch, and what CI sets."""

    clone: Path
    environment: dict[str, str]

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command], cwd=self.clone, env=environment, capture_output=True, text=True, check=False
        )


def run_git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@company.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class Running(NamedTuple):
    """A meshline that asks who one is, and the token of a reader."""

    address: str
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A meshline that knows the example mesh from its own systems."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copytree(ROOT / "examples", folder / "examples")
    meshline = str(Path(sys.executable).with_name("meshline"))

    def run_meshline(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([meshline, *arguments], cwd=folder, check=True, capture_output=True, text=True)

    run_meshline("sync", "examples/mesh/mesh.yaml", "--store", "sqlite:///mesh.db")
    made = run_meshline("token", "new", "ci", "--role", "reader")
    (folder / "meshline.toml").write_text(made.stderr, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [meshline, "serve", "--store", "sqlite:///mesh.db", "--port", str(port), "--config", "meshline.toml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/readyz")
        yield Running(f"http://127.0.0.1:{port}", made.stdout.strip())
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server did not get ready")


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


def read_workflow(name: str) -> dict[str, Any]:
    value = YAML(typ="safe").load((CI / name).read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def test_the_page_shows_the_files() -> None:
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    for name in ("github.yaml", "gitlab.yaml"):
        text = (CI / name).read_text("utf-8").partition("\n")[2]
        assert f"```yaml\n{text}```" in page, name


def read_steps() -> dict[str, str]:
    """The commands, by the names of their steps."""
    return {step["name"]: step["run"] for step in read_workflow("github.yaml")["jobs"]["check"]["steps"] if "run" in step}


@pytest.mark.parametrize("comment", ["", "55"], ids=["new", "again"])
@pytest.mark.parametrize("dropped", [True, False], ids=["dropped", "unchanged"])
def test_github(world: World, tmp_path: Path, comment: str, *, dropped: bool) -> None:
    tools, calls, known, summary = tmp_path / "tools", tmp_path / "calls", tmp_path / "known", tmp_path / "summary.md"
    if not dropped:
        run_git(world.clone, "revert", "--no-edit", "HEAD")
    tools.mkdir()
    gh = tools / "gh"
    gh.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n[ "$2" != --paginate ] || cat {known}\n', "utf-8")  # in place of GitHub
    gh.chmod(0o755)
    known.write_text(f"{comment}\n" if comment else "", "utf-8")
    named = {"BASE": "origin/main", "NUMBER": "7", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_REPOSITORY": "shop/orders"}
    world = World(world.clone, {**world.environment, **named, "PATH": f"{tools}:{world.environment['PATH']}"})
    found = read_steps()
    assert list(found) == ["Install", "Compile", "Check", "Show", "Comment"]
    for name in ("Compile", "Check", "Show", "Comment"):
        assert "${{" not in found[name]  # what others have named reaches the shell by the environment alone
        ran = world.run(found[name])
        assert ran.returncode == (1 if name == "Check" and dropped else 0), ran
        if name == "Check" and dropped:
            assert re.search(r"^::error file=contracts/audience.yaml,line=\d+,title=breaking%3A column-removed::", ran.stdout, re.MULTILINE)
    comment_text = (world.clone / "meshline.md").read_text("utf-8")
    assert comment_text.startswith("<!-- meshline check -->\n")  # by which the comment is found again
    assert comment_text.splitlines()[1].startswith(HEADLINE if dropped else "### COMPATIBLE: nothing that matters has changed")
    assert ("| `marketing-engineering` |" in comment_text) is dropped
    assert summary.read_text("utf-8") == comment_text
    last = calls.read_text("utf-8").splitlines()[1:]
    if comment:
        assert last == ["api --silent --method PATCH repos/shop/orders/issues/comments/55 --field body=@meshline.md"]
    else:
        assert last == (["pr comment 7 --body-file meshline.md"] if dropped else [])


def test_github_with_a_waiver_passes(world: World) -> None:
    here = World(world.clone, {**world.environment, "BASE": "origin/main"})
    assert here.run(read_steps()["Compile"]).returncode == 0
    text = read_steps()["Check"]
    prints = set(re.findall(r"%0Afingerprint ([0-9a-f]{16})", here.run(text).stdout))
    expires = time.strftime("%Y-%m-%d", time.gmtime())
    waivers = "".join(f"- {{fingerprint: '{one}', reason: agreed, approver: mia, expires: {expires}}}\n" for one in sorted(prints))
    (world.clone / "meshline-waivers.yaml").write_text(waivers, "utf-8")
    ran = here.run(text)
    assert ran.returncode == 0, ran
    assert "::notice " in ran.stdout


@pytest.mark.parametrize("token", ["", "wrong"])
def test_github_without_its_secret_is_2(world: World, token: str) -> None:
    here = World(world.clone, {**world.environment, "BASE": "origin/main", "MESHLINE_TOKEN": token})
    assert here.run(read_steps()["Compile"]).returncode == 0
    ran = here.run(read_steps()["Check"])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--base-tree" not in ran.stderr


def test_github_with_a_server_that_is_away_is_2(world: World) -> None:
    here = World(world.clone, {**world.environment, "BASE": "origin/main", "MESHLINE_SERVER": "http://127.0.0.1:1"})
    assert here.run(read_steps()["Compile"]).returncode == 0
    ran = here.run(read_steps()["Check"])
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "no answer from http://127.0.0.1:1" in ran.stderr


# In place of dbt: it writes the manifest that dbt made of these files, now.
DBT = """\
#!{python}
import datetime, json, pathlib, sys
assert sys.argv[1:3] == ["compile", "--project-dir"], sys.argv
project = pathlib.Path(sys.argv[3])
version = "before" if "currency" in (project / "models/staging/stg_payments.sql").read_text() else "after"
manifest = json.loads(pathlib.Path("{pair}", version + ".json").read_text())
manifest["metadata"]["generated_at"] = datetime.datetime.now(datetime.UTC).isoformat()
(project / "target").mkdir(exist_ok=True)
(project / "target" / "manifest.json").write_text(json.dumps(manifest))
"""


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


def check_removed_column(clone: Path) -> None:
    assert not (clone / "dbt/target").exists() or "target" not in subprocess.check_output(
        ["git", "status", "--short"], cwd=clone, text=True
    )
    comment_text = (clone / "meshline.md").read_text("utf-8").splitlines()[1]
    assert comment_text.startswith("### BREAKING: table marts.staging.stg\\_payments: `currency` is removed; ")


def test_github_with_dbt(dbt_world: World) -> None:
    world = World(dbt_world.clone, {**dbt_world.environment, "BASE": "origin/main", "DBT_PROJECT": "dbt"})
    without = world.run(read_steps()["Check"])
    assert (without.returncode, without.stdout) == (2, "")
    compiled = world.run(read_steps()["Compile"])
    assert compiled.returncode == 0, compiled
    ran = world.run(read_steps()["Check"])
    assert ran.returncode == 1, ran
    assert "file=dbt/models/staging/stg_payments.sql" in ran.stdout
    check_removed_column(world.clone)
    (world.clone / "dbt/models/finance/buyer_ledger.sql").write_text("select 1 as one\n", "utf-8")
    stale = world.run(read_steps()["Check"])
    assert (stale.returncode, stale.stdout) == (2, "")
    assert "models/finance/buyer_ledger.sql has changed; run `dbt compile` in dbt" in stale.stderr


def test_gitlab_with_dbt(dbt_world: World) -> None:
    job = read_workflow("gitlab.yaml")["meshline"]
    named = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", **job["variables"]}
    world = World(dbt_world.clone, {**dbt_world.environment, **named})
    for _ in range(2):  # a runner that keeps its folder
        ran = world.run("\n".join(job["script"]))
        assert ran.returncode == 1, ran
    check_removed_column(world.clone)


class _Notes(BaseHTTPRequestHandler):
    """In place of GitLab: it records the notes that are posted."""

    notes: list[tuple[str, str | None, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.notes.append((self.path, self.headers["PRIVATE-TOKEN"], parse_qs(body)["body"][0]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is given
        del format, arguments


@pytest.fixture
def gitlab() -> Iterator[tuple[str, list[tuple[str, str | None, str]]]]:
    notes: list[tuple[str, str | None, str]] = []
    handler = type("Notes", (_Notes,), {"notes": notes})
    with HTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/api/v4", notes
        listening.shutdown()
        thread.join()


def test_gitlab(world: World, gitlab: tuple[str, list[tuple[str, str | None, str]]]) -> None:
    address, notes = gitlab
    named = {
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_API_V4_URL": address,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "MESHLINE_COMMENT_TOKEN": "a-token",
    }
    world = World(world.clone, {**world.environment, **named})
    job = read_workflow("gitlab.yaml")["meshline"]
    ran = world.run("\n".join(job["script"]))
    assert ran.returncode == 1, ran
    noted = world.run("\n".join(job["after_script"]))
    assert noted.returncode == 0, noted
    comment = (world.clone / "meshline.md").read_text("utf-8")
    assert comment.splitlines()[1].startswith(HEADLINE)
    assert notes == [("/api/v4/projects/3/merge_requests/7/notes", "a-token", comment)]
    assert ET.parse(world.clone / "meshline.xml").getroot().tag == "testsuites"
