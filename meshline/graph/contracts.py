"""Contracts, data products and definitions of datasets as frozen values, independent of the dialect of their files.

Ingest builds them from files, and the graph keeps contracts and products as attributes of the asset (`build_contract_attributes`).
Queries and the gate read them back (`build_contract`) and compare two versions. `parse_version` sorts versions.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.graph.durations import Measure, parse_measure
from meshline.graph.model import AssetKey, Json


class Level(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service level: freshness, retention, availability, ... `seconds` if it is a duration, `ratio` (1 = 100 %) if it is a share."""

    name: str
    text: str
    seconds: float | None = None
    ratio: float | None = None
    element: str = ""  # the model or field that it applies to; empty: all
    description: str = ""
    schedule: str = ""
    driver: str = ""

    @property
    def measure(self) -> Measure:
        return Measure(self.text, self.seconds, self.ratio)


def build_level(name: str, text: str, *, element: str = "", description: str = "", schedule: str = "", driver: str = "") -> Level:
    """A service level with the amount parsed from its text."""
    found = parse_measure(text)
    return Level(name, text, found.seconds, found.ratio, element, description, schedule, driver)


class Encoding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a field of Protobuf is besides its type. `number`: by which readers find it, 0 for an element of a list or map.

    `presence`: explicit (an unset field is not one with the default), implicit, or required. `oneof`: the choice that it belongs to.
    `default`: a stated one. `json_name`: its name in JSON. `enum_numbers`: of the values of its enum, in their order;
    `is_closed`: readers of its enum reject unknown values.
    """

    number: int = 0
    presence: str = ""
    oneof: str = ""
    default: str | None = None
    json_name: str = ""
    enum_numbers: tuple[int, ...] = ()
    is_closed: bool = False


class Reserved(NamedTuple):
    """Numbers (both ends included) or a name that the message or enum at a path must not use again; "": the whole."""

    path: str
    first: int = 0
    last: int = 0
    name: str = ""


class Direction(enum.StrEnum):
    """Who reads what: readers of the new schema old data, or readers of the old schema new data."""

    BACKWARD = "backward"
    FORWARD = "forward"


class Unreadable(NamedTuple):
    """A place where a reader cannot read. `path`: of the field in the old version, or of one that only the new one has; "": the whole.
    `what`: field (it is missing), type, name or symbol; `text`: why, a part of a sentence.
    """

    direction: Direction
    path: str
    what: str
    text: str


class Resolution(NamedTuple):
    """Whether two schemas can read each other's data, as far as a mode of compatibility asks. `mode`: BACKWARD, ...
    `by_rule`: the rules of the changes decide it, and not `unreadable`.
    """

    mode: str
    directions: tuple[Direction, ...]
    unreadable: tuple[Unreadable, ...] = ()
    by_rule: bool = False


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of a model. None or empty: the contract does not state it."""

    name: str  # a dotted path: address.city, tags.element, prices.key
    physical_name: str = ""  # the column's name, if it differs
    type: str = ""  # as the contract writes it
    physical_type: str = ""
    id: str = ""  # stays the same when the field is renamed
    title: str = ""
    description: str = ""
    required: bool | None = None
    unique: bool | None = None
    primary_key: bool | None = None
    type_names: tuple[str, ...] = ()  # of a named type of Avro or Protobuf: its full name, then its aliases
    defaulted: bool | None = None  # whether a reader or writer without the field gets a default
    enum: tuple[Any, ...] = ()
    enum_default: str = ""  # the value that an Avro reader uses instead of an unknown one
    minimum: Any = None
    maximum: Any = None
    exclusive_minimum: Any = None
    exclusive_maximum: Any = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    pattern: str = ""
    format: str = ""
    classification: str = ""
    pii: bool | None = None
    partitioned: bool | None = None
    deprecated: bool | None = None
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    encoding: Encoding | None = None  # Protobuf


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A quality rule. `type`: its evaluator (text, sql, library, custom, a tool); `expected`: value by comparison."""

    type: str
    model: str = ""
    field: str = ""
    name: str = ""
    description: str = ""
    dimension: str = ""
    metric: str = ""
    severity: str = ""
    schedule: str = ""
    query: str = ""
    engine: str = ""
    unit: str = ""
    expected: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    specification: Any = None  # in the language of its engine, or the name of the file that contains it


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table, topic or file with its fields, in the contract's order."""

    name: str
    physical_name: str = ""
    type: str = ""
    id: str = ""
    title: str = ""
    description: str = ""
    deprecated: bool | None = None
    tags: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


class Role(msgspec.Struct, frozen=True, omit_defaults=True):
    """A role that may use the data."""

    name: str
    access: str = ""
    description: str = ""
    approvers: tuple[str, ...] = ()
    server: str = ""  # the server where the role is valid; empty: all servers


