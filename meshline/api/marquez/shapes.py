"""The JSON of Marquez's REST API. A value that is absent is null: its clients read every member."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

Facets: TypeAlias = dict[str, Any]  # any JSON, as it was sent


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all shapes: members in camel case, null where there is no value."""


class Name(Shape, frozen=True):
    """The id of a dataset or a job."""

    namespace: str
    name: str


class VersionedName(Shape, frozen=True):
    """The id of a version of a dataset or a job."""

    namespace: str
    name: str
    version: str


class Namespace(Shape, frozen=True):
    """A namespace of datasets or jobs."""

    name: str
    created_at: datetime
    updated_at: datetime
    owner_name: str
    description: str | None
    is_hidden: bool


class Namespaces(Shape, frozen=True):
    """A page of namespaces."""

    namespaces: list[Namespace]


class DataSource(Shape, frozen=True):
    """Marquez's "source": where datasets are stored. It is not a source of statements."""

    type: str
    name: str
    created_at: datetime
    updated_at: datetime
    connection_url: str
    description: str | None


class DataSources(Shape, frozen=True):
    """A page of data sources."""

    sources: list[DataSource]


class Tag(Shape, frozen=True):
    """A tag of datasets, columns or jobs."""

    name: str
    description: str | None


class Tags(Shape, frozen=True):
    """A page of tags."""

    tags: list[Tag]


class Field(Shape, frozen=True):
    """A column of a dataset."""

    name: str
    type: str | None
    tags: list[str]
    description: str | None


class InputField(Shape, frozen=True):
    """A column from which a column is computed, in an answer about a dataset."""

    namespace: str
    dataset: str
    field: str
    transformation_description: str | None
    transformation_type: str | None


class ComputedField(Shape, frozen=True):
    """A column of a dataset with the columns from which it is computed."""

    name: str
    input_fields: list[InputField]
    transformation_description: str | None
    transformation_type: str | None


class DatasetData(Shape, frozen=True):
    """A dataset in a lineage graph. `type` is always DB_TABLE, the only one that Marquez's page shows; the facet `datasetType` has the
    true one.
    """

    id: Name
    type: Literal["DB_TABLE"]
    name: str
    physical_name: str
    created_at: datetime
    updated_at: datetime
    namespace: str
    source_name: str
    fields: list[Field]
    tags: list[str]
    last_modified_at: datetime | None
    description: str | None
    last_lifecycle_state: str | None


class Dataset(DatasetData, frozen=True):
    """A dataset."""

    current_version: str | None
    column_lineage: list[ComputedField] | None
    facets: Facets
    deleted: bool


class Datasets(Shape, frozen=True):
    """A page of datasets."""

    datasets: list[Dataset]
    total_count: int


class Run(Shape, frozen=True):
    """A run of a job."""

    id: str
    created_at: datetime
    updated_at: datetime
    nominal_start_time: datetime | None
    nominal_end_time: datetime | None
    state: Literal["NEW", "RUNNING", "COMPLETED", "ABORTED", "FAILED"]
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: int | None
    args: dict[str, str]
    job_version: VersionedName | None
    input_dataset_versions: list[RunDataset]
    output_dataset_versions: list[RunDataset]
    facets: Facets


class RunDataset(Shape, frozen=True):
    """A version of a dataset that a run read or wrote, with the facets that the run stated of it."""

    dataset_version_id: VersionedName
    facets: Facets


class Runs(Shape, frozen=True):
    """A page of runs of a job."""

    runs: list[Run]
    total_count: int


class RunFacets(Shape, frozen=True):
    """The facets of a run, or of its job."""

    run_id: str
    facets: Facets


class Events(Shape, frozen=True):
    """A page of events, each as it was received."""

    events: list[msgspec.Raw]
    total_count: int


class EventStatistics(Shape, frozen=True):
    """How many events of each type there were in an interval."""

    start_interval: datetime
    end_interval: datetime
    fail: int
    start: int
    complete: int
    abort: int


class AssetStatistics(Shape, frozen=True):
    """How many assets there were at the end of an interval."""

    start_interval: datetime
    end_interval: datetime
    count: int


class DatasetVersion(Shape, frozen=True):
    """What a run wrote into a dataset; of a dataset that no run wrote, its columns as they are stated."""

    id: VersionedName
    type: Literal["DB_TABLE"]
    name: str
    physical_name: str
    created_at: datetime
    version: str
    namespace: str
    source_name: str
    fields: list[Field]
    tags: list[str]
    lifecycle_state: str | None
    description: str | None
    current_schema_version: str | None
    created_by_run: Run | None
    facets: Facets


class DatasetVersions(Shape, frozen=True):
    """A page of versions of a dataset."""

    versions: list[DatasetVersion]
    total_count: int


class JobVersion(Shape, frozen=True):
    """What a job reads and writes, and where its code is, from when on, with its newest run."""

    id: VersionedName
    name: str
    created_at: datetime
    version: str
    namespace: str
    location: str | None
    inputs: list[Name]
    outputs: list[Name]
    latest_run: Run | None


class JobVersions(Shape, frozen=True):
    """A page of versions of a job."""

    versions: list[JobVersion]


class RunSummary(Shape, frozen=True):
    """A run among those before another."""

    id: str
    start: datetime | None
    end: datetime | None
    status: str


class UpstreamDataset(Shape, frozen=True):
    """A version of a dataset that a run read, and the run that wrote it."""

    namespace: str
    name: str
    version: str
    produced_by_run_id: str | None


class UpstreamRun(Shape, frozen=True):
    """A run with its job, and what it read."""

    job: JobVersionName
    run: RunSummary
    inputs: list[UpstreamDataset]


