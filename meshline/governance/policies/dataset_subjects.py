"""Subjects that are datasets: output ports and governed, used or tagged datasets; complete copies of others; and paths to which data is
written from a catalog, and where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from meshline.governance.policies.subject import Candidate, EvaluationContext, Fields, Parameters, Scope, Subject, list_used_datasets
from meshline.graph.index import COLUMN, DATASET, LineageIndex, Survey
from meshline.graph.index.results import Flags, Ints

FIELDS = {
    "dataset": "its qualified name",
    "tags": "its tags, `key` or `key=value`",
    "description": "its description, or an empty text",
    "product": "its product, or an empty text",
    "domain": "its domain, or an empty text",
    "owners": "the names of its owners, or of its product's or domain's",
    "port": "whether it is an output port of a product",
    "governed": "whether a contract governs it",
    "used": "whether a consumer uses it, or it is an input of a product",
    "described": "whether a source lists its columns",
    "columns": "how many columns it has",
}


def list_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = _choose_datasets(context)
    if scope is not None:
        chosen = chosen[np.isin(chosen, sorted(scope.datasets))]
    governed, used = frozenset(context.governs.end.tolist()), frozenset(list_used_datasets(context).tolist())
    context.prefetch(chosen.tolist())
    for dataset in chosen.tolist():
        marks = {"port": dataset in context.exposed, "governed": dataset in governed, "used": dataset in used}
        yield Candidate(_build_fields(context, parameters, dataset, marks), dataset)


def _build_fields(context: EvaluationContext, parameters: Parameters, dataset: int, marks: Mapping[str, bool]) -> Fields:
    index = context.index
    return Fields(
        {"parameters": parameters, **marks},
        {
            "name": lambda: context.get_name(dataset),
            "dataset": lambda: context.get_name(dataset),
            "tags": lambda: context.list_tags(dataset),
            "description": lambda: context.read_attributes(dataset).find_text("description") or "",
            "product": lambda: context.get_name(index.ownership.find_product(dataset)),
            "domain": lambda: context.get_name(index.ownership.find_domain(dataset)),
            "owners": lambda: context.list_owners(dataset),
            "described": lambda: index.assets.is_described(dataset),
            "columns": lambda: len(index.assets.list_columns(dataset)),
        },
    )


def _choose_datasets(context: EvaluationContext) -> Ints:
    tagged = context.index.assets.survey().find_tagged(bool)
    return np.unique(
        np.concatenate(
            [
                context.outputs.dataset,
                context.governs.end,
                list_used_datasets(context),
                tagged[context.index.lineage.get_kinds(tagged) == DATASET],
            ]
        )
    ).astype(np.int32)


def _covers(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.datasets


DATASET_SUBJECT = Subject(
    "dataset",
    "Every dataset that is a port of a product, that a contract governs, that a consumer uses, or that has a tag.",
    FIELDS,
    list_candidates,
    _covers,
)


MOST = 1_000_000  # pairs

COPY_FIELDS = {
    "origin": "the dataset that is copied",
    "copy": "the dataset that is the copy",
    "origin_domain": "the domain of the one that is copied, or an empty text",
    "copy_domain": "the domain of the copy, or an empty text",
    "origin_product": "the product of the one that is copied, or an empty text",
    "copy_product": "the product of the copy, or an empty text",
    "columns": "how many columns are copied: all of them",
    "port": "whether the copy is an output port of a product",
}

PARAMETERS: dict[str, Any] = {"least_columns": 3}


def list_copy_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    datasets = None if scope is None else _find_near(context, scope)
    least = parameters.get("least_columns", PARAMETERS["least_columns"])
    found = context.index.lineage.find_copies(
        datasets, least if isinstance(least, int) else PARAMETERS["least_columns"], MOST if scope is None else 100_000
    )
    for origin, copy in zip(*(side.tolist() for side in found), strict=True):
        yield Candidate(_build_copy_fields(context, parameters, origin, copy), copy, origin)


def _build_copy_fields(context: EvaluationContext, parameters: Parameters, origin: int, copy: int) -> Fields:
    index = context.index
    return Fields(
        {"parameters": parameters},
        {
            "name": lambda: context.get_name(copy),
            "origin": lambda: context.get_name(origin),
            "copy": lambda: context.get_name(copy),
            "origin_domain": lambda: context.get_name(index.ownership.find_domain(origin)),
            "copy_domain": lambda: context.get_name(index.ownership.find_domain(copy)),
            "origin_product": lambda: context.get_name(index.ownership.find_product(origin)),
            "copy_product": lambda: context.get_name(index.ownership.find_product(copy)),
            "columns": lambda: len(index.assets.list_columns(origin)),
            "port": lambda: copy in context.exposed,
        },
    )


def _find_near(context: EvaluationContext, scope: Scope) -> Ints:
    """The affected datasets, and those of which columns flow into one of them (int32)."""
    near = scope.datasets.union(context.index.lineage.collect_origins(scope.datasets).tolist())
    return np.array(sorted(near), np.int32)


def _covers_copy(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.datasets or end in scope.datasets


def _describe(context: EvaluationContext, parameters: Parameters, asset: int, end: int, uncertainties: tuple[str, ...]) -> Fields:  # noqa: ARG001
    return _build_copy_fields(context, parameters, end, asset)


COPY = Subject(
    "copy",
    "Every pair of datasets of which one has unchanged copies of all columns of the other (by DIRECT lineage of the subtype IDENTITY).",
    COPY_FIELDS,
    list_copy_candidates,
    _covers_copy,
    PARAMETERS,
    describe=_describe,
)


BYPASS_FIELDS = {
    "dataset": "the path",
    "port": "whether it is an output port of a product",
    "product": "the product that it belongs to, or an empty text",
    "domain": "its domain, or an empty text",
    "origins": "the catalog tables from which it is written",
    "readers": "the datasets that are written from it, and the consumers that use it",
}

# Namespaces of files: a dataset that has only such names is not a table of a catalog.
_PATHS = ("file", "s3", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "adl", "hdfs", "dbfs", "oss", "cos", "obs")
_SHOWN = 10


def list_bypass_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    survey = context.index.assets.survey()
    catalogued = survey.catalogued
    if not catalogued.any():
        return
    starts, ends = survey.dataset_flows
    chosen = _mark_paths(survey)
    if scope is not None:
        chosen &= _mark_near(context.index, scope, starts, ends)
    origins, readers = _list_sides(starts, ends, chosen & _mark_nodes(context.index, ends[catalogued[starts]]))
    consumers = _list_consumers(context)
    for path in sorted(origins):
        from_catalog = sorted(context.get_name(one) for one in origins[path] if catalogued[one])
        reading = sorted(
            {*(context.get_name(one) for one in readers.get(path, ())), *(context.get_name(one) for one in consumers.get(path, ()))}
        )
        if from_catalog and reading:
            yield Candidate(_build_bypass_fields(context, parameters, path, from_catalog, reading), path)


def _build_bypass_fields(context: EvaluationContext, parameters: Parameters, path: int, origins: list[str], readers: list[str]) -> Fields:
    return Fields(
        {"parameters": parameters, "origins": origins[:_SHOWN], "readers": readers[:_SHOWN], "port": path in context.exposed},
        {
            "name": lambda: context.get_name(path),
            "dataset": lambda: context.get_name(path),
            "product": lambda: context.get_name(context.index.ownership.find_product(path)),
            "domain": lambda: context.get_name(context.index.ownership.find_domain(path)),
        },
    )


def has_catalog(index: LineageIndex) -> bool:
    """Whether any catalog refers to a dataset."""
    return bool(index.assets.survey().catalogued.any())


def _mark_paths(survey: Survey) -> Flags:
    """By node (bool), of representatives: datasets whose names are all paths, and that no catalog refers to."""
    names = survey.names
    spaces = np.unique(names.namespace)
    physical = np.isin(names.namespace, spaces[[_is_path(text) for text in survey.read_texts(spaces)]])
    found = np.zeros_like(survey.catalogued)
    found[names.representative[physical]] = True
    found[names.representative[~physical]] = False
    found &= ~survey.catalogued
    return found


def _is_path(namespace: str) -> bool:
    return namespace.partition(":")[0].lower() in _PATHS


def _mark_near(index: LineageIndex, scope: Scope, starts: Ints, ends: Ints) -> Flags:
    """By node (bool): affected datasets, and those that one flow connects with one of them."""
    affected = _mark_nodes(index, np.array(sorted(scope.datasets), np.int32))
    near = affected.copy()
    near[starts[affected[ends]]] = True
    near[ends[affected[starts]]] = True
    return near


def _mark_nodes(index: LineageIndex, nodes: Ints) -> Flags:
    marks = np.zeros(index.changes.count_nodes(), np.bool_)
    marks[nodes] = True
    return marks


def _list_sides(starts: Ints, ends: Ints, chosen: Flags) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """By chosen dataset: the datasets that it is written from, and those that are written from it."""
    origins: dict[int, set[int]] = {}
    readers: dict[int, set[int]] = {}
    for row in np.flatnonzero(chosen[ends]).tolist():
        origins.setdefault(int(ends[row]), set()).add(int(starts[row]))
    for row in np.flatnonzero(chosen[starts]).tolist():
        readers.setdefault(int(starts[row]), set()).add(int(ends[row]))
    return origins, readers


def _list_consumers(context: EvaluationContext) -> dict[int, set[int]]:
    tied, index = context.consumes, context.index
    kinds = index.lineage.get_kinds(tied.end)
    used = tied.end.copy()
    used[kinds == COLUMN] = index.lineage.get_datasets(tied.end[kinds == COLUMN])
    found: dict[int, set[int]] = {}
    for user, of in zip(tied.start.tolist(), used.tolist(), strict=True):
        found.setdefault(of, set()).add(user)
    return found


def _covers_bypass(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    if "near" not in context.shared:
        context.shared["near"] = _mark_near(context.index, scope, *context.index.assets.survey().dataset_flows)
    return bool(context.shared["near"][asset])


CATALOG_BYPASS = Subject(
    "bypass",
    "Every dataset that is only a path, without a name in a catalog, is written from a table of a catalog, and is read by something."
    " Where no catalog is known at all there are none.",
    BYPASS_FIELDS,
    list_bypass_candidates,
    _covers_bypass,
)
