"""The write path: events wait in a bounded queue, and one writer thread commits them in groups.

An event is acknowledged after the durable commit. A full queue refuses events, so that no accepted one is lost.
`replay_events` ingests the raw events that a store has kept, into another store or under other naming rules.
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
from meshline.graph.model import Scope, get_current_micros, parse_run
from meshline.graph.store.base import Batch, Changes, RunKey, RunReader, Store
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from meshline.ingest.openlineage.event_limits import EventLimits
from meshline.ingest.openlineage.events import Event, RunEvent
from meshline.ingest.openlineage.left_out import LeftOut, leave_out_facets
from meshline.ingest.openlineage.repair import Note
from meshline.ingest.openlineage.run_statements import build_statement_owner
from meshline.struct_types import prepare_struct_types


class CommitSummary(NamedTuple):
    """The counts of one commit. `bytes`: of event bodies. `seconds`: until it was durable and visible in the graph."""

    events: int
    unchanged: int  # events that did not change what the graph states, except for the time
    bytes: int
    seconds: float


def summarise_commit(received: Sequence[Received], batch: Batch, changes: Changes, seconds: float) -> CommitSummary:
    """The counts of a commit. `received`: its events; `batch`: what was built of them; `changes`: what that changed."""
    news = _find_news(batch, changes)
    unchanged = sum((item.source, _identify_origin(item)) not in news for item in received)
    return CommitSummary(len(received), unchanged, sum(len(item.body) for item in received), seconds)


def _find_news(batch: Batch, changes: Changes) -> set[tuple[str, str | int]]:
    """(source, origin) of the statements that changed the content of a scope. For origins see `_identify_origin`."""
    news: set[tuple[str, str | int]] = set()
    emptied: set[tuple[str, Scope]] = set()
    for head in changes.heads:
        if head.content is None:
            emptied.add((head.source, head.scope))
        elif head.valid_from == head.observed_at:  # a new interval begins; the start of one that continues is earlier
            news.add((head.source, parse_run(head.version) or head.observed_at))
    if emptied:  # find what ended the interval
        news.update(
            (ended.source, parse_run(ended.version) or ended.observed_at)
            for ended in batch.statements
            if (ended.source, ended.scope) in emptied
        )
        news.update((ended.source, parse_run(ended.version)) for ended in batch.withdrawals if (ended.source, ended.scope) in emptied)
    return news


def _identify_origin(item: Received) -> str | int:
    """The origin by which statements of an event are recognised: the owner of its run's statements; without a run, its time."""
    event = item.event
    if isinstance(event, RunEvent):
        return build_statement_owner(RunKey(item.source, model.build_job_key(*event.job), event.run_id))
    return event.time


log = logging.getLogger("meshline.ingest")