class Server(msgspec.Struct, frozen=True, omit_defaults=True):
    """A location of the data. `settings`: host, catalog, schema, ...; never secrets."""

    name: str
    type: str = ""
    environment: str = ""
    description: str = ""
    settings: dict[str, Any] = {}


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Terms of use. `notice_period`: as text and in seconds."""

    usage: str = ""
    limitations: str = ""
    purpose: str = ""
    description: str = ""
    billing: str = ""
    notice_period: Level | None = None
    policies: tuple[str, ...] = ()


class Party(msgspec.Struct, frozen=True, omit_defaults=True):
    """A team or person in a role: `technical`, `business`, `steward`, ..."""

    name: str
    type: str = "technical"
    title: str = ""


class Contract(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a data contract."""

    id: str
    version: str = ""
    status: str = ""
    standard: str = ""  # the dialect and its version
    title: str = ""
    description: str = ""
    domain: str = ""
    product: str = ""
    contact: str = ""
    models: tuple[Model, ...] = ()
    quality_rules: tuple[Rule, ...] = ()
    sla: tuple[Level, ...] = ()
    terms: Terms = Terms()
    roles: tuple[Role, ...] = ()
    servers: tuple[Server, ...] = ()
    links: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    owners: tuple[Party, ...] = ()
    consumers: tuple[str, ...] = ()

    @property
    def is_in_force(self) -> bool:
        """True if the contract is in force: neither a draft nor retired."""
        return is_in_force(self.status)

    @property
    def has_ended(self) -> bool:
        """True if the contract was in force and has ended."""
        return _normalise_status(self.status) in ENDED


# Values of the status of a contract that is not in force. Any other status, or none, is in force.
NOT_YET = frozenset({"draft", "proposed", "pending", "in development", "development"})
ENDED = frozenset({"retired", "inactive", "archived"})


def is_in_force(status: str) -> bool:
    """True if a contract with this status is in force."""
    return _normalise_status(status) not in NOT_YET | ENDED


def _normalise_status(status: str) -> str:
    return status.strip().lower().replace("_", " ")


class PortSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A port of a product: an endpoint, or the contract that gives its location."""

    direction: str  # input or output
    name: str = ""
    type: str = ""
    endpoint: str = ""
    format: str = ""
    description: str = ""
    refresh: str = ""
    version: str = ""
    contract: str = ""
    deprecated: bool | None = None
    tags: tuple[str, ...] = ()


def build_port_names(ports: Sequence[PortSpec]) -> tuple[str, ...]:
    """The name of each port: its own name, else its contract, its endpoint or its type. Ports of one direction with the same name are
    numbered (`name#2`) in the order of their fields, so the order of the ports has no effect.
    """
    called: dict[tuple[str, str], list[PortSpec]] = {}
    for port in ports:
        called.setdefault(_choose_port_name(port), []).append(port)
    for same in called.values():
        same.sort(key=lambda port: (port.version, port.contract, port.type, port.endpoint, port.format))
    return tuple(_number_name(_choose_port_name(port)[1], called[_choose_port_name(port)].index(port)) for port in ports)


def _choose_port_name(port: PortSpec) -> tuple[str, str]:
    return port.direction, port.name or port.contract or port.endpoint or port.type or "port"


def _number_name(name: str, i: int) -> str:
    return f"{name}#{i + 1}" if i else name


class Suite(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run of a suite of checks on a product."""

    tool: str
    suite: str = ""
    run: str = ""  # the time of the run


class Product(msgspec.Struct, frozen=True, omit_defaults=True):
    """One data product as its specification describes it."""

    name: str
    id: str = ""
    version: str = ""
    status: str = ""
    standard: str = ""
    title: str = ""
    description: str = ""
    domain: str = ""
    contact: str = ""
    slo: tuple[Level, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    quality_checks: tuple[Suite, ...] = ()
    registered_in: tuple[str, ...] = ()
    pii_columns: tuple[str, ...] = ()
    terms: Terms = Terms()
    tags: tuple[str, ...] = ()
    links: dict[str, str] = {}
    owners: tuple[Party, ...] = ()


def build_contract_attributes(contract: Contract) -> dict[str, Json]:
    """The attributes of the contract's asset: all fields except the id."""
    return _convert_to_attributes(contract, {"id"})


def build_product_attributes(product: Product) -> dict[str, Json]:
    """The attributes of the product's asset: what no edge states. Service levels are a mapping by name."""
    attributes = _convert_to_attributes(product, {"name", "domain", "owners", "ports", "slo"})
    if product.slo:
        attributes["slo"] = {one.name: _convert_to_attributes(one, {"name"}) for one in product.slo}
    return attributes


def _convert_to_attributes(value: msgspec.Struct, without: set[str]) -> dict[str, Json]:
    fields: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(value))
    return {name: part for name, part in fields.items() if name not in without}


def build_contract(identifier: str, attributes: Mapping[str, Json]) -> Contract:
    """The contract in the attributes of its asset. Attributes of another shape are left out."""
    return Contract(**{**_convert_fields(Contract, attributes), "id": identifier})


