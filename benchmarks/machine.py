"""The description of the machine on the page: its hardware and versions, never its name."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path

from benchmarks.figures import Machine

GIB = 2**30


def describe_machine() -> Machine:
    return Machine(
        processor=_read_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load=round(os.getloadavg()[0], 1),
    )


def _read_processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
