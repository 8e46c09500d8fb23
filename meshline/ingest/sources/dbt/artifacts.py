"""The parts of manifest.json v9 to v12, catalog.json v1, run_results.json v4 to v6 and sources.json v3 that are used, typed."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct


class Metadata(Struct, frozen=True, gc=False):
    """The metadata of any artifact."""

    dbt_schema_version: str = ""
    dbt_version: str = ""
    generated_at: str = ""
    project_name: str | None = None
    project_id: str | None = None  # the MD5 of the project's name
    adapter_type: str | None = None


class Manifest(Struct, frozen=True, gc=False):
    """manifest.json. Its entries are decoded one by one, so that a faulty one does not affect the others."""

    metadata: Metadata
    nodes: dict[str, Raw]
    sources: dict[str, Raw] = {}
    exposures: dict[str, Raw] = {}
    metrics: dict[str, Raw] = {}
    groups: dict[str, Raw] = {}
    saved_queries: dict[str, Raw] = {}
    semantic_models: dict[str, Raw] = {}
    unit_tests: dict[str, Raw] = {}


class Kind(Struct, frozen=True, gc=False):
    """The kind of an entry of `nodes`."""

    resource_type: str


class DependsOn(Struct, frozen=True, gc=False):
    """The unique ids of the entries that an entry refers to."""

    nodes: list[str] = []


class Constraint(Struct, frozen=True, gc=False):
    """A constraint of a column or model. `type`: not_null, unique, check, primary_key, foreign_key, custom."""

    type: str
    name: str | None = None
    expression: str | None = None
    columns: list[str] | None = None
    to: str | None = None
    to_columns: list[str] | None = None


class Contract(Struct, frozen=True, gc=False):
    """Whether dbt compares the columns with those that are declared."""

    enforced: bool | None = None


class ColumnConfig(Struct, frozen=True, gc=False):
    """The configuration of a column; from dbt 1.10 on, it also has the column's meta and tags."""

    meta: dict[str, Any] | None = None
    tags: list[str] | str | None = None


class Column(Struct, frozen=True, gc=False):
    """A column as YAML declares it."""

    name: str
    description: str | None = None
    data_type: str | None = None
    meta: dict[str, Any] | None = None
    tags: list[str] | str | None = None
    constraints: list[Constraint] | None = None
    config: ColumnConfig | None = None


class Config(Struct, frozen=True, gc=False):
    """A node's resolved configuration."""

    materialized: str | None = None
    group: str | None = None
    access: str | None = None
    meta: dict[str, Any] | None = None
    tags: list[str] | str | None = None
    contract: Contract | None = None
    severity: str | None = None
    error_if: str | None = None
    warn_if: str | None = None
    where: str | None = None
    loaded_at_field: str | None = None
    freshness: dict[str, Any] | None = None
    partition_by: Any = None


class Checksum(Struct, frozen=True, gc=False):
    """The checksum of a node's file before it was compiled."""

    checksum: str = ""


class Node(Struct, frozen=True, gc=False):
    """A model, seed or snapshot; with `source_name`, a source."""

    name: str
    resource_type: str
    package_name: str = ""
    original_file_path: str = ""
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    identifier: str | None = None
    relation_name: str | None = None
    description: str | None = None
    columns: dict[str, Column] | None = None
    constraints: list[Constraint] | None = None
    meta: dict[str, Any] | None = None
    tags: list[str] | str | None = None
    config: Config | None = None
    group: str | None = None
    access: str | None = None
    contract: Contract | None = None
    version: str | int | float | None = None
    latest_version: str | int | float | None = None
    deprecation_date: str | None = None
    depends_on: DependsOn | None = None
    language: str | None = None
    checksum: Checksum | None = None
    compiled_code: str | None = None
    source_name: str | None = None
    source_description: str | None = None
    source_meta: dict[str, Any] | None = None
    loader: str | None = None
    loaded_at_field: str | None = None
    freshness: dict[str, Any] | None = None


class TestMetadata(Struct, frozen=True, gc=False):
    """The name and arguments of a generic test."""

    name: str
    kwargs: dict[str, Any] = {}
    namespace: str | None = None


class Test(Struct, frozen=True, gc=False):
    """A data test. Singular ones, a file of SQL, have no `test_metadata`."""

    name: str
    original_file_path: str = ""
    column_name: str | None = None
    attached_node: str | None = None
    test_metadata: TestMetadata | None = None
    config: Config | None = None
    depends_on: DependsOn | None = None


class Person(Struct, frozen=True, gc=False):
    """The owner of a group or an exposure; `slack` is passed on as it is."""

    name: str | None = None
    email: str | list[str] | None = None
    slack: str | None = None


class Group(Struct, frozen=True, gc=False):
    """A group of models, and its owner."""

    name: str
    owner: Person
    package_name: str = ""
    description: str | None = None


class Exposure(Struct, frozen=True, gc=False):
    """A consumer of models: a dashboard, notebook, analysis, ml or application."""

    name: str
    owner: Person
    type: str | None = None
    label: str | None = None
    description: str | None = None
    url: str | None = None
    maturity: str | None = None
    meta: dict[str, Any] | None = None
    tags: list[str] | str | None = None
    depends_on: DependsOn | None = None


class Passage(Struct, frozen=True, gc=False):
    """A metric, semantic model, saved query or analysis: only what it depends on matters."""

    depends_on: DependsOn | None = None


class CatalogColumn(Struct, frozen=True, gc=False):
    """A column as the warehouse has it."""

    name: str
    type: str | None = None
    index: int | None = None
    comment: str | None = None


class CatalogMetadata(Struct, frozen=True, gc=False):
    type: str | None = None


class CatalogTable(Struct, frozen=True, gc=False):
    """A table or view as the warehouse has it."""

    columns: dict[str, CatalogColumn]
    metadata: CatalogMetadata = CatalogMetadata()


class Catalog(Struct, frozen=True, gc=False):
    """catalog.json."""

    metadata: Metadata = Metadata()
    nodes: dict[str, Raw] = {}
    sources: dict[str, Raw] = {}


class Arguments(Struct, frozen=True, gc=False):
    """The command that made the results."""

    which: str | None = None


class Timing(Struct, frozen=True, gc=False):
    name: str = ""
    completed_at: str | None = None


class Result(Struct, frozen=True, gc=False):
    """The result of one node in a run. `status` of a test: pass, fail, warn, error, skipped."""

    unique_id: str
    status: str
    message: str | None = None
    failures: int | None = None
    timing: list[Timing] = []
    compiled_code: str | None = None


class RunResults(Struct, frozen=True, gc=False):
    """run_results.json."""

    metadata: Metadata = Metadata()
    results: list[Raw] = []
    args: Arguments = Arguments()


class Freshness(Struct, frozen=True, gc=False):
    """How old a source's newest row was. `status`: pass, warn, error, runtime error."""

    unique_id: str
    status: str | None = None
    error: str | int | None = None
    max_loaded_at: str | None = None
    snapshotted_at: str | None = None
    max_loaded_at_time_ago_in_s: float | None = None


class SourcesFreshness(Struct, frozen=True, gc=False):
    """sources.json."""

    metadata: Metadata = Metadata()
    results: list[Raw] = []
