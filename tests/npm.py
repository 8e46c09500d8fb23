"""Packages of npm that tests run: those of a folder's package-lock.json, in that folder."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

INSTALL = ["npm", "ci", "--ignore-scripts", "--loglevel=error", "--prefer-offline"]


def install_packages(folder: Path) -> None:
    """Install the packages of package-lock.json, unless they are there; one process at a time."""
    lock = (folder / "package-lock.json").read_bytes()
    with (folder / "package-lock.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        stamp = folder / "node_modules" / ".installed"
        if not (stamp.is_file() and stamp.read_bytes() == lock):
            assert shutil.which("npm"), "these tests need npm, as the page does"
            subprocess.run(INSTALL, cwd=folder, check=True)
            stamp.write_bytes(lock)
