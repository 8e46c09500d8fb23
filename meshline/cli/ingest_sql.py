"""`meshline ingest sql FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.checked import Complete, SourceName
from meshline.cli.options import Server, Store, Strict


def sql(
    file: Annotated[list[str], typer.Argument(help="Files of SQL, and patterns.", metavar="FILE...")],
    *,
    dialect: Annotated[str, typer.Option(help="As sqlglot names it: trino, spark, snowflake, postgres, tsql, dremio, ...", metavar="NAME")],
    namespace: Annotated[
        str | None, typer.Option(help="Of the tables. [default: the dialect's name]", show_default=False, metavar="NAMESPACE")
    ] = None,
    catalog: Annotated[str | None, typer.Option(help="The catalog of names without one.", show_default=False, metavar="NAME")] = None,
    schema: Annotated[str | None, typer.Option(help="The schema of names without one.", show_default=False, metavar="NAME")] = None,
    name: SourceName = "default",
    complete: Complete = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load views and scripts in SQL: which columns come from which.

    Names without a catalog or a schema are in the given ones. Columns are known from the graph, and from what the files create.
    """
    from meshline.cli.ingesting import take

    keys = {
        "name": name,
        "files": file,
        "dialect": dialect,
        "namespace": namespace,
        "catalog": catalog,
        "schema": schema,
        "complete": complete,
    }
    take("sql", keys, strict=strict, store=store, server=server)
