"""Java's properties files."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE = re.compile(r"\s*((?:\\.|[^\\:=\s])*)\s*[:=]?\s*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPECIAL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, key, value) of a Java properties file."""
    joined, begun = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.lstrip()
        if not joined and stripped[:1] in ("", "#", "!"):
            continue
        begun = begun if joined else number
        joined += stripped
        if (len(joined) - len(joined.rstrip("\\"))) % 2:  # the property continues on the next line
            joined = joined[:-1]
            continue
        yield _parse_property(begun, joined)
        joined = ""
    if joined:
        yield _parse_property(begun, joined)


def _parse_property(number: int, line: str) -> tuple[int, str, str]:
    match = _LINE.fullmatch(line)
    assert match is not None  # any text is a key, at least
    return number, _unescape(match[1]), _unescape(match[2])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1][1:], 16)) if len(match[1]) == 5 else _SPECIAL.get(match[1], match[1]), text)
