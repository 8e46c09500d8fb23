"""Contracts: what they promise, and whether they are in force; and the commitments of products and contracts alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from meshline.governance.policies.evaluation_context import MOST, Look, Scope
from meshline.governance.policies.subjects import product_subject
from meshline.governance.policies.subjects.subject import Candidate, Fields, Parameters, Subject
from meshline.graph.contracts import Contract
from meshline.graph.model import AssetKind

FIELDS = {
    "title": "its title, or an empty text",
    "description": "its description, or an empty text",
    "version": "the version that is shown: the newest in force",
    "status": "its status, or an empty text",
    "in_force": "whether somebody may rely on it now: it is neither a draft nor ended",
    "ended": "whether it is retired, or the date to which it is supported is past",
    "owners": "the names of its owners",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets that it governs",
    "slo": "its service levels: name -> {text, seconds, ratio}",
    "datasets": "the datasets that it governs",
    "roles": "the names of the roles that it lets read",
}

# Service levels that are dates to which a contract is kept.
_ENDS = re.compile(r"end_?of_?(life|support)|expir(y|es|ation)|valid_?(to|until)", re.IGNORECASE)


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    chosen = look.all_of(AssetKind.CONTRACT) if scope is None else [node for node in sorted(scope.contracts) if look.index.visible(node)]
    look.prefetch(chosen)
    for node in chosen:
        yield Candidate(_fields(look, parameters, node), node)


def _fields(look: Look, parameters: Parameters, node: int) -> Fields:
    found = look.versions(node)
    contract = found[0].contract if found else Contract(id=look.index.label(node).name)
    return Fields(
        {
            "name": look.name(node),
            "parameters": parameters,
            "title": contract.title,
            "description": contract.description,
            "version": contract.version,
            "status": contract.status,
            "in_force": contract.in_force and not past(contract, look.now),
            "ended": contract.ended or past(contract, look.now),
            "slo": levels(contract),
            "roles": [role.name for role in contract.roles][:MOST],
        },
        {
            "owners": lambda: look.owners(node),
            "tags": lambda: sorted({*look.index.tags(node), *contract.tags})[:MOST],
            "all_tags": lambda: _all_tags(look, node, contract),
            "datasets": lambda: [look.name(of) for of in _governed(look, node)][:MOST],
        },
    )


def levels(contract: Contract) -> dict[str, Mapping[str, str | float | None]]:
    """The levels that are about all of it; of several of a name the first."""
    found: dict[str, Mapping[str, str | float | None]] = {}
    for one in contract.sla:
        found.setdefault(one.name, {"text": one.text, "seconds": one.seconds, "ratio": one.ratio})
    return found


def past(contract: Contract, now: datetime) -> bool:
    """Whether a date to which it is kept is behind us."""
    dates = [_time(one.text) for one in contract.sla if _ENDS.fullmatch(one.name)]
    return any(date is not None and date < now for date in dates)


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _governed(look: Look, contract: int) -> list[int]:
    return sorted(set(look.governs.end[look.governs.start == contract].tolist()))


def _all_tags(look: Look, node: int, contract: Contract) -> list[str]:
    own = {*look.index.tags(node), *contract.tags, *(tag for model in contract.models for tag in model.tags)}
    own.update(*(look.index.tags(dataset) for dataset in _governed(look, node)))
    return sorted(own)[:MOST]


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.contracts


SUBJECT = Subject("contract", "Every contract, by the version that is shown.", FIELDS, candidates, _covers)


PROMISE_FIELDS = {
    "holder_kind": "DATA_PRODUCT or CONTRACT",
    "in_force": "whether somebody may rely on it now; of a product true",
    "version": "its version, or an empty text",
    "tags": "its tags, `key` or `key=value`",
    "all_tags": "its tags and those of the datasets at its output ports, or that it governs",
    "slo": "its service levels: name -> {text, seconds, ratio}; seconds and ratio are null where the text is none",
}


def promise_candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    for one in product_subject.candidates(look, parameters, scope):
        yield one._replace(fields=_promise_fields(look, one, in_force=True))
    for one in candidates(look, parameters, scope):
        yield one._replace(fields=_promise_fields(look, one, in_force=one.fields["in_force"]))


def _promise_fields(look: Look, one: Candidate, *, in_force: bool) -> Fields:
    known = {name: one.fields[name] for name in ("name", "parameters", "version", "slo")}
    costly = {"tags": lambda: one.fields["tags"], "all_tags": lambda: one.fields["all_tags"]}
    return Fields({**known, "in_force": in_force, "holder_kind": str(look.index.kind(one.asset))}, costly)


def _covers_promise(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return asset in scope.products or asset in scope.contracts


PROMISE = Subject(
    "promise", "Every data product, and every contract by the version that is shown.", PROMISE_FIELDS, promise_candidates, _covers_promise
)
