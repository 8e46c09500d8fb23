"""Types that check facets against the schemas of the specification. The types that are interpreted are in `facet_types`.

Source: the JSON Schemas in `spec/facets` of OpenLineage 1.40. Formats (`uri`, `uuid`, `date-time`) are not checked, nor the
`_producer` and `_schemaURL` that every facet should have: they state nothing about the data. A schema accepts keys that it
does not list, and refuses null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from meshline.ingest.openlineage import facet_types

Text: TypeAlias = str | UnsetType
Integer: TypeAlias = int | UnsetType
Number: TypeAlias = int | float | UnsetType
Flag: TypeAlias = bool | UnsetType
Object: TypeAlias = dict[str, Any] | UnsetType

ABSENT: Any = None  # of a key that a type below may lack, and that may not be null

# The largest facets are decoded once: these types refine those that are interpreted. `unread` is only checked.


class Transformation(facet_types.Transformation, frozen=True, gc=False):
    type: str
    subtype: str = ABSENT
    masking: bool = ABSENT
    unread: str = msgspec.field(default=ABSENT, name="description")


class InputField(facet_types.InputField, frozen=True, gc=False):
    transformations: tuple[Transformation, ...] = ABSENT


class OutputField(facet_types.OutputField, frozen=True, gc=False, rename="camel"):
    input_fields: tuple[InputField, ...]
    transformation_type: str = ABSENT
    unread: str = msgspec.field(default=ABSENT, name="transformationDescription")


class ColumnLineage(facet_types.ColumnLineage, frozen=True, gc=False, kw_only=True):
    fields: dict[str, OutputField]  # type: ignore[assignment]  # invariant, and never changed
    dataset: tuple[InputField, ...] = ABSENT


class SchemaField(facet_types.SchemaField, frozen=True, gc=False):
    type: str = ABSENT
    description: str = ABSENT
    ordinal_position: int = ABSENT
    fields: tuple[SchemaField, ...] = ABSENT


class Schema(facet_types.Schema, frozen=True, gc=False):
    fields: tuple[SchemaField, ...] = ABSENT


class _NamedTogether(Struct, gc=False):
    """A job in a lineage facet: it has both a namespace and a name, or neither."""

    namespace: Text = UNSET
    name: Text = UNSET

    def __post_init__(self) -> None:
        if (self.namespace is UNSET) != (self.name is UNSET):
            raise ValueError("`namespace` and `name` come together")


class LineageDatasetInput(Struct, gc=False, tag="DATASET", tag_field="type"):
    namespace: str
    name: str
    field: Text = UNSET
    transformations: list[Transformation] | UnsetType = UNSET


class LineageJobInput(_NamedTogether, gc=False, tag="JOB", tag_field="type", rename="camel"):
    run_id: Text = UNSET
    transformations: list[Transformation] | UnsetType = UNSET


LineageInputs: TypeAlias = list[LineageDatasetInput | LineageJobInput]


class LineageField(Struct, gc=False):
    inputs: LineageInputs


class LineageDatasetEntry(Struct, gc=False, tag="DATASET", tag_field="type"):
    namespace: str
    name: str
    inputs: LineageInputs | UnsetType = UNSET
    fields: dict[str, LineageField] | UnsetType = UNSET


class LineageJobEntry(_NamedTogether, gc=False, tag="JOB", tag_field="type", rename="camel"):
    run_id: Text = UNSET
    inputs: LineageInputs | UnsetType = UNSET


class DatasetLineage(Struct, gc=False):
    inputs: LineageInputs | UnsetType = UNSET
    fields: dict[str, LineageField] | UnsetType = UNSET


class JobLineage(Struct, gc=False):
    entries: list[LineageDatasetEntry | LineageJobEntry]


class Identifier(Struct, gc=False):
    namespace: str
    name: str
    type: str


class Symlinks(Struct, gc=False):
    identifiers: list[Identifier] | UnsetType = UNSET


class Catalog(Struct, gc=False, rename="camel"):
    framework: str
    type: str
    name: str
    metadata_uri: Text = UNSET
    warehouse_uri: Text = UNSET
    source: Text = UNSET
    catalog_properties: dict[str, str] | UnsetType = UNSET


class Level(Struct, gc=False):
    type: str
    name: str


class Hierarchy(Struct, gc=False):
    hierarchy: list[Level]


class DatasetName(Struct, gc=False):
    namespace: str
    name: str


class LifecycleStateChange(Struct, gc=False, rename="camel"):
    lifecycle_state_change: Literal["ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"]
    previous_identifier: DatasetName | UnsetType = UNSET


class Owner(Struct, gc=False):
    name: str
    type: Text = UNSET


class Ownership(Struct, gc=False):
    owners: list[Owner] | UnsetType = UNSET


class Tag(Struct, gc=False):
    key: str
    value: str
    source: Text = UNSET


class DatasetTag(Tag, gc=False):
    field: Text = UNSET


class Tags(Struct, gc=False):
    tags: list[Tag] | UnsetType = UNSET


class DatasetTags(Struct, gc=False):
    tags: list[DatasetTag] | UnsetType = UNSET


class Documentation(Struct, gc=False, rename="camel"):
    description: str
    content_type: Text = UNSET


class DatasetType(Struct, gc=False, rename="camel"):
    dataset_type: str
    sub_type: Text = UNSET


class Storage(Struct, gc=False, rename="camel"):
    storage_layer: str
    file_format: Text = UNSET


class DataSource(Struct, gc=False):
    name: Text = UNSET
    uri: Text = UNSET


class DatasetVersion(Struct, gc=False, rename="camel"):
    dataset_version: str


class ColumnMetrics(Struct, gc=False, rename="camel"):
    null_count: Integer = UNSET
    distinct_count: Integer = UNSET
    sum: Number = UNSET
    count: Number = UNSET
    min: Number = UNSET
    max: Number = UNSET
    quantiles: dict[str, int | float] | UnsetType = UNSET


class DataQualityMetrics(Struct, gc=False, rename="camel"):
    column_metrics: dict[str, ColumnMetrics]
    row_count: Integer = UNSET
    bytes: Integer = UNSET
    file_count: Integer = UNSET
    last_updated: Text = UNSET


class Assertion(Struct, gc=False, rename="camel"):
    assertion: str
    success: bool
    column: Text = UNSET
    severity: Text = UNSET
    name: Text = UNSET
    description: Text = UNSET
    expected: Text = UNSET
    actual: Text = UNSET
    content: Text = UNSET
    content_type: Text = UNSET
    params: Object = UNSET


class DataQualityAssertions(Struct, gc=False):
    assertions: list[Assertion]


class Statistics(Struct, gc=False, rename="camel"):
    row_count: Integer = UNSET
    size: Integer = UNSET
    file_count: Integer = UNSET


class LocationCondition(Struct, gc=False, tag="location", tag_field="type"):
    locations: list[str]


class Partition(Struct, gc=False):
    dimensions: dict[str, Any]
    identifier: Text = UNSET


class PartitionCondition(Struct, gc=False, tag="partition", tag_field="type"):
    partitions: list[Partition]


class FieldExpression(Struct, gc=False, tag="field", tag_field="type"):
    field: str


class LiteralExpression(Struct, gc=False, tag="literal", tag_field="type"):
    value: str


class CompareCondition(Struct, gc=False, tag="compare", tag_field="type"):
    left: FieldExpression | LiteralExpression
    right: FieldExpression | LiteralExpression
    comparison: str


class BinaryCondition(Struct, gc=False, tag="binary", tag_field="type"):
    left: LocationCondition | PartitionCondition | BinaryCondition | CompareCondition
    right: LocationCondition | PartitionCondition | BinaryCondition | CompareCondition
    operator: str


Condition: TypeAlias = LocationCondition | PartitionCondition | BinaryCondition | CompareCondition


class Subset(Struct, gc=False, rename="camel"):
    input_condition: Condition | UnsetType = UNSET
    output_condition: Condition | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.input_condition is UNSET) == (self.output_condition is UNSET):
            raise ValueError("exactly one of `inputCondition` and `outputCondition`")


class EmissionPattern(Struct, gc=False, rename="camel"):
    event_trigger: str
    event_content_mode: str
    window_duration: Annotated[int, msgspec.Meta(ge=1)] | UnsetType = UNSET


class JobType(Struct, gc=False, rename="camel"):
    processing_type: str
    integration: str
    job_type: Text = UNSET
    emission_pattern: EmissionPattern | UnsetType = UNSET


class Sql(Struct, gc=False):
    query: str
    dialect: Text = UNSET


class SourceCodeLocation(Struct, gc=False, rename="camel"):
    type: str
    url: str
    repo_url: Text = UNSET
    path: Text = UNSET
    version: Text = UNSET
    tag: Text = UNSET
    branch: Text = UNSET
    pull_request_number: Text = UNSET


class SourceCode(Struct, gc=False, rename="camel"):
    language: str
    source_code: str


class RunName(Struct, gc=False, rename="camel"):
    run_id: str
    facets: dict[str, dict[str, Any]] | UnsetType = UNSET


class JobName(Struct, gc=False):
    namespace: str
    name: str
    facets: dict[str, dict[str, Any]] | UnsetType = UNSET


class Root(Struct, gc=False):
    run: RunName
    job: JobName


class Parent(Struct, gc=False):
    run: RunName
    job: JobName
    root: Root | UnsetType = UNSET


class DependencyRun(Struct, gc=False, rename="camel"):
    run_id: str


class DependencyJob(Struct, gc=False):
    namespace: str
    name: str


class JobDependency(Struct, gc=False):
    job: DependencyJob
    run: DependencyRun | UnsetType = UNSET
    dependency_type: Text = UNSET
    sequence_trigger_rule: Text = UNSET
    status_trigger_rule: Text = UNSET


class JobDependencies(Struct, gc=False):
    upstream: list[JobDependency] | UnsetType = UNSET
    downstream: list[JobDependency] | UnsetType = UNSET
    trigger_rule: Text = UNSET


class EnvironmentVariable(Struct, gc=False):
    name: str
    value: str


class EnvironmentVariables(Struct, gc=False, rename="camel"):
    environment_variables: list[EnvironmentVariable]


class ErrorMessage(Struct, gc=False, rename="camel"):
    message: str
    programming_language: str
    stack_trace: Text = UNSET


class ExecutionParameter(Struct, gc=False, forbid_unknown_fields=True):
    key: str
    name: Text = UNSET
    description: Text = UNSET
    value: Text = UNSET


class ExecutionParameters(Struct, gc=False):
    parameters: list[ExecutionParameter] | UnsetType = UNSET


class ExternalQuery(Struct, gc=False, rename="camel"):
    external_query_id: str
    source: str


class ExtractionFailure(Struct, gc=False, rename="camel"):
    error_message: str
    stack_trace: Text = UNSET
    task: Text = UNSET
    task_number: Integer = UNSET


class ExtractionError(Struct, gc=False, rename="camel"):
    total_tasks: int
    failed_tasks: int
    errors: list[ExtractionFailure]


class NominalTime(Struct, gc=False, rename="camel"):
    nominal_start_time: str
    nominal_end_time: Text = UNSET


class ProcessingEngine(Struct, gc=False, rename="camel"):
    version: str
    name: Text = UNSET
    openlineage_adapter_version: Text = UNSET


class TestExecution(Struct, gc=False, rename="camel"):
    name: str
    status: str
    severity: Text = UNSET
    type: Text = UNSET
    description: Text = UNSET
    expected: Text = UNSET
    actual: Text = UNSET
    content: Text = UNSET
    content_type: Text = UNSET
    params: Object = UNSET


class TestRun(Struct, gc=False):
    tests: list[TestExecution]


# By place (`meshline.ingest.openlineage.facets.Place`) and name.
SCHEMAS: dict[tuple[str, str], type[Struct]] = {
    ("dataset", "columnLineage"): ColumnLineage,
    ("dataset", "lineage"): DatasetLineage,
    ("dataset", "schema"): Schema,
    ("dataset", "symlinks"): Symlinks,
    ("dataset", "catalog"): Catalog,
    ("dataset", "hierarchy"): Hierarchy,
    ("dataset", "lifecycleStateChange"): LifecycleStateChange,
    ("dataset", "ownership"): Ownership,
    ("dataset", "tags"): DatasetTags,
    ("dataset", "documentation"): Documentation,
    ("dataset", "datasetType"): DatasetType,
    ("dataset", "storage"): Storage,
    ("dataset", "dataSource"): DataSource,
    ("dataset", "version"): DatasetVersion,
    ("dataset", "dataQualityMetrics"): DataQualityMetrics,
    ("dataset", "dataQualityAssertions"): DataQualityAssertions,
    ("input", "dataQualityMetrics"): DataQualityMetrics,
    ("input", "dataQualityAssertions"): DataQualityAssertions,
    ("input", "inputStatistics"): Statistics,
    ("input", "subset"): Subset,
    ("output", "subset"): Subset,
    ("output", "outputStatistics"): Statistics,
    ("job", "lineage"): JobLineage,
    ("job", "jobType"): JobType,
    ("job", "ownership"): Ownership,
    ("job", "tags"): Tags,
    ("job", "documentation"): Documentation,
    ("job", "sql"): Sql,
    ("job", "sourceCodeLocation"): SourceCodeLocation,
    ("job", "sourceCode"): SourceCode,
    ("run", "parent"): Parent,
    ("run", "jobDependencies"): JobDependencies,
    ("run", "environmentVariables"): EnvironmentVariables,
    ("run", "errorMessage"): ErrorMessage,
    ("run", "executionParameters"): ExecutionParameters,
    ("run", "externalQuery"): ExternalQuery,
    ("run", "extractionError"): ExtractionError,
    ("run", "nominalTime"): NominalTime,
    ("run", "processing_engine"): ProcessingEngine,
    ("run", "tags"): Tags,
    ("run", "test"): TestRun,
}


class SchemaCheck:
    """Checks facets against their schemas. Each decoder is built when it is first needed."""

    def __init__(self) -> None:
        self._decoders: dict[tuple[str, str], msgspec.json.Decoder[Struct]] = {}

    def decode(self, place: str, name: str, raw: bytes) -> tuple[Struct | None, str]:
        """A facet as a value of its schema's type, and why the schema refuses it: None and a text, if it does. None and no text if the
        specification has no such facet.
        """
        key = (place, name)
        if key not in SCHEMAS:
            return None, ""
        decoder = self._decoders.get(key)
        if decoder is None:
            decoder = self._decoders[key] = msgspec.json.Decoder(SCHEMAS[key])
        try:
            return decoder.decode(raw), ""
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return None, str(error)