def build_product(
    name: str, attributes: Mapping[str, Json], ports: Sequence[PortSpec] = (), owners: Sequence[Party] = (), domain: str = ""
) -> Product:
    """The product in the attributes of its asset and in its edges (ports, owners, domain)."""
    levels = attributes.get("slo")
    named: list[Json] = [{"name": key, **one} for key, one in levels.items() if isinstance(one, dict)] if isinstance(levels, dict) else []
    fitting = _convert_fields(Product, {**attributes, "slo": named})
    return Product(**{**fitting, "name": name, "ports": tuple(ports), "owners": tuple(owners), "domain": domain})


def build_suites(attribute: Json) -> tuple[Suite, ...]:
    """The suites in the attribute `quality_checks` of a product; empty if it has another shape."""
    try:
        return msgspec.convert(attribute, tuple[Suite, ...])
    except msgspec.ValidationError:
        return ()


def _convert_fields(type_: type[msgspec.Struct], attributes: Mapping[str, Json]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in msgspec.structs.fields(type_):
        if one.name in attributes:
            try:
                found[one.name] = msgspec.convert(attributes[one.name], one.type)
            except msgspec.ValidationError:
                continue
    return found


# A place in a definition: ("model", name, "field", name), ("slo", name), ("port", "output", name), ...; empty: the whole definition.
Part: TypeAlias = tuple[str, ...]


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table, view, topic or file as a tool defines it.

    `model`: its columns in order, with types as `format` writes them (iceberg, delta, avro, json, protobuf, dbt, or a dialect of SQL);
    a field's `id` stays the same when the column is renamed. `kind`: table, view, ...; `partitioning`: one text for each part,
    e.g. `days(created_at)`. `sql`: the compiled query that computes it, in a `dialect` of sqlglot. `reads`: all columns of the
    tables that the query reads, by the tables' names in it, in lower case; the columns of absent tables are unknown.
    `rules`: tests of its rows. `closed`: the paths of objects that allow no further columns; "": the whole. `hidden`: the number of
    columns that the caller may not see, which are not in the model. `reserved`: what Protobuf reserves.
    """

    model: Model
    format: str = ""
    kind: str = ""
    partitioning: tuple[str, ...] = ()
    sql: str = ""
    dialect: str = ""
    reads: dict[str, tuple[str, ...]] = {}
    rules: tuple[Rule, ...] = ()
    owner: str = ""
    access: str = ""  # dbt: private, protected or public; empty: not stated
    deprecated: bool | None = None
    contracted: bool = False  # dbt compares the columns and types with the declared ones
    constraints: tuple[str, ...] = ()  # kinds of constraints (not_null, unique, ...) that the database enforces
    version: str = ""  # dbt: of a model that has several
    latest_version: str = ""  # the version that a reference without one means
    closed: tuple[str, ...] = ()
    hidden: int = 0
    reserved: tuple[Reserved, ...] = ()


Described = TypeVar("Described", bound=Contract | Product | Definition)


class Version(NamedTuple, Generic[Described]):
    """One version of a contract, product or definition. `datasets`: the datasets of the graph that its parts describe: by name of the
    model for a contract, by `direction/port` (`port_names`) for a product, under "" for a definition. `lines`: line numbers
    (from 1) of its parts in `file`.
    """

    value: Described
    datasets: Mapping[str, tuple[AssetKey, ...]] = {}
    file: str = ""
    lines: Mapping[Part, int] = {}

    def find_line(self, part: Part) -> int:
        """The line of a part, or of the nearest part around it that has one; 0: unknown."""
        while part and part not in self.lines:
            part = part[:-1]
        return self.lines.get(part, 1 if self.file else 0)


class Pair(NamedTuple, Generic[Described]):
    """A contract, product or definition before and after a change; None: it was added, or removed. Never both."""

    before: Version[Described] | None
    after: Version[Described] | None


AnyPair: TypeAlias = Pair[Contract] | Pair[Product] | Pair[Definition]


def parse_version(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[int, str], ...], str]:
    """A sort key of versions: 1.10.0 is newer than 1.9.0, 2.0.0 than 2.0.0-rc.1; a leading `v` has no meaning."""
    core, dash, rest = version.strip().lower().removeprefix("v").partition("+")[0].partition("-")
    found = _NUMBERS.match(core)
    numbers = tuple(int(part) for part in found[0].split(".")) if found else ()
    rest = rest if dash else core[found.end() :] if found else core
    pieces = tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in _PIECES.findall(rest)[:20])
    while numbers and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers, not pieces, pieces, version


def parse_major_version(version: str) -> int:
    """The first number of a version; 0 if it has none."""
    return next(iter(parse_version(version)[0]), 0)


_NUMBERS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,9}")
_PIECES = re.compile(r"[0-9]{1,9}|[a-z]+")
