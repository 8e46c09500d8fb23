"""The facets that are interpreted, as typed values: strict on what is used, lenient on what is not.

Fields that only decorate (a type's text, a description) accept anything; names must be strings. A field
that is null counts as absent everywhere.
"""

from __future__ import annotations

from typing import Any

import msgspec


class AnyFacet(msgspec.Struct, frozen=True):
    """Any facet. `deleted`: the producer takes the facet back (spec, JobFacet and DatasetFacet)."""

    deleted: Any = msgspec.field(default=None, name="_deleted")


class SchemaField(msgspec.Struct, frozen=True):
    name: str
    type: Any = None
    description: Any = None
    ordinal_position: Any = None
    fields: list[SchemaField] | None = None


class Schema(AnyFacet, frozen=True):
    fields: list[SchemaField] | None = None


class Transformation(msgspec.Struct, frozen=True):
    type: Any = None
    subtype: Any = None
    masking: Any = None


class InputField(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    field: str
    transformations: list[Transformation | None] | None = None


class OutputField(msgspec.Struct, frozen=True, rename="camel"):
    input_fields: list[InputField] | None = None
    transformation_type: Any = None  # deprecated in the specification, still sent


class ColumnLineage(AnyFacet, frozen=True):
    fields: dict[str, OutputField | None] | None = None
    dataset: list[InputField] | None = None


class LineageInput(msgspec.Struct, frozen=True):
    """A source; what it needs depends on `type` (DATASET or JOB), see `meshline.ingest.openlineage.flows`."""

    type: str | None = None
    namespace: str | None = None
    name: str | None = None
    field: str | None = None
    transformations: list[Transformation | None] | None = None


class LineageField(msgspec.Struct, frozen=True):
    inputs: list[LineageInput] | None = None


class DatasetLineage(AnyFacet, frozen=True):
    inputs: list[LineageInput] | None = None
    fields: dict[str, LineageField | None] | None = None


class LineageEntry(msgspec.Struct, frozen=True):
    type: str | None = None
    namespace: str | None = None
    name: str | None = None
    inputs: list[LineageInput] | None = None
    fields: dict[str, LineageField | None] | None = None


class JobLineage(AnyFacet, frozen=True):
    entries: list[LineageEntry] | None = None


class Identifier(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    type: Any = None


class Symlinks(AnyFacet, frozen=True):
    identifiers: list[Identifier] | None = None


class FacetOwner(msgspec.Struct, frozen=True):
    name: str
    type: Any = None


class Ownership(AnyFacet, frozen=True):
    owners: list[FacetOwner] | None = None


class Tag(msgspec.Struct, frozen=True):
    key: str
    value: Any = None
    field: str | None = None


class Tags(AnyFacet, frozen=True):
    tags: list[Tag] | None = None


class Documentation(AnyFacet, frozen=True):
    description: str | None = None


class DatasetType(AnyFacet, frozen=True, rename="camel"):
    dataset_type: str | None = None
    sub_type: str | None = None


class Storage(AnyFacet, frozen=True, rename="camel"):
    storage_layer: str | None = None
    file_format: str | None = None


class DataSource(AnyFacet, frozen=True):
    name: str | None = None
    uri: str | None = None


class Catalog(AnyFacet, frozen=True, rename="camel"):
    framework: str | None = None
    type: str | None = None
    name: str | None = None
    metadata_uri: str | None = None
    warehouse_uri: str | None = None
    source: str | None = None


class Level(msgspec.Struct, frozen=True):
    type: str
    name: str


class Hierarchy(AnyFacet, frozen=True):
    hierarchy: list[Level] | None = None


class DatasetName(msgspec.Struct, frozen=True):
    namespace: str
    name: str


class LifecycleStateChange(AnyFacet, frozen=True, rename="camel"):
    lifecycle_state_change: str | None = None
    previous_identifier: DatasetName | None = None


class JobType(AnyFacet, frozen=True, rename="camel"):
    processing_type: str | None = None
    integration: str | None = None
    job_type: str | None = None


class Sql(AnyFacet, frozen=True):
    query: str | None = None
    dialect: Any = None


class SourceCodeLocation(AnyFacet, frozen=True):
    url: str | None = None


class RunName(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str


class JobName(msgspec.Struct, frozen=True):
    namespace: str
    name: str


class RootRun(msgspec.Struct, frozen=True):
    job: JobName | None = None
    run: RunName | None = None


class Parent(AnyFacet, frozen=True, kw_only=True):
    job: JobName
    run: RunName
    root: RootRun | None = None
