"""Bytes -> one OpenLineage event, as a frozen value.

Strict on what is used, lenient on what is not (OpenLineage 2-0-2): an event is refused only if it cannot be
assigned to a job or dataset and a time (not JSON, no time, neither job nor dataset, wrong types of names and lists).
A facet that cannot be parsed is kept verbatim and noted in a warning; so is column lineage that contradicts the schema
of the same output.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.bounded_cache import BoundedCache
from meshline.graph.model import to_micros
from meshline.ingest.file_times import AHEAD
from meshline.ingest.openlineage.column_lineage import MARKS, has_column
from meshline.ingest.openlineage.event_limits import (
    SMALL,
    Counts,
    check_bytes,
    check_datasets,
    check_name,
    check_numbers,
    find_uncounted_bytes,
)
from meshline.ingest.openlineage.facet_contents import SESSION_CATALOG, list_columns
from meshline.ingest.openlineage.facet_types import ColumnLineage, Schema
from meshline.ingest.openlineage.facets import COUNTED, Facet, FacetReader, Place
from meshline.ingest.openlineage.producers import UNFINISHED, find_change, find_producer
from meshline.ingest.openlineage.repair import Note, repair_event

MAX_COMPARED = 8 * 2**20  # bytes, approximately, of cached comparisons of schema and lineage
_SHOWN = 5

_CONSEQUENCE = (
    "these columns are left out: the lineage is read from the job's SQL if possible, else the columns of this output count as"
    " only possibly affected"
)


class Contradictions:
    """Finds column lineage that contradicts the schema of its output. Results are cached: the same facets come every day."""

    def __init__(self, reader: FacetReader) -> None:
        self._reader = reader
        self._compared: BoundedCache[tuple[bytes, bytes], tuple[str, ...]] = BoundedCache(MAX_COMPARED)

    def list_notes(self, job_facets: Mapping[str, Facet], outputs: Sequence[Mapping[str, Facet]]) -> Iterator[Note]:
        """A note for each output whose schema lists all of its columns, but not those of its lineage. `outputs`: their facets."""
        producer = None
        for position, facets in enumerate(outputs):
            schema, lineage = facets.get("schema"), facets.get("columnLineage")
            if schema is None or lineage is None or not (foreign := self._find_foreign_columns(schema, lineage)):
                continue
            producer = producer or find_producer(job_facets, self._reader)
            if producer.has_whole_output(find_change(facets.get("lifecycleStateChange"), self._reader)):
                where = f"$.outputs[{position}].facets.columnLineage"
                yield Note(where, f"it names columns that the schema of this output lacks ({_format_few(foreign)}); {_CONSEQUENCE}")

    def _find_foreign_columns(self, schema: Facet, lineage: Facet) -> tuple[str, ...]:
        """The columns that have sources in the lineage and are missing in the schema."""
        key = (schema.digest, lineage.digest)
        found = self._compared.get(key)
        if found is None:
            found = self._compare_columns(schema, lineage)
            self._compared.keep(key, found, 200 + 100 * len(found))
        return found

    def _compare_columns(self, schema: Facet, lineage: Facet) -> tuple[str, ...]:
        listed = self._reader.read(Place.DATASET, "schema", schema).value
        named = self._reader.read(Place.DATASET, "columnLineage", lineage).value
        if not isinstance(listed, Schema) or not isinstance(named, ColumnLineage) or not listed.fields:
            return ()
        fields = (named.fields or {}).items()
        plain = {field.name for field in listed.fields if field.fields is None and field.name[:1] not in MARKS}
        if plain.issuperset(named.fields or ()):  # as nearly always, and much faster than what follows
            return ()
        names = frozenset(name.casefold() for name in list_columns(listed))
        return tuple(name for name, field in fields if field is not None and field.input_fields and not has_column(names, name))


def _format_few(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


MAX_BYTES = 16 * 2**20  # of one event

_DELTA_LOG = "/_delta_log"  # Spark names it as an input of a stream from a Delta table
_OF_SESSION = "valid in one session of Flink, whatever the table is stored in; read as a table of this job alone"
_NO_NAMESPACE = "it is empty: datasets of this name without a namespace count as one, even if they are from different systems or jobs"


class EventType(enum.StrEnum):
    """The transition of the run that an event reports. Absent or unknown counts as OTHER."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


TERMINAL = frozenset({EventType.COMPLETE, EventType.ABORT, EventType.FAIL})


class DatasetMention(NamedTuple):
    """A dataset as an event names it. `role_facets`: inputFacets or outputFacets."""

    namespace: str
    name: str
    facets: Mapping[str, Facet] = {}
    role_facets: Mapping[str, Facet] = {}


class RunEvent(NamedTuple):
    """An event of a run. `time`: microseconds since the epoch, UTC. `job`: namespace and name."""

    time: int
    type: EventType
    run_id: str
    job: tuple[str, str]
    run_facets: Mapping[str, Facet]
    job_facets: Mapping[str, Facet]
    inputs: Sequence[DatasetMention]
    outputs: Sequence[DatasetMention]
    warnings: Sequence[Note] = ()


