"""When a source is due: as often as its entry says, with jitter; after failures sooner at first, then ever later."""

from __future__ import annotations

from meshline.ingest.sources.status import Status

SECOND = 1_000_000  # microseconds
FIRST_RETRY = 30  # seconds after the first failure, or `every` if that is less; twice as long after each further one
LAST_RETRY = 600  # seconds between tries of what fails for long, or `every` if that is more
SPREAD = 0.1  # of a wait, by which it is longer or shorter, so that many sources or servers do not begin at once
SOON = 5  # seconds within which a source begins that was never synced, or is overdue


def due(status: Status | None, every: int, now: int, chance: float) -> int:
    """When to sync next, in microseconds. `every` in seconds; `chance` is random, of 0..1."""
    soon = now + int(min(SOON, every) * chance * SECOND)
    if status is None:
        return soon
    wait = every if not status.failures else min(min(every, FIRST_RETRY) * 2 ** min(status.failures - 1, 30), max(every, LAST_RETRY))
    at = status.at + int(wait * (1 + SPREAD * (2 * chance - 1)) * SECOND)
    return at if at > now else soon
