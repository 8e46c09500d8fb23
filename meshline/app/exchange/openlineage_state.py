"""The current state of the mesh as OpenLineage events: a dataset event for each dataset, a job event for each job.

The `lineage` facet states exactly what flows into each output; `columnLineage` states the same by column for programs that do not read
the newer facet. As runs (for programs that read run events only), each output of a job is an event of its own, so that its inputs are
those of that output.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from meshline.app.exchange.mesh_state import Asset, Column, Dataset, Inflow, MeshState, Owned, get_dataset, get_text
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Flow, FlowType, Json
from meshline.ingest.openlineage.column_lineage import HOISTED

Facet: TypeAlias = dict[str, Json]

PRODUCER = "https://github.com/meshline/meshline"
SPECIFICATION = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
FACETS = "https://openlineage.io/spec/facets/"
SCHEMAS: Mapping[str, str] = {  # the facets that are written, each with the place of its schema
    "schema": "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet",
    "job documentation": "1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet",
    "ownership": "1-0-1/OwnershipDatasetFacet.json#/$defs/OwnershipDatasetFacet",
    "job ownership": "1-0-1/OwnershipJobFacet.json#/$defs/OwnershipJobFacet",
    "tags": "1-0-0/TagsDatasetFacet.json#/$defs/TagsDatasetFacet",
    "job tags": "1-0-0/TagsJobFacet.json#/$defs/TagsJobFacet",
    "datasetType": "1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet",
    "storage": "1-0-1/StorageDatasetFacet.json#/$defs/StorageDatasetFacet",
    "symlinks": "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    "lineage": "1-0-0/LineageFacet.json#/$defs/LineageDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "sql": "1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet",
    "parent": "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
}
_NO_TABLE = "kafka://"  # the beginning of namespaces in which a symlink of type TABLE is a name in a session of Flink
_SQL_IS_BETTER = "AIRFLOW"  # the SQL of its jobs would be read again, instead of the lineage that is stated


def iterate_state_events(state: MeshState, time: datetime, *, as_runs: bool) -> Iterator[bytes]:
    """The events, one on each line. `time`: of all of them."""
    for event in _StateEvents(state, time).iterate_events(as_runs=as_runs):
        yield msgspec.json.encode(event) + b"\n"


class _StateEvents:
    def __init__(self, state: MeshState, time: datetime) -> None:
        self._state = state
        self._time = time.isoformat().replace("+00:00", "Z")
        self._by_job: dict[AssetKey, list[Inflow]] = defaultdict(list)
        self._without_job: dict[AssetKey, Inflow] = {}
        for inflow in state.list_inflows():
            if inflow.job is None:
                self._without_job[inflow.output] = inflow
            else:
                self._by_job[inflow.job].append(inflow)
        self._columns: dict[AssetKey, tuple[str, ...]] = {}  # of all datasets
        self._physical: dict[AssetKey, AssetKey] = {}  # the name by which events mean a dataset that has several
        self._symlinks: dict[AssetKey, Facet] = {}
        self._schemas: dict[AssetKey, Facet] = {}
        self._listed: dict[AssetKey, frozenset[str]] = {}  # by dataset the columns that its schema lists, casefolded

    def iterate_events(self, *, as_runs: bool) -> Iterator[Facet]:
        datasets = list(self._state.iterate_datasets())
        for dataset in datasets:
            self._columns[dataset.key] = tuple(column.name for column in dataset.columns)
            if dataset.names:
                self._physical[dataset.key] = dataset.names[0]
                self._symlinks[dataset.key] = _list_symlinks(dataset)
            self._listed[dataset.key] = frozenset(column.name.casefold() for column in dataset.columns if not column.is_inferred)
            if as_runs:
                self._schemas[dataset.key] = _list_columns(dataset.columns)
        for dataset in datasets:
            yield from self._build_dataset_events(dataset)
        for output in sorted(self._without_job.keys() - self._columns.keys()):
            lineage = self._build_lineage(self._without_job[output])
            yield self._build_event("DatasetEvent", {"dataset": {**self._name(output), "facets": lineage}})
        for job in self._state.list_assets(AssetKind.JOB):
            yield from self._build_run_events(job) if as_runs else [self._build_job_event(job)]

    def _build_event(self, kind: str, content: Facet) -> Facet:
        return {"eventTime": self._time, "producer": PRODUCER, "schemaURL": f"{SPECIFICATION}{kind}", **content}

    def _build_dataset_events(self, dataset: Dataset) -> Iterator[Facet]:
        """One event; lineage of columns that the schema lacks is in an event of its own, for beside a schema it would contradict that."""
        about = {**_list_columns(dataset.columns), **_describe_dataset(dataset), **self._symlinks.get(dataset.key, {})}
        inflow = self._without_job.get(dataset.key)
        lineage = {} if inflow is None else self._build_lineage(inflow)
        is_apart = inflow is not None and not self._has_listed_ends(inflow)
        for facets in (about, lineage) if is_apart else ({**about, **lineage},):
            yield self._build_event("DatasetEvent", {"dataset": {**self._name(dataset.key), "facets": facets}})

    def _build_job_event(self, job: Asset) -> Facet:
        inflows = {one.output: one for one in self._by_job.get(job.key, ())}
        inputs, outputs = self._list_ends(job, inflows)
        content: Facet = {
            "job": {**_name_job(job.key), "facets": _describe_job(job)},
            "inputs": [self._build_mention(one) for one in inputs],
            "outputs": [self._build_output(one, inflows.get(one)) for one in outputs],
        }
        return self._build_event("JobEvent", content)

    def _build_run_events(self, job: Asset) -> Iterator[Facet]:
        """One event of a completed run for each output, with the inputs of that output, and what the job reads for none of them."""
        inflows = {one.output: one for one in self._by_job.get(job.key, ())}
        inputs, outputs = self._list_ends(job, inflows)
        read = {start for one in inflows.values() for start in one.list_inputs()}
        rest = [one for one in inputs if one not in read]
        for output in outputs:
            own = inflows[output].list_inputs() if output in inflows else []
            mention = self._build_output(output, inflows.get(output))
            if output not in inflows or self._has_listed_ends(inflows[output]):  # programs that read runs only have no other place for it
                mention["facets"] = {**self._schemas.get(output, {}), **mention["facets"]}
            yield self._build_run_event(job, sorted({*own, *rest}), [mention])
        if not outputs:
            yield self._build_run_event(job, inputs, [])

    def _build_run_event(self, job: Asset, inputs: Iterable[AssetKey], outputs: list[Json]) -> Facet:
        run: Facet = {"runId": _compute_run_id(job.key)}
        if job.parent is not None:
            parent: Facet = {"run": {"runId": _compute_run_id(job.parent)}, "job": _name_job(job.parent)}
            run["facets"] = _build_facet("parent", parent)
        content: Facet = {
            "eventType": "COMPLETE",
            "run": run,
            "job": {**_name_job(job.key), "facets": _describe_job(job)},
            "inputs": [self._build_mention(one) for one in inputs],
            "outputs": outputs,
        }
        return self._build_event("RunEvent", content)

    def _list_ends(self, job: Asset, inflows: Mapping[AssetKey, Inflow]) -> tuple[list[AssetKey], list[AssetKey]]:
        """The datasets that a job reads, and those that it writes."""
        read = {link.end for link in self._state.list_links(job.key, EdgeType.READS)}
        written = {link.end for link in self._state.list_links(job.key, EdgeType.WRITES)}
        return sorted(read.union(*(one.list_inputs() for one in inflows.values()))), sorted(written | inflows.keys())

    def _build_output(self, output: AssetKey, inflow: Inflow | None) -> dict[str, Any]:
        facets = {**self._symlinks.get(output, {}), **self._build_lineage(inflow or Inflow(None, output, ()))}
        return {**self._name(output), "facets": facets}

    def _has_listed_ends(self, inflow: Inflow) -> bool:
        """Whether the schema of the output lists all columns into which something flows: else the two would contradict each other."""
        listed = self._listed.get(inflow.output, frozenset())
        return all(flow.end.name.casefold() in listed for flow in inflow.flows if flow.end.kind is AssetKind.COLUMN)

    def _build_mention(self, dataset: AssetKey) -> Facet:
        """A dataset with its other names."""
        symlinks = self._symlinks.get(dataset)
        return {**self._name(dataset), **({"facets": symlinks} if symlinks else {})}

    def _name(self, dataset: AssetKey) -> Facet:
        key = self._physical.get(dataset, dataset)
        return {"namespace": key.parts[0], "name": key.parts[1]}

    def _build_lineage(self, inflow: Inflow) -> Facet:
        """The facets `lineage` and, if columns flow, `columnLineage` of an output."""
        fields: dict[str, dict[AssetKey, list[Flow]]] = {}
        whole: dict[AssetKey, list[Flow]] = {}
        pairs: set[AssetKey] = set()
        for flow in inflow.flows:
            if flow.start.kind is AssetKind.DATASET:
                pairs.add(flow.start)
            elif flow.end.kind is AssetKind.DATASET:
                whole.setdefault(flow.start, []).append(flow)
            else:
                fields.setdefault(flow.end.name, {}).setdefault(flow.start, []).append(flow)
        if any(flow.subtype in HOISTED for starts in fields.values() for flows in starts.values() for flow in flows):
            for name in self._columns.get(inflow.output, ()):  # else such a flow into all that are stated would be one into the dataset
                fields.setdefault(name, {})
        unclear = pairs & {get_dataset(flow.start) for flow in inflow.flows if flow.start.kind is AssetKind.COLUMN}
        of_fields: dict[str, Json] = {
            name: {"inputs": [self._build_input(start, flows) for start, flows in starts.items()]} for name, starts in fields.items()
        }
        if unclear:  # of these, some columns are known and others not: a dataset without a field, which feeds a field, states that
            first = next(iter(fields), "") or next(iter(self._columns.get(inflow.output, ())), "*")
            entry = of_fields.setdefault(first, {"inputs": []})
            assert isinstance(entry, dict)
            listed = entry["inputs"]
            assert isinstance(listed, list)
            listed += [{**self._name(one), "type": "DATASET"} for one in sorted(unclear)]
        inputs: list[Json] = [{**self._name(one), "type": "DATASET"} for one in inflow.list_inputs()]
        inputs += [self._build_input(start, flows) for start, flows in whole.items()]
        found = _build_facet("lineage", {"inputs": inputs, "fields": of_fields})
        if any(fields.values()) or whole:
            older: Facet = {
                "fields": {
                    name: {"inputFields": [self._build_input_field(start, flows) for start, flows in starts.items()]}
                    for name, starts in fields.items()
                }
            }
            if whole:
                older["dataset"] = [self._build_input_field(start, flows) for start, flows in whole.items()]
            found |= _build_facet("columnLineage", older)
        return found

    def _build_input(self, start: AssetKey, flows: Sequence[Flow]) -> Facet:
        return {**self._build_input_field(start, flows), "type": "DATASET"}

    def _build_input_field(self, start: AssetKey, flows: Sequence[Flow]) -> Facet:
        return {**self._name(get_dataset(start)), "field": start.name, "transformations": [_describe_flow(flow) for flow in flows]}


def _describe_flow(flow: Flow) -> Facet:
    type_ = FlowType.INDIRECT if flow.end.kind is AssetKind.DATASET else flow.type
    return {"type": type_, "subtype": flow.subtype, "description": "", "masking": flow.masking}


def _name_job(job: AssetKey) -> Facet:
    return {"namespace": job.parts[0], "name": job.parts[1]}


def _compute_run_id(job: AssetKey) -> str:
    """The same for the same job, so that an export replaces what the one before stated."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{job.id}"))


