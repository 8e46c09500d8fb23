"""What a lineage facet says of one output: flows, with names as they came.

Two facets say it: `columnLineage` (ColumnLineageDatasetFacet 1-2-0) and the newer `lineage`
(LineageFacet 1-0-0: on a dataset, or per target in the entries of a job). Both become `Described`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from meshline.graph.model import FlowType
from meshline.ingest.openlineage.typed import (
    ColumnLineage,
    DatasetLineage,
    InputField,
    LineageEntry,
    LineageField,
    LineageInput,
    OutputField,
    Transformation,
)

# Never columns, whatever a schema lists (Iceberg and Spark metadata of rows and files).
NEVER_COLUMNS = frozenset({"_file", "_pos", "_metadata"})
# Not columns, unless a schema in the run declares them (Iceberg's other metadata columns).
SELDOM_COLUMNS = frozenset({"_spec_id", "_partition", "_deleted", "_row_id", "_last_updated_sequence_number"})

# About rows, not about the one column under which they are repeated: stored once, as Column -> Dataset.
HOISTED = frozenset({"JOIN", "FILTER", "GROUP_BY", "SORT"})
_SUBTYPES = frozenset({"IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "WINDOW"}) | HOISTED

Name = tuple[str, str]  # namespace and name of a dataset, as they came


class Flowing(NamedTuple):
    """A column that flows, and how."""

    dataset: Name
    column: str
    type: FlowType
    subtype: str
    masking: bool


class Described(NamedTuple):
    """The lineage of one output.

    `columns`: output column and what flows into it. `whole`: what flows into the dataset as a whole.
    `datasets`: the inputs at the grain of datasets; None means that the facet leaves them to the run's
    inputs. `partial`: inputs that feed some column, nobody knows from which. `writers`: jobs, other than
    the event's own, that the facet says produce the output. `names`: every dataset that is named, sorted.
    """

    columns: tuple[tuple[str, Flowing], ...]
    whole: tuple[Flowing, ...]
    datasets: tuple[Name, ...] | None = None
    partial: tuple[Name, ...] = ()
    writers: tuple[Name, ...] = ()
    names: tuple[Name, ...] = ()


def described(
    columns: Iterable[tuple[str, Flowing]],
    whole: Iterable[Flowing],
    datasets: Iterable[Name] | None = None,
    partial: Iterable[Name] = (),
    writers: Iterable[Name] = (),
) -> Described:
    """In canonical order."""
    parts = tuple(sorted(set(columns))), tuple(sorted(set(whole)))
    entities = None if datasets is None else tuple(sorted(set(datasets)))
    partial = tuple(sorted(set(partial)))
    names = {flow.dataset for _, flow in parts[0]} | {flow.dataset for flow in parts[1]} | {*(entities or ()), *partial}
    return Described(*parts, entities, partial, tuple(sorted(set(writers))), tuple(sorted(names)))


def together(parts: Sequence[Described]) -> Described:
    """What several explicit descriptions of one output say."""
    if len(parts) == 1:
        return parts[0]
    return described(
        (flow for part in parts for flow in part.columns),
        (flow for part in parts for flow in part.whole),
        (name for part in parts for name in part.datasets or ()),
        (name for part in parts for name in part.partial),
        (name for part in parts for name in part.writers),
    )


def is_column(name: str, declared: frozenset[str]) -> bool:
    """Whether a name is that of a real column. `declared`: the seldom ones that some schema in the run lists."""
    if not name:
        return False
    if name[0] != "_":
        return True
    folded = name.casefold()
    if folded in NEVER_COLUMNS or folded.startswith("_metadata."):
        return False
    return folded not in SELDOM_COLUMNS or folded in declared


def of_column_lineage(facet: ColumnLineage, declared: frozenset[str]) -> Described | None:
    """What a columnLineage facet says; None if it lists nothing. Fields without inputs are listed: they come from nowhere."""
    if not facet.fields and not facet.dataset:
        return None
    fields = {
        name: [flow for source in (field.input_fields or ()) for flow in _input_flows(source, field)]
        for name, field in (facet.fields or {}).items()
        if field is not None
    }
    whole = [
        flow
        for source in facet.dataset or ()
        for flow in _whole(_flows((source.namespace, source.name), source.field, source.transformations))
    ]
    return described(*_described(fields, whole, declared))


def of_dataset_lineage(facet: DatasetLineage | LineageEntry, own_job: Name | None, declared: frozenset[str]) -> Described | None:
    """What a `lineage` facet or entry says of its target; None if it gives neither inputs nor fields.

    Given, it is the whole of what flows into the target: inputs x outputs are not looked at (spec: a
    consumer must not infer the cartesian product; an empty array of inputs means no tracked source).
    """
    if facet.inputs is None and facet.fields is None:
        return None
    inputs = facet.inputs or ()
    fields = {
        name: [flow for source in _datasets(field.inputs) if source.field for flow in _input_flows(source)]
        for name, field in (facet.fields or {}).items()
        if field is not None
    }
    whole = [flow for source in _datasets(inputs) if source.field for flow in _whole(_input_flows(source))]
    return described(
        *_described(fields, whole, declared),
        datasets=_names(source for source in _datasets(inputs) if not source.field),
        partial=_names(source for field in _fields(facet.fields) for source in _datasets(field.inputs) if not source.field),
        writers={name for source in inputs if (name := job_name(source)) and name != own_job},
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


def _described(
    fields: Mapping[str, Sequence[Flowing]], whole: Iterable[Flowing], declared: frozenset[str]
) -> tuple[set[tuple[str, Flowing]], set[Flowing]]:
    """Without pseudo-columns, and with what is repeated under every listed field said once."""

    def real(flow: Flowing) -> bool:
        return bool(flow.dataset[1]) and is_column(flow.column, declared)

    listed = {name: set(filter(real, flows)) for name, flows in fields.items() if is_column(name, declared)}
    hoisted = _common(list(listed.values()))
    columns = {(name, flow) for name, flows in listed.items() for flow in flows if _unmasked(flow) not in hoisted}
    everywhere = {*filter(real, whole), *hoisted.values()}
    return columns, everywhere


def _common(listed: Sequence[set[Flowing]]) -> dict[Flowing, Flowing]:
    """Hoisted flows, by what they are but for masking: masked only if they are under every field."""
    seen: dict[Flowing, list[bool]] = {}
    for flows in listed:
        here: dict[Flowing, bool] = {}
        for flow in flows:
            if flow.type is FlowType.INDIRECT and flow.subtype in HOISTED:
                here[_unmasked(flow)] = here.get(_unmasked(flow), True) and flow.masking
        for flow, masking in here.items():
            seen.setdefault(flow, []).append(masking)
    return {flow: flow._replace(masking=all(maskings)) for flow, maskings in seen.items() if len(maskings) == len(listed)}


def _unmasked(flow: Flowing) -> Flowing:
    return flow._replace(masking=False) if flow.masking else flow


def _input_flows(source: InputField | LineageInput, field: OutputField | None = None) -> list[Flowing]:
    deprecated = field.transformation_type if field is not None else None
    return _flows((source.namespace or "", source.name or ""), source.field or "", source.transformations, deprecated)


def _flows(dataset: Name, column: str, transformations: Iterable[Transformation | None] | None, deprecated: Any = None) -> list[Flowing]:
    """One flow for each transformation; none given means DIRECT, by the deprecated type if there is one."""
    given = [t for t in transformations or () if t is not None]
    if given:
        return [Flowing(dataset, column, _type(t.type), _subtype(t.subtype), _truth(t.masking)) for t in given]
    kind = _subtype(deprecated)
    masked = kind.upper() == "MASKED"
    return [Flowing(dataset, column, FlowType.DIRECT, "" if masked else kind, masked)]


def _whole(flows: Iterable[Flowing]) -> list[Flowing]:
    """Whatever type the entry says, a column influences a dataset as a whole indirectly (Spark sends ORDER BY as DIRECT)."""
    return [flow._replace(type=FlowType.INDIRECT) for flow in flows]


def _type(value: Any) -> FlowType:
    return FlowType.INDIRECT if isinstance(value, str) and value.strip().upper() == "INDIRECT" else FlowType.DIRECT


def _subtype(value: Any) -> str:
    """Those of the specification in its spelling, others as they came."""
    if not isinstance(value, str):
        return ""
    upper = value.strip().upper()
    return upper if upper in _SUBTYPES else value.strip()


def _truth(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
