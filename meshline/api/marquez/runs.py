"""Runs: `/namespaces/{namespace}/jobs/{job}/runs`, `/jobs/runs/{run}`, `/runlineage/upstream`, and the versions that they made of datasets
and jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Literal, TypeAlias

import msgspec

from meshline.api.marquez.node_ids import build_version
from meshline.api.marquez.question import LONGEST, MOST, Question, Writer, build_not_found
from meshline.api.marquez.shapes import (
    Facets,
    JobVersionName,
    Run,
    RunDataset,
    RunFacets,
    Runs,
    RunSummary,
    UpstreamDataset,
    UpstreamRun,
    UpstreamRuns,
    VersionedName,
)
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, from_micros, to_micros
from meshline.graph.queries.runs import build_run_group, count_asset_runs, iterate_last_states, list_asset_runs, list_runs_by_id
from meshline.graph.store.base import Run as StoredState
from meshline.graph.store.base import RunGroup, RunKey, RunRole
from meshline.ingest.openlineage.restricted_record import restrict_record
from meshline.ingest.openlineage.run_state import RunEnd, RunRecord, decide_run_end, decode_run_record, decode_state

UPSTREAM_DEPTH, MOST_UPSTREAM = 20, 500  # runs before a run
AT_ONCE = 500  # runs that are read together

State: TypeAlias = Literal["NEW", "RUNNING", "COMPLETED", "ABORTED", "FAILED"]
_STATES: dict[RunEnd, State] = {
    RunEnd.RUNNING: "RUNNING",
    RunEnd.COMPLETE: "COMPLETED",
    RunEnd.ABORT: "ABORTED",
    RunEnd.FAIL: "FAILED",
}
RUN_FACET = "marquez_run"  # the run facet with what Marquez's clients state of a run and OpenLineage has no facet for
STATES = frozenset(("NEW", *_STATES.values()))


def list_job_runs(question: Question) -> Runs:
    """The runs of a job, the newest first."""
    job = question.get_job()
    limit, offset = question.read_page()
    found = list_asset_runs(question.live, question.index, job, RunRole.JOB, limit + offset).runs[offset:]
    return Runs(build_runs(question, [one.run for one in found]), count_asset_runs(question.live, question.index, job, RunRole.JOB))


def get_run(question: Question) -> Run:
    """A run by its id; of several with the same id the newest."""
    return build_run(question, get_stored_run(question, question.path["run"]))


def get_run_facets(question: Question) -> RunFacets:
    """The facets that a run sent of itself, or of its job."""
    wanted = question.read_choice("type", ("RUN", "JOB"), "")
    if not wanted:
        question.read_choice("type", ("RUN", "JOB"), "RUN or JOB")  # it is required
    record = read_record(question, get_stored_run(question, question.path["run"]))
    return RunFacets(question.path["run"], decode_facets(record.run_facets if wanted == "RUN" else record.job_facets))


def get_stored_run(question: Question, run_id: str) -> StoredState:
    """The newest run with an id. Raises NotFound."""
    found = list_runs_by_id(question.live, question.index, run_id, 1).runs if len(run_id) <= LONGEST else ()
    if not found:
        raise build_not_found("Run", run_id)
    return found[0].run


def read_record(question: Question, run: StoredState) -> RunRecord:
    """The record of a run, as far as the caller may see it."""
    return restrict_record(question.index, question.naming, run.key.job, decode_run_record(run.state)).record


def read_latest_runs(question: Question, jobs: Sequence[int], first: int) -> dict[int, list[Run]]:
    """The newest runs of each of these jobs, with one read of the store."""
    found = question.live.store.list_last_runs([build_run_group(question.index, job) for job in jobs], RunRole.JOB, first) if jobs else ()
    built = iter(build_runs(question, [one.run for of_one in found for one in of_one]))
    return {job: list(islice(built, len(of_one))) for job, of_one in zip(jobs, found, strict=True)}


def iterate_state_names(question: Question, jobs: Sequence[int]) -> Iterator[tuple[int, State]]:
    """Each of these jobs that has runs, with the state of its newest run, in this order."""
    for job, state in iterate_last_states(question.live, question.index, jobs, question.limits):
        yield job, _decide_state(decode_run_record(state))


def _decide_state(record: RunRecord) -> State:
    declared = read_run_facet(record)
    is_new = declared is not None and declared.state == "NEW" and record.state is RunEnd.RUNNING
    return "NEW" if is_new else _STATES[record.state]


def build_run(question: Question, run: StoredState) -> Run:
    """A run as answers show it."""
    return build_runs(question, [run])[0]


def build_runs(question: Question, runs: Sequence[StoredState]) -> list[Run]:
    """Runs as answers show them. The id of each is the one that its producer gave."""
    records = [read_record(question, run) for run in runs]
    states = (_decide_state(decode_run_record(run.state)) for run in runs)
    read = (question.find_dataset(*name) for record in records for name in record.inputs)
    starts = (record.first for record in records for _ in record.inputs)
    read_last_writers(question, [(node, at) for node, at in zip(read, starts, strict=True) if node is not None])
    return [_build_run(question, *one) for one in zip(runs, records, states, strict=True)]


def _build_run(question: Question, run: StoredState, record: RunRecord, state: State) -> Run:
    """`question.writers` has the writers of its inputs."""
    question.limits.check_deadline()
    declared = read_run_facet(record)
    started = record.first if declared is None or declared.started_at is None else declared.started_at
    return Run(
        id=run.key.run_id,
        created_at=from_micros(record.first),
        updated_at=from_micros(record.last),
        nominal_start_time=_to_time(record.nominal[0]),
        nominal_end_time=_to_time(record.nominal[1]),
        state=state,
        started_at=None if state == "NEW" else from_micros(started),
        ended_at=_to_time(record.ended),
        duration_ms=None if record.ended is None else max(0, record.ended - started) // 1000,
        args=_build_args(record) if declared is None else declared.args,
        job_version=build_run_job_version(question, run.key.job, record) if record.state is RunEnd.COMPLETE else None,
        input_dataset_versions=[
            _build_run_dataset(name, _find_version_read(question, *name, record.first), facets) for name, facets in record.inputs.items()
        ],
        output_dataset_versions=[
            _build_run_dataset(name, build_dataset_version(question, *name, run.key.run_id), facets)
            for name, facets in record.outputs.items()
        ],
        facets=decode_facets(record.run_facets),
    )


class RunFacet(msgspec.Struct, frozen=True, rename="camel"):
    """The run facet RUN_FACET. `state`: NEW or RUNNING. `started_at`: in microseconds."""

    state: str
    started_at: int | None
    args: dict[str, str]


def read_run_facet(record: RunRecord) -> RunFacet | None:
    """What a client of Marquez stated of a run; None for a run that it did not create."""
    text = record.run_facets.get(RUN_FACET)
    try:
        return None if text is None else msgspec.json.decode(text, type=RunFacet)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _to_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _build_args(record: RunRecord) -> dict[str, str]:
    """What Marquez makes of the facets `nominalTime` and `parent`."""
    start, end = (None if time is None else from_micros(time).isoformat().replace("+00:00", "Z") for time in record.nominal)
    run_id, namespace, name = record.parent or (None, None, None)
    found = {"nominal_start_time": start, "nominal_end_time": end, "run_id": run_id, "name": name, "namespace": namespace}
    return {key: value for key, value in found.items() if value is not None}


def build_run_job_version(question: Question, job: AssetKey, record: RunRecord) -> VersionedName:
    """The version of a job that a run had: equal inputs, outputs and location are an equal version."""
    facet = decode_facets(record.job_facets).get("sourceCodeLocation")
    location = str(facet.get("url") or "") if isinstance(facet, dict) else ""
    named = (sorted({_find_key(question, *name).parts for name in names}) for names in (record.inputs, record.outputs))
    version = build_job_version(job, location, *named)
    return VersionedName(job.parts[0], job.parts[1], version)


def build_job_version(job: AssetKey, location: str, inputs: Any, outputs: Any) -> str:
    """The version of a job by what it reads and writes, sorted, and where its code is."""
    return build_version(*job.parts, location, msgspec.json.encode([inputs, outputs]).decode())


def _build_run_dataset(name: tuple[str, str], version: str, facets: Mapping[str, str]) -> RunDataset:
    return RunDataset(VersionedName(*name, version), decode_facets(facets))


def _find_key(question: Question, namespace: str, name: str) -> AssetKey:
    """The shown name of a dataset that a run names; the normal form of a name that the graph does not show."""
    node = question.find_dataset(namespace, name)
    if node is None:
        return question.naming.normalise_dataset(namespace, name)
    question.shown.add(node)
    return question.index.assets.get_key(node)


def build_dataset_version(question: Question, namespace: str, name: str, run_id: str) -> str:
    """The version of a dataset that a run wrote."""
    return build_version(*_find_key(question, namespace, name).parts, run_id)


def _find_version_read(question: Question, namespace: str, name: str, at: int) -> str:
    """The version of an input: that of the newest completed run that wrote it and began before `at` (microseconds)."""
    node = question.find_dataset(namespace, name)
    writer = None if node is None else question.writers[node, at]
    return build_dataset_version(question, namespace, name, "" if writer is None else writer.run_id)


def read_last_writers(question: Question, wanted: Iterable[tuple[int, int | None]]) -> None:
    """Read into `question.writers` the newest completed run that wrote each of these datasets; with a time (microseconds), of the runs that
    began before it.

    One question to the store for all of them. Those whose newest runs did not complete need another, for twice as many runs of each.
    """
    left = {key: build_run_group(question.index, *key) for key in dict.fromkeys(wanted) if key not in question.writers}
    most, size = MOST, 1
    while left:
        question.limits.check_deadline()
        following: dict[tuple[int, int | None], RunGroup] = {}
        keys, step = list(left), max(1, AT_ONCE // size)
        for part in (keys[at : at + step] for at in range(0, len(keys), step)):
            found = question.live.store.list_last_runs([left[key] for key in part], RunRole.WRITES, size)
            for key, runs in zip(part, found, strict=True):
                writer = next(_iterate_completed(question, (one.run for one in runs)), None)
                if writer is None and len(runs) == size < most:
                    following[key] = left[key]._replace(before=runs[-1].position)
                else:
                    question.writers[key] = writer
        left, most, size = following, most - size, min(2 * size, AT_ONCE)


def iterate_writers(question: Question, dataset: int) -> Iterator[Writer]:
    """The completed runs that wrote a dataset, the newest first: of the newest MOST runs."""
    return _iterate_completed(question, iterate_runs(question, dataset, RunRole.WRITES))


def _iterate_completed(question: Question, runs: Iterable[StoredState]) -> Iterator[Writer]:
    """Those of these runs that completed, and whose jobs the caller may see."""
    for run in runs:
        if not question.index.may_name(run.key.job):
            continue
        state = decode_state(run.state)
        if state.completed is not None and decide_run_end(state) is RunEnd.COMPLETE:
            yield Writer(run, state.completed)


def iterate_runs(question: Question, node: int, role: RunRole) -> Iterator[StoredState]:
    """The newest MOST runs of a job or dataset."""
    assets, position = build_run_group(question.index, node)
    for _ in range(MOST // AT_ONCE):
        question.limits.check_deadline()
        found = question.live.store.list_runs(assets, role, position, AT_ONCE)
        yield from (one.run for one in found)
        if len(found) < AT_ONCE:
            return
        position = found[-1].position


def decode_facets(texts: Mapping[str, str]) -> Facets:
    return {name: _decode_facet(text) for name, text in texts.items()}


def _decode_facet(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def list_upstream_runs(question: Question) -> UpstreamRuns:
    """A run, the runs that wrote what it read, those that wrote what these read, and so on; the nearest 500."""
    found = _walk_upstream(question)
    if question.index.is_restricted:
        question.count_left_out(_list_named(_walk_upstream(question.copy_whole())) - _list_named(found))
    return UpstreamRuns(found)


def _list_named(runs: Iterable[UpstreamRun]) -> set[tuple[str, ...]]:
    """The runs and the datasets that an answer names."""
    return {named for one in runs for named in ((one.run.id,), *((read.namespace, read.name) for read in one.inputs))}


def _walk_upstream(question: Question) -> list[UpstreamRun]:
    run_id = question.query.get("runId", "")
    if not run_id:
        raise InvalidInput("the parameter is missing", "runId")
    depth = question.read_number("depth", UPSTREAM_DEPTH)
    level: list[StoredState] = [get_stored_run(question, run_id)]
    known: set[RunKey] = {level[0].key}
    found: list[UpstreamRun] = []
    for _ in range(depth + 1):
        following: list[StoredState] = []
        for stored in level:
            described, writers = _describe_run(question, stored)
            found.append(described)
            for writer in writers:
                if writer.run.key not in known and len(known) < MOST_UPSTREAM:
                    known.add(writer.run.key)
                    following.append(writer.run)
        level = following
        if not level:
            break
    return found


def _describe_run(question: Question, stored: StoredState) -> tuple[UpstreamRun, list[Writer]]:
    """A run, and the runs that wrote its inputs."""
    run = build_run(question, stored)
    inputs = [(one.dataset_version_id, _find_writer(question, run, one.dataset_version_id)) for one in run.input_dataset_versions]
    namespace, name = stored.key.job.parts
    version = None if run.job_version is None else run.job_version.version
    described = UpstreamRun(
        JobVersionName(namespace, name, version),
        RunSummary(run.id, run.started_at, run.ended_at, run.state),
        [_build_dataset(read, None if writer is None else writer.run_id) for read, writer in inputs],
    )
    return described, [writer for _, writer in inputs if writer is not None]


def _find_writer(question: Question, run: Run, name: VersionedName) -> Writer | None:
    node = question.find_dataset(name.namespace, name.name)
    return None if node is None else question.writers[node, to_micros(run.created_at)]


def _build_dataset(name: VersionedName, run_id: str | None) -> UpstreamDataset:
    return UpstreamDataset(name.namespace, name.name, name.version, run_id)
