"""The reader processes of a server: they answer questions, so that questions and writes do not share one interpreter.

Each has the graph in its own memory. The server sends it each change of the graph, and with each question the revision that the answer
must have at least: so a write that was acknowledged is part of each later answer, and no answer is of two revisions.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from meshline.app.host_resources import count_processors, measure_free_memory, measure_memory
from meshline.app.logs import DETAILS
from meshline.app.reader_link import (
    Applied,
    EntryCounted,
    Finish,
    KeepRecords,
    MessageBuffer,
    QueryCounted,
    ReaderSetup,
    RecordsKept,
    Revised,
    ToServer,
    encode_changes,
    encode_message,
    encode_setup,
)
from meshline.app.service import Resources
from meshline.app.settings import Settings
from meshline.app.threads import run_in_thread
from meshline.errors import MeshlineError
from meshline.graph.store.base import Changes
from meshline.graph.store.factory import NEO4J_SCHEMES, find_sqlite_path

log = logging.getLogger("meshline.readers")

LEAST_COLUMNS = 20_000  # of a graph that has readers by itself: a question about a smaller one takes about a millisecond
LOOK_SECONDS = 30.0  # between two looks whether the graph is large enough now
LAG_SECONDS = 2.0  # after which the server answers in place of a reader that has not applied a change
SILENT_SECONDS = 60.0  # after which a reader that reports nothing is ended
UNSENT_BYTES = 64 * 2**20  # changes that wait for a reader; it reads those beyond from the store
SPARE_MEMORY = 0.5  # the share of the free memory that readers may take
PAUSES = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds before a reader that ended is started again; the last one counts for all further ends
STEADY_SECONDS = 120.0  # after which an end counts as the first one again
END_SECONDS = 5.0  # for the answers under way at the end

# The same modules from the same folders; `-P`, so that not even `json` is looked for in the current folder, unless this process does.
_COMMAND = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from meshline.frozen_imports import freeze_imports
with freeze_imports():
    from meshline.api.reader_process import main
main(*sys.argv[2:])"""


class ReaderObserver(Protocol):
    """Receives what readers have counted. Called on the event loop."""

    def count_reader_query(self, query: QueryCounted) -> None: ...

    def count_reader_end(self) -> None: ...


class ReaderState(NamedTuple):
    """What health and metrics show of a reader. `revision`: None while it loads the graph. `lag`: the seconds for which a change is not
    applied there; `memory`: bytes of its process.
    """

    number: int
    revision: int | None
    lag: float
    memory: int
    questions: int


class Reader:
    """One reader process, as the server sees it. Used on the event loop."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], door: socket.socket) -> None:
        self.number = number
        self.process = process
        self.revision: int | None = None
        self.memory = 0
        self.questions = 0  # under way
        self.begun = self.heard = time.monotonic()
        self.ended = asyncio.Event()
        self.transport: asyncio.WriteTransport | None = None
        self._door = door
        door.settimeout(0)  # never waits
        self._unapplied: deque[tuple[int, float]] = deque()  # revisions, and when they were sent

    def connect(self) -> socket.socket:
        """A new connection for questions. Raises OSError if the process has ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._door, [b"."], [theirs.fileno()])
        ours.settimeout(0)  # never waits
        return ours

    def send_changes(self, revision: int, message: bytes, gap: bytes) -> None:
        """`gap`: the message to send if too much waits for it already."""
        if self.transport is None or self.transport.is_closing():
            return
        self._unapplied.append((revision, time.monotonic()))
        self.transport.write(message if self.transport.get_write_buffer_size() < UNSENT_BYTES else gap)

    def note_applied(self, applied: Applied) -> None:
        self.revision, self.memory, self.heard = applied.revision, applied.memory, time.monotonic()
        while self._unapplied and self._unapplied[0][0] <= applied.revision:
            self._unapplied.popleft()

    def measure_lag(self) -> float:
        return time.monotonic() - self._unapplied[0][1] if self._unapplied else 0.0

    def close(self) -> None:
        self.revision = None
        self._door.close()
        if self.transport is not None:
            self.transport.close()
        self.ended.set()


