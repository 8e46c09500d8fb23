"""The exit codes. A check exits with 0 if it passes, 1 if not, 2 if it could not be decided. Imports nothing that could fail."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from meshline.errors import MeshlineError

REFUSED = 1  # some input was refused; the rest was ingested
FAILED = 2  # wrong use, not found, ambiguous, unreachable
INTERRUPTED = 130  # 128 + SIGINT: the shells' code for Ctrl-C


class Decision:
    """The decision of a check. `passed` None: not decided."""

    passed: bool | None = None


@contextmanager
def exit_by_decision() -> Iterator[Decision]:
    """Exit with the code of the decision that is made inside.

    Any failure inside must look neither like a check that passed nor like one that did not.
    """
    decision = Decision()
    try:
        yield decision
    except MeshlineError:
        raise
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # `meshline check ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python must not try to write the rest at exit
        raise SystemExit(FAILED) from None
    except BaseException as error:
        traceback.print_exc()
        sys.stderr.write("meshline: the check could not be decided; this is a defect of meshline\n")
        raise SystemExit(FAILED) from error
    raise SystemExit(FAILED if decision.passed is None else 0 if decision.passed else REFUSED)
