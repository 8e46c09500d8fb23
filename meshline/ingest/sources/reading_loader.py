"""Loads a reading into the graph: only what differs from the active statements is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from meshline.errors import InvalidInput, StoreCorrupt
from meshline.graph.content import EMPTY
from meshline.graph.model import Scope, Statement
from meshline.graph.store.base import Batch, RunReader, Store
from meshline.ingest.sources.base import RIGHTS, Entry, Item, Reading, Refusal

if TYPE_CHECKING:  # a command that only parses a file does not wait for the index to be imported
    from meshline.graph.live_graph import LiveGraph

COMMIT_SIZE = 500  # statements in one commit, approximately
MAX_RETRACTED = 100_000  # retracted scopes of one source that are remembered


class Loading(NamedTuple):
    """What loading a reading changed, in scopes. `retracted`: the source stated them before and does not now. `kept`: missing
    from the reading, but a refusal may have meant them, or the reading was not complete. `has_rights`: see `Reading.has_read_rights`.
    """

    source: str
    revision: int
    read: int
    unchanged: int
    new: int
    changed: int
    retracted: int
    kept: int
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]
    has_rights: bool = False


def load_reading(graph: LiveGraph, reading: Reading, time: int, *, strict: bool = False) -> Loading:
    """Commit what a reading states. `time`: in microseconds since the epoch, for entries without a time and for retractions.

    Content that is active already is not written again. Other content takes effect whatever its time: from its own time,
    or from one microsecond after the statement that it replaces. `strict`: all items are read first, and the
    first refusal is raised before anything is written. Raises InvalidInput, StoreUnavailable.
    """
    found = iter(collect_items(reading) if strict else reading.items)
    return _Loader(graph, reading, time).load(found)


def collect_items(reading: Reading) -> list[Item]:
    """All items of a reading. Raises the first refusal's error."""
    found: list[Item] = []
    for one in reading.items:
        if isinstance(one, Refusal):
            raise one.error
        found.append(one)
    return found


class _Loader:
    def __init__(self, graph: LiveGraph, reading: Reading, time: int) -> None:
        self._graph = graph
        self._reading = reading
        self._source = reading.source
        with graph.lock:
            self._known = graph.index.changes.list_statements(reading.source)
        clock = graph.store.read_setting(_format_clock_key(reading.source))
        self._before = None if clock is None else int(clock)  # no statement of earlier loadings is newer than this
        self._newest = self._before
        self._time = time if self._before is None else max(time, self._before + 1)
        self._retracted = read_retracted(graph.store, reading.source)
        self._scopes: set[Scope] = set()
        self._refused: list[Refusal] = []
        self._batch: list[Statement] = []
        self._counts = {"read": 0, "unchanged": 0, "new": 0, "changed": 0}

    def load(self, found: Iterator[Item]) -> Loading:
        for one in found:
            if isinstance(one, Refusal):
                self._refused.append(one)
            elif one.scope in self._scopes:
                self._refused.append(
                    Refusal(
                        InvalidInput(f"the source has {' '.join(one.scope)} twice; only the first is ingested", self._source), one.scope
                    )
                )
            else:
                self._scopes.add(one.scope)
                self._load_entry(one) if isinstance(one, Entry) else self._count("unchanged")
            if len(self._batch) >= COMMIT_SIZE and not self._reading.atomic:
                self._commit()
        missing = [scope for scope in self._known if scope not in self._scopes]
        retracted = sorted(scope for scope in missing if self._is_retracted(scope))
        if retracted:  # recorded before the commit: a crash in between leaves a record of an active scope, which has no effect
            record_retracted(self._graph.store, self._source, {**self._retracted, **dict.fromkeys(retracted, self._time)})
        self._batch += [Statement(self._source, scope, self._time, EMPTY) for scope in retracted]
        self._commit()
        left = set(missing).difference(retracted)
        record_left_out(self._graph.store, self._source, sorted(scope for scope in left if scope[0] == RIGHTS))
        if self._reading.remember is not None:
            save_memory(self._graph.store, self._source, self._reading.remember())
        return Loading(
            source=self._source,
            revision=self._graph.index.revision,
            **self._counts,
            retracted=len(retracted),
            kept=len(missing) - len(retracted),
            refused=tuple(one.error for one in self._refused),
            warnings=tuple(self._reading.warnings),
            has_rights=self._reading.confirm_rights(self._refused),
        )

    def _load_entry(self, entry: Entry) -> None:
        self._count("read")
        known = self._known.get(entry.scope)
        if known is not None and known.digest == entry.content.digest:
            self._count("unchanged")
            return
        if known is None and entry.content.digest == EMPTY.digest:
            return
        self._count("new" if known is None else "changed")
        time = self._time if entry.time is None else entry.time
        if known is not None:
            time = max(time, known.observed_at + 1)
        elif entry.scope in self._retracted:
            time = max(time, self._retracted[entry.scope] + 1)
        self._batch += [Statement(self._source, entry.scope, at, content) for at, content in entry.past if at < time]
        self._batch.append(Statement(self._source, entry.scope, time, entry.content))

    def _is_retracted(self, scope: Scope) -> bool:
        """Whether a scope that is missing from the reading is retracted: not if a refusal may have meant it."""
        return self._reading.complete and not any(one.about == scope[: len(one.about)] for one in self._refused)

    def _count(self, what: str) -> None:
        self._counts[what] += 1

    def _commit(self) -> None:
        if not self._batch:
            return
        newest = max(statement.observed_at for statement in self._batch)
        if (
            self._newest is None or newest > self._newest
        ):  # before the commit: a crash in between leaves the clock too late, never too early
            self._newest = newest
            advance_clock(self._graph.store, self._source, newest)
        statements, self._batch = self._batch, []
        self._graph.commit(lambda _: Batch(statements=statements))


