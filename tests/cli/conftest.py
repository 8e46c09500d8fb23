from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import EXAMPLE, run_successfully


@pytest.fixture(scope="package")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the example mesh."""
    store = f"sqlite:///{tmp_path_factory.mktemp('example') / 'example.db'}"
    assert "entries changed" in run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--store", store).err
    assert "events ingested" in run_successfully("ingest", "openlineage", EXAMPLE / "events", "--store", store).err
    return store


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that does not exist yet; commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    return f"sqlite:///{tmp_path / 'new.db'}"
