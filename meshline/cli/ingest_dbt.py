"""`meshline ingest dbt TARGET`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.options import Server, Store, Strict


def dbt(
    path: Annotated[Path, typer.Argument(help="The folder into which dbt writes manifest.json: target/.", metavar="TARGET")],
    *,
    name: Annotated[str, typer.Option(help="What the source is called: dbt/NAME. Each project has one of its own.")] = "default",
    namespace: Annotated[
        str | None,
        typer.Option(
            help="Of the project's datasets, as its OpenLineage events have it: snowflake://account, postgres://host:port, ...",
            metavar="NAMESPACE",
        ),
    ] = None,
    profiles: Annotated[
        Path | None, typer.Option(help="dbt's profiles.yml or its folder, from which the namespace is known instead.", metavar="PATH")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Which of its profiles, if it has several.")] = None,
    target: Annotated[str | None, typer.Option(help="Which of the profile's targets, if not its own choice.")] = None,
    dialect: Annotated[
        str | None, typer.Option(help="Of the SQL, as sqlglot calls it. [default: the adapter's]", show_default=False)
    ] = None,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load a dbt project: models, sources, seeds, snapshots, exposures, tests, and column lineage from compiled SQL.

    What the project no longer has is retracted.
    """
    from meshline.cli.ingesting import take

    keys = {
        "path": str(path),
        "name": name,
        "namespace": namespace,
        "profiles": str(profiles) if profiles is not None else None,
        "profile": profile,
        "target": target,
        "dialect": dialect,
    }
    take("dbt", keys, strict=strict, store=store, server=server)
