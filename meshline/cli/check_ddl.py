"""`meshline check ddl FILE...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things


@checking
def ddl(
    file: Annotated[list[str], typer.Argument(help="SQL, in the order in which it runs. - is standard input.", metavar="FILE...")],
    *,
    dialect: Annotated[str | None, typer.Option(help="Of the SQL, as sqlglot calls it: trino, spark, ...", show_default=False)] = None,
    namespace: Annotated[str | None, typer.Option(help="Where the tables are.", show_default=False, metavar="NAMESPACE")] = None,
    catalog: Annotated[str | None, typer.Option(help="The catalog of names that have none.", show_default=False)] = None,
    schema: Annotated[str | None, typer.Option(help="The schema of names that have none.", show_default=False)] = None,
) -> Things:
    """Judge what CREATE, ALTER and DROP do to the tables that the graph knows."""
    from meshline.cli.check_files import alone, chosen

    options = chosen(dialect=dialect, namespace=namespace, catalog=catalog, schema=schema)
    return Things([alone("ddl", name, options) for name in file], against_graph=True)
