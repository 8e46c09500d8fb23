"""The versions of a contract, of which several may be in force at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meshline.graph.contracts import Contract, build_contract, parse_version
from meshline.graph.index import Edge, LineageIndex
from meshline.graph.live_graph import FactRow
from meshline.graph.model import AssetKind, EdgeType, Json, build_contract_key


class Version(NamedTuple):
    """One version of a contract, merged over its sources.

    `source` and `scope_id` are those of the strongest statement; `observed_at` (microseconds) is that of the newest.
    """

    contract: Contract
    source: str
    scope_id: int
    observed_at: int


def build_versions(identifier: str, rows: Sequence[FactRow]) -> list[Version]:
    """All versions of a contract, the newest version in force first. The times at which they were loaded do not matter.

    `rows`: the statements about the contract, the strongest of each attribute first (`Attributes.rows`). A statement
    without a version applies to all versions.
    """
    named = {row.scope_id: str(row.value) for row in rows if row.attribute == "version" and row.value is not None}
    known = set(named.values()) or {""}
    found = [_build_version(identifier, version, [row for row in rows if named.get(row.scope_id, version) == version]) for version in known]
    return sorted((one for one in found if one is not None), key=lambda one: _build_sort_key(one.contract), reverse=True)


def find_consumed_version(index: LineageIndex, use: Edge, contract: int | None = None) -> str | None:
    """The contract version under which a consumer uses an asset: the one that the use states, else the only one that governs the asset.

    None if neither is known. `use`: a CONSUMES edge. `contract`: the node of a contract that governs the asset, for a use that
    names no contract.
    """
    stated = use.attributes.get("version")
    if isinstance(stated, str):
        return stated
    name = use.attributes.get("contract")
    if isinstance(name, str):
        contract = index.assets.find_by_key(build_contract_key(name))
    if contract is None:
        return None
    dataset = index.assets.get_dataset(use.end) if index.assets.get_kind(use.end) is AssetKind.COLUMN else use.end
    governs = index.ownership.list_edges(contract, EdgeType.GOVERNS)
    found = {str(edge.attributes.get("version", "")) for edge in governs if edge.end == dataset} or {
        str(edge.attributes.get("version", "")) for edge in governs
    }
    return (found.pop() or None) if len(found) == 1 else None


def _build_version(identifier: str, version: str, rows: Sequence[FactRow]) -> Version | None:
    if not rows:
        return None
    merged: dict[str, Json] = {}
    for row in rows:
        merged.setdefault(row.attribute, row.value)
    strongest = next((row for row in rows if row.attribute == "version"), rows[0])
    contract = build_contract(identifier, {**merged, "version": version})
    return Version(contract, strongest.source, strongest.scope_id, max(row.observed_at for row in rows))


def _build_sort_key(contract: Contract) -> tuple[int, object]:
    """Ascending: versions that are not in force, deprecated ones, active ones; the older first within each."""
    standing = 0 if not contract.is_in_force else 1 if contract.status.strip().lower() == "deprecated" else 2
    return standing, parse_version(contract.version)
