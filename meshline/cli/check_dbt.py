"""`meshline check dbt OLD NEW`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.check_options import Things, checking


@checking
def dbt(
    old: Annotated[str, typer.Argument(help="manifest.json as it is, or the folder that has it (dbt's --state).", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="manifest.json as it is to be, or the folder that has it: target/.", metavar="NEW")],
    *,
    namespace: Annotated[
        str | None, typer.Option(help="Of the project's datasets, as the graph has it: snowflake://account, ...", metavar="NAMESPACE")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="Of the SQL, as sqlglot calls it. [default: the adapter's]", show_default=False)
    ] = None,
) -> Things:
    """Judge what changed in a dbt project: columns, types, tests, access, and the SQL of models.

    A catalog.json beside each of the manifests says the columns and types that the warehouse has.
    """
    from meshline.cli.check_files import MANIFEST, beside, chosen, versions

    catalogs = {"old-catalog": beside(old, "catalog.json"), "new-catalog": beside(new, "catalog.json")}
    return Things([versions("dbt", old, new, chosen(namespace=namespace, dialect=dialect, **catalogs), inside=MANIFEST)])
