"""Keeps the index of a store in a file, so that a process need not load it from all statements: it maps the file, and reads what changed.

A file belongs to one store in one state. When it is complete, its token is written into the store, and it is used for a store that
has the token only: that has all which the file has, even if it is a copy, or was restored from a backup since. Whatever is wrong with a
file, or with the place for it, the index is loaded from the store.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from meshline.errors import MeshlineError
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.snapshot_file import Busy, Part, SnapshotWriter, compute_code_digest, open_snapshot
from meshline.graph.index.title_pairs import TitlePairs
from meshline.graph.model import Precedence
from meshline.graph.own_files import Unusable
from meshline.graph.store.base import Batch, RunReader, Store

TOKENS = "index.snapshots"  # the setting of the store: JSON list of tokens, the newest last
MOST_TOKENS = 32  # of files that processes on several machines keep for one store

LEAST_HEADS = 2_000  # of a store that is worth a file: smaller ones load in a fifth of a second
CHANGED_SHARE = 10  # a new file is due when this part of all heads changed: a tenth
CHANGED_AT_END = 100  # and at the end of a process when a hundredth did
CHANGED_SECONDS = 900.0  # or after this time, if anything changed
_TITLES = "titles"

log = logging.getLogger("meshline.index")


class _Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file is of."""

    token: str
    revision: int
    precedence: Precedence


class Restored(NamedTuple):
    """An index as it was at its revision, and the titles."""

    lineage: LineageIndex
    titles: TitlePairs


class _Kept(NamedTuple):
    """What a file is of. `applied`: the heads that the index had applied; `has_names`: whether it had read names for searches; `time`: of
    `time.monotonic()`.
    """

    lineage: LineageIndex
    applied: int
    has_names: bool
    time: float


class Snapshots:
    """The file of one store. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._kept: _Kept | None = None

    def restore(self, store: Store, precedence: Precedence) -> Restored | None:
        """The index in the file, with what changed in the store since; None if the file is absent, or cannot be used."""

        def complete(restored: Restored) -> None:
            now = store.read_revision()
            if not now // 2 <= restored.lineage.revision <= now:
                raise Unusable("most of the store is newer")
            changes = store.read_changes(restored.lineage.revision)
            restored.titles.record(changes.heads)
            restored.lineage.changes.apply(changes)

        restored = self.map(store, precedence, complete)
        if restored is not None:
            with self._turn:
                self._kept = _Kept(restored.lineage, 0, restored.lineage.has_names, time.monotonic())
        return restored

    def map(self, store: Store, precedence: Precedence, complete: Callable[[Restored], None]) -> Restored | None:
        """An index of its own as it was when the file was written, with what `complete` does to it; None if the file is absent, or cannot
        be used. Processes, and indexes of one process, share the memory of all that they do not change.
        """

        def check(encoded: bytes) -> None:
            self._check(encoded, store, precedence)

        try:
            snapshot = open_snapshot(self.path, compute_code_digest(), check)
            facts = msgspec.msgpack.decode(snapshot.facts, type=_Facts)
            titles = TitlePairs(snapshot.arrays.pop(_TITLES, np.empty(0, np.uint8)).tobytes(), store.read_heads)
            restored = Restored(LineageIndex.restore(snapshot.arrays, facts.revision, precedence), titles)
            complete(restored)
        except FileNotFoundError:
            return None
        except MeshlineError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, the index is loaded from the store
            reason = (error.strerror or "") if isinstance(error, OSError) else str(error)
            log.warning("the index in %s is not used, and is loaded from the store: %s", self.path, reason or type(error).__name__)
            return None
        return restored

    @staticmethod
    def _check(encoded: bytes, store: Store, precedence: Precedence) -> None:
        """Raises Unusable for a file of another store, of another state of it, or of other settings."""
        try:
            facts = msgspec.msgpack.decode(encoded, type=_Facts)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Unusable("it is damaged") from None
        if facts.token not in read_tokens(store):
            raise Unusable("it is of another store, or of a state that this store does not have")
        if facts.precedence != precedence:
            raise Unusable("the precedence of sources was another")

    def is_due(self, index: LineageIndex, *, at_end: bool = False) -> bool:
        """Whether a file should be written: none fits, or much changed since."""
        heads = index.count_heads()
        if heads < LEAST_HEADS:
            return False
        with self._turn:
            kept = self._kept
        if kept is None or index is not kept.lineage or (index.has_names and not kept.has_names):
            return True
        changed = index.applied - kept.applied
        share = CHANGED_AT_END if at_end else CHANGED_SHARE
        return changed > heads // share or (changed > 0 and not at_end and time.monotonic() - kept.time > CHANGED_SECONDS)

    def write(self, store: Store, index: LineageIndex, titles: TitlePairs, collect: Callable[[Callable[[], None]], None]) -> bool:
        """Write the file, unless another process does; whether it was written. `collect`: calls what it is given while nothing changes.

        A file that cannot be written is logged, and is no error.
        """
        token = secrets.token_hex(16)
        begun = time.monotonic()
        try:
            with closing(SnapshotWriter(self.path)) as writer:
                writer.make_room(index.collect_parts())
                facts, kept = b"", _Kept(index, 0, has_names=False, time=0.0)

                def copy() -> None:
                    nonlocal facts, kept
                    writer.write(index.collect_parts())
                    facts = msgspec.msgpack.encode(_Facts(token, index.revision, index.precedence))
                    kept = _Kept(index, index.applied, index.has_names, time.monotonic())

                collect(copy)
                # Perhaps newer than the index, which does no harm: what changed since is recorded again.
                writer.write({_TITLES: Part(np.frombuffer(titles.save(), np.uint8), 0)})
                writer.finish(compute_code_digest(), facts)
            store.commit(lambda _reader: _add_token(store, _reader, token))
        except Busy:
            return False
        except (OSError, MeshlineError) as error:
            reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
            log.warning("the index is not kept in %s, so the next start takes longer: %s", self.path, reason)
            with self._turn:  # tried again when it is due again
                self._kept = _Kept(index, index.applied, index.has_names, time.monotonic())
            return False
        with self._turn:
            self._kept = kept
        log.info("the index is kept in %s: written in %.1f seconds", self.path, time.monotonic() - begun)
        return True


def read_tokens(store: Store) -> Sequence[str]:
    """The tokens of the files that are of states of this store."""
    try:
        return msgspec.json.decode(store.read_setting(TOKENS) or "[]", type=list[str])
    except msgspec.MsgspecError:
        return []


def _add_token(store: Store, _reader: RunReader, token: str) -> Batch:
    """Decided within the commit, so that no token of another process is lost."""
    return Batch(settings={TOKENS: msgspec.json.encode([*read_tokens(store), token][-MOST_TOKENS:]).decode()})
