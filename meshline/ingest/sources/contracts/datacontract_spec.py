"""Data Contract Specification 0.9 to 1.2, and the dialect `apiVersion: datacontract.com/v0.9`, which adds
`info.consumer`, `terms.billing_plan` and a reference to a suite as `quality`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datacontract_specification.model import DataContractSpecification
from datacontract_specification.model import Field as SpecifiedField

from meshline.graph.contracts import Contract, Field, Level, Model, Party, Role, Rule, Terms, level
from meshline.graph.model import Json
from meshline.ingest.documents import Document, Path, flag, mapping, mappings, text, texts, whole
from meshline.ingest.sources.contracts.field_reader import FieldReader, ParsedContract, finish_contract, is_pii, parse_rules
from meshline.ingest.sources.contracts.servers import parse_server
from meshline.ingest.validation import validated

FIELD_KEYS = {field.alias or name for name, field in SpecifiedField.model_fields.items()}


def parse_contract(document: Document) -> ParsedContract:
    """The contract in a document of this dialect."""
    checked = validated(DataContractSpecification, document)
    value = mapping(checked.value)
    info = mapping(value.get("info"))
    reader = FieldReader(document, value)
    servers = mapping(value.get("servers"))
    contract = Contract(
        id=text(value.get("id")),
        version=text(info.get("version")),
        status=text(info.get("status")),
        standard=_format_standard(value),
        title=text(info.get("title")),
        description=text(info.get("description")),
        contact=_format_contact(mapping(info.get("contact"))),
        models=tuple(_parse_model(reader, name, one) for name, one in mapping(value.get("models")).items()),
        quality_rules=tuple(_parse_rules(reader, value)),
        sla=tuple(_parse_levels(reader, mapping(value.get("servicelevels")))),
        terms=_parse_terms(mapping(value.get("terms"))),
        roles=tuple(_parse_roles(reader, servers)),
        servers=tuple(parse_server(name, mapping(one)) for name, one in servers.items()),
        links={name: text(url) for name, url in mapping(value.get("links")).items()},
        tags=texts(value.get("tags")),
        owners=tuple(Party(name) for name in texts(info.get("owner"))),
        consumers=tuple(dict.fromkeys((*texts(info.get("consumer")), *texts(info.get("consumers"))))),
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
    written = text(value.get("dataContractSpecification"))
    return f"Data Contract Specification {written}" if written else text(value.get("apiVersion"))


def _format_contact(contact: Mapping[str, Json]) -> str:
    return ", ".join(text(contact.get(key)) for key in ("name", "email", "url") if text(contact.get(key)))


def _parse_model(reader: FieldReader, name: str, value: Json) -> Model:
    said = mapping(value)
    place: Path = ("models", name, "fields")
    reader.start_model(place[:-1], name)
    primary = texts(said.get("primaryKey"))
    fields = mapping(said.get("fields")).items()
    return Model(
        name=name,
        type=text(said.get("type")),
        title=text(said.get("title")),
        description=text(said.get("description")),
        tags=texts(said.get("tags")),
        fields=tuple(field for one, inside in fields for field in _parse_fields(reader, (*place, one), one, mapping(inside), primary)),
    )


def _parse_fields(reader: FieldReader, place: Path, name: str, value: Mapping[str, Json], primary: Sequence[str]) -> Iterator[Field]:
    """A field, and those in it."""
    reader.start_field(place, name)
    reader.check_keys(place, value, FIELD_KEYS)
    said = reader.resolve_references(place, value)
    yield _parse_field(name, said, primary)
    for inner, one in mapping(said.get("fields")).items():
        yield from _parse_fields(reader, (*place, "fields", inner), f"{name}.{inner}", mapping(one), primary)
    for key, part in (("items", "element"), ("keys", "key"), ("values", "value")):
        if inside := mapping(said.get(key)):
            yield from _parse_fields(reader, (*place, key), f"{name}.{part}", inside, primary)


def _parse_field(name: str, said: Mapping[str, Json], primary: Sequence[str]) -> Field:
    classification, tags = text(said.get("classification")), texts(said.get("tags"))
    enum = said.get("enum")
    pii = flag(said.get("pii"))
    return Field(
        name=name,
        type=_format_type(said),
        title=text(said.get("title")),
        description=text(said.get("description")),
        required=flag(said.get("required")),
        unique=flag(said.get("unique")),
        primary_key=True if name in primary else _parse_flag(said, "primaryKey", "primary"),
        enum=tuple(enum) if isinstance(enum, list) else (),
        minimum=said.get("minimum"),
        maximum=said.get("maximum"),
        exclusive_minimum=said.get("exclusiveMinimum"),
        exclusive_maximum=said.get("exclusiveMaximum"),
        min_length=whole(said.get("minLength")),
        max_length=whole(said.get("maxLength")),
        pattern=text(said.get("pattern")),
        format=text(said.get("format")),
        classification=classification,
        pii=is_pii(classification, tags) if pii is None else pii,
        references=texts(said.get("references")),
        tags=tags,
    )


def _parse_flag(said: Mapping[str, Json], key: str, old: str) -> bool | None:
    found = flag(said.get(key))
    return flag(said.get(old)) if found is None else found


def _format_type(said: Mapping[str, Json]) -> str:
    """`decimal` with precision and scale is `decimal(18,2)`."""
    written, precision, scale = text(said.get("type")), whole(said.get("precision")), whole(said.get("scale"))
    if precision is None or "(" in written:
        return written
    return f"{written}({precision})" if scale is None else f"{written}({precision},{scale})"


def _parse_rules(reader: FieldReader, value: Mapping[str, Json]) -> Iterator[Rule]:
    whole_file = mapping(value.get("quality"))
    if whole_file:
        reader.record_line(("quality",), "rule")
        yield Rule(type=text(whole_file.get("type")) or "custom", specification=whole_file.get("specification"))
    for name, model in mapping(value.get("models")).items():
        yield from parse_rules(reader, ("models", name), mapping(model), model=name)
        for field, inside in mapping(mapping(model).get("fields")).items():
            yield from parse_rules(reader, ("models", name, "fields", field), mapping(inside), model=name, field=field)


def _parse_levels(reader: FieldReader, said: Mapping[str, Json]) -> Iterator[Level]:
    for name, key in _LEVELS:
        one = mapping(said.get(name.partition(".")[0]))
        written = text(one.get(key))
        if key == "percentage" and written and not written.endswith("%"):
            written += "%"
        if key == "period" and not written and one.get("unlimited") is True:
            written = "unlimited"
        if not written and key == "interval":
            written = text(one.get("cron")) or text(one.get("type"))
        if written:
            element, description = text(one.get("timestampField") or one.get("sourceTimestampField")), text(one.get("description"))
            schedule = text(one.get("cron")) if key == "interval" else ""
            reader.record_line(("servicelevels", name.partition(".")[0], key), "slo", name.replace(".", "_"))
            yield level(name.replace(".", "_"), written, element=element, description=description, schedule=schedule)


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


def _parse_terms(said: Mapping[str, Json]) -> Terms:
    notice = text(said.get("noticePeriod"))
    return Terms(
        usage=text(said.get("usage")),
        limitations=text(said.get("limitations")),
        description=text(said.get("description")),
        billing=text(said.get("billing")) or text(said.get("billing_plan")),
        notice_period=level("notice_period", notice) if notice else None,
        policies=tuple(
            ": ".join(filter(None, (text(one.get("type") or one.get("name")), text(one.get("url")))))
            for one in mappings(said.get("policies"))
        ),
    )


def _parse_roles(reader: FieldReader, servers: Mapping[str, Json]) -> Iterator[Role]:
    for name, one in servers.items():
        for i, role in enumerate(mappings(mapping(one).get("roles"))):
            reader.record_line(("servers", name, "roles", i), "role", text(role.get("name")))
            yield Role(name=text(role.get("name")), description=text(role.get("description")), server=name)
