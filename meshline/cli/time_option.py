"""Times as a person types them: one set of spellings for every option that takes a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

ACCEPTED = (
    "a date (2026-03-07), a time (2026-03-07T08:30, 2026-03-07T08:30:00+01:00, 2026-03-07T00:00Z; UTC unless it has a zone), now,"
    " today, yesterday, or how long ago (7d; w, d, h, m and s)"
)
HELP = "A date, a time (UTC unless it has a zone), `yesterday`, or how long ago: 7d, 12h."

_AGO = re.compile(r"([0-9]{1,6})\s*([wdhms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DAYS = {"today": 0, "yesterday": 1}


def parse_time(text: str) -> datetime:
    """A time with a zone. Raises BadParameter that says what is accepted."""
    return time_of(text, datetime.now(UTC))


def time_of(text: str, now: datetime) -> datetime:
    """The same as of a given now."""
    word = text.strip().lower()
    if word == "now":
        return now
    try:
        if word in _DAYS:
            return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=_DAYS[word])
        if ago := _AGO.fullmatch(word):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time; accepted are {ACCEPTED}") from None
