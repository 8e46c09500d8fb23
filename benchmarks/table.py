"""Figures as a table: on the terminal, and in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, Record

HEADINGS = ("case", "ours", "reference", "unit", "against", "ratio", "goal", "")
WIDTH = 160  # where there is no terminal
RIGHT = frozenset({"ours", "reference", "ratio"})


def format_row(figure: Figure) -> tuple[str, ...]:
    """In the order of HEADINGS."""
    goal = "" if figure.goal is None else f"{figure.goal.sense} {format_number(figure.goal.bound)}"
    mark = {None: "", True: "reached", False: "missed"}[figure.reached]
    return (
        figure.case,
        format_number(figure.ours),
        format_number(figure.reference),
        figure.unit,
        figure.against,
        format_number(figure.ratio),
        goal,
        mark,
    )


def format_number(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show_figures(records: Sequence[Record], console: Console | None = None) -> None:
    console = console or Console(width=None if sys.stdout.isatty() else WIDTH)
    for record in records:
        table = Table(title=f"{record.benchmark} ({record.size}, {record.seconds:.0f} s)", title_justify="left")
        for heading in HEADINGS:
            table.add_column(heading, justify="right" if heading in RIGHT else "left")
        for figure in record.figures:
            table.add_row(*format_row(figure))
        console.print(table)


def format_markdown(figures: Sequence[Figure]) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", "| " + " | ".join("---:" if h in RIGHT else "---" for h in HEADINGS) + " |"]
    lines += [f"| {' | '.join(format_row(figure))} |" for figure in figures]
    return "\n".join(lines)
