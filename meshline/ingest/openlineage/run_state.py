"""Run state: all events of one job and run id, merged.

The merge is a join of a semilattice (commutative, associative, idempotent), so that no order, repetition
or batching of events matters. Its size is bounded by what the run names, never by the number of its events.
Names are kept as producers spell them, not as keys: the merge must not depend on configured naming rules, a run
recorded under old rules can be stated again under new ones, and the spellings are kept at no cost.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.model import Json, to_micros
from meshline.ingest.openlineage.events import TERMINAL, DatasetMention, EventType, RunEvent
from meshline.ingest.openlineage.facet_types import JobType, Parent
from meshline.ingest.openlineage.facets import Facet, FacetReader, Place, Weight

CONTINUOUS = frozenset({"STREAMING", "SERVICE"})  # spec JobTypeJobFacet: no natural completion point


class Slot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One facet of a run. Of several, the one with the greatest (weight, time, terminal, digest) wins.

    `time`: of its event; `first`: of the first event that had a facet of this name and weight; both in microseconds.
    """

    weight: int
    time: int
    terminal: bool
    digest: bytes
    first: int
    raw: bytes

    @property
    def readable(self) -> bool:
        """Whether the facet can be parsed."""
        return self.weight > Weight.UNREADABLE


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dataset that a run names as input or output, in the producer's spelling. `first`, `last`: when, in microseconds."""

    namespace: str
    name: str
    first: int
    last: int
    facets: dict[str, Slot]
    role_facets: dict[str, Slot]


