"""Text for people: counted nouns, text that is safe to show, times, and suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def make_printable(text: str) -> str:
    """The text with control characters replaced: a name must not control the terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def shorten_text(text: str, limit: int) -> str:
    """The printable text, cut to at most `limit` characters."""
    text = make_printable(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def join_names(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def format_time(time: datetime) -> str:
    """A time in UTC, as exact as needed: `2026-03-08`, `2026-03-08T09:30Z`, `2026-03-08T09:30:05Z`."""
    time = time.astimezone(UTC)
    if time == time.replace(hour=0, minute=0, second=0, microsecond=0):
        return time.strftime("%Y-%m-%d")
    exactness = "minutes" if not (time.second or time.microsecond) else "seconds" if not time.microsecond else "microseconds"
    return time.replace(tzinfo=None).isoformat(timespec=exactness) + "Z"


def format_count(number: int, noun: str) -> str:
    """`1 dataset`, `2 datasets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def has_or_have(number: int) -> str:
    return "has" if number == 1 else "have"


def is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"


def suggest_closest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the most similar known name, else an empty text."""
    found = difflib.get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def format_caller(name: str, shown: str | None) -> str:
    """A caller for people: its name, which is its alone, behind the one that people know, if there is one."""
    return f"{shown} ({name})" if shown and shown != name else name
