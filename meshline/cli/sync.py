"""`meshline sync [mesh.yaml]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.options import Server, Store

Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first source of which anything is refused, before anything of it is written.")
]


def sync(
    file: Annotated[Path, typer.Argument(help="The mesh file.", metavar="FILE")] = Path("mesh.yaml"),
    *,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load a mesh file and then all its sources, in order.

    Shows of each how many of its statements (or events) were read, unchanged, new, changed, retracted and refused. What the graph
    has already is not written again. A source that is away does not stop the others. Exit code 1 if anything was refused or away.
    """
    from meshline.cli.deciding import REFUSED
    from meshline.cli.ingesting import told
    from meshline.cli.syncing import synced
    from meshline.cli.terminal import tell

    refused = False
    for done in synced(file, strict=strict, store=store, server=server):
        if done.loading is None:
            tell(f"{done.source}: not read: {done.error}")
        else:
            told(done)
        refused = refused or done.refused
    if refused:
        raise typer.Exit(REFUSED)
