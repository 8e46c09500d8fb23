"""`meshline audit`."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated

import typer

from meshline.cli.options import ListFormat, Server, Store, TextFormat, iso
from meshline.cli.time_option import HELP, parse_time


class ActionName(enum.StrEnum):
    CHECK = "check"
    WAIVER = "waiver"
    MUTATION = "mutation"
    POLICY = "policy"


def audit(
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            help=f"Only what was recorded at or after this time. {HELP}",
            parser=parse_time,
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[ActionName | None, typer.Option(help="Only entries of this kind.", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.", show_default=False)] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show who did what: the audit log, oldest first.

    Checks that a server answered, waivers that they used, mutations, policies broken and mended. json writes one object a line.
    """
    import sys

    import msgspec

    from meshline.cli.answers import answers
    from meshline.cli.audited import entries, line
    from meshline.cli.terminal import Line, write

    asked = {"since": iso(since), "kind": None if kind is None else kind.name, "actor": actor}
    with answers(store, server) as source:
        empty = True
        for entry in entries(source, asked):
            empty = False
            if format is TextFormat.JSON:
                sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
            else:
                write([Line(line(entry))])
        if empty and format is TextFormat.TEXT:
            write([Line("nothing is recorded")])
