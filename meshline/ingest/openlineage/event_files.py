"""Events from files: ndjson, one JSON event, a JSON array of events; gzip or not; folders; `-` is standard input.

Memory is bounded by one line, or by one document if the file is a single JSON value; a file that unpacks
to more is refused. A broken line is one refusal with its place, the rest of the file is read. `split_events` splits
an array without parsing its events, so that an error in one event does not affect the others.
"""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from meshline.errors import InvalidInput

_whole = msgspec.json.Decoder(list[msgspec.Raw])
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{},]', re.DOTALL)


def split_events(array: bytes) -> list[bytes]:
    """The text of each element of a JSON array. Raises InvalidInput if their boundaries cannot be found."""
    try:
        return [bytes(event) for event in _whole.decode(array)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        found = _split_by_brackets(array.removeprefix(_BYTE_ORDER_MARK).strip())
        if found is None:
            raise InvalidInput(f"no JSON array of events: {error}", "$") from error
        return found


def _split_by_brackets(array: bytes) -> list[bytes] | None:
    """Split at commas outside of strings and brackets; None if that is impossible.

    Python's producers write NaN, which is not JSON, and a text that was cut may contain half a character.
    """
    if not array.startswith(b"["):
        return None
    result: list[bytes] = []
    depth, begin = 0, 1
    for token in _TOKEN.finditer(array):
        sign = token[0]
        if sign in (b"[", b"{"):
            depth += 1
        elif sign in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                last = array[begin : token.start()].strip()
                whole = sign == b"]" and token.end() == len(array)
                return [*result, *([last] if last or result else [])] if whole else None
        elif sign == b"," and depth == 1:
            result.append(array[begin : token.start()].strip())
            begin = token.end()
    return None


MAX_DOCUMENT = 256 * 2**20  # bytes, unpacked, of a line, and of a file that is one JSON value
MAX_UNPACKED = 16 * 2**30  # bytes of one compressed file
SUFFIXES = (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz")
STDIN = "-"

_GZIP = b"\x1f\x8b"

Found: TypeAlias = tuple[str, bytes] | InvalidInput  # (file:line or file[index], event), or the error of what cannot be read


def list_files(paths: Sequence[str]) -> list[str]:
    """The files of these paths: a folder gives its event files, sorted by name; any other path stays as given."""
    result: list[str] = []
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            result += sorted(str(file) for file in Path(path).rglob("*") if file.is_file() and file.name.endswith(SUFFIXES))
        else:
            result.append(path)
    return result


def read_events(paths: Sequence[str]) -> Iterator[Found]:
    """Every event in these files and folders. Never raises for a file: its error is yielded as an `InvalidInput`."""
    for path in list_files(paths):
        yield from _read_file(path)


def _read_file(path: str) -> Iterator[Found]:
    name = "<stdin>" if path == STDIN else path
    try:
        if path == STDIN:
            with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
                yield from _read_stream(stream, name)
        else:
            with Path(path).open("rb") as file:
                yield from _read_stream(file, name)
    except (OSError, EOFError, zlib.error) as error:
        yield InvalidInput(f"cannot be read: {getattr(error, 'strerror', None) or error}", name)


def _read_stream(stream: BufferedReader, name: str) -> Iterator[Found]:
    if stream.peek(2)[:2] == _GZIP:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield from _read_text(BufferedReader(unpacked), name)
    else:
        yield from _read_text(stream, name)


def _read_text(stream: BinaryIO, name: str) -> Iterator[Found]:
    """Each line that is JSON by itself is an event; if the first line is not, the file is read as one document."""
    lines = _read_lines(stream, name)
    for number, line in lines:
        if isinstance(line, InvalidInput):
            yield line
            return
        if not line:
            continue
        if line.startswith(b"[") or not _is_json(line):
            yield from _read_document(number, line, lines, name)
            return
        yield f"{name}:{number}", line
        break
    yield from _list_events(lines, name)


def _list_events(lines: Iterable[tuple[int, bytes | InvalidInput]], name: str) -> Iterator[Found]:
    for number, line in lines:
        if isinstance(line, InvalidInput):
            yield line
        elif line:
            yield f"{name}:{number}", line


def _read_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes | InvalidInput]]:
    """Stripped lines, numbered from 1. Ends with an error at a line above MAX_DOCUMENT or a sum of lines above MAX_UNPACKED bytes."""
    total, number = 0, 0
    while line := stream.readline(MAX_DOCUMENT + 1):
        number += 1
        total += len(line)
        if len(line) > MAX_DOCUMENT or total > MAX_UNPACKED:
            limit = MAX_DOCUMENT if len(line) > MAX_DOCUMENT else MAX_UNPACKED
            yield number, InvalidInput(f"more than {limit} bytes; the rest of the file is left out", f"{name}:{number}")
            return
        yield number, line.removeprefix(b"\xef\xbb\xbf").strip()


def _read_document(number: int, first: bytes, rest: Iterable[tuple[int, bytes | InvalidInput]], name: str) -> Iterator[Found]:
    """Events of a file that is one JSON value over many lines; if it is not, of a file of lines of which the first is broken."""
    read: list[tuple[int, bytes]] = [(number, first)]
    size = len(first)
    for at, line in rest:
        if isinstance(line, InvalidInput):
            yield line
            return
        if len(read) == 1 and not first.startswith(b"[") and line.startswith(b"{") and _is_json(line):
            yield f"{name}:{number}", first  # lines of events, the first one broken
            yield f"{name}:{at}", line
            yield from _list_events(rest, name)
            return
        read.append((at, line))
        size += len(line)
        if size > MAX_DOCUMENT:
            yield InvalidInput(f"one JSON value of more than {MAX_DOCUMENT} bytes; put one event on each line instead (ndjson)", name)
            return
    whole = b"\n".join(line for _, line in read)
    if whole.startswith(b"["):
        try:
            bodies = split_events(whole)
        except InvalidInput:
            yield from _list_events(read, name)
        else:
            yield from ((f"{name}[{index}]", body) for index, body in enumerate(bodies))
    elif _is_json(whole):
        yield f"{name}:{number}", whole
    else:
        yield from _list_events(read, name)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
