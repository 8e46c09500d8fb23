"""SQL and what is known of the tables -> edges, as text files that a person can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.sql.pairs import FOLDER, format_actual, parse_pair

FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden_pair(file: Path) -> None:
    golden = parse_pair(file.read_text())
    assert format_actual(golden) == golden.expected


def test_there_are_enough_pairs_in_all_the_dialects_that_we_promise() -> None:
    dialects = {parse_pair(file.read_text()).dialect for file in FILES}
    assert len(FILES) >= 60
    assert dialects >= {"trino", "spark", "snowflake", "bigquery", "postgres", "duckdb", "tsql", "redshift", "mysql", "dremio"}
