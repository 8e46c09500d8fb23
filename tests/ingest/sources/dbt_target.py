"""Target folders of dbt, real ones and such as a test writes, and what a reading of them finds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meshline.errors import InvalidInput
from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKey, EdgeFact, EdgeType, Facts, Flow, Json, Scope
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Entry, Refusal
from meshline.ingest.sources.dbt.source import Dbt

CORPUS = os.environ.get("MESHLINE_CORPUS")
needs_corpus = pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set")
RECORDED = Path(CORPUS or "") / "recorded"
EXAMPLE = Path(__file__).parents[3] / "examples" / "mesh"

SHOP = "duckdb:///warehouse/shop.duckdb"
PG = "postgres://db:5433"

Facets = dict[str, Any]


class TargetReading(NamedTuple):
    """The results of one reading, each content as facts."""

    facts: dict[Scope, Facts]
    times: dict[Scope, int | None]
    unchanged: set[Scope]
    refused: list[Refusal]
    warnings: list[str]
    memory: dict[str, str]

    @property
    def messages(self) -> list[str]:
        return [str(one.error) for one in self.refused]

    def find_attributes(self, key: AssetKey) -> dict[str, Json]:
        return {name: value for facts in self.facts.values() for of, stated in facts.assets if of == key for name, value in stated.items()}

    def list_edges(self, type_: EdgeType) -> list[EdgeFact]:
        return [edge for facts in self.facts.values() for edge in facts.edges if edge.type is type_]

    def list_columns(self, dataset: AssetKey) -> list[str]:
        """In order."""
        edges = [edge for edge in self.list_edges(EdgeType.HAS_COLUMN) if edge.start == dataset]
        return [edge.end.name for edge in sorted(edges, key=lambda edge: int(str(edge.attributes["position"])))]

    def list_flows(self, end: AssetKey) -> list[Flow]:
        """Into a dataset and its columns."""
        return [flow for facts in self.facts.values() for flow in facts.flows if flow.end.parts[:2] == end.parts]


def read_target(path: Path, context: Context | None = None, **options: Any) -> TargetReading:
    """All statements of a target folder."""
    options = {"namespace": PG, **options}
    reading = Dbt(path=path, **options).read(context or Context(Naming(), path))
    stated: dict[Scope, Facts] = {}
    times: dict[Scope, int | None] = {}
    unchanged: set[Scope] = set()
    refused: list[Refusal] = []
    for one in reading.items:
        if isinstance(one, Entry):
            assert one.scope not in stated, one.scope
            stated[one.scope], times[one.scope] = decode_facts(one.content.blob), one.time
        elif isinstance(one, Refusal):
            refused.append(one)
        else:
            unchanged.add(one.scope)
    assert reading.complete
    assert reading.remember is not None
    return TargetReading(stated, times, unchanged, refused, list(reading.warnings), dict(reading.remember()))


def read_again(path: Path, before: TargetReading, **options: Any) -> TargetReading:
    """The next reading of a folder."""
    return read_target(path, Context(Naming(), path, memory=before.memory), **options)


def build_model_node(name: str, sql: str | None = None, reads: tuple[str, ...] = (), **more: Any) -> Facets:
    """An entry of `nodes`; `reads`: unique ids."""
    return {
        "resource_type": "model",
        "name": name,
        "alias": name,
        "package_name": "shop",
        "database": "db",
        "schema": "marts",
        "relation_name": f'"db"."marts"."{name}"',
        "original_file_path": f"models/{name}.sql",
        "checksum": {"name": "sha256", "checksum": name},
        "config": {"materialized": "table"},
        "depends_on": {"nodes": list(reads)},
        "compiled_code": sql,
        **more,
    }


def build_source_node(name: str, **more: Any) -> Facets:
    """An entry of `sources`."""
    return {
        "resource_type": "source",
        "source_name": "raw",
        "name": name,
        "identifier": name,
        "package_name": "shop",
        "database": "db",
        "schema": "raw",
        "relation_name": f'"db"."raw"."{name}"',
        **more,
    }


def build_manifest(nodes: Mapping[str, Any], **sections: Any) -> Facets:
    metadata = {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
        "generated_at": "2026-03-08T02:00:00Z",
        "project_name": "shop",
        "adapter_type": "postgres",
    }
    return {"metadata": metadata, "nodes": dict(nodes), **sections}


def build_catalog(**tables: tuple[str, ...]) -> Facets:
    """catalog.json of tables and their columns; names with a dot are those of sources."""
    listings = {
        name: {
            "metadata": {"type": "BASE TABLE"},
            "columns": {c: {"name": c, "type": "text", "index": i} for i, c in enumerate(columns, 1)},
        }
        for name, columns in tables.items()
    }
    return {"metadata": {}, "nodes": listings, "sources": {}}


@pytest.fixture
def target(tmp_path: Path) -> Callable[..., Path]:
    """Writes artifacts: `target(manifest=..., catalog=...)`; texts as they are, all else as JSON."""

    def write_artifacts(**artifacts: Any) -> Path:
        for name, value in artifacts.items():
            text = value if isinstance(value, str) else json.dumps(value)
            (tmp_path / f"{name}.json").write_text(text)
        return tmp_path

    return write_artifacts


def catch_error(path: Path, **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_target(path, **options)
    return str(caught.value)
