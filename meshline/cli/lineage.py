"""`meshline lineage ASSET...`."""

from __future__ import annotations

import enum
from typing import Annotated, TypeAlias

import typer

from meshline.cli.options import AsOf, Assets, Depth, Reach, ReachName, Server, Store, iso


class GranularityName(enum.StrEnum):
    """What one node stands for."""

    COLUMN = "column"
    DATASET = "dataset"
    PRODUCT = "product"
    DOMAIN = "domain"


class LineageFormat(enum.StrEnum):
    """How a lineage graph is written."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


Format: TypeAlias = Annotated[LineageFormat, typer.Option("--format", help="text, json, Graphviz dot or Mermaid.")]


def lineage(
    asset: Assets,
    *,
    upstream: Annotated[bool, typer.Option("--upstream", help="Where it comes from, instead of where it goes.")] = False,
    depth: Depth = None,
    granularity: Annotated[GranularityName, typer.Option(help="What one node stands for.", case_sensitive=False)] = GranularityName.COLUMN,
    reach: Reach = ReachName.POSSIBLE,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many nodes to show at most.")] = 500,
    format: Format = LineageFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show where data goes to, or comes from.

    By column, or contracted to the datasets, products or domains that hold the columns.
    """
    from meshline.cli import drawing
    from meshline.cli.answers import answers, assets, question, shaped
    from meshline.cli.terminal import Line, write, write_json

    with answers(store, server) as source:
        found = assets(source, asset, iso(as_of))
        variables = {
            "of": [one.id for one in found],
            "direction": "UPSTREAM" if upstream else "DOWNSTREAM",
            "depth": depth,
            "granularity": granularity.name,
            "reach": reach.name,
            "limit": limit,
            "asOf": iso(as_of),
        }
        data = source.ask(question("lineage"), variables)["lineage"]
    graph = shaped(data, drawing.Graph)
    match format:
        case LineageFormat.JSON:
            write_json(data)
        case LineageFormat.DOT:
            write(Line(line) for line in drawing.dot(graph))
        case LineageFormat.MERMAID:
            write(Line(line) for line in drawing.mermaid(graph))
        case LineageFormat.TEXT:
            write(drawing.text(graph, found, upstream=upstream, granularity=granularity))
