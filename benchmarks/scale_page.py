"""docs/scale.md: the tables in it are made from the records of a full run, the rest is written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Record, read_figures
from benchmarks.page import FULL
from benchmarks.table import format_number

SCALE_PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"

PROCESS_MIB = 200  # of a process, besides the graph
SPARE = 1.25
LARGE_COLUMNS = 20_000  # from which a server starts readers

_MARKED = re.compile(r"(<!-- made: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_CASE = re.compile(r"(?P<what>\w+), (?P<columns>[\d,]+) columns, (?P<flows>[\d,]+) column edges")

Figures = Mapping[str, Sequence[Figure]]  # of each benchmark


def build_scale_page() -> str:
    """docs/scale.md with the tables of the newest full run."""
    return insert_tables(SCALE_PAGE.read_text(encoding="utf-8"), read_figures(FULL))


def insert_tables(page: str, records: Sequence[Record]) -> str:
    """A page whose marked parts are the tables of these records."""
    figures = {record.benchmark: record.figures for record in records}
    return _MARKED.sub(lambda found: f"{found[1]}{_TABLES[found['name']](figures)}\n{found[3]}", page)


def _build_sizes(figures: Figures) -> str:
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures["capacity"]:
        if found := _CASE.fullmatch(figure.case):
            rows.setdefault((found["columns"], found["flows"]), {})[found["what"]] = figure
    return _format_table(
        ("columns", "column flows", "memory of the graph", "SQLite file", "loaded in", "impact", "give a server"),
        [
            (
                columns,
                flows,
                _format_mib(row["memory"].ours),
                _format_mib(float(row["memory"].more["MiB of the file"])),
                f"{format_number(row['start'].ours)} s",
                f"{format_number(row['impact'].ours)} ms",
                _format_advice(int(columns.replace(",", "")), row["memory"].ours),
            )
            for (columns, flows), row in rows.items()
        ],
    )


def _format_advice(columns: int, memory: float) -> str:
    """Cores and memory for a server, and a reader where there are any."""
    processes = 2 if columns > LARGE_COLUMNS else 1
    half_gib = math.ceil(processes * (PROCESS_MIB + memory) * SPARE / 512)
    return f"{processes} core{'s' if processes > 1 else ''}, {half_gib / 2:g} GiB"


def _build_events(figures: Figures) -> str:
    def find(benchmark: str, case: str) -> Figure:
        return next(figure for figure in figures[benchmark] if figure.case == case)

    rows = [
        ("SQLite", "one by one, 32 connections", "http_ingest", "12 KB, {}, 32 connections", "12 KB, {}, processor"),
        ("SQLite", "in batches of a hundred, in one process", "ingest", "12 KB, {}", "12 KB, {}, processor"),
        ("Neo4j", "one by one, 32 connections", "neo4j-serving", "{}, 32 connections", "{}, acknowledged: processor of both sides"),
    ]
    return _format_table(
        ("store", "how", "events", "events/s", "processor of an event", "a core takes"),
        [
            (
                store,
                how,
                what,
                format_number(find(benchmark, rate.format(what)).ours),
                f"{format_number(cost)} ms",
                f"{format_number(1000 / cost)} events/s",
            )
            for store, how, benchmark, rate, processor in rows
            for what in ("new", "unchanged")
            for cost in [find(benchmark, processor.format(what)).ours]
        ],
    )


_TABLES: dict[str, Callable[[Figures], str]] = {"sizes": _build_sizes, "events": _build_events}


def _format_mib(mib: float) -> str:
    return f"{mib:,.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def _format_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
