"""The order of versions as people write them."""

from __future__ import annotations

import re


def version_order(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[int, str], ...], str]:
    """A sort key: 1.10.0 is newer than 1.9.0, 2.0.0 than 2.0.0-rc.1; `v` in front has no meaning."""
    core, dash, rest = version.strip().lower().removeprefix("v").partition("+")[0].partition("-")
    found = _NUMBERS.match(core)
    numbers = tuple(int(part) for part in found[0].split(".")) if found else ()
    rest = rest if dash else core[found.end() :] if found else core
    pieces = tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in _PIECES.findall(rest)[:20])
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers, not pieces, pieces, version


def major(version: str) -> int:
    """The first number of a version; 0 if it has none."""
    return next(iter(version_order(version)[0]), 0)


_NUMBERS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,9}")
_PIECES = re.compile(r"[0-9]{1,9}|[a-z]+")