class JobEvent(NamedTuple):
    """Metadata of a job without a run. `time`: microseconds since the epoch, UTC. `job`: namespace and name."""

    time: int
    job: tuple[str, str]
    job_facets: Mapping[str, Facet]
    inputs: Sequence[DatasetMention]
    outputs: Sequence[DatasetMention]
    warnings: Sequence[Note] = ()


class DatasetEvent(NamedTuple):
    """Metadata of a dataset without a run. `time`: microseconds since the epoch, UTC."""

    time: int
    dataset: DatasetMention
    warnings: Sequence[Note] = ()


Event: TypeAlias = RunEvent | JobEvent | DatasetEvent

_RawFacets: TypeAlias = dict[str, msgspec.Raw] | None


class _Run(msgspec.Struct, rename="camel"):
    run_id: str
    facets: _RawFacets = None


class _Job(msgspec.Struct):
    namespace: str
    name: str
    facets: _RawFacets = None


class _Dataset(msgspec.Struct, rename="camel"):
    namespace: str
    name: str
    facets: _RawFacets = None
    input_facets: _RawFacets = None
    output_facets: _RawFacets = None


class _Event(msgspec.Struct, rename="camel"):
    event_time: str
    event_type: str | None = None
    run: _Run | None = None
    job: _Job | None = None
    dataset: _Dataset | None = None
    inputs: list[_Dataset] | None = None
    outputs: list[_Dataset] | None = None


_decoder = msgspec.json.Decoder(_Event)


class EventParser:
    """Parses events. `reader` parses their facets, so that problems are reported with the event. Thread-safe."""

    def __init__(self, reader: FacetReader) -> None:
        self._reader = reader
        self._contradictions = Contradictions(reader)

    def parse(self, body: bytes, now: int) -> Event:
        """The event in `body`. `now`: the current time in microseconds; no event may be more than a day ahead of it.

        Raises InvalidInput with the JSON path, what was found and what is accepted.
        """
        if len(body) > MAX_BYTES:
            raise InvalidInput(f"an event of {len(body)} bytes; at most {MAX_BYTES} are accepted", "$")
        check_numbers(body)
        notes: list[Note] = []
        event = _decode_event(body, notes)
        time = parse_event_time(event.event_time, now)
        return _EventBuilder(self._reader, self._contradictions, notes, len(body)).build_event(event, time)


