"""A contract in two versions: of two files, or of a file and what the graph knows."""

from __future__ import annotations

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import EMPTY, encode
from meshline.graph.contracts import Contract, Pair, Version
from meshline.graph.model import AssetKey, Scope
from meshline.ingest.changes.base import Given, Known, Proposal, Text
from meshline.ingest.sources.base import Entry
from meshline.ingest.sources.contracts.facts import bind, said
from meshline.ingest.sources.contracts.source import parse

CHECK = "contract/check"  # who says what nobody says yet


def propose(given: Given, known: Known) -> Proposal:
    """Raises InvalidInput with all that is wrong with the new version, then the old one: a line each."""
    warnings: list[str] = []
    after = None if given.after is None else _version(given.after, known, warnings)
    before: Version[Contract] | None = None
    if given.before is not None:
        before = _version(given.before, known, warnings if after is None else [])
    elif after is not None:
        before = known.contract(after.value.id)
    entries: list[tuple[str, Entry]] = []
    if after is not None:
        scope = _scope(after.value)
        entries.append((_source(known, after.value.id, scope), Entry(scope, encode(said(after.value, known.context).facts))))
    elif before is not None:
        scope = _scope(before.value)
        entries.append((_source(known, before.value.id, scope), Entry(scope, EMPTY)))
    if before is not None and after is not None and before.value.id != after.value.id:
        warnings.append(f"the ids differ ({before.value.id}, {after.value.id}): they are compared as two versions of one contract")
    return Proposal((Pair(before, after),), tuple(entries), tuple(warnings))


def _version(text: Text, known: Known, warnings: list[str]) -> Version[Contract]:
    """Raises InvalidInput."""
    parsed = parse(text.data, text.name)
    if parsed.contract is None:
        raise InvalidInput("\n".join(map(str, parsed.refused)))
    bound, unbound = bind(parsed.contract, known.context)
    warnings += [*parsed.warnings, *(f"{text.name}: {warning}" for warning in unbound)]
    datasets: dict[str, dict[AssetKey, None]] = {}
    for one in bound:
        datasets.setdefault(one.model.name, {})[one.dataset] = None
    return Version(parsed.contract, {name: tuple(keys) for name, keys in datasets.items()}, text.name, parsed.lines)


def _scope(contract: Contract) -> Scope:
    return ("contract", contract.id, contract.version)


def _source(known: Known, identifier: str, scope: Scope) -> str:
    """Who says this version now, or another one of the contract."""
    said_now = [(source, entry.scope) for source, entry in known.said(model.build_contract_key(identifier)) if entry.scope[:2] == scope[:2]]
    same = [source for source, one in said_now if one == scope]
    return next(iter([*same, *(source for source, _ in said_now)]), CHECK)
