"""docs/explorer.md names routes, tests and pictures that exist."""

from __future__ import annotations

import re
from pathlib import Path

from meshline.api.explorer import ROUTES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explorer.md").read_text("utf-8")
MOST_BYTES = 600_000  # of all pictures, which each clone has


def test_every_route_has_a_row() -> None:
    rows = PAGE.split("## Routes", 1)[1].split("##", 1)[0]
    assert set(re.findall(r"`(/[^`]*)`", rows)) == {"/", *ROUTES}


def test_every_test_it_names_exists() -> None:
    files = [*(ROOT / "tests" / "explorer").glob("test_*.py"), ROOT / "tests" / "api" / "test_explorer.py"]
    tests = "".join(path.read_text("utf-8") for path in files)
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert named <= set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))


def test_every_interaction_names_its_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.endswith("| |")]
    assert rows == []


def test_its_pictures_are_those_of_the_script_and_small() -> None:
    files = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    made = re.findall(r'^    "([\w-]+)": Shot\(', (ROOT / "scripts" / "make-screenshots").read_text("utf-8"), re.MULTILINE)
    assert set(files) == {f"explorer-{name}.png" for name in made}
    assert set(files) == set(re.findall(r"\(images/([^)]*)\)", PAGE))
    assert sum(files.values()) < MOST_BYTES
