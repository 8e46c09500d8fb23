"""Runs of jobs and datasets, when data was last written, and the events that were received."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

import msgspec
import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Asset, Connection, parse_cursor
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import Evidence, describe_field, refer_to_type
from meshline.graph.model import AssetKey, AssetKind, build_job_key, from_micros, to_micros
from meshline.graph.queries import events, runs
from meshline.graph.queries import product_health as health
from meshline.graph.queries.pages import SortKey
from meshline.graph.store.base import Run as StoredState
from meshline.graph.store.base import RunKey, RunRole, StoredEvent, StoredRun
from meshline.ingest.openlineage.restricted_record import restrict_record
from meshline.ingest.openlineage.run_state import RunEnd, RunRecord, decode_run_record

SHARE = 1000  # bytes of facets that count as one object of the answer

strawberry.enum(
    RunEnd,
    name="RunState",
    description="The state of a run. FAIL and ABORT are final, even if a COMPLETE came before or comes later.",
)


@strawberry.enum(name="RunRole", description="What a run does with a dataset.")
class DatasetRole(enum.Enum):
    READS = RunRole.READS
    WRITES = RunRole.WRITES


@strawberry.type(description="A dataset that a run names as input or output.")
class RunDataset:
    view: strawberry.Private[GraphView]
    texts: strawberry.Private[Mapping[str, str]]
    namespace: str = strawberry.field(description="As the producer spells it.")
    name: str = strawberry.field(description="As the producer spells it.")

    @describe_field("The dataset in the graph; null if the graph does not show it.", type_=refer_to_type("Dataset") | None)
    def dataset(self) -> Asset | None:
        naming = self.view.request.naming
        for key in (naming.normalise_dataset(self.namespace, self.name), AssetKey(AssetKind.DATASET, (self.namespace, self.name))):
            if (found := _find_asset(self.view, key)) is not None:
                return found
        return None

    @describe_field("The run's own facets of the dataset, and those of its role, word for word.")
    def facets(self) -> JSON:
        return _decode_facets(self.view, self.texts)


@strawberry.type(description="The run that started a run, as the facet `parent` names it.")
class ParentRun:
    view: strawberry.Private[GraphView]
    source: strawberry.Private[str]
    run_id: str
    job_namespace: str
    job_name: str

    @describe_field("Null if no event of it was received.")
    def run(self) -> Run | None:
        return find_run(self.view, RunKey(self.source, build_job_key(self.job_namespace, self.job_name), self.run_id))


@strawberry.type(description="All events of one job and run id, merged.")
class Run:
    view: strawberry.Private[GraphView]
    key: strawberry.Private[RunKey]
    record: strawberry.Private[RunRecord]
    id: strawberry.ID = strawberry.field(description="Opaque and stable; unlike `runId`, no two runs have the same.")
    run_id: str
    source: str
    job_namespace: str
    job_name: str
    state: RunEnd
    started_at: datetime = strawberry.field(description="The time of its first event.")
    ended_at: datetime | None = strawberry.field(description="The time of its first COMPLETE, FAIL or ABORT.")
    last_event_at: datetime
    nominal_start: datetime | None = strawberry.field(description="The start of the time for which it was scheduled.")
    nominal_end: datetime | None
    withheld: bool = strawberry.field(
        description="Whether its error and its facets, and some inputs and outputs, are withheld: it names assets that the caller may not"
        " see (access rules)."
    )

    @classmethod
    def from_state(cls, view: GraphView, run: StoredState) -> Self:
        view.request.spend()
        whole, key = decode_run_record(run.state), run.key
        record, withheld = restrict_record(view.index, view.request.naming, key.job, whole)
        return cls(
            view=view,
            key=key,
            record=record,
            id=strawberry.ID(runs.build_run_id(key)),
            run_id=key.run_id,
            source=key.source,
            job_namespace=key.job.parts[0],
            job_name=key.job.parts[1],
            state=record.state,
            started_at=from_micros(record.first),
            ended_at=_to_time(record.ended),
            last_event_at=from_micros(record.last),
            nominal_start=_to_time(record.nominal[0]),
            nominal_end=_to_time(record.nominal[1]),
            withheld=withheld,
        )

    @describe_field("Null if the graph does not show the job.", type_=refer_to_type("Job") | None)
    def job(self) -> Asset | None:
        return _find_asset(self.view, self.key.job)

    @describe_field("From its first event to its end, in milliseconds; null until it ended.")
    def duration_ms(self) -> float | None:
        return None if self.record.ended is None else (self.record.ended - self.record.first) / 1000

    @strawberry.field
    def parent(self) -> ParentRun | None:
        if self.record.parent is None:
            return None
        run_id, namespace, name = self.record.parent
        return ParentRun(view=self.view, source=self.key.source, run_id=run_id, job_namespace=namespace, job_name=name)

    @describe_field("The message of the facet `errorMessage`.")
    def error(self) -> str | None:
        self.view.request.spend(len(self.record.error or "") // SHARE)
        return self.record.error

    @strawberry.field
    def inputs(self) -> list[RunDataset]:
        return _build_datasets(self.view, self.record.inputs)

    @strawberry.field
    def outputs(self) -> list[RunDataset]:
        return _build_datasets(self.view, self.record.outputs)

    @describe_field("The facets of the run, word for word.")
    def facets(self) -> JSON:
        return _decode_facets(self.view, self.record.run_facets)

    @describe_field("The facets of the job that the run sent, word for word.")
    def job_facets(self) -> JSON:
        return _decode_facets(self.view, self.record.job_facets)


def _to_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _find_asset(view: GraphView, key: AssetKey) -> Asset | None:
    node = view.index.assets.find_by_key(key)
    return None if node is None or not view.index.assets.is_visible(node) else view.get_asset(node, Asset)


def _build_datasets(view: GraphView, named: Mapping[tuple[str, str], Mapping[str, str]]) -> list[RunDataset]:
    view.request.spend(len(named))
    return [RunDataset(view=view, texts=texts, namespace=namespace, name=name) for (namespace, name), texts in named.items()]


def _decode_facets(view: GraphView, texts: Mapping[str, str]) -> JSON:
    """Facets as JSON; each `SHARE` of their size counts as an object of the answer, which limits them. One that is no JSON is a text."""
    view.request.spend(sum(map(len, texts.values())) // SHARE)
    return JSON({name: _decode_json(text.encode(errors="replace")) for name, text in texts.items()})


def _decode_json(text: bytes) -> JSON:
    try:
        return JSON(msgspec.json.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return JSON(text.decode(errors="replace"))


@strawberry.type(name="RunConnection")
class RunConnection(Connection[Run]):
    view: strawberry.Private[GraphView]

    @describe_field(
        "Since when the list and its count are complete: runs that began earlier may have been dropped (the setting `run_retention_days`)."
        " Null if none was."
    )
    def complete_since(self) -> datetime | None:
        return _to_time(runs.find_complete_since(self.view.request.live))


def list_runs(view: GraphView, node: int, role: RunRole, first: int | None, after: str | None) -> RunConnection:
    """A page of the runs of a job, or of those that read or write a dataset, the newest first."""
    live, size = view.request.live, view.request.check_page_size(first)
    page = runs.list_asset_runs(live, view.index, node, role, size, parse_cursor(after, 1))
    return _build_connection(view, page, after, lambda: runs.count_asset_runs(live, view.index, node, role))


def _build_connection(view: GraphView, page: runs.RunPage, after: str | None, count: Callable[[], int]) -> RunConnection:
    return RunConnection(
        view=view,
        nodes=_build_runs(view, page.runs),
        keys=[(runs.build_run_cursor_key(stored.position), runs.build_run_id(stored.run.key)) for stored in page.runs],
        has_next=page.has_next,
        has_previous=after is not None,
        count=count,
    )


def _build_runs(view: GraphView, found: Sequence[StoredRun]) -> list[Run]:
    return [Run.from_state(view, stored.run) for stored in found]


def find_last_run(view: GraphView, node: int) -> Run | None:
    """The newest run of a job."""
    view.request.spend(0)
    return next(iter(_build_runs(view, runs.list_asset_runs(view.request.live, view.index, node, RunRole.JOB, 1).runs)), None)


def find_run(view: GraphView, key: RunKey) -> Run | None:
    """The run with this key, if any of its events was received."""
    view.request.spend(0)
    found = runs.find_run(view.request.live, key)
    return None if found is None or not view.index.may_name(key.job) else Run.from_state(view, found)


def find_run_by_id(view: GraphView, id_: str) -> Run | None:
    """The run with an id of GraphQL."""
    key = runs.parse_run_id(id_)
    return None if key is None else find_run(view, key)


def list_runs_by_id(view: GraphView, run_id: str, first: int | None, after: str | None) -> RunConnection:
    """A page of the runs with a run id, of any job and source, the newest first."""
    live, size = view.request.live, view.request.check_page_size(first)
    page = runs.list_runs_by_id(live, view.index, run_id, size, parse_cursor(after, 1))
    return _build_connection(view, page, after, lambda: runs.count_runs_by_id(live, view.index, run_id))


@strawberry.type(description="When the data of a dataset was last written, as far as anything proves it.")
class LastWritten:
    at: datetime
    evidence: Evidence
    run: Run | None = strawberry.field(description="The run that wrote it then; null for other evidence, or if its record is not kept.")


async def find_last_written(view: GraphView, dataset: int) -> LastWritten | None:
    """The newest proof that a dataset was written, now or up to the time of the view."""
    known, checks = await view.read_attributes(dataset), await view.read_checks(dataset)
    if not view.index.may_read(dataset):
        return None
    found = health.find_last_written(view.index, dataset, known, checks, view.time)
    if found is None:
        return None
    at, evidence = found
    run = await _find_writer(view, dataset, at) if evidence is health.Evidence.RUN else None
    return LastWritten(at=from_micros(at), evidence=evidence, run=run)


async def _find_writer(view: GraphView, dataset: int, at: int) -> Run | None:
    """The run whose statement proves that it wrote the dataset at a time."""
    scope_id = health.find_write(view.index, dataset, at)
    found = None if scope_id is None else await view.read_stating_run(scope_id)
    return None if found is None or not view.index.may_name(found.key.job) else Run.from_state(view, found)


class _EventRun(msgspec.Struct, rename="camel"):
    run_id: str | None = None


class _EventJob(msgspec.Struct):
    namespace: str | None = None
    name: str | None = None


class _EventBody(msgspec.Struct):
    """What is read of an event that was accepted: nothing in it is an error."""

    run: _EventRun | None = None
    job: _EventJob | None = None


@strawberry.type(description="An event as it was received. Events are kept as long as the settings allow.")
class Event:
    view: strawberry.Private[GraphView]
    text: strawberry.Private[bytes]
    at: datetime = strawberry.field(description="The time of the event.")
    received_at: datetime
    type: str = strawberry.field(
        description="START, RUNNING, COMPLETE, ABORT, FAIL or OTHER of a run; JOB or DATASET of an event without one."
    )
    source: str
    run_id: str | None
    job_namespace: str | None
    job_name: str | None

    @classmethod
    def from_stored(cls, view: GraphView, stored: StoredEvent) -> Self:
        event = stored.event
        view.request.spend()
        try:
            named = msgspec.json.decode(event.body, type=_EventBody)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            named = _EventBody()
        return cls(
            view=view,
            text=event.body,
            at=from_micros(event.at or 0),
            received_at=from_micros(event.received_at),
            type=event.type,
            source=event.source,
            run_id=named.run.run_id if named.run else None,
            job_namespace=named.job.namespace if named.job else None,
            job_name=named.job.name if named.job else None,
        )

    @describe_field("The event, word for word.")
    def body(self) -> JSON:
        self.view.request.spend(len(self.text) // SHARE)
        return _decode_json(self.text)


def list_events(view: GraphView, start: datetime | None, end: datetime | None, first: int | None, after: str | None) -> Connection[Event]:
    """A page of the events of a span of time, the newest first."""
    live, size = view.request.live, view.request.check_page_size(first)
    since, until = (None if time is None else to_micros(time) for time in (start, end))
    page = events.list_events(live, since, until, size, parse_cursor(after, 2))
    return Connection(
        nodes=[Event.from_stored(view, stored) for stored in page.events],
        keys=[(SortKey((stored.event.at or 0, stored.position), ()), "") for stored in page.events],
        has_next=page.has_next,
        has_previous=after is not None,
        count=lambda: events.count_events(live, since, until),
    )


@strawberry.enum(name="Bucket", description="The spans in which something is counted, in UTC: a day begins at midnight, a week on Monday.")
class Bucket(enum.Enum):
    HOUR = timedelta(hours=1)
    DAY = timedelta(days=1)
    WEEK = timedelta(weeks=1)


@strawberry.type(description="How many events of a span were received, by the time and the type of the events; repeated ones each time.")
class EventCount:
    at: datetime = strawberry.field(description="The beginning of the span.")
    start: int
    running: int
    complete: int
    fail: int
    abort: int
    other: int = strawberry.field(description="Of any other type, and events without a run.")


_RUN_TYPES = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT")


def count_events(view: GraphView, start: datetime, end: datetime, bucket: Bucket) -> list[EventCount]:
    """The counts of each span from the one in which `start` is, also of spans without events."""
    since, until, length = to_micros(start), to_micros(end), bucket.value // timedelta(microseconds=1)
    found = events.count_events_by_bucket(view.request.live, since - (since - events.MONDAY) % length, until, lambda at: at + length)
    view.request.spend(len(found))
    return [
        EventCount(
            at=from_micros(at),
            **{type_.lower(): counts.get(type_, 0) for type_ in _RUN_TYPES},
            other=sum(events_ for type_, events_ in counts.items() if type_ not in _RUN_TYPES),
        )
        for at, counts in found
    ]
