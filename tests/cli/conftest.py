from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from meshline.graph.index.kernels.jit import compile_kernels


@pytest.fixture(autouse=True, scope="session")
def _compiled() -> None:
    """Commands load a graph hundreds of times here: with kernels as they are written, that is half of their processor time."""
    compile_kernels()


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that does not exist yet; commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return f"sqlite:///{tmp_path / 'new.db'}"


@pytest.fixture
def filled(example: str, new: str) -> str:
    """The new store, with what the store of the example contains."""
    paths = (url.removeprefix("sqlite:///") for url in (example, new))
    source, target = map(sqlite3.connect, paths)
    with closing(source), closing(target):
        source.backup(target)
    return new
