"""Marquez: the events that it keeps, and the datasets, jobs and runs that no event names.

Events are the exact history, and are ingested like any others, as the source `openlineage/NAME`. What Marquez keeps besides
is stated by the source `marquez/NAME`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

import msgspec
from pydantic import Field

from meshline.errors import InvalidInput
from meshline.ingest.openlineage.builder import check_events
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.openlineage.events import parse_event_time
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, SourceConfig
from meshline.ingest.sources.http_reader import RefusedAnswer
from meshline.ingest.sources.marquez.event_history import END, EventHistory, HistoricEvent
from meshline.ingest.sources.marquez.facts import PRODUCER, ResourceReader
from meshline.ingest.sources.marquez.marquez_client import TRIES, MarquezClient
from meshline.ingest.sources.marquez.parse import (
    ANONYMOUS,
    Dataset,
    DatasetVersion,
    DataSource,
    Job,
    JobVersion,
    NameSet,
    Namespace,
    Run,
    mark_invented,
)
from meshline.ingest.sources.openlineage_files import EventWarnings, ingest_found
from meshline.ingest.sources.reading_loader import Loading, collect_items
from meshline.ingest.sources.secrets import Redaction, Variables, expand_variables
from meshline.ingest.sources.target import Target
from meshline.words import format_count

T = TypeVar("T", Dataset, Job)
V = TypeVar("V", DatasetVersion, JobVersion)

COMPLETE = "complete"  # in the memory: the last reading came to its end
RUNS = "runs:"  # begins the keys of the memory about the runs of a job
_ANY_TIME = 2**62

SAVE_SECONDS = 10.0  # between two savings of what is done: after a kill, at most so much is read again
MAX_WARNINGS = 20


class Marquez(SourceConfig):
    """A running Marquez. A dataset or job that is deleted there is retracted, if no event names it."""

    kind: ClassVar[str] = "marquez"
    url: str = Field(
        min_length=1, max_length=2048, description="The address of Marquez's API, e.g. http://marquez:5000; ${NAME} is a variable."
    )
    token: str = Field(
        default="", max_length=16_384, description="A bearer token, if a proxy before Marquez asks for one; ${NAME} is a variable."
    )
    events: bool = Field(
        default=True, description="Whether the events that Marquez keeps are ingested. If not, only what it made of them is."
    )
    owners: bool = Field(
        default=True, description="Whether the owner of a namespace owns its datasets and jobs that have no owner of their own."
    )
    versions: int = Field(
        default=100, ge=0, le=10_000, description="The number of versions that are read of a dataset or job which no event names."
    )


def ingest_marquez(
    target: Target, source: Marquez, folder: Path, *, variables: Variables, strict: bool, check_stop: Callable[[], None]
) -> Loading:
    """Ingest what is new in a Marquez. Counts are events and statements.

    `strict`: raises the first refusal; pages of events that were read before it are ingested. `check_stop`: called between parts
    of the reading; raises when it is to stop. Raises InvalidInput, StoreUnavailable.
    """
    url, token = (expand_variables(text, key, variables) for key, text in (("url", source.url), ("token", source.token)))
    redact = Redaction({"url": source.url, "token": source.token}, {"url": url, "token": token})
    with MarquezClient.connect(url, token or None, redact) as client:
        return _Import(target, source, client, target.build_context(source.source, folder, {}), check_stop, strict=strict).run()


class _Namespaces(msgspec.Struct):
    namespaces: list[Namespace]


class _Import:
    """One reading of a Marquez."""

    def __init__(
        self, target: Target, source: Marquez, client: MarquezClient, context: Context, check_stop: Callable[[], None], *, strict: bool
    ) -> None:
        is_same = source.events and context.memory.get("url") == client.url
        memory = context.memory if is_same else {}  # of another Marquez nothing is read yet
        self._target = target
        self._source = source
        self._client = client
        self._check_stop = check_stop
        self._strict = strict
        self._history = EventHistory(client, memory.get("events", ""))
        self._jobs, self._datasets = NameSet(memory.get("jobs", "")), NameSet(memory.get("datasets", ""))
        self._was_complete = COMPLETE in memory
        self._runs = {key: text for key, text in memory.items() if key.startswith(RUNS)}
        self._resources = ResourceReader(source.source, context.naming)
        self._uris: dict[str, str | None] = {}
        self._saved = time.monotonic()
        self._warnings = EventWarnings()
        self._notes: list[str] = []
        self._refused: list[InvalidInput] = []
        self._ingested = 0
        self._known = 0
        self._gaps: list[Refusal] = []  # lists that could not be read whole: what is missing is not retracted

    def run(self) -> Loading:
        self._client.read(_Namespaces, ("namespaces",), limit=1)  # the first request: is it a Marquez at all?
        if self._source.events:
            self._known = self._history.count_unchanged()
            self._ingest_history()
        reading = Reading(self._source.source, self._read_resources(), complete=True, atomic=False)
        loading = self._target.load(reading._replace(items=collect_items(reading)) if self._strict else reading)
        self._save(complete=True)
        return loading._replace(
            read=loading.read + self._ingested + len(self._refused),
            new=loading.new + self._ingested,
            unchanged=loading.unchanged + self._known,
            refused=(*self._refused, *loading.refused),
            warnings=(*self._notes, *self._warnings.list_shown(), *_shorten_list(self._resources.warnings)),
        )

    def _save(self, *, complete: bool = False) -> None:
        """`complete`: all was read and written, not only what is saved here."""
        self._saved = time.monotonic()
        memory = {
            "url": self._client.url,
            "events": self._history.encode(),
            "jobs": self._jobs.encode(),
            "datasets": self._datasets.encode(),
            **self._runs,
        }
        self._target.save_memory(self._source.source, {**memory, COMPLETE: "1"} if complete else memory)

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._save()

    def _ingest_history(self) -> None:
        """Ingest the events that are new. Those of the first page may be in the graph already, if the last reading was killed."""
        unverified = True
        try:
            for page in self._history.read_pages():
                self._check_stop()
                self._jobs.add(name for event in page.events for name in event.named.list_jobs())
                self._datasets.add(name for event in page.events for name in event.named.list_datasets())
                events = page.events
                if page.again or unverified:
                    known = self._read_known(events)
                    events = [event for event in events if normalise_body(event.body) not in known]
                    unverified = page.again or len(events) < len(page.events) or not page.events
                self._ingest([(f"{self._client.url} {event.named.event_time}", event.body) for event in events])
                self._save_sometimes()
        except RefusedAnswer as error:
            if error.status != 404:
                raise
            self._notes.append(f"this Marquez lists no events ({error}): only what it made of them is read")

    def _read_known(self, events: Sequence[HistoricEvent]) -> set[bytes]:
        if not events:
            return set()
        bodies = self._target.read_events(self._event_source, events[0].time, events[-1].time + 1)
        return {normalise_body(body) for body in bodies}

    @property
    def _event_source(self) -> str:
        return f"openlineage/{self._source.name}"

    def _ingest(self, events: Sequence[Found]) -> None:
        if self._strict:
            events = check_events(events)
        ingested, wrong = ingest_found(self._target, self._event_source, self._stop_between(events), self._warnings)
        self._ingested += ingested
        self._refused += wrong

    def _stop_between(self, events: Iterable[Found]) -> Iterator[Found]:
        for event in events:
            self._check_stop()
            yield event

    def _read_resources(self) -> Iterator[Item]:
        """What Marquez keeps besides its events."""
        for namespace in self._client.list_all(Namespace, "namespaces", ("namespaces",)):
            owner = namespace.owner_name if self._source.owners and namespace.owner_name != ANONYMOUS else None
            for dataset in self._list_resources(Dataset, namespace.name, "datasets"):
                self._check_stop()
                yield from self._read_dataset(dataset, owner or None)
            for job in self._list_resources(Job, namespace.name, "jobs"):
                self._check_stop()
                yield from self._read_job(job, owner or None)
        yield from self._gaps

    def _list_resources(self, shape: type[T], namespace: str, key: str) -> Iterator[T]:
        """The datasets or jobs of a namespace, each once. Jobs are sorted by their last change, so that one that changes while the pages
        are read is found only when the list is read again.
        """
        names: set[str] = set()
        path = ("namespaces", namespace, key)
        try:
            for _ in range(TRIES):
                total = 0
                for page in self._client.read_list(shape, key, path):
                    total = page.total_count
                    fresh = [one for one in page.entries if one.name not in names]
                    names.update(one.name for one in fresh)
                    yield from fresh
                if len(names) >= total:
                    return
        except RefusedAnswer as error:  # Marquez answers 500 if one entry lacks what it requires
            self._gaps.append(Refusal(error))
        else:
            changed = f"the {key} of {namespace[:200]!r} changed while they were read: read them again later"
            self._gaps.append(Refusal(InvalidInput(changed, self._client.url)))

    def _read_dataset(self, dataset: Dataset, owner: str | None) -> Iterator[Item]:
        if (dataset.namespace, dataset.name) in self._datasets:
            return self._resources.read_named_dataset(dataset, owner)
        path = ("namespaces", dataset.namespace, "datasets", dataset.name, "versions")
        return self._resources.read_dataset(dataset, self._list_versions(DatasetVersion, path), owner, self._find_uri(dataset.source_name))

    def _read_job(self, job: Job, owner: str | None) -> Iterator[Item]:
        named = next((name for name in list_event_names(job) if (job.namespace, name) in self._jobs), None)
        if named is not None:
            return self._resources.read_named_job(job, named, owner)
        if mark_invented(job.namespace, job.name) in self._jobs:
            return iter(())
        self._ingest_runs(job)
        versions = self._list_versions(JobVersion, ("namespaces", job.namespace, "jobs", job.name, "versions"))
        return self._resources.read_job(job, versions, owner)

    def _list_versions(self, shape: type[V], path: Sequence[str]) -> list[V]:
        try:
            return list(self._client.list_all(shape, "versions", path, self._source.versions))
        except RefusedAnswer as error:  # the history is missing, the present is known
            self._notes.append(str(error))
            return []

    def _find_uri(self, source: str | None) -> str | None:
        """The address of a data source; None if Marquez does not state it (status 500: an event gave no address)."""
        if source is not None and source not in self._uris:
            try:
                self._uris[source] = self._client.read(DataSource, ("sources", source)).connection_url or None
            except RefusedAnswer:
                self._uris[source] = None
        return None if source is None else self._uris[source]

    def _ingest_runs(self, job: Job) -> None:
        """Ingest the runs of a job which no event names, as events of their start and end; only what is new since the last reading."""
        key = f"{RUNS}{job.namespace}\n{job.name}"
        before = _decode_runs(self._runs.get(key))
        latest, begun = before.latest, set(before.begun)
        events: list[tuple[str, bytes]] = []
        try:
            for run in self._client.list_all(Run, "runs", ("namespaces", job.namespace, "jobs", job.name, "runs")):
                changed = parse_event_time(run.updated_at or run.created_at, _ANY_TIME)
                if changed <= before.latest and run.id not in before.begun:
                    continue
                bodies = self._resources.build_run_events(job, run, begun=run.id not in before.begun)
                events += [(f"{self._client.url} run {run.id}", body) for body in bodies]
                latest = max(latest, changed)
                if run.state == "RUNNING":
                    begun.add(run.id)
                else:
                    begun.discard(run.id)
        except RefusedAnswer as error:
            self._refused.append(error)
            return
        if events:
            self._ingest([event for event in events if normalise_body(event[1]) not in self._known_run_events])
            self._runs[key] = msgspec.json.encode(_KnownRuns(latest, sorted(begun))).decode()
            self._save_sometimes()

    @cached_property
    def _known_run_events(self) -> set[bytes]:
        """The events of runs that an earlier reading ingested, and was killed before it had saved that."""
        if self._was_complete:
            return set()
        found = self._target.read_events(self._event_source, 0, END)
        return {normalise_body(body) for body in found if PRODUCER.encode() in body}


class _KnownRuns(msgspec.Struct):
    """The runs of a job that were ingested: those changed up to a time (microseconds). `begun`: those of them that had not ended."""

    latest: int = -1
    begun: list[str] = []


def _decode_runs(text: str | None) -> _KnownRuns:
    try:
        return msgspec.json.decode(text or "{}", type=_KnownRuns)
    except msgspec.MsgspecError:
        return _KnownRuns()


def list_event_names(job: Job) -> Iterator[str]:
    """The names that events may have for a job: Marquez puts the name of its parent before that of the event."""
    yield job.name
    if job.parent_job_name:
        yield job.name.removeprefix(f"{job.parent_job_name}.")
    if job.simple_name:
        yield job.simple_name


def normalise_body(body: bytes) -> bytes:
    """The digest of an event that is the same however its JSON is written."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    return hashlib.blake2b(body, digest_size=16).digest()


def _shorten_list(found: Sequence[str]) -> Sequence[str]:
    more = len(found) - MAX_WARNINGS
    return [*found[:MAX_WARNINGS], f"{format_count(more, 'more warning')} about datasets and jobs"] if more > 0 else found
