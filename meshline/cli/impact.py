"""`meshline impact ASSET...`."""

from __future__ import annotations

import enum
from typing import Annotated, TypeAlias

import typer

from meshline.cli.options import AsOf, Assets, Depth, Limit, Reach, ReachName, Server, Store, iso


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
    from meshline.cli.answers import answers, assets, question, shaped
    from meshline.cli.terminal import Line, write, write_json

    with answers(store, server) as source:
        starts = assets(source, asset, iso(as_of))
        variables = {"of": [start.id for start in starts], "reach": reach.name, "depth": depth, "asOf": iso(as_of), "limit": limit}
        data = source.ask(question("impact"), variables)["impact"]
    if format is ImpactFormat.JSON:
        write_json(data)
        return
    answer = shaped(data, impact_text.Impact)
    if format is ImpactFormat.TEXT:
        write(impact_text.lines(answer, starts))
    else:
        write(Line(line) for text in impact_text.markdown(answer, starts) for line in text.split("\n"))
