"""`meshline identity explain|conflicts|part|retract`."""

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


By = Annotated[
    str | None,
    typer.Option(
        help="Who states it. [default: of a store, the user; of a server, whom the token names]", show_default=False, metavar="NAME"
    ),
]


def part(
    name: Annotated[
        str, typer.Argument(help="A name of the dataset: namespace/name, or its last parts if that is enough.", metavar="NAME")
    ],
    other: Annotated[str, typer.Argument(help="Another name, which is not the same dataset.", metavar="OTHER")],
    *,
    reason: Annotated[str, typer.Option(help="Why they are not the same.", metavar="TEXT")],
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Part two names that were joined by mistake, whatever joins them. It can be retracted."""
    from meshline.cli.answers import answers, question
    from meshline.cli.identities import parting
    from meshline.cli.terminal import Line, write

    with answers(store, server) as source:
        names = [source.ask(question("identity"), {"name": text})["resolve"] for text in (name, other)]
        variables = {**parting(names, (name, other)), "why": reason, "by": _speaker(by, server)}
        done = source.mutate(question("part"), variables)["notSameAs"]
    assert isinstance(done, dict)
    write([Line(f"{variables['first']} is not {variables['second']} ({done['statement']})")])


def retract(
    statement: Annotated[str, typer.Argument(help="The id that `identity explain` shows: st_...", metavar="STATEMENT")],
    *,
    store: Store = None,
    server: Server = None,
) -> None:
    """Take back what a person stated."""
    from meshline.cli.answers import answers, question
    from meshline.cli.terminal import Line, write

    with answers(store, server) as source:
        source.mutate(question("retract"), {"statement": statement})
    write([Line(f"{statement} is retracted")])


def _speaker(by: str | None, server: str | None) -> str | None:
    import getpass

    return by if by is not None or server is not None else getpass.getuser()
