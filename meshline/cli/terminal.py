"""Output of commands: answers go to stdout, everything else to stderr; colour and progress only to a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO, TypeVar

from meshline.graph.model import Json
from meshline.words import make_printable

T = TypeVar("T")

FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # what a formula begins with in a spreadsheet, also in full width
SLOW = 1.0  # seconds of work after which a progress bar appears


class Line(NamedTuple):
    """A line of text and its style on a terminal (rich's styles)."""

    text: str
    style: str = ""


def write_lines(lines: Iterable[Line]) -> None:
    """Write lines to stdout, in colour if it is a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{make_printable(line.text)}\n" for line in lines)
        sys.stdout.flush()  # a server continues after this
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text(make_printable(line.text), style=line.style), soft_wrap=True)


class Answer(NamedTuple):
    """An answer for programs, as in the schema, and the same as text."""

    data: Json
    lines: Sequence[Line]


def write_answer(answer: Answer, *, as_json: bool) -> None:
    """Write an answer to stdout in one of its two forms."""
    if as_json:
        write_json(answer.data)
    else:
        write_lines(answer.lines)


def write_json(value: Json) -> None:
    """Write JSON to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV to stdout."""
    import io

    text = io.StringIO(newline="")
    format_csv(text, heads, rows)
    sys.stdout.write(text.getvalue())


def format_csv(file: TextIO, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV to a file: as in RFC 4180, but lines end with a line feed alone."""
    import csv

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([escape_cell(cell) for cell in row] for row in rows)


def escape_cell(text: str) -> str:
    """A cell that no spreadsheet computes: a name is data, and must not become a formula.

    A text that begins like a formula gets an apostrophe, by which spreadsheets know a text. Numbers stay numbers.
    """
    if text[:1] not in FORMULA:
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def write_bytes(parts: Iterable[bytes], path: Path | None) -> None:
    """Write bytes to a file, or to stdout for None. Raises InvalidInput if the file cannot be written."""
    from meshline.errors import InvalidInput

    if path is None:
        sys.stdout.buffer.writelines(parts)
        return
    try:
        with path.open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror or error}", str(path)) from error


def write_message(message: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{make_printable(message)}\n")


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """Exit with REFUSED if an InvalidInput is raised inside; for --strict."""
    from meshline.cli.exit_codes import REFUSED
    from meshline.errors import InvalidInput

    try:
        yield
    except InvalidInput as error:
        write_message(f"refused: {error}")
        raise SystemExit(REFUSED) from error


class Advance(Protocol):
    """Advances a progress display by an amount of work."""

    def __call__(self, amount: int = 1) -> None: ...


@contextmanager
def show_progress(what: str) -> Iterator[Advance]:
    """A running count on stderr, if it is a terminal and the work takes longer than SLOW seconds."""
    if not sys.stderr.isatty():
        yield _ignore_progress
        return
    bar = _ProgressBar(what)
    try:
        yield bar
    finally:
        bar.close()


def _ignore_progress(amount: int = 1) -> None:
    del amount


class _ProgressBar:
    """A progress bar that appears only once the work takes longer than SLOW seconds."""

    def __init__(self, what: str) -> None:
        import time

        self._clock = time.monotonic
        self._begun = self._clock()
        self._what, self._done = what, 0
        self._update: Advance | None = None

    def __call__(self, amount: int = 1) -> None:
        self._done += amount
        if self._update is not None:
            self._update(amount)
        elif self._clock() - self._begun > SLOW:
            self._show()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        shown = (SpinnerColumn(), TextColumn("{task.completed} {task.description}"), TimeElapsedColumn())
        bar = Progress(*shown, console=Console(stderr=True), transient=True)
        task = bar.add_task(self._what, total=None, completed=self._done)
        bar.start()
        self._stop = bar.stop
        self._update = lambda amount=1: bar.advance(task, amount)

    def close(self) -> None:
        if self._update is not None:
            self._stop()
