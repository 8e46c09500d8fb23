"""Imports of many modules without the garbage collector, which would scan them again and again, and when the process ends.

That took a third of what a question on the command line takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def freeze_imports() -> Iterator[None]:
    """In this block, no garbage is collected; what exists at its end is never scanned: for modules, which stay as long as the process."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
