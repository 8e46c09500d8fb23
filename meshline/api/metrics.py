"""`GET /metrics`: metrics for operators in Prometheus' text format. Each application has its own registry."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from meshline import __version__
from meshline.api.errors import NO_TOKEN, BodyTooLarge, UnsupportedMedia
from meshline.api.graphql.context import RequestRecord
from meshline.app.reader_link import QueryCounted
from meshline.app.reader_pool import ReaderPool, ReaderState
from meshline.app.service import Resources, Service
from meshline.app.store_probe import STORE_SECONDS
from meshline.app.threads import run_in_thread
from meshline.errors import InvalidInput, NotReady, QueueFull, StoreUnavailable
from meshline.graph.index import Size
from meshline.graph.store.base import Projection
from meshline.ingest.pipeline import CommitSummary
from meshline.ingest.sources.sync import SyncOutcome
from meshline.ingest.sources.sync_status import Status

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
LOCK_SECONDS = 1.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
OTHER = "other"  # a path or method that is not ours: clients must not be able to create labels

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

# Errors as outcomes of events, the first class that fits.
_OUTCOMES: list[tuple[tuple[type[BaseException], ...], str]] = [
    ((InvalidInput,), "invalid"),
    ((BodyTooLarge,), "too_large"),
    ((UnsupportedMedia,), "unsupported"),
    ((QueueFull,), "queue_full"),
    ((StoreUnavailable, NotReady), "unavailable"),
]
FAILED = "failed"
UNKNOWN = float("nan")
OUTCOMES = ("accepted", "unchanged", *(outcome for _, outcome in _OUTCOMES), FAILED)
KAFKA_OUTCOMES = ("taken", "known", "dead_letter")
REFUSALS = (
    NO_TOKEN,
    "unknown_token",
    "expired_token",
    "invalid_jwt",
    "denied",
    "session",
    "provider",
    "store",
    "proxy",
    "origin",
    "role",
    "view",
    "host",
)
SYNCS = ("ok", "refused", "failed")
SCOPES = ("read", "unchanged", "new", "changed", "retracted", "refused")
LIMITS = ("NODES", "DEPTH", "TIME", "MATCHES")


class ServerState(NamedTuple):
    """Values that are read at each scrape. None = not known now: the graph is not loaded or busy, or the store does not answer."""

    ready: bool
    waiting: int
    waiting_bytes: int
    size: Size | None
    index_revision: int | None
    store_revision: int | None
    projection: Projection | None = None
    readers: Sequence[ReaderState] = ()


class Metrics:
    """The metrics of one application. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        # For the whole process: this format would write the times at which series began as series of their own.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._clock = clock
        ProcessCollector(namespace="meshline", registry=self._registry)
        build = self._add_gauge("build_info", "Always 1; the labels are the version of meshline and of Python.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)
        self._add_http_metrics()
        self._add_ingest_metrics()
        self._add_query_metrics()
        self._add_sync_metrics()
        self._add_state_metrics()

    def _add_gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"meshline_{name}", meaning, labels, registry=self._registry)

    def _add_counter(self, name: str, meaning: str, label: str, values: Iterable[str]) -> Counter:
        """A counter whose series all exist from the start, so that Prometheus sees the first occurrence as an increase."""
        counter = Counter(f"meshline_{name}", meaning, (label,), registry=self._registry)
        for value in values:
            counter.labels(value)
        return counter

    def _add_histogram(self, name: str, meaning: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(f"meshline_{name}", meaning, labels, registry=self._registry, buckets=tuple(buckets))

    def _add_http_metrics(self) -> None:
        labels = ("method", "route", "status")
        self._requests = Counter("meshline_http_requests", "HTTP requests answered.", labels, registry=self._registry)
        self._request_seconds = self._add_histogram(
            "http_request_seconds", "Seconds from a request to the end of its answer.", _FAST, "route"
        )
        self._request_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # cache: looking up a series by its labels is slow
        self._requests_under_way = self._add_gauge("http_requests_under_way", "HTTP requests that are being answered.")
        self._refusals = self._add_counter("auth_refusals", "Requests refused for their token, role or Host header.", "reason", REFUSALS)

    def _add_ingest_metrics(self) -> None:
        self._events = self._add_counter(
            "events", "OpenLineage events by outcome; unchanged: accepted, without a change of the graph.", "outcome", OUTCOMES
        )
        self._commit_events = self._add_histogram("commit_events", "Events in one commit to the store.", _GROUPS)
        self._commit_bytes = Counter("meshline_commit_bytes", "Bytes of the events that were committed.", registry=self._registry)
        self._commit_seconds = self._add_histogram("commit_seconds", "Seconds until a commit was durable and in the index.", _FAST)
        self._queue_events = self._add_gauge("queue_events", "Events that wait to be written.")
        self._queue_bytes = self._add_gauge("queue_bytes", "Bytes of events that wait to be written.")
        self._kafka = self._add_counter(
            "kafka_messages", "Messages from Kafka by outcome; known: delivered again after they were durable.", "outcome", KAFKA_OUTCOMES
        )
        self._kafka_lag = self._add_gauge("kafka_lag_messages", "Messages of a partition that are not durable yet.", "partition")

    def _add_query_metrics(self) -> None:
        self._query_seconds = self._add_histogram(
            "query_seconds", "Seconds for one GraphQL request by root field; several: it has more than one.", _FAST, "operation"
        )
        self._queries = Counter("meshline_queries", "GraphQL requests; outcome is ok, or the code of the first error.",
                                ("operation", "outcome"), registry=self._registry)  # fmt: skip
        self._truncations = self._add_counter("truncations", "Answers that stopped at a limit.", "limit", LIMITS)

    def _add_sync_metrics(self) -> None:
        labels = ("source", "outcome")
        self._syncs = Counter(
            "meshline_source_syncs",
            "Syncs of a source by this server; refused: parts of it were refused; failed: it could not be read to its end.",
            labels,
            registry=self._registry,
        )
        self._synced = Counter("meshline_source_scopes", "Scopes by what syncs of a source did with them.", labels, registry=self._registry)
        self._sync_seconds = self._add_gauge("source_sync_seconds", "Seconds that the last sync of a source took.", "source")
        self._source_up = self._add_gauge("source_up", "1 if the last sync of a source came to its end, else 0.", "source")
        self._source_lag = self._add_gauge("source_lag_seconds", "Seconds since a source was last read to its end.", "source")
        self._succeeded: dict[str, float] = {}  # last success, else first seen, in seconds since the epoch

    def _add_state_metrics(self) -> None:
        self._ready = self._add_gauge("ready", "1 while the graph is loaded and the store answers, else 0.")
        self._store_up = self._add_gauge("store_up", "1 if the store answered when this was read, else 0.")
        self._columns = self._add_gauge("index_columns", "Columns in the index.")
        self._datasets = self._add_gauge("index_datasets", "Datasets in the index; each name of a dataset counts.")
        self._jobs = self._add_gauge("index_jobs", "Jobs in the index.")
        self._edges = self._add_gauge("index_edges", "Lineage edges in the index, as statements contain them.")
        self._index_revision = self._add_gauge("index_revision", "Revision of the store that the index shows.")
        self._store_revision = self._add_gauge("store_revision", "Newest revision of the store.")
        self._lag = self._add_gauge("index_lag_revisions", "Revisions of the store that the index does not show yet.")
        self._projected = self._add_gauge("projected_revision", "Newest revision that the graph for people in Neo4j shows as a whole.")
        self._projection_lag = self._add_gauge(
            "projection_lag_seconds", "Seconds since the first commit that the graph for people in Neo4j does not show; 0: it shows all."
        )
        self._readers = self._add_gauge("readers", "Reader processes that answer questions now.")
        self._reader_revision = self._add_gauge("reader_revision", "Revision of the store that a reader shows.", "reader")
        self._reader_lag = self._add_gauge("reader_lag_seconds", "Seconds for which a reader has not applied a change.", "reader")
        self._reader_memory = self._add_gauge("reader_memory_bytes", "Bytes of resident memory of a reader.", "reader")
        self._reader_questions = Counter("meshline_reader_questions", "Requests that readers have answered.", registry=self._registry)
        self._reader_ends = Counter("meshline_reader_ends", "Readers that have ended and were started again.", registry=self._registry)
        for gauge in (self._columns, self._datasets, self._jobs, self._edges):
            gauge.set(UNKNOWN)

    # -- counting

    def count_request_begin(self) -> None:
        """The begin of a request."""
        self._requests_under_way.inc()

    def count_request_end(self, method: str, route: str, status: int, seconds: float) -> None:
        """The end of a request after `seconds`. `route`: one of our paths, or OTHER."""
        self._requests_under_way.dec()
        series = method if method in METHODS else OTHER, route, status
        known = self._request_series.get(series)
        if known is None:
            known = self._request_series[series] = self._requests.labels(*map(str, series)), self._request_seconds.labels(route)
        known[0].inc()
        known[1].observe(seconds)

    def count_refused_request(self, reason: str) -> None:
        """`reason`: one of REFUSALS."""
        self._refusals.labels(reason).inc()

    def count_refused_event(self, error: BaseException) -> None:
        """An event that was refused with this error."""
        self._events.labels(next((outcome for kinds, outcome in _OUTCOMES if isinstance(error, kinds)), FAILED)).inc()

    def count_commit(self, commit: CommitSummary) -> None:
        """One commit of events, which are durable now."""
        self._events.labels("accepted").inc(commit.events - commit.unchanged)
        self._events.labels("unchanged").inc(commit.unchanged)
        self._commit_events.observe(commit.events)
        self._commit_bytes.inc(commit.bytes)
        self._commit_seconds.observe(commit.seconds)

    def count_messages(self, outcome: str, number: int) -> None:
        """See `meshline.ingest.kafka.Observer`."""
        self._kafka.labels(outcome).inc(number)

    def set_lag(self, partition: int, messages: int) -> None:
        self._kafka_lag.labels(str(partition)).set(messages)

    def release_partition(self, partition: int) -> None:
        with suppress(KeyError):
            self._kafka_lag.remove(str(partition))

    def count_query(self, query: RequestRecord) -> None:
        self._queries.labels(query.operation, query.outcome).inc()
        self._query_seconds.labels(query.operation).observe(query.seconds)
        for limit in query.truncated:
            self._truncations.labels(limit).inc()

    def count_reader_query(self, query: QueryCounted) -> None:
        """A query that a reader has answered."""
        self.count_query(RequestRecord(query.operation, query.seconds, query.outcome, query.truncated))

    def count_reader_question(self) -> None:
        self._reader_questions.inc()

    def count_reader_end(self) -> None:
        self._reader_ends.inc()

    def count_sync(self, source: str, status: Status, done: SyncOutcome | None) -> None:
        """The status of the last sync of a source. `done`: its result, if this server has just made it."""
        if source not in self._succeeded:
            self._succeeded[source] = self._clock()
            for outcome in SYNCS:
                self._syncs.labels(source, outcome)
        if done is not None:
            self._syncs.labels(source, "failed" if status.error else "refused" if status.refused else "ok").inc()
            for outcome in SCOPES:
                self._synced.labels(source, outcome).inc(getattr(status, outcome))
        if status.succeeded is not None:
            self._succeeded[source] = status.succeeded / 1e6
        self._sync_seconds.labels(source).set(status.seconds)
        self._source_up.labels(source).set(not status.error)

    # -- reading

    def format_metrics(self, state: ServerState) -> bytes:
        """All metrics in Prometheus' text format."""
        self._ready.set(state.ready)
        self._store_up.set(state.store_revision is not None)
        self._queue_events.set(state.waiting)
        self._queue_bytes.set(state.waiting_bytes)
        if state.size is not None:  # else they keep their last values
            self._columns.set(state.size.columns)
            self._datasets.set(state.size.datasets)
            self._jobs.set(state.size.jobs)
            self._edges.set(state.size.edges)
        for source, at in list(self._succeeded.items()):
            self._source_lag.labels(source).set(max(self._clock() - at, 0))
        mine, newest = state.index_revision, state.store_revision
        self._index_revision.set(UNKNOWN if mine is None else mine)
        self._store_revision.set(UNKNOWN if newest is None else newest)
        self._lag.set(UNKNOWN if mine is None or newest is None else max(newest - mine, 0))
        self._projected.set(UNKNOWN if state.projection is None else state.projection.drawn)
        self._projection_lag.set(UNKNOWN if state.projection is None else state.projection.behind)
        self._set_readers(state.readers)
        return generate_latest(self._registry)

    def _set_readers(self, readers: Sequence[ReaderState]) -> None:
        self._readers.set(sum(reader.revision is not None for reader in readers))
        for gauge in (self._reader_revision, self._reader_lag, self._reader_memory):
            gauge.clear()
        for reader in readers:
            if reader.revision is not None:
                self._reader_revision.labels(str(reader.number)).set(reader.revision)
                self._reader_lag.labels(str(reader.number)).set(reader.lag)
                self._reader_memory.labels(str(reader.number)).set(reader.memory)


async def get_metrics(request: Request) -> Response:
    """Answer with the metrics, also while the graph is being loaded and while the store does not answer."""
    service: Service = request.app.state.service
    found: Metrics = request.app.state.metrics
    pool: ReaderPool = request.app.state.readers
    return Response(found.format_metrics(await _read_state(service, pool)), media_type=CONTENT_TYPE)


async def _read_state(service: Service, pool: ReaderPool) -> ServerState:
    opened = service.resources_or_none
    if opened is None:
        return ServerState(ready=False, waiting=0, waiting_bytes=0, size=None, index_revision=None, store_revision=None)
    answered = await opened.probe.read_revision(STORE_SECONDS)
    newest = answered if isinstance(answered, int) else None
    return ServerState(
        ready=newest is not None and not service.waiting_for,
        waiting=opened.pipeline.waiting,
        waiting_bytes=opened.pipeline.waiting_bytes,
        size=await run_in_thread(partial(_read_size, opened)),
        index_revision=opened.live.index.revision,
        store_revision=newest,
        projection=opened.probe.projection if newest is not None else None,
        readers=pool.list_states(),
    )


def _read_size(opened: Resources) -> Size | None:
    """The size of the index; None if the graph is locked for more than LOCK_SECONDS: a scrape must not wait for a long query."""
    lock = opened.live.lock
    if not lock.acquire(timeout=LOCK_SECONDS):
        return None
    try:
        return opened.live.index.changes.measure_size()
    finally:
        lock.release()
