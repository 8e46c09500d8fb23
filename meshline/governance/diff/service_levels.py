"""Changes of service levels: what a level is about decides which direction is the stricter promise.

Levels are compared as amounts: `60 min` is `1h`, `unlimited` is more than anything.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from meshline.governance.changes import Change, ChangeBuilder, fold_text
from meshline.graph.contracts import Level
from meshline.graph.model import AssetKey

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


def parse_amount(level: Level) -> Amount | None:
    """What a level amounts to; None if its text is no amount."""
    text = fold_text(level.text).casefold()
    if text in _UNLIMITED:
        return Amount(math.inf, "s")
    if level.seconds is not None:
        return Amount(level.seconds, "s")
    if level.ratio is not None:
        return Amount(level.ratio, "%")
    if day := _parse_day(text):
        return Amount(day, "date")
    found = _NUMBER.fullmatch(text)
    return Amount(float(found["number"]), found["unit"]) if found else None


def normalize_level(level: Level) -> str:
    """A level in one spelling: `1d 12h`, `99.9%`, `2027-01-31`."""
    found = parse_amount(level)
    if found is None or found.unit == "date":
        return fold_text(level.text)
    if math.isinf(found.number):
        return "unlimited"
    if found.unit == "s":
        return _format_span(found.number)
    if found.unit == "%":
        return f"{found.number * 100:.10g}%"
    return f"{found.number:.15g} {found.unit}".strip()


def _parse_day(text: str) -> int | None:
    try:
        return dt.date.fromisoformat(text[:10]).toordinal() if _DATE.match(text) else None
    except ValueError:
        return None


def _format_span(seconds: float) -> str:
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


_Key: TypeAlias = tuple[str, str]  # name, element


class Tighter(enum.Enum):
    """Which amount is the stricter promise."""

    SMALLER = "smaller"
    LARGER = "larger"


# Words in the name of a level that decide which direction is stricter; the sets are tried in this order.
_KEPT = frozenset({"retention", "history"})
_FAILURES = frozenset(
    ["error", "errors", "failure", "failures", "duplicate", "duplicates", "null", "nulls", "missing", "loss", "invalid", "downtime"]
)
_DELAYS = frozenset(
    [
        "freshness",
        "latency",
        "delay",
        "lag",
        "age",
        "staleness",
        "timeliness",
        "response",
        "recovery",
        "interval",
        "frequency",
        "backup",
        "refresh",
        "cadence",
        "detect",
        "notify",
        "repair",
        "resolve",
        "resolution",
        "rpo",
        "rto",
    ]
)
_GOODS = frozenset(
    [
        "availability",
        "uptime",
        "completeness",
        "accuracy",
        "validity",
        "uniqueness",
        "consistency",
        "coverage",
        "throughput",
        "quality",
        "conformity",
        "precision",
        "recall",
        "success",
        "support",
        "life",
        "notice",
    ]
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def compare_levels(
    draft: ChangeBuilder, before: Iterable[Level], after: Iterable[Level], *, assets: Iterable[AssetKey] | None = None
) -> Iterator[Change]:
    """A level is the same one by its name and what it is about; of several, by its driver. `assets`: what the levels are of, if not
    the whole subject. What was promised of an element and is promised of all after is still promised of the element.
    """
    affected = None if assets is None else tuple(assets)
    for was, now in _match_levels(_group_levels(before), _group_levels(after)):
        one = was or now
        assert one is not None
        if rule := _decide_rule(was, now):
            part = ("slo", one.name, *filter(None, (one.element,)))
            values = [normalize_level(level) if level else None for level in (was, now)]
            yield draft.build_change(rule, part, *values, assets=affected, slo=_format_level(one), element=one.element or None)


def find_direction(level: Level, of: Amount) -> Tighter | None:
    """Which amount would be the stricter promise; None if neither the name of the level nor a comparison in it decides."""
    words = set(_split_words(level.name))
    if words & _KEPT:
        return Tighter.LARGER
    if words & _FAILURES:
        return Tighter.SMALLER
    if words & _DELAYS:
        return Tighter.LARGER if of.unit == "%" else Tighter.SMALLER  # the share of what comes in time
    if {"general", "availability"} <= words and of.unit == "date":
        return Tighter.SMALLER  # available from that day on
    if words & _GOODS:
        return Tighter.LARGER
    text = level.text.lstrip()
    return Tighter.LARGER if text.startswith((">", "≥")) else Tighter.SMALLER if text.startswith(("<", "≤")) else None


def _decide_rule(was: Level | None, now: Level | None) -> str | None:
    if was is None or now is None:
        return "slo-added" if was is None else "slo-removed"
    old, new = parse_amount(was), parse_amount(now)
    if old is None or new is None or old.unit != new.unit:
        return None if normalize_level(was).casefold() == normalize_level(now).casefold() else "slo-changed"
    tighter = find_direction(was, old)
    if old.number == new.number or tighter is None:
        return None if old.number == new.number else "slo-changed"
    stricter = (new.number > old.number) is (tighter is Tighter.LARGER)
    if _KEPT.isdisjoint(_split_words(was.name)):
        return "slo-tightened" if stricter else "slo-loosened"
    return "retention-lengthened" if stricter else "retention-shortened"


def _group_levels(levels: Iterable[Level]) -> dict[_Key, list[Level]]:
    """By name and element. One about several elements is one for each."""
    found: dict[_Key, dict[tuple[str, str], Level]] = {}
    for level in levels:
        for element in _split_elements(level):
            one = Level(level.name, level.text, level.seconds, level.ratio, element, driver=fold_text(level.driver).casefold())
            found.setdefault((_normalize_name(one.name), element), {})[normalize_level(one).casefold(), one.driver] = one
    return {key: [same[key_] for key_ in sorted(same)] for key, same in found.items()}


def _match_levels(old: dict[_Key, list[Level]], new: dict[_Key, list[Level]]) -> Iterator[tuple[Level | None, Level | None]]:
    for key in sorted(old.keys() | new.keys()):
        gone, own = list(old.get(key, ())), new.get(key)
        added = list(new.get((key[0], ""), ()) if own is None else own)
        for alike in (_get_text, _get_driver):
            for was in tuple(gone):
                same = [now for now in added if alike(now) == alike(was)]
                if len(same) == 1:
                    yield was, same[0]
                    gone.remove(was)
                    added.remove(same[0])
        if len(gone) == len(added) == 1:
            yield gone[0], added[0]
            continue
        yield from ((was, None) for was in gone)
        yield from ((None, now) for now in added if own is not None)


def _get_text(level: Level) -> str:
    return normalize_level(level).casefold()


def _get_driver(level: Level) -> str:
    return level.driver


def _split_elements(level: Level) -> list[str]:
    return sorted({fold_text(part) for part in level.element.split(",")})


def _normalize_name(name: str) -> str:
    """`responseTime`, `response-time` and `response_time` are one name."""
    return "_".join(_split_words(name)) or fold_text(name).casefold()


def _split_words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _format_level(level: Level) -> str:
    return f"{level.name} of {level.element}" if level.element else level.name
