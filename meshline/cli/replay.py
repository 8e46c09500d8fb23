"""`meshline replay --to STORE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.options import Store


def replay(
    *,
    to: Annotated[str, typer.Option(help="The new store.", metavar="URL")],
    mesh: Annotated[Path | None, typer.Option(help="A mesh file whose naming and precedence rules the new store follows.")] = None,
    store: Store = None,
) -> None:
    """Make a new store from what one has kept.

    For example under other naming rules: events that are still kept are taken again; what else the store knows, and what
    events said that are kept no more, is copied.
    """
    from meshline.app.replay import copied
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.store import opened_store
    from meshline.cli.terminal import progress, tell
    from meshline.ingest.mesh import parse, read

    said = None if mesh is None else parse(read(mesh), str(mesh), strict=True)
    with opened_store(store, must_exist=True) as old, opened_store(to) as new, progress("events and statements") as advance:
        result = copied(old, new, said, lambda error: tell(f"refused: {error}"), advance)
    tell(
        f"{result.events} events replayed, {result.statements} statements copied"
        + (f", {result.refused} refused" if result.refused else "")
    )
    if result.refused:
        raise typer.Exit(REFUSED)
