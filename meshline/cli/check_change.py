"""`meshline check change 'drop orders.customer_orders.email'...`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things


@checking
def change(
    change: Annotated[
        list[str],
        typer.Argument(
            help="'drop T.C', 'rename T.C to D', 'retype T.C to TYPE', 'add T.C TYPE', 'make T.C not null', 'drop T', 'ALTER TABLE ...'.",
            metavar="CHANGE...",
        ),
    ],
) -> Things:
    """Judge changes in words, before anything is written. Several are judged as one."""
    from meshline.ingest.changes.base import Given, Text

    return Things([Given("change", None, Text("", "\n".join(change).encode("utf-8", "replace")))], against_graph=True)
