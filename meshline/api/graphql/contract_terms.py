"""The parts of contracts: service levels, fields, quality rules, terms, roles and servers. Products have some of them, too."""

from __future__ import annotations

from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.graph import contracts, durations
from meshline.graph.model import Json


def _to_optional(text: str) -> str | None:
    return text or None


def _to_json(value: Json) -> JSON | None:
    return None if value is None else JSON(value)


@strawberry.type(description="A service level: freshness, retention, availability, ...")
class ServiceLevel:
    name: str
    text: str = strawberry.field(description="As its source states it.")
    seconds: float | None = strawberry.field(description="The duration in seconds, if it is one: a month has 30 days, a year 365.")
    ratio: float | None = strawberry.field(description="The ratio, if it is one: 0.999 for 99.9%.")
    element: str | None = strawberry.field(description="The model or field that it is about; null: all.")
    description: str | None
    schedule: str | None
    driver: str | None

    @classmethod
    def from_level(cls, level: contracts.Level) -> Self:
        return cls(
            name=level.name,
            text=level.text,
            seconds=level.seconds,
            ratio=level.ratio,
            element=_to_optional(level.element),
            description=_to_optional(level.description),
            schedule=_to_optional(level.schedule),
            driver=_to_optional(level.driver),
        )


def list_service_levels(slo: Json) -> list[ServiceLevel]:
    """The service levels in the attribute `slo` of a product, by name."""
    found = [(name, value, durations.convert_measure(value)) for name, value in slo.items()] if isinstance(slo, dict) else []
    return [ServiceLevel.from_level(_build_level(name, value, measure)) for name, value, measure in sorted(found) if measure is not None]


def _build_level(name: str, value: Json, measure: durations.Measure) -> contracts.Level:
    more = {key: text for key in ("element", "description", "schedule", "driver") if isinstance(text := _get_part(value, key), str)}
    return contracts.Level(name, measure.text, measure.seconds, measure.ratio, **more)


def _get_part(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


@strawberry.type(description="A field that a contract promises. Null: the contract does not state it.")
class ContractField:
    model: str
    name: str = strawberry.field(description="A dotted path: `address.city`, `tags.element`.")
    physical_name: str | None = strawberry.field(description="The name of the column, if it differs.")
    data_type: str | None = strawberry.field(description="As the contract writes it.")
    physical_type: str | None
    title: str | None
    description: str | None
    required: bool | None
    unique: bool | None
    primary_key: bool | None
    enum: list[JSON]
    minimum: JSON | None
    maximum: JSON | None
    exclusive_minimum: JSON | None
    exclusive_maximum: JSON | None
    min_length: int | None
    max_length: int | None
    pattern: str | None
    format: str | None
    classification: str | None
    pii: bool | None
    deprecated: bool | None
    references: list[str]
    tags: list[str]

    @classmethod
    def from_field(cls, model: str, field: contracts.Field) -> Self:
        return cls(
            model=model,
            name=field.name,
            physical_name=_to_optional(field.physical_name),
            data_type=_to_optional(field.type),
            physical_type=_to_optional(field.physical_type),
            title=_to_optional(field.title),
            description=_to_optional(field.description),
            required=field.required,
            unique=field.unique,
            primary_key=field.primary_key,
            enum=[JSON(value) for value in field.enum],
            minimum=_to_json(field.minimum),
            maximum=_to_json(field.maximum),
            exclusive_minimum=_to_json(field.exclusive_minimum),
            exclusive_maximum=_to_json(field.exclusive_maximum),
            min_length=field.min_length,
            max_length=field.max_length,
            pattern=_to_optional(field.pattern),
            format=_to_optional(field.format),
            classification=_to_optional(field.classification),
            pii=field.pii,
            deprecated=field.deprecated,
            references=list(field.references),
            tags=list(field.tags),
        )


@strawberry.type(description="A quality rule of a contract.")
class QualityRule:
    type: str = strawberry.field(description="text, sql, library, custom, or the tool that evaluates it.")
    model: str | None
    field: str | None
    name: str | None
    description: str | None
    dimension: str | None
    metric: str | None
    severity: str | None
    schedule: str | None
    query: str | None
    engine: str | None
    unit: str | None
    expected: JSON | None = strawberry.field(description="Comparison -> value: be, greater_than, between, ...")
    arguments: JSON | None
    specification: JSON | None = strawberry.field(description="In the language of its engine, or the name of the file that contains it.")

    @classmethod
    def from_rule(cls, rule: contracts.Rule) -> Self:
        return cls(
            type=rule.type,
            model=_to_optional(rule.model),
            field=_to_optional(rule.field),
            name=_to_optional(rule.name),
            description=_to_optional(rule.description),
            dimension=_to_optional(rule.dimension),
            metric=_to_optional(rule.metric),
            severity=_to_optional(rule.severity),
            schedule=_to_optional(rule.schedule),
            query=_to_optional(rule.query),
            engine=_to_optional(rule.engine),
            unit=_to_optional(rule.unit),
            expected=_to_json(rule.expected or None),
            arguments=_to_json(rule.arguments or None),
            specification=_to_json(rule.specification),
        )


@strawberry.type(description="How the data may be used.")
class Terms:
    usage: str | None
    limitations: str | None
    purpose: str | None
    description: str | None
    billing: str | None
    notice_period: ServiceLevel | None
    policies: list[str]

    @classmethod
    def from_terms(cls, terms: contracts.Terms) -> Self:
        return cls(
            usage=_to_optional(terms.usage),
            limitations=_to_optional(terms.limitations),
            purpose=_to_optional(terms.purpose),
            description=_to_optional(terms.description),
            billing=_to_optional(terms.billing),
            notice_period=None if terms.notice_period is None else ServiceLevel.from_level(terms.notice_period),
            policies=list(terms.policies),
        )


@strawberry.type(description="A role that may use the data.")
class ContractRole:
    name: str
    access: str | None
    description: str | None
    approvers: list[str]
    server: str | None = strawberry.field(description="Where it is valid; null: on all servers.")

    @classmethod
    def from_role(cls, role: contracts.Role) -> Self:
        return cls(
            name=role.name,
            access=_to_optional(role.access),
            description=_to_optional(role.description),
            approvers=list(role.approvers),
            server=_to_optional(role.server),
        )


@strawberry.type(description="A server with the data of a contract.")
class ContractServer:
    name: str
    type: str | None
    environment: str | None
    description: str | None
    settings: JSON = strawberry.field(description="host, catalog, schema, ...; never secrets.")

    @classmethod
    def from_server(cls, server: contracts.Server) -> Self:
        return cls(
            name=server.name,
            type=_to_optional(server.type),
            environment=_to_optional(server.environment),
            description=_to_optional(server.description),
            settings=JSON(server.settings),
        )


@strawberry.type(description="A link from a contract or product to an external page.")
class Link:
    name: str
    url: str


@strawberry.type(description="A suite of checks of a product.")
class QualitySuite:
    tool: str
    suite: str | None
    run: str | None = strawberry.field(description="The time of the run, as its source states it.")

    @classmethod
    def from_suite(cls, suite: contracts.Suite) -> Self:
        return cls(tool=suite.tool, suite=_to_optional(suite.suite), run=_to_optional(suite.run))
