"""How often something is renewed, as people write it (`nightly`, `streaming CDC`, `every 5 minutes`) -> seconds; and back to words."""

from __future__ import annotations

import re

from meshline.graph import measures

_DAY = 86_400.0
_AT_ONCE = re.compile(r"\b(stream(ing|ed|s)?|cdc|real[- ]?time|continuous(ly)?)\b")
_WORDS = {"nightly": _DAY, "every night": _DAY, "every day": _DAY, "every hour": 3_600.0, "every minute": 60.0, "every week": 7 * _DAY}
_EVERY = re.compile(r"(?:every|each)\s+(?P<length>.+)")
_UNITS = (("d", _DAY), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))


def cadence(text: str) -> float | None:
    """The longest time between two renewals; 0: as it comes; None: it does not say."""
    plain = " ".join(text.strip().lower().split())
    if not plain:
        return None
    if _AT_ONCE.search(plain):
        return 0.0
    if plain in _WORDS:
        return _WORDS[plain]
    every = _EVERY.fullmatch(plain)
    return measures.seconds(every["length"] if every else plain)


def length(seconds: float) -> str:
    """`1d 1h`, `5min`, `0s`: the two largest units that are not nothing."""
    left, parts = seconds, []
    for unit, size in _UNITS:
        number = int(left // size)
        if number:
            parts.append(f"{number}{unit}")
            left -= number * size
    return " ".join(parts[:2]) or f"{seconds:g}s"
