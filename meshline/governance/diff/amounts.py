"""Service levels as amounts that can be compared: `60 min` is `1h`, `unlimited` is more than anything."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import NamedTuple

from meshline.governance.diff.draft import folded
from meshline.graph.promises import Level

_UNLIMITED = frozenset({"unlimited", "forever", "indefinite", "indefinitely", "infinite", "permanent"})
_NUMBER = re.compile(
    r"(?:<=|>=|<|>|=|≤|≥|~)?\s*(?P<number>-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(?P<unit>(?:[a-zµ]+(?:(?:/| per )[a-zµ]+)?)?)"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = 365 * 86_400
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


class Amount(NamedTuple):
    """`unit`: s of a length of time, % of a share, `date`, else in the level's own words. Amounts of one unit can be compared."""

    number: float
    unit: str


def amount(level: Level) -> Amount | None:
    """What a level amounts to; None if its text is no amount."""
    text = folded(level.text).casefold()
    if text in _UNLIMITED:
        return Amount(math.inf, "s")
    if level.seconds is not None:
        return Amount(level.seconds, "s")
    if level.ratio is not None:
        return Amount(level.ratio, "%")
    if day := _day(text):
        return Amount(day, "date")
    found = _NUMBER.fullmatch(text)
    return Amount(float(found["number"]), found["unit"]) if found else None


def normal(level: Level) -> str:
    """A level in one spelling: `1d 12h`, `99.9%`, `2027-01-31`."""
    found = amount(level)
    if found is None or found.unit == "date":
        return folded(level.text)
    if math.isinf(found.number):
        return "unlimited"
    if found.unit == "s":
        return _span(found.number)
    if found.unit == "%":
        return f"{found.number * 100:.10g}%"
    return f"{found.number:.15g} {found.unit}".strip()


def _day(text: str) -> int | None:
    try:
        return dt.date.fromisoformat(text[:10]).toordinal() if _DATE.match(text) else None
    except ValueError:
        return None


def _span(seconds: float) -> str:
    if seconds and seconds % _YEAR == 0:
        return f"{seconds / _YEAR:.0f}y"
    parts, left = [], seconds
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count:.0f}{unit}")
    if left or not parts:
        parts.append(f"{left:.6g}s")
    return " ".join(parts)
