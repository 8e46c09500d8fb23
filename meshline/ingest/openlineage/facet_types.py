"""The facets that are interpreted, as typed values: strict on what is used, lenient on what is not.

Fields that only decorate (a type's text, a description) accept anything; names must be strings. A field
that is null counts as absent everywhere. Values contain nothing that could be part of a cycle (tuples, and
`gc=False`): thousands are cached, and the garbage collector need not traverse them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class AnyFacet(msgspec.Struct, frozen=True, gc=False):
    """Any facet. `deleted`: true if the producer deletes the facet (specification, JobFacet and DatasetFacet)."""

    deleted: Any = msgspec.field(default=None, name="_deleted")


class SchemaField(msgspec.Struct, frozen=True, gc=False):
    name: str
    type: Any = None
    description: Any = None
    ordinal_position: Any = None
    fields: tuple[SchemaField, ...] | None = None


class Schema(AnyFacet, frozen=True, gc=False):
    fields: tuple[SchemaField, ...] | None = None


class Transformation(msgspec.Struct, frozen=True, gc=False):
    type: Any = None
    subtype: Any = None
    masking: Any = None


class InputField(msgspec.Struct, frozen=True, gc=False):
    namespace: str
    name: str
    field: str
    transformations: tuple[Transformation | None, ...] | None = None


class OutputField(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    input_fields: tuple[InputField, ...] | None = None
    transformation_type: Any = None  # deprecated in the specification, still sent


class ColumnLineage(AnyFacet, frozen=True, gc=False):
    fields: dict[str, OutputField | None] | None = None
    dataset: tuple[InputField, ...] | None = None


class LineageInput(msgspec.Struct, frozen=True, gc=False):
    """A source; which fields it must have depends on `type` (DATASET or JOB), see `meshline.ingest.openlineage.column_lineage`."""

    type: str | None = None
    namespace: str | None = None
    name: str | None = None
    field: str | None = None
    transformations: tuple[Transformation | None, ...] | None = None


class LineageField(msgspec.Struct, frozen=True, gc=False):
    inputs: tuple[LineageInput, ...] | None = None


class DatasetLineage(AnyFacet, frozen=True, gc=False):
    inputs: tuple[LineageInput, ...] | None = None
    fields: dict[str, LineageField | None] | None = None


class LineageEntry(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    namespace: str | None = None
    name: str | None = None
    inputs: tuple[LineageInput, ...] | None = None
    fields: dict[str, LineageField | None] | None = None


class JobLineage(AnyFacet, frozen=True, gc=False):
    entries: tuple[LineageEntry, ...] | None = None


class Identifier(msgspec.Struct, frozen=True, gc=False):
    namespace: str
    name: str
    type: Any = None


class Symlinks(AnyFacet, frozen=True, gc=False):
    identifiers: tuple[Identifier, ...] | None = None


class FacetOwner(msgspec.Struct, frozen=True, gc=False):
    name: str
    type: Any = None


class Ownership(AnyFacet, frozen=True, gc=False):
    owners: tuple[FacetOwner, ...] | None = None


class Tag(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: Any = None
    field: str | None = None


class Tags(AnyFacet, frozen=True, gc=False):
    tags: tuple[Tag, ...] | None = None


class Documentation(AnyFacet, frozen=True, gc=False):
    description: str | None = None


class DatasetType(AnyFacet, frozen=True, gc=False, rename="camel"):
    dataset_type: str | None = None
    sub_type: str | None = None


class Storage(AnyFacet, frozen=True, gc=False, rename="camel"):
    storage_layer: str | None = None
    file_format: str | None = None


class DataSource(AnyFacet, frozen=True, gc=False):
    name: str | None = None
    uri: str | None = None


class Catalog(AnyFacet, frozen=True, gc=False, rename="camel"):
    framework: str | None = None
    type: str | None = None
    name: str | None = None
    metadata_uri: str | None = None
    warehouse_uri: str | None = None
    source: str | None = None


class Level(msgspec.Struct, frozen=True, gc=False):
    type: str
    name: str


class Hierarchy(AnyFacet, frozen=True, gc=False):
    hierarchy: tuple[Level, ...] | None = None


class DatasetName(msgspec.Struct, frozen=True, gc=False):
    namespace: str
    name: str


class LifecycleStateChange(AnyFacet, frozen=True, gc=False, rename="camel"):
    lifecycle_state_change: str | None = None
    previous_identifier: DatasetName | None = None


class JobType(AnyFacet, frozen=True, gc=False, rename="camel"):
    processing_type: str | None = None
    integration: str | None = None
    job_type: str | None = None


class Sql(AnyFacet, frozen=True, gc=False):
    query: str | None = None
    dialect: Any = None


class DbtNode(AnyFacet, frozen=True, gc=False):
    """The facet `dbt_node`, which only openlineage-dbt sends."""

    unique_id: str | None = None


class SourceCodeLocation(AnyFacet, frozen=True, gc=False):
    url: str | None = None


class Assertion(msgspec.Struct, frozen=True, gc=False):
    """One test and its result. `params`: only from producers that send version 1-1-0 of the facet."""

    assertion: str
    success: bool
    column: str | None = None
    name: str | None = None
    severity: Any = None
    expected: Any = None
    actual: Any = None
    description: Any = None
    params: Any = None


class DataQualityAssertions(AnyFacet, frozen=True, gc=False):
    assertions: tuple[Assertion, ...] | None = None


class RunName(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    run_id: str


class JobName(msgspec.Struct, frozen=True, gc=False):
    namespace: str
    name: str


class RootRun(msgspec.Struct, frozen=True, gc=False):
    job: JobName | None = None
    run: RunName | None = None


class Parent(AnyFacet, frozen=True, gc=False, kw_only=True):
    job: JobName
    run: RunName
    root: RootRun | None = None
