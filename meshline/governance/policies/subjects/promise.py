"""What products and contracts promise, whoever gives the promise."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.policies.look import Look
from meshline.governance.policies.scope import Scope
from meshline.governance.policies.subjects import contract, product
from meshline.governance.policies.subjects.shape import Candidate, Fields, Parameters, Subject

FIELDS = {
    "holder_kind": "DATA_PRODUCT or CONTRACT",
    "in_force": "whether somebody may rely on it now; of a product true",
    "version": "its version, or an empty text",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets at its output ports, or that it governs",
    "slo": "its service levels: name -> {text, seconds, ratio}; seconds and ratio are null where the text is none",
}


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    for one in product.candidates(look, parameters, scope):
        yield one._replace(fields=_fields(look, one, in_force=True))
    for one in contract.candidates(look, parameters, scope):
        yield one._replace(fields=_fields(look, one, in_force=one.fields["in_force"]))


def _fields(look: Look, one: Candidate, *, in_force: bool) -> Fields:
    known = {name: one.fields[name] for name in ("name", "parameters", "version", "slo")}
    costly = {"tags": lambda: one.fields["tags"], "all_tags": lambda: one.fields["all_tags"]}
    return Fields({**known, "in_force": in_force, "holder_kind": str(look.index.kind(one.asset))}, costly)


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.products or asset in scope.contracts


SUBJECT = Subject("promise", "Every data product, and every contract by the version that is shown.", FIELDS, candidates, _covers)
