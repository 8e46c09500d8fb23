"""The exit codes, and that of a check: 0 it passes, 1 it does not, 2 that could not be decided. Imports nothing that could fail."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from meshline.errors import MeshlineError

REFUSED = 1  # some input was refused; the rest was taken
FAILED = 2  # wrong use, not found, ambiguous, unreachable
INTERRUPTED = 130  # what a shell says of Ctrl-C


class Decision:
    """`passed` None: nothing is decided."""

    passed: bool | None = None


@contextmanager
def exit_by_decision() -> Iterator[Decision]:
    """Leave with the exit code of what is decided inside.

    What goes wrong there, whatever it is, must look neither like a check that passed nor like one that did not.
    """
    decision = Decision()
    try:
        yield decision
    except MeshlineError:
        raise
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # `meshline check ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is not written yet is not tried again at the end
        raise SystemExit(FAILED) from None
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.write("meshline: the check could not be decided; this is a defect of meshline\n")
        raise SystemExit(FAILED) from error
    raise SystemExit(FAILED if decision.passed is None else 0 if decision.passed else REFUSED)
