"""We and Spark's listener state the same lineage of the same queries, but for what docs/sources/sql.md lists."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.ingest.sql.spark_events import Edge, Query, read_queries

ROOT = Path(__file__).parents[3]
CORPUS = os.environ.get("MESHLINE_CORPUS", "")
FILES = {
    "example": ROOT / "examples" / "mesh" / "events" / "spark.ndjson",
    "dataset": Path(CORPUS) / "recorded" / "spark_iceberg.ndjson",
    "fields": Path(CORPUS) / "recorded" / "spark_fieldlevel_indirect.ndjson",
}


def find_reason(edge: Edge, query: Query) -> str:
    """Why an edge is only in Spark's lineage or only in ours; KeyError for an edge without a reason."""
    ours = edge in query.ours
    others = query.spark if ours else query.ours
    subtypes = {other.subtype for other in others if other[:3] == edge[:3]}
    rewritten = query.sql.lstrip().split()[0] in ("MERGE", "UPDATE")
    if edge.subtype == "FILTER" and not ours and "JOIN" in subtypes:
        return "join keys"
    if edge.target is None and is_swapped("TRANSFORMATION", "SORT", edge, subtypes):
        return "order"
    if rewritten and (edge.subtype == "IDENTITY" or edge.dataset == query.written):
        return "rewritten rows"
    if edge.target is not None and is_swapped("TRANSFORMATION", "IDENTITY", edge, subtypes):
        return "casts"
    raise KeyError(edge)


def is_swapped(one: str, other: str, edge: Edge, subtypes: set[str]) -> bool:
    """Whether Spark has one subtype where we have the other."""
    return (edge.subtype == one and other in subtypes) or (edge.subtype == other and one in subtypes)


def count_differences(file: Path) -> tuple[Counter[str], int]:
    """How many edges are only in Spark's lineage or only in ours, by reason and side; and how many are in both."""
    counts: Counter[str] = Counter()
    same = 0
    for query in read_queries(file):
        same += len(query.ours & query.spark)
        counts.update(f"{find_reason(edge, query)}: Spark" for edge in query.spark - query.ours)
        counts.update(f"{find_reason(edge, query)}: we" for edge in query.ours - query.spark)
    return counts, same


def read_documented(column: int) -> dict[str, int]:
    """The table in the docs: `what: who` -> how many, in one of its columns of numbers."""
    text = (ROOT / "docs" / "sources" / "sql.md").read_text()
    rows = re.findall(r"^\| \*\*(.+?)\*\*.*\| (Spark|we) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    return {f"{row[0]}: {row[1]}": int(row[2 + column]) for row in rows if int(row[2 + column])}


@pytest.mark.parametrize(("name", "column"), [("example", 0), ("dataset", 1), ("fields", 2)])
def test_only_the_listed_differences(name: str, column: int) -> None:
    if not FILES[name].exists():
        pytest.skip("MESHLINE_CORPUS is not set: the recorded events cannot be read")
    counts, same = count_differences(FILES[name])
    assert dict(counts) == read_documented(column)
    assert same == {"example": 194, "dataset": 53, "fields": 39}[name]
