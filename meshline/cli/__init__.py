"""The command line: one command, one file. Modules are imported when a command runs, so that help is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from meshline.errors import MeshlineError

REFUSED = 1  # some input was refused; the rest was taken
FAILED = 2  # wrong use, not found, ambiguous, unreachable


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0, `REFUSED` or `FAILED`."""
    from meshline.cli.app import app
    from meshline.cli.terminal import tell

    try:
        app(None if arguments is None else list(arguments), prog_name="meshline")
    except MeshlineError as error:
        tell(f"meshline: {error}")
        raise SystemExit(FAILED) from error
    except BrokenPipeError:  # `meshline ... | head`
        sys.stderr.close()
        raise SystemExit(FAILED) from None
