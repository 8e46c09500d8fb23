"""Files of rows that were exported from the views of a system: newline-delimited JSON, JSON, CSV and Parquet.

A file is recognised by its columns, in any case. Values of CSV are texts, so each value is converted where it is used.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput, require_extra
from meshline.graph.model import to_micros
from meshline.ingest.sources.files import expand_paths, format_path

MAX_BYTES = 2 * 2**30  # of one file
MAX_JSON = 200 * 2**20  # of one that is read as a whole
MAX_LINE = 20 * 2**20  # characters of a row
ENDINGS = (".ndjson", ".jsonl", ".json", ".csv", ".parquet")

csv.field_size_limit(MAX_LINE)


class Shape(NamedTuple):
    """A view of a system. `name`: as the system calls it. `columns`: those by which its rows are recognised, in lower case."""

    name: str
    columns: frozenset[str]


class Row:
    """A row. Names of columns are in lower case."""

    __slots__ = ("_values", "where")

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self.where = where

    def get_text(self, *names: str) -> str:
        """The first of these columns that has a value, as text; empty if there is none."""
        for name in names:
            value = self._values.get(name)
            if value is not None and value != "":
                return value if isinstance(value, str) else str(value)
        return ""

    def get_integer(self, *names: str) -> int | None:
        """Raises InvalidInput if the value is no number."""
        text = self.get_text(*names)
        if not text:
            return None
        try:
            return int(float(text)) if not text.lstrip("-").isdigit() else int(text)
        except (ValueError, OverflowError):
            raise InvalidInput(f"found {text[:40]!r} in {names[0]}; accepted is a number", self.where) from None

    def get_flag(self, name: str) -> bool | None:
        text = self.get_text(name).strip().lower()
        return True if text in ("yes", "true", "t", "y", "1") else False if text in ("no", "false", "f", "n", "0") else None

    def get_json(self, name: str) -> Any:
        """A list or mapping, which may be written as text. Raises InvalidInput."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            raise InvalidInput(f"found {value[:40]!r} in {name}; accepted is JSON", self.where) from None

    def get_time(self, name: str) -> int | None:
        """In microseconds since the epoch: a time as text (ISO 8601, with a space or a T), in seconds, or in milliseconds."""
        value = self._values.get(name)
        if isinstance(value, datetime):
            return to_micros(value)
        text = self.get_text(name).strip()
        if not text:
            return None
        if text.replace(".", "", 1).isdigit():
            number = float(text)
            return int(number * 1_000_000) if number < 100_000_000_000 else int(number * 1_000)
        plain = text.removesuffix(" UTC").removesuffix("Z")
        if len(plain) > 6 and plain[-5] in "+-" and plain[-4:].isdigit() and plain[-6] == " ":  # Snowflake: ... +0100
            plain = plain[:-6] + plain[-5:]
        try:
            return to_micros(datetime.fromisoformat(_cut_fraction(plain)))
        except ValueError:
            raise InvalidInput(f"found {text[:40]!r} in {name}; accepted are times such as 2026-03-01T10:00:00Z", self.where) from None


def _cut_fraction(text: str) -> str:
    """The time with at most six digits of a second."""
    head, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}" if dot and digits else text


Rows: TypeAlias = Mapping[str, list[Row]]  # by the name of their shape


def read_exports(files: Sequence[str], folder: Path, shapes: Sequence[Shape]) -> tuple[Rows, list[InvalidInput]]:
    """The rows of all files by shape, and what could not be read."""
    found: dict[str, list[Row]] = {shape.name: [] for shape in shapes}
    problems: list[InvalidInput] = []
    for path in expand_paths(files, folder):
        if isinstance(path, InvalidInput):
            problems.append(path)
            continue
        name = format_path(path, folder)
        try:
            for values, where in _read_rows(path, name):
                row = {str(key).strip().lower(): value for key, value in values.items()}
                found[_find_shape(row, shapes, where).name].append(Row(row, where))
        except InvalidInput as error:
            problems.append(error)
    return found, problems


def _find_shape(row: Mapping[str, Any], shapes: Sequence[Shape], where: str) -> Shape:
    """The shape with the most columns that the row has all of."""
    fitting = [shape for shape in shapes if shape.columns <= row.keys()]
    if not fitting:
        names = ", ".join(shape.name for shape in shapes)
        raise InvalidInput(f"found the columns {', '.join(sorted(row))[:200]}; accepted are rows of {names}", where)
    return max(fitting, key=lambda shape: len(shape.columns))


def _read_rows(path: Path, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Rows with `file:line`. Raises InvalidInput."""
    ending = path.suffix.lower()
    read = _READERS.get(ending)
    if read is None:
        raise InvalidInput(f"found a file {ending or 'without an ending'}; accepted: {', '.join(ENDINGS)}", name)
    try:
        if path.stat().st_size > (MAX_JSON if ending == ".json" else MAX_BYTES):
            raise InvalidInput("the file is too large: export it in parts, as .ndjson", name)
        yield from read(path, name)
    except OSError as error:
        raise InvalidInput(f"the file cannot be read: {error.strerror or error}", name) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"byte {error.start} is not UTF-8; accepted is text in UTF-8", name) from error


def _read_lines(path: Path, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            where = f"{name}:{number}"
            if len(line) > MAX_LINE:
                raise InvalidInput(f"the row has more than {MAX_LINE} characters", where)
            if line.strip():
                yield _check_row(_decode(line, where), where), where


def _read_json(path: Path, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    text = path.read_text("utf-8-sig")
    if not text.lstrip().startswith("["):  # some tools call newline-delimited JSON so, too
        yield from _read_lines(path, name)
        return
    for place, value in enumerate(_decode(text, name)):
        yield _check_row(value, f"{name}[{place}]"), f"{name}[{place}]"


def _decode(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"it is no JSON: {str(error)[:100]}", where) from error


def _check_row(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("found no row; accepted are JSON objects, one for each row", where)
    return value


def _read_csv(path: Path, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                where = f"{name}:{reader.line_num}"
                if None in row or None in row.values():
                    raise InvalidInput(f"the row has not {len(reader.fieldnames or ())} values, as the first line has", where)
                yield row, where
        except csv.Error as error:
            raise InvalidInput(f"it is no CSV: {error}", f"{name}:{reader.line_num}") from error


def _read_parquet(path: Path, name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    with require_extra("duckdb", "reading Parquet"):
        import duckdb  # noqa: PLC0415 - an extra
    try:
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
            answer = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            columns = [one[0] for one in answer.description or ()]
            number = 0
            while rows := answer.fetchmany(10_000):
                for row in rows:
                    number += 1
                    yield dict(zip(columns, row, strict=True)), f"{name}[{number - 1}]"
    except duckdb.Error as error:
        raise InvalidInput(f"it is no Parquet: {str(error).partition(chr(10))[0]}", name) from error


_READERS: Mapping[str, Callable[[Path, str], Iterable[tuple[Mapping[str, Any], str]]]] = {
    ".ndjson": _read_lines,
    ".jsonl": _read_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
