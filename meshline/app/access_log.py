"""Entries of the audit log about rules and tokens that change, and, counted, about refused writes and reads of restricted data."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import MeshlineError
from meshline.governance.audit import AccessEvent, build_access_record, format_count_setting
from meshline.governance.notify.outbox import build_key
from meshline.graph.model import Json, from_micros, get_current_micros
from meshline.graph.store.base import Batch, Record, RunReader, Store

log = logging.getLogger("meshline.access")

WRITE_SECONDS = 5.0  # between two writes of counts
MOST_COUNTED = 10_000  # different counts between two writes; what is beyond is counted under OTHERS
MOST_PURPOSES = 20  # of one entry; what is beyond is counted under OTHERS
LONGEST_PURPOSE = 200  # characters
OTHERS = "others"
RULES_SETTING, TOKENS_SETTING = "audit: access rules", "audit: tokens"


Change: TypeAlias = tuple[AccessEvent, str, dict[str, Json]]  # an entry: its event, subject and details


class _Counted(NamedTuple):
    """What is counted in one entry. `day`: of UTC, as text."""

    event: AccessEvent
    actor: str
    subject: str
    day: str


class AccessLog:
    """Writes entries about access to a store. Thread-safe.

    A change is written at once. What is counted is kept in memory until `flush`, so that no answer waits for it: a process that
    is killed loses what it counted since the last one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counts: dict[_Counted, dict[str, int]] = {}  # by purpose

    def record_rules(self, digest: str) -> None:
        """The access rules that a server follows now, by the digest of their file (empty without one), if they have changed."""
        self._record_change(RULES_SETTING, digest, lambda before: [(AccessEvent.RULES, "", {"digest": digest, "before": before})])

    def record_tokens(self, tokens: Mapping[str, str]) -> None:
        """The tokens that a server accepts now, by fingerprint and name. An entry for each that is new, and each that is gone."""

        def list_changes(before: str) -> Iterable[Change]:
            known: dict[str, str] = msgspec.json.decode(before) if before else {}
            for state, one, other in (("made", tokens, known), ("withdrawn", known, tokens)):
                for fingerprint in sorted(one.keys() - other.keys()):
                    yield AccessEvent.TOKEN, one[fingerprint], {"state": state, "fingerprint": fingerprint}

        self._record_change(TOKENS_SETTING, msgspec.json.encode(dict(sorted(tokens.items()))).decode(), list_changes)

    def count(self, event: AccessEvent, actor: str, subject: str, purpose: str = "", number: int = 1) -> None:
        """Count what is recorded once for each caller, subject and day. `purpose`: as the caller states it."""
        day = from_micros(get_current_micros()).date().isoformat()
        with self._lock:
            counted = _Counted(event, actor, subject, day)
            if counted not in self._counts and len(self._counts) >= MOST_COUNTED:
                counted = counted._replace(actor=OTHERS, subject=OTHERS)
            by_purpose = self._counts.setdefault(counted, {})
            _add_purpose(by_purpose, purpose[:LONGEST_PURPOSE], number)

    def flush(self) -> None:
        """Write what was counted. Raises StoreUnavailable: then it is written by the next call."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            self._store.commit(lambda _: self._build_batch(counts))
        except MeshlineError:
            with self._lock:
                for counted, by_purpose in counts.items():
                    for purpose, number in by_purpose.items():
                        _add_purpose(self._counts.setdefault(counted, {}), purpose, number)
            raise

    def _build_batch(self, counts: Mapping[_Counted, Mapping[str, int]]) -> Batch:
        """Under the lock of the store: no other process adds to the same counts meanwhile."""
        now = get_current_micros()
        records: list[Record] = []
        settings: dict[str, str] = {}
        for counted, by_purpose in counts.items():
            key = build_key(*counted)
            known = self._store.read_setting(format_count_setting(key))
            if known is None:
                records.append(build_access_record(counted.event, counted.actor, counted.subject, now, {"day": counted.day}, key))
            purposes: dict[str, int] = {} if known is None else msgspec.json.decode(known, type=_Counts).purposes
            for purpose, number in by_purpose.items():
                _add_purpose(purposes, purpose, number)
            settings[format_count_setting(key)] = msgspec.json.encode(_Counts(sum(purposes.values()), purposes)).decode()
        return Batch(journal=records, settings=settings)

    def _record_change(self, setting: str, value: str, list_changes: Callable[[str], Iterable[Change]]) -> None:
        def build(_reader: RunReader) -> Batch:
            before = self._store.read_setting(setting) or ""
            if before == value:
                return Batch()
            now = get_current_micros()
            entries = [build_access_record(event, "", subject, now, details) for event, subject, details in list_changes(before)]
            return Batch(journal=entries, settings={setting: value})

        if (self._store.read_setting(setting) or "") != value:
            self._store.commit(build)


class _Counts(msgspec.Struct):
    """The setting beside a counted entry. `purposes`: how often with which stated purpose; empty text: without one."""

    count: int
    purposes: dict[str, int]


def _add_purpose(purposes: dict[str, int], purpose: str, number: int) -> None:
    if purpose not in purposes and len(purposes) >= MOST_PURPOSES:
        purpose = OTHERS
    purposes[purpose] = purposes.get(purpose, 0) + number
