"""The cache of compiled kernels is found by processes that may not write to the package's folder."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import meshline
from meshline.graph.index.kernels import jit
from meshline.graph.index.kernels.jit import find_cached_kernels

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

LOOK = """
import json, sys
import meshline.graph.index
import meshline.graph.index.kernels.jit as kernels
made = kernels.find_cached_kernels()
print(json.dumps([made.kernels, made.cached, str(made.kept)]))
"""
KEPT = """
import json, os, sys
from numba.core import config
from meshline.graph.index.kernels.kernel_cache import find_writable, list_folders
for asked in json.loads(sys.stdin.read()):
    os.environ.update(asked)
    config.reload_config()
    print(find_writable(list_folders("x")))
    for name in asked:
        del os.environ[name]
"""
COMPILE = f"""{LOOK}
kernels.compile_kernels()
assert kernels.is_compiled()
"""
COMPILE_ONE = """
import meshline.graph.index
import meshline.graph.index.kernels.jit as kernels
made, _ = kernels._build_dispatchers()
dispatcher, signature = next(iter(made.values()))
dispatcher.compile(signature)
"""

DIGESTS = """
import json, sys
from pathlib import Path
import meshline.graph.index
import meshline.graph.index.kernels.jit as kernels
for source in map(Path, json.loads(sys.stdin.read())):
    before = kernels._compute_digest()
    source.write_text(source.read_text() + "# another state")
    print(source.stem if kernels._compute_digest() == before else "")
"""


class Package(NamedTuple):
    """A copy of the package, and an empty home."""

    folder: Path
    home: Path

    @property
    def caches(self) -> Path:
        return self.folder / "meshline" / "graph" / "index" / "kernels" / "__pycache__"

    def lock(self) -> None:
        """Let no process write into it; root is bound by this only without CAP_DAC_OVERRIDE."""
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))

    def run(self, script: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=given,
            cwd=self.home,
            env={**kept, "PYTHONPATH": str(self.folder), "HOME": str(self.home), **environment},
            preexec_fn=_drop_override if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    def find_cache_folders(self, environments: list[dict[str, str]]) -> list[str]:
        """The folders of the kernels in each of these environments."""
        return self.run(KEPT, json.dumps(environments)).stdout.splitlines()

    def look(self, **environment: str) -> list[Any]:
        """[kernels, how many of them are cached, where others are kept]"""
        found: list[Any] = json.loads(self.run(LOOK, **environment).stdout)
        return found


def _drop_override() -> None:
    """In a process of root: file permissions hold for it, too, from the next exec on."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        os._exit(97)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """Without any cache."""
    made = Package(tmp_path / "site", tmp_path / "home")
    shutil.copytree(Path(meshline.__file__).parent, made.folder / "meshline", ignore=shutil.ignore_patterns("__pycache__"))
    made.home.mkdir()
    return made


def list_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_cache_that_cannot_be_written_is_used(package: Package) -> None:
    mine = find_cached_kernels()  # compiled by the session's fixture
    assert mine.cached == mine.kernels
    for folder in mine.folders:
        shutil.copytree(folder, package.caches / folder.name, dirs_exist_ok=True)
    package.lock()
    before = list_files(package.folder)
    done = package.run(COMPILE)
    kernels, cached, kept = json.loads(done.stdout)
    assert (kernels, cached) == (mine.kernels, mine.kernels)
    assert done.stderr == ""  # nothing was compiled, and nothing written
    assert list_files(package.folder) == before
    assert not any(path.suffix in (".nbi", ".nbc") for path in package.home.rglob("*"))
    assert kept == str(package.home / ".cache" / "meshline" / mine.folders[0].name)  # for what is not there


def test_kernels_are_kept_in_the_first_folder_that_can_be_written(package: Package, tmp_path: Path) -> None:
    chosen, user, none = str(tmp_path / "chosen"), str(tmp_path / "user"), "/proc/none"
    assert package.find_cache_folders([{"XDG_CACHE_HOME": user}, {"NUMBA_CACHE_DIR": chosen}]) == [
        str(package.caches / "kernels-x"),
        f"{chosen}/meshline/kernels-x",  # who names a folder means it
    ]
    shutil.rmtree(package.caches)
    package.lock()
    asked = [(chosen, user), ("", user), (none, user), (none, none)]
    kept = package.find_cache_folders([{"NUMBA_CACHE_DIR": numba, "XDG_CACHE_HOME": cache} for numba, cache in asked])
    assert kept == [f"{chosen}/meshline/kernels-x", f"{user}/meshline/kernels-x", f"{user}/meshline/kernels-x", "None"]


def test_what_is_compiled_is_found_by_the_next_process(package: Package, tmp_path: Path) -> None:
    package.lock()
    chosen = {"NUMBA_CACHE_DIR": str(tmp_path / "chosen")}
    first = package.run(COMPILE_ONE, **chosen)
    assert first.stderr.startswith("compiling the kernels of the index: ")
    assert f"once; they are kept in {tmp_path / 'chosen'}" in first.stderr
    assert len(first.stderr.splitlines()) == 1
    assert package.look(**chosen)[1] == 1
    assert package.run(COMPILE_ONE, **chosen).stderr == ""


def test_a_cache_that_is_damaged_is_made_again(package: Package, tmp_path: Path) -> None:
    chosen = {"NUMBA_CACHE_DIR": str(tmp_path / "chosen")}
    package.run(COMPILE_ONE, **chosen)
    for path in (tmp_path / "chosen").rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:100])
    assert package.look(**chosen)[1] == 0
    package.run(COMPILE_ONE, **chosen)
    assert package.look(**chosen)[1] == 1


def test_without_a_folder_that_can_be_written_a_message_names_the_setting(package: Package) -> None:
    package.lock()
    nowhere = {"NUMBA_CACHE_DIR": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}
    assert "in each process: no folder can be written, set NUMBA_CACHE_DIR" in package.run(COMPILE_ONE, **nowhere).stderr


def test_each_source_of_the_kernels_is_in_their_digest(package: Package) -> None:
    index = package.folder / "meshline" / "graph" / "index"
    sources = [index / "arrays.py", *sorted((index / "kernels").glob("*.py"))]
    unnoticed = package.run(DIGESTS, json.dumps([str(source) for source in sources])).stdout.split()
    assert unnoticed == ["__init__", "kernel_cache"]  # there is nothing in them that is compiled, or compiles


def test_kernels_are_in_their_package_only() -> None:
    kernels = {function.__module__ for function in (*jit._inner, *jit._kernels)}
    assert {name.rpartition(".")[0] for name in kernels} == {"meshline.graph.index.kernels"}
