"""The format of the mesh file, version 1: its keys and the types of their values.

`build_json_schema` builds the published JSON Schema of it (`meshline/ingest/mesh.schema.json`, written by scripts/make-docs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from meshline.graph.model import Precedence
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import SourceName
from meshline.ingest.sources.registry import KINDS, get_source_class
from meshline.words import suggest_closest

Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Name: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
PatternText: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000, pattern=r"^[^/]+/.")]
Tags: TypeAlias = tuple[Annotated[Name, Field(description="`key` or `key=value`.")], ...]


def _check_one_value(value: object) -> object:
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("one_value", "accepted is a text or a number")
    return value


def _parse_day(value: object) -> date:
    try:
        if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("day", "accepted is a day, YYYY-MM-DD")


Day: TypeAlias = Annotated[date, BeforeValidator(_parse_day, json_schema_input_type=str)]
Level: TypeAlias = Annotated[str | int | float | bool, BeforeValidator(_check_one_value, json_schema_input_type=str | int | float | bool)]
Every: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9][0-9]{0,5}[smhd]$"),
    Field(description="How often `meshline serve` syncs it: a number of seconds, minutes, hours or days, such as 10m."),
]
OwnerName: TypeAlias = Annotated[Name, Field(description="The name or the e-mail address of a team or a person.")]


class Part(BaseModel):
    """Base of all parts of the file: frozen, unknown keys are refused. Their validators are built when a file is read first."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            for key in value:
                if key not in cls.model_fields:
                    message = f"unknown key {key!r}{suggest_closest(str(key), cls.model_fields)}; accepted: {', '.join(cls.model_fields)}"
                    raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})
        return value


class FullName(Part):
    """A dataset in full, for names in which `namespace/name` would be split in the wrong place."""

    namespace: Name
    name: Name


def _find_form(value: object) -> str:
    return "text" if isinstance(value, str) else "full"


DatasetName: TypeAlias = Annotated[
    Annotated[Name, Tag("text")] | Annotated[FullName, Tag("full")],
    Discriminator(_find_form),
    Field(
        description="`alias/name`, where alias is a key of `namespaces`; else `namespace/name`, where the namespace of"
        " `scheme://host/...` ends after the host, of `scheme:///path/name` before the last part, and of anything else"
        " at the first slash; or {namespace: ..., name: ...}."
    ),
]


class FullPattern(Part):
    """A pattern in full: the exact namespace (or its alias), and a name that may contain * ? [..]."""

    namespace: Name
    name: Name


Pattern: TypeAlias = Annotated[
    Annotated[PatternText, Tag("text")] | Annotated[FullPattern, Tag("full")],
    Discriminator(_find_form),
    Field(
        description="Written like a dataset, `alias/name`, `namespace/name` or {namespace: ..., name: ...}; the name may contain * ? [..]."
    ),
]


class Domain(Part):
    """A business domain. Its parent is the domain that `parent` names, or that contains it in `domains`."""

    name: Name
    title: Text | None = None
    description: Text | None = None
    parent: Name | None = None
    owner: OwnerName | None = None
    tags: Tags = ()
    datasets: tuple[Pattern, ...] = Field(default=(), description="Which datasets belong to the domain. The longest pattern wins.")
    domains: tuple[Domain, ...] = ()


class Team(Part):
    """A team that owns or uses data."""

    name: Name
    title: Text | None = None
    description: Text | None = None
    email: Name | None = None
    slack: Name | None = None
    members: tuple[Name, ...] = Field(default=(), description="Names of people.")


class Person(Part):
    """A person who owns data."""

    name: Name
    title: Text | None = None
    description: Text | None = None
    email: Name | None = None
    slack: Name | None = None


class Port(Part):
    """A dataset that a product reads (input port) or publishes (output port)."""

    dataset: DatasetName
    type: Name | None = Field(default=None, description="For example sql, stream, api, file.")
    endpoint: Text | None = None
    format: Text | None = None
    description: Text | None = None