class ReaderPool:
    """Starts readers, keeps them up to date, and starts others in place of those that end. Used on the event loop."""

    def __init__(self, settings: Settings, etag_key: bytes, observer: ReaderObserver) -> None:
        """`etag_key`: with which server and readers make ETags."""
        self._settings = settings
        self._etag_key = etag_key
        self._observer = observer
        self._readers: dict[int, Reader] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened: Resources | None = None
        self._closing = asyncio.Event()
        self._turns = itertools.count()

    def list_states(self) -> list[ReaderState]:
        """The readers, by number."""
        found = sorted(self._readers.values(), key=lambda reader: reader.number)
        return [ReaderState(one.number, one.revision, one.measure_lag(), one.memory, one.questions) for one in found]

    def choose(self) -> Reader | None:
        """The reader for the next question: the one with the fewest under way; None if no reader can answer now."""
        able = [one for one in self._readers.values() if one.revision is not None and one.measure_lag() < LAG_SECONDS]
        turn = next(self._turns)
        return min(able, key=lambda one: (one.questions, (one.number + turn) % len(able)), default=None)

    async def run(self, opened: Resources) -> None:
        """Keep as many readers as there should be, until it is cancelled."""
        if not _is_shared(self._settings.store) or not hasattr(socket, "send_fds"):
            return
        self._opened = opened
        loop = asyncio.get_running_loop()
        opened.live.publish = partial(self._publish, loop)
        started = 0
        while True:
            wanted = await run_in_thread(partial(count_readers, self._settings, opened))
            for number in range(started + 1, wanted + 1):  # a graph that shrinks keeps its readers
                self._start_task(self._keep_reader(number, opened))
            started = max(started, wanted)
            self._end_silent()
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """End all readers, those that answer after their answers."""
        self._closing.set()
        if self._opened is not None:
            self._opened.live.publish = None
        for reader in self._readers.values():
            if reader.revision is None or reader.transport is None:  # it still loads the graph
                reader.process.kill()
            else:
                reader.transport.write(encode_message(Finish()))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_SECONDS)
        for reader in self._readers.values():
            reader.process.kill()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_SECONDS)

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_reader(self, number: int, opened: Resources) -> None:
        """Start a reader, and another one whenever it ends."""
        ends = 0
        while not self._closing.is_set():
            begun = time.monotonic()
            try:
                status = await self._run_reader(number, opened)
            except OSError as error:
                status = f"it cannot be started: {error}"
            if self._closing.is_set():
                return
            self._observer.count_reader_end()
            ends = 1 if time.monotonic() - begun > STEADY_SECONDS else ends + 1
            pause = PAUSES[min(ends, len(PAUSES)) - 1]
            log.warning("reader %d has ended (%s), and is started again in %g seconds; the server answers itself", number, status, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)

    async def _run_reader(self, number: int, opened: Resources) -> str:
        """Start a reader, and wait until it has ended; why it has."""
        setup = ReaderSetup(number, self._settings, opened.naming, opened.live.precedence, self._etag_key)
        link, their_link = socket.socketpair()
        door, their_door = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with their_link, their_door:
            process = await run_in_thread(partial(_start_process, [their_link.fileno(), their_door.fileno()]))
        reader = self._readers[number] = Reader(number, process, door)
        try:
            link.settimeout(0)  # never waits
            transport, _ = await asyncio.get_running_loop().create_unix_connection(
                lambda: _Link(partial(self._receive, reader), reader.close), sock=link
            )
            reader.transport = transport
            transport.write(encode_setup(setup))
            log.info("reader %d is started", number, extra={DETAILS: {"process": process.pid}})
            await reader.ended.wait()
        finally:
            self._readers.pop(number, None)
            reader.close()
            status = await asyncio.shield(asyncio.ensure_future(run_in_thread(partial(_end_process, process))))
        return status

    def _receive(self, reader: Reader, message: ToServer) -> None:
        match message:
            case Applied():
                if reader.revision is None:
                    seconds = round(time.monotonic() - reader.begun, 1)
                    log.info("reader %d answers", reader.number, extra={DETAILS: {"revision": message.revision, "seconds": seconds}})
                reader.note_applied(message)
            case QueryCounted():
                self._observer.count_reader_query(message)
            case EntryCounted(event, actor, subject, purpose, number):
                if self._opened is not None:
                    self._opened.access_log.count(event, actor, subject, purpose, number)
            case KeepRecords():
                self._start_task(self._keep_records(reader, message))

    async def _keep_records(self, reader: Reader, message: KeepRecords) -> None:
        failure = "the server is stopping"
        if self._opened is not None:
            try:
                await run_in_thread(partial(self._opened.keep_records, message.records))
                failure = ""
            except MeshlineError as error:
                failure = str(error)
        if reader.transport is not None:
            reader.transport.write(encode_message(RecordsKept(message.number, failure)))

    def _publish(self, loop: asyncio.AbstractEventLoop, since: int, changes: Changes) -> None:
        """Send changes to all readers: before they are acknowledged, from the thread that applies them."""
        if self._readers:
            message = encode_changes(since, changes)
            gap = encode_message(Revised(since, None))
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._send_changes, changes.revision, message, gap)

    def _send_changes(self, revision: int, message: bytes, gap: bytes) -> None:
        for reader in self._readers.values():
            reader.send_changes(revision, message, gap)

    def _end_silent(self) -> None:
        """End the readers that have reported nothing for long: they neither answer nor follow."""
        for reader in self._readers.values():
            if reader.revision is not None and time.monotonic() - reader.heard > SILENT_SECONDS:
                log.error("reader %d does not report any more, and is ended", reader.number)
                reader.process.kill()


class _Link(asyncio.Protocol):
    """The link of the server to a reader."""

    def __init__(self, receive: Callable[[ToServer], None], close: Callable[[], None]) -> None:
        self._buffer = MessageBuffer()
        self._receive = receive
        self._close = close

    def data_received(self, data: bytes) -> None:
        for message in self._buffer.feed(data):
            self._receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._close()


def _is_shared(store: str) -> bool:
    """Whether another process can open the same store."""
    return find_sqlite_path(store) is not None or store.partition("://")[0] in NEO4J_SCHEMES


def count_readers(settings: Settings, opened: Resources) -> int:
    """How many readers a graph should have now, by the setting."""
    if settings.readers != "auto":
        return settings.readers
    processors = count_processors()
    with opened.live.lock:
        columns = opened.live.index.changes.measure_size().columns
    if processors < 2 or columns <= LEAST_COLUMNS:
        return 0
    free, each = measure_free_memory(), measure_memory(os.getpid())
    return processors - 1 if free is None or not each else min(processors - 1, int(free * SPARE_MEMORY) // each)


def _start_process(sockets: Sequence[int]) -> subprocess.Popen[bytes]:
    """A reader process with these sockets. It writes its log where this process does."""
    folders = json.dumps([str(Path(folder).absolute()) for folder in sys.path])
    command = [sys.executable, "-P", "-c", _COMMAND, folders, *map(str, sockets)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=sockets)  # noqa: S603 - ourselves


def _end_process(process: subprocess.Popen[bytes]) -> str:
    """Make sure that a process has ended; its status in words."""
    try:
        status = process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    return f"signal {-status}" if status < 0 else f"exit code {status}"
