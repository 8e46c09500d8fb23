"""Arguments and options of several commands, and the parser of times on the command line."""

from __future__ import annotations

import enum
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from meshline.cli.completion import complete_asset

ACCEPTED = (
    "a date (2026-03-07), a time (2026-03-07T08:30, 2026-03-07T08:30:00+01:00, 2026-03-07T00:00Z; UTC unless it has a zone), now,"
    " today, yesterday, or how long ago (7d; w, d, h, m and s)"
)
NAMES = "An id, namespace/name, any alias, dataset.column, or a unique end of one of these."
HELP = "A date, a time (UTC unless it has a zone), `yesterday`, or how long ago: 7d, 12h."

_AGO = re.compile(r"([0-9]{1,6})\s*([wdhms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DAYS = {"today": 0, "yesterday": 1}


def parse_time(text: str) -> datetime:
    """A time with a time zone. Raises BadParameter, with the accepted forms."""
    return parse_time_at(text, datetime.now(UTC))


def parse_time_at(text: str, now: datetime) -> datetime:
    """The same for a given current time."""
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
    """Kinds of assets on the command line. The names in the schema are in upper case."""

    DOMAIN = "domain"
    DATA_PRODUCT = "product"
    DATASET = "dataset"
    COLUMN = "column"
    JOB = "job"
    CONSUMER = "consumer"
    OWNER = "owner"
    CONTRACT = "contract"


class TextFormat(enum.StrEnum):
    """The formats of a list."""

    TEXT = "text"
    JSON = "json"


Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The store of the graph: sqlite:///file.db or neo4j://user:password@host."
        " [default: MESHLINE_STORE, else sqlite:///meshline.db in the current directory]",
        show_default=False,
        metavar="URL",
    ),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="The settings file. [default: MESHLINE_CONFIG, else meshline.toml in the current directory if it exists]",
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
    typer.Argument(help=NAMES, metavar="ASSET", autocompletion=complete_asset),
]
Assets: TypeAlias = Annotated[
    list[str],
    typer.Argument(help=NAMES, metavar="ASSET...", autocompletion=complete_asset),
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
SeenSince: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        help=f"Follow only flows that were stated at or after this time. {HELP}",
        parser=parse_time,
        metavar="TIME",
        show_default=False,
    ),
]
Depth: TypeAlias = Annotated[int | None, typer.Option(min=0, help="Maximum number of steps.", show_default=False)]
Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Stop at the first refusal, before anything is written.")]


Limit: TypeAlias = Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of entries.")]
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


By: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Who states it. [default: for a store, the user; for a server, the name of the token]", show_default=False, metavar="NAME"
    ),
]


class GroupName(enum.StrEnum):
    """What the assets of an answer are grouped by."""

    DOMAIN = "domain"
    OWNER = "owner"
    PRODUCT = "product"
    KIND = "kind"


GroupBy: TypeAlias = Annotated[
    GroupName | None,
    typer.Option(help="Group the assets of the answer by this; an asset with two owners is in both groups.", show_default=False),
]
ListFormat: TypeAlias = Annotated[TextFormat, typer.Option("--format", help="text for people, json for programs.")]


OwnerOfRole: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--owner", help="The owner that a role or user means; may be repeated.", show_default=False, metavar="ROLE=OWNER"),
]


def parse_owners(given: list[str] | None) -> dict[str, str]:
    """The values of `--owner`. Raises InvalidInput."""
    from meshline.errors import InvalidInput

    found = dict(one.partition("=")[::2] for one in given or ())
    if not all(found.values()):
        raise InvalidInput("accepted is ROLE=OWNER, such as orders_rw=team:orders", "--owner")
    return found


def find_author(by: str | None, server: str | None) -> str | None:
    """The author of a statement: the given one, else the user of this machine; None on a server, which knows the token's."""
    import getpass

    return by if by is not None or server is not None else getpass.getuser()


def get_kind_names(kinds: list[KindName] | None) -> list[str] | None:
    """Kinds by their names in the schema."""
    return [kind.name for kind in kinds] if kinds else None


def format_iso_time(time: datetime | None) -> str | None:
    """A time in ISO 8601, as GraphQL expects it."""
    return None if time is None else time.isoformat()