class Product(Part):
    """A data product: what a domain publishes through its ports."""

    name: Name
    title: Text | None = None
    description: Text | None = None
    version: Name | None = None
    domain: Name | None = None
    owner: OwnerName | None = None
    tags: Tags = ()
    slo: dict[Name, Level] = Field(default={}, description="Service levels by name, for example `freshness: 1h`.")
    input_ports: tuple[Port, ...] = ()
    output_ports: tuple[Port, ...] = ()
    datasets: tuple[Pattern, ...] = Field(
        default=(), description="Datasets that belong to the product, in addition to those at its output ports."
    )


class Ownership(Part):
    """An owner of one dataset, column, product or domain, in addition to the `owner` of the product or domain itself."""

    owner: OwnerName
    type: Literal["technical", "business", "steward"] = "technical"
    dataset: DatasetName | None = None
    column: Name | None = Field(default=None, description="A column of the dataset.")
    product: Name | None = None
    domain: Name | None = None

    @model_validator(mode="after")
    def _check_subject(self) -> Ownership:
        if sum(subject is not None for subject in (self.dataset, self.product, self.domain)) != 1:
            raise PydanticCustomError("one_subject", "give exactly one of the keys dataset, product and domain")
        if self.column is not None and self.dataset is None:
            raise PydanticCustomError("one_subject", "a column needs the key dataset as well")
        return self


class Contract(Part):
    """A promise about a dataset."""

    id: Name
    title: Text | None = None
    description: Text | None = None
    version: Name | None = None
    status: Name | None = None
    owner: OwnerName | None = None
    dataset: DatasetName


class Consumed(Part):
    """The data that a consumer uses: a product, a dataset, or columns of a dataset."""

    product: Name | None = None
    dataset: DatasetName | None = None
    columns: tuple[Name, ...] = Field(default=(), description="The columns that are used; if empty, the dataset as a whole.")
    contract: Name | None = Field(default=None, description="The id of the contract that covers the use.")
    version: Name | None = Field(default=None, description="The version of the contract under which it is used.")
    purpose: Text | None = None

    @model_validator(mode="after")
    def _check_subject(self) -> Consumed:
        if self.version is not None and self.contract is None:
            raise PydanticCustomError("one_subject", "version is the version of a contract: it needs the key contract as well")
        if (self.product is None) == (self.dataset is None):
            raise PydanticCustomError("one_subject", "give exactly one of the keys product and dataset")
        if self.columns and self.dataset is None:
            raise PydanticCustomError("one_subject", "columns need the key dataset as well")
        return self


class Consumer(Part):
    """A team, application, dashboard or model that uses data."""

    name: Name
    type: Name | None = Field(default=None, description="For example team, application, dashboard or model.")
    title: Text | None = None
    description: Text | None = None
    owner: OwnerName | None = None
    tags: Tags = ()
    consumes: tuple[Consumed, ...] = ()


class ColumnNote(Part):
    """Title, description and tags of a column."""

    name: Name
    title: Text | None = None
    description: Text | None = None
    tags: Tags = ()


class DatasetNote(Part):
    """Titles, descriptions and tags of a dataset and of its columns. It does not state which columns exist."""

    dataset: DatasetName
    title: Text | None = None
    description: Text | None = None
    tags: Tags = ()
    columns: tuple[ColumnNote, ...] = ()


class SameAs(Part):
    """Two names of one dataset that no rule joins."""

    a: DatasetName
    b: DatasetName
    why: Text


class NotSameAs(Part):
    """Two names of different datasets. They stay apart even if a symlink, a location, a rule or a person joins them."""

    a: DatasetName
    b: DatasetName
    why: Text
    until: Day | None = Field(default=None, description="The last day (UTC) on which they are kept apart: YYYY-MM-DD.")


class FullPrefix(Part):
    """The beginning of the names of a catalog, in full."""

    namespace: Name
    prefix: Name | None = Field(default=None, description="Whole parts of names, for example `delta` of `delta.orders.customer_orders`.")