class CommitTarget(Protocol):
    """What the pipeline needs of a graph (`meshline.graph.live_graph.LiveGraph`)."""

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Commit the batch that `build` returns. Raises StoreUnavailable."""
        ...


class Limits(NamedTuple):
    """Maximum size of the queue (`waiting`) and of one commit (`group`): events, and bytes of their bodies."""

    waiting: int = 10_000
    waiting_bytes: int = 256 * 2**20
    group: int = 1_000
    group_bytes: int = 16 * 2**20


class Accepted(NamedTuple):
    """The acknowledgement of a durable event. `revision`: the first revision of the graph that contains it."""

    revision: int
    warnings: Sequence[Note]


Answer: TypeAlias = Future[Accepted] | asyncio.Future[Accepted]
EventCheck: TypeAlias = Callable[[Event], Sequence[LeftOut]]  # what is left out of an event; raises for one that is not to be ingested
MarkedEvent: TypeAlias = tuple[bytes, tuple[str, str] | None]  # an event, and the (name, value) of the setting that is written with it

# Maximum wait for a group, in seconds. See `Pipeline._wait_for_group`.
PATIENCE = 0.02


class _Waiting(NamedTuple):
    received: Received
    answer: Answer


class Pipeline:
    """Owns the queue and the writer thread. Safe for any number of threads and event loops."""

    def __init__(
        self,
        graph: CommitTarget,
        builder: BatchBuilder,
        limits: Limits | None = None,
        clock: Callable[[], int] = get_current_micros,
        observe: Callable[[CommitSummary], None] | None = None,
    ) -> None:
        """`observe`: called by the writer thread after each commit, before the events are acknowledged.

        `clock`: the current time in microseconds.
        """
        self._graph = graph
        self._builder = builder
        self._limits = limits or Limits()
        self._clock = clock
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._closed = False
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)  # notified when `_wanted` events wait: each notification costs a switch of threads
        self._room = threading.Condition(self._lock)
        self._wanted = 1
        self._expected = 0  # events that the next group may have: those that waited when the last was durable, and as many as it had
        self._took = 0.0  # seconds that the last commit took
        prepare_struct_types()
        self._writer = threading.Thread(target=self._write_groups, name="meshline-writer", daemon=True)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """The number of events in the queue."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        """The bytes of the events in the queue."""
        return self._bytes

    @property
    def event_limits(self) -> EventLimits:
        """The limits of one event."""
        return self._builder.reader.limits

    def submit(self, body: bytes, source: str = DEFAULT_SOURCE, *, wait: bool = False, check: EventCheck | None = None) -> Future[Accepted]:
        """Queue one event; the future resolves when it is durable. `check` raises for an event that its sender may not send, and finds what
        is left out of it, which is neither ingested nor kept; the warnings name it.

        Raises InvalidInput for an unusable event, QueueFull if the queue is full (with `wait`, waits for
        space instead), StoreUnavailable after `close`. The future fails with StoreUnavailable if the
        store cannot be reached.
        """
        future: Future[Accepted] = Future()
        future.set_running_or_notify_cancel()  # a caller that stops waiting does not cancel the event
        self._submit_event(body, source, future, check, wait=wait)
        return future

    def submit_all(self, events: Iterable[MarkedEvent], source: str = DEFAULT_SOURCE) -> list[Future[Accepted]]:
        """Queue events together, in order, each with a setting (or None) that the store writes in the same transaction.

        They are committed together, up to the limits of a group. If one fails because the store cannot be reached,
        all after it fail as well: a mark covers all events before it. The future of an unusable event fails at once.
        Raises QueueFull, unless the queue is empty, and StoreUnavailable after `close`.
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

    async def ingest(self, body: bytes, source: str = DEFAULT_SOURCE, check: EventCheck | None = None) -> Accepted:
        """Queue one event and wait until it is durable. `check`: as of `submit`. Raises as `submit` and its future do."""
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._submit_event(body, source, answer, check, wait=False)
        return await answer

    def close(self) -> None:
        """Refuse new events, commit the accepted ones, and end the writer thread."""
        with self._lock:
            self._closed = True
            self._arrived.notify_all()
            self._room.notify_all()
        self._writer.join()

    def abandon(self) -> None:
        """Like `close`, but drop the events in the queue: their futures fail with StoreUnavailable."""
        for one in self._clear_queue():
            one.answer.set_exception(StoreUnavailable("interrupted before it was written"))
        self.close()

    def _submit_event(self, body: bytes, source: str, answer: Answer, check: EventCheck | None, *, wait: bool) -> None:
        received_at = self._clock()
        event = self._builder.parser.parse(body, received_at)
        left_out = () if check is None else check(event)
        if left_out:
            body = leave_out_facets(body, left_out)
            event = self._builder.parser.parse(body, received_at)
            event = event._replace(warnings=(*event.warnings, *(one.build_note() for one in left_out)))
        self._enqueue([_Waiting(Received(source, event, received_at, body), answer)], wait=wait)

    def _enqueue(self, waiting: Sequence[_Waiting], *, wait: bool) -> None:
        """Put all of these into the queue, or none. Raises QueueFull, StoreUnavailable."""
        size = sum(len(one.received.body) for one in waiting)
        with self._lock:
            while not self._closed and self._is_full(len(waiting), size):
                if not wait:
                    raise QueueFull(f"the queue is full: {len(self._queue)} events wait to be written", retry_after=1)
                self._room.wait()
            if self._closed:
                raise StoreUnavailable("the server is shutting down; send the event again later")
            self._queue.extend(waiting)
            self._bytes += size
            if len(self._queue) >= self._wanted:
                self._arrived.notify()

    def _is_full(self, number: int, size: int) -> bool:
        """Whether events of this number and size do not fit. An empty queue accepts any."""
        if not self._queue:
            return False
        return len(self._queue) + number > self._limits.waiting or self._bytes + size > self._limits.waiting_bytes

    def _write_groups(self) -> None:
        while group := self._collect_group():
            self._commit_group(group)

    def _collect_group(self) -> list[_Waiting]:
        """The next events, up to the limits of a group; empty if the pipeline is closed and all events are written."""
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
            self._room.notify_all()
            return group

    def _clear_queue(self) -> list[_Waiting]:
        """Remove all events from the queue, and return them."""
        with self._lock:
            waiting = list(self._queue)
            self._queue.clear()
            self._bytes = 0
            self._room.notify_all()
            return waiting

    def _wait_for_group(self) -> None:
        """Wait for the events that are expected, but no longer than the last commit took.

        The senders of the last group are about to send again. To begin with the first of their events would mean
        twice as many commits, half of them with one event; to begin with those that came during the last commit, two halves in turns.
        A single sender never waits.
        """
        until = time.perf_counter() + min(self._took, PATIENCE)
        self._wanted = min(self._expected, self._limits.waiting, self._limits.group)
        while len(self._queue) < self._wanted and self._bytes < self._limits.group_bytes and not self._closed:
            left = until - time.perf_counter()
            if left <= 0:
                break
            self._arrived.wait(left)
        self._wanted = 1

    def _commit_group(self, group: Sequence[_Waiting]) -> bool:
        """Commit a group. False if the store cannot be reached: then all events in the queue have failed as well."""
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
            _fail([*group, *self._clear_queue()], error)  # they have waited for the store, too, and would wait as long again
            return False
        except Exception as error:  # noqa: BLE001 - an event that cannot be written must not fail the others
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
            self._expected = len(group) + len(self._queue)
            _deliver_answers([(waiting.answer, Accepted(changes.revision, waiting.received.event.warnings)) for waiting in group])
        return True

    def _notify_observer(self, received: Sequence[Received], batch: Batch, changes: Changes) -> None:
        """Call the observer. If it fails, the events are durable nevertheless, and the writer continues."""
        if self._observe is None:
            return
        try:
            self._observe(summarise_commit(received, batch, changes, self._took))
        except Exception:
            log.exception("the metrics of a commit could not be recorded")


