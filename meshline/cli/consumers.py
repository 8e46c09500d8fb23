"""`meshline consumers CONTRACT`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import ListFormat, Server, Store, TextFormat


def consumers(
    contract: Annotated[str, typer.Argument(help="A contract, by its id.", metavar="CONTRACT")],
    *,
    version: Annotated[str | None, typer.Option(help="Only consumers of this version.", metavar="VERSION", show_default=False)] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List the consumers of a contract, by version."""
    from meshline.cli.answers import answers
    from meshline.cli.contract_consumers import of_contract
    from meshline.cli.terminal import write, write_json

    with answers(store, server) as source:
        answer = of_contract(source, contract, version)
    if format is TextFormat.JSON:
        write_json(answer.data)
    else:
        write(answer.lines)