CatalogName: TypeAlias = Annotated[
    Annotated[Name, Tag("text")] | Annotated[FullPrefix, Tag("full")],
    Discriminator(_find_form),
    Field(
        description="`alias` or a namespace, optionally followed by `/` and the beginning of names; the namespace of"
        " `scheme://host/...` ends after the host, and `scheme:///path` is a namespace as a whole; or {namespace: ..., prefix: ...}."
    ),
]


class Catalog(Part):
    """One catalog to which systems refer by different names: a dataset under an `also` is the one of the same name under `names`.

    With `names: lake` and `also: [trino://host/delta]` the dataset `trino://host` + `delta.orders.items` is
    `lake` + `orders.items`, once both are known. Changing this needs no replay.
    """

    names: CatalogName = Field(description="The beginning of names in the catalog itself.")
    also: tuple[CatalogName, ...] = Field(min_length=1, description="The beginning of the same names in other systems.")
    ignore_case: bool = Field(default=False, description="Whether the names behind both may differ in upper and lower case.")


class SchemaFiles(Part):
    """Files with schemas of messages or tables, whose changes `meshline check --git` judges; the first entry that names a file decides.

    Without `dataset` and `namespace` the dataset is found by the name of the file (as a subject, `orders-value.avsc`) and of its record.
    """

    files: tuple[Annotated[str, StringConstraints(min_length=1, max_length=4096)], ...] = Field(
        min_length=1, max_length=1_000, description="Files and patterns of Avro, Protobuf or JSON Schema, relative to the mesh file."
    )
    dataset: DatasetName | None = Field(default=None, description="The dataset that the schema is of.")
    namespace: Name | None = Field(
        default=None, description="The namespace (or its alias) of topics that the files are named after: orders.avsc, orders-value.avsc."
    )
    message: Name | None = Field(default=None, description="Of Protobuf: the message, if the file has several.")
    compatibility: Literal["BACKWARD", "FORWARD", "FULL", "NONE"] | None = Field(
        default=None, description="The mode of a schema registry that decides, of Avro and Protobuf."
    )
    ignore: bool = Field(default=False, description="Whether the files are no schemas of data: their changes are not judged.")

    @model_validator(mode="after")
    def _check_meaning(self) -> SchemaFiles:
        if self.dataset is not None and self.namespace is not None:
            raise PydanticCustomError("one_subject", "give one of the keys dataset and namespace, not both")
        if self.ignore and any(one is not None for one in (self.dataset, self.namespace, self.message, self.compatibility)):
            raise PydanticCustomError("one_subject", "files that are ignored have no other keys than files")
        return self


class TrimmerRule(Part):
    """Rewrites the names of datasets, for example to remove a partition suffix."""

    pattern: str = Field(min_length=1, max_length=1000, description="A regular expression (Python).")
    replacement: str = Field(default="", max_length=1000)

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise PydanticCustomError("pattern", "not a regular expression: {error}", {"error": str(error)}) from error
        return value


class NamingRules(Part):
    """Rules that map several names to one dataset. Changing them needs a replay of the store."""

    trimmers: tuple[TrimmerRule, ...] = Field(default=(), description="Applied in order.")

    def build_naming(self) -> Naming:
        """The naming by these rules."""
        return Naming([(rule.pattern, rule.replacement) for rule in self.trimmers])


