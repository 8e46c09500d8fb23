"""The workflow files of docs/ci: their commands are run in a real repository, in which a branch drops a column."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from tests.docs.ci_world import HEADLINE, World, check_removed_column, run_git
from tests.docs.comments import MARKER, Comment, CommentServer

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"


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


@pytest.mark.parametrize("known", [False, True], ids=["new", "again"])
@pytest.mark.parametrize("dropped", [True, False], ids=["dropped", "unchanged"])
def test_github(world: World, tmp_path: Path, comments: CommentServer, *, known: bool, dropped: bool) -> None:
    summary = tmp_path / "summary.md"
    if not dropped:
        run_git(world.clone, "revert", "--no-edit", "HEAD")
    if known:
        comments.comments.append(Comment(f"{MARKER}\nof an earlier run"))
    named = {"BASE": "origin/main", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_REPOSITORY": "shop/orders", "GITHUB_TOKEN": "a-token"}
    named |= {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_API_URL": comments.address}
    world = World(world.clone, {**world.environment, **named})
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
    assert [one.body for one in comments.comments] == ([comment_text] if known or dropped else [])
    assert len(comments.written) == int(dropped and not known)


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
