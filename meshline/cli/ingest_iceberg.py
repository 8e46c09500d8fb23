"""`meshline ingest iceberg URI|FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def iceberg(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="A catalog's address, e.g. http://iceberg-rest:8181; or metadata files, patterns such as 'iceberg/*.json'.", metavar="WHAT"
        ),
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="What the source is called: iceberg/NAME.")] = "default",
    catalog: Annotated[
        str, typer.Option(help="The catalog's name in pyiceberg's configuration, or in a SQL catalog. [default: NAME]")
    ] = "",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", help="A property of the catalog, as pyiceberg names it; ${NAME} is an environment variable.", metavar="KEY=VALUE"
        ),
    ] = None,
    namespace: Annotated[str, typer.Option(help="The namespace of the tables. [default: the catalog's address]", show_default=False)] = "",
    table: Annotated[list[str] | None, typer.Option(help="Only these tables: patterns of schema.table.", metavar="PATTERN")] = None,
    parallel: Annotated[int, typer.Option(help="How many tables are asked for at a time.", min=1, max=64)] = 8,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load the tables and views of an Iceberg catalog: columns, history, owners, products."""
    from meshline.cli.ingesting import take
    from meshline.errors import InvalidInput

    given = dict(one.partition("=")[::2] for one in properties or ())
    if not all(given):
        raise InvalidInput("accepted are properties such as warehouse=sales", "--property")
    uris = [one for one in what or () if "://" in one]
    if uris and len(what or ()) > 1:
        raise InvalidInput(f"found {len(what or ())} places; accepted is one catalog, or files", "WHAT")
    keys = {
        "name": name,
        "uri": uris[0] if uris else "",
        "catalog": catalog,
        "properties": given,
        "files": [] if uris else list(what or ()),
        "namespace": namespace,
        "tables": list(table or ()),
        "parallel": parallel,
    }
    take("iceberg", keys, strict=strict, store=store, server=server)
