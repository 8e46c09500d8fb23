"""The command line. Heavy modules are imported when a command runs, so that help is quick."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from meshline.cli.exit_codes import FAILED
from meshline.errors import MeshlineError
from meshline.frozen_imports import freeze_imports


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code (see `deciding`)."""
    try:
        with freeze_imports():
            from meshline.cli.app import app
            from meshline.cli.completion import strip_names
            from meshline.cli.terminal import write_message
    except Exception as error:  # exit code 1 would be a verdict of `check`
        traceback.print_exc()
        raise SystemExit(FAILED) from error
    try:
        with strip_names():
            app(None if arguments is None else list(arguments), prog_name="meshline")
    except MeshlineError as error:
        write_message(f"meshline: {error}")
        raise SystemExit(FAILED) from error
    except BrokenPipeError:  # `meshline ... | head`
        sys.stderr.close()
        raise SystemExit(FAILED) from None
