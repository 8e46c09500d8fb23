"""The files that a check is given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from meshline.errors import InvalidInput
from meshline.ingest.changes.base import Given, Text
from meshline.ingest.documents import text_of
from meshline.ingest.sources.files import read_bytes

MAX_BYTES = 256 * 2**20  # a dbt manifest may be large
MANIFEST = "manifest.json"
STDIN = "-"


def versions(kind: str, old: str, new: str | None, options: Mapping[str, str] | None = None, *, inside: str = "") -> Given:
    """Two versions of a thing; or one, to be compared with what the graph knows. `inside`: the file that is meant by a folder."""
    if new is None:
        return alone(kind, old, options, inside=inside)
    if old == new == STDIN:
        raise InvalidInput("both versions cannot come from standard input", STDIN)
    return Given(kind, _text(old, inside), _text(new, inside), options or {})


def alone(kind: str, name: str, options: Mapping[str, str] | None = None, *, inside: str = "") -> Given:
    """One version of a thing."""
    return Given(kind, None, _text(name, inside), options or {})


def beside(name: str, other: str) -> str | None:
    """The text of another file in the folder, or beside the file, that is given; None if there is none."""
    path = Path(name)
    file = (path if path.is_dir() else path.parent) / other
    return text_of(read_bytes(file, MAX_BYTES), str(file)) if name != STDIN and file.is_file() else None


def chosen(**options: str | None) -> dict[str, str]:
    """The options that were given."""
    return {name: str(value) for name, value in options.items() if value is not None}


def _text(name: str, inside: str) -> Text:
    if name == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"it has more than {MAX_BYTES} bytes", "standard input")
        return Text("standard input", data)
    path = Path(name)
    if inside and path.is_dir():
        path /= inside
    return Text(str(path), read_bytes(path, MAX_BYTES))
