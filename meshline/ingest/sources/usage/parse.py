"""The neutral format of usage: lines of JSON or of CSV, compressed or not -> records. See docs/sources/usage.md."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json, get_current_micros, to_micros
from meshline.ingest.file_times import AHEAD
from meshline.words import suggest_closest

MAX_BYTES = 1024 * 2**20  # of one file, decompressed
MAX_LINE = 2**20  # characters
MAX_NAME = 1_000  # characters
MAX_COLUMNS = 5_000  # of one record
MAX_COUNT = 10**15
_PART = 2**16  # bytes that are decompressed at once

READERS = ("consumer", "application", "service", "user")  # the first of these that a record has is its reader, and its type
KEYS = (*READERS, "dataset", "columns", "count", "first", "last", "day", "purpose")
WINDOW = "window"  # the field of CSV in which a row states a window: `datasets`, or `columns` if columns are in it, too
_WINDOW_ROW_KEYS = (WINDOW, "dataset", "first", "last")
_WINDOWS = ("datasets", "columns")
_WINDOW_KEYS = ("first", "last", "datasets", "columns")
_LINE_END = b"\n"


class Record(NamedTuple):
    """The reads of one dataset by one reader. `columns`: empty if it is not known which. Times in microseconds. `where`: `file:line`."""

    reader: str
    reader_type: str
    dataset: str
    columns: tuple[str, ...]
    number: int
    first: int
    last: int
    purpose: str
    where: str


class Window(NamedTuple):
    """A time in which all reads of some datasets are in the files. `datasets`: patterns. `columns`: whether columns are, too."""

    first: int
    last: int
    datasets: tuple[str, ...]
    columns: bool
    where: str


Parsed: TypeAlias = Record | Window | InvalidInput


def parse_file(path: Path, name: str) -> Iterator[Parsed]:
    """The records of a file; an error for each line that is none. `name`: of the file in messages. Raises InvalidInput."""
    lines = _read_lines(path, name)
    base = path.name.lower().removesuffix(".gz")
    if base.endswith(".csv"):
        yield from _parse_csv(lines, name)
    elif base.endswith((".ndjson", ".jsonl", ".json")):
        yield from _parse_json(lines, name)
    else:
        raise InvalidInput("accepted are files that end with .ndjson, .jsonl, .json or .csv, also with .gz", name)


def _parse_json(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Parsed]:
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            yield _parse_object(msgspec.json.decode(line), where)
        except InvalidInput as error:
            yield error
        except (msgspec.DecodeError, RecursionError) as error:
            yield InvalidInput(f"the line is not valid JSON ({error}); accepted is one JSON object in each line", where)


def _parse_object(value: Json, where: str) -> Record | Window:
    """Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("the line is no object; accepted is one JSON object in each line", where)
    if "window" not in value:
        return _parse_record(value, where)
    if len(value) > 1:
        raise InvalidInput("a line with a window has nothing else", where)
    return _parse_window(value["window"], where)


def _parse_csv(lines: Iterator[tuple[int, str]], name: str) -> Iterator[Parsed]:
    number = 1

    def iterate() -> Iterator[str]:
        nonlocal number
        for number, line in lines:  # noqa: B007 - of the enclosing function
            yield f"{line}\n"

    rows = csv.reader(iterate(), strict=True)
    try:
        keys = _parse_head(next(rows, []), f"{name}:1")
        for row in rows:
            where = f"{name}:{number}"
            if row:
                yield _parse_row(keys, row, where)
    except csv.Error as error:
        message = f"the file is not valid CSV ({error}); accepted are fields separated by commas, in double quotes"
        raise InvalidInput(message, f"{name}:{number}") from error


def _parse_head(head: list[str], where: str) -> list[str]:
    """Raises InvalidInput."""
    keys = [one.strip().lower() for one in head]
    for key in keys:
        _check_key(key, (*KEYS, WINDOW), where)
    if len(set(keys)) != len(keys):
        raise InvalidInput("a field is named twice in the first row", where)
    return keys


def _parse_row(keys: list[str], row: list[str], where: str) -> Parsed:
    values: dict[str, Json] = {key: text.strip() for key, text in zip(keys, row, strict=False) if text.strip()}
    try:
        if len(row) != len(keys):
            return InvalidInput(f"the row has {len(row)} fields, and the first one {len(keys)}", where)
        if isinstance(columns := values.get("columns"), str):
            values["columns"] = [one.strip() for one in columns.split(";") if one.strip()]
        if WINDOW in values:
            return _parse_window_row(values, where)
        if isinstance(count := values.get("count"), str):
            values["count"] = _parse_number(count, where)
        return _parse_record(values, where)
    except InvalidInput as error:
        return error


def _parse_window_row(values: Mapping[str, Json], where: str) -> Window:
    """A row that states a window, for the datasets that it has in place of one. Raises InvalidInput."""
    for key in values:
        if key not in _WINDOW_ROW_KEYS:
            raise InvalidInput(f"a row with a window has no {key}; accepted are {', '.join(_WINDOW_ROW_KEYS)}", where)
    stated = values[WINDOW]
    if stated not in _WINDOWS:
        raise InvalidInput(f"window is {_show(stated)}; accepted is {' or '.join(_WINDOWS)}, or nothing in a row of reads", where)
    datasets: list[Json] = [one.strip() for one in str(values.get("dataset", "")).split(";") if one.strip()]
    return _parse_window(
        {"first": values.get("first"), "last": values.get("last"), "datasets": datasets, "columns": stated == "columns"}, where
    )


