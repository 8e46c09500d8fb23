"""The table of facets that are interpreted, with their meaning, and the reader that parses facets by it.

`docs/openlineage-facets.md` is generated from the table. Facets that are not in it, or are marked as
kept, are kept verbatim with their run, job or dataset.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, Protocol

import msgspec

from meshline.graph.bounded_cache import BoundedCache
from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.event_limits import EventLimits, Excess, Extent, count_facet, find_excess
from meshline.ingest.openlineage.facet_schemas import SchemaCheck

MAX_REMEMBERED = 64 * 2**20  # bytes of cached facets
MAX_EXTENTS = 2 * 2**20  # bytes, about, of cached counts of facets of large events


class Place(enum.StrEnum):
    """The part of an event to which a facet belongs."""

    RUN = "run"
    JOB = "job"
    DATASET = "dataset"
    INPUT = "input"
    OUTPUT = "output"


class Text(Protocol):
    """A facet as the producer sent it. `raw`: its JSON text; `digest`: 16 bytes, of that text."""

    @property
    def digest(self) -> bytes: ...

    @property
    def raw(self) -> bytes: ...


class Weight(enum.IntEnum):
    """The priority of a facet over another of the same name in the same run; of equal ones the later wins."""

    UNREADABLE = 0
    EMPTY = 1
    GOOD = 2


class Facet(NamedTuple):
    """A facet of an event, as the producer sent it. `digest`: 16 bytes, of `raw`."""

    digest: bytes
    raw: bytes
    weight: Weight


class Rule(NamedTuple):
    """One facet of the specification. `schema`: its file in `spec/facets`; `type`: the type of its value, None if it is only kept."""

    place: Place
    name: str
    schema: str
    meaning: str
    type: type[facet_types.AnyFacet] | None = None


_RUN_RECORD = "kept verbatim with the run"
_ASSET = "kept verbatim as a fact of the {}"
_IN_RUN = "{}; kept verbatim with the run"

RULES = (
    Rule(
        Place.DATASET,
        "columnLineage",
        "ColumnLineageDatasetFacet",
        _IN_RUN.format("column to column and column to dataset FLOWS_TO, in the statement of the run, job or dataset event"),
        facet_types.ColumnLineage,
    ),
    Rule(
        Place.DATASET,
        "lineage",
        "LineageFacet",
        _IN_RUN.format("FLOWS_TO at every grain, before columnLineage and before inputs x outputs"),
        facet_types.DatasetLineage,
    ),
    Rule(
        Place.JOB,
        "lineage",
        "LineageFacet",
        _IN_RUN.format("FLOWS_TO of the datasets that it names, READS and WRITES of the jobs; job to job entries are only kept"),
        facet_types.JobLineage,
    ),
    Rule(
        Place.DATASET,
        "schema",
        "SchemaDatasetFacet",
        "columns (nested ones as dotted paths): HAS_COLUMN, type, description; an output's only if the run did not fail. A schema that may "
        "lack columns (of an input, of an update) adds them, and takes none away",
        facet_types.Schema,
    ),
    Rule(
        Place.DATASET,
        "symlinks",
        "SymlinksDatasetFacet",
        "identity: SAME_AS, but for names of Flink's sessions; also resolves names in a column lineage",
        facet_types.Symlinks,
    ),
    Rule(Place.DATASET, "catalog", "CatalogDatasetFacet", "attribute `catalog`", facet_types.Catalog),
    Rule(Place.DATASET, "hierarchy", "HierarchyDatasetFacet", "attribute `hierarchy`", facet_types.Hierarchy),
    Rule(
        Place.DATASET,
        "lifecycleStateChange",
        "LifecycleStateChangeDatasetFacet",
        "RENAME: RENAMED_TO from that time; DROP: the dataset ends; the other changes are kept verbatim",
        facet_types.LifecycleStateChange,
    ),
    Rule(Place.DATASET, "ownership", "OwnershipDatasetFacet", "OWNS the dataset", facet_types.Ownership),
    Rule(
        Place.DATASET, "tags", "TagsDatasetFacet", "attribute `tags` of the dataset, or of the column that `field` names", facet_types.Tags
    ),
    Rule(Place.DATASET, "documentation", "DocumentationDatasetFacet", "attribute `description`", facet_types.Documentation),
    Rule(Place.DATASET, "datasetType", "DatasetTypeDatasetFacet", "attributes `dataset_type`, `dataset_subtype`", facet_types.DatasetType),
    Rule(Place.DATASET, "storage", "StorageDatasetFacet", "attribute `storage`", facet_types.Storage),
    Rule(Place.DATASET, "dataSource", "DatasourceDatasetFacet", "attributes `data_source`, `location`", facet_types.DataSource),
    Rule(Place.DATASET, "version", "DatasetVersionDatasetFacet", _RUN_RECORD),
    Rule(Place.DATASET, "dataQualityMetrics", "DataQualityMetricsDatasetFacet", _ASSET.format("dataset")),
    Rule(Place.INPUT, "dataQualityMetrics", "DataQualityMetricsInputDatasetFacet", _RUN_RECORD),
    Rule(
        Place.INPUT,
        "dataQualityAssertions",
        "DataQualityAssertionsDatasetFacet",
        _IN_RUN.format("results of checks: attribute `quality` of the dataset or column, also of a run that failed"),
        facet_types.DataQualityAssertions,
    ),
    Rule(
        Place.DATASET,
        "dataQualityAssertions",
        "DataQualityAssertionsDatasetFacet",
        "the same, for producers that send it here; with the input facet, that one counts",
        facet_types.DataQualityAssertions,
    ),
    Rule(Place.INPUT, "inputStatistics", "InputStatisticsInputDatasetFacet", _RUN_RECORD),
    Rule(Place.INPUT, "subset", "BaseSubsetDatasetFacet", _RUN_RECORD),
    Rule(Place.OUTPUT, "subset", "BaseSubsetDatasetFacet", _RUN_RECORD),
    Rule(Place.OUTPUT, "outputStatistics", "OutputStatisticsOutputDatasetFacet", _RUN_RECORD),
    Rule(
        Place.JOB,
        "jobType",
        "JobTypeJobFacet",
        "attributes `job_type`, `processing_type`, `integration`; STREAMING and SERVICE take effect at every event",
        facet_types.JobType,
    ),
    Rule(Place.JOB, "ownership", "OwnershipJobFacet", "OWNS the job", facet_types.Ownership),
    Rule(Place.JOB, "tags", "TagsJobFacet", "attribute `tags`", facet_types.Tags),
    Rule(Place.JOB, "documentation", "DocumentationJobFacet", "attribute `description`", facet_types.Documentation),
    Rule(Place.JOB, "sql", "SQLJobFacet", "attribute `sql`", facet_types.Sql),
    Rule(Place.JOB, "sourceCodeLocation", "SourceCodeLocationJobFacet", "attribute `source_code_location`", facet_types.SourceCodeLocation),
    Rule(Place.JOB, "sourceCode", "SourceCodeJobFacet", _ASSET.format("job")),
    Rule(
        Place.RUN,
        "parent",
        "ParentRunFacet",
        _IN_RUN.format("PART_OF the parent job and its root; sibling runs know of each other's column lineage"),
        facet_types.Parent,
    ),
    Rule(Place.RUN, "jobDependencies", "JobDependenciesRunFacet", "control flow, never lineage: " + _RUN_RECORD),
    Rule(Place.RUN, "environmentVariables", "EnvironmentVariablesRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "errorMessage", "ErrorMessageRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "executionParameters", "ExecutionParametersRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "externalQuery", "ExternalQueryRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "extractionError", "ExtractionErrorRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "nominalTime", "NominalTimeRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "processing_engine", "ProcessingEngineRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "tags", "TagsRunFacet", _RUN_RECORD),
    Rule(Place.RUN, "test", "TestRunFacet", _RUN_RECORD),
)

# Facets of single producers, which the specification does not have.
OWN_RULES = (
    Rule(
        Place.JOB,
        "dbt_node",
        "DbtNodeJobFacet of openlineage-dbt",
        "attribute `dbt_id`: the node that the job builds, of which a dbt project may know the columns",
        facet_types.DbtNode,
    ),
)

# Semantics: these belong to the statement or record of one run, not to the dataset or job across runs.
RUN_OWNED_DATASET = frozenset({"columnLineage", "lineage", "version", "dataQualityAssertions"})
RUN_OWNED_JOB = frozenset({"lineage"})

# Facets whose columns and flows are limited instead of their bytes.
COUNTED = frozenset({"schema", "columnLineage", "lineage"})

# Facets that state nothing if they list nothing: inside a run, empty never means "none".
_LISTS = frozenset({"schema", "columnLineage"})


class Reading(NamedTuple):
    """A parsed facet. `value`: None if it cannot be parsed. `problem`: what is wrong and what that leads to; empty if nothing is.

    `excess`: why any event with it is refused; None if it is not.
    """

    value: facet_types.AnyFacet | None
    weight: Weight
    problem: str = ""
    excess: Excess | None = None


class FacetReader:
    """Parses facets by the table, and caches the results: producers send the same facets every day. Thread-safe."""

    def __init__(self, limits: EventLimits | None = None) -> None:
        self.limits = limits or EventLimits()
        self._decoders: dict[tuple[Place, str], msgspec.json.Decoder[facet_types.AnyFacet]] = {
            (rule.place, rule.name): msgspec.json.Decoder(rule.type) for rule in (*RULES, *OWN_RULES) if rule.type is not None
        }
        self._any = msgspec.json.Decoder(facet_types.AnyFacet)
        self._schemas = SchemaCheck()
        self._read: BoundedCache[tuple[Place, str, bytes], Reading] = BoundedCache(MAX_REMEMBERED)
        self._extents: BoundedCache[tuple[Place, str, bytes], Extent] = BoundedCache(MAX_EXTENTS)

    def read(self, place: Place, name: str, facet: Text) -> Reading:
        """A parsed facet, with its problems. Never raises for its content."""
        return self.read_raw(place, name, facet.digest, facet.raw)

    def read_raw(self, place: Place, name: str, digest: bytes, raw: bytes) -> Reading:
        """The same as `read`, for a facet that is not a value yet."""
        key = (place, name, digest)
        reading = self._read.get(key)
        if reading is None:
            reading = self._read.keep(key, self._decode_facet(place, name, raw), len(raw) + 500)
        return reading

    def count_facet(self, place: Place, name: str, digest: bytes, raw: bytes) -> Extent:
        """The columns and flows of a facet."""
        key = (place, name, digest)
        extent = self._extents.get(key)
        if extent is None:
            extent = self._extents.keep(key, count_facet(self.read_raw(place, name, digest, raw).value), 200)
        return extent

    def _decode_facet(self, place: Place, name: str, raw: bytes) -> Reading:
        accepted, refused = self._schemas.decode(place, name, raw)
        if isinstance(accepted, facet_types.AnyFacet) and not (isinstance(accepted, facet_types.ColumnLineage) and _has_descriptions(raw)):
            value = accepted
        else:
            try:
                value = self._decoders.get((place, name), self._any).decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                return Reading(None, Weight.UNREADABLE, f"{error}; kept verbatim, not interpreted")
        excess = find_excess(value, raw, self.limits)
        if value.deleted is True:  # a deleted facet needs no other fields
            return Reading(value, Weight.GOOD, excess=excess)
        problem = f"{refused}; refused by the schema of the facet: kept verbatim, interpreted as far as possible" if refused else ""
        empty = name in _LISTS and not _has_entries(value)
        return Reading(value, Weight.EMPTY if empty else Weight.GOOD, problem, excess)


def _has_descriptions(raw: bytes) -> bool:
    """Whether transformations may have texts of their own: they are read without them, since equal ones are converted once."""
    return raw.count(b'"description"') != raw.count(b'"description":""')


def _has_entries(facet: facet_types.AnyFacet) -> bool:
    if isinstance(facet, facet_types.Schema):
        return bool(facet.fields)
    return not isinstance(facet, facet_types.ColumnLineage) or bool(facet.fields or facet.dataset)


def build_facets_page() -> str:
    """The text of `docs/openlineage-facets.md`."""
    lines = [
        "# OpenLineage facets",
        "",
        "What meshline does with each facet of the OpenLineage specification, and with the facets of single producers that it",
        "interprets. `scripts/make-docs` generates this page from `meshline/ingest/openlineage/facets.py`. Every facet, listed or not, is",
        "kept verbatim with its run, job or dataset, as `facet:<name>`, and can be read back.",
        "",
        "| of | facet | schema | use |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {rule.place} | `{rule.name}` | {rule.schema} | {rule.meaning} |"
        for rule in sorted((*RULES, *OWN_RULES), key=lambda rule: (rule.place, rule.name))
    ]
    lines += [
        "",
        "A facet with `_deleted: true` retracts what the facet stated of its job or dataset. A facet that cannot be parsed is",
        "kept verbatim, and a warning in the answer names it; the rest of its event is ingested. A facet that its own schema",
        "refuses (a missing key, a wrong type, an unknown word) is treated alike, and interpreted as far as possible.",
        "",
    ]
    return "\n".join(lines)
