"""What a lineage facet says of one output: flows, with names as they came.

Two facets say it: `columnLineage` (ColumnLineageDatasetFacet 1-2-0) and the newer `lineage`
(LineageFacet 1-0-0: on a dataset, or per target in the entries of a job). Both become `Described`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from meshline.graph.model import FlowType
from meshline.ingest.openlineage.facet_types import (
    ColumnLineage,
    DatasetLineage,
    InputField,
    LineageEntry,
    LineageField,
    LineageInput,
    Transformation,
)

# Never columns, whatever a schema lists: what Iceberg, Spark and Trino know of rows and files.
NEVER_COLUMNS = frozenset({"_file", "_pos", "_metadata", "$row_id", "$path", "$file_size", "$file_modified_time", "$partition", "$bucket"})
_MARKS = ("_", "$")  # how those begin, and the ones below
# Not columns, unless a schema in the run declares them (Iceberg's other metadata columns).
SELDOM_COLUMNS = frozenset({"_spec_id", "_partition", "_deleted", "_row_id", "_last_updated_sequence_number"})

# About rows, not about the one column under which they are repeated: stored once, as Column -> Dataset.
HOISTED = frozenset({"JOIN", "FILTER", "GROUP_BY", "SORT"})
_SUBTYPES = frozenset({"IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "WINDOW"}) | HOISTED

Name = tuple[str, str]  # namespace and name of a dataset, as they came


class Kind(NamedTuple):
    """How a column flows."""

    type: FlowType
    subtype: str
    masking: bool


# By the input's dataset and the kind: (its column, the output's column, or None for the output as a whole).
Flows: TypeAlias = Mapping[tuple[Name, Kind], Sequence[tuple[str, str | None]]]


class Described(NamedTuple):
    """The lineage of one output.

    `flows`: what flows into it, from columns. `datasets`: the inputs at the grain of datasets; None means
    that the facet leaves them to the run's inputs. `partial`: inputs that feed some column, nobody knows
    from which. `writers`: jobs, other than the event's own, that the facet says produce the output.
    `sources`: the datasets in `flows`; `names`: every dataset that is named, sorted. `contradicted`: the output's own
    schema lacks columns that the lineage names, so what is left of it covers no pair of datasets.
    """

    flows: Flows
    datasets: tuple[Name, ...] | None = None
    partial: tuple[Name, ...] = ()
    writers: tuple[Name, ...] = ()
    sources: frozenset[Name] = frozenset()
    names: tuple[Name, ...] = ()
    contradicted: bool = False


NOTHING = Described({})


def describe(
    flows: Flows,
    datasets: Iterable[Name] | None = None,
    partial: Iterable[Name] = (),
    writers: Iterable[Name] = (),
) -> Described:
    entities = None if datasets is None else tuple(sorted(set(datasets)))
    partial = tuple(sorted(set(partial)))
    sources = frozenset([dataset for dataset, _ in flows])
    return Described(flows, entities, partial, tuple(sorted(set(writers))), sources, tuple(sorted({*sources, *(entities or ()), *partial})))


def lists_column(listed: frozenset[str], name: str) -> bool:
    """Whether a schema has a column, or one that it is nested in. `listed`: the columns of the schema, casefolded."""
    folded = name.casefold()
    if folded in listed:
        return True
    return "." in folded and any(folded[:at] in listed for at, character in enumerate(folded) if character == ".")


def within(lineage: Described, listed: frozenset[str]) -> Described:
    """The part of a lineage that is about columns which the output has. `listed`: those, casefolded."""
    targets = {target for pairs in lineage.flows.values() for _, target in pairs if target is not None}
    foreign = {target for target in targets if not lists_column(listed, target)}
    if not foreign:
        return lineage
    flows = {group: kept for group, pairs in lineage.flows.items() if (kept := tuple([pair for pair in pairs if pair[1] not in foreign]))}
    return lineage._replace(flows=flows, contradicted=True)


def together(parts: Sequence[Described]) -> Described:
    """What several explicit descriptions of one output say."""
    if len(parts) == 1:
        return parts[0]
    flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = {}
    for part in parts:
        for group, pairs in part.flows.items():
            flows.setdefault(group, []).extend(pairs)
    return describe(
        flows,
        (name for part in parts for name in part.datasets or ()),
        (name for part in parts for name in part.partial),
        (name for part in parts for name in part.writers),
    )


def is_column(name: str, declared: frozenset[str]) -> bool:
    """Whether a name is that of a real column. `declared`: the seldom ones that some schema in the run lists."""
    if not name:
        return False
    if name[0] not in _MARKS:
        return True
    folded = name.casefold()
    if folded in NEVER_COLUMNS or folded.startswith("_metadata."):
        return False
    return folded not in SELDOM_COLUMNS or folded in declared


def of_column_lineage(facet: ColumnLineage, declared: frozenset[str]) -> Described | None:
    """What a columnLineage facet says; None if it lists nothing. Fields without inputs are listed: they come from nowhere."""
    if not facet.fields and not facet.dataset:
        return None
    gathered = _Gathered(declared)
    for name, field in (facet.fields or {}).items():
        if field is not None:
            gathered.field(name, field.input_fields or (), field.transformation_type)
    gathered.whole(facet.dataset or ())
    return describe(gathered.flows())


def of_dataset_lineage(facet: DatasetLineage | LineageEntry, own_job: Name | None, declared: frozenset[str]) -> Described | None:
    """What a `lineage` facet or entry says of its target; None if it gives neither inputs nor fields.

    Given, it is the whole of what flows into the target: inputs x outputs are not looked at (spec: a
    consumer must not infer the cartesian product; an empty array of inputs means no tracked source).
    """
    if facet.inputs is None and facet.fields is None:
        return None
    inputs = facet.inputs or ()
    gathered = _Gathered(declared)
    for name, field in (facet.fields or {}).items():
        if field is not None:
            gathered.field(name, [source for source in _datasets(field.inputs) if source.field])
    gathered.whole([source for source in _datasets(inputs) if source.field])
    return describe(
        gathered.flows(),
        datasets=_names(source for source in _datasets(inputs) if not source.field),
        partial=_names(source for field in _fields(facet.fields) for source in _datasets(field.inputs) if not source.field),
        writers={job for source in inputs if (job := job_name(source)) and job != own_job},
    )


def job_name(source: LineageInput | LineageEntry) -> Name | None:
    """The job that a JOB source or target names; None if it is the event's own, or no job."""
    if (source.type or "").upper() != "JOB" or not source.namespace or not source.name:
        return None
    return source.namespace, source.name


