"""The time of a file: its commit's if it is committed and unchanged, else the time of loading."""

from __future__ import annotations

from pathlib import Path

from meshline.graph.model import get_current_micros

AHEAD = 86_400_000_000  # microseconds: a time further ahead of the clock is refused, for it would be the latest for ever
SECONDS = 10  # timeout of git


def read_file_time(path: Path) -> int:
    """The time since which a file has its content, in microseconds since the epoch; never later than now."""
    committed = _read_commit_time(path.resolve())
    return get_current_micros() if committed is None else min(committed, get_current_micros())


def _read_commit_time(path: Path) -> int | None:
    if _run_git(path, "status", "--porcelain", "--ignored", "--", path.name) != "":
        return None  # changed, untracked, ignored, or no git at all
    seconds = _run_git(path, "log", "-1", "--format=%ct", "--", path.name)
    return int(seconds) * 1_000_000 if seconds and seconds.strip().isdigit() else None


def _run_git(path: Path, *arguments: str) -> str | None:
    """The output of git, or None if it fails. Git runs and writes nothing of the repository."""
    import shutil  # noqa: PLC0415 - callers that only need the clock do not wait for these imports
    import subprocess  # noqa: PLC0415

    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - no shell, fixed words
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
