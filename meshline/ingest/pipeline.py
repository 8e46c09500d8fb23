"""The write path: events wait in a bounded queue, one writer commits what waits as one group.

An answer is given after the durable commit. Nothing is taken that cannot be kept: a full queue refuses.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from meshline.errors import InvalidInput, MeshlineError, QueueFull, StoreUnavailable
from meshline.graph.store.base import Batch, Changes, RunReader
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from meshline.ingest.openlineage.repair import Note


class Committing(Protocol):
    """What the pipeline needs of a graph (`meshline.graph.live.LiveGraph`)."""

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes: ...


class Limits(NamedTuple):
    """How much may wait, and how much is committed at once; bytes of event bodies."""

    waiting: int = 10_000
    waiting_bytes: int = 256 * 2**20
    group: int = 1_000
    group_bytes: int = 16 * 2**20


class Accepted(NamedTuple):
    """An event that is durable. `revision`: a graph of at least this revision shows it."""

    revision: int
    warnings: Sequence[Note]


class _Waiting(NamedTuple):
    received: Received
    future: Future[Accepted]


def now() -> int:
    """The clock, in microseconds."""
    return time.time_ns() // 1000


class Pipeline:
    """Owns the writer thread. Safe for any number of threads and event loops."""

    def __init__(self, graph: Committing, builder: BatchBuilder, limits: Limits | None = None, clock: Callable[[], int] = now) -> None:
        self._graph = graph
        self._builder = builder
        self._limits = limits or Limits()
        self._clock = clock
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()
        self._writer = threading.Thread(target=self._write, name="meshline-writer", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """Events that are accepted into the queue and not yet taken by the writer."""
        return len(self._queue)

    def submit(self, body: bytes, source: str = DEFAULT_SOURCE, *, wait: bool = False) -> Future[Accepted]:
        """Queue one event; the future resolves when it is durable.

        Raises InvalidInput for an unusable event, QueueFull if too much waits (with `wait`, waits for
        room instead), StoreUnavailable after `close`. The future fails with StoreUnavailable if the
        store cannot be reached.
        """
        received_at = self._clock()
        received = Received(source, self._builder.parser.parse(body, received_at), received_at, body)
        future: Future[Accepted] = Future()
        future.set_running_or_notify_cancel()  # who stops waiting does not take the event back
        with self._changed:
            while not self._closed and self._is_full(len(body)):
                if not wait:
                    raise QueueFull(f"{len(self._queue)} events wait to be written, no more can", retry_after=1)
                self._changed.wait()
            if self._closed:
                raise StoreUnavailable("the server is shutting down; send the event again later")
            self._queue.append(_Waiting(received, future))
            self._bytes += len(body)
            self._changed.notify_all()
        return future

    async def ingest(self, body: bytes, source: str = DEFAULT_SOURCE) -> Accepted:
        """`submit`, awaited."""
        return await asyncio.wrap_future(self.submit(body, source))

    def close(self) -> None:
        """Refuse what comes from now on, commit what was accepted, end the writer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._writer.join()

    def _is_full(self, size: int) -> bool:
        """One event is always taken, however large."""
        if not self._queue:
            return False
        return len(self._queue) >= self._limits.waiting or self._bytes + size > self._limits.waiting_bytes

    def _write(self) -> None:
        while group := self._next_group():
            self._commit(group)

    def _next_group(self) -> list[_Waiting]:
        """What waits, up to the limits of a group; empty when closed and all is written."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            group: list[_Waiting] = []
            size = 0
            while self._queue and len(group) < self._limits.group:
                size += len(self._queue[0].received.body)
                if group and size > self._limits.group_bytes:
                    break
                group.append(self._queue.popleft())
                self._bytes -= len(group[-1].received.body)
            self._changed.notify_all()
            return group

    def _commit(self, group: Sequence[_Waiting]) -> None:
        received = [waiting.received for waiting in group]
        try:
            changes = self._graph.commit(lambda runs: self._builder.batch(received, runs))
        except StoreUnavailable as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - whatever one event breaks must not take the others with it
            if len(group) == 1:
                _fail(group, error)
            else:
                for waiting in group:
                    self._commit([waiting])
        else:
            for waiting in group:
                waiting.future.set_result(Accepted(changes.revision, waiting.received.event.warnings))


def _fail(group: Iterable[_Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.future.set_exception(error)


class Outcome(NamedTuple):
    """What became of one event of a file or a replay: accepted, or refused for this reason."""

    place: str
    accepted: Accepted | None
    refused: MeshlineError | None


def ingest_all(pipeline: Pipeline, events: Iterable[tuple[str, bytes] | InvalidInput], source: str = DEFAULT_SOURCE) -> Iterator[Outcome]:
    """Take many events (place, body), in order, keeping the queue full and no more in memory.

    An unusable event is one refusal, the others are taken. Raises StoreUnavailable when the store fails.
    """
    pending: deque[tuple[str, Future[Accepted] | MeshlineError]] = deque()
    for event in events:
        if isinstance(event, InvalidInput):
            pending.append((event.where, event))
        else:
            place, body = event
            try:
                pending.append((place, pipeline.submit(body, source, wait=True)))
            except InvalidInput as error:
                pending.append((place, error))
        while pending and (len(pending) > Limits().waiting or _is_done(pending[0][1])):
            yield _outcome(*pending.popleft())
    while pending:
        yield _outcome(*pending.popleft())


def _is_done(result: Future[Accepted] | MeshlineError) -> bool:
    return isinstance(result, MeshlineError) or result.done()


def _outcome(place: str, result: Future[Accepted] | MeshlineError) -> Outcome:
    if isinstance(result, MeshlineError):
        return Outcome(place, None, result)
    return Outcome(place, result.result(), None)
