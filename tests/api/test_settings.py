from __future__ import annotations

from pathlib import Path

import pytest

from meshline.api.settings import Settings, load, table
from meshline.errors import InvalidInput


def test_the_environment_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_PORT", "9000")
    monkeypatch.setenv("MESHLINE_MESH", "mesh.yaml")
    assert load().port == 9000
    assert load(port=1, host=None) == Settings(port=1, mesh=Path("mesh.yaml"))


def test_an_error_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_PORT", "no port")
    with pytest.raises(InvalidInput, match=r"^MESHLINE_PORT: ") as caught:
        load()
    assert caught.value.code == "INVALID_INPUT"
    with pytest.raises(InvalidInput, match="MESHLINE_WHAT"):
        load(what=1, port=1)


def test_every_setting_is_documented() -> None:
    rows = list(table())
    assert [row.variable for row in rows] == [f"MESHLINE_{name.upper()}" for name in Settings.model_fields]
    assert all(row.meaning.endswith(".") for row in rows)


def test_only_the_settings_read_the_environment() -> None:
    root = Path(__file__).parents[2] / "meshline"
    readers = {
        path.name
        for path in root.rglob("*.py")
        if "environ" in path.read_text(encoding="utf-8") and "os.environ" in path.read_text(encoding="utf-8")
    }
    assert readers == set()
