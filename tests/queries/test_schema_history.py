"""The schemas that a dataset had, by source and under all its names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeFact, EdgeType, Facts
from meshline.graph.queries.schema_history import read_schemas
from meshline.ingest.sources.base import Entry
from tests.ingest.sources.fake_source import T, build_entry, build_table, load_items, open_graph

LAKE, FILE = model.build_dataset_key("lake", "a"), model.build_dataset_key("s3://wh", "a")


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def list_schemas(live: LiveGraph, as_of: int | None = None) -> list[tuple[str, list[str], int, int | None]]:
    index = live.get_index(as_of)
    node = index.assets.find_by_key(LAKE)
    assert node is not None
    return [
        (found.source, [c.name for c in found.columns], found.since - T, None if found.until is None else found.until - T)
        for found in read_schemas(live, index, node)
    ]


def test_each_change_of_the_columns_is_a_schema(live: LiveGraph) -> None:
    load_items(
        live,
        [build_entry("a", "x", "y", time=T, past=[(T - 20, build_table("a", "x")), (T - 10, build_table("a", "x", location="moved"))])],
    )
    load_items(live, [build_entry("a", "y", "z", time=T + 10)], T + 10)
    assert list_schemas(live) == [
        ("iceberg/lake", ["y", "z"], 10, None),
        ("iceberg/lake", ["x", "y"], 0, 10),
        ("iceberg/lake", ["x"], -20, 0),  # of two intervals that differ in the location only
    ]
    assert [columns for _, columns, _, _ in list_schemas(live, T + 5)] == [["x", "y"], ["x"]]


def test_every_source_under_every_name_is_listed(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x", time=T)])
    load_items(live, [Entry(("dataset", *FILE.parts), build_table("a", "x", "y", namespace="s3://wh"), T + 1)], source="openlineage/x")
    same = encode_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, LAKE, FILE, {"why": "location"}),)))
    load_items(live, [Entry(("same",), same, T + 2)], source="mesh/x")
    assert list_schemas(live) == [("openlineage/x", ["x", "y"], 1, None), ("iceberg/lake", ["x"], 0, None)]


def test_a_dataset_that_no_source_lists_has_no_schema(live: LiveGraph) -> None:
    load_items(live, [Entry(("seen",), encode_facts(Facts(edges=(EdgeFact(EdgeType.READS, model.build_job_key("j", "j"), LAKE),))))])
    assert list_schemas(live) == []
