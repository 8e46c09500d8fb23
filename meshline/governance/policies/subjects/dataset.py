"""Datasets that somebody shows, promises, uses or tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from meshline.governance.policies.look import Look
from meshline.governance.policies.scope import Scope, used_datasets
from meshline.governance.policies.subjects.shape import Candidate, Fields, Parameters, Subject
from meshline.graph.index.answers import Ints
from meshline.graph.index.tables import DATASET

FIELDS = {
    "dataset": "its qualified name",
    "tags": "its tags, `key` or `key=value`",
    "description": "its description, or an empty text",
    "product": "its product, or an empty text",
    "domain": "its domain, or an empty text",
    "owners": "the names of its owners, or of its product's or domain's",
    "port": "whether it is an output port of a product",
    "governed": "whether a contract governs it",
    "used": "whether a consumer uses it, or a product takes it in",
    "described": "whether some source lists its columns",
    "columns": "how many columns it has",
}


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = _chosen(look)
    if scope is not None:
        chosen = chosen[np.isin(chosen, sorted(scope.datasets))]
    governed, used = frozenset(look.governs.end.tolist()), frozenset(used_datasets(look).tolist())
    look.prefetch(chosen.tolist())
    for dataset in chosen.tolist():
        marks = {"port": dataset in look.exposed, "governed": dataset in governed, "used": dataset in used}
        yield Candidate(_fields(look, parameters, dataset, marks), dataset)


def _fields(look: Look, parameters: Parameters, dataset: int, marks: Mapping[str, bool]) -> Fields:
    index = look.index
    return Fields(
        {"parameters": parameters, **marks},
        {
            "name": lambda: look.name(dataset),
            "dataset": lambda: look.name(dataset),
            "tags": lambda: look.tags(dataset),
            "description": lambda: look.known(dataset).text("description") or "",
            "product": lambda: look.name(index.product(dataset)),
            "domain": lambda: look.name(index.domain(dataset)),
            "owners": lambda: look.owners(dataset),
            "described": lambda: index.described(dataset),
            "columns": lambda: len(index.columns(dataset)),
        },
    )


def _chosen(look: Look) -> Ints:
    tagged = look.index.tagged(bool)
    return np.unique(
        np.concatenate([look.outputs.dataset, look.governs.end, used_datasets(look), tagged[look.index.kinds(tagged) == DATASET]])
    ).astype(np.int32)


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.datasets


SUBJECT = Subject(
    "dataset",
    "Every dataset that is a port of a product, that a contract governs, that a consumer uses, or that has a tag.",
    FIELDS,
    candidates,
    _covers,
)
