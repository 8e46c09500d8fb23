"""The write path: events wait in a bounded queue, one writer commits what waits as one group.

An answer is given after the durable commit. Nothing is taken that cannot be kept: a full queue refuses.
`replay` ingests the raw events that a store has kept, into another store or under other naming rules.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple, Protocol, TypeAlias

from meshline.errors import InvalidInput, MeshlineError, QueueFull, StoreUnavailable
from meshline.graph import model
from meshline.graph.model import Scope, parse_run
from meshline.graph.store.base import Batch, Changes, RunKey, RunReader, Store
from meshline.ingest.file_times import get_current_micros
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from meshline.ingest.openlineage.event_limits import EventLimits
from meshline.ingest.openlineage.events import RunEvent
from meshline.ingest.openlineage.repair import Note
from meshline.ingest.openlineage.run_statements import build_statement_owner


class CommitSummary(NamedTuple):
    """One commit. `seconds`: until it was durable and shown."""

    events: int
    unchanged: int  # events after which the graph says what it said before, if more recently
    bytes: int
    seconds: float


def summarise_commit(received: Sequence[Received], batch: Batch, changes: Changes, seconds: float) -> CommitSummary:
    """What one commit did with these events, of which the batch was made."""
    news = _find_news(batch, changes)
    unchanged = sum((item.source, _identify_origin(item)) not in news for item in received)
    return CommitSummary(len(received), unchanged, sum(len(item.body) for item in received), seconds)


def _find_news(batch: Batch, changes: Changes) -> set[tuple[str, str | int]]:
    """(source, voice) of those who said what a scope did not say before: see `_voice`."""
    news: set[tuple[str, str | int]] = set()
    silent: set[tuple[str, Scope]] = set()
    for head in changes.heads:
        if head.content is None:
            silent.add((head.source, head.scope))
        elif head.valid_from == head.observed_at:  # a stretch begins; one that goes on began before
            news.add((head.source, parse_run(head.version) or head.observed_at))
    if silent:  # who ended what was said
        news.update(
            (said.source, parse_run(said.version) or said.observed_at) for said in batch.statements if (said.source, said.scope) in silent
        )
        news.update((taken.source, parse_run(taken.version)) for taken in batch.withdrawals if (taken.source, taken.scope) in silent)
    return news


def _identify_origin(item: Received) -> str | int:
    """By what statements are known to come from an event: its run's version, or, if it has no run, its time."""
    event = item.event
    if isinstance(event, RunEvent):
        return build_statement_owner(RunKey(item.source, model.build_job_key(*event.job), event.run_id))
    return event.time


log = logging.getLogger("meshline.ingest")


class CommitTarget(Protocol):
    """What the pipeline needs of a graph (`meshline.graph.live_graph.LiveGraph`)."""

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


Answer: TypeAlias = Future[Accepted] | asyncio.Future[Accepted]
MarkedEvent: TypeAlias = tuple[bytes, tuple[str, str]]  # an event, and the name and value of a setting

# Seconds, at most, that a group is waited for. See `Pipeline._gather`.
PATIENCE = 0.02


class _Waiting(NamedTuple):
    received: Received
    answer: Answer


