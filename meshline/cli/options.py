"""The arguments and options that several commands have."""

from __future__ import annotations

import enum
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from meshline.cli.time_option import HELP, parse_time


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


def kind_names(kinds: list[KindName] | None) -> list[str] | None:
    """Kinds as the schema names them."""
    return [kind.name for kind in kinds] if kinds else None


def iso(time: datetime | None) -> str | None:
    """A time as GraphQL takes it."""
    return None if time is None else time.isoformat()
