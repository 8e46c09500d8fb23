"""The vocabulary of the graph: assets, edges, facts, statements, and how statements of one scope fold.

Everything here is frozen and does no I/O. The graph is a pure function of the set of statements:
`build_intervals` is the whole of that function for one scope, and both stores and the tests' oracle use it.
"""

from __future__ import annotations

import enum
import hashlib
import time as clock
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias, Union

import msgspec

Json: TypeAlias = Union[str, int, float, bool, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive, and Python 3.11


class AssetKind(enum.StrEnum):
    """Kinds of assets. The order is the wire code of `meshline.graph.content`: append only."""

    DOMAIN = "DOMAIN"
    DATA_PRODUCT = "DATA_PRODUCT"
    DATASET = "DATASET"
    COLUMN = "COLUMN"
    JOB = "JOB"
    CONSUMER = "CONSUMER"
    OWNER = "OWNER"
    CONTRACT = "CONTRACT"


class EdgeType(enum.StrEnum):
    """Typed, directed relations. The order is the wire code of `meshline.graph.content`: append only."""

    HAS_COLUMN = "HAS_COLUMN"  # Dataset -> Column: position
    READS = "READS"  # Job -> Dataset
    WRITES = "WRITES"  # Job -> Dataset
    FLOWS_TO = "FLOWS_TO"  # Column -> Column, Column -> Dataset, Dataset -> Dataset: see Flow
    PART_OF = "PART_OF"  # Job -> parent Job; DataProduct -> Domain; Domain -> parent Domain
    PORT = "PORT"  # DataProduct -> Dataset: direction, type, endpoint, format
    OWNS = "OWNS"  # Owner -> any asset: type
    CONSUMES = "CONSUMES"  # Consumer -> Column, Dataset or DataProduct: contract, purpose
    GOVERNS = "GOVERNS"  # Contract -> Dataset: version, status
    SAME_AS = "SAME_AS"  # Dataset -> Dataset: why
    RENAMED_TO = "RENAMED_TO"  # old Dataset -> new Dataset, old Column -> new Column of one Dataset: from the time of the statement
    DIFFERENT_FROM = "DIFFERENT_FROM"  # Dataset -> Dataset: why; wins over every SAME_AS that would join the two
    MAY_READ = "MAY_READ"  # Owner (a team, person, or role of a system) -> Dataset or Column: grant, masking, row_filter


KINDS = tuple(AssetKind)
EDGE_TYPES = tuple(EdgeType)

ID_PREFIX = {
    AssetKind.DOMAIN: "dom",
    AssetKind.DATA_PRODUCT: "dp",
    AssetKind.DATASET: "ds",
    AssetKind.COLUMN: "col",
    AssetKind.JOB: "job",
    AssetKind.CONSUMER: "con",
    AssetKind.OWNER: "own",
    AssetKind.CONTRACT: "ctr",
}


class AssetKey(NamedTuple):
    """The natural key of an asset.

    Parts by kind: Dataset and Job (namespace, name); Column (namespace, dataset name, column name);
    all others (name,). Dataset parts are normalised (`meshline.graph.naming`).
    """

    kind: AssetKind
    parts: tuple[str, ...]

    @property
    def id(self) -> str:
        """Opaque and stable: the kind and a 128-bit hash of the key."""
        return compute_asset_id(self.kind, self.parts)

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def qualified_name(self) -> str:
        """`namespace/name`, `namespace/dataset.column`, or the name."""
        if self.kind is AssetKind.COLUMN:
            return f"{self.parts[0]}/{self.parts[1]}.{self.parts[2]}"
        return "/".join(self.parts)


def compute_asset_id(kind: AssetKind, parts: Sequence[str]) -> str:
    """The id of the asset of this kind and key: a prefix for the kind and BLAKE2b (128 bits) of the key as JSON."""
    return f"{ID_PREFIX[kind]}_{hashlib.blake2b(msgspec.json.encode([kind, *parts]), digest_size=16).hexdigest()}"


def build_domain_key(name: str) -> AssetKey:
    return AssetKey(AssetKind.DOMAIN, (name,))


def build_data_product_key(name: str) -> AssetKey:
    return AssetKey(AssetKind.DATA_PRODUCT, (name,))


def build_dataset_key(namespace: str, name: str) -> AssetKey:
    return AssetKey(AssetKind.DATASET, (namespace, name))


def build_column_key(dataset: AssetKey, name: str) -> AssetKey:
    return AssetKey(AssetKind.COLUMN, (*dataset.parts, name))


def build_job_key(namespace: str, name: str) -> AssetKey:
    return AssetKey(AssetKind.JOB, (namespace, name))


def build_consumer_key(name: str) -> AssetKey:
    return AssetKey(AssetKind.CONSUMER, (name,))


def build_owner_key(name: str) -> AssetKey:
    return AssetKey(AssetKind.OWNER, (name,))


def build_contract_key(identifier: str) -> AssetKey:
    return AssetKey(AssetKind.CONTRACT, (identifier,))


class AssetFact(NamedTuple):
    """The attributes of an asset as one source states them. Attribute names are lower snake case."""

    key: AssetKey
    attributes: Mapping[str, Json]


def drop_empty_attributes(**attributes: Json) -> dict[str, Json]:
    """The attributes that have a value: not None, and not an empty text, list or mapping."""
    return {name: value for name, value in attributes.items() if value is not None and value not in ("", [], {})}


class EdgeFact(NamedTuple):
    """One edge other than FLOWS_TO, as one source states it."""

    type: EdgeType
    start: AssetKey
    end: AssetKey
    attributes: Mapping[str, Json] = {}


class FlowType(enum.StrEnum):
    """OpenLineage's transformation types (spec facet ColumnLineageDatasetFacet 1-2-0)."""

    DIRECT = "DIRECT"
    INDIRECT = "INDIRECT"


class Flow(NamedTuple):
    """One FLOWS_TO edge: Column -> Column, Column -> Dataset (always INDIRECT) or Dataset -> Dataset.

    For Dataset -> Dataset, `covered` means that column lineage is known for the pair (so traversals do
    not follow the pair at dataset level), and `type` and `masking` have no meaning.
    """

    start: AssetKey
    end: AssetKey
    type: FlowType = FlowType.DIRECT
    subtype: str = ""
    masking: bool = False
    covered: bool = False
    job: AssetKey | None = None


class Facts(NamedTuple):
    """Everything that one statement states. Order has no meaning; encoding removes duplicates."""

    assets: tuple[AssetFact, ...] = ()
    edges: tuple[EdgeFact, ...] = ()
    flows: tuple[Flow, ...] = ()


class Content(NamedTuple):
    """Encoded facts, addressed by their BLAKE2b digest (16 bytes). Built by `meshline.graph.content.encode_facts`."""

    digest: bytes
    blob: bytes


Scope: TypeAlias = tuple[str, ...]  # the first part is the kind of scope, e.g. ("dataset", ns, name, "schema")

# The kinds of scopes that decide whether an answer is complete: ("job", ns, name, ...).
JOB_OUTPUT = "job-output"  # (JOB_OUTPUT, job ns, job name, dataset ns, dataset name), and the index of a mapped task
# The last part of a job-output scope whose job is one query: the job's name is never used again, so no later run replaces the statement.
# The statement ends when the dataset is replaced as a whole: (CONTENT_REPLACED, dataset ns, dataset name).
QUERY, CONTENT_REPLACED = "query", "dataset-replaced"
# The flows into a node of a dbt project: (DBT, unique id, DBT_LINEAGE). The attribute DBT_ID of a job is the node that the job builds.
DBT, DBT_LINEAGE, DBT_ID = "dbt", "lineage", "dbt_id"
# Producers (attribute `integration` of their jobs) whose column lineage comes from openlineage-sql, which states neither filters nor joins.
SILENT_ON_FILTERS = ("AIRFLOW", "DBT")
# Scopes that list the columns of a dataset: all of them, or some (another list of some columns removes none).
DATASET_SCOPE, WHOLE_SCHEMA, PARTIAL_SCHEMA = (
    "dataset",
    "schema",
    "schema-part",
)  # (DATASET_SCOPE, ns, name, WHOLE_SCHEMA), (..., PARTIAL_SCHEMA, digest)


class Statement(NamedTuple):
    """What one source states about one scope as of one time.

    `observed_at` and `until` are microseconds since the epoch, UTC. `version` is the owner of the
    statement within its source (a run); all statements of one (source, scope, version) can be
    withdrawn together. A provisional statement is active only while its scope has no other statement
    at that time, and only before `until`. Content without facts is a tombstone.
    """

    source: str
    scope: Scope
    observed_at: int
    content: Content
    version: str = ""
    provisional: bool = False
    until: int | None = None


class Observation(NamedTuple):
    """A statement without its source, scope and content: the part that decides which statement is active. Times as in `Statement`."""

    observed_at: int
    digest: bytes
    version: str = ""
    provisional: bool = False
    until: int | None = None


class Interval(NamedTuple):
    """An interval `[valid_from, valid_to)` in which a scope has the same content. Times are microseconds; valid_to None = still open.

    `last_observed`: the newest time in the interval at which the content was observed. `observation`: the active one, at the end.
    """

    valid_from: int
    valid_to: int | None
    last_observed: int
    observation: Observation


def _rank_observation(o: Observation) -> tuple[int, bytes, str, int]:
    """Sort key of observations: the greatest is the active one. The order is total, so the order of arrival has no effect."""
    return (o.observed_at, o.digest, o.version, 0 if o.until is None else -o.until)


def build_intervals(observations: Iterable[Observation]) -> list[Interval]:
    """The history of one scope, oldest first, in O(n log n). Neighbouring intervals differ in content or in `provisional`.

    The active observation of a time is the newest one up to that time that is not provisional, else the newest
    provisional one that has not ended; of two with the same time, the greater digest, then the greater version.
    So late observations split intervals: A at 1, 2, 4 and B at 3 gives A, B, A.
    """
    result: list[Interval] = []
    for at, now in _iterate_active(sorted(observations, key=_rank_observation)):
        last = result[-1] if result else None
        if last is not None and last.valid_to is None:
            before = last.observation
            if now is not None and (now.digest, now.provisional) == (before.digest, before.provisional):
                result[-1] = last._replace(last_observed=max(last.last_observed, now.observed_at), observation=now)
                continue
            result[-1] = last._replace(valid_to=at)
        if now is not None:
            result.append(Interval(at, None, now.observed_at, now))
    return result


def _iterate_active(ordered: Sequence[Observation]) -> Iterator[tuple[int, Observation | None]]:
    """(time, the observation that is active from then on), for every time at which that may change, oldest first."""
    ends = {o.until for o in ordered if o.provisional and o.until is not None}
    settled: Observation | None = None
    provisional: list[Observation] = []  # those not known to have ended, newest last
    position = 0
    for at in sorted({o.observed_at for o in ordered} | ends):
        while position < len(ordered) and ordered[position].observed_at <= at:
            if ordered[position].provisional:
                provisional.append(ordered[position])
            else:
                settled = ordered[position]
            position += 1
        if settled is not None:
            yield at, settled
            continue
        # An observation that has ended is never active again, so it is dropped for good.
        while provisional and (until := provisional[-1].until) is not None and until <= at:
            provisional.pop()
        yield at, provisional[-1] if provisional else None


def list_known_observations(observations: Iterable[Observation], at: int) -> list[Observation]:
    """The observations that were known at a time: without later ones, and without ends that were still to come."""
    return [o._replace(until=None) if o.until is not None and o.until > at else o for o in observations if o.observed_at <= at]


def find_open_interval(observations: Iterable[Observation]) -> Interval | None:
    """The interval that is still open; None if the scope is empty."""
    history = build_intervals(observations)
    return history[-1] if history and history[-1].valid_to is None else None


def build_run_version(run: str, family: str) -> str:
    """The version of the statements of a run. `family`: the common name of the runs that count as one run, or empty; contains no `@`."""
    return f"{run}#{family}" if family else run


def parse_run(version: str) -> str:
    """The run in a version (`build_run_version`)."""
    run, _, family = version.rpartition("#")
    return version if "@" in family else run or version


def parse_run_id(version: str) -> str:
    """The id of the run that owns a version's statements; empty if the version is of no run."""
    return parse_run(version).rpartition("@")[0]


def parse_family(version: str) -> str:
    """The common name of all runs that count as one with this version's run; the version itself if there are no others."""
    _, _, family = version.rpartition("#")
    return version if "@" in family else family


def is_partial_schema(scope: Scope) -> bool:
    """True if the scope lists only some columns of a dataset: other columns may exist as well."""
    return len(scope) == 5 and scope[0] == DATASET_SCOPE and scope[3] == PARTIAL_SCHEMA


def parse_source_kind(source: str) -> str:
    """`openlineage` of `openlineage/prod`."""
    return source.partition("/")[0]


# Kinds of sources that own the tables they describe, strongest first: their newest list decides which columns exist.
CATALOGS = ("iceberg", "delta", "hive", "glue", "unity", "gravitino", "registry", "postgres", "duckdb", "snowflake", "bigquery", "redshift")
CATALOG_KINDS = frozenset(CATALOGS)
# Kinds of sources in which people describe what other systems have: what people state there is stronger than what systems state, and what
# was collected there of tables is weaker, for it is a copy.
METADATA_CATALOGS = ("datahub", "openmetadata")


class Precedence(msgspec.Struct, frozen=True):
    """Which source wins where several state the same attribute: source kinds by group of attributes, strongest first.

    A kind that is not listed is weaker than all listed ones. Of equally strong sources the newer statement wins, then
    the greater source name.
    """

    structure: tuple[str, ...] = ("person", *CATALOGS, "dbt", "openlineage", "marquez", *METADATA_CATALOGS, "sql", "mesh")
    people: tuple[str, ...] = ("person", "mesh", "contract", "product", *METADATA_CATALOGS, *CATALOGS, "dbt", "openlineage", "marquez")

    def rank(self, source: str, attribute: str) -> int:
        """The rank of a source for an attribute, from 0 for the strongest."""
        order = self.people if attribute in PEOPLE_ATTRIBUTES else self.structure
        kind = parse_source_kind(source)
        return order.index(kind) if kind in order else len(order)


# Attributes that people state, for which people precede systems; all other attributes are structure.
PEOPLE_ATTRIBUTES = frozenset({"owners", "description", "domain", "product", "consumer", "tags", "title", "purpose", "contact", "same_as"})

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def to_micros(time: datetime) -> int:
    """Microseconds since the epoch; a time without a zone is UTC."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`; a time outside of the years 1 to 9999 becomes the first or last time in them."""
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return FIRST if micros < 0 else LAST


def get_current_micros() -> int:
    """The current time in microseconds since the epoch."""
    return clock.time_ns() // 1000
