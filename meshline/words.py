"""Counted nouns, and texts that are safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text without control characters: a name must not steer the terminal."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def short(text: str, most: int) -> str:
    """A printable text of at most so many characters."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def counted(number: int, noun: str) -> str:
    """`1 dataset`, `2 datasets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def has(number: int) -> str:
    return "has" if number == 1 else "have"


def is_(number: int) -> str:
    return "is" if number == 1 else "are"
