"""Columns that hold personal data by lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from meshline.governance.policies.look import Look
from meshline.governance.policies.personal import PARAMETERS, WAYS, Personal
from meshline.governance.policies.scope import Scope
from meshline.governance.policies.subjects.exposure import SOURCE, traced
from meshline.governance.policies.subjects.shape import Candidate, Fields, Parameters, Subject
from meshline.graph.queries.paths import PathStep

FIELDS = {
    "column": "the name of the column",
    "tags": "its tags, `key` or `key=value`",
    "tagged": "whether its own tags say that it is personal data",
    "dataset": "its dataset",
    "product": "the product of its dataset, or an empty text",
    "domain": "the domain of its dataset, or an empty text",
    "owners": "who owns it",
    "distance": "how many flows away from the tagged column it is",
}


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    personal = look.personal(parameters)
    found = personal.tagged_data() if scope is None else scope.changed[personal.labels(WAYS[0])[scope.changed] > 0]
    for column in found.tolist():
        yield Candidate(_fields(look, parameters, personal, column), column)


def _fields(look: Look, parameters: Parameters, personal: Personal, column: int) -> Fields:
    return Fields({"parameters": parameters, "tagged": personal.is_tagged(column)}, partial(_costly, look, personal, column))


def _costly(look: Look, personal: Personal, column: int, name: str) -> object:
    index = look.index
    found: dict[str, Callable[[], object]] = {
        "name": lambda: look.name(column),
        "column": lambda: index.key(column).name,
        "tags": lambda: look.tags(column),
        "dataset": lambda: look.name(index.dataset(column)),
        "product": lambda: look.name(index.product(column)),
        "domain": lambda: look.name(index.domain(column)),
        "owners": lambda: look.owners(column),
        "distance": lambda: int(personal.labels(WAYS[0])[column]) - 1,
    }
    return found[name]()


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return bool(scope.marked[asset])


def _trace(look: Look, parameters: Parameters, asset: int, end: int) -> tuple[list[PathStep], Mapping[str, str]]:  # noqa: ARG001
    return traced(look, parameters, asset)


def _describe(look: Look, parameters: Parameters, asset: int, end: int, doubts: tuple[str, ...]) -> Fields:  # noqa: ARG001
    return _fields(look, parameters, look.personal(parameters), asset)


SUBJECT = Subject(
    "column",
    "Every column that is tagged as personal data, or that values of such a column reach over recorded columns that do not mask.",
    FIELDS,
    candidates,
    _covers,
    PARAMETERS,
    SOURCE,
    _trace,
    _describe,
)