class RunState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All events of a run, merged. Times are microseconds; `first`, `last`: of any event.

    `completed` and `failed`: of the first COMPLETE, and of the first FAIL or ABORT. `aborted`: of the first ABORT; runs that
    were recorded by earlier versions have none.
    """

    first: int
    last: int
    completed: int | None
    failed: int | None
    run_facets: dict[str, Slot]
    job_facets: dict[str, Slot]
    inputs: list[Mention]
    outputs: list[Mention]
    aborted: int | None = None

    @property
    def left_out(self) -> bool:
        """Whether the run was aborted before it completed or failed otherwise."""
        return self.aborted is not None and self.completed is None and self.failed == self.aborted


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(RunState)


def encode_state(state: RunState) -> bytes:
    """The state as bytes (MessagePack); equal states give equal bytes."""
    return _encoder.encode(state)


def decode_state(blob: bytes) -> RunState:
    """The inverse of `encode_state`. Raises StoreCorrupt."""
    try:
        return _decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"a run's state cannot be read ({error}): restore the store from a backup") from error


def merge_events(state: RunState | None, events: Iterable[RunEvent]) -> RunState:
    """The state of a run with these events added. `state`: None for a new run, which needs at least one event."""
    for event in events:
        added = _build_state(event)
        state = added if state is None else join_states(state, added)
    assert state is not None
    return state


def join_states(one: RunState, other: RunState) -> RunState:
    """Both states merged."""
    return RunState(
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        completed=_find_earliest(one.completed, other.completed),
        failed=_find_earliest(one.failed, other.failed),
        run_facets=join_slots(one.run_facets, other.run_facets),
        job_facets=join_slots(one.job_facets, other.job_facets),
        inputs=_join_mentions([*one.inputs, *other.inputs]),
        outputs=_join_mentions([*one.outputs, *other.outputs]),
        aborted=_find_earliest(one.aborted, other.aborted),
    )


def join_slots(one: Mapping[str, Slot], other: Mapping[str, Slot]) -> dict[str, Slot]:
    """The facets of both, by name; of a name that both have the greater one (see `join_slot`)."""
    result = dict(one)
    for name, slot in other.items():
        known = result.get(name)
        result[name] = slot if known is None else join_slot(known, slot)
    return result


def join_slot(one: Slot, other: Slot) -> Slot:
    """The greater slot; if both have the same weight, its `first` is the earlier one."""
    greater = max(one, other, key=_rank)
    if one.weight != other.weight:
        return greater
    first = min(one.first, other.first)
    return greater if greater.first == first else msgspec.structs.replace(greater, first=first)


def join_roles(read: Mapping[str, Slot], written: Mapping[str, Slot]) -> dict[str, Slot]:
    """The facets of a dataset that is both input and output: of facets of one event, that of the output is the later state."""
    result = dict(read)
    for name, slot in written.items():
        known = result.get(name)
        if known is not None and known.weight == slot.weight and (known.time, known.terminal) == (slot.time, slot.terminal):
            result[name] = msgspec.structs.replace(slot, first=min(known.first, slot.first))
        else:
            result[name] = slot if known is None else join_slot(known, slot)
    return result


def _rank(slot: Slot) -> tuple[int, int, bool, bytes, bytes]:
    return slot.weight, slot.time, slot.terminal, slot.digest, slot.raw


def _build_state(event: RunEvent) -> RunState:
    """The state of a run with this event only."""
    time, terminal = event.time, event.type in TERMINAL

    def build_slots(facets: Mapping[str, Facet]) -> dict[str, Slot]:
        if not facets:
            return {}
        return {name: Slot(weight, time, terminal, digest, time, raw) for name, (digest, raw, weight) in facets.items()}

    def build_mentions(datasets: Iterable[DatasetMention]) -> list[Mention]:
        return _join_mentions(
            [Mention(d.namespace, d.name, time, time, build_slots(d.facets), build_slots(d.role_facets)) for d in datasets]
        )

    return RunState(
        first=time,
        last=time,
        completed=time if event.type is EventType.COMPLETE else None,
        failed=time if event.type in {EventType.FAIL, EventType.ABORT} else None,
        run_facets=build_slots(event.run_facets),
        job_facets=build_slots(event.job_facets),
        inputs=build_mentions(event.inputs),
        outputs=build_mentions(event.outputs),
        aborted=time if event.type is EventType.ABORT else None,
    )


def _join_mentions(mentions: list[Mention]) -> list[Mention]:
    if len(mentions) < 2:
        return mentions
    result: dict[tuple[str, str], Mention] = {}
    for mention in mentions:
        key = (mention.namespace, mention.name)
        known = result.get(key)
        result[key] = mention if known is None else _join_mention(known, mention)
    return [result[key] for key in sorted(result)]


def _join_mention(one: Mention, other: Mention) -> Mention:
    return Mention(
        one.namespace,
        one.name,
        min(one.first, other.first),
        max(one.last, other.last),
        join_slots(one.facets, other.facets),
        join_slots(one.role_facets, other.role_facets),
    )


def _find_earliest(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


class ParentRun(NamedTuple):
    """The run that started a run, with the job of its root run. Runs with the same parent `run_id` are siblings, whatever job they name."""

    job: tuple[str, str]
    run_id: str
    root: tuple[str, str] | None


def find_parent_run(state: RunState, reader: FacetReader) -> ParentRun | None:
    """The parent run that the facet `parent` names; None if there is no such facet, or it cannot be parsed."""
    slot = state.run_facets.get("parent")
    parent = reader.read(Place.RUN, "parent", slot).value if slot else None
    if not isinstance(parent, Parent):
        return None
    root = parent.root.job if parent.root else None
    return ParentRun((parent.job.namespace, parent.job.name), parent.run.run_id, (root.namespace, root.name) if root else None)


def is_continuous(state: RunState, reader: FacetReader) -> bool:
    """Whether the run is of a streaming or service job, which takes effect at every event."""
    slot = state.job_facets.get("jobType")
    job_type = reader.read(Place.JOB, "jobType", slot).value if slot else None
    return isinstance(job_type, JobType) and (job_type.processing_type or "").upper() in CONTINUOUS


class RunOutcome(NamedTuple):
    """The end of a run, as far as its statements depend on it: times in microseconds; None if it did not complete or fail."""

    completed: int | None
    failed: int | None
    continuous: bool


def decide_run_outcome(state: RunState, reader: FacetReader) -> RunOutcome:
    """The end of a run. FAIL and ABORT are final, but what a continuous job did before it failed stays in effect."""
    continuous = is_continuous(state, reader)
    return RunOutcome(state.completed, None if continuous else state.failed, continuous)


_Facet = TypeVar("_Facet", bound=msgspec.Struct)


class _Mapped(msgspec.Struct, rename="camel"):
    """Airflow's run facet `airflow_mappedTask`."""

    map_index: int | None = None


