"""Files that belong to this user alone, and folders whose entries are durable."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


class Unusable(Exception):
    """A file that is ignored, and why."""


def open_own_file(path: Path) -> BinaryIO:
    """Open a plain file that only this user may read and write. Raises OSError, Unusable."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(number, "rb")
    if problem := _find_stranger(os.fstat(number)):
        file.close()
        raise Unusable(problem)
    return file


def _find_stranger(found: os.stat_result) -> str:
    """What is wrong with the kind, the owner or the mode of a file; empty if nothing is."""
    if not stat.S_ISREG(found.st_mode):
        return "it is no plain file"
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        return "it is another user's, or others may read or write it"
    return ""


def sync_folder(folder: Path) -> None:
    """Make the names of files in a folder durable. Raises OSError, also where the system cannot do this with a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
