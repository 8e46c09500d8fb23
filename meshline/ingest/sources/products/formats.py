"""Parses a product's file, in our own dialect or in the Open Data Product Standard of Bitol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from meshline.errors import InvalidInput
from meshline.graph.contracts import Party, PortSpec, Product, Suite, Terms, build_level
from meshline.graph.model import Json
from meshline.ingest.dataset_refs import strip_password
from meshline.ingest.documents import Document, parse_yaml, to_flag, to_mapping, to_mappings, to_text, to_texts
from meshline.ingest.sources.promise_files import parse_owners
from meshline.ingest.validation import format_value, validate_document


class Part(BaseModel):
    """A part of a specification. Unknown keys give a warning and are not refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SpecPort(Part):
    """A port. One of `endpoint`, `dataset`, `source` and `contract` locates the data."""

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
    """The keys that most parts of the standard may have."""

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


ACCEPTED = (
    "accepted are specifications with the key `name` and `output_ports`, `input_ports` or `slo`, and Open Data Product Standard"
    " 0.9 to 1.x (`kind: DataProduct` with `apiVersion: v1.0.0`)"
)
MAX_NAME = 500  # characters


class ParsedProduct(NamedTuple):
    """The product in a file; None if any part of it is refused. `lines`: the places of its ports, in their order."""

    product: Product | None
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]
    lines: tuple[str, ...] = ()
    name: str = ""


def parse_product(data: bytes, file: str) -> ParsedProduct:
    """The product in a file. Each fault is one message with `file:line`."""
    try:
        found = parse_yaml(data, file)
        return _parse_standard(found) if _is_standard(found) else _parse_spec(found)
    except InvalidInput as error:
        return ParsedProduct(None, (error,), ())


def _is_standard(found: Document) -> bool:
    """Whether a document follows the standard, else our own dialect. Raises InvalidInput for any other document."""
    value = found.value
    if not isinstance(value, dict):
        raise InvalidInput(f"found {format_value(value)}, which is not a data product; {ACCEPTED}", found.format_place(()))
    if value.get("kind") == "DataProduct":
        version = to_text(value.get("apiVersion"))
        if re.fullmatch(r"v?(0\.9|1\.[0-9]+)(\.[0-9]+)?", version, re.IGNORECASE) is None:
            raise InvalidInput(
                f"apiVersion: found {format_value(value.get('apiVersion'))}; {ACCEPTED}", found.format_place(("apiVersion",))
            )
        return True
    if value.get("kind") == "DataContract" or "dataContractSpecification" in value:
        raise InvalidInput("this is a data contract: `meshline ingest contract` reads it", found.format_place(()))
    if {"kind", "dataProductSpecification", "schema"} & value.keys() or not {"output_ports", "input_ports", "slo"} & value.keys():
        raise InvalidInput(f"this is not a known kind of data product; {ACCEPTED}", found.format_place(()))
    return False


def _parse_spec(found: Document) -> ParsedProduct:
    checked = validate_document(Spec, found)
    value = to_mapping(checked.value)
    catalog = to_mapping(value.get("catalog"))
    outputs, inputs = to_mappings(value.get("output_ports")), to_mappings(value.get("input_ports"))
    product = Product(
        name=to_text(value.get("name")),
        version=to_text(value.get("version")),
        status=to_text(value.get("status")),
        standard="data-product-spec",
        title=to_text(value.get("title")),
        description=to_text(value.get("description")),
        domain=to_text(value.get("domain")),
        slo=tuple(build_level(name, to_text(amount)) for name, amount in to_mapping(value.get("slo")).items()),
        ports=(*(_parse_spec_port(one, "output") for one in outputs), *(_parse_spec_port(one, "input") for one in inputs)),
        quality_checks=tuple(_parse_suite(one) for one in to_mappings(value.get("quality_checks"))),
        registered_in=to_texts(catalog.get("registered_in")),
        pii_columns=to_texts(catalog.get("pii_columns")),
        tags=tuple(dict.fromkeys((*to_texts(value.get("tags")), *to_texts(catalog.get("tags"))))),
        owners=tuple(Party(name) for name in to_texts(value.get("owner"))),
    )
    return _finish_product(found, product, checked.refused, checked.warnings, ("output_ports", len(outputs)), ("input_ports", len(inputs)))