def _fields(fields: Mapping[str, LineageField | None] | None) -> list[LineageField]:
    return [field for field in (fields or {}).values() if field is not None]


def _datasets(inputs: Iterable[LineageInput] | None) -> list[LineageInput]:
    """The sources that are datasets; one without a type is."""
    return [
        source
        for source in inputs or ()
        if (source.type or "DATASET").upper() == "DATASET" and source.namespace is not None and source.name
    ]


def _names(sources: Iterable[LineageInput]) -> set[Name]:
    return {(source.namespace or "", source.name or "") for source in sources}


class _Gathered:
    """Flows without pseudo-columns, and with what is repeated under every listed field said once."""

    def __init__(self, declared: frozenset[str]) -> None:
        self._declared = declared
        self._flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = defaultdict(list)
        self._listed: set[str] = set()
        # Of the kinds in HOISTED: under which fields a column is, and whether masked there by every mention.
        self._repeated: dict[tuple[Name, str, str], dict[str, bool]] = {}

    def field(self, name: str, sources: Iterable[InputField | LineageInput], deprecated: Any = None) -> None:
        """What flows into a column of the output. `deprecated`: the type of transformation that old producers give the field."""
        declared, flows = self._declared, self._flows
        if not is_column(name, declared):
            return
        self._listed.add(name)
        for source in sources:
            column = source.field
            if column and source.name and (column[0] not in _MARKS or is_column(column, declared)):
                dataset = (source.namespace or "", source.name)
                for kind in _kinds(source.transformations, deprecated):
                    flows[dataset, kind].append((column, name))
                    if kind.subtype in HOISTED and kind.type is FlowType.INDIRECT:
                        here = self._repeated.setdefault((dataset, kind.subtype, column), {})
                        here[name] = here.get(name, True) and kind.masking

    def whole(self, sources: Iterable[InputField | LineageInput]) -> None:
        """What flows into the output as a whole: indirectly, whatever type the entry says (Spark sends ORDER BY as DIRECT)."""
        for source in sources:
            column = source.field or ""
            if source.name and is_column(column, self._declared):
                for kind in _kinds(source.transformations, None):
                    group = (source.namespace or "", source.name), kind._replace(type=FlowType.INDIRECT)
                    self._flows[group].append((column, None))

    def flows(self) -> Flows:
        """All; hoisted are those that are under every field, masked only if they are under every field."""
        hoisted: dict[tuple[Name, str], set[str]] = defaultdict(set)
        for (dataset, subtype, column), fields in self._repeated.items():
            if len(fields) == len(self._listed):
                hoisted[dataset, subtype].add(column)
                self._flows[dataset, Kind(FlowType.INDIRECT, subtype, all(fields.values()))].append((column, None))
        for group in self._flows if hoisted else ():
            dataset, kind = group
            columns = hoisted.get((dataset, kind.subtype))
            if columns and kind.type is FlowType.INDIRECT:
                self._flows[group] = [pair for pair in self._flows[group] if pair[1] is None or pair[0] not in columns]
        return {group: tuple(pairs) for group, pairs in self._flows.items() if pairs}


def _kinds(transformations: tuple[Transformation | None, ...] | None, deprecated: Any) -> Sequence[Kind]:
    """One for each transformation; none given means DIRECT, by the deprecated type if there is one.

    There are few: remembered, unless a producer sends what is no plain value.
    """
    try:
        return _known_kinds(transformations, deprecated)
    except TypeError:
        return _read_kinds(transformations, deprecated)


def _read_kinds(transformations: tuple[Transformation | None, ...] | None, deprecated: Any) -> Sequence[Kind]:
    given = transformations or ()
    kinds = tuple([Kind(_type(each.type), _subtype(each.subtype), _truth(each.masking)) for each in given if each is not None])
    return kinds or (_deprecated(deprecated),)


_known_kinds = lru_cache(maxsize=1_024)(_read_kinds)


def _deprecated(given: Any) -> Kind:
    kind = _subtype(given)
    masked = kind.upper() == "MASKED"
    return Kind(FlowType.DIRECT, "" if masked else kind, masked)


def _type(value: Any) -> FlowType:
    return FlowType.INDIRECT if isinstance(value, str) and value.strip().upper() == "INDIRECT" else FlowType.DIRECT


def _subtype(value: Any) -> str:
    """Those of the specification in its spelling, others as they came."""
    if not isinstance(value, str):
        return ""
    upper = value.strip().upper()
    return upper if upper in _SUBTYPES else value.strip()


def _truth(value: Any) -> bool:
    """The number 1 is true as well: values that are equal must read alike, for they are remembered by what they equal."""
    return value == 1 or (isinstance(value, str) and value.strip().lower() == "true")
