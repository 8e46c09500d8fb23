"""Data Contract Specification 0.9 to 1.2, and the dialect `apiVersion: datacontract.com/v0.9`, which adds
`info.consumer`, `terms.billing_plan` and a reference to a suite as `quality`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datacontract_specification.model import DataContractSpecification
from datacontract_specification.model import Field as SpecifiedField

from meshline.graph.contracts import Contract, Field, Level, Model, Party, Role, Rule, Terms, build_level
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, to_flag, to_mapping, to_mappings, to_text, to_texts, to_whole_number
from meshline.ingest.sources.contracts.field_reader import FieldReader, ParsedContract, finish_contract, is_pii, parse_rules
from meshline.ingest.sources.contracts.servers import parse_server
from meshline.ingest.validation import validate_document

FIELD_KEYS = {field.alias or name for name, field in SpecifiedField.model_fields.items()}


def parse_contract(document: Document) -> ParsedContract:
    """The contract in a document of this dialect, with what is wrong with it."""
    checked = validate_document(DataContractSpecification, document)
    value = to_mapping(checked.value)
    info = to_mapping(value.get("info"))
    reader = FieldReader(document, value)
    servers = to_mapping(value.get("servers"))
    contract = Contract(
        id=to_text(value.get("id")),
        version=to_text(info.get("version")),
        status=to_text(info.get("status")),
        standard=_format_standard(value),
        title=to_text(info.get("title")),
        description=to_text(info.get("description")),
        contact=_format_contact(to_mapping(info.get("contact"))),
        models=tuple(_parse_model(reader, name, one) for name, one in to_mapping(value.get("models")).items()),
        quality_rules=tuple(_parse_rules(reader, value)),
        sla=tuple(_parse_levels(reader, to_mapping(value.get("servicelevels")))),
        terms=_parse_terms(to_mapping(value.get("terms"))),
        roles=tuple(_parse_roles(reader, servers)),
        servers=tuple(parse_server(name, to_mapping(one)) for name, one in servers.items()),
        links={name: to_text(url) for name, url in to_mapping(value.get("links")).items()},
        tags=to_texts(value.get("tags")),
        owners=tuple(Party(name) for name in to_texts(info.get("owner"))),
        consumers=tuple(dict.fromkeys((*to_texts(info.get("consumer")), *to_texts(info.get("consumers"))))),
    )
    for part, place in (
        ("status", ("info", "status")),
        ("owner", ("info", "owner")),
        ("consumer", ("info", "consumer")),
        ("terms", ("terms",)),
    ):
        reader.record_line(place, part)
    for name in servers:
        reader.record_line(("servers", name), "server", name)
    return finish_contract(document, contract, ("id", "info.version"), checked, reader)


def _format_standard(value: Mapping[str, Json]) -> str:
    written = to_text(value.get("dataContractSpecification"))
    return f"Data Contract Specification {written}" if written else to_text(value.get("apiVersion"))


def _format_contact(contact: Mapping[str, Json]) -> str:
    return ", ".join(to_text(contact.get(key)) for key in ("name", "email", "url") if to_text(contact.get(key)))


def _parse_model(reader: FieldReader, name: str, value: Json) -> Model:
    values = to_mapping(value)
    place: Path = ("models", name, "fields")
    reader.start_model(place[:-1], name)
    primary = to_texts(values.get("primaryKey"))
    fields = to_mapping(values.get("fields")).items()
    return Model(
        name=name,
        type=to_text(values.get("type")),
        title=to_text(values.get("title")),
        description=to_text(values.get("description")),
        tags=to_texts(values.get("tags")),
        fields=tuple(field for one, inside in fields for field in _parse_fields(reader, (*place, one), one, to_mapping(inside), primary)),
    )


def _parse_fields(reader: FieldReader, place: Path, name: str, value: Mapping[str, Json], primary: Sequence[str]) -> Iterator[Field]:
    """A field, and the fields nested in it."""
    reader.start_field(place, name)
    reader.check_keys(place, value, FIELD_KEYS)
    values = reader.resolve_references(place, value)
    yield _parse_field(name, values, primary)
    for inner, one in to_mapping(values.get("fields")).items():
        yield from _parse_fields(reader, (*place, "fields", inner), f"{name}.{inner}", to_mapping(one), primary)
    for key, part in (("items", "element"), ("keys", "key"), ("values", "value")):
        if inside := to_mapping(values.get(key)):
            yield from _parse_fields(reader, (*place, key), f"{name}.{part}", inside, primary)


def _parse_field(name: str, values: Mapping[str, Json], primary: Sequence[str]) -> Field:
    classification, tags = to_text(values.get("classification")), to_texts(values.get("tags"))
    enum = values.get("enum")
    pii = to_flag(values.get("pii"))
    return Field(
        name=name,
        type=_format_type(values),
        title=to_text(values.get("title")),
        description=to_text(values.get("description")),
        required=to_flag(values.get("required")),
        unique=to_flag(values.get("unique")),
        primary_key=True if name in primary else _parse_flag(values, "primaryKey", "primary"),
        enum=tuple(enum) if isinstance(enum, list) else (),
        minimum=values.get("minimum"),
        maximum=values.get("maximum"),
        exclusive_minimum=values.get("exclusiveMinimum"),
        exclusive_maximum=values.get("exclusiveMaximum"),
        min_length=to_whole_number(values.get("minLength")),
        max_length=to_whole_number(values.get("maxLength")),
        pattern=to_text(values.get("pattern")),
        format=to_text(values.get("format")),
        classification=classification,
        pii=is_pii(classification, tags) if pii is None else pii,
        references=to_texts(values.get("references")),
        tags=tags,
    )


def _parse_flag(values: Mapping[str, Json], key: str, old: str) -> bool | None:
    found = to_flag(values.get(key))
    return to_flag(values.get(old)) if found is None else found


def _format_type(values: Mapping[str, Json]) -> str:
    """A field's type as text: `decimal` with precision and scale becomes `decimal(18,2)`."""
    written, precision, scale = to_text(values.get("type")), to_whole_number(values.get("precision")), to_whole_number(values.get("scale"))
    if precision is None or "(" in written:
        return written
    return f"{written}({precision})" if scale is None else f"{written}({precision},{scale})"


