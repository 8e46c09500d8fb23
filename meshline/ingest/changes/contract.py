"""A contract in two versions: from two files, or from a file and the graph."""

from __future__ import annotations

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.contracts import Contract, Pair, Version
from meshline.graph.model import AssetKey, Scope
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.sources.base import Entry
from meshline.ingest.sources.contracts.facts import bind_models, build_contract_facts
from meshline.ingest.sources.contracts.source import parse_contract_file

CHECK = "contract/check"  # the source of a contract that no source states yet


def build_proposal(given: ChangeInput, known: GraphState) -> Proposal:
    """Compare two versions of a contract. Raises InvalidInput with every problem of the new version, then of the old one: a line each."""
    warnings: list[str] = []
    after = None if given.after is None else _read_version(given.after, known, warnings)
    before: Version[Contract] | None = None
    if given.before is not None:
        before = _read_version(given.before, known, warnings if after is None else [])
    elif after is not None:
        before = known.find_contract(after.value.id)
    entries: list[tuple[str, Entry]] = []
    if after is not None:
        scope = _build_scope(after.value)
        entries.append(
            (_find_source(known, after.value.id, scope), Entry(scope, encode_facts(build_contract_facts(after.value, known.context).facts)))
        )
    elif before is not None:
        scope = _build_scope(before.value)
        entries.append((_find_source(known, before.value.id, scope), Entry(scope, EMPTY)))
    if before is not None and after is not None and before.value.id != after.value.id:
        warnings.append(f"the ids differ ({before.value.id}, {after.value.id}): they are compared as two versions of one contract")
    return Proposal((Pair(before, after),), tuple(entries), tuple(warnings))


def _read_version(text: Text, known: GraphState, warnings: list[str]) -> Version[Contract]:
    """Raises InvalidInput."""
    parsed = parse_contract_file(text.data, text.name)
    if parsed.contract is None:
        raise InvalidInput("\n".join(map(str, parsed.refused)))
    bound, unbound = bind_models(parsed.contract, known.context)
    warnings += [*parsed.warnings, *(f"{text.name}: {warning}" for warning in unbound)]
    datasets: dict[str, dict[AssetKey, None]] = {}
    for one in bound:
        datasets.setdefault(one.model.name, {})[one.dataset] = None
    return Version(parsed.contract, {name: tuple(keys) for name, keys in datasets.items()}, text.name, parsed.lines)


def _build_scope(contract: Contract) -> Scope:
    return ("contract", contract.id, contract.version)


def _find_source(known: GraphState, identifier: str, scope: Scope) -> str:
    """The source that states this version of the contract, else one that states another version."""
    statements = [
        (source, entry.scope)
        for source, entry in known.list_statements(model.build_contract_key(identifier))
        if entry.scope[:2] == scope[:2]
    ]
    same = [source for source, one in statements if one == scope]
    return next(iter([*same, *(source for source, _ in statements)]), CHECK)
