"""Datasets that are output ports, governed, used or tagged; and pairs of datasets of which one is a complete copy of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from meshline.governance.policies.evaluation_context import EvaluationContext, Scope, list_used_datasets
from meshline.governance.policies.subjects import Candidate, Fields, Parameters, Subject
from meshline.graph.index import DATASET
from meshline.graph.index.results import Ints

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


SUBJECT = Subject(
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
