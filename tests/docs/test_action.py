"""The action of GitHub, the hook of pre-commit and the component of GitLab: their steps are run in a real repository, and their files
are valid. A small HTTP server is in place of GitHub and GitLab.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from tests.docs.ci_world import HEADLINE, ROOT, World, run_git
from tests.docs.comments import MARKER, CommentServer
from tests.sizes import ALL

ACTION = ROOT / "action.yml"
COMPONENT = ROOT / "templates" / "meshline.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
HOSTILE = """x";mkdir${IFS}pwned;`mkdir${IFS}pwned`$(mkdir${IFS}pwned)'&|"""  # what a branch may be called


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


class Step(NamedTuple):
    """How a step ended. `outputs`: all that have been set up to then."""

    code: int
    out: str
    outputs: Mapping[str, str]


class Job:
    """A job of GitHub Actions that runs the action: it evaluates the few expressions in it, as GitHub does."""

    def __init__(self, world: World, folder: Path, **inputs: str) -> None:
        self.action = read_yaml(ACTION)
        self.world = world
        self.folder = folder
        self.temporary = folder / "temporary"
        (self.temporary / "meshline" / "bin").mkdir(parents=True)
        for name in ("meshline", "python"):  # in place of the step Install
            found = shutil.which(name, path=world.environment["PATH"])
            assert found is not None
            (self.temporary / "meshline" / "bin" / name).symlink_to(found)
        self.summary = folder / "summary.md"
        self.outputs: dict[str, str] = {}
        defaults = {name: str(one.get("default", "")) for name, one in self.action["inputs"].items()}
        server = {"server": world.environment["MESHLINE_SERVER"], "token": world.environment["MESHLINE_TOKEN"]}
        self.inputs = {**defaults, "base": "origin/main", "github-token": "a-token", **server, **inputs}

    def _expand(self, text: str) -> str:
        def replace(match: re.Match[str]) -> str:
            kind, _, name = match[1].strip().partition(".")
            if kind == "inputs":
                return self.inputs[name]
            assert match[1].strip().startswith("steps.check.outputs."), match[0]
            return self.outputs.get(match[1].strip().rpartition(".")[2], "")

        return re.sub(r"\$\{\{(.*?)\}\}", replace, text)

    def run(self, name: str, **environment: str) -> Step:
        (step,) = (one for one in self.action["runs"]["steps"] if one["name"] == name)
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]  # what others can name reaches the shell by the environment alone
        output = self.folder / "output"
        output.write_text("", "utf-8")
        given = {key: self._expand(value) for key, value in step.get("env", {}).items()}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.summary), "RUNNER_TEMP": str(self.temporary)}
        own = {"PATH": self.world.environment["PATH"], "GITHUB_REPOSITORY": "shop/orders", "GITHUB_REF": "refs/pull/7/merge"}
        here = World(self.world.clone / self._expand(step.get("working-directory", ".")), {**own, **files, **given, **environment})
        ran = here.run(step["run"])
        self.outputs |= dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        return Step(ran.returncode, ran.stdout + ran.stderr, dict(self.outputs))


@pytest.mark.parametrize("dropped", [True, False], ids=["dropped", "unchanged"])
def test_action(world: World, tmp_path: Path, comments: CommentServer, *, dropped: bool) -> None:
    if not dropped:
        run_git(world.clone, "revert", "--no-edit", "HEAD")
    job = Job(world, tmp_path, sarif="true")
    checked = job.run("Check")
    assert (checked.code, checked.outputs["code"], checked.outputs["verdict"]) == (
        0,
        str(int(dropped)),
        "breaking" if dropped else "compatible",
    )
    assert bool(re.search(r"^::error file=contracts/audience.yaml,line=\d+,title=breaking", checked.out, re.MULTILINE)) is dropped
    report = Path(checked.outputs["report"]).read_text("utf-8")
    assert report.splitlines()[1].startswith(HEADLINE if dropped else "### COMPATIBLE")
    assert json.loads(Path(checked.outputs["json"]).read_text("utf-8"))["verdict"] == checked.outputs["verdict"]
    assert json.loads(Path(checked.outputs["sarif"]).read_text("utf-8"))["version"] == "2.1.0"
    assert job.run("Show").code == 0
    assert job.summary.read_text("utf-8") == report
    for _ in range(2):  # a second push
        assert job.run("Comment", GITHUB_API_URL=comments.address).code == 0
    assert [one.body for one in comments.written] == ([report] if dropped else [])
    assert job.run("Decide").code == int(dropped)


