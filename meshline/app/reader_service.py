"""The service of a reader process: the graph of a store, as the server's process has it, to answer questions. It writes nothing itself."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from starlette.concurrency import run_in_threadpool

from meshline.app.access_log import AccessLog
from meshline.app.access_requests import RequestRegister
from meshline.app.host_resources import measure_memory
from meshline.app.kept_files import find_snapshots
from meshline.app.policy_service import PolicyService
from meshline.app.reader_link import Applied, EntryCounted, Finish, KeepRecords, ReaderLink, ReaderSetup, RecordsKept, Revised
from meshline.app.search_vectors import VectorUpkeep, open_search_vectors
from meshline.app.service import TASK_GRACE, Observer, Resources, Service, Upkeep
from meshline.app.store_probe import StoreProbe
from meshline.app.threads import repeat_in_thread, run_in_thread
from meshline.errors import MeshlineError, StoreUnavailable
from meshline.governance.audit import AccessEvent
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.base import Record
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.pipeline import Pipeline

log = logging.getLogger("meshline.reader")

KEEP_SECONDS = 20.0  # that the server may take to keep records
CLASSIFY_SECONDS = 1.0  # between two classifications of what was read: what a killed process has read since the last one is not counted
REPORT_SECONDS = 2.0  # between two reports to the server, if nothing changes
PUSH_SECONDS = 0.05  # that a question waits for the server's changes before it has them read from the store
PATIENCE = 2.0  # that a question waits for a revision

Prepare: TypeAlias = Callable[[LiveGraph, Naming, PolicyService, RequestRegister, AccessLog], Upkeep]


class Behind(Exception):
    """The process does not have the revision that was asked for in time."""


class ReportedLog(AccessLog):
    """Reports what is counted to the server, which writes it."""

    def __init__(self, link: ReaderLink, live: LiveGraph) -> None:
        super().__init__(live.store)
        self._link = link

    def count(self, event: AccessEvent, actor: str, subject: str, purpose: str = "", number: int = 1) -> None:
        with suppress(OSError):  # the server has ended
            self._link.send(EntryCounted(event, actor, subject, purpose, number))


class ReaderService(Service):
    """Follows the graph of the server: it sends its changes, and what it could not send is read from the store."""

    def __init__(self, setup: ReaderSetup, link: ReaderLink, observer: Observer, prepare: Prepare, end: Callable[[], None]) -> None:
        """`end` is called when the server wants the process to end, from any thread."""
        super().__init__(setup.settings, observer, prepare, self._fail)
        self._setup = setup
        self._link = link
        self._end = end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []  # questions for a revision; of the event loop
        self._numbers = itertools.count()
        self._kept: dict[int, Future[str]] = {}
        self._memory = 0
        self._turn = threading.Lock()  # guards the change from loading the graph to following it

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._receive_messages, name="meshline-link", daemon=True).start()
        await super().start()

    async def close(self) -> None:
        await self._stop_tasks()
        if self._resources is not None:
            await run_in_threadpool(self._upkeep.classify_reads)
            await run_in_threadpool(self._resources.live.store.close)

    async def wait_for(self, revision: int, register: int) -> None:
        """Wait until the graph has a revision, and requests for access the step at a position. Raises Behind."""
        opened = self.resources
        if opened.access_requests.position < register:
            await run_in_thread(opened.access_requests.refresh)
        if opened.live.revision >= revision:
            return
        deadline = time.monotonic() + PATIENCE
        with suppress(TimeoutError):
            async with asyncio.timeout(PUSH_SECONDS):
                await self._wait_for_push(revision)
        while opened.live.revision < revision:
            if time.monotonic() > deadline:
                raise Behind
            with suppress(MeshlineError):
                await run_in_thread(opened.live.refresh)
            if opened.live.revision < revision:
                await asyncio.sleep(PUSH_SECONDS)

    async def _wait_for_push(self, revision: int) -> None:
        applied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, applied))
        if self.resources.live.revision >= revision:  # it was applied meanwhile
            return
        await applied

    def keep_records(self, records: Sequence[Record]) -> None:
        """Have the server write records to the journal. Raises StoreUnavailable."""
        number, answer = next(self._numbers), Future[str]()
        self._kept[number] = answer
        try:
            self._link.send(KeepRecords(number, records))
            failure = answer.result(KEEP_SECONDS)
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable("the server did not keep the records: try again") from error
        finally:
            del self._kept[number]
        if failure:
            raise StoreUnavailable(failure)

    # -- the thread of the link

    def _receive_messages(self) -> None:
        """Until the server has ended: then this process does."""
        finishing = False
        try:
            while True:
                match self._link.receive():
                    case Revised() as revised:
                        self._receive_changes(revised)
                    case RecordsKept(number, failure):
                        if (answer := self._kept.get(number)) is not None:
                            answer.set_result(failure)
                    case Finish():
                        finishing = True
                        self._end()
        except (EOFError, OSError):
            if not finishing:  # the server was killed: no client waits for an answer
                os._exit(1)

    def _receive_changes(self, revised: Revised) -> None:
        with self._turn:
            if self._resources is None:  # it is read from the store when the graph is loaded
                return
            live = self._resources.live
        try:
            live.receive(revised.since, revised.changes)
        except MeshlineError as error:  # it is read again when a question needs it
            log.warning("changes are not shown yet: %s", error)
        except Exception:
            log.exception("changes cannot be applied: the process ends, and the server starts another")
            os._exit(1)
        self._report(live)

    def _report(self, live: LiveGraph) -> None:
        with suppress(OSError):
            self._link.send(Applied(live.revision, self._memory))
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake, live)

    def _report_memory(self, live: LiveGraph) -> None:
        self._memory = measure_memory(os.getpid())
        self._report(live)

    def _wake(self, live: LiveGraph) -> None:
        revision, waiting = live.revision, self._waiting
        self._waiting = [one for one in waiting if one[0] > revision and not one[1].done()]
        for wanted, applied in waiting:
            if wanted <= revision and not applied.done():
                applied.set_result(None)

    # -- the life of the service

    def _fail(self, error: MeshlineError) -> None:
        log.error("a reader process cannot open the graph, and ends: %s", error)
        os._exit(1)

    def _open_resources(self) -> Resources:
        settings, setup = self.settings, self._setup
        store = open_store(settings.store)
        live = LiveGraph.open(store, setup.precedence, snapshots=find_snapshots(settings, settings.store))  # its pages are shared
        live.vectors = open_search_vectors(settings, settings.store)
        live.prepare_lookup()
        governing = PolicyService(live, settings.policies)
        requests = RequestRegister(store)
        requests.refresh()
        entries = ReportedLog(self._link, live)
        self._upkeep = self.prepare(live, setup.naming, governing, requests, entries)
        pipeline = Pipeline(live, BatchBuilder(setup.naming))
        pipeline.close()  # no event is accepted here
        opened = Resources(
            live, setup.naming, governing, pipeline, None, None, None, StoreProbe(store), entries, requests, self.keep_records
        )
        with self._turn:
            live.refresh()
            self._resources = opened
        return opened

    def _start_tasks(self, opened: Resources) -> None:
        self._report_memory(opened.live)
        often = self.settings.refresh_seconds
        repeat = partial(repeat_in_thread, grace=TASK_GRACE)
        tasks = [
            self._follow(opened.live, opened.access_requests),
            run_in_thread(opened.live.prepare_questions),
            repeat(self._upkeep.classify_reads, CLASSIFY_SECONDS, "reads were not counted"),
            repeat(partial(self._report_memory, opened.live), REPORT_SECONDS, "the server does not know the revision of the reader"),
        ]
        if opened.live.vectors is not None:
            tasks.append(repeat(VectorUpkeep(opened.live).prepare, often, "the vectors of names were not made", at_once=True))
        self._tasks += map(asyncio.create_task, tasks)
