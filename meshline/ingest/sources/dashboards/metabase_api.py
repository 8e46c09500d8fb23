"""GET requests to Metabase's API: sign-in, and what its answers contain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

import msgspec

from meshline.ingest.sources.dashboards.database_names import Database as Location
from meshline.ingest.sources.dashboards.database_names import parse_address
from meshline.ingest.sources.http_reader import HttpReader, Program, read_if_allowed
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api"
ENGINES = {"bigquery-cloud-sdk": "bigquery", "presto-jdbc": "presto", "starburst": "trino", "sparksql": "hive"}  # the others' are usual
MAX_PARENTS = 50  # of a nested field
PROGRAM = Program(
    "Metabase", "http://metabase:3000", "set the key api_key, or user and password, of an administrator or of a group that may read"
)


class User(msgspec.Struct):
    id: int = 0
    email: str | None = None
    common_name: str | None = None


class Collection(msgspec.Struct):
    """A folder. `location`: the ids of those above it, such as `/3/14/`. The root's id is a word."""

    id: int | str
    name: str | None = None
    location: str | None = None


class DatabaseDetails(msgspec.Struct, rename={"project_id": "project-id", "service_name": "service-name"}):
    """How Metabase connects to a database: which keys it has depends on the engine, and on whether the account is an administrator's."""

    host: str | None = None
    port: int | str | None = None
    dbname: str | None = None
    db: str | None = None
    catalog: str | None = None
    schema: str | None = None
    account: str | None = None
    region: str | None = None
    project_id: str | None = None
    service_name: str | None = None
    sid: str | None = None
    database_file: str | None = None


class Database(msgspec.Struct):
    id: int
    name: str = ""
    engine: str | None = None
    details: DatabaseDetails | None = None
    is_sample: bool = False


class Field(msgspec.Struct):
    id: int
    name: str = ""
    parent_id: int | None = None


class Table(msgspec.Struct):
    id: int
    name: str = ""
    schema: str | None = None
    fields: list[Field] = []


class DatabaseMetadata(msgspec.Struct):
    tables: list[Table] = []


class ResultColumn(msgspec.Struct):
    """A column of what a card shows. `id`: of the field that it copies."""

    name: str = ""
    id: object = None
    base_type: str | None = None
    description: str | None = None


class Card(msgspec.Struct):
    """A question, a model or a metric. `dataset`: whether it is a model, in old versions."""

    id: int | None = None
    name: str | None = None
    description: str | None = None
    type: str | None = None
    dataset: bool | None = None
    archived: bool | None = None
    collection_id: int | None = None
    dashboard_id: int | None = None
    creator_id: int | None = None
    creator: User | None = None
    database_id: int | None = None
    dataset_query: dict[str, object] | None = None
    result_metadata: list[ResultColumn] | None = None
    updated_at: str | None = None
    last_used_at: str | None = None
    view_count: int | None = None


class ParameterMapping(msgspec.Struct):
    """What a filter of a dashboard sets in a card. `target`: a clause of Metabase's query language."""

    card_id: int | None = None
    target: object = None


class DashboardCard(msgspec.Struct):
    card_id: int | None = None
    card: Card | None = None
    series: list[Card] | None = None
    parameter_mappings: list[ParameterMapping] | None = None


class DashboardLink(msgspec.Struct):
    id: int
    archived: bool | None = None
    creator: User | None = None


class Dashboard(msgspec.Struct):
    """A dashboard. Old versions call its cards `ordered_cards`."""

    id: int
    name: str | None = None
    description: str | None = None
    archived: bool | None = None
    collection_id: int | None = None
    creator_id: int | None = None
    dashcards: list[DashboardCard] | None = None
    ordered_cards: list[DashboardCard] | None = None
    updated_at: str | None = None
    last_viewed_at: str | None = None
    view_count: int | None = None


class Snippet(msgspec.Struct):
    """SQL that queries include by its name."""

    id: int
    name: str = ""
    content: str | None = None