def test_action_without_a_server(world: World, tmp_path: Path) -> None:
    job = Job(world, tmp_path, server="", token="", **{"no-graph": "true"})
    checked = job.run("Check")
    assert (checked.outputs["verdict"], checked.outputs["code"]) == ("breaking", "1")
    assert "consumers were not checked" in Path(checked.outputs["report"]).read_text("utf-8").splitlines()[1]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"server": ""}, "::error title=meshline::Set the input server"),
        ({"base": ""}, "::error title=meshline::This job runs for no pull request"),
        ({"token": "wrong"}, "meshline: "),
        ({"server": "http://127.0.0.1:1"}, "no answer from http://127.0.0.1:1"),
        ({"base": "origin/nothing"}, "origin/nothing"),
        ({"profile": "; mkdir pwned"}, "Invalid value for '--profile'"),
        ({"mesh": "$(mkdir pwned).yaml"}, "$(mkdir pwned).yaml"),
    ],
)
def test_action_that_cannot_decide_fails(world: World, tmp_path: Path, inputs: dict[str, str], message: str) -> None:
    job = Job(world, tmp_path, **inputs)
    checked = job.run("Check")
    assert (checked.outputs["verdict"], checked.outputs["code"], checked.outputs.get("report")) == ("undecided", "2", None)
    assert message in checked.out
    assert job.run("Decide").code == 2
    assert not (world.clone / "pwned").exists()


def test_action_runs_nothing_of_what_others_name(world: World, tmp_path: Path, comments: CommentServer) -> None:
    run_git(world.clone, "branch", HOSTILE, "origin/main")
    job = Job(world, tmp_path, base=HOSTILE, name="a b")
    assert job.run("Check").outputs["verdict"] == "breaking"
    assert job.run("Compile", DBT_PROJECT="$(mkdir pwned)").code == 0
    assert job.run("Comment", GITHUB_API_URL=comments.address, GITHUB_HEAD_REF=HOSTILE).code == 0
    assert comments.written[0].body.startswith("<!-- meshline check: a b -->\n")
    assert job.run("Comment", GITHUB_API_URL=comments.address, NAME="--> <script>").out.startswith("::warning title=meshline::")
    assert not list(tmp_path.rglob("pwned"))


def test_action_passes_although_its_comment_is_refused(world: World, tmp_path: Path, comments: CommentServer) -> None:
    """A pull request from a fork: its token may not write."""
    comments.refusing = True
    job = Job(world, tmp_path, **{"fail-on": "none"})
    assert job.run("Check").outputs["code"] == "0"
    ran = job.run("Comment", GITHUB_API_URL=comments.address)
    assert ran.code == 0
    assert ran.out.startswith("::warning title=meshline::meshline: GitHub answers GET /repos/shop/orders/issues/7/comments with 403")
    assert ran.out.count("\n") == 1
    assert job.run("Decide").code == 0


def test_action_with_dbt(dbt_world: World, tmp_path: Path) -> None:
    job = Job(dbt_world, tmp_path, **{"dbt-project": "dbt"})
    for _ in range(2):  # a runner that keeps its folder
        assert job.run("Compile").code == 0
        checked = job.run("Check")
        assert (checked.outputs["verdict"], checked.outputs["code"]) == ("breaking", "1")
    assert "`currency` is removed" in Path(checked.outputs["report"]).read_text("utf-8").splitlines()[1]


def run_install(world: World, folder: Path, **inputs: str) -> list[str]:
    """The arguments of each program that the step Install starts."""
    job = Job(world, folder, **inputs)
    tools, calls = folder / "install", folder / "calls"
    tools.mkdir()
    recorder = f'#!/bin/sh\nprintf "%s\\n" "$*" >> {calls}\n'
    (tools / "python3").write_text(recorder, "utf-8")
    (job.temporary / "meshline" / "bin" / "python").unlink()
    (job.temporary / "meshline" / "bin" / "python").write_text(recorder, "utf-8")
    for path in (tools / "python3", job.temporary / "meshline" / "bin" / "python"):
        path.chmod(0o755)
    ran = job.run("Install", PATH=f"{tools}:{os.environ['PATH']}", GITHUB_ACTION_PATH=str(ROOT))
    assert ran.code == 0, ran
    return calls.read_text("utf-8").splitlines()


def test_action_installs_its_own_version(world: World, tmp_path: Path) -> None:
    made, installed = run_install(world, tmp_path)
    assert made == f"-m venv --clear {tmp_path}/temporary/meshline"
    assert installed == f"-m pip install --quiet --disable-pip-version-check --editable {ROOT}[contracts,dbt,avro,protobuf]"


def test_action_installs_what_is_asked_for(world: World, tmp_path: Path) -> None:
    _, installed = run_install(world, tmp_path, requirement="meshline[sql] @ git+https://git.company.com/m@v1; $(mkdir pwned)")
    assert installed.endswith("-- meshline[sql] @ git+https://git.company.com/m@v1; $(mkdir pwned)")
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.skipif(not ALL, reason="installs meshline with pip: scripts/test --all")
def test_action_installed_by_pip(world: World, tmp_path: Path) -> None:
    job = Job(world, tmp_path)
    shutil.rmtree(job.temporary / "meshline")
    assert job.run("Install", GITHUB_ACTION_PATH=str(ROOT), PATH=os.environ["PATH"]).code == 0
    assert job.run("Check").outputs["verdict"] == "breaking"


# -- the files


