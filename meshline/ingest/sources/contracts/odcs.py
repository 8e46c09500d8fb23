"""Open Data Contract Standard 3.0 to 3.2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty

from meshline.graph.contracts import Contract, Field, Level, Model, Party, Role, Rule, Terms, level
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, flag, mapping, mappings, snake, text, texts, whole
from meshline.ingest.sources.contracts.field_reader import FieldReader, ParsedContract, finish_contract, is_pii, parse_rules
from meshline.ingest.sources.contracts.servers import parse_server
from meshline.ingest.sources.promise_files import parse_owners
from meshline.ingest.validation import validated

PROPERTY_KEYS = {field.alias or name for name, field in SchemaProperty.model_fields.items()}
_VALIDITY = frozenset({"invalidValues", "validValues"})


def parse_contract(document: Document) -> ParsedContract:
    """The contract in a document of this dialect."""
    checked = validated(OpenDataContractStandard, document)
    value = mapping(checked.value)
    reader = FieldReader(document, value)
    custom = _parse_custom_properties(value)
    description = mapping(value.get("description"))
    contract = Contract(
        id=text(value.get("id")),
        version=text(value.get("version")),
        status=text(value.get("status")),
        standard=f"Open Data Contract Standard {text(value.get('apiVersion')).lstrip('vV')}",
        title=text(value.get("name")),
        description=text(description.get("purpose")),
        domain=text(value.get("domain")),
        product=text(value.get("dataProduct")),
        contact=next((text(one.get("url")) or text(one.get("channel")) for one in mappings(value.get("support"))), ""),
        models=tuple(_parse_model(reader, ("schema", i), one) for i, one in enumerate(mappings(value.get("schema")))),
        quality_rules=tuple(_parse_rules(reader, value)),
        sla=tuple(_parse_levels(reader, value)),
        terms=_parse_terms(value),
        roles=tuple(_parse_roles(reader, value)),
        servers=tuple(parse_server(text(one.get("server")) or str(i), one) for i, one in enumerate(mappings(value.get("servers")), 1)),
        links=_parse_links(value, description),
        tags=texts(value.get("tags")),
        owners=tuple(parse_owners(value.get("team"))) or tuple(Party(name) for name in texts(custom.get("owner"))),
        consumers=tuple(dict.fromkeys((*texts(custom.get("consumer")), *texts(custom.get("consumers"))))),
    )
    for part, place in (("status", "status"), ("owner", "team"), ("consumer", "customProperties"), ("terms", "description")):
        reader.record_line((place,), part)
    for i, one in enumerate(contract.servers):
        reader.record_line(("servers", i), "server", one.name)
    return finish_contract(document, contract, ("id", "version"), checked, reader)


def _parse_custom_properties(said: Mapping[str, Json]) -> dict[str, Json]:
    return {text(one.get("property")): one.get("value") for one in mappings(said.get("customProperties"))}


def _parse_model(reader: FieldReader, place: Path, said: Mapping[str, Json]) -> Model:
    name = text(said.get("name"))
    if not name:
        reader.refuse(place, f"{'.'.join(map(str, place))}.name is missing")
    reader.start_model(place, name)
    return Model(
        name=name,
        physical_name=_find_physical_name(said, name),
        type=text(said.get("physicalType")),
        id=text(said.get("id")),
        title=text(said.get("businessName")),
        description=text(said.get("description")),
        deprecated=flag(said.get("deprecated")),
        tags=texts(said.get("tags")),
        fields=tuple(_parse_properties(reader, place, said, "", "")),
    )


def _parse_properties(reader: FieldReader, place: Path, said: Mapping[str, Json], above: str, physically_above: str) -> Iterator[Field]:
    for i, one in enumerate(mappings(said.get("properties"))):
        inside: Path = (*place, "properties", i)
        name = text(one.get("name"))
        if not name:
            reader.refuse(inside, f"{'.'.join(map(str, inside))}.name is missing")
        yield from _parse_fields(reader, inside, one, above + name, physically_above + (text(one.get("physicalName")) or name))


def _parse_fields(reader: FieldReader, place: Path, said: Mapping[str, Json], name: str, physical: str) -> Iterator[Field]:
    """A field, and those in it."""
    reader.start_field(place, name)
    reader.check_keys(place, said, PROPERTY_KEYS)
    yield _parse_field(name, physical, said)
    yield from _parse_properties(reader, place, said, f"{name}.", f"{physical}.")
    of_map = mapping(said.get("map"))
    for inside, path, part in (
        (mapping(said.get("items")), ("items",), "element"),
        (mapping(of_map.get("key")), ("map", "key"), "key"),
        (mapping(of_map.get("value")), ("map", "value"), "value"),
    ):
        if inside:
            yield from _parse_fields(reader, (*place, *path), inside, f"{name}.{part}", f"{physical}.{part}")


def _parse_field(name: str, physical: str, said: Mapping[str, Json]) -> Field:
    options, custom = mapping(said.get("logicalTypeOptions")), _parse_custom_properties(said)
    classification, tags = text(said.get("classification")), texts(said.get("tags"))
    pii = next((found for key in ("pii", "isPii", "containsPii") if (found := _parse_flag(custom.get(key))) is not None), None)
    return Field(
        name=name,
        physical_name="" if physical == name else physical,
        type=text(said.get("logicalType")),
        physical_type=text(said.get("physicalType")),
        id=text(said.get("id")),
        title=text(said.get("businessName")),
        description=text(said.get("description")),
        required=flag(said.get("required")),
        unique=flag(said.get("unique")),
        primary_key=flag(said.get("primaryKey")),
        enum=tuple(_parse_enum(said, options)),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        exclusive_minimum=options.get("exclusiveMinimum"),
        exclusive_maximum=options.get("exclusiveMaximum"),
        min_length=whole(options.get("minLength")),
        max_length=whole(options.get("maxLength")),
        min_items=whole(options.get("minItems")),
        max_items=whole(options.get("maxItems")),
        pattern=text(options.get("pattern")),
        format=text(options.get("format")),
        classification=classification,
        pii=is_pii(classification, tags) if pii is None else pii,
        partitioned=flag(said.get("partitioned")),
        deprecated=flag(said.get("deprecated")),
        references=tuple(to for one in mappings(said.get("relationships")) for to in texts(one.get("to"))),
        tags=tags,
    )


def _parse_flag(value: Json) -> bool | None:
    return {"true": True, "yes": True, "false": False, "no": False}.get(text(value).lower())


def _parse_enum(said: Mapping[str, Json], options: Mapping[str, Json]) -> Iterator[Any]:
    """Since 3.2 `enum`; before it a rule that allows no other values says the same."""
    yield from (one.get("value") for one in mappings(said.get("enum")))
    before = options.get("enum")
    yield from before if isinstance(before, list) else ()
    for one in mappings(said.get("quality")):
        allowed = mapping(one.get("arguments")).get("validValues")
        if (text(one.get("metric")) or text(one.get("rule"))) in _VALIDITY and one.get("mustBe") == 0 and isinstance(allowed, list):
            yield from allowed


def _find_physical_name(said: Mapping[str, Json], name: str) -> str:
    physical = text(said.get("physicalName"))
    return "" if physical == name else physical


def _parse_rules(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Rule]:
    for i, model in enumerate(mappings(value.get("schema"))):
        name = text(model.get("name"))
        yield from parse_rules(reader, ("schema", i), model, model=name)
        for j, field in enumerate(mappings(model.get("properties"))):
            yield from parse_rules(reader, ("schema", i, "properties", j), field, model=name, field=text(field.get("name")))


def _parse_levels(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Level]:
    default = text(value.get("slaDefaultElement"))
    for i, one in enumerate(mappings(value.get("slaProperties"))):
        unit, amount = text(one.get("unit")), text(one.get("value"))
        name, element = snake(text(one.get("property"))), text(one.get("element")) or default
        reader.record_line(("slaProperties", i), "slo", name)
        reader.record_line(("slaProperties", i), "slo", name, element)
        yield level(
            name,
            f"{amount} {unit}" if unit else amount,
            element=element,
            description=text(one.get("description")),
            schedule=text(one.get("schedule")),
            driver=text(one.get("driver")),
        )


def _parse_terms(value: Mapping[str, Json]) -> Terms:
    said, price = mapping(value.get("description")), mapping(value.get("price"))
    amount = " ".join(filter(None, (text(price.get("priceAmount")), text(price.get("priceCurrency")))))
    unit = text(price.get("priceUnit"))
    return Terms(
        usage=text(said.get("usage")),
        limitations=text(said.get("limitations")),
        purpose=text(said.get("purpose")),
        billing=f"{amount} per {unit}" if amount and unit else amount,
    )


def _parse_roles(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Role]:
    for i, one in enumerate(mappings(value.get("roles"))):
        reader.record_line(("roles", i), "role", text(one.get("role")))
        yield _parse_role(one, "")
    for i, one in enumerate(mappings(value.get("servers"))):
        for j, role in enumerate(mappings(one.get("roles"))):
            reader.record_line(("servers", i, "roles", j), "role", text(role.get("role")))
            yield _parse_role(role, text(one.get("server")))


def _parse_role(said: Mapping[str, Json], server_name: str) -> Role:
    approvers = (text(said.get(key)) for key in ("firstLevelApprovers", "secondLevelApprovers"))
    return Role(
        name=text(said.get("role")),
        access=text(said.get("access")),
        description=text(said.get("description")),
        approvers=tuple(one for one in approvers if one),
        server=server_name,
    )


def _parse_links(*said: Mapping[str, Json]) -> dict[str, str]:
    """Of several of one type, the first has the type's name, the others are numbered."""
    found: dict[str, str] = {}
    for one in said:
        for definition in mappings(one.get("authoritativeDefinitions")):
            name = base = text(definition.get("type")) or "link"
            number = 1
            while name in found:
                number += 1
                name = f"{base} {number}"
            found[name] = text(definition.get("url"))
    return found
