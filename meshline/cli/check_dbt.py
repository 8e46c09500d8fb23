"""`meshline check dbt OLD NEW`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things


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

    A catalog.json beside each of the manifests says the columns and types that the warehouse has. A manifest in the target folder
    of its project must have been made from the project's files as they are.
    """
    from pathlib import Path

    from meshline.cli.check_files import MANIFEST, STDIN, beside, chosen, versions
    from meshline.ingest.changes.dbt_files import verified_target

    paths = [Path(name) for name in (old, new) if name != STDIN]
    warnings = [one for path in paths for one in verified_target(path / MANIFEST if path.is_dir() else path)]
    catalogs = {"old-catalog": beside(old, "catalog.json"), "new-catalog": beside(new, "catalog.json")}
    given = versions("dbt", old, new, chosen(namespace=namespace, dialect=dialect, **catalogs), inside=MANIFEST)
    return Things([given], warnings=tuple(warnings))
