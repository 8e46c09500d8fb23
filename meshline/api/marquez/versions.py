"""Versions of datasets and jobs: `.../datasets/{dataset}/versions` and `.../jobs/{job}/versions`.

A version of a dataset is what one completed run wrote. A version of a job is what its completed runs read and wrote, and where its code
was.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from meshline.api.marquez import datasets, jobs
from meshline.api.marquez.question import Question, Writer, build_not_found
from meshline.api.marquez.runs import (
    build_dataset_version,
    build_run,
    build_run_job_version,
    decode_facets,
    iterate_runs,
    iterate_writers,
    read_record,
)
from meshline.api.marquez.shapes import (
    DatasetVersion,
    DatasetVersions,
    Facets,
    Field,
    Job,
    JobVersion,
    JobVersions,
    Name,
    VersionedName,
)
from meshline.graph.model import AssetKey, AssetKind, from_micros
from meshline.graph.store.base import Run as StoredState
from meshline.graph.store.base import RunRole
from meshline.ingest.openlineage.facet_contents import list_fields
from meshline.ingest.openlineage.facet_types import Schema
from meshline.ingest.openlineage.run_state import RunEnd


def list_dataset_versions(question: Question) -> DatasetVersions:
    """What runs wrote into a dataset, the newest first; of a dataset that no run wrote, one version of its columns."""
    limit, offset = question.read_page()
    known = _read_dataset(question)
    writers = list(iterate_writers(question, known.node))
    if not writers:
        return DatasetVersions(list(question.cut_page([_build_stated_version(question, known)])), 1)
    shown = range(len(writers))[offset : offset + limit]
    return DatasetVersions([_build_version(question, known, writers[at], newest=at == 0) for at in shown], len(writers))


def get_dataset_version(question: Question) -> DatasetVersion:
    """One of `list_dataset_versions`."""
    known, wanted = _read_dataset(question), question.path["version"]
    namespace, name = question.index.assets.get_key(known.node).parts
    newest = True
    for writer in iterate_writers(question, known.node):
        if build_dataset_version(question, namespace, name, writer.run_id) == wanted:
            return _build_version(question, known, writer, newest=newest)
        newest = False
    if newest and (stated := _build_stated_version(question, known)).version == wanted:
        return stated
    raise build_not_found("Dataset version", wanted)


def _read_dataset(question: Question) -> datasets.KnownDataset:
    asked = AssetKey(AssetKind.DATASET, (question.path["namespace"], question.path["dataset"]))
    return datasets.read_known(question, [(question.get_dataset(), asked)])[0]


def _build_stated_version(question: Question, known: datasets.KnownDataset) -> DatasetVersion:
    """The version of a dataset that no run wrote: its columns as they are stated."""
    data = datasets.build_data(question, known)
    namespace, name = question.index.assets.get_key(known.node).parts
    version = datasets.build_schema_version(namespace, name, data.fields)
    return DatasetVersion(
        id=VersionedName(data.namespace, data.name, version),
        type=data.type,
        name=data.name,
        physical_name=data.physical_name,
        created_at=data.created_at,
        version=version,
        namespace=data.namespace,
        source_name=data.source_name,
        fields=data.fields,
        tags=data.tags,
        lifecycle_state=data.last_lifecycle_state,
        description=data.description,
        current_schema_version=version,
        created_by_run=None,
        facets=datasets.collect_dataset_facets(known.attributes),
    )


def _build_version(question: Question, known: datasets.KnownDataset, writer: Writer, *, newest: bool) -> DatasetVersion:
    """`newest`: its columns are those of now if the run listed none; of earlier versions they are not known then."""
    data = datasets.build_data(question, known)
    namespace, name = question.index.assets.get_key(known.node).parts
    facets = _find_written_facets(question, known.node, writer.run)
    fields = _parse_fields(facets.get("schema"))
    if fields is None:
        fields = data.fields if newest else []
    version = build_dataset_version(question, namespace, name, writer.run_id)
    return DatasetVersion(
        id=VersionedName(data.namespace, data.name, version),
        type=data.type,
        name=data.name,
        physical_name=data.physical_name,
        created_at=from_micros(writer.ended),
        version=version,
        namespace=data.namespace,
        source_name=data.source_name,
        fields=fields,
        tags=data.tags,
        lifecycle_state=datasets.get_text(facets.get("lifecycleStateChange"), "lifecycleStateChange"),
        description=datasets.get_text(facets.get("documentation"), "description") or data.description,
        current_schema_version=datasets.build_schema_version(namespace, name, fields) if fields else None,
        created_by_run=build_run(question, writer.run),
        facets=facets,
    )


def _find_written_facets(question: Question, dataset: int, run: StoredState) -> Facets:
    """What a run stated of a dataset that it wrote, by any of its names."""
    outputs = read_record(question, run).outputs
    return next((decode_facets(facets) for name, facets in outputs.items() if question.find_dataset(*name) == dataset), {})


def _parse_fields(facet: object) -> list[Field] | None:
    """The columns of a facet `schema`; None if there is none that can be read."""
    try:
        fields = list_fields(msgspec.convert(facet, Schema)) if isinstance(facet, dict) else []
    except msgspec.ValidationError:
        return None
    return [Field(path, type_, [], description) for path, type_, description in fields] or None


class _Version(NamedTuple):
    """A version of a job. `since`: when its first run began, in microseconds."""

    name: VersionedName
    run: StoredState | None
    since: int


def list_job_versions(question: Question) -> JobVersions:
    """The versions of a job, the newest first: what it reads and writes now, and what its completed runs did."""
    limit, offset = question.read_page()
    job, asked = jobs.get_job(question), question.get_job()
    found = sorted(_collect_versions(question, asked, job), key=lambda one: -one.since)
    return JobVersions([_build_job_version(question, job, one) for one in islice(found, offset, offset + limit)])


def get_job_version(question: Question) -> JobVersion:
    """One of `list_job_versions`."""
    job, wanted = jobs.get_job(question), question.path["version"]
    for one in _collect_versions(question, question.get_job(), job):
        if one.name.version == wanted:
            return _build_job_version(question, job, one)
    raise build_not_found("Job version", wanted)


def _collect_versions(question: Question, node: int, job: Job) -> Iterator[_Version]:
    found: dict[str, _Version] = {}
    for run in iterate_runs(question, node, RunRole.JOB):
        record = read_record(question, run)
        if record.state is RunEnd.COMPLETE:
            name = build_run_job_version(question, run.key.job, record)
            newer = found.get(name.version)
            found[name.version] = _Version(name, run if newer is None else newer.run, record.first)
    if job.current_version is not None and job.current_version not in found:
        since, _ = datasets.find_times(question, node)
        yield _Version(VersionedName(job.namespace, job.name, job.current_version), None, since)
    yield from found.values()


def _build_job_version(question: Question, job: Job, version: _Version) -> JobVersion:
    inputs, outputs, location = job.inputs, job.outputs, job.location
    if version.run is not None:
        record = read_record(question, version.run)
        inputs, outputs = ([Name(*name) for name in sorted(names)] for names in (record.inputs, record.outputs))
        location = jobs.choose_location(datasets.get_text(decode_facets(record.job_facets).get("sourceCodeLocation"), "url"))
    return JobVersion(
        id=version.name,
        name=job.name,
        created_at=from_micros(version.since),
        version=version.name.version,
        namespace=job.namespace,
        location=location,
        inputs=inputs,
        outputs=outputs,
        latest_run=None if version.run is None else build_run(question, version.run),
    )