def save_memory(store: Store, source: str, memory: Mapping[str, str]) -> None:
    """Save what a source needs at its next reading."""
    store.write_setting(_format_memory_key(source), msgspec.json.encode(memory).decode())


def read_memory(store: Store, source: str) -> dict[str, str]:
    """The saved memory of a source; empty if it cannot be decoded, so that everything is read again."""
    try:
        return msgspec.json.decode(store.read_setting(_format_memory_key(source)) or "{}", type=dict[str, str])
    except msgspec.MsgspecError:
        return {}


def read_retracted(store: Store, source: str) -> dict[Scope, int]:
    """The scopes of a source that were ever retracted, with the time (microseconds) of the last retraction."""
    try:
        return dict(msgspec.json.decode(store.read_setting(_format_retracted_key(source)) or "[]", type=list[tuple[Scope, int]]))
    except msgspec.MsgspecError:
        return {}


def record_retracted(store: Store, source: str, scopes: Mapping[Scope, int]) -> None:
    """Add retracted scopes to those on record; beyond MAX_RETRACTED the oldest are dropped. Other processes may load the same
    source at the same time.
    """

    def build(_reader: RunReader) -> Batch:
        latest = sorted({**read_retracted(store, source), **scopes}.items(), key=lambda item: item[1])[-MAX_RETRACTED:]
        return Batch(settings={_format_retracted_key(source): msgspec.json.encode(latest).decode()})

    store.commit(build)


def read_left_out(store: Store, source: str) -> frozenset[Scope]:
    """The scopes of rights to read that a source states and that its last reading left out, because it was not of all tables.

    Raises StoreUnavailable, StoreCorrupt.
    """
    try:
        return frozenset(msgspec.json.decode(store.read_setting(_format_left_out_key(source)) or "[]", type=list[Scope]))
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"what the last reading of {source} left out cannot be read ({error}): sync it again") from error


def record_left_out(store: Store, source: str, scopes: Sequence[Scope]) -> None:
    """Record what a reading left out."""
    text = msgspec.json.encode(scopes).decode()
    if text != (store.read_setting(_format_left_out_key(source)) or "[]"):
        store.write_setting(_format_left_out_key(source), text)


def advance_clock(store: Store, source: str, time: int) -> None:
    """Let the source's next statements take effect after a time (microseconds), or after the recorded one if that is later."""
    store.commit(
        lambda _: Batch(settings={_format_clock_key(source): str(max(time, int(store.read_setting(_format_clock_key(source)) or time)))})
    )


def _format_memory_key(source: str) -> str:
    return f"memory:{source}"


def _format_retracted_key(source: str) -> str:
    return f"gone:{source}"


def _format_left_out_key(source: str) -> str:
    return f"left-out:{source}"


def _format_clock_key(source: str) -> str:
    return f"newest:{source}"
