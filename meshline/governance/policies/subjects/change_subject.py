"""Changes that a check finds, in things that have no version of their own. There are candidates in checks only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meshline.governance.changes import Change, SubjectKind
from meshline.governance.policies.evaluation_context import Look, Scope
from meshline.governance.policies.subjects.subject import NOBODY, Candidate, Fields, Parameters, Subject
from meshline.governance.rules import Verdict
from meshline.graph.contracts import major
from meshline.graph.model import AssetKey, AssetKind, EdgeType

FIELDS = {
    "rule": "the id of the rule of change",
    "verdict": "its verdict: compatible, conditional or breaking",
    "changed": "the name of what is changed",
    "contract": "the contract in force that governs it",
    "version": "the version of that contract in the graph",
    "new_version": "the newest version of it as it would be after the change",
    "new_major": "whether that is a new major version",
}

CHANGES = "changes"  # where `Look.shared` holds them: a sequence of Governed


class Governed(NamedTuple):
    """A change to a table that a contract in force governs, and that contract's version before it."""

    change: Change
    verdict: Verdict
    contract: int
    version: str
    changed: int  # the column or dataset, or NOBODY


def governed(look: Look, judged: Sequence[tuple[Change, Verdict]]) -> list[Governed]:
    """To be looked up before the change is supposed: what is dropped is not found afterwards."""
    found: list[Governed] = []
    for change, verdict in judged:
        for contract in _contracts(look, change) if change.subject.kind is SubjectKind.TABLE else ():
            shown = next((one.contract for one in look.versions(contract)), None)
            if shown is not None and shown.in_force:
                found.append(Governed(change, verdict, contract, shown.version, _changed(look, change)))
    return found


def candidates(look: Look, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:  # noqa: ARG001
    said: Sequence[Governed] = look.shared.get(CHANGES, ())
    for one in said:
        after = next((version.contract for version in look.versions(one.contract)), None)
        yield Candidate(_fields(look, parameters, one, "" if after is None else after.version), one.contract, one.changed)


def _contracts(look: Look, change: Change) -> list[int]:
    index = look.index
    keys = {AssetKey(AssetKind.DATASET, key.parts[:2]) for key in change.assets if key.kind in (AssetKind.COLUMN, AssetKind.DATASET)}
    datasets = {node for key in keys if (node := index.node(key)) is not None}
    contracts = {edge.start for node in datasets for edge in index.edges(node, EdgeType.GOVERNS, incoming=True)}
    return sorted(contracts, key=index.key)


def _changed(look: Look, change: Change) -> int:
    found = (look.index.node(key) for key in change.assets)
    return next((node for node in found if node is not None), NOBODY)


def _fields(look: Look, parameters: Parameters, one: Governed, version: str) -> Fields:
    name = ".".join((one.change.subject.name, *one.change.subject.part[1::2]))
    return Fields(
        {
            "name": name,
            "parameters": parameters,
            "rule": one.change.rule,
            "verdict": one.verdict.name.lower(),
            "changed": name,
            "contract": look.index.label(one.contract).name,
            "version": one.version,
            "new_version": version,
            "new_major": major(version) > major(one.version),
        }
    )


def _covers(look: Look, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    return False


SUBJECT = Subject(
    "change",
    "Every change to a table that a check finds, once for each contract in force that governs it. Contracts and products have versions of"
    " their own: the rule `major-version-missing` looks at those.",
    FIELDS,
    candidates,
    _covers,
)