def _parse_record(value: Mapping[str, Json], where: str) -> Record:
    """Raises InvalidInput."""
    for key in value:
        _check_key(key, KEYS, where)
    type_ = next((key for key in READERS if value.get(key) not in (None, "")), None)
    if type_ is None:
        raise InvalidInput(f"the record has no reader; accepted is one of {', '.join(READERS)}", where)
    first, last = _parse_times(value, where)
    columns = value.get("columns")
    if columns is not None and (not isinstance(columns, list) or len(columns) > MAX_COLUMNS):
        raise InvalidInput(f"columns is no list of at most {MAX_COLUMNS:,} names", where)
    count = value.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= MAX_COUNT:
        raise InvalidInput(f"count is {_show(count)}; accepted is a whole number from 1", where)
    return Record(
        reader=_parse_name(value[type_], type_, where),
        reader_type=type_,
        dataset=_parse_name(value.get("dataset"), "dataset", where),
        columns=tuple(dict.fromkeys(_parse_name(one, "columns", where) for one in columns or ())),
        number=count,
        first=first,
        last=last,
        purpose="" if value.get("purpose") in (None, "") else _parse_name(value["purpose"], "purpose", where),
        where=where,
    )


def _parse_window(value: Json, where: str) -> Window:
    """Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("the window is no object", where)
    for key in value:
        _check_key(key, _WINDOW_KEYS, where)
    datasets, columns = value.get("datasets"), value.get("columns", False)
    if not isinstance(datasets, list) or not datasets or len(datasets) > MAX_COLUMNS:
        raise InvalidInput("the window needs datasets: a list of names and patterns, as namespace/sales.*", where)
    if not isinstance(columns, bool):
        raise InvalidInput(f"columns is {_show(columns)}; accepted is true or false", where)
    if value.get("first") is None or value.get("last") is None:
        raise InvalidInput("the window needs first and last", where)
    first, last = _parse_times(value, where)
    return Window(first, last, tuple(_parse_name(one, "datasets", where) for one in datasets), columns, where)


def _check_key(key: str, known: tuple[str, ...], where: str) -> None:
    if key not in known:
        raise InvalidInput(f"unknown key {_show(key)}{suggest_closest(key, known)}; accepted: {', '.join(known)}", where)


def _parse_name(value: Json, key: str, where: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise InvalidInput(f"{key} is {_show(value)}; accepted is a name of at most {MAX_NAME:,} printable characters", where)
    return text


def _parse_times(value: Mapping[str, Json], where: str) -> tuple[int, int]:
    """The first and the last time of a record."""
    day = value.get("day")
    if day is not None:
        if value.get("first") is not None or value.get("last") is not None:
            raise InvalidInput("the record has a day, and first or last; accepted is one of both", where)
        if not isinstance(day, str) or len(day) != len("2026-11-20"):
            raise InvalidInput(f"day is {_show(day)}; accepted is a date, e.g. 2026-11-20", where)
        at = _parse_time(day, "day", where)
        return at, at
    last = value.get("last")
    if last is None:
        raise InvalidInput("the record has no time; accepted is a day, or first and last", where)
    end = _parse_time(last, "last", where)
    begin = end if value.get("first") is None else _parse_time(value["first"], "first", where)
    if begin > end:
        raise InvalidInput("first is after last", where)
    return begin, end


def _parse_time(value: Json, key: str, where: str) -> int:
    try:
        text = value if isinstance(value, str) else ""
        at = to_micros(datetime.combine(date.fromisoformat(text), time(tzinfo=UTC)) if len(text) == 10 else datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{key} is {_show(value)}; accepted is ISO 8601, e.g. 2026-11-20T07:30:00Z", where) from error
    if not 0 <= at <= get_current_micros() + AHEAD:
        raise InvalidInput(f"{key} is {_show(value)}: before 1970, or more than a day ahead of the clock", where)
    return at


def _parse_number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise InvalidInput(f"count is {_show(text)}; accepted is a whole number from 1", where)
    return int(text)


def _show(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _read_lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, decompressed if its name ends with .gz. Raises InvalidInput."""
    number, size, rest = 0, 0, bytearray()
    try:
        with path.open("rb") as file:
            for part in _decompress(file) if path.name.lower().endswith(".gz") else iter(lambda: file.read(_PART), b""):
                size += len(part)
                if size > MAX_BYTES:
                    raise InvalidInput(f"the file has more than {MAX_BYTES:,} bytes", name)
                rest += part
                *lines, last = rest.split(_LINE_END)
                rest = bytearray(last)
                for line in lines:
                    number += 1
                    yield number, _decode_line(bytes(line), f"{name}:{number}")
                if len(rest) > MAX_LINE:
                    raise InvalidInput(f"the line has more than {MAX_LINE:,} characters", f"{name}:{number + 1}")
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidInput(f"the file cannot be read: {reason}", name) from error
    if rest:
        yield number + 1, _decode_line(bytes(rest), f"{name}:{number + 1}")


def _decompress(file: io.BufferedReader) -> Iterator[bytes]:
    """The content of a gzip file, of one or several members, in parts of bounded size. Raises EOFError, zlib.error."""
    decoder = zlib.decompressobj(wbits=31)
    while data := file.read(_PART):
        while data:
            if decoder.eof:
                decoder = zlib.decompressobj(wbits=31)
            yield decoder.decompress(data, _PART)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if not decoder.eof:
        raise EOFError("its end is missing")


def _decode_line(line: bytes, where: str) -> str:
    if len(line) > MAX_LINE:
        raise InvalidInput(f"the line has more than {MAX_LINE:,} characters", where)
    try:
        return line.removesuffix(b"\r").decode("utf-8-sig" if where.endswith(":1") else "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("the line is not UTF-8", where) from error
