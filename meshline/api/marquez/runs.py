"""Runs: `/namespaces/{namespace}/jobs/{job}/runs` and `/jobs/runs/{run}`, and the versions of datasets and jobs that they made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from meshline.api.marquez.node_ids import build_version
from meshline.api.marquez.question import Question, build_not_found
from meshline.api.marquez.shapes import Facets, Run, RunDataset, RunFacets, Runs, VersionedName
from meshline.graph.model import AssetKey, from_micros
from meshline.graph.queries.runs import count_asset_runs, list_asset_runs, list_run_assets
from meshline.graph.store.base import Run as StoredState
from meshline.graph.store.base import RunPosition, RunRole, StoredRun
from meshline.ingest.openlineage.run_state import RunEnd, RunRecord, decode_run_record

WRITERS = 20  # newest runs among which the one is looked for that completed a dataset last

State: TypeAlias = Literal["RUNNING", "COMPLETED", "ABORTED", "FAILED"]
_STATES: dict[RunEnd, State] = {
    RunEnd.RUNNING: "RUNNING",
    RunEnd.COMPLETE: "COMPLETED",
    RunEnd.ABORT: "ABORTED",
    RunEnd.FAIL: "FAILED",
}
STATES = frozenset(("NEW", *_STATES.values()))


def list_job_runs(question: Question) -> Runs:
    """The runs of a job, the newest first."""
    job = question.get_job()
    limit, offset = question.read_page()
    found = list_asset_runs(question.live, question.index, job, RunRole.JOB, limit + offset).runs[offset:]
    return Runs([build_run(question, one.run) for one in found], count_asset_runs(question.live, question.index, job, RunRole.JOB))


def get_run(question: Question) -> Run:
    """A run by its id; of several with the same id the newest."""
    return build_run(question, _get_stored_run(question).run)


def get_run_facets(question: Question) -> RunFacets:
    """The facets that a run sent of itself, or of its job."""
    wanted = question.read_choice("type", ("RUN", "JOB"), "")
    if not wanted:
        question.read_choice("type", ("RUN", "JOB"), "RUN or JOB")  # it is required
    record = decode_run_record(_get_stored_run(question).run.state)
    return RunFacets(question.path["run"], _decode_facets(record.run_facets if wanted == "RUN" else record.job_facets))


def _get_stored_run(question: Question) -> StoredRun:
    found = question.live.store.list_runs_by_id(question.path["run"], 1)
    if not found:
        raise build_not_found("Run", question.path["run"])
    return found[0]


def list_latest_runs(question: Question, job: int, first: int) -> list[Run]:
    """The newest runs of a job."""
    found = list_asset_runs(question.live, question.index, job, RunRole.JOB, first).runs
    return [build_run(question, one.run) for one in found]


def build_run(question: Question, run: StoredState) -> Run:
    """A run as answers show it. Its id is the one that its producer gave."""
    question.limits.check_deadline()
    record = decode_run_record(run.state)
    return Run(
        id=run.key.run_id,
        created_at=from_micros(record.first),
        updated_at=from_micros(record.last),
        nominal_start_time=_to_time(record.nominal[0]),
        nominal_end_time=_to_time(record.nominal[1]),
        state=_STATES[record.state],
        started_at=from_micros(record.first),
        ended_at=_to_time(record.ended),
        duration_ms=None if record.ended is None else max(0, record.ended - record.first) // 1000,
        args=_build_args(record),
        job_version=_build_job_version(question, run.key.job, record) if record.state is RunEnd.COMPLETE else None,
        input_dataset_versions=[
            _build_run_dataset(name, _find_version_read(question, *name, record.first), facets) for name, facets in record.inputs.items()
        ],
        output_dataset_versions=[
            _build_run_dataset(name, build_dataset_version(question, *name, run.key.run_id), facets)
            for name, facets in record.outputs.items()
        ],
        facets=_decode_facets(record.run_facets),
    )


def _to_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _build_args(record: RunRecord) -> dict[str, str]:
    """What Marquez makes of the facets `nominalTime` and `parent`."""
    start, end = (None if time is None else from_micros(time).isoformat().replace("+00:00", "Z") for time in record.nominal)
    run_id, namespace, name = record.parent or (None, None, None)
    found = {"nominal_start_time": start, "nominal_end_time": end, "run_id": run_id, "name": name, "namespace": namespace}
    return {key: value for key, value in found.items() if value is not None}


def _build_job_version(question: Question, job: AssetKey, record: RunRecord) -> VersionedName:
    """The version of a job that a run had: equal inputs, outputs and location are an equal version."""
    facet = _decode_facets(record.job_facets).get("sourceCodeLocation")
    location = str(facet.get("url") or "") if isinstance(facet, dict) else ""
    named = (sorted({_find_key(question, *name).parts for name in names}) for names in (record.inputs, record.outputs))
    version = build_job_version(job, location, *named)
    return VersionedName(job.parts[0], job.parts[1], version)


def build_job_version(job: AssetKey, location: str, inputs: Any, outputs: Any) -> str:
    """The version of a job by what it reads and writes, sorted, and where its code is."""
    return build_version(*job.parts, location, msgspec.json.encode([inputs, outputs]).decode())


def _build_run_dataset(name: tuple[str, str], version: str, facets: Mapping[str, str]) -> RunDataset:
    return RunDataset(VersionedName(*name, version), _decode_facets(facets))


def _find_key(question: Question, namespace: str, name: str) -> AssetKey:
    """The shown name of a dataset that a run names; the normal form of a name that the graph does not show."""
    node = question.find_dataset(namespace, name)
    return question.naming.normalise_dataset(namespace, name) if node is None else question.index.assets.get_key(node)


def build_dataset_version(question: Question, namespace: str, name: str, run_id: str) -> str:
    """The version of a dataset that a run wrote."""
    return build_version(*_find_key(question, namespace, name).parts, run_id)


def _find_version_read(question: Question, namespace: str, name: str, at: int) -> str:
    """The version of an input: that of the newest completed run that wrote it and began before `at` (microseconds)."""
    node = question.find_dataset(namespace, name)
    writer = None if node is None else find_last_writer(question, node, at)
    return build_dataset_version(question, namespace, name, "" if writer is None else writer[0])


def find_last_writer(question: Question, dataset: int, before: int | None = None) -> tuple[str, int] | None:
    """(run id, end in microseconds) of the newest completed run that wrote a dataset; `before`: of those that began before this time."""
    question.limits.check_deadline()
    if before is None and question.index.as_of is not None:
        before = question.index.as_of + 1
    position = None if before is None else RunPosition(before, "")
    for one in question.live.store.list_runs(list_run_assets(question.index, dataset), RunRole.WRITES, position, WRITERS):
        record = decode_run_record(one.run.state)
        if record.state is RunEnd.COMPLETE and record.ended is not None:
            return one.run.key.run_id, record.ended
    return None


def _decode_facets(texts: Mapping[str, str]) -> Facets:
    return {name: _decode_facet(text) for name, text in texts.items()}


def _decode_facet(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text
