"""How the last sync of each source went: kept in the store, so that every process that looks sees the same."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from meshline.graph.store.base import Batch, RunReader, Store

NAMES = "synced"  # JSON list of the sources that have a status
LONGEST = 2000  # characters of an error that are kept

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sync of a source. Times are microseconds since the epoch; counts are scopes, of event files events.

    `error`: why it could not be read to its end; empty if it could. `succeeded`: the last sync, this one
    included, that came to its end. `failures`: how many in a row did not. `next`: when the server that
    syncs it on a schedule will do so again.
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


def note(store: Store, source: str, status: Status) -> None:
    """Remember how the last sync of a source went; with its name in the list of all, whoever else notes something at the same time."""

    def build(_reader: RunReader) -> Batch:
        names = _names(store)  # read while nobody else writes
        text = msgspec.json.encode(status).decode()
        return Batch(settings={_status(source): text, NAMES: msgspec.json.encode(sorted({*names, source})).decode()})

    store.commit(build)


def status_of(store: Store, source: str) -> Status | None:
    """How the last sync went; None if there was none, or what is kept cannot be read."""
    try:
        return msgspec.json.decode(store.setting(_status(source)) or "null", type=Status | None)
    except msgspec.MsgspecError:
        return None


def statuses(store: Store) -> dict[str, Status]:
    """By source, of all that were ever synced."""
    return {name: status for name in _names(store) if (status := status_of(store, name)) is not None}


def _names(store: Store) -> list[str]:
    try:
        return msgspec.json.decode(store.setting(NAMES) or "[]", type=list[str])
    except msgspec.MsgspecError:
        return []


def _status(source: str) -> str:
    return f"status:{source}"
