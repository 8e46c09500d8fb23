"""The aspects of DataHub that are read, by their names in its metadata model. Keys that are not used are ignored."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Aspect(Struct, frozen=True, rename="camel"):
    """An aspect, or a part of one."""


class Tag(Aspect, frozen=True):
    tag: str


class GlobalTags(Aspect, frozen=True):
    tags: list[Tag] | None = None


class Term(Aspect, frozen=True):
    urn: str


class GlossaryTerms(Aspect, frozen=True):
    terms: list[Term] | None = None


class Properties(Aspect, frozen=True):
    """Of a dataset, a domain, a tag or a glossary term."""

    name: str | None = None
    description: str | None = None
    definition: str | None = None
    external_url: str | None = None
    custom_properties: Mapping[str, str] | None = None
    parent_domain: str | None = None


class ViewProperties(Aspect, frozen=True):
    view_logic: str | None = None


class SubTypes(Aspect, frozen=True):
    type_names: list[str] | None = None


class Field(Aspect, frozen=True):
    """A column, as the system states it or as people edited it."""

    field_path: str
    native_data_type: str | None = None
    nullable: bool | None = None
    description: str | None = None
    is_part_of_key: bool | None = None
    global_tags: GlobalTags | None = None
    glossary_terms: GlossaryTerms | None = None


class SchemaMetadata(Aspect, frozen=True):
    fields: list[Field] = []
    primary_keys: list[str] | None = None


class EditableSchemaMetadata(Aspect, frozen=True):
    editable_schema_field_info: list[Field] = []


class Owner(Aspect, frozen=True):
    owner: str
    type: str | None = None
    type_urn: str | None = None


class Ownership(Aspect, frozen=True):
    owners: list[Owner] = []


class Domains(Aspect, frozen=True):
    domains: list[str] = []


class Link(Aspect, frozen=True):
    """A link to another entity, such as of a product to its assets or of a dashboard to its charts."""

    destination_urn: str
    output_port: bool | None = None


class Upstream(Aspect, frozen=True):
    dataset: str


class FineGrainedLineage(Aspect, frozen=True):
    """From each upstream (fields, or datasets) to each downstream field."""

    upstreams: list[str] | None = None
    downstreams: list[str] | None = None
    transform_operation: str | None = None


class FlowInfo(Aspect, frozen=True):
    """Of a data flow or a data job."""

    name: str | None = None
    description: str | None = None
    external_url: str | None = None
    custom_properties: Mapping[str, str] | None = None


class JobLineage(Aspect, frozen=True):
    """What a data job reads and writes. Edges are the newer form of the lists."""

    input_datasets: list[str] | None = None
    input_dataset_edges: list[Link] | None = None
    output_datasets: list[str] | None = None
    output_dataset_edges: list[Link] | None = None
    fine_grained_lineages: list[FineGrainedLineage] | None = None


class Statement(Aspect, frozen=True):
    """A text of a query."""

    value: str | None = None


class Transform(Aspect, frozen=True):
    query_statement: Statement | None = None


class TransformLogic(Aspect, frozen=True):
    transforms: list[Transform] | None = None


class UpstreamLineage(Aspect, frozen=True):
    upstreams: list[Upstream] = []
    fine_grained_lineages: list[FineGrainedLineage] | None = None


class Siblings(Aspect, frozen=True):
    siblings: list[str] = []
    primary: bool | None = None


class Status(Aspect, frozen=True):
    removed: bool = False


class PlatformInstance(Aspect, frozen=True):
    platform: str
    instance: str | None = None


class DataProduct(Aspect, frozen=True):
    name: str | None = None
    description: str | None = None
    assets: list[Link] | None = None


class ReportInfo(Aspect, frozen=True):
    """Of a dashboard or a chart."""

    title: str = ""
    description: str | None = None
    external_url: str | None = None
    dashboard_url: str | None = None
    chart_url: str | None = None
    charts: list[str] | None = None
    chart_edges: list[Link] | None = None
    datasets: list[str] | None = None
    dataset_edges: list[Link] | None = None
    inputs: list[str] | None = None
    input_edges: list[Link] | None = None


class InputField(Aspect, frozen=True):
    schema_field_urn: str | None = None


class InputFields(Aspect, frozen=True):
    fields: list[InputField] = []


class UserInfo(Aspect, frozen=True):
    """Of a person or a group."""

    display_name: str | None = None
    full_name: str | None = None
    email: str | None = None


ASPECTS: Mapping[str, type[Aspect]] = {
    "datasetProperties": Properties,
    "editableDatasetProperties": Properties,
    "viewProperties": ViewProperties,
    "subTypes": SubTypes,
    "schemaMetadata": SchemaMetadata,
    "editableSchemaMetadata": EditableSchemaMetadata,
    "ownership": Ownership,
    "globalTags": GlobalTags,
    "glossaryTerms": GlossaryTerms,
    "domains": Domains,
    "upstreamLineage": UpstreamLineage,
    "dataFlowInfo": FlowInfo,
    "editableDataFlowProperties": Properties,
    "dataJobInfo": FlowInfo,
    "editableDataJobProperties": Properties,
    "dataJobInputOutput": JobLineage,
    "dataTransformLogic": TransformLogic,
    "siblings": Siblings,
    "status": Status,
    "dataPlatformInstance": PlatformInstance,
    "dataProductProperties": DataProduct,
    "domainProperties": Properties,
    "tagProperties": Properties,
    "glossaryTermInfo": Properties,
    "dashboardInfo": ReportInfo,
    "editableDashboardProperties": Properties,
    "chartInfo": ReportInfo,
    "editableChartProperties": Properties,
    "inputFields": InputFields,
    "corpUserInfo": UserInfo,
    "corpUserEditableInfo": UserInfo,
    "corpGroupInfo": UserInfo,
}
