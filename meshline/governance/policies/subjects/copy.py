"""Datasets that are copied whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from meshline.governance.policies.look import Look
from meshline.governance.policies.scope import Scope
from meshline.governance.policies.subjects.shape import Candidate, Fields, Parameters, Subject
from meshline.graph.index.answers import Ints
from meshline.graph.index.tables import COLUMN

MOST = 1_000_000  # pairs

FIELDS = {
    "origin": "the dataset that is copied",
    "copy": "the dataset that holds the copy",
    "origin_domain": "the domain of the one that is copied, or an empty text",
    "copy_domain": "the domain of the copy, or an empty text",
    "origin_product": "the product of the one that is copied, or an empty text",
    "copy_product": "the product of the copy, or an empty text",
    "columns": "how many columns are copied: all of them",
    "port": "whether the copy is an output port of a product",
}

PARAMETERS: dict[str, Any] = {"least_columns": 3}


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    datasets = None if scope is None else _near(look, scope)
    least = parameters.get("least_columns", PARAMETERS["least_columns"])
    found = look.index.copies(
        datasets, least if isinstance(least, int) else PARAMETERS["least_columns"], MOST if scope is None else 100_000
    )
    for origin, copy in zip(*(side.tolist() for side in found), strict=True):
        yield Candidate(_fields(look, parameters, origin, copy), copy, origin)


def _fields(look: Look, parameters: Parameters, origin: int, copy: int) -> Fields:
    index = look.index
    return Fields(
        {"parameters": parameters},
        {
            "name": lambda: look.name(copy),
            "origin": lambda: look.name(origin),
            "copy": lambda: look.name(copy),
            "origin_domain": lambda: look.name(index.domain(origin)),
            "copy_domain": lambda: look.name(index.domain(copy)),
            "origin_product": lambda: look.name(index.product(origin)),
            "copy_product": lambda: look.name(index.product(copy)),
            "columns": lambda: len(index.columns(origin)),
            "port": lambda: copy in look.exposed,
        },
    )


def _near(look: Look, scope: Scope) -> Ints:
    """The datasets that are touched, and those of which columns flow into one."""
    core = look.index.core
    near = set(scope.datasets)
    for dataset in scope.datasets:
        for member in core.ring(dataset):
            for column in core.children(member):
                starts = core.flows.start[core.flow_rows(column, incoming=True)]
                near.update(look.index.datasets(starts[core.nodes.kind[starts] == COLUMN]).tolist())
    return np.array(sorted(near), np.int32)


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.datasets or end in scope.datasets


def _describe(look: Look, parameters: Parameters, asset: int, end: int, doubts: tuple[str, ...]) -> Fields:  # noqa: ARG001
    return _fields(look, parameters, end, asset)


SUBJECT = Subject(
    "copy",
    "Every pair of datasets of which one holds all columns of the other as they are (by DIRECT lineage of the subtype IDENTITY).",
    FIELDS,
    candidates,
    _covers,
    PARAMETERS,
    describe=_describe,
)