def _fail(group: Iterable[_Waiting], error: Exception) -> None:
    _deliver_answers([(waiting.answer, error) for waiting in group])


def _deliver_answers(answers: Iterable[tuple[Answer, Accepted | Exception]]) -> None:
    """Set the results of futures; each event loop is notified once of all its futures."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Answer, Accepted | Exception]]] = {}
    for answer, outcome in answers:
        if isinstance(answer, Future):
            _settle(answer, outcome)
        else:
            by_loop.setdefault(answer.get_loop(), []).append((answer, outcome))
    for loop, its in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, so no caller waits
            loop.call_soon_threadsafe(_settle_all, its)


def _settle_all(answers: Iterable[tuple[Answer, Accepted | Exception]]) -> None:
    for answer, outcome in answers:
        if not answer.done():  # a caller that stopped waiting has cancelled it
            _settle(answer, outcome)


def _settle(answer: Answer, outcome: Accepted | Exception) -> None:
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class Outcome(NamedTuple):
    """The result of one event of a file or a replay: it was accepted, or `refused` with this error. `place`: where it is."""

    place: str
    accepted: Accepted | None
    refused: MeshlineError | None

    @property
    def error(self) -> MeshlineError | None:
        """Why it was refused, with its place; None if it was accepted."""
        if self.refused is None or str(self.refused).startswith(self.place):
            return self.refused
        return InvalidInput(str(self.refused), self.place)

    @property
    def warnings(self) -> list[str]:
        """The parts of it that were changed or not interpreted, each with its place."""
        return [] if self.accepted is None else [f"{self.place}: {note.where}: {note.what}" for note in self.accepted.warnings]


def ingest_all(pipeline: Pipeline, events: Iterable[tuple[str, bytes] | InvalidInput], source: str = DEFAULT_SOURCE) -> Iterator[Outcome]:
    """Ingest many events (place, body), in order; at most a full queue of them is in memory.

    An unusable event is refused, the others are ingested. Raises StoreUnavailable when the store fails.
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
    event's position in the store. `pipeline` must write to another store, else the replay would never end.
    """
    while page := store.read_raw_events(after, REPLAY_PAGE):
        after = page[-1].position
        for source in dict.fromkeys(stored.event.source for stored in page):
            events = ((str(stored.position), stored.event.body) for stored in page if stored.event.source == source)
            yield from ingest_all(pipeline, events, source)
