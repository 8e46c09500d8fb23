"""Java's properties files, as `java.util.Properties.load` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from meshline.ingest.documents import join_surrogates

_END = re.compile(r"\r\n?|\n")
_SPACE = " \t\f"  # other spaces, such as U+00A0, belong to keys and values
_LINE = re.compile(rf"((?:\\.|[^\\:={_SPACE}])*)[{_SPACE}]*[:=]?[{_SPACE}]*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPECIAL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str, file: str) -> Iterator[tuple[int, str, str]]:
    """(line, key, value) of a Java properties file. Raises InvalidInput with `file:line`."""
    joined, begun = "", 0
    for number, line in enumerate(_END.split(text), start=1):
        stripped = line.lstrip(_SPACE)
        if not joined and stripped[:1] in ("", "#", "!"):
            continue
        begun = begun if joined else number
        joined += stripped
        if (len(joined) - len(joined.rstrip("\\"))) % 2:  # the property continues on the next line
            joined = joined[:-1]
            continue
        yield _parse_property(begun, joined, file)
        joined = ""
    if joined:
        yield _parse_property(begun, joined, file)


def _parse_property(number: int, line: str, file: str) -> tuple[int, str, str]:
    match = _LINE.fullmatch(line)
    assert match is not None  # any text is a key, at least
    place = f"{file}:{number}"
    return number, _unescape(match[1], place), _unescape(match[2], place)


def _unescape(text: str, place: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda match: chr(int(match[1][1:], 16)) if len(match[1]) == 5 else _SPECIAL.get(match[1], match[1]), text)
    return join_surrogates(plain, place)
