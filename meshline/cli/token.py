"""`meshline token new NAME`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class RoleName(enum.StrEnum):
    """What the holder of a token may do; each includes the ones before."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"


def new(
    name: Annotated[str, typer.Argument(help="Whose token it is; what they say by hand is said in this name.", metavar="NAME")],
    *,
    role: Annotated[
        RoleName,
        typer.Option(
            help="reader asks; writer also sends events and mesh files; admin also says things by mutations.", case_sensitive=False
        ),
    ] = RoleName.READER,
) -> None:
    """Make a token: it goes to standard output, its entry for the settings file to standard error.

    The token is shown this once; the file knows its hash only.
    """
    import sys

    from meshline.api.tokens import new_token
    from meshline.cli.terminal import tell
    from meshline.cli.tokens import entry

    token = new_token()
    lines = entry(name, role, token)
    sys.stdout.write(f"{token}\n")
    sys.stdout.flush()
    for line in lines:
        tell(line)
