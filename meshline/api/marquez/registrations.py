"""What Marquez's clients register by name and the graph has no place for: owners of namespaces, data sources, descriptions of tags; and
which namespaces, datasets and jobs are hidden.

Each change is a record of the store's journal, so that nothing is lost, and a past time is shown as it was. The newest record of a name
counts.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from meshline.errors import StoreCorrupt
from meshline.governance.audit import build_setting_record
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Record, StoredRecord

KIND = "marquez"  # of the records
AT_ONCE = 1000


class Registered(enum.StrEnum):
    """What has entries."""

    NAMESPACE = "namespace"
    SOURCE = "source"
    TAG = "tag"
    DATASET = "dataset"
    JOB = "job"


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is registered under a name. `hidden`: lists and searches leave it out until a later event names it."""

    kind: Registered
    name: tuple[str, ...]
    hidden: bool = False
    owner: str | None = None
    description: str | None = None
    type: str | None = None
    url: str | None = None


class RegisteredEntry(NamedTuple):
    """The entry of a name with its time, and that of the first entry of the name, in microseconds."""

    entry: Entry
    at: int
    since: int


_decoder = msgspec.json.Decoder(Entry)
Key = tuple[Registered, tuple[str, ...]]


class Registry:
    """The entries of one store, as they were at any time. Follows the store whenever it is asked. Thread-safe."""

    def __init__(self, live: LiveGraph) -> None:
        self._store = live.store
        self._turn = Lock()
        self._position = 0
        self._history: dict[Key, list[tuple[int, Entry]]] = {}

    def read(self, as_of: int | None) -> dict[Key, RegisteredEntry]:
        """The entry of each name at a time (microseconds; None: now)."""
        with self._turn:
            self._follow()
            found: dict[Key, RegisteredEntry] = {}
            for key, entries in self._history.items():
                known = [one for one in entries if as_of is None or one[0] <= as_of]
                if known:
                    found[key] = RegisteredEntry(known[-1][1], known[-1][0], known[0][0])
            return found

    def read_position(self) -> int:
        """The place of the newest entry in the journal: another one, once there is a newer entry."""
        with self._turn:
            self._follow()
            return self._position

    def _follow(self) -> None:
        while kept := self._store.read_journal(KIND, self._position, AT_ONCE):
            self._position = kept[-1].position
            for one in kept:
                entry = _parse_entry(one)
                self._history.setdefault((entry.kind, entry.name), []).append((one.record.at, entry))


_known: WeakKeyDictionary[LiveGraph, Registry] = WeakKeyDictionary()


def find_registry(live: LiveGraph) -> Registry:
    """The registry of a graph: of the whole one for all who see a part of it."""
    return _known.setdefault(live.whole, Registry(live.whole))


def build_records(actor: str, entry: Entry, at: int) -> Sequence[Record]:
    """The record of an entry, and its entry in the audit log."""
    done = f"{'hide' if entry.hidden else 'register'} {entry.kind}"
    return Record(KIND, "", at, msgspec.json.encode(entry)), build_setting_record(actor, done, " ".join(entry.name), KIND, at)


def _parse_entry(kept: StoredRecord) -> Entry:
    try:
        return _decoder.decode(kept.record.body)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"record {kept.position} of the journal cannot be read ({error}): restore the store from a backup") from error