def validate_file(schema: str, path: Path) -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", schema, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_files_are_valid(tmp_path: Path) -> None:
    validate_file("vendor.github-actions", ACTION)
    validate_file("vendor.github-workflows", ROOT / "docs" / "ci" / "github.yaml")
    validate_file("vendor.gitlab-ci", ROOT / "docs" / "ci" / "gitlab.yaml")
    component = tmp_path / "job.yml"
    component.write_text(fill_component(), "utf-8")
    validate_file("vendor.gitlab-ci", component)


def test_an_invalid_action_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "action.yml"
    wrong.write_text(ACTION.read_text("utf-8").replace("using: composite", "usage: composite"), "utf-8")
    with pytest.raises(AssertionError, match="runs"):
        validate_file("vendor.github-actions", wrong)


def test_inputs_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    assert [name for name in read_yaml(ACTION)["inputs"] if f"| `{name}` |" not in page] == []
    assert [name for name in read_yaml(ACTION)["outputs"] if f"`{name}`" not in page] == []


# -- pre-commit


def test_the_hook_has_the_libraries_of_the_extras() -> None:
    (hook,) = read_yaml(HOOKS)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert hook["additional_dependencies"] == [*extras["contracts"], *extras["sql"], *extras["avro"], *extras["protobuf"]]


def run_pre_commit(world: World, config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (world.clone / ".pre-commit-config.yaml").write_text(config, "utf-8")
    command = [str(Path(sys.executable).with_name("pre-commit")), *arguments]
    environment = {**os.environ, "PATH": world.environment["PATH"], "PRE_COMMIT_HOME": str(world.clone.parent / "cache")}
    return subprocess.run(command, cwd=world.clone, env=environment, capture_output=True, text=True, check=False)


def test_the_hook(world: World) -> None:
    """As pre-commit runs it, with the meshline of these tests in place of an environment that pre-commit makes."""
    (hook,) = read_yaml(HOOKS)
    local = {key: value for key, value in hook.items() if key not in ("additional_dependencies", "language_version")} | {
        "language": "system"
    }
    config = json.dumps({"repos": [{"repo": "local", "hooks": [local]}]})
    ran = run_pre_commit(world, config, "run", "--all-files")
    assert ran.returncode == 1
    assert "`email` is removed" in ran.stdout
    run_git(world.clone, "revert", "--no-edit", "HEAD")
    ran = run_pre_commit(world, config, "run", "--all-files")
    assert ran.returncode == 0, ran


@pytest.mark.skipif(not ALL, reason="pre-commit installs meshline: scripts/test --all")
def test_the_hook_as_pre_commit_installs_it(world: World) -> None:
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    config = json.dumps({"repos": [{"repo": str(ROOT), "rev": commit, "hooks": [{"id": "meshline-check"}]}]})
    ran = run_pre_commit(world, config, "run", "--all-files")
    assert ran.returncode == 1, ran
    assert "`email` is removed" in ran.stdout


# -- GitLab


def fill_component(**inputs: str) -> str:
    """The jobs of the component, with its inputs put in as GitLab does: as text."""
    head, body = COMPONENT.read_text("utf-8").split("\n---\n")
    given = {name: str(one.get("default", "")) for name, one in YAML(typ="safe").load(head)["spec"]["inputs"].items()} | inputs
    return re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda match: given[match[1]].replace("False", "false"), body)


@pytest.mark.parametrize("branch", ["main", HOSTILE], ids=["main", "hostile"])
def test_component(world: World, comments: CommentServer, branch: str) -> None:
    if branch != "main":
        run_git(world.clone.parent / "origin", "branch", branch)
    (job,) = YAML(typ="safe").load(fill_component()).values()
    named = {
        **job["variables"],
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": branch,
        "CI_API_V4_URL": comments.address,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "MESHLINE_COMMENT_TOKEN": "a-token",
    }
    here = World(world.clone, {**world.environment, **named})
    for _ in range(2):
        ran = here.run("\n".join(job["script"]))
        assert ran.returncode == 1, ran
        assert here.run("\n".join(job["after_script"])).returncode == 0
    (note,) = comments.written
    assert note.body.startswith(f"{MARKER}\n{HEADLINE}")
    assert (world.clone / "meshline.xml").is_file()
    assert not list(world.clone.parent.rglob("pwned"))


def test_component_with_dbt(dbt_world: World) -> None:
    (job,) = YAML(typ="safe").load(fill_component(dbt_project="dbt")).values()
    here = World(dbt_world.clone, {**dbt_world.environment, **job["variables"], "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"})
    for _ in range(2):
        ran = here.run("\n".join(job["script"]))
        assert ran.returncode == 1, ran
    assert "`currency` is removed" in (dbt_world.clone / "meshline.md").read_text("utf-8")


def test_component_installs_what_is_asked_for() -> None:
    (job,) = YAML(typ="safe").load(fill_component()).values()
    assert job["variables"]["REQUIREMENTS"].endswith(f"@v{importlib.metadata.version('meshline')}")