class Pipeline:
    """Owns the writer thread. Safe for any number of threads and event loops."""

    def __init__(
        self,
        graph: CommitTarget,
        builder: BatchBuilder,
        limits: Limits | None = None,
        clock: Callable[[], int] = get_current_micros,
        observe: Callable[[CommitSummary], None] | None = None,
    ) -> None:
        """`observe` is told of each commit, by the writer, before the events are acknowledged."""
        self._graph = graph
        self._builder = builder
        self._limits = limits or Limits()
        self._clock = clock
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._closed = False
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)  # told when `_wanted` events wait: each telling costs a change of threads
        self._room = threading.Condition(self._lock)
        self._wanted = 1
        self._last = 0  # events of the last group
        self._took = 0.0  # seconds that it took
        self._writer = threading.Thread(target=self._write_groups, name="meshline-writer", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """Events that are accepted into the queue and not yet taken by the writer."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        """Their bytes."""
        return self._bytes

    @property
    def event_limits(self) -> EventLimits:
        """How much one event may hold."""
        return self._builder.reader.limits

    def submit(self, body: bytes, source: str = DEFAULT_SOURCE, *, wait: bool = False) -> Future[Accepted]:
        """Queue one event; the future resolves when it is durable.

        Raises InvalidInput for an unusable event, QueueFull if too much waits (with `wait`, waits for
        room instead), StoreUnavailable after `close`. The future fails with StoreUnavailable if the
        store cannot be reached.
        """
        future: Future[Accepted] = Future()
        future.set_running_or_notify_cancel()  # who stops waiting does not take the event back
        self._submit_event(body, source, future, wait=wait)
        return future

    def submit_all(self, events: Iterable[MarkedEvent], source: str = DEFAULT_SOURCE) -> list[Future[Accepted]]:
        """Queue events as one, in order, each with a setting of the store that is set when it is durable.

        If one fails because the store cannot be reached, so do all after it: what a mark says is true of all
        before it. The future of an unusable event fails at once. Raises QueueFull, unless nothing waits, and
        StoreUnavailable after `close`.
        """
        received_at = self._clock()
        waiting: list[_Waiting] = []
        futures: list[Future[Accepted]] = []
        for body, mark in events:
            future: Future[Accepted] = Future()
            future.set_running_or_notify_cancel()
            futures.append(future)
            try:
                waiting.append(_Waiting(Received(source, self._builder.parser.parse(body, received_at), received_at, body, mark), future))
            except InvalidInput as error:
                future.set_exception(error)
        self._enqueue(waiting, wait=False)
        return futures

    async def ingest(self, body: bytes, source: str = DEFAULT_SOURCE) -> Accepted:
        """`submit`, awaited."""
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._submit_event(body, source, answer, wait=False)
        return await answer

    def close(self) -> None:
        """Refuse what comes from now on, commit what was accepted, end the writer."""
        with self._lock:
            self._closed = True
            self._arrived.notify_all()
            self._room.notify_all()
        self._writer.join()

    def abandon(self) -> None:
        """As `close`, but what is not being written yet is dropped: its futures fail with StoreUnavailable."""
        for one in self._clear_queue():
            one.answer.set_exception(StoreUnavailable("interrupted before it was written"))
        self.close()

    def _submit_event(self, body: bytes, source: str, answer: Answer, *, wait: bool) -> None:
        received_at = self._clock()
        received = Received(source, self._builder.parser.parse(body, received_at), received_at, body)
        self._enqueue([_Waiting(received, answer)], wait=wait)

    def _enqueue(self, waiting: Sequence[_Waiting], *, wait: bool) -> None:
        """Put all of these into the queue, or none."""
        size = sum(len(one.received.body) for one in waiting)
        with self._lock:
            while not self._closed and self._is_full(len(waiting), size):
                if not wait:
                    raise QueueFull(f"{len(self._queue)} events wait to be written, no more can", retry_after=1)
                self._room.wait()
            if self._closed:
                raise StoreUnavailable("the server is shutting down; send the event again later")
            self._queue.extend(waiting)
            self._bytes += size
            if len(self._queue) >= self._wanted:
                self._arrived.notify()

    def _is_full(self, number: int, size: int) -> bool:
        """What comes first is always taken, however large."""
        if not self._queue:
            return False
        return len(self._queue) + number > self._limits.waiting or self._bytes + size > self._limits.waiting_bytes

    def _write_groups(self) -> None:
        while group := self._collect_group():
            self._commit_group(group)

    def _collect_group(self) -> list[_Waiting]:
        """What waits, up to the limits of a group; empty when closed and all is written."""
        with self._lock:
            while not self._queue and not self._closed:
                self._arrived.wait()
            self._wait_for_group()
            group: list[_Waiting] = []
            size = 0
            while self._queue and len(group) < self._limits.group:
                size += len(self._queue[0].received.body)
                if group and size > self._limits.group_bytes:
                    break
                group.append(self._queue.popleft())
                self._bytes -= len(group[-1].received.body)
            self._last = len(group)
            self._room.notify_all()
            return group

    def _clear_queue(self) -> list[_Waiting]:
        """All that waits."""
        with self._lock:
            waiting = list(self._queue)
            self._queue.clear()
            self._bytes = 0
            self._room.notify_all()
            return waiting

    def _wait_for_group(self) -> None:
        """Wait for as many as came last time, but no longer than it took to write those.

        Those who were answered just now are about to send again. To begin with the first of them would mean twice
        as many commits, half of them of one event; who sends alone, though, never waits.
        """
        until = time.perf_counter() + min(self._took, PATIENCE)
        self._wanted = min(self._last, self._limits.waiting, self._limits.group)
        while len(self._queue) < self._wanted and self._bytes < self._limits.group_bytes and not self._closed:
            left = until - time.perf_counter()
            if left <= 0:
                break
            self._arrived.wait(left)
        self._wanted = 1

    def _commit_group(self, group: Sequence[_Waiting]) -> bool:
        """Whether the store could be reached; if not, all that waits has failed."""
        received = [waiting.received for waiting in group]
        begun = time.perf_counter()
        batch = Batch()

        def build(runs: RunReader) -> Batch:
            nonlocal batch
            batch = self._builder.build_batch(received, runs)
            return batch

        try:
            changes = self._graph.commit(build)
        except StoreUnavailable as error:
            _fail([*group, *self._clear_queue()], error)  # who waits has waited for the store, too, and would wait as long again
            return False
        except Exception as error:  # noqa: BLE001 - whatever one event breaks must not take the others with it
            if len(group) == 1:
                _fail(group, error)
            else:
                for at, waiting in enumerate(group):
                    if not self._commit_group([waiting]):
                        _fail(group[at + 1 :], StoreUnavailable("the store cannot be reached; send the event again later"))
                        return False
        else:
            self._took = time.perf_counter() - begun
            self._notify_observer(received, batch, changes)
            _deliver_answers([(waiting.answer, Accepted(changes.revision, waiting.received.event.warnings)) for waiting in group])
        return True

    def _notify_observer(self, received: Sequence[Received], batch: Batch, changes: Changes) -> None:
        """Tell the observer. Its fault is not the events': they are durable, and the writer goes on."""
        if self._observe is None:
            return
        try:
            self._observe(summarise_commit(received, batch, changes, self._took))
        except Exception:
            log.exception("a commit could not be counted")


def _fail(group: Iterable[_Waiting], error: Exception) -> None:
    _deliver_answers([(waiting.answer, error) for waiting in group])


def _deliver_answers(answers: Iterable[tuple[Answer, Accepted | Exception]]) -> None:
    """Each event loop is told once of all that it waits for."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Answer, Accepted | Exception]]] = {}
    for answer, outcome in answers:
        if isinstance(answer, Future):
            _settle(answer, outcome)
        else:
            by_loop.setdefault(answer.get_loop(), []).append((answer, outcome))
    for loop, its in by_loop.items():
        with suppress(RuntimeError):  # closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, its)


def _settle_all(answers: Iterable[tuple[Answer, Accepted | Exception]]) -> None:
    for answer, outcome in answers:
        if not answer.done():  # who stops waiting has cancelled it
            _settle(answer, outcome)


def _settle(answer: Answer, outcome: Accepted | Exception) -> None:
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class Outcome(NamedTuple):
    """What became of one event of a file or a replay: accepted, or refused for this reason."""

    place: str
    accepted: Accepted | None
    refused: MeshlineError | None

    @property
    def error(self) -> MeshlineError | None:
        """Why it was refused, told with its place; None if it was accepted."""
        if self.refused is None or str(self.refused).startswith(self.place):
            return self.refused
        return InvalidInput(str(self.refused), self.place)

    @property
    def warnings(self) -> list[str]:
        """What of it was not taken as it came, each with its place."""
        return [] if self.accepted is None else [f"{self.place}: {note.where}: {note.what}" for note in self.accepted.warnings]


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
            yield _build_outcome(*pending.popleft())
    while pending:
        yield _build_outcome(*pending.popleft())


def _is_done(result: Future[Accepted] | MeshlineError) -> bool:
    return isinstance(result, MeshlineError) or result.done()


def _build_outcome(place: str, result: Future[Accepted] | MeshlineError) -> Outcome:
    if isinstance(result, MeshlineError):
        return Outcome(place, None, result)
    return Outcome(place, result.result(), None)


REPLAY_PAGE = 1_000  # raw events read at once


def replay_events(store: Store, pipeline: Pipeline, after: int = 0) -> Iterator[Outcome]:
    """Ingest the raw events of `store`, in their order of arrival, each under its own source.

    Only events that are still kept can be replayed (`Store.prune_raw`). Each outcome's place is the
    event's position in the store. Must not be given a pipeline into the same store: it would never end.
    """
    while page := store.read_raw_events(after, REPLAY_PAGE):
        after = page[-1].position
        for source in dict.fromkeys(stored.event.source for stored in page):
            events = ((str(stored.position), stored.event.body) for stored in page if stored.event.source == source)
            yield from ingest_all(pipeline, events, source)
