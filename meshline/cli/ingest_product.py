"""`meshline ingest product FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def product(
    file: Annotated[list[str], typer.Argument(help="Specification files, and patterns such as 'products/**/*.yaml'.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="What the source is called: product/NAME.")] = "default",
    complete: Annotated[bool, typer.Option("--complete", help="Retract what else the source said: these files are all.")] = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load data product specifications: ports, service levels, owners, personal data."""
    from meshline.cli.ingesting import take
    from meshline.ingest.sources.shape import Source
    from meshline.ingest.sources.table import source_of

    source = source_of({"kind": "product", "name": name, "files": list(file), "complete": complete})
    assert isinstance(source, Source)
    take(source, strict=strict, store=store, server=server)