class _EventBuilder:
    """Builds one event, and checks it against the limits."""

    def __init__(self, reader: FacetReader, contradictions: Contradictions, notes: list[Note], size: int) -> None:
        """`size`: bytes of the event."""
        self._reader = reader
        self._contradictions = contradictions
        self._notes = notes  # parts of the event that were changed or not interpreted
        self._limits = reader.limits
        self._counts = Counts(reader.limits) if size > find_uncounted_bytes(reader.limits) else None

    def build_event(self, event: _Event, time: int) -> Event:
        notes = self._notes
        if event.dataset is not None and event.job is None:
            return DatasetEvent(time, self._build_dataset(event.dataset, "$.dataset"), tuple(notes))
        assert event.job is not None
        check_datasets(len(event.inputs or ()), len(event.outputs or ()), "$", self._limits)
        self._check_names(event.job, "$.job")
        job = (event.job.namespace, event.job.name)
        job_facets = self._build_facets(Place.JOB, event.job.facets, "$.job.facets")
        inputs = self._build_datasets(event.inputs, "inputs", job)
        outputs = self._finish_outputs(self._build_datasets(event.outputs, "outputs", job), job_facets)
        notes += self._contradictions.list_notes(job_facets, [output.facets for output in outputs])
        if event.run is None:
            return JobEvent(time, job, job_facets, inputs, outputs, tuple(notes))
        check_name(event.run.run_id, "$.run.runId", self._limits)
        run_facets = self._build_facets(Place.RUN, event.run.facets, "$.run.facets")
        return RunEvent(
            time, _parse_event_type(event.event_type, notes), event.run.run_id, job, run_facets, job_facets, inputs, outputs, tuple(notes)
        )

    def _finish_outputs(self, outputs: tuple[DatasetMention, ...], job_facets: Mapping[str, Facet]) -> tuple[DatasetMention, ...]:
        """The outputs, by the names that they have once they are finished."""
        if not any(output.name.endswith(UNFINISHED) for output in outputs):
            return outputs
        producer = find_producer(job_facets, self._reader)
        names = [producer.find_finished_name(output.name) for output in outputs]
        for position, (output, name) in enumerate(zip(outputs, names, strict=True)):
            if name != output.name:
                self._notes.append(Note(f"$.outputs[{position}].name", f"dbt renames it when it is made: read as {name}"))
        return tuple(output._replace(name=name) for output, name in zip(outputs, names, strict=True))

    def _build_datasets(self, datasets: Sequence[_Dataset] | None, where: str, job: tuple[str, str]) -> tuple[DatasetMention, ...]:
        if not datasets:
            return ()
        return tuple(self._build_dataset(dataset, f"$.{where}[{position}]", job) for position, dataset in enumerate(datasets))

    def _build_dataset(self, dataset: _Dataset, where: str, job: tuple[str, str] | None = None) -> DatasetMention:
        """`job`: the namespace and name of the job that reads or writes the dataset."""
        if not dataset.namespace and job is not None and dataset.name.startswith(SESSION_CATALOG):
            self._notes.append(Note(f"{where}.name", _OF_SESSION))
            dataset = msgspec.structs.replace(dataset, namespace=job[0], name=f"{job[1]}/{dataset.name}")
        self._check_names(dataset, where)
        if not dataset.namespace:
            self._notes.append(Note(f"{where}.namespace", _NO_NAMESPACE))
        if dataset.name.endswith(_DELTA_LOG) and len(dataset.name) > len(_DELTA_LOG):
            self._notes.append(Note(f"{where}.name", "the log of a Delta table; read as the table, without what is stated of the log"))
            return DatasetMention(dataset.namespace, dataset.name.removesuffix(_DELTA_LOG))
        role = self._build_facets(Place.INPUT, dataset.input_facets, f"{where}.inputFacets")
        if dataset.output_facets:
            role = {**role, **self._build_facets(Place.OUTPUT, dataset.output_facets, f"{where}.outputFacets")}
        return DatasetMention(dataset.namespace, dataset.name, self._build_facets(Place.DATASET, dataset.facets, f"{where}.facets"), role)

    def _check_names(self, named: _Job | _Dataset, where: str) -> None:
        check_name(named.namespace, f"{where}.namespace", self._limits)
        check_name(named.name, f"{where}.name", self._limits)

    def _build_facets(self, place: Place, facets: _RawFacets, where: str) -> dict[str, Facet]:
        if not facets:
            return {}
        if self._counts is not None:
            self._counts.add_facets(len(facets), where)
        result = {}
        for name, text in facets.items():
            raw = bytes(text)
            if raw == b"null":
                continue
            check_name(name, where, self._limits)
            if place is not Place.RUN and name not in COUNTED:
                check_bytes(raw, f"{where}.{name}", self._limits)
            digest = hashlib.blake2b(raw, digest_size=16).digest()
            _, weight, problem, excess = self._reader.read_raw(place, name, digest, raw)
            if excess is not None:
                raise InvalidInput(excess.problem, f"{where}.{name}{excess.where}")
            if self._counts is not None and (extent := self._reader.count_facet(place, name, digest, raw)) is not SMALL:
                self._counts.add(extent, f"{where}.{name}")
            result[name] = Facet(digest, raw, weight)
            if problem:
                self._notes.append(Note(f"{where}.{name}", problem))
        return result


def _decode_event(body: bytes, notes: list[Note]) -> _Event:
    """The typed event. If the fast decoder refuses the body, `repair_event` repairs it or raises InvalidInput with the exact place."""
    try:
        event = _decoder.decode(body)
        usable = (event.job is not None or event.dataset is not None) and _has_names(event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        usable = False
    if not usable:
        event = _decoder.decode(repair_event(body, notes))
    return event


def _has_names(event: _Event) -> bool:
    """Whether the job, the run and all datasets have names."""
    if event.job is not None and not (event.job.name and (event.run is None or event.run.run_id)):
        return False
    if event.dataset is not None and not event.dataset.name:
        return False
    return all(dataset.name for dataset in event.inputs or ()) and all(dataset.name for dataset in event.outputs or ())


def _parse_event_type(text: str | None, notes: list[Note]) -> EventType:
    if text is None:
        return EventType.OTHER
    try:
        return EventType(text.upper())
    except ValueError:
        notes.append(Note("$.eventType", f"{text!r} is none of {', '.join(EventType)}; read as OTHER"))
        return EventType.OTHER


def parse_event_time(text: str, now: int) -> int:
    """Microseconds since the epoch of an ISO 8601 time, truncated to microseconds; a time without a zone is UTC.

    Raises InvalidInput for a text that is no time, and for a time before 1970 or more than a day after `now`.
    """
    cleaned = text.strip()
    if cleaned.endswith("z"):
        cleaned = cleaned[:-1] + "Z"
    try:
        time = to_micros(datetime.fromisoformat(cleaned))
    except ValueError as error:
        raise InvalidInput(
            f"{text[:60]!r} is no time ({error}); an ISO 8601 date and time is accepted, e.g. 2026-03-01T12:00:00Z", "$.eventTime"
        ) from error
    if time < 0:
        raise InvalidInput(f"{text[:60]!r} is before 1970; check the producer's clock", "$.eventTime")
    if time > now + AHEAD:
        raise InvalidInput(f"{text[:60]!r} is more than a day ahead of this server's clock; check the producer's clock", "$.eventTime")
    return time
