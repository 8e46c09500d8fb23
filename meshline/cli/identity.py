"""`meshline identity explain|conflicts`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Limit, ListFormat, Server, Store, TextFormat


def explain(
    name: Annotated[str, typer.Argument(help="A dataset by any of its names.", metavar="NAME")],
    *,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Say by which names a dataset is known, who says that they are one, and why one of them is shown."""
    from meshline.cli.answers import answers, question
    from meshline.cli.identities import explained
    from meshline.cli.terminal import write, write_json
    from meshline.errors import InvalidInput

    with answers(store, server) as source:
        data = source.ask(question("identity"), {"name": name})["resolve"]
    assert isinstance(data, dict)
    if "identity" not in data:
        raise InvalidInput(f"{data['qualifiedName']} is no dataset: only datasets have several names", "NAME")
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write(explained(data))


def conflicts(
    *,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002
    store: Store = None,
    server: Server = None,
) -> None:
    """List merges that look wrong, and names that probably mean one dataset and are not joined."""
    from meshline.cli.answers import answers, question
    from meshline.cli.identities import conflicting
    from meshline.cli.terminal import write, write_json

    with answers(store, server) as source:
        data = source.ask(question("conflicts"), {"limit": limit})["identityConflicts"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write(conflicting(data))