def _parse_rules(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Rule]:
    whole_file = to_mapping(value.get("quality"))
    if whole_file:
        reader.record_line(("quality",), "rule")
        yield Rule(type=to_text(whole_file.get("type")) or "custom", specification=whole_file.get("specification"))
    for name, model in to_mapping(value.get("models")).items():
        yield from parse_rules(reader, ("models", name), to_mapping(model), model=name)
        for field, inside in to_mapping(to_mapping(model).get("fields")).items():
            yield from parse_rules(reader, ("models", name, "fields", field), to_mapping(inside), model=name, field=field)


def _parse_levels(reader: FieldReader, values: Mapping[str, Json]) -> Iterator[Level]:
    for name, key in _LEVELS:
        one = to_mapping(values.get(name.partition(".")[0]))
        written = to_text(one.get(key))
        if key == "percentage" and written and not written.endswith("%"):
            written += "%"
        if key == "period" and not written and one.get("unlimited") is True:
            written = "unlimited"
        if not written and key == "interval":
            written = to_text(one.get("cron")) or to_text(one.get("type"))
        if written:
            element, description = to_text(one.get("timestampField") or one.get("sourceTimestampField")), to_text(one.get("description"))
            schedule = to_text(one.get("cron")) if key == "interval" else ""
            reader.record_line(("servicelevels", name.partition(".")[0], key), "slo", name.replace(".", "_"))
            yield build_level(name.replace(".", "_"), written, element=element, description=description, schedule=schedule)


_LEVELS = (
    ("availability", "percentage"),
    ("retention", "period"),
    ("latency", "threshold"),
    ("freshness", "threshold"),
    ("frequency", "interval"),
    ("support", "time"),
    ("support.response_time", "responseTime"),
    ("backup", "interval"),
    ("backup.recovery_time", "recoveryTime"),
    ("backup.recovery_point", "recoveryPoint"),
)


def _parse_terms(values: Mapping[str, Json]) -> Terms:
    notice = to_text(values.get("noticePeriod"))
    return Terms(
        usage=to_text(values.get("usage")),
        limitations=to_text(values.get("limitations")),
        description=to_text(values.get("description")),
        billing=to_text(values.get("billing")) or to_text(values.get("billing_plan")),
        notice_period=build_level("notice_period", notice) if notice else None,
        policies=tuple(
            ": ".join(filter(None, (to_text(one.get("type") or one.get("name")), to_text(one.get("url")))))
            for one in to_mappings(values.get("policies"))
        ),
    )


def _parse_roles(reader: FieldReader, servers: Mapping[str, Json]) -> Iterator[Role]:
    for name, one in servers.items():
        for i, role in enumerate(to_mappings(to_mapping(one).get("roles"))):
            reader.record_line(("servers", name, "roles", i), "role", to_text(role.get("name")))
            yield Role(name=to_text(role.get("name")), description=to_text(role.get("description")), server=name)
