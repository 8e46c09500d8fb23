"""The entities of OpenMetadata and the answers of its API, as far as they are read. Keys that are not used are ignored."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class OpenMetadataValue(Struct, frozen=True, rename="camel"):
    """A part of an answer."""


class Reference(OpenMetadataValue, frozen=True):
    """A reference to an entity. `type`: such as table, user or team."""

    id: str = ""
    type: str = ""
    name: str | None = None
    fully_qualified_name: str | None = None
    display_name: str | None = None
    deleted: bool | None = None


class TagLabel(Struct, frozen=True):
    """A tag or a term of a glossary. `source`: Classification or Glossary."""

    tagFQN: str  # noqa: N815 - as it is spelled in the answers
    source: str = "Classification"


class Column(OpenMetadataValue, frozen=True):
    """A column of a table, or a field of the messages of a topic."""

    name: str
    data_type: str | None = None
    data_type_display: str | None = None
    display_name: str | None = None
    description: str | None = None
    constraint: str | None = None
    ordinal_position: int | None = None
    tags: list[TagLabel] | None = None
    children: list[Column] | None = None


class Constraint(OpenMetadataValue, frozen=True):
    constraint_type: str | None = None
    columns: list[str] | None = None


class MessageSchema(OpenMetadataValue, frozen=True):
    """The fields of the messages of a topic."""

    schema_fields: list[Column] | None = None


class ContainerModel(OpenMetadataValue, frozen=True):
    """The columns of a container, or the model of a table in dbt."""

    columns: list[Column] | None = None
    sql: str | None = None


class Connection(OpenMetadataValue, frozen=True):
    config: dict[str, Any] | None = None


class Entity(OpenMetadataValue, frozen=True):
    """Any entity. Each type has some of these keys. Older servers state one `owner` and `domain`, newer ones lists."""

    id: str
    name: str
    fully_qualified_name: str | None = None
    display_name: str | None = None
    description: str | None = None
    href: str | None = None
    deleted: bool | None = None
    owners: list[Reference] | None = None
    owner: Reference | None = None
    tags: list[TagLabel] | None = None
    domains: list[Reference] | None = None
    domain: Reference | None = None
    data_products: list[Reference] | None = None
    parent: Reference | None = None
    service: Reference | None = None
    service_type: str | None = None
    email: str | None = None
    connection: Connection | None = None
    columns: list[Column] | None = None
    table_type: str | None = None
    table_constraints: list[Constraint] | None = None
    schema_definition: str | None = None
    view_definition: str | None = None
    sql: str | None = None
    message_schema: MessageSchema | None = None
    data_model: ContainerModel | None = None
    full_path: str | None = None
    charts: list[Reference] | None = None
    data_models: list[Reference] | None = None
    source_url: str | None = None

    @property
    def fqn(self) -> str:
        """The fully qualified name."""
        return self.fully_qualified_name or self.name

    def list_owners(self) -> list[Reference]:
        """Its owners that are not deleted."""
        found = self.owners if self.owners is not None else [self.owner] if self.owner is not None else []
        return [one for one in found if not one.deleted]

    def list_domains(self) -> list[Reference]:
        return self.domains if self.domains is not None else [self.domain] if self.domain is not None else []


class ColumnLineage(OpenMetadataValue, frozen=True):
    """From columns to a column, by their fully qualified names."""

    from_columns: list[str] | None = None
    to_column: str | None = None
    function: str | None = None


class LineageDetails(OpenMetadataValue, frozen=True):
    columns_lineage: list[ColumnLineage] | None = None
    pipeline: Reference | None = None
    sql_query: str | None = None


class Edge(OpenMetadataValue, frozen=True):
    """From an entity to another, by their ids or as references. Newer answers have the details in the edge itself."""

    from_entity: str | Reference
    to_entity: str | Reference
    lineage_details: LineageDetails | None = None
    columns: list[ColumnLineage] | None = None
    pipeline: Reference | None = None


class EntityLineage(OpenMetadataValue, frozen=True):
    """The lineage around an entity. Newer answers have nodes and edges by name."""

    entity: Reference | None = None
    nodes: list[Reference] | dict[str, Any] | None = None
    upstream_edges: list[Edge] | dict[str, Edge] | None = None
    downstream_edges: list[Edge] | dict[str, Edge] | None = None