def _parse_spec_port(values: Mapping[str, Json], direction: str) -> PortSpec:
    where = next((found for key in ("endpoint", "dataset", "source") if (found := to_text(values.get(key)))), "")
    return PortSpec(
        direction=direction,
        name=to_text(values.get("name")),
        type=to_text(values.get("type")),
        endpoint=strip_password(where),
        format=to_text(values.get("format")),
        description=to_text(values.get("description")),
        refresh=to_text(values.get("refresh")),
        version=to_text(values.get("version")),
        contract=to_text(values.get("contract")),
        tags=to_texts(values.get("tags")),
    )


def _parse_suite(values: Mapping[str, Json]) -> Suite:
    return Suite(
        tool=to_text(values.get("tool")),
        suite=to_text(values.get("suite")) or to_text(values.get("checks")),
        run=to_text(values.get("run")),
    )


def _parse_standard(found: Document) -> ParsedProduct:
    checked = validate_document(Standard, found)
    value = to_mapping(checked.value)
    description = to_mapping(value.get("description"))
    outputs, inputs = to_mappings(value.get("outputPorts")), to_mappings(value.get("inputPorts"))
    identifier = to_text(value.get("id"))
    product = Product(
        name=to_text(value.get("name")) or identifier,
        id=identifier,
        version=to_text(value.get("version")),
        status="deprecated" if value.get("deprecated") is True else to_text(value.get("status")),
        standard=f"Open Data Product Standard {to_text(value.get('apiVersion')).lstrip('vV')}",
        description=to_text(description.get("purpose")),
        domain=to_text(value.get("domain")),
        contact=next((to_text(one.get("url")) or to_text(one.get("channel")) for one in to_mappings(value.get("support"))), ""),
        ports=(*(_parse_standard_port(one, "output") for one in outputs), *(_parse_standard_port(one, "input") for one in inputs)),
        terms=Terms(usage=to_text(description.get("usage")), limitations=to_text(description.get("limitations"))),
        tags=to_texts(value.get("tags")),
        links=dict(_parse_links(value)),
        owners=tuple(parse_owners(value.get("team"))),
    )
    return _finish_product(found, product, checked.refused, checked.warnings, ("outputPorts", len(outputs)), ("inputPorts", len(inputs)))


def _parse_standard_port(values: Mapping[str, Json], direction: str) -> PortSpec:
    """A port of the standard, which locates the data by its contract; some files also have a custom property for the location."""
    custom = {to_text(one.get("property")): to_text(one.get("value")) for one in to_mappings(values.get("customProperties"))}
    return PortSpec(
        direction=direction,
        name=to_text(values.get("name")),
        type=to_text(values.get("type")),
        endpoint=strip_password(next((custom[key] for key in ("endpoint", "dataset", "location", "url") if custom.get(key)), "")),
        format=custom.get("format", ""),
        description=to_text(values.get("description")),
        refresh=custom.get("refresh", ""),
        version=to_text(values.get("version")),
        contract=to_text(values.get("contractId")),
        deprecated=to_flag(values.get("deprecated")),
        tags=to_texts(values.get("tags")),
    )


def _parse_links(value: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for one in to_mappings(value.get("authoritativeDefinitions")):
        yield to_text(one.get("type")) or "link", to_text(one.get("url"))
    for one in to_mappings(value.get("managementPorts")):
        if to_text(one.get("url")):
            yield to_text(one.get("name")) or to_text(one.get("content")) or "management", to_text(one.get("url"))


def _finish_product(
    found: Document, product: Product, refused: tuple[InvalidInput, ...], warnings: tuple[str, ...], *ports: tuple[str, int]
) -> ParsedProduct:
    problems = list(refused)
    if len(product.name) > MAX_NAME:
        problems.append(InvalidInput(f"name has more than {MAX_NAME} characters", found.format_place(("name",))))
    if not product.name and not problems:
        problems.append(InvalidInput("name is empty; a product needs one", found.format_place(("name",))))
    problems.sort(key=lambda error: int(error.where.rpartition(":")[2]))
    lines = tuple(found.format_place((key, i)) for key, number in ports for i in range(number))
    version = to_mapping(found.value).get("version")
    if isinstance(version, float):
        warnings = (*warnings, f"{found.format_place(('version',))}: version is a number, so that 1.10 is read as 1.1; write it in quotes")
    return ParsedProduct(None if problems else product, tuple(problems), warnings, lines, product.name)
