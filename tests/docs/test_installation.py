"""The lines that install meshline: no registry has it, so each names the address, and all the same one (scripts/make-docs)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from meshline import __version__

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".yaml"))]
PROJECT: Any = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ADDRESS = f"git+{PROJECT['urls']['Repository']}@v{__version__}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_line_that_installs_meshline_has_the_address(page: Path) -> None:
    for requested in re.findall(r"pip install\s+(?:-\S+\s+)*['\"]?(meshline\b[^'\"`\n]*)", page.read_text("utf-8")):
        found = re.fullmatch(r"meshline(?:\[([\w,]+)\])? @ (\S+)", requested.strip())
        assert found is not None, f"{requested}: no registry has meshline"
        assert found[2] == ADDRESS, requested
        assert set((found[1] or "").split(",")) <= {"", *PROJECT["optional-dependencies"]}, requested


def test_all_extras_are_explained() -> None:
    page = (ROOT / "docs" / "installation.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == sorted(PROJECT["optional-dependencies"])
