"""The page for browsers is built once, is in the wheel and in the sdist, and is not needed: without npm there is a wheel without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
NPM = """\
#!/bin/sh
echo "npm $*" >> "$CALLS"
echo "what npm prints"
case "$*" in
  ci*) [ -z "$AWAY" ] || { echo "npm error code $AWAY" >&2; exit 1; }; mkdir -p node_modules ;;
  *build*) [ -z "$BROKEN" ] || exit 3
    page=../meshline/explorer_page
    mkdir -p $page/assets && cp index.html $page/ && cp page.js $page/assets/page-1a2b.js ;;
esac
"""
NODE = '#!/bin/sh\n[ "$1" = --version ] && echo "$NODE_VERSION" || echo "node $1" >> "$CALLS"\n'
PAGE = ["meshline/explorer_page/assets/page-1a2b.js", "meshline/explorer_page/index.html"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout with the real build, and programs in place of npm and node which record how they are called."""
    project = tmp_path / "project"
    for name in ("hatch_build.py", "scripts/build-page", "pyproject.toml", "README.md", "LICENSE", "meshline/__init__.py", ".gitignore"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    (project / "examples" / "mesh" / "events").mkdir(parents=True)
    (project / "examples" / "mesh" / "mesh.yaml").write_text("version: 1\n")
    (project / "examples" / "mesh" / "events" / "a.json").write_text("{}")
    (project / "explorer").mkdir()
    for name in ("package.json", "package-lock.json", "index.html", "page.js"):
        (project / "explorer" / name).write_text(name)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("npm", NPM), ("node", NODE)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("NODE_VERSION", "v20.19.0")
    return project


def list_calls(project: Path) -> list[str]:
    """What was called since this was last asked."""
    calls = project.parent / "calls"
    found = calls.read_text().splitlines() if calls.exists() else []
    calls.unlink(missing_ok=True)
    return found


def build_page(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(project / "scripts" / "build-page"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


BUILT = [
    "npm ci --loglevel=error --prefer-offline --fetch-retry-mintimeout=500 --fetch-retry-maxtimeout=3000",
    "npm run --silent build",
    "node compress.mjs",
]
NOT_BUILT = "build-page: the page is not built, and all else works without: "


def test_the_page_is_built_when_its_sources_have_changed(project: Path) -> None:
    done = build_page(project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "build-page: building the page of explorer/\n", ""), "npm is not heard"
    assert list_calls(project) == BUILT
    assert build_page(project).stdout == ""
    assert list_calls(project) == []
    (project / "explorer" / "page.js").write_text("changed")
    build_page(project)
    assert list_calls(project) == BUILT[1:], "the packages are those of before"
    (project / "explorer" / "package-lock.json").write_text("changed")
    build_page(project)
    assert list_calls(project) == BUILT
    shutil.rmtree(project / "meshline" / "explorer_page")
    build_page(project)
    assert list_calls(project) == BUILT[1:]


@pytest.mark.parametrize(("version", "enough"), [("v20.18.3", False), ("v18.20.0", False), ("v22.0.0", True), ("", False)])
def test_an_old_node_is_as_none(project: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, enough: bool) -> None:
    monkeypatch.setenv("NODE_VERSION", version)
    done = build_page(project, "--strict")
    assert done.returncode == 0
    assert bool(list_calls(project)) is enough
    refused = f"{NOT_BUILT}Node is {version or 'of an unknown version'}; install Node 20.19 or newer, and run scripts/setup again\n"
    assert done.stderr == ("" if enough else refused)


def test_a_build_that_fails_stops_a_wheel_and_not_the_setup(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKEN", "yes")
    assert build_page(project).returncode == 0
    done = build_page(project, "--strict")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "what npm prints",
        f"{NOT_BUILT}npm run --silent failed in explorer/, as is printed above; run scripts/setup again when that is mended",
    ]
    monkeypatch.delenv("BROKEN")
    list_calls(project)
    assert build_page(project).returncode == 0
    assert list_calls(project) == BUILT[1:], "a failure is not remembered as a success"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("ENOTFOUND", "npm cannot reach its registry (ENOTFOUND); connect to it, or name one with `npm config set registry`, and run"),
        ("EUSAGE", "npm ci failed, as is printed above; mend that, and run"),
    ],
)
def test_packages_that_cannot_be_installed(project: Path, monkeypatch: pytest.MonkeyPatch, code: str, advice: str) -> None:
    monkeypatch.setenv("AWAY", code)
    done = build_page(project)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["what npm prints", f"npm error code {code}", f"{NOT_BUILT}{advice} scripts/setup again"]
    assert build_page(project, "--strict").returncode == 1
    monkeypatch.delenv("AWAY")
    list_calls(project)
    assert build_page(project).returncode == 0
    assert list_calls(project) == BUILT


def build_distributions(project: Path, *kinds: str) -> list[Path]:
    command = [UV, "build", "-q", *kinds, "-o", str(project.parent / "dist"), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return sorted((project.parent / "dist").glob("meshline-*"))


def test_wheel_and_sdist_have_the_page(project: Path) -> None:
    wheel, sdist = build_distributions(project)  # the wheel from the sdist
    assert list_calls(project) == BUILT, "once for both: an sdist needs no npm"
    with zipfile.ZipFile(wheel) as opened:
        assert [name for name in sorted(opened.namelist()) if "explorer" in name] == PAGE
    with tarfile.open(sdist) as packed:
        names = packed.getnames()
    assert [name.partition("/")[2] for name in sorted(names) if "explorer" in name] == PAGE


def test_without_npm_there_is_a_wheel_without_the_page(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = project.parent / "empty"
    empty.mkdir()
    for name in ("sh", "env", "python3"):
        (empty / name).symlink_to(shutil.which(name) or "/bin/false")
    monkeypatch.setenv("PATH", str(empty))
    (wheel,) = build_distributions(project, "--wheel")
    with zipfile.ZipFile(wheel) as opened:
        assert [name for name in opened.namelist() if "explorer" in name] == []
        assert "meshline/__init__.py" in opened.namelist()
    advice = "there is no npm; install Node 20.19 or newer with npm, and run scripts/setup again"
    assert build_page(project).stderr == f"{NOT_BUILT}{advice}\n"


def test_an_editable_install_does_not_wait_for_the_page(project: Path) -> None:
    command = [UV, "pip", "install", "-q", "--no-deps", "--target", str(project.parent / "site"), "-e", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "VIRTUAL_ENV": ""})
    assert done.returncode == 0, done.stderr
    assert list_calls(project) == []
