"""Open Data Contract Standard 3.0 to 3.2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

from meshline.graph.contracts import Contract, Field, Level, Model, Party, Role, Rule, Terms, build_level
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, to_flag, to_mapping, to_mappings, to_snake_case, to_text, to_texts, to_whole_number
from meshline.ingest.sources.contracts.field_reader import FieldReader, ParsedContract, finish_contract, is_pii, parse_rules
from meshline.ingest.sources.contracts.servers import parse_server
from meshline.ingest.sources.promise_files import parse_owners
from meshline.ingest.validation import validate_document

PROPERTY_KEYS = {field.alias or name for name, field in SchemaProperty.model_fields.items()}
_VALIDITY = frozenset({"invalidValues", "validValues"})


def parse_contract(document: Document) -> ParsedContract:
    """The contract in a document of this dialect, with what is wrong with it."""
    checked = validate_document(OpenDataContractStandard, document)
    value = to_mapping(checked.value)
    reader = FieldReader(document, value)
    custom = _parse_custom_properties(value)
    description = to_mapping(value.get("description"))
    contract = Contract(
        id=to_text(value.get("id")),
        version=to_text(value.get("version")),
        status=to_text(value.get("status")),
        standard=f"Open Data Contract Standard {to_text(value.get('apiVersion')).lstrip('vV')}",
        title=to_text(value.get("name")),
        description=to_text(description.get("purpose")),
        domain=to_text(value.get("domain")),
        product=to_text(value.get("dataProduct")),
        contact=next((to_text(one.get("url")) or to_text(one.get("channel")) for one in to_mappings(value.get("support"))), ""),
        models=tuple(_parse_model(reader, ("schema", i), one) for i, one in enumerate(to_mappings(value.get("schema")))),
        quality_rules=tuple(_parse_rules(reader, value)),
        sla=tuple(_parse_levels(reader, value)),
        terms=_parse_terms(value),
        roles=tuple(_parse_roles(reader, value)),
        servers=tuple(
            parse_server(to_text(one.get("server")) or str(i), one) for i, one in enumerate(to_mappings(value.get("servers")), 1)
        ),
        links=_parse_links(value, description),
        tags=to_texts(value.get("tags")),
        owners=tuple(parse_owners(value.get("team"))) or tuple(Party(name) for name in to_texts(custom.get("owner"))),
        consumers=tuple(dict.fromkeys((*to_texts(custom.get("consumer")), *to_texts(custom.get("consumers"))))),
    )
    for part, place in (("status", "status"), ("owner", "team"), ("consumer", "customProperties"), ("terms", "description")):
        reader.record_line((place,), part)
    for i, one in enumerate(contract.servers):
        reader.record_line(("servers", i), "server", one.name)
    return finish_contract(document, contract, ("id", "version"), checked, reader)


def _parse_custom_properties(values: Mapping[str, Json]) -> dict[str, Json]:
    return {to_text(one.get("property")): one.get("value") for one in to_mappings(values.get("customProperties"))}


def _parse_model(reader: FieldReader, place: Path, values: Mapping[str, Json]) -> Model:
    name = to_text(values.get("name"))
    if not name:
        reader.refuse(place, f"{'.'.join(map(str, place))}.name is missing")
    reader.start_model(place, name)
    return Model(
        name=name,
        physical_name=_find_physical_name(values, name),
        type=to_text(values.get("physicalType")),
        id=to_text(values.get("id")),
        title=to_text(values.get("businessName")),
        description=to_text(values.get("description")),
        deprecated=to_flag(values.get("deprecated")),
        tags=to_texts(values.get("tags")),
        fields=tuple(_parse_properties(reader, place, values, "", "")),
    )


def _parse_properties(reader: FieldReader, place: Path, values: Mapping[str, Json], above: str, physically_above: str) -> Iterator[Field]:
    for i, one in enumerate(to_mappings(values.get("properties"))):
        inside: Path = (*place, "properties", i)
        name = to_text(one.get("name"))
        if not name:
            reader.refuse(inside, f"{'.'.join(map(str, inside))}.name is missing")
        yield from _parse_fields(reader, inside, one, above + name, physically_above + (to_text(one.get("physicalName")) or name))


def _parse_fields(reader: FieldReader, place: Path, values: Mapping[str, Json], name: str, physical: str) -> Iterator[Field]:
    """A field, and the fields nested in it."""
    reader.start_field(place, name)
    reader.check_keys(place, values, PROPERTY_KEYS)
    yield _parse_field(name, physical, values)
    yield from _parse_properties(reader, place, values, f"{name}.", f"{physical}.")
    of_map = to_mapping(values.get("map"))
    for inside, path, part in (
        (to_mapping(values.get("items")), ("items",), "element"),
        (to_mapping(of_map.get("key")), ("map", "key"), "key"),
        (to_mapping(of_map.get("value")), ("map", "value"), "value"),
    ):
        if inside:
            yield from _parse_fields(reader, (*place, *path), inside, f"{name}.{part}", f"{physical}.{part}")


def _parse_field(name: str, physical: str, values: Mapping[str, Json]) -> Field:
    options, custom = to_mapping(values.get("logicalTypeOptions")), _parse_custom_properties(values)
    classification, tags = to_text(values.get("classification")), to_texts(values.get("tags"))
    pii = next((found for key in ("pii", "isPii", "containsPii") if (found := _parse_flag(custom.get(key))) is not None), None)
    return Field(
        name=name,
        physical_name="" if physical == name else physical,
        type=to_text(values.get("logicalType")),
        physical_type=to_text(values.get("physicalType")),
        id=to_text(values.get("id")),
        title=to_text(values.get("businessName")),
        description=to_text(values.get("description")),
        required=to_flag(values.get("required")),
        unique=to_flag(values.get("unique")),
        primary_key=to_flag(values.get("primaryKey")),
        enum=tuple(_parse_enum(values, options)),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        exclusive_minimum=options.get("exclusiveMinimum"),
        exclusive_maximum=options.get("exclusiveMaximum"),
        min_length=to_whole_number(options.get("minLength")),
        max_length=to_whole_number(options.get("maxLength")),
        min_items=to_whole_number(options.get("minItems")),
        max_items=to_whole_number(options.get("maxItems")),
        pattern=to_text(options.get("pattern")),
        format=to_text(options.get("format")),
        classification=classification,
        pii=is_pii(classification, tags) if pii is None else pii,
        partitioned=to_flag(values.get("partitioned")),
        deprecated=to_flag(values.get("deprecated")),
        references=tuple(to for one in to_mappings(values.get("relationships")) for to in to_texts(one.get("to"))),
        tags=tags,
    )


def _parse_flag(value: Json) -> bool | None:
    return {"true": True, "yes": True, "false": False, "no": False}.get(to_text(value).lower())


def _parse_enum(values: Mapping[str, Json], options: Mapping[str, Json]) -> Iterator[Any]:
    """The allowed values: since version 3.2 in `enum`, before that in a rule that permits no other values."""
    yield from (one.get("value") for one in to_mappings(values.get("enum")))
    before = options.get("enum")
    yield from before if isinstance(before, list) else ()
    for one in to_mappings(values.get("quality")):
        allowed = to_mapping(one.get("arguments")).get("validValues")
        if (to_text(one.get("metric")) or to_text(one.get("rule"))) in _VALIDITY and one.get("mustBe") == 0 and isinstance(allowed, list):
            yield from allowed


def _find_physical_name(values: Mapping[str, Json], name: str) -> str:
    physical = to_text(values.get("physicalName"))
    return "" if physical == name else physical


def _parse_rules(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Rule]:
    for i, model in enumerate(to_mappings(value.get("schema"))):
        name = to_text(model.get("name"))
        yield from parse_rules(reader, ("schema", i), model, model=name)
        for j, field in enumerate(to_mappings(model.get("properties"))):
            yield from parse_rules(reader, ("schema", i, "properties", j), field, model=name, field=to_text(field.get("name")))


def _parse_levels(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Level]:
    default = to_text(value.get("slaDefaultElement"))
    for i, one in enumerate(to_mappings(value.get("slaProperties"))):
        unit, amount = to_text(one.get("unit")), to_text(one.get("value"))
        name, element = to_snake_case(to_text(one.get("property"))), to_text(one.get("element")) or default
        reader.record_line(("slaProperties", i), "slo", name)
        reader.record_line(("slaProperties", i), "slo", name, element)
        yield build_level(
            name,
            f"{amount} {unit}" if unit else amount,
            element=element,
            description=to_text(one.get("description")),
            schedule=to_text(one.get("schedule")),
            driver=to_text(one.get("driver")),
        )


def _parse_terms(value: Mapping[str, Json]) -> Terms:
    values, price = to_mapping(value.get("description")), to_mapping(value.get("price"))
    amount = " ".join(filter(None, (to_text(price.get("priceAmount")), to_text(price.get("priceCurrency")))))
    unit = to_text(price.get("priceUnit"))
    return Terms(
        usage=to_text(values.get("usage")),
        limitations=to_text(values.get("limitations")),
        purpose=to_text(values.get("purpose")),
        billing=f"{amount} per {unit}" if amount and unit else amount,
    )


def _parse_roles(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Role]:
    for i, one in enumerate(to_mappings(value.get("roles"))):
        reader.record_line(("roles", i), "role", to_text(one.get("role")))
        yield _parse_role(one, "")
    for i, one in enumerate(to_mappings(value.get("servers"))):
        for j, role in enumerate(to_mappings(one.get("roles"))):
            reader.record_line(("servers", i, "roles", j), "role", to_text(role.get("role")))
            yield _parse_role(role, to_text(one.get("server")))


def _parse_role(values: Mapping[str, Json], server_name: str) -> Role:
    approvers = (to_text(values.get(key)) for key in ("firstLevelApprovers", "secondLevelApprovers"))
    return Role(
        name=to_text(values.get("role")),
        access=to_text(values.get("access")),
        description=to_text(values.get("description")),
        approvers=tuple(one for one in approvers if one),
        server=server_name,
    )


def _parse_links(*values: Mapping[str, Json]) -> dict[str, str]:
    """The links of `authoritativeDefinitions` by their type; further links of one type get a number."""
    found: dict[str, str] = {}
    for one in values:
        for definition in to_mappings(one.get("authoritativeDefinitions")):
            name = base = to_text(definition.get("type")) or "link"
            number = 1
            while name in found:
                number += 1
                name = f"{base} {number}"
            found[name] = to_text(definition.get("url"))
    return found