class SourceEntry(BaseModel):
    """A source that `meshline sync` reads. Its kind defines its other keys."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    kind: Name
    name: Name | None = Field(default=None, description="Distinguishes sources of one kind: the name of the source is `kind/name`.")
    every: Every | None = None


class PrecedenceRules(Part):
    """The precedence of kinds of sources, strongest first; kinds that are not listed are weaker."""

    structure: tuple[Name, ...] = Field(default=Precedence().structure, description="For structure: types, nullability, location.")
    people: tuple[Name, ...] = Field(default=Precedence().people, description="For what people state: owners, descriptions, tags.")

    def build_precedence(self) -> Precedence:
        """The precedence of sources by these rules."""
        return Precedence(structure=self.structure, people=self.people)


Term: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"[^\W_]")]
Group: TypeAlias = Annotated[tuple[Term, ...], Field(min_length=2, max_length=50, description="Terms that mean the same.")]

Pair: TypeAlias = tuple[Term, Term]


class MeshFile(Part):
    """A mesh file: what people know and no event states, and the rules for names and sources."""

    version: Literal[1] = Field(description="The version of this format.")
    source: SourceName | None = Field(default=None, description="The name of the source: mesh/<source>. The file's name if absent.")
    namespaces: dict[Annotated[str, StringConstraints(max_length=100, pattern=r"^[^/\s]+$")], Name] = Field(
        default={}, description="Short names of namespaces: alias -> namespace."
    )
    naming: NamingRules | None = None
    precedence: PrecedenceRules | None = None
    synonyms: tuple[Group, ...] = Field(
        default=(), max_length=10_000, description="Words by which searches find names: [customer, client, kunde]."
    )
    learn_synonyms: bool = Field(default=True, description="Whether searches use synonyms that were learned from titles.")
    not_synonyms: tuple[Pair, ...] = Field(
        default=(), max_length=10_000, description="Pairs of terms that are no synonyms, although titles suggest it: [kd, order]."
    )
    domains: tuple[Domain, ...] = ()
    teams: tuple[Team, ...] = ()
    people: tuple[Person, ...] = ()
    products: tuple[Product, ...] = ()
    owners: tuple[Ownership, ...] = ()
    contracts: tuple[Contract, ...] = ()
    consumers: tuple[Consumer, ...] = ()
    datasets: tuple[DatasetNote, ...] = ()
    same_as: tuple[SameAs, ...] = ()
    not_same_as: tuple[NotSameAs, ...] = ()
    catalogs: tuple[Catalog, ...] = ()
    schemas: tuple[SchemaFiles, ...] = ()
    sources: tuple[SourceEntry, ...] = ()


Entry: TypeAlias = Domain | Team | Person | Product | Ownership | Contract | Consumer | DatasetNote | SameAs | NotSameAs

# The lists of a mesh file whose entries are accepted or refused one by one.
ENTRIES: Mapping[str, type[Entry]] = {
    "domains": Domain,
    "teams": Team,
    "people": Person,
    "products": Product,
    "owners": Ownership,
    "contracts": Contract,
    "consumers": Consumer,
    "datasets": DatasetNote,
    "same_as": SameAs,
    "not_same_as": NotSameAs,
}


def build_json_schema() -> str:
    """The text of `mesh.schema.json`. Needs the extras of all sources."""
    schema = {key: value for key, value in MeshFile.model_json_schema().items() if key != "title"}
    entry = schema["$defs"].pop("SourceEntry")
    for kind in KINDS:
        schema["$defs"] |= _build_source_definitions(kind, entry["properties"]["every"])
    schema["properties"]["sources"]["items"] = {"oneOf": [{"$ref": f"#/$defs/{_name_definition(kind)}"} for kind in KINDS]}
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "meshline mesh file, version 1", **schema}
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _build_source_definitions(kind: str, every: dict[str, Any]) -> dict[str, Any]:
    """The definitions of one kind of source: its own, and what that refers to."""
    own = get_source_class(kind).model_json_schema(ref_template=f"#/$defs/{_name_definition(kind)}.{{model}}")
    inner = {f"{_name_definition(kind)}.{name}": value for name, value in own.pop("$defs", {}).items()}
    properties = {"kind": {"const": kind}, **own["properties"], "every": every}
    return {_name_definition(kind): {**own, "properties": properties, "required": ["kind", *own.get("required", ())]}, **inner}


def _name_definition(kind: str) -> str:
    return f"source.{kind}"
