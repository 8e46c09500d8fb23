"""`meshline export networkx|graphml|openlineage`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.options import AsOf, Store


class ExportFormat(enum.StrEnum):
    """What is written."""

    NETWORKX = "networkx"
    GRAPHML = "graphml"
    OPENLINEAGE = "openlineage"


def export(
    format: Annotated[  # noqa: A002 - the argument's name
        ExportFormat, typer.Argument(help="networkx: node-link JSON; graphml; openlineage: the events as they came, one on each line.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. [default: standard output]", show_default=False)
    ] = None,
    as_of: AsOf = None,
    store: Store = None,
) -> None:
    """Write the whole graph, or the events that it was made from."""
    from meshline.cli.exporting import event_lines, graphml, node_link
    from meshline.cli.stores import opened_store
    from meshline.cli.terminal import write_bytes
    from meshline.graph.model import to_micros
    from meshline.ingest.mesh import stored

    with opened_store(store, must_exist=True) as source:
        at = to_micros(as_of) if as_of is not None else None
        _, precedence = stored(source)
        match format:
            case ExportFormat.OPENLINEAGE:
                write_bytes(event_lines(source), output)
            case ExportFormat.NETWORKX:
                write_bytes(node_link(source, precedence, at), output)
            case ExportFormat.GRAPHML:
                write_bytes(graphml(source, precedence, at), output)
