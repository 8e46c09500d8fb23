"""`meshline ingest contract FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def contract(
    file: Annotated[list[str], typer.Argument(help="Contract files, and patterns such as 'contracts/**/*.yaml'.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="What the source is called: contract/NAME.")] = "default",
    complete: Annotated[bool, typer.Option("--complete", help="Retract what else the source said: these files are all.")] = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load data contracts: what is promised, about which datasets, to whom."""
    from meshline.cli.ingesting import take

    take("contract", {"name": name, "files": file, "complete": complete}, strict=strict, store=store, server=server)
