"""How the last sync of each source went, kept in the store for every process, and when the next one is due."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from meshline.graph.store.base import Batch, RunReader, Store

NAMES = "synced"  # the setting with the JSON list of the sources that have a status
LONGEST = 2000  # characters of an error that are kept

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sync of a source. Times are microseconds since the epoch, `seconds` is its duration; the counts are scopes (of
    event files: events).

    `error`: why the source could not be read to its end; empty if it could. `succeeded`: the time of the last sync, this one
    included, that read it to its end. `failures`: how many syncs in a row did not. `next`: when the server that
    syncs the source on a schedule will do so again. `rights`: the time of the last sync, this one included, that read who may read what.
    """

    at: Count
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    read: Count = 0
    unchanged: Count = 0
    new: Count = 0
    changed: Count = 0
    retracted: Count = 0
    refused: Count = 0
    error: Annotated[str, msgspec.Meta(max_length=LONGEST)] = ""
    succeeded: Count | None = None
    failures: Count = 0
    next: Count | None = None
    rights: Count | None = None


def save_status(store: Store, source: str, status: Status) -> None:
    """Save the status of a source's last sync, and add the source to the list of all; safe if other processes do so at the same time."""

    def build(_reader: RunReader) -> Batch:
        names = _read_names(store)  # within the commit, so that no other process writes in between
        text = msgspec.json.encode(status).decode()
        return Batch(settings={_format_status_key(source): text, NAMES: msgspec.json.encode(sorted({*names, source})).decode()})

    store.commit(build)


def read_status(store: Store, source: str) -> Status | None:
    """The status of a source's last sync; None if there was none, or if the saved text cannot be read."""
    try:
        return msgspec.json.decode(store.read_setting(_format_status_key(source)) or "null", type=Status | None)
    except msgspec.MsgspecError:
        return None


def read_statuses(store: Store) -> dict[str, Status]:
    """The status of every source that was ever synced, by its name."""
    return {name: status for name in _read_names(store) if (status := read_status(store, name)) is not None}


def _read_names(store: Store) -> list[str]:
    try:
        return msgspec.json.decode(store.read_setting(NAMES) or "[]", type=list[str])
    except msgspec.MsgspecError:
        return []


def _format_status_key(source: str) -> str:
    return f"status:{source}"


SECOND = 1_000_000  # microseconds
FIRST_RETRY = 30  # seconds after the first failure, or `every` if that is less; doubled after each further failure
LAST_RETRY = 600  # the most seconds between two tries, or `every` if that is more
SPREAD = 0.1  # the share of a wait by which it is lengthened or shortened, so that many sources or servers do not begin at once
SOON = 5  # seconds within which the sync of a source begins that was never synced, or is overdue


def compute_due_time(status: Status | None, every: int, now: int, chance: float) -> int:
    """When to sync next, in microseconds since the epoch, as `now`. `every`: seconds; `chance`: a random number from 0 to 1."""
    soon = now + int(min(SOON, every) * chance * SECOND)
    if status is None:
        return soon
    wait = every if not status.failures else min(min(every, FIRST_RETRY) * 2 ** min(status.failures - 1, 30), max(every, LAST_RETRY))
    at = status.at + int(wait * (1 + SPREAD * (2 * chance - 1)) * SECOND)
    return at if at > now else soon
