"""`meshline ingest debezium FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def debezium(
    file: Annotated[list[str], typer.Argument(help="Configs of connectors (JSON, YAML, properties), and patterns.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="What the source is called: debezium/NAME.")] = "default",
    kafka: Annotated[
        str, typer.Option(help="The topics' broker. [default: as a config says]", metavar="HOST:PORT", show_default=False)
    ] = "",
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other connectors: these are all that it has.")] = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load Debezium connectors: from database tables to Kafka topics."""
    from meshline.cli.ingesting import take

    take("debezium", {"files": file, "name": name, "kafka": kafka, "complete": complete}, strict=strict, store=store, server=server)
