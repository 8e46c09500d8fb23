"""Durations and ratios as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.graph.contracts import parse_version
from meshline.graph.durations import Measure, convert_measure, parse_duration, parse_measure
from meshline.graph.model import Json

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h", HOUR),
        ("25 hours", 25 * HOUR),
        ("1h30m", HOUR + 30 * MINUTE),
        ("1 day, 12 hours", 36 * HOUR),
        ("5m", 5 * MINUTE),
        ("500ms", 0.5),
        ("1.5 d", 36 * HOUR),
        ("3 y", 3 * 365 * DAY),
        ("2 months", 60 * DAY),
        ("< 1h", HOUR),
        ("≤ 15 min", 15 * MINUTE),
        ("PT5M", 5 * MINUTE),
        ("P1Y", 365 * DAY),
        ("P3M", 90 * DAY),
        ("P1DT12H", 36 * HOUR),
        ("hourly", HOUR),
        ("Daily", DAY),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert parse_measure(text) == Measure(text, expected, None)


@pytest.mark.parametrize(("text", "expected"), [("99.9%", 0.999), ("99.99 %", 0.9999), (">= 99,5%", 0.995), ("100 percent", 1.0)])
def test_ratios(text: str, expected: float) -> None:
    assert parse_measure(text) == Measure(text, None, expected)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "h", "12", "1h ago", "09:00-08:00", "2022-05-12T09:30:10-08:00", "unlimited", "%", "9am to 5pm"]
)
def test_what_is_neither(text: str) -> None:
    assert parse_measure(text) == Measure(text)


@given(st.text(max_size=60))
def test_any_text_is_measured_or_not(text: str) -> None:
    found = parse_measure(text)
    assert found.text == text
    assert found.seconds is None or found.ratio is None


@given(st.integers(0, 10_000), st.sampled_from(["s", "m", "h", "d", "w"]))
def test_units_agree_with_their_names(number: int, unit: str) -> None:
    names = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    assert parse_duration(f"{number}{unit}") == parse_duration(f"{number} {names[unit]}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1h", Measure("1h", HOUR)),
        ({"text": "1h", "seconds": 3600.0}, Measure("1h", HOUR)),
        ({"text": "soon", "seconds": 60}, Measure("soon", 60)),
        ({"text": "99%"}, Measure("99%", None, 0.99)),
        (5, Measure("5")),
        (True, None),
        ({"seconds": 5}, None),
        (None, None),
    ],
)
def test_the_measure_of_an_attribute(value: Json, expected: Measure | None) -> None:
    assert convert_measure(value) == expected


def test_versions_are_ordered_by_number() -> None:
    ordered = ["", "1.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0-rc.10", "2.0.0", "v2.0.1", "3", "2024-01-02"]
    backwards = ordered[::-1]
    assert sorted(backwards, key=parse_version) == ordered


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_versions_have_an_order(a: str, b: str) -> None:
    assert (parse_version(a) < parse_version(b)) != (parse_version(b) <= parse_version(a))
