"""Datasets: `/namespaces/{namespace}/datasets`, and what other answers show of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from meshline.api.marquez.node_ids import build_version
from meshline.api.marquez.question import Question, Writer
from meshline.api.marquez.registrations import Registered
from meshline.api.marquez.runs import build_dataset_version, read_last_writers
from meshline.api.marquez.shapes import ComputedField, Dataset, DatasetData, Datasets, Facets, Field, GraphInputField, InputField, Name
from meshline.graph.index import Direction, FlowStep, LineageIndex, Reach
from meshline.graph.model import AssetKey, AssetKind, FlowType, from_micros
from meshline.graph.quality import Outcome
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.quality import Result, read_latest

DATASET_FACET = "marquez_dataset"  # what Marquez's clients declare of a dataset and OpenLineage has no facet for
ASSERTIONS = "dataQualityAssertions"
_ASSERTIONS_FACET = {
    "_producer": "https://marquezproject.ai/openapi.html",
    "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/DataQualityAssertionsDatasetFacet.json",
}
_RESULTS = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.WARNED, Outcome.ERROR})
THROUGH_HIDDEN = "through what you may not see"  # the description of a transformation
VERBATIM = "facet:"  # + the facet's name: the attribute that keeps a facet as it was sent


def list_datasets(question: Question) -> Datasets:
    """The datasets of a namespace, by name."""
    question.check_namespace()
    nodes = question.leave_out_hidden(question.list_of_namespace(AssetKind.DATASET))
    shown = [(node, question.index.assets.get_key(node)) for node in question.cut_page(nodes)]
    return Datasets(read_datasets(question, shown), len(nodes))


def get_dataset(question: Question) -> Dataset:
    """A dataset by any of its names; the answer has the name that was asked for."""
    asked = AssetKey(AssetKind.DATASET, (question.path["namespace"], question.path["dataset"]))
    return read_datasets(question, [(question.get_dataset(), asked)])[0]


class KnownDataset(NamedTuple):
    """A dataset, the name under which it is asked for, and what is known of it and of its columns."""

    node: int
    key: AssetKey
    attributes: Attributes
    columns: Sequence[tuple[int, Attributes]]
    writer: Writer | None


def read_known(question: Question, asked: Iterable[tuple[int, AssetKey]]) -> list[KnownDataset]:
    """What is known of datasets (nodes, each with the name to show), with one read of the store for statements and one for runs."""
    index, datasets = question.index, list(asked)
    columns = [index.assets.list_columns(node) for node, _ in datasets]
    question.shown.update(node for node, _ in datasets)
    question.shown.update(column for of_one in columns for column in of_one)
    nodes = [*(node for node, _ in datasets), *(column for of_one in columns for column in of_one)]
    question.limits.check_deadline()
    known = dict(zip(nodes, read_attributes(question.live, index, nodes), strict=True))
    read_last_writers(question, ((node, None) for node, _ in datasets))
    return [
        KnownDataset(node, key, known[node], [(column, known[column]) for column in of_one], question.writers[node, None])
        for (node, key), of_one in zip(datasets, columns, strict=True)
    ]


def read_datasets(question: Question, asked: Iterable[tuple[int, AssetKey]]) -> list[Dataset]:
    """Datasets (nodes, each with the name to show) with all that an answer about datasets shows of them."""
    known = read_known(question, asked)
    nodes = [one.node for one in known]
    inputs, checks = read_inputs(question, nodes), read_latest(question.live, question.index, nodes)
    return [_build_dataset(question, one, inputs, results) for one, results in zip(known, checks, strict=True)]


def _build_dataset(question: Question, known: KnownDataset, inputs: dict[int, list[InputField]], checks: Iterable[Result]) -> Dataset:
    index, data = question.index, build_data(question, known)
    computed = [
        ComputedField(index.assets.get_column_name(column), fields, *merge_transformations(fields))
        for column, _ in known.columns
        if (fields := inputs.get(column))
    ]
    return Dataset(
        **msgspec.structs.asdict(data),
        current_version=_build_current_version(question, known, data),
        column_lineage=computed or None,
        facets={**collect_dataset_facets(known.attributes), **_build_assertions(checks)},
        deleted=known.node in question.hidden,
    )


def _build_assertions(checks: Iterable[Result]) -> Facets:
    """The last result of each check, of whatever source, as the facet from which Marquez's page builds its quality badge.

    What has no result is not in it. A check that could not be evaluated has not succeeded.
    """
    found: list[dict[str, object]] = []
    for check in checks:
        if check.outcome in _RESULTS:
            column = {"column": check.column} if check.column else {}
            severity = {"severity": "warn"} if check.outcome is Outcome.WARNED else {}
            found.append({"assertion": check.name, **column, "success": check.outcome is Outcome.PASSED, **severity})
    return {ASSERTIONS: {**_ASSERTIONS_FACET, "assertions": found}} if found else {}


def build_schema_version(namespace: str, name: str, fields: Iterable[Field]) -> str:
    """The version of the columns of a dataset."""
    return build_version(namespace, name, "", *(f"{field.name} {field.type}" for field in fields))


def _build_current_version(question: Question, known: KnownDataset, data: DatasetData) -> str:
    """The version that the last completed run wrote; of a dataset that no run wrote, that of its columns."""
    namespace, name = question.index.assets.get_key(known.node).parts
    if known.writer is None:
        return build_schema_version(namespace, name, data.fields)
    return build_dataset_version(question, namespace, name, known.writer.run_id)


def build_data(question: Question, known: KnownDataset) -> DatasetData:
    """What every answer shows of a dataset."""
    index = question.index
    namespace, name = known.key.parts
    since, last = find_times(question, known.node)
    shown, facets = index.assets.get_key(known.node), collect_facets(known.attributes)
    source = get_text(facets.get("dataSource"), "name")
    return DatasetData(
        id=Name(namespace, name),
        type="DB_TABLE",
        name=name,
        physical_name=get_text(facets.get(DATASET_FACET), "physicalName") or shown.name,
        created_at=from_micros(since),
        updated_at=from_micros(last),
        namespace=namespace,
        source_name=shown.parts[0] if source is None or question.find_entry(Registered.SOURCE, source) is None else source,
        fields=[
            Field(index.assets.get_column_name(column), of_one.find_text("type"), list_tag_names(of_one), of_one.find_text("description"))
            for column, of_one in known.columns
        ],
        tags=list_tag_names(known.attributes),
        last_modified_at=None if known.writer is None else from_micros(known.writer.ended),
        description=known.attributes.find_text("description"),
        last_lifecycle_state=get_text(facets.get("lifecycleStateChange"), "lifecycleStateChange"),
    )


def find_times(question: Question, node: int) -> tuple[int, int]:
    """Since when current statements mention an asset, and when one last did, in microseconds."""
    since, last = question.times
    return int(since[node]), int(last[node])


def list_tag_names(known: Attributes) -> list[str]:
    """The tags of an asset as text: `key` or `key=value`."""
    return [tag.key if tag.value is None else f"{tag.key}={tag.value}" for tag in known.tags]


def collect_facets(known: Attributes) -> Facets:
    """The facets of a dataset or a job by name, as they were sent: of each the strongest."""
    return {row.attribute.removeprefix(VERBATIM): row.value for row in known.rows if row.chosen and row.attribute.startswith(VERBATIM)}


def collect_dataset_facets(known: Attributes) -> Facets:
    facets = collect_facets(known)
    type_ = known.find_text("dataset_type")
    if type_ is not None and "datasetType" not in facets:
        facets["datasetType"] = {"datasetType": type_}
    return facets


def get_text(facet: object, member: str) -> str | None:
    """A member of a facet, if it is text."""
    value = facet.get(member) if isinstance(facet, dict) else None
    return value if isinstance(value, str) else None


def read_inputs(question: Question, datasets: Sequence[int]) -> dict[int, list[InputField]]:
    """By column of these datasets, the columns from which it is computed and those that decide which rows there are."""
    index = question.index
    found = _find_inputs(question, index, datasets)
    if index.is_restricted:
        whole = _find_inputs(question, index.whole, datasets)
        question.count_left_out({*chain.from_iterable(whole.values())}.difference(*found.values()))
    return {
        column: [
            build_input(question, start, steps) for start, steps in sorted(starts.items(), key=lambda item: index.assets.get_key(item[0]))
        ]
        for column, starts in found.items()
    }


def _find_inputs(question: Question, index: LineageIndex, datasets: Sequence[int]) -> dict[int, dict[int, list[FlowStep]]]:
    """As `group_steps`: what flows directly into these datasets."""
    limits = question.limits
    found = index.lineage.traverse(
        datasets, Direction.UPSTREAM, reach=Reach.INDIRECT, depth=1, max_nodes=limits.nodes, deadline=limits.deadline
    )
    return group_steps(index, found.list_flows(), datasets)


def group_steps(
    index: LineageIndex, flows: Iterable[FlowStep], datasets: Iterable[int], wanted: Iterable[int] | None = None
) -> dict[int, dict[int, list[FlowStep]]]:
    """Flows by the column at their end and the column at their start. What flows into a dataset as a whole flows into each of its columns.

    `wanted`: the columns of these datasets at which flows may end; None: all of them.
    """
    ends = None if wanted is None else frozenset(wanted)
    columns = {dataset: [one for one in index.assets.list_columns(dataset) if ends is None or one in ends] for dataset in datasets}
    own = {column for of_one in columns.values() for column in of_one}
    grouped: dict[int, dict[int, list[FlowStep]]] = {}
    for step in flows:
        if index.assets.get_kind(step.start) is AssetKind.COLUMN:
            for end in (step.end,) if step.end in own else columns.get(step.end, ()):
                if end != step.start:
                    grouped.setdefault(end, {}).setdefault(step.start, []).append(step)
    return grouped


def build_input(question: Question, column: int, steps: Sequence[FlowStep]) -> InputField:
    """A column from which another is computed, by these flows."""
    question.shown.add(column)
    namespace, dataset, field = question.index.assets.get_key(column).parts
    return InputField(namespace, dataset, field, *describe_steps(steps))


def describe_steps(steps: Sequence[FlowStep]) -> tuple[str | None, str]:
    """(description, type) of the transformation between two columns: by its strongest flows.

    The type of a direct flow is its subtype (IDENTITY, AGGREGATION, ...), as Marquez's clients know it, and of others INDIRECT.
    """
    strongest = min(step.reach for step in steps)
    kept = [step for step in steps if step.reach is strongest]
    if kept[0].hidden:  # no other flow connects them
        return THROUGH_HIDDEN, FlowType.DIRECT if strongest is Reach.DIRECT else FlowType.INDIRECT
    subtypes = ", ".join(sorted({step.subtype for step in kept if step.subtype}))
    masked = "masking" if all(step.masking for step in kept) else ""
    if kept[0].type is FlowType.INDIRECT:
        return ", ".join(filter(None, (subtypes, masked))) or None, FlowType.INDIRECT
    return masked or None, subtypes or FlowType.DIRECT


def merge_transformations(fields: Sequence[InputField | GraphInputField]) -> tuple[str | None, str | None]:
    """(description, type) of a column: those of its inputs if all have the same."""
    found = {(field.transformation_description, field.transformation_type) for field in fields}
    return found.pop() if len(found) == 1 else (None, None)