def _build_facet(name: str, content: Facet) -> Facet:
    """A facet by its name, which is the last word of `name`."""
    return {name.rpartition(" ")[2]: {"_producer": PRODUCER, "_schemaURL": FACETS + SCHEMAS[name], **content}}


def _describe_dataset(dataset: Dataset) -> Facet:
    attributes = dataset.attributes
    found: Facet = {}
    if description := get_text(attributes, "description"):
        found |= _build_facet("documentation", {"description": description})
    if dataset.owners:
        found |= _build_facet("ownership", _list_owners(dataset.owners))
    tags = [(tag, "") for tag in dataset.tags] + [(tag, column.name) for column in dataset.columns for tag in column.tags]
    if tags:
        found |= _build_facet("tags", {"tags": [{**_describe_tag(tag), **({"field": field} if field else {})} for tag, field in tags]})
    if type_ := get_text(attributes, "dataset_type"):
        of: Facet = {"subType": subtype} if (subtype := get_text(attributes, "dataset_subtype")) else {}
        found |= _build_facet("datasetType", {"datasetType": type_, **of})
    storage = attributes.get("storage")
    if isinstance(storage, dict) and isinstance(storage.get("layer"), str):
        form: Facet = {"fileFormat": storage["format"]} if isinstance(storage.get("format"), str) else {}
        found |= _build_facet("storage", {"storageLayer": storage["layer"], **form})
    return found


