"""Durations, ratios and frequencies as people write them (`1h`, `P1D`, `99.9%`, `nightly`), parsed into seconds and ratios."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from meshline.graph.model import Json


class Measure(NamedTuple):
    """An amount as it was written, with `seconds` if it is a duration and `ratio` (1 = 100 %) if it is a share; otherwise both are None."""

    text: str
    seconds: float | None = None
    ratio: float | None = None


def parse_measure(text: str) -> Measure:
    """Parse a duration or a percentage. A leading comparison (`>= 99.9%`, `< 1h`) is ignored."""
    return Measure(text, parse_duration(text), parse_ratio(text))


def convert_measure(value: Json) -> Measure | None:
    """The amount in an attribute of an asset: a text, a number, or a mapping with `text`, `seconds` and `ratio`. None for other shapes."""
    if isinstance(value, Mapping):
        text = value.get("text")
        if not isinstance(text, str):
            return None
        known = parse_measure(text)
        return Measure(text, _number(value.get("seconds"), known.seconds), _number(value.get("ratio"), known.ratio))
    return parse_measure(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def parse_duration(text: str) -> float | None:
    """The seconds of a duration: `1h`, `25 hours`, `1d 12h`, `P1DT12H` (ISO 8601), `hourly`. A month has 30 days, a year 365.

    None if the text is no duration.
    """
    plain = _COMPARISON.sub("", text.strip())
    if plain.lower() in _WORDS:
        return _WORDS[plain.lower()]
    if iso := _ISO.fullmatch(plain):
        parts = iso.groupdict()
        known = [float(Decimal(parts[name].replace(",", "."))) * length for name, length in _ISO_PARTS.items() if parts[name]]
        return sum(known) if known else None
    total, end = 0.0, 0
    for part in _PART.finditer(plain):
        length = find_unit_length(part["unit"])
        if length is None or part.start() != end:
            return None
        total, end = total + float(part["number"]) * length, part.end()
    return total if end and end == len(plain) else None


def find_unit_length(unit: str) -> float | None:
    """The seconds of a unit of time: `h`, `hours`, `d`, `mo`, ...; `m` is a minute. None if the unit is unknown."""
    name = unit.strip().lower()
    return _UNITS.get(name, _UNITS.get(name.removesuffix("s")))


def parse_ratio(text: str) -> float | None:
    """The ratio of a percentage: 0.999 for `99.9%`. None if the text is no percentage."""
    found = _PERCENT.fullmatch(_COMPARISON.sub("", text.strip()))
    if found is None:
        return None
    try:
        return float(Decimal(found["number"].replace(",", ".")) / 100)
    except InvalidOperation:
        return None


def _number(value: Json, otherwise: float | None) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


_COMPARISON = re.compile(r"^(<=|>=|<|>|=|≤|≥|~)\s*")
_NUMBER = r"[0-9]{1,12}(?:[.,][0-9]{1,12})?"
_PERCENT = re.compile(rf"(?P<number>{_NUMBER})\s*(%|percent)", re.IGNORECASE)
_PART = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(?P<unit>[A-Za-zµ]{1,12})(?:\s*,?\s+|\s*)")
_ISO = re.compile(
    rf"P(?:(?P<y>{_NUMBER})Y)?(?:(?P<mo>{_NUMBER})M)?(?:(?P<w>{_NUMBER})W)?(?:(?P<d>{_NUMBER})D)?"
    rf"(?:T(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?",
    re.IGNORECASE,
)
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_ISO_PARTS = {"y": 365 * _DAY, "mo": 30 * _DAY, "w": 7 * _DAY, "d": _DAY, "h": _HOUR, "m": _MINUTE, "s": 1.0}
_UNITS = {
    **dict.fromkeys(("ms", "milli", "millisecond"), 0.001),
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), _MINUTE),
    **dict.fromkeys(("h", "hr", "hour"), _HOUR),
    **dict.fromkeys(("d", "day"), _DAY),
    **dict.fromkeys(("w", "wk", "week"), 7 * _DAY),
    **dict.fromkeys(("mo", "mon", "month"), 30 * _DAY),
    **dict.fromkeys(("q", "quarter"), 91 * _DAY),
    **dict.fromkeys(("y", "yr", "year"), 365 * _DAY),
}
_WORDS = {
    "minutely": _MINUTE,
    "hourly": _HOUR,
    "daily": _DAY,
    "weekly": 7 * _DAY,
    "monthly": 30 * _DAY,
    "quarterly": 91 * _DAY,
    "yearly": 365 * _DAY,
    "annually": 365 * _DAY,
}


_AT_ONCE = re.compile(r"\b(stream(ing|ed|s)?|cdc|real[- ]?time|continuous(ly)?)\b")
_CADENCES = {
    "nightly": _DAY,
    "every night": _DAY,
    "every day": _DAY,
    "every hour": 3_600.0,
    "every minute": 60.0,
    "every week": 7 * _DAY,
}
_EVERY = re.compile(r"(?:every|each)\s+(?P<length>.+)")
_LENGTH_UNITS = (("d", _DAY), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))


def parse_cadence(text: str) -> float | None:
    """The longest time between two updates, in seconds: `nightly`, `every 2 hours`. 0 for streams; None if the text gives no time."""
    plain = " ".join(text.strip().lower().split())
    if not plain:
        return None
    if _AT_ONCE.search(plain):
        return 0.0
    if plain in _CADENCES:
        return _CADENCES[plain]
    every = _EVERY.fullmatch(plain)
    return parse_duration(every["length"] if every else plain)


def format_duration(seconds: float) -> str:
    """A duration as text, with its two largest units that are not zero: `1d 1h`, `5min`, `0s`."""
    left, parts = seconds, []
    for unit, size in _LENGTH_UNITS:
        number = int(left // size)
        if number:
            parts.append(f"{number}{unit}")
            left -= number * size
    return " ".join(parts[:2]) or f"{seconds:g}s"
