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

    take("product", {"name": name, "files": file, "complete": complete}, strict=strict, store=store, server=server)
