"""`meshline serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from meshline.cli.options import Config, Store

Host: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Address to listen on; one that others reach needs tokens. [default: 127.0.0.1]", show_default=False),
]
Port: TypeAlias = Annotated[
    int | None, typer.Option(help="Port to listen on, 0 for a free one. [default: 8080]", show_default=False, min=0, max=65535)
]


def serve(
    *,
    store: Store = None,
    host: Host = None,
    port: Port = None,
    mesh: Annotated[Path | None, typer.Option(help="A mesh file to load at start; its rules hold for names and sources.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without tokens: whoever reaches it may do everything.")
    ] = False,
    config: Config = None,
) -> None:
    """Serve GraphQL and take OpenLineage events over HTTP."""
    from meshline.api.serve import serve as run
    from meshline.api.settings import load

    run(load(store=store, host=host, port=port, mesh=mesh, insecure=insecure or None, config=config))