class JobVersionName(Shape, frozen=True):
    """A job, and the version of it that a run had."""

    namespace: str
    name: str
    version: str | None


class UpstreamRuns(Shape, frozen=True):
    """A run, and the runs that wrote what it read."""

    runs: list[UpstreamRun]


class DatasetMatch(msgspec.Struct, frozen=True):
    """A dataset as Marquez's search engine describes it. Empty: it is not known."""

    run_id: str
    name: str
    namespace: str
    eventType: str  # noqa: N815 - as Marquez's page reads it
    facets: Facets


class DatasetMatches(Shape, frozen=True):
    """Datasets that a search found, and of each where the text is."""

    hits: list[DatasetMatch]
    highlights: list[dict[str, list[str]]]


class JobMatch(msgspec.Struct, frozen=True):
    """A job as Marquez's search engine describes it, with its newest run. Empty: it is not known."""

    run_id: str
    name: str
    namespace: str
    eventType: str  # noqa: N815 - as Marquez's page reads it
    type: Literal["BATCH"]
    facets: Facets
    runFacets: Facets  # noqa: N815


class JobMatches(Shape, frozen=True):
    """Jobs that a search found, and of each where the text is."""

    hits: list[JobMatch]
    highlights: list[dict[str, list[str]]]


class JobBase(Shape, frozen=True):
    """What every answer shows of a job. `type` is always BATCH, the only one that Marquez's page shows."""

    id: Name
    type: Literal["BATCH"]
    name: str
    simple_name: str
    parent_job_name: str | None
    parent_job_uuid: str | None
    created_at: datetime
    updated_at: datetime
    namespace: str
    inputs: list[Name]
    outputs: list[Name]
    location: str | None
    description: str | None
    latest_run: Run | None


class Job(JobBase, frozen=True):
    """A job. `latest_runs`: the newest ten; null if there are none."""

    latest_runs: list[Run] | None
    facets: Facets
    current_version: str | None
    labels: list[str]
    tags: list[str]


class JobData(JobBase, frozen=True):
    """A job in a lineage graph."""

    current_run_uuid: str | None


class Jobs(Shape, frozen=True):
    """A page of jobs."""

    jobs: list[Job]
    total_count: int


class Hit(Shape, frozen=True):
    """A dataset or job that a search found."""

    type: Literal["DATASET", "JOB"]
    name: str
    updated_at: datetime
    namespace: str
    node_id: str


class Hits(Shape, frozen=True):
    """The first hits of a search, and how many there are."""

    total_count: int
    results: list[Hit]


class GraphEdge(Shape, frozen=True):
    """An edge between nodes of a graph, by their ids."""

    origin: str
    destination: str


class GraphInputField(Shape, frozen=True):
    """A column from which a column of a graph is computed."""

    namespace: str
    dataset: str
    dataset_version: str | None
    field: str
    transformation_description: str | None
    transformation_type: str | None


class ColumnData(Shape, frozen=True):
    """A column in a graph. `field_type`: empty if it is not known."""

    namespace: str
    dataset: str
    dataset_version: str | None
    field: str
    field_type: str
    transformation_description: str | None
    transformation_type: str | None
    input_fields: list[GraphInputField]


class _Node(Shape, frozen=True, tag_field="type"):
    """A node of a graph with its edges."""

    id: str
    in_edges: list[GraphEdge]
    out_edges: list[GraphEdge]


class JobNode(_Node, frozen=True, tag="JOB"):
    """A job in a lineage graph."""

    data: JobData


class DatasetNode(_Node, frozen=True, tag="DATASET"):
    """A dataset in a lineage graph."""

    data: DatasetData


class ColumnNode(_Node, frozen=True, tag="DATASET_FIELD"):
    """A column in a graph of columns."""

    data: ColumnData


class Graph(Shape, frozen=True):
    """A lineage graph, its nodes by id."""

    graph: list[JobNode | DatasetNode]


class ColumnGraph(Shape, frozen=True):
    """A graph of columns, its nodes by id."""

    graph: list[ColumnNode]


# -- bodies of requests. What is not named here is ignored, as Marquez ignores it.


class NamespaceMeta(Shape, frozen=True):
    """What is registered of a namespace."""

    owner_name: str
    description: str | None = None


class DataSourceMeta(Shape, frozen=True):
    """What is registered of a data source."""

    type: str
    connection_url: str
    description: str | None = None


class TagMeta(Shape, frozen=True):
    """What is registered of a tag."""

    description: str | None = None


class FieldMeta(Shape, frozen=True):
    """A column of a dataset that is declared."""

    name: str
    type: str | None = None
    tags: list[str] | None = None
    description: str | None = None


class DatasetMeta(Shape, frozen=True):
    """A dataset that is declared; `run_id`: of the run that writes it."""

    type: Literal["DB_TABLE", "STREAM"]
    physical_name: str
    source_name: str
    fields: list[FieldMeta] | None = None
    tags: list[str] | None = None
    description: str | None = None
    run_id: str | None = None
    schema_location: str | None = None


class JobMeta(Shape, frozen=True):
    """A job that is declared; `run_id`: of the run that reads and writes the same."""

    type: Literal["BATCH", "STREAM", "SERVICE"]
    inputs: list[Name] | None = None
    outputs: list[Name] | None = None
    location: str | None = None
    description: str | None = None
    run_id: str | None = None
    tags: list[str] | None = None


class RunMeta(Shape, frozen=True):
    """A run that is created. `id`: made if there is none."""

    id: str | None = None
    nominal_start_time: str | None = None
    nominal_end_time: str | None = None
    args: dict[str, str] | None = None
