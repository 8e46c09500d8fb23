"""Data that is written from a catalog to a path, and is read there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.policies.evaluation_context import EvaluationContext, Scope
from meshline.governance.policies.subjects import Candidate, Fields, Parameters, Subject
from meshline.graph.index import COLUMN, LineageIndex, Survey
from meshline.graph.index.results import Flags, Ints

FIELDS = {
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


def list_candidates(context: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
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
            yield Candidate(_build_fields(context, parameters, path, from_catalog, reading), path)


def _build_fields(context: EvaluationContext, parameters: Parameters, path: int, origins: list[str], readers: list[str]) -> Fields:
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


def _covers(context: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    if "near" not in context.shared:
        context.shared["near"] = _mark_near(context.index, scope, *context.index.assets.survey().dataset_flows)
    return bool(context.shared["near"][asset])


SUBJECT = Subject(
    "bypass",
    "Every dataset that is only a path, without a name in a catalog, is written from a table of a catalog, and is read by something."
    " Where no catalog is known at all there are none.",
    FIELDS,
    list_candidates,
    _covers,
)