class _TaskInstance(msgspec.Struct):
    map_index: int | None = None


class _Airflow(msgspec.Struct, rename="camel"):
    """Airflow's run facet `airflow`."""

    task_instance: _TaskInstance | None = None


def find_map_index(state: RunState) -> tuple[str, ...]:
    """The index of a mapped task of Airflow, each of whose inputs has a run of its own; empty for all other runs."""
    mapped = _decode_facet(state.run_facets.get("airflow_mappedTask"), _Mapped)
    airflow = _decode_facet(state.run_facets.get("airflow"), _Airflow)
    found = mapped.map_index if mapped else airflow.task_instance.map_index if airflow and airflow.task_instance else None
    return () if found is None or found < 0 else (str(found),)


def _decode_facet(slot: Slot | None, kind: type[_Facet]) -> _Facet | None:
    """A run facet that only one producer sends; None if it cannot be parsed."""
    try:
        return None if slot is None else msgspec.json.decode(slot.raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


class RunEnd(enum.StrEnum):
    """The state of a run. FAIL and ABORT are final, as `semantics` has it, even if a COMPLETE came before or comes later."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


def decide_run_end(state: RunState) -> RunEnd:
    """How a run ended; of FAIL and ABORT the one that came first. Runs that an earlier version recorded may have FAIL for ABORT."""
    if state.failed is not None:
        return RunEnd.ABORT if state.failed == state.aborted else RunEnd.FAIL
    return RunEnd.RUNNING if state.completed is None else RunEnd.COMPLETE


class RunRecord(NamedTuple):
    """The record of a run, for people: times in microseconds, facets as JSON text by run, job, input and output.

    `ended`: of the first COMPLETE, FAIL or ABORT. `nominal`: start and end of the time for which it was scheduled. `parent`: its run id,
    and the namespace and name of its job. `error`: the message of the facet `errorMessage`. None for what it does not state.
    """

    first: int
    last: int
    state: RunEnd
    ended: int | None
    nominal: tuple[int | None, int | None]
    parent: tuple[str, str, str] | None
    error: str | None
    run_facets: Mapping[str, str]
    job_facets: Mapping[str, str]
    inputs: Mapping[tuple[str, str], Mapping[str, str]]
    outputs: Mapping[tuple[str, str], Mapping[str, str]]


class _NominalTime(msgspec.Struct, rename="camel"):
    nominal_start_time: Any = None
    nominal_end_time: Any = None


class _ErrorMessage(msgspec.Struct):
    message: str


def decode_run_record(blob: bytes) -> RunRecord:
    """The record of a run from the state that the store keeps. Raises StoreCorrupt."""
    state = decode_state(blob)
    nominal = _decode_facet(state.run_facets.get("nominalTime"), _NominalTime) or _NominalTime()
    parent = _decode_facet(state.run_facets.get("parent"), Parent)
    error = _decode_facet(state.run_facets.get("errorMessage"), _ErrorMessage)
    return RunRecord(
        state.first,
        state.last,
        decide_run_end(state),
        _find_earliest(state.completed, state.failed),
        (_parse_time(nominal.nominal_start_time), _parse_time(nominal.nominal_end_time)),
        None if parent is None else (parent.run.run_id, parent.job.namespace, parent.job.name),
        None if error is None else error.message,
        _decode_texts(state.run_facets),
        _decode_texts(state.job_facets),
        _group_mentions(state.inputs),
        _group_mentions(state.outputs),
    )


def _parse_time(text: Json) -> int | None:
    """A time in a facet in microseconds, UTC if it names no zone; None if it is no time."""
    try:
        return to_micros(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _decode_texts(slots: Mapping[str, Slot]) -> dict[str, str]:
    return {name: slot.raw.decode(errors="replace") for name, slot in slots.items()}


def _group_mentions(mentions: Iterable[Mention]) -> dict[tuple[str, str], dict[str, str]]:
    return {(m.namespace, m.name): {**_decode_texts(m.facets), **_decode_texts(m.role_facets)} for m in mentions}
