"""How many processors and how much memory this process may use: of the machine, or of the container (cgroups) that it runs in."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
KIB = 1024


def count_processors() -> int:
    """At least 1."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read_text(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        usable = min(usable, int(quota) // max(int(period), 1))
    return max(usable, 1)


def measure_free_memory() -> int | None:
    """Bytes that processes may still use; None if the system does not report it."""
    found = [free for free in (_read_available(), _read_cgroup()) if free is not None]
    return min(found, default=None)


def measure_memory(process: int) -> int:
    """The resident memory of a process in bytes; 0 if the system does not report it."""
    fields = _read_text(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _read_available() -> int | None:
    for line in _read_text(_MEMINFO).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * KIB
    return None


def _read_cgroup() -> int | None:
    """What the limit of the container leaves; caches of files count as free."""
    limit, used = _read_text(_CGROUP / "memory.max").strip(), _read_text(_CGROUP / "memory.current").strip()
    if not limit.isdigit() or not used.isdigit():
        return None
    cached = next(
        (int(line.split()[1]) for line in _read_text(_CGROUP / "memory.stat").splitlines() if line.startswith("inactive_file ")), 0
    )
    return max(int(limit) - int(used) + cached, 0)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
