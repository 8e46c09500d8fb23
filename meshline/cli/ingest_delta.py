"""`meshline ingest delta TABLE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def delta(
    table: Annotated[
        list[str], typer.Argument(help="Folders of Delta tables, patterns such as 'lake/*/*', and URLs such as s3://bucket/table.")
    ],
    *,
    name: Annotated[str, typer.Option(help="What the source is called: delta/NAME.")] = "default",
    storage_option: Annotated[
        list[str] | None,
        typer.Option(help="An option of the storage, as deltalake names it; ${NAME} is an environment variable.", metavar="KEY=VALUE"),
    ] = None,
    versions: Annotated[int, typer.Option(help="How many commits of a table are looked at for what it was.", min=1, max=10_000)] = 100,
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other tables: these are all that it has.")] = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load Delta Lake tables: columns, constraints, properties, and what they were before."""
    from meshline.cli.ingesting import take
    from meshline.errors import InvalidInput

    options = dict(option.partition("=")[::2] for option in storage_option or ())
    if not all(options.values()):
        raise InvalidInput("accepted are options such as AWS_REGION=eu-west-1", "--storage-option")
    keys = {"name": name, "tables": table, "storage_options": options, "versions": versions, "complete": complete}
    take("delta", keys, strict=strict, store=store, server=server)
