"""`meshline impact ASSET...`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from meshline.cli.options import AsOf, Assets, Depth, Limit, Reach, ReachName, Server, Store, iso

if TYPE_CHECKING:
    from meshline.cli.answers import Answers
    from meshline.cli.shapes import Asset
    from meshline.graph.model import Json


class ImpactFormat(enum.StrEnum):
    """How an impact is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Format: TypeAlias = Annotated[ImpactFormat, typer.Option("--format", help="text for people, json for programs, markdown for both.")]


def impact(
    asset: Assets,
    *,
    reach: Reach = ReachName.POSSIBLE,
    depth: Depth = None,
    as_of: AsOf = None,
    limit: Limit = 500,
    format: Format = ImpactFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Say what breaks if an asset changes, and whom to tell.

    The verdict comes first, what is not certain last.
    """
    from meshline.cli import impact_text
    from meshline.cli.answers import answers, assets, shaped
    from meshline.cli.terminal import Line, write, write_json

    with answers(store, server) as source:
        starts = assets(source, asset, iso(as_of))
        data = asked(source, starts, reach=reach, depth=depth, as_of=iso(as_of), limit=limit)
    if format is ImpactFormat.JSON:
        write_json(data)
        return
    answer = shaped(data, impact_text.Impact)
    if format is ImpactFormat.TEXT:
        write(impact_text.lines(answer, starts))
    else:
        write(Line(line) for text in impact_text.markdown(answer, starts) for line in text.split("\n"))


def asked(
    source: Answers,
    starts: Sequence[Asset],
    *,
    reach: ReachName = ReachName.POSSIBLE,
    depth: int | None = None,
    as_of: str | None = None,
    limit: int = 500,
) -> Json:
    """The impact of these assets, as GraphQL answers it."""
    from meshline.cli.answers import question

    variables = {"of": [start.id for start in starts], "reach": reach.name, "depth": depth, "asOf": as_of, "limit": limit}
    return source.ask(question("impact"), variables)["impact"]
