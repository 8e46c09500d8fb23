"""Loads a source of consumers from files or an address, and asks which consumers a column reaches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import SourceConfig
from meshline.ingest.sources.registry import get_source_class
from meshline.ingest.sources.sync import SyncOutcome, sync_source
from meshline.ingest.sources.target import LocalTarget
from tests.api.conftest import AskGraph

IMPACT = """query($of: [ID!]!) { impact(of: $of) { assets(kinds: [CONSUMER, COLUMN, JOB], first: 200) {
    nodes { reach node { id kind name qualifiedName } } } } }"""


def sync_files(live: LiveGraph, kind: str, folder: Path, document: object, **keys: object) -> SyncOutcome:
    """Load one file. `document`: as bytes, or what becomes JSON."""
    (folder / f"{kind}.json").write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return sync_keys(live, kind, folder, {}, files=[f"{kind}.json"], **keys)


def sync_keys(live: LiveGraph, kind: str, folder: Path, variables: dict[str, str], **keys: object) -> SyncOutcome:
    source: SourceConfig = get_source_class(kind).model_validate(keys)
    return sync_source(LocalTarget(live, Naming()), source, folder, variables=variables.get)


def list_warnings(done: SyncOutcome) -> list[str]:
    assert done.error is None, done.error
    assert done.loading is not None
    return [str(warning) for warning in done.loading.warnings]


def list_refusals(done: SyncOutcome) -> list[str]:
    assert done.loading is not None, done.error
    return [str(refusal) for refusal in done.loading.refused]


def find_reached(live: LiveGraph, namespace: str, table: str, column: str = "", kind: str = "CONSUMER") -> dict[str, str]:
    """The assets of a kind that a column (or a whole dataset) reaches, with their reach."""
    dataset = build_dataset_key(namespace, table)
    key = build_column_key(dataset, column) if column else dataset
    found: list[dict[str, Any]] = AskGraph(live)(IMPACT, of=[key.id])["impact"]["assets"]["nodes"]
    name = "qualifiedName" if kind == "COLUMN" else "name"
    return {one["node"][name]: one["reach"] for one in found if one["node"]["kind"] == kind}


def read_facts(live: LiveGraph, id_: str) -> tuple[dict[str, Any], list[str]]:
    """The attributes of an asset, and its owners."""
    query = "query($id: ID!) { node(id: $id) { facts { attribute value } owners { owner { name } } } }"
    found: dict[str, Any] = AskGraph(live)(query, id=id_)["node"]
    return {fact["attribute"]: fact["value"] for fact in found["facts"]}, [owned["owner"]["name"] for owned in found["owners"]]
