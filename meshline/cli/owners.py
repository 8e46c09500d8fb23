"""`meshline owners ASSET | --owned-by OWNER | --orphans`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import AsOf, Kinds, Limit, ListFormat, Server, Store, TextFormat, iso, kind_names


def owners(
    asset: Annotated[str | None, typer.Argument(help="Whose owners: an asset by any name.", metavar="ASSET", show_default=False)] = None,
    *,
    owned_by: Annotated[str | None, typer.Option(help="What does this owner answer for?", metavar="OWNER", show_default=False)] = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="What has no owner at any level?")] = False,
    kind: Kinds = None,
    as_of: AsOf = None,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Say who owns an asset, what an owner owns, or what nobody owns."""
    from meshline.cli.answers import answers
    from meshline.cli.ownership import of_asset, of_nobody, of_owner
    from meshline.cli.terminal import write, write_json

    if sum((asset is not None, owned_by is not None, orphans)) != 1:
        raise typer.BadParameter("give exactly one of ASSET, --owned-by and --orphans")
    with answers(store, server) as source:
        if asset is not None:
            answer = of_asset(source, asset, iso(as_of))
        elif owned_by is not None:
            answer = of_owner(source, owned_by, kind_names(kind), limit, iso(as_of))
        else:
            answer = of_nobody(source, kind_names(kind), limit, iso(as_of))
    if format is TextFormat.JSON:
        write_json(answer.data)
    else:
        write(answer.lines)
