"""What Marquez keeps besides events -> statements, in OpenLineage's own words: declared datasets and jobs, and events of runs.

Of a dataset or job that an event names, the event's statements are exact, while Marquez keeps a sum of all events (columns that
were dropped, tags that were removed). So only what no event can have stated is read of these: tags that were added by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import WHOLE_SCHEMA, Content, Scope, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.declared_events import build_dataset_event_statements, build_job_event_statements
from meshline.ingest.openlineage.events import DatasetEvent, JobEvent
from meshline.ingest.openlineage.run_statements import JOB_DECLARED
from meshline.ingest.sources.base import Entry, Item, Refusal
from meshline.ingest.sources.marquez.parse import (
    ColumnLineage,
    Dataset,
    DatasetVersion,
    Facets,
    Field,
    Job,
    JobVersion,
    Name,
    Run,
    RunDataset,
)

PRODUCER = "https://github.com/MarquezProject/marquez"  # of all documents here: the same wherever Marquez runs
SPEC = "https://openlineage.io/spec"
TAGS_SCHEMA = f"{SPEC}/facets/1-0-0/TagsDatasetFacet.json"
FACET_SCHEMAS = {
    "schema": f"{SPEC}/facets/1-1-1/SchemaDatasetFacet.json",
    "documentation": f"{SPEC}/facets/1-0-1/DocumentationDatasetFacet.json",
    "dataSource": f"{SPEC}/facets/1-0-1/DatasourceDatasetFacet.json",
    "datasetType": f"{SPEC}/facets/1-0-0/DatasetTypeDatasetFacet.json",
    "columnLineage": f"{SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json",
    "ownership": f"{SPEC}/facets/1-0-1/OwnershipDatasetFacet.json",
    "tags": TAGS_SCHEMA,
    "jobType": f"{SPEC}/facets/2-0-3/JobTypeJobFacet.json",
    "sourceCodeLocation": f"{SPEC}/facets/1-0-1/SourceCodeLocationJobFacet.json",
    "nominalTime": f"{SPEC}/facets/1-0-1/NominalTimeRunFacet.json",
    "marquez_args": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet",
}
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/"
ENDS = {"COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT"}
STARTED = frozenset({"RUNNING", *ENDS})

Document: TypeAlias = dict[str, Any]


class ResourceReader:
    """Builds the statements of one source."""

    def __init__(self, source: str, naming: Naming) -> None:
        self._source = source
        self._builder = BatchBuilder(naming)
        self._done: dict[Scope, bytes] = {}  # digests: a dataset's spelling is stated with each job that names it
        self.warnings: list[str] = []

    def read_named_dataset(self, dataset: Dataset, owner: str | None) -> Iterator[Item]:
        """What events cannot have stated of a dataset that they name: tags by hand, and the owner of its namespace."""
        facets = {**self._build_tags(dataset.tags, dataset.fields, dataset.facets), **self._build_owner(owner, dataset.facets)}
        if facets:
            yield from self._read_dataset(dataset, facets, spelled=False)

    def read_dataset(self, dataset: Dataset, versions: Sequence[DatasetVersion], owner: str | None, uri: str | None) -> Iterator[Item]:
        """Everything that Marquez has of a dataset which no event names. `uri`: of its data source."""
        kept = dataset.facets or {}
        facets = self._build_owner(owner, kept)
        if dataset.fields:
            facets["schema"] = self._build_schema(dataset.fields)
        if dataset.description:
            facets["documentation"] = self._build_facet("documentation", description=dataset.description)
        if dataset.column_lineage:
            facets["columnLineage"] = self._build_facet("columnLineage", fields=_build_lineage_fields(dataset.column_lineage))
        if dataset.type == "STREAM":
            facets["datasetType"] = self._build_facet("datasetType", datasetType="STREAM")
        if uri and dataset.source_name:
            facets["dataSource"] = self._build_facet("dataSource", name=dataset.source_name, uri=uri)
        past = [(one.created_at, self._build_schema(one.fields)) for one in reversed(versions) if one.fields]
        yield from self._read_dataset(dataset, {**facets, **kept, **self._build_all_tags(dataset.tags, dataset.fields, kept)}, past)

    def read_named_job(self, job: Job, name: str, owner: str | None) -> Iterator[Item]:
        """What events cannot have stated of a job that they name. `name`: as in the events."""
        facets = {**self._build_tags(job.tags, None, job.facets), **self._build_owner(owner, job.facets)}
        if facets:
            try:
                statements = self._state_job(job, name, facets, (), ())
            except InvalidInput as error:
                yield self._refuse(job, error)
                return
            yield from self._build_entries([one for one in statements if one.scope[0] != JOB_DECLARED])

    def read_job(self, job: Job, versions: Sequence[JobVersion], owner: str | None) -> Iterator[Item]:
        """Everything that Marquez has of a job which no event names."""
        kept = job.facets or {}
        facets = self._build_owner(owner, kept)
        facets["jobType"] = self._build_facet(
            "jobType", processingType="STREAMING" if job.type == "STREAM" else "BATCH", integration="MARQUEZ", jobType="JOB"
        )
        if job.description:
            facets["documentation"] = self._build_facet("documentation", description=job.description)
        if job.location:
            facets["sourceCodeLocation"] = self._build_facet("sourceCodeLocation", type="", url=job.location)
        try:
            facets = {**facets, **kept, **self._build_all_tags(job.tags, None, kept)}
            current = self._state_job(job, job.name, facets, job.inputs or (), job.outputs or ())
            past: list[Statement] = []
            for version in reversed(versions):
                past += self._state_job(job, job.name, {}, version.inputs or (), version.outputs or (), version.created_at)
        except InvalidInput as error:
            yield self._refuse(job, error)
            return
        yield from self._build_entries(current, past)

    def build_run_events(self, job: Job, run: Run, *, begun: bool) -> Iterator[bytes]:
        """The events of a run which no event names. `begun`: also its start. A run that has not started has none."""
        if run.state not in STARTED:
            return
        inputs = [_build_run_dataset(one, "inputFacets") for one in run.input_dataset_versions or ()]
        outputs = [_build_run_dataset(one, "outputFacets") for one in run.output_dataset_versions or ()]
        facets: Document = {}
        if run.nominal_start_time:
            times = {"nominalStartTime": run.nominal_start_time}
            facets["nominalTime"] = self._build_facet(
                "nominalTime", **times, **({"nominalEndTime": run.nominal_end_time} if run.nominal_end_time else {})
            )
        if run.args:
            facets["marquez_args"] = self._build_facet("marquez_args", args=run.args)
        event = self._build_event("RunEvent", run.started_at or run.created_at, job={"namespace": job.namespace, "name": job.name})
        event |= {"run": {"runId": run.id, "facets": {**facets, **(run.facets or {})}}}
        if begun:
            yield msgspec.json.encode({**event, "eventType": "START", "inputs": inputs, "outputs": outputs})
        if run.state in ENDS:
            ended = run.ended_at or run.updated_at or run.created_at
            yield msgspec.json.encode({**event, "eventTime": ended, "eventType": ENDS[run.state], "inputs": inputs, "outputs": outputs})

    def _read_dataset(
        self, dataset: Dataset, facets: Document, past: Sequence[tuple[str, Document]] = (), *, spelled: bool = True
    ) -> Iterator[Item]:
        try:
            current = self._state_dataset(dataset, facets)
            earlier: list[Statement] = []
            for time, schema in past:
                earlier += [one for one in self._state_dataset(dataset, {"schema": schema}, time) if one.scope[-1] == WHOLE_SCHEMA]
        except InvalidInput as error:
            yield self._refuse(dataset, error)
            return
        yield from self._build_entries([one for one in current if spelled or one.scope[3:4] != ("spelling",)], earlier)

    def _state_dataset(self, dataset: Dataset, facets: Document, time: str | None = None) -> list[Statement]:
        described = {"namespace": dataset.namespace, "name": dataset.name, "facets": facets}
        event = self._parse(self._build_event("DatasetEvent", time or dataset.updated_at, dataset=described), dataset)
        assert isinstance(event, DatasetEvent)
        return build_dataset_event_statements(self._source, event, self._builder.contents)

    def _state_job(
        self, job: Job, name: str, facets: Document, inputs: Sequence[Name], outputs: Sequence[Name], time: str | None = None
    ) -> list[Statement]:
        named = {
            "job": {"namespace": job.namespace, "name": name, "facets": facets},
            "inputs": [{"namespace": one.namespace, "name": one.name} for one in inputs],
            "outputs": [{"namespace": one.namespace, "name": one.name} for one in outputs],
        }
        event = self._parse(self._build_event("JobEvent", time or job.updated_at, **named), job)
        assert isinstance(event, JobEvent)
        return build_job_event_statements(self._source, event, self._builder.contents)

    def _parse(self, document: Document, about: Dataset | Job) -> object:
        event = self._builder.parser.parse(msgspec.json.encode(document), get_current_micros())
        self.warnings += [f"{about.namespace} {about.name}: {note.where}: {note.what}" for note in event.warnings]
        return event

    def _build_entries(self, current: Sequence[Statement], past: Sequence[Statement] = ()) -> Iterator[Entry]:
        """An entry for each scope, since when it has its content; what was stated of it before is its past."""
        earlier: dict[Scope, list[tuple[int, Content]]] = {}
        for one in past:
            earlier.setdefault(one.scope, []).append((one.observed_at, one.content))
        for one in current:
            done = self._done.get(one.scope)
            if done is not None:
                if done != one.content.digest:
                    self.warnings.append(f"{' '.join(one.scope)}: stated with two contents, of which the first is read")
                continue
            self._done[one.scope] = one.content.digest
            history = _merge_history([*earlier.get(one.scope, ()), (one.observed_at, one.content)])
            yield Entry(one.scope, one.content, history[-1][0], tuple(history[:-1]))

    def _refuse(self, about: Dataset | Job, error: InvalidInput) -> Refusal:
        kind = "dataset" if isinstance(about, Dataset) else "job"
        return Refusal(InvalidInput(f"the {kind} {about.name[:200]!r} of {about.namespace[:200]!r}: {error}", self._source))

    def _build_event(self, kind: str, time: str | None, **members: object) -> Document:
        return {"eventTime": time or "1970-01-01T00:00:00Z", "producer": PRODUCER, "schemaURL": EVENT_SCHEMA + kind, **members}

    def _build_facet(self, facet: str, /, **members: object) -> Document:
        return {"_producer": PRODUCER, "_schemaURL": FACET_SCHEMAS[facet], **members}

    def _build_schema(self, fields: Sequence[Field]) -> Document:
        listed = [
            {key: value for key, value in (("name", one.name), ("type", one.type), ("description", one.description)) if value}
            for one in fields
        ]
        return self._build_facet("schema", fields=listed)

    def _build_owner(self, owner: str | None, facets: Facets | None) -> Document:
        """The owner of a namespace owns its datasets, unless they have owners of their own."""
        if owner is None or "ownership" in (facets or {}):
            return {}
        return {"ownership": self._build_facet("ownership", owners=[{"name": owner}])}

    def _build_tags(self, tags: Sequence[str] | None, fields: Sequence[Field] | None, facets: Facets | None) -> Document:
        """The tags that were added by hand."""
        stated = {(tag.field, tag.key) for tag in _read_stated_tags(facets)}
        found = [{"key": tag, "value": "true", "source": "MARQUEZ"} for tag in tags or () if (None, tag) not in stated]
        found += [
            {"key": tag, "value": "true", "source": "MARQUEZ", "field": field.name}
            for field in fields or ()
            for tag in field.tags or ()
            if (field.name, tag) not in stated
        ]
        return {"tags": self._build_facet("tags", tags=found)} if found else {}

    def _build_all_tags(self, tags: Sequence[str] | None, fields: Sequence[Field] | None, facets: Facets | None) -> Document:
        """The tags that were added by hand, and those of the facet."""
        found = self._build_tags(tags, fields, facets)
        if found:
            found["tags"]["tags"] += _read_stated_tags(facets)
        return found


class _Tag(msgspec.Struct, omit_defaults=True):
    key: str
    value: Any = None
    source: str | None = None
    field: str | None = None


class _Tags(msgspec.Struct):
    tags: list[_Tag] = []


def _read_stated_tags(facets: Facets | None) -> list[_Tag]:
    """The tags of the facet, which events stated."""
    raw = (facets or {}).get("tags")
    try:
        return msgspec.json.decode(raw, type=_Tags).tags if raw is not None else []
    except msgspec.MsgspecError:
        return []


def _build_lineage_fields(columns: Sequence[ColumnLineage]) -> Mapping[str, Document]:
    return {
        column.name: {
            "inputFields": [{"namespace": one.namespace, "name": one.dataset, "field": one.field} for one in column.input_fields],
            **_build_transformation(column),
        }
        for column in columns
    }


def _build_transformation(column: ColumnLineage) -> Document:
    """Marquez keeps it with the input; OpenLineage had it with the output."""
    first = next((one for one in column.input_fields if one.transformation_type), None)
    if first is None:
        return {}
    return {"transformationType": first.transformation_type, "transformationDescription": first.transformation_description or ""}


def _build_run_dataset(one: RunDataset, role: str) -> Document:
    return {"namespace": one.dataset_version_id.namespace, "name": one.dataset_version_id.name, role: one.facets or {}}


def _merge_history(history: Sequence[tuple[int, Content]]) -> list[tuple[int, Content]]:
    """The contents in the order of their times, each since when it was first so."""
    result: list[tuple[int, Content]] = []
    for time, content in sorted(history, key=lambda one: one[0]):
        if not result or result[-1][1].digest != content.digest:
            result.append((time, content))
    return result
