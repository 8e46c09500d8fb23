"""The arguments and options that several commands have, and times as a person types them."""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

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
    return parse_time_at(text, datetime.now(UTC))


def parse_time_at(text: str, now: datetime) -> datetime:
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


class KindName(enum.StrEnum):
    """Kinds of assets, as a person types them. The schema's names are in upper case."""

    DOMAIN = "domain"
    DATA_PRODUCT = "product"
    DATASET = "dataset"
    COLUMN = "column"
    JOB = "job"
    CONSUMER = "consumer"
    OWNER = "owner"
    CONTRACT = "contract"


class TextFormat(enum.StrEnum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Where the graph is kept: sqlite:///file.db or neo4j://user:password@host."
        " [default: MESHLINE_STORE, else sqlite:///meshline.db in the current directory]",
        show_default=False,
        metavar="URL",
    ),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="The settings file. [default: MESHLINE_CONFIG, else meshline.toml in the current directory if it is there]",
        show_default=False,
        metavar="FILE",
    ),
]
Server: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Ask this running meshline instead of opening a store; with the token in MESHLINE_TOKEN, or in the file MESHLINE_TOKEN_FILE.",
        show_default=False,
        metavar="URL",
    ),
]
Asset: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="An id, namespace/name, any alias, dataset.column, or the end of one of these that no other asset has.", metavar="ASSET"
    ),
]
Assets: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        help="An id, namespace/name, any alias, dataset.column, or the end of one of these that no other asset has.", metavar="ASSET..."
    ),
]
AsOf: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        help=f"Answer as of a time. {HELP}",
        parser=parse_time,
        metavar="TIME",
        show_default=False,
    ),
]
Depth: TypeAlias = Annotated[int | None, typer.Option(min=0, help="How many steps to go at most.", show_default=False)]
Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Stop at the first refusal, before anything is written.")]


Limit: TypeAlias = Annotated[int, typer.Option(min=1, max=1000, help="How many to show at most.")]
Kinds: TypeAlias = Annotated[
    list[KindName] | None,
    typer.Option("--kind", help="Only assets of this kind; may be repeated.", case_sensitive=False, show_default=False),
]


class ReachName(enum.StrEnum):
    """The weakest class of lineage to follow."""

    DIRECT = "direct"
    INDIRECT = "indirect"
    POSSIBLE = "possible"


Reach: TypeAlias = Annotated[
    ReachName,
    typer.Option(help="The weakest lineage to follow: values (direct), filters and joins too (indirect), or all.", case_sensitive=False),
]


ListFormat: TypeAlias = Annotated[TextFormat, typer.Option("--format", help="text for people, json for programs.")]


def get_kind_names(kinds: list[KindName] | None) -> list[str] | None:
    """Kinds as the schema names them."""
    return [kind.name for kind in kinds] if kinds else None


def format_iso_time(time: datetime | None) -> str | None:
    """A time as GraphQL takes it."""
    return None if time is None else time.isoformat()
