from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that does not exist yet; commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return f"sqlite:///{tmp_path / 'new.db'}"
