"""The service behind every API: the store, the live graph, the pipeline, and the background tasks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from starlette.concurrency import run_in_threadpool

from meshline.app import access_log, notifications
from meshline.app.access_journal import AccessJournal
from meshline.app.access_log import AccessLog
from meshline.app.access_requests import RequestRegister
from meshline.app.kept_files import find_snapshots
from meshline.app.logs import DETAILS
from meshline.app.notifications import Notifier
from meshline.app.parser_process import start_forks
from meshline.app.policy_service import PolicyService
from meshline.app.retention import build_retention
from meshline.app.search_vectors import VectorUpkeep, open_search_vectors
from meshline.app.settings import DAY, Settings
from meshline.app.store_probe import StoreProbe
from meshline.app.sync_scheduler import Plan, Scheduler
from meshline.app.threads import repeat_in_thread, run_in_thread
from meshline.app.token_uses import WRITE_SECONDS, write_uses
from meshline.app.tokens import TokenRegister
from meshline.errors import MeshlineError, NotReady, StoreUnavailable, require_extra
from meshline.governance.notify.violation_events import WatchedViolations
from meshline.graph.live_graph import LiveGraph, collect_as_usual, collect_seldom
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.naming_rules import Rule
from meshline.graph.store.base import Batch, Record, Store
from meshline.graph.store.factory import open_store
from meshline.ingest import mesh
from meshline.ingest.catalog_aliases import apply_rules, read_rules
from meshline.ingest.openlineage.builder import BatchBuilder, find_run_age
from meshline.ingest.openlineage.event_limits import EventLimits
from meshline.ingest.openlineage.run_index import index_stored_runs
from meshline.ingest.partings import end_partings
from meshline.ingest.pipeline import CommitSummary, Limits, Pipeline
from meshline.ingest.sources.sync import SyncOutcome, sync_or_raise
from meshline.ingest.sources.sync_status import Status
from meshline.ingest.sources.target import LocalTarget
from meshline.struct_types import prepare_struct_types

if TYPE_CHECKING:
    from meshline.ingest.kafka import EventConsumer, Subscription
    from meshline.ingest.kafka import Observer as KafkaObserver


def build_subscription(settings: Settings) -> Subscription | None:
    """The Kafka subscription of the settings, if any. Raises InvalidInput if it cannot be used, MissingExtra."""
    if settings.kafka is None:
        return None
    with require_extra("kafka", "consuming from Kafka"):
        from meshline.ingest.kafka import Subscription, check_subscription, read_properties  # noqa: PLC0415
    properties = {} if settings.kafka_config is None else read_properties(settings.kafka_config)
    found = Subscription(settings.kafka, settings.kafka_topic, settings.kafka_group, properties, settings.max_body_bytes)
    check_subscription(found)
    return found


def build_consumer(
    wanted: Subscription | None, settings: Settings, pipeline: Pipeline, store: Store, observer: KafkaObserver
) -> EventConsumer | None:
    """The consumer of a subscription, not yet started."""
    if wanted is None:
        return None
    from meshline.ingest.kafka import EventConsumer  # noqa: PLC0415

    return EventConsumer(wanted, pipeline, store, settings.source, observer)


log = logging.getLogger("meshline.api")

LOADING = "the graph is being loaded"
CLOSING = "the process is stopping"
RETRY_SECONDS = 2.0
PRUNE_SECONDS = 3600.0
PRUNE_PAUSE = 0.05  # seconds between two transactions that prune, in which others may write
PRUNED_AT = "history:pruned-at"  # the setting with the time of the last pruning, in microseconds
KEEP_SECONDS = 30.0  # between two looks whether the index should be kept for the next start
TASK_GRACE = 3.0  # seconds for the current step of a task that is stopped
PAUSE = 10  # the pause before names are joined again, in multiples of the last duration

run_in_task = partial(run_in_thread, grace=TASK_GRACE)


class Observer(Protocol):
    """Counts what a service does. For use by any thread."""

    def count_commit(self, commit: CommitSummary) -> None: ...

    def count_sync(self, source: str, status: Status, done: SyncOutcome | None) -> None: ...

    # see `meshline.ingest.kafka.Observer`

    def count_messages(self, outcome: str, number: int) -> None: ...

    def set_lag(self, partition: int, messages: int) -> None: ...

    def release_partition(self, partition: int) -> None: ...


class NullObserver:
    """Counts nothing: for a process that neither commits nor syncs."""

    def count_commit(self, commit: CommitSummary) -> None: ...

    def count_sync(self, source: str, status: Status, done: SyncOutcome | None) -> None: ...

    def count_messages(self, outcome: str, number: int) -> None: ...

    def set_lag(self, partition: int, messages: int) -> None: ...

    def release_partition(self, partition: int) -> None: ...


class Readers(Protocol):
    """The processes that answer questions (`meshline.app.reader_pool`)."""

    async def run(self, opened: Resources) -> None:
        """Start them when the graph is large, and again when they end, until it is cancelled."""
        ...

    async def close(self) -> None:
        """End them."""
        ...


class Resources(NamedTuple):
    """The open resources that requests use."""

    live: LiveGraph
    naming: Naming
    policies: PolicyService
    pipeline: Pipeline
    scheduler: Scheduler | None
    consumer: EventConsumer | None
    notifier: Notifier | None
    probe: StoreProbe
    access_log: AccessLog
    access_requests: RequestRegister
    keep_records: Callable[[Sequence[Record]], None]  # in the journal of the store, durably. Raises StoreUnavailable


class Upkeep(NamedTuple):
    """What answers requests, and is called again and again while the service is open: `classify_reads` before what is counted for the
    audit log is written, `write_due` as often as the store is read.
    """

    classify_reads: Callable[[], None] = lambda: None
    write_due: Callable[[], None] = lambda: None


class Service:
    """Opens in the background, so that the process answers at once; closes after writing every accepted event."""

    def __init__(
        self,
        settings: Settings,
        observer: Observer,
        prepare: Callable[[LiveGraph, Naming, PolicyService, RequestRegister, AccessLog], Upkeep],
        on_failure: Callable[[MeshlineError], None] | None = None,
        on_ready: Callable[[], None] | None = None,
        *,
        tokens: TokenRegister | None = None,
        read_rules_digest: Callable[[], str] = str,
        access: AccessJournal | None = None,
        readers: Readers | None = None,
    ) -> None:
        """`prepare` is called in the thread that opens the graph, before any request is answered. `on_ready` is called once when the
        service is open; `on_failure` for an error that a retry cannot remove. `tokens`: those whose last use is kept in the store.
        `read_rules_digest`: that of the access rules which are followed now; empty without any. `access`: the sessions and denials of
        the store. `readers`: the processes that answer questions in its place.
        """
        self.settings = settings
        self.observer = observer
        self.prepare = prepare
        self.on_failure = on_failure
        self.on_ready = on_ready
        self.tokens = tokens
        self.read_rules_digest = read_rules_digest
        self.access = access
        self.readers = readers
        self._uses: Mapping[str, int] = {}  # of tokens, as they are in the store
        self._upkeep = Upkeep()
        self.waiting_for = LOADING  # empty when ready
        self._resources: Resources | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def resources(self) -> Resources:
        """Raises NotReady."""
        self.check_open()
        assert self._resources is not None
        return self._resources

    @property
    def resources_or_none(self) -> Resources | None:
        return self._resources

    def check_open(self) -> None:
        """Raises NotReady."""
        if self._resources is None:
            raise NotReady(f"{self.waiting_for or LOADING}: try again")

    async def start(self) -> None:
        prepare_struct_types()
        self._tasks.append(asyncio.create_task(self._open()))

    async def close(self) -> None:
        """Stop ingesting, write every accepted event, close the store."""
        await self._stop_tasks()
        if self.readers is not None:
            await self.readers.close()
        opened, self._resources = self._resources, None
        if opened is not None:
            waiting = opened.pipeline.waiting
            log.info("stopping", extra={DETAILS: {"waiting": waiting}})
            if opened.consumer is not None:
                await run_in_threadpool(opened.consumer.stop)
            await run_in_threadpool(opened.pipeline.close)
            with suppress(MeshlineError):  # of the last minute; nothing that was accepted depends on it
                await run_in_threadpool(self._write_uses, opened.live.store)
            try:
                await run_in_threadpool(partial(self._write_counts, opened.access_log))
            except MeshlineError as error:
                log.error("reads and refused writes of the last seconds are not in the audit log: %s", error)  # noqa: TRY400
            if opened.live.vectors is not None:
                await run_in_threadpool(opened.live.vectors.close)
            try:
                await run_in_threadpool(partial(opened.live.keep_index, at_end=True))
            except Exception:
                log.exception("the index was not kept for the next start")
            await run_in_threadpool(opened.live.store.close)
            collect_as_usual()
            log.info("stopped")

    async def _stop_tasks(self) -> None:
        """End what runs in the background."""
        self.waiting_for = CLOSING
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(
            *self._tasks, return_exceptions=True
        ):  # a failed task must not prevent that accepted events are written
            if isinstance(ended, Exception):
                log.error("a background task failed", exc_info=ended)

    async def _open(self) -> None:
        """Open the store and the graph; retry as long as the store cannot be reached."""
        begun = time.monotonic()
        while self._resources is None:
            opening = asyncio.ensure_future(run_in_threadpool(self._open_resources))
            try:
                self._resources = await asyncio.shield(opening)
            except asyncio.CancelledError:  # a thread cannot be stopped: what it opens must still be closed
                with suppress(MeshlineError):
                    self._resources = await opening
                raise
            except StoreUnavailable as error:
                self.waiting_for = str(error)
                log.warning("%s; trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            except MeshlineError as error:
                self.waiting_for = str(error)
                if self.on_failure is None:
                    raise
                self.on_failure(error)
                return
        self.waiting_for = ""
        collect_seldom()
        size = self._resources.live.index.changes.measure_size()
        log.info(
            "ready",
            extra={
                DETAILS: {"revision": self._resources.live.index.revision, "seconds": round(time.monotonic() - begun, 1), **size._asdict()}
            },
        )
        if self.on_ready is not None:
            self.on_ready()
        self._start_tasks(self._resources)

    def _start_tasks(self, opened: Resources) -> None:
        """Start what runs until the service is closed."""
        store, often = opened.live.store, self.settings.refresh_seconds
        repeat = partial(repeat_in_thread, grace=TASK_GRACE)
        tasks = [
            self._follow(opened.live, opened.access_requests),
            self._join(opened.live),
            run_in_thread(start_forks),
            repeat(partial(self._prune, store), PRUNE_SECONDS, "what is past its retention was not deleted", at_once=True),
            self._prepare(opened.live),
            repeat(partial(self._write_uses, store), WRITE_SECONDS, "the last uses of tokens were not written"),
            repeat(
                partial(self._write_log, opened.access_log),
                access_log.WRITE_SECONDS,
                "the audit log of access was not written",
                at_once=True,
            ),
            repeat(self._upkeep.write_due, often, "reminders, ends and seen grants of access were not written"),
        ]
        if opened.live.vectors is not None:
            model = opened.live.vectors.model
            log.info("searches use vectors", extra={DETAILS: {"model": model.name, "digest": model.digest}})
            tasks.append(repeat(VectorUpkeep(opened.live).prepare, often, "the vectors of names were not made", at_once=True))
        if self.access is not None:
            tasks.append(repeat(self.access.follow, often, "sessions and denials that other processes write are not known"))
        if opened.scheduler is not None:
            tasks.append(opened.scheduler.run())
        if opened.notifier is not None:
            tasks.append(opened.notifier.run())
        if self.readers is not None:
            tasks.append(self.readers.run(opened))
        self._tasks += map(asyncio.create_task, tasks)
        if opened.consumer is not None:
            opened.consumer.start()

    @staticmethod
    async def _prepare(live: LiveGraph) -> None:
        """Prepare questions, and keep what that took with the index for the next start."""
        try:
            await run_in_thread(live.prepare_questions)
        except Exception:
            log.exception("questions were not prepared: the first ones take longer")
        await repeat_in_thread(live.keep_index, KEEP_SECONDS, "the index was not kept for the next start", grace=TASK_GRACE, at_once=True)

    def _open_resources(self) -> Resources:
        settings = self.settings
        store = open_store(settings.store)
        try:
            file = None if settings.mesh is None else mesh.parse_mesh_file(mesh.read_mesh_file(settings.mesh), str(settings.mesh))
            wanted = (None, None) if file is None else mesh.build_configuration(file)
            naming, precedence = mesh.configure_store(store, *wanted)
            index_stored_runs(store, naming)
            live = LiveGraph.open(store, precedence, snapshots=find_snapshots(settings, settings.store))
            live.vectors = open_search_vectors(settings, settings.store)
            if file is not None and settings.mesh is not None:
                loading = sync_or_raise(
                    LocalTarget(live, naming), file.source, partial(mesh.load_mesh, live, file, naming, mesh.read_file_time(settings.mesh))
                )
                for message in (*map(str, loading.refused), *loading.warnings):
                    log.warning("%s", message)
            live.prepare_lookup()
            if self.access is not None:
                self.access.open(store)
            governing = PolicyService(live, settings.policies)
            wanted_events = build_subscription(settings)
            notifier = self._build_notifier(live, governing)
        except BaseException:
            store.close()
            raise
        requests = RequestRegister(store)
        requests.refresh()
        entries = AccessLog(store)
        self._upkeep = self.prepare(live, naming, governing, requests, entries)
        limits = Limits(waiting=settings.queue_size, waiting_bytes=settings.queue_bytes)
        pipeline = Pipeline(live, BatchBuilder(naming, _build_event_limits(settings)), limits, observe=self.observer.count_commit)
        consuming = build_consumer(wanted_events, settings, pipeline, store, self.observer)
        return Resources(
            live,
            naming,
            governing,
            pipeline,
            self._build_scheduler(live, naming, pipeline, file),
            consuming,
            notifier,
            StoreProbe(store),
            entries,
            requests,
            partial(_keep_records, store),
        )

    def _build_notifier(self, live: LiveGraph, policies: PolicyService) -> Notifier | None:
        """The task that notifies recipients of committed changes, and the executor of approved requests; None if both are off.

        Raises InvalidInput.
        """
        settings = self.settings
        if not settings.notify and settings.access_executor is None:
            return None
        sending = notifications.build_sender(settings, live.store, executor_only=True)
        follower = notifications.build_follower(settings, live, WatchedViolations(policies.watch)) if settings.notify else None
        sends = settings.notify_send or settings.access_executor is not None
        return Notifier(live, follower, sending if sends else None, settings.refresh_seconds)

    def _build_scheduler(self, live: LiveGraph, naming: Naming, pipeline: Pipeline, file: mesh.Mesh | None) -> Scheduler | None:
        """The task that syncs the sources of the mesh file; None if no source has a schedule."""
        settings = self.settings
        if file is None or settings.mesh is None or not settings.sync_at_once or all(one.every is None for one in file.sources):
            return None
        plan = Plan(file.sources, settings.mesh.absolute().parent, file.namespaces, settings.sync_at_once)
        return Scheduler(LocalTarget(live, naming, lambda: nullcontext(pipeline)), plan, self.observer.count_sync)

    async def _join(self, live: LiveGraph) -> None:
        """Apply the rules that join names when the graph or the rules changed; end what keeps names apart when it is due."""
        seen: tuple[int, list[Rule]] = (-1, [])
        end: int | None = None
        wait = self.settings.refresh_seconds
        while True:
            await asyncio.sleep(wait)
            begun = time.monotonic()
            try:
                state = (live.index.revision, await run_in_task(partial(read_rules, live.store)))
                if state != seen or (end is not None and end <= get_current_micros()):
                    end = await run_in_task(partial(end_partings, live))
                    await run_in_task(partial(apply_rules, live))
                    seen = state
            except MeshlineError as error:
                log.warning("the rules that join names of catalogs were not applied: %s", error)
            except Exception:
                log.exception("the rules that join names of catalogs were not applied")
            wait = max(self.settings.refresh_seconds, PAUSE * (time.monotonic() - begun))

    async def _follow(self, live: LiveGraph, requests: RequestRegister) -> None:
        """Read what other processes write to the same store."""
        refreshed = time.monotonic()
        while True:
            await asyncio.sleep(min(self.settings.follow_seconds, self.settings.refresh_seconds))
            try:
                await run_in_task(live.refresh)
                if not self.waiting_for and time.monotonic() - refreshed < self.settings.refresh_seconds:
                    continue
                refreshed = time.monotonic()
                await run_in_task(live.renew)
                await run_in_task(live.prepare_titles)
                await run_in_task(requests.refresh)
                self.waiting_for = ""
            except MeshlineError as error:
                if not self.waiting_for:
                    log.warning("changes that other processes write are not shown: %s", error)
                self.waiting_for = str(error)
            except Exception:
                if not self.waiting_for:
                    log.exception("changes that other processes write cannot be shown")
                self.waiting_for = "changes that other processes write to the store cannot be shown: see the log"

    def _write_log(self, entries: AccessLog) -> None:
        self._write_counts(entries)
        if self.tokens is not None:
            entries.record_tokens(self.tokens.list_names())
        entries.record_rules(self.read_rules_digest())

    def _write_counts(self, entries: AccessLog) -> None:
        self._upkeep.classify_reads()
        entries.flush()

    def _write_uses(self, store: Store) -> None:
        uses = {} if self.tokens is None else self.tokens.list_uses()
        changed = {one: at for one, at in uses.items() if self._uses.get(one) != at}
        if changed:
            write_uses(store, changed)
            self._uses = uses

    def _prune(self, store: Store) -> None:
        """Delete raw events that are older than the settings allow, and once a day what else is past its retention."""
        store.prune_raw_events(self.settings.compute_raw_cutoff())
        now = get_current_micros()
        if now - int(store.read_setting(PRUNED_AT) or 0) < DAY:
            return
        pruned = store.prune_history(build_retention(self.settings, store), find_run_age, self._wait_for_others)
        if self.waiting_for != CLOSING:
            store.write_setting(PRUNED_AT, str(now))
        if any(pruned):
            log.info("history was pruned", extra={DETAILS: pruned._asdict()})

    def _wait_for_others(self) -> bool:
        time.sleep(PRUNE_PAUSE)
        return self.waiting_for != CLOSING


def _keep_records(store: Store, records: Sequence[Record]) -> None:
    store.commit(lambda _: Batch(journal=records))


def _build_event_limits(settings: Settings) -> EventLimits:
    return EventLimits(
        datasets=settings.event_datasets,
        pairs=settings.event_pairs,
        facets=settings.event_facets,
        columns=settings.event_columns,
        flows=settings.event_flows,
    )
