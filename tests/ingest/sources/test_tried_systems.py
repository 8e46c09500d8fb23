"""The table of the systems that were tried: each row names a test that exists and is about the system."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshline.ingest.sources.registry import KINDS
from meshline.ingest.sources.tried_systems import TRIED, TriedSystem

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("row", TRIED, ids=lambda row: row.system)
def test_a_row_names_a_test_that_is_about_its_system(row: TriedSystem) -> None:
    file = ROOT / row.test
    assert file.is_file(), f"there is no {row.test}"
    assert file.name.startswith("test_"), f"{row.test} is no test"
    assert row.system.casefold() in file.read_text(encoding="utf-8").casefold(), f"{row.test} does not mention {row.system}"
    assert row.kind in KINDS, f"{row.kind} is no kind of source"
    assert all(row), "a row has no empty field"
    assert "|" not in "".join(map(str, row)), "the table's cells are separated by |"


def test_each_system_has_one_row_and_each_row_is_on_the_page() -> None:
    names = [(row.system, row.version) for row in TRIED]
    assert len(set(names)) == len(names)
    page = (ROOT / "docs" / "sources" / "README.md").read_text(encoding="utf-8")
    for row in TRIED:
        assert f"| {row.system} | {row.version} | {row.trial.value} |" in page, f"{row.system} is not on the page: run scripts/make-docs"
