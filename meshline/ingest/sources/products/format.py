"""What may stand in a product's file: our own dialect, and the Open Data Product Standard of Bitol.

No package has a model of the latter; this one is made after its JSON schemas 0.9 to 1.1.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """Keys that are not known are warned of, not refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SpecPort(Part):
    """A port. One of `endpoint`, `dataset`, `source` and `contract` says where the data is."""

    name: str | None = None
    type: str | None = None
    endpoint: str | None = None
    dataset: str | None = None
    source: str | None = None
    format: str | None = None
    description: str | None = None
    refresh: str | None = None
    version: str | None = None
    contract: str | None = None
    tags: list[str] | None = None


class SpecCheck(Part):
    tool: str
    suite: str | None = None
    checks: str | None = None
    run: str | None = None


class SpecCatalog(Part):
    registered_in: str | list[str] | None = None
    tags: list[str] | None = None
    pii_columns: list[str] | None = None


class Spec(Part):
    """`data-product-spec.yaml`."""

    name: str
    title: str | None = None
    domain: str | None = None
    owner: str | list[str] | None = None
    version: str | None = None
    status: str | None = None
    description: str | None = None
    slo: dict[str, str] | None = None
    output_ports: list[SpecPort] | None = None
    input_ports: list[SpecPort] | None = None
    quality_checks: list[SpecCheck] | None = None
    catalog: SpecCatalog | None = None
    tags: list[str] | None = None


class CamelPart(Part):
    model_config = ConfigDict(alias_generator=to_camel)


class CustomProperty(CamelPart):
    id: str | None = None
    property: str | None = None
    value: Any = None
    description: str | None = None
    vendor: str | None = None


class Definition(CamelPart):
    id: str | None = None
    type: str | None = None
    url: str | None = None
    description: str | None = None


class Described(CamelPart):
    """What most parts of the standard may have."""

    id: str | None = None
    tags: list[str] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[Definition] | None = None


class StandardDescription(CamelPart):
    purpose: str | None = None
    limitations: str | None = None
    usage: str | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[Definition] | None = None


class StandardInput(Described):
    name: str
    version: str | None = None
    contract_id: str | None = None
    deprecated: bool | None = None


class InputContract(CamelPart):
    id: str
    version: str | None = None


class StandardOutput(StandardInput):
    description: str | None = None
    type: str | None = None
    sbom: list[dict[str, Any]] | None = None
    input_contracts: list[InputContract] | None = None
    synonyms: list[Any] | None = None
    context: Any = None


class ManagementPort(Described):
    name: str | None = None
    content: str | None = None
    type: str | None = None
    url: str | None = None
    channel: str | None = None
    description: str | None = None
    deprecated: bool | None = None


class StandardSupport(Described):
    channel: str | None = None
    url: str | None = None
    description: str | None = None
    tool: str | None = None
    scope: str | None = None
    invitation_url: str | None = None


class StandardMember(Described):
    username: str | None = None
    name: str | None = None
    description: str | None = None
    role: str | None = None
    date_in: str | None = None
    date_out: str | None = None
    replaced_by_username: str | None = None


class StandardTeam(Described):
    name: str | None = None
    description: str | None = None
    members: list[StandardMember] | None = None


class Standard(CamelPart):
    """Open Data Product Standard 0.9 to 1.1."""

    api_version: str
    kind: str
    id: str
    name: str | None = None
    version: str | None = None
    status: str | None = None
    type: str | None = None
    domain: str | None = None
    tenant: str | None = None
    deprecated: bool | None = None
    description: StandardDescription | None = None
    tags: list[str] | None = None
    synonyms: list[Any] | None = None
    context: Any = None
    input_ports: list[StandardInput] | None = None
    output_ports: list[StandardOutput] | None = None
    management_ports: list[ManagementPort] | None = None
    support: list[StandardSupport] | None = None
    team: StandardTeam | list[StandardMember] | None = None
    custom_properties: list[CustomProperty] | None = None
    authoritative_definitions: list[Definition] | None = None
    product_created_ts: str | None = None
