"""The tables of docs/scale.md, made from records."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figure, Machine, Record
from benchmarks.scale_page import insert_tables
from benchmarks.sizes import Size

MACHINE = Machine("P", 2, 24.0, "Linux", "3.11", "3.40", 0.1)
PAGE = "before\n\n<!-- made: sizes -->\nold\n<!-- end -->\n\nbetween\n\n<!-- made: events -->\n<!-- end -->\nafter\n"


def build_record(name: str, *figures: Figure) -> Record:
    return Record(benchmark=name, size=Size.FULL, date="2026-11-25", seconds=1.0, machine=MACHINE, figures=list(figures))


def build_figure(case: str, ours: float, **more: float) -> Figure:
    return Figure(case=case, unit="u", ours=ours, reference=1.0, against="a", more={**more})


def list_records() -> list[Record]:
    small, large = "10,000 columns, 38,000 column edges", "10,000,000 columns, 49,000,000 column edges"
    capacity = [
        *(build_figure(f"start, {of}", seconds) for of, seconds in ((small, 0.1), (large, 40))),
        *(build_figure(f"memory, {of}", mib, **{"MiB of the file": file}) for of, mib, file in ((small, 10, 3), (large, 4800, 2400))),
        *(build_figure(f"impact, {of}", milliseconds) for of, milliseconds in ((small, 1), (large, 20))),
    ]
    costs = [build_figure(f"12 KB, {what}, processor", cost) for what, cost in (("new", 0.5), ("unchanged", 0.25))]
    return [
        build_record("capacity", *capacity),
        build_record("http_ingest", *(build_figure(f"12 KB, {what}, 32 connections", 900) for what in ("new", "unchanged")), *costs),
        build_record("ingest", *(build_figure(f"12 KB, {what}", 2000) for what in ("new", "unchanged")), *costs),
        build_record(
            "neo4j-serving",
            *(build_figure(f"{what}, 32 connections", 100) for what in ("new", "unchanged")),
            *(build_figure(f"{what}, acknowledged: processor of both sides", 8) for what in ("new", "unchanged")),
        ),
    ]


def test_tables_are_inserted_where_they_are_marked() -> None:
    page = insert_tables(PAGE, list_records())
    assert "old" not in page
    assert "| 10,000 | 38,000 | 10 MiB | 3 MiB | 0.1 s | 1 ms | 1 core, 0.5 GiB |" in page  # (200 + 10) * 1.25 MiB
    assert "| 10,000,000 | 49,000,000 | 4.7 GiB | 2.3 GiB | 40 s | 20 ms | 2 cores, 12.5 GiB |" in page  # 2 * (200 + 4800) * 1.25 MiB
    assert "| Neo4j | one by one, 32 connections | unchanged | 100 | 8 ms | 125 events/s |" in page
    assert page.count("| SQLite |") == 4
    assert insert_tables(page, list_records()) == page, "the tables of a page are replaced"
    assert [page.splitlines()[0], page.splitlines()[-1]] == ["before", "after"]


def test_a_figure_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError, match="capacity"):
        insert_tables(PAGE, [])
