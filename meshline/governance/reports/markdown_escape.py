"""Texts in Markdown that stay texts: names are data, and must become neither markup, nor links, nor calls to people."""

from __future__ import annotations

import re

from meshline.words import printable

_MARKUP = re.compile(r"[\\`*_<>\[\]#|~&$!]")
_CALLS = re.compile(r"([@#]|://|www)")  # people, issues, addresses
_APART = "\N{ZERO WIDTH SPACE}"
_BACKTICKS = re.compile("`+")
_PIPE = re.compile(r"(\\*)\|")


def code(text: str) -> str:
    """A name as code."""
    text = printable(text) or " "
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    room = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{room}{text}{room}{fence}"


def prose(text: str) -> str:
    """A sentence, in which `names` stand in backticks."""
    parts = printable(text).split("`")
    if len(parts) % 2 == 0:
        return _inert("`".join(parts))
    return "".join(_inert(part) if place % 2 == 0 else code(part) for place, part in enumerate(parts))


def _inert(text: str) -> str:
    return _CALLS.sub(lambda found: f"{found[1]}{_APART}", _MARKUP.sub(lambda found: f"\\{found[0]}", text))


def row(*cells: str) -> str:
    """A row of a table, of cells that are inert already: no pipe in them ends a cell."""
    return f"| {' | '.join(_PIPE.sub(_escaped, cell) for cell in cells)} |"


def _escaped(found: re.Match[str]) -> str:
    """An odd number of backslashes before the pipe."""
    return f"{found[1]}|" if len(found[1]) % 2 else f"{found[1]}\\|"
