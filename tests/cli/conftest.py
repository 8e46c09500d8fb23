from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest


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
