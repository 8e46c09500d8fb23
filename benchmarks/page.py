"""docs/benchmarks.md, made from the records of a full run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.catalog import BENCHMARKS
from benchmarks.figures import Benchmark, Figure, Machine, Record, read_figures
from benchmarks.table import format_markdown

HEAD = """\
# Benchmarks

Made by `scripts/bench --full` from [`benchmarks/full.json`](../benchmarks/full.json); do not edit. `scripts/bench NAME` runs one
(quick size), `scripts/bench --quick` all of them in a few minutes.

Every figure comes with a reference that was measured in the same run, on the same machine, in turns with ours: the ratio
(ours / reference) means more than either number. A goal is the intended ratio; no test asserts it.
The data are generated and seeded (`benchmarks/generate.py`): datasets of 10 to 40 columns in eight layers, popular ones read
much more often than others, masked columns, filters on whole datasets, and jobs without column lineage among them.
"""


FULL = Path(__file__).resolve().parent / "full.json"


def build_benchmarks_page() -> str:
    """docs/benchmarks.md, from the newest full run."""
    return build_page(read_figures(FULL))


def build_page(records: Sequence[Record]) -> str:
    by_name = {record.benchmark: record for record in records}
    parts = [HEAD]
    parts += [_part(by_name[name], benchmark) for name, benchmark in BENCHMARKS.items() if name in by_name]
    return "\n".join(parts)


def _part(record: Record, benchmark: Benchmark) -> str:
    figures = format_markdown(record.figures)
    more = "".join(f"- {figure.case}: {_format_more(figure)}\n" for figure in record.figures if figure.more)
    details = f"\n<details><summary>More of each case</summary>\n\n{more}\n</details>\n" if more else ""
    limits = f"\nWhat limits it: {benchmark.limits}\n" if benchmark.limits else ""
    return f"## {record.benchmark}\n\n{benchmark.about}\n\n{figures}\n{limits}{details}\n{record.date}, {_format_machine(record.machine)}\n"


def _format_more(figure: Figure) -> str:
    return ", ".join(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in figure.more.items())


def _format_machine(machine: Machine) -> str:
    busy = machine.load > 0.5
    load = f"; busy with other work as well (load average {machine.load} when the run began)" if busy else ""
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.system}, Python {machine.python},"
        f" SQLite {machine.sqlite}{load}."
    )