class Segment(msgspec.Struct):
    """A filter with a name."""

    id: int
    definition: object = None


def is_model(card: Card) -> bool:
    return card.type == "model" or bool(card.dataset)


def list_dashcards(one: Dashboard) -> list[DashboardCard]:
    return one.dashcards or one.ordered_cards or []


def list_shown(one: Dashboard) -> Iterator[Card]:
    """The cards of a dashboard as it states them itself, which may not be in the list of cards."""
    for dashcard in list_dashcards(one):
        yield from (card for card in (dashcard.card, *(dashcard.series or ())) if card is not None)


def list_card_ids(one: Dashboard) -> list[int]:
    found = (id_ for card in list_dashcards(one) for id_ in (card.card_id, *(series.id for series in card.series or ())))
    return list(dict.fromkeys(id_ for id_ in found if id_ is not None))


def name_field(field: Field, fields: Mapping[int, Field]) -> str:
    """The name of a field, after those that it is nested in."""
    parts = [field.name]
    parent = fields.get(field.parent_id or 0)
    while parent is not None and len(parts) < MAX_PARENTS:
        parts.append(parent.name)
        parent = fields.get(parent.parent_id or 0)
    return ".".join(reversed(parts))


def locate_database(one: Database) -> Location:
    """Where the tables of a database are, by the details of its connection."""
    engine, details = (one.engine or "").lower(), one.details or DatabaseDetails()
    system = ENGINES.get(engine, engine)
    name = details.dbname or details.db or details.catalog or details.service_name or details.sid or ""
    if system in ("sqlite", "duckdb"):
        return parse_address(f"{system}:///{details.database_file or details.db or ''}", system)
    if system == "bigquery":
        return parse_address(f"bigquery://{details.project_id or ''}", system)
    if system == "snowflake":
        return parse_address(f"snowflake://{details.account or ''}/{name}/{details.schema or ''}", system)
    if system == "athena":
        return parse_address(
            f"awsathena://athena.{details.region}.amazonaws.com:443/{name or 'AwsDataCatalog'}" if details.region else "", system
        )
    port = f":{details.port}" if details.port else ""
    return parse_address(f"{system}://{details.host}{port}/{name}/{details.schema or ''}" if details.host else "", system)


class _Page(msgspec.Struct, Generic[T]):
    data: list[T]  # required: another answer is not an empty list


class _SignedIn(msgspec.Struct):
    id: str


class MetabaseClient:
    """A client of one Metabase. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader) -> None:
        self._reader = reader
        self.url = reader.url

    @classmethod
    @contextmanager
    def connect(cls, url: str, api_key: str, user: str, password: str, redact: Redaction) -> Iterator[MetabaseClient]:
        """A client with an API key, or one that has signed in. Raises InvalidInput, StoreUnavailable."""

        def authenticate(reader: HttpReader) -> dict[str, str]:
            return {"X-Metabase-Session": reader.send(_SignedIn, f"{PREFIX}/session", {"username": user, "password": password}).id}

        headers = {"x-api-key": api_key} if api_key else {}
        with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers=headers, sign_in=None if api_key else authenticate) as reader:
            yield cls(reader)

    def read_list(self, shape: type[T], address: str) -> list[T]:
        """All entries of a list, which some versions answer bare and others under `data`. Raises InvalidInput, StoreUnavailable."""
        answer: type[list[T] | _Page[T]] = list[shape] | _Page[shape]  # type: ignore[valid-type,assignment]
        found = self._reader.read(answer, f"{PREFIX}/{address}")
        return found if isinstance(found, list) else found.data

    def read_one(self, shape: type[T], address: str) -> T:
        """One resource. Raises InvalidInput, StoreUnavailable."""
        return self._reader.read(shape, f"{PREFIX}/{address}")

    def read_optional(self, shape: type[T], address: str) -> list[T] | None:
        """A list that only some accounts may read, or only some versions have; None if this one may not."""
        return read_if_allowed(lambda: self.read_list(shape, address))