def _list_columns(columns: Iterable[Column]) -> Facet:
    fields: list[Json] = [_describe_column(column) for column in columns if not column.is_inferred]
    return _build_facet("schema", {"fields": fields}) if fields else {}


def _describe_column(column: Column) -> Facet:
    about = {name: text for name in ("type", "description") if (text := get_text(column.attributes, name))}
    return {"name": column.name, **about}


def _list_symlinks(dataset: Dataset) -> Facet:
    """The other names. The first one is the shown name: programs that read only one of them read that."""
    own = "LOCATION" if dataset.key.parts[0].startswith(_NO_TABLE) else "TABLE"
    others = [(name, "LOCATION") for name in dataset.names[1:]]
    identifiers: list[Json] = [
        {"namespace": key.parts[0], "name": key.parts[1], "type": type_} for key, type_ in [(dataset.key, own), *others]
    ]
    return _build_facet("symlinks", {"identifiers": identifiers})


def _list_owners(owners: Iterable[Owned]) -> Facet:
    return {"owners": [{"name": one.owner.name, **({"type": one.type} if one.type else {})} for one in owners]}


def _describe_tag(tag: str) -> Facet:
    key, equals, value = tag.partition("=")
    return {"key": key, "value": value} if equals and key and value else {"key": tag, "value": "true"}


def _describe_job(job: Asset) -> Facet:
    attributes = job.attributes
    found: Facet = {}
    integration = get_text(attributes, "integration")
    of: Facet = {"jobType": type_} if (type_ := get_text(attributes, "job_type")) else {}
    if integration or of:
        processing = get_text(attributes, "processing_type") or "BATCH"
        found |= _build_facet("jobType", {"processingType": processing, "integration": integration or "MESHLINE", **of})
    if description := get_text(attributes, "description"):
        found |= _build_facet("job documentation", {"description": description})
    if job.owners:
        found |= _build_facet("job ownership", _list_owners(job.owners))
    if job.tags:
        found |= _build_facet("job tags", {"tags": [_describe_tag(tag) for tag in job.tags]})
    if (sql := get_text(attributes, "sql")) and integration.upper() != _SQL_IS_BETTER:
        found |= _build_facet("sql", {"query": sql})
    url = get_text(attributes, "source_code_location")
    if url.startswith(("https://", "http://", "git://", "ssh://")):
        found |= _build_facet("sourceCodeLocation", {"type": "git", "url": url})
    return found
