"""The Dockerfile, without a container engine: what it copies exists and is let through, and its page is built where a wheel has it.

With `scripts/test --all` the page is built as its first stage does it, from what that copies, and a wheel from what the second copies.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meshline.api.explorer import GRAPHIQL, SHELL, load_page
from meshline.api.gzip_middleware import LEAST
from tests.packaging.test_page_build import UV
from tests.sizes import ALL

ROOT = Path(__file__).parents[2]
PAGE = "meshline/explorer_page"
PROJECT: Any = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


class Copy(NamedTuple):
    """`stage`: from which the files come; '' = the checkout."""

    stage: str
    sources: tuple[str, ...]
    target: str


class Stage(NamedTuple):
    """One stage of a Dockerfile: its instructions in order, each with its arguments as one text."""

    image: str
    instructions: list[tuple[str, str]]

    def list_arguments(self, instruction: str) -> list[str]:
        return [arguments for name, arguments in self.instructions if name == instruction]

    def list_copies(self, *, of_checkout: bool) -> Iterator[Copy]:
        for arguments in self.list_arguments("COPY"):
            *sources, target = arguments.split()
            stage = sources.pop(0).removeprefix("--from=") if sources[0].startswith("--from=") else ""
            if (stage == "") is of_checkout:
                yield Copy(stage, tuple(sources), target)


def read_stages() -> dict[str, Stage]:
    """The stages by name; the last, which has none, by ''."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in filter(None, re.sub(r"\\\n\s*", "", text).splitlines()):
        name, _, arguments = line.partition(" ")
        if name == "FROM":
            image, _, called = arguments.partition(" AS ")
            stages[called] = stage = Stage(image, [])
        else:
            stage.instructions.append((name, arguments))
    return stages


STAGES = read_stages()


def list_tracked(*paths: str) -> list[str]:
    """The files of the checkout that git has, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_stages_are_read() -> None:
    assert list(STAGES) == ["page", "build", ""]
    assert [name for name, _ in STAGES["page"].instructions] == ["WORKDIR", "COPY", "COPY", "RUN"]
    assert STAGES[""].list_arguments("HEALTHCHECK")[0].endswith("]"), "a line that goes on is one line"


def test_what_is_copied_exists_and_is_let_through() -> None:
    """.dockerignore refuses everything but the sources of the copies; of those, what is built, and what a program left."""
    copied = [source for stage in STAGES.values() for copy in stage.list_copies(of_checkout=True) for source in copy.sources]
    assert [source for source in copied if not list_tracked(source)] == []
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert sorted(rule[1:] for rule in rules if rule.startswith("!")) == sorted(copied)
    refused = [rule for rule in rules[1:] if not rule.startswith("!")]
    assert {"explorer/node_modules", PAGE} <= set(refused)
    for rule in refused:
        pattern = rule.removeprefix("**/")
        assert not [path for path in list_tracked() if Path(path).match(pattern) or path.startswith(f"{pattern}/")], rule


def test_what_is_copied_between_stages_is_made_there() -> None:
    page, build, last = STAGES.values()
    (copy,) = build.list_copies(of_checkout=False)
    assert (copy.stage, copy.sources) == ("page", (f"{page.list_arguments('WORKDIR')[0]}/{PAGE}",))
    assert copy.target == PAGE, "beside the package, where the server looks, and the wheel takes it from"
    assert f"{PAGE}/**" in PROJECT["tool"]["hatch"]["build"]["artifacts"]
    (run,) = page.list_arguments("RUN")
    assert run.startswith("cd explorer && ")
    assert run.endswith(f" ../{PAGE}")
    order = [arguments for name, arguments in build.instructions if name == "COPY"]
    assert order.index("meshline meshline") < order.index(f"--from=page /src/{PAGE} {PAGE}"), "the page is the newer one"
    (copy,) = last.list_copies(of_checkout=False)
    assert copy.stage == "build"
    assert f"UV_PROJECT_ENVIRONMENT={copy.sources[0]} " in " ".join(build.list_arguments("RUN"))


def test_the_build_stage_has_all_that_a_wheel_is_made_of() -> None:
    copied = {source for copy in STAGES["build"].list_copies(of_checkout=True) for source in copy.sources}
    hatch, project = PROJECT["tool"]["hatch"], PROJECT["project"]
    wheel = hatch["build"]["targets"]["wheel"]
    needed = {project["readme"], *project["license-files"], *wheel["packages"], *wheel["force-include"], hatch["version"]["path"]}
    needed |= {"pyproject.toml", "uv.lock", "hatch_build.py"}
    assert {path for path in needed if not {path, path.partition("/")[0]} & copied} == set()


def test_the_images_have_versions_that_are_accepted() -> None:
    node = re.fullmatch(r"node:(\d+)-slim", STAGES["page"].image)
    least = re.fullmatch(r">=(\d+)\.\d+", json.loads((ROOT / "explorer" / "package.json").read_text("utf-8"))["engines"]["node"])
    assert node is not None
    assert least is not None
    assert int(node[1]) > int(least[1])
    images = {stage.image for name, stage in STAGES.items() if name != "page"}
    assert images == {"python:3.12-slim"}, "the environment of one is used by the other"


def copy_sources(copies: Iterator[Copy], to: Path) -> None:
    """As a container engine copies them: files that .dockerignore lets through, which are those of git."""
    for copy in copies:
        for path in list_tracked(*copy.sources):
            target = to / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)


@pytest.mark.skipif(not ALL, reason="a minute: with --all")
def test_the_page_and_the_wheel_are_built_as_in_the_image(tmp_path: Path) -> None:
    copy_sources(STAGES["page"].list_copies(of_checkout=True), tmp_path)
    for command in STAGES["page"].list_arguments("RUN"):
        run(["sh", "-c", command], tmp_path)
    built = load_page(tmp_path / PAGE)
    assert {SHELL, GRAPHIQL} <= built.keys()
    large = [file for name, file in built.items() if name.endswith((".js", ".css")) and len(file.bodies[""]) >= LEAST]
    assert large
    assert all("br" in file.bodies for file in large), "compressed, too"

    copy_sources(STAGES["build"].list_copies(of_checkout=True), tmp_path)
    shutil.rmtree(tmp_path / "explorer")
    run([UV, "build", "-q", "--wheel", "-o", str(tmp_path / "dist"), str(tmp_path)], tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    assert {f"{PAGE}/{name}" for name in built} <= names
    assert {"meshline/cli/__init__.py", "meshline/example/mesh.yaml"} <= names


def run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
