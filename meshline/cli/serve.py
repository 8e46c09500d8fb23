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
    kafka: Annotated[
        str | None, typer.Option(help="Take events from this Kafka, too: its bootstrap servers.", show_default=False, metavar="HOST:PORT")
    ] = None,
    kafka_topic: Annotated[str | None, typer.Option(help="Its topic. [default: openlineage.events]", show_default=False)] = None,
    kafka_group: Annotated[str | None, typer.Option(help="The consumer group. [default: meshline]", show_default=False)] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on any address without tokens: whoever reaches it may do everything.")
    ] = False,
    config: Config = None,
) -> None:
    """Serve GraphQL, and take OpenLineage events by HTTP or Kafka."""
    from meshline.api.serve import serve as run
    from meshline.api.settings import load

    consume = {"kafka": kafka, "kafka_topic": kafka_topic, "kafka_group": kafka_group}
    run(load(store=store, host=host, port=port, mesh=mesh, insecure=insecure or None, config=config, **consume))
