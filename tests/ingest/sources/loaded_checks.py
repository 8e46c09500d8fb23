"""Sources of check results, loaded into a graph in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, Json
from meshline.graph.naming import Naming
from meshline.graph.queries.quality import Result, read_latest
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.base import Source
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.reading_loader import Loading, load_reading
from meshline.ingest.sources.registry import build_source

CORPUS = Path(os.environ.get("MESHLINE_CORPUS", "."))
needs_corpus = pytest.mark.skipif("MESHLINE_CORPUS" not in os.environ, reason="MESHLINE_CORPUS is not set")
NOW = 1_800_000_000_000_000  # when it is loaded


def open_graph() -> LiveGraph:
    return LiveGraph.open(SqliteStore())


def load_files(live: LiveGraph, kind: str, folder: Path, *paths: str, at: int = NOW, strict: bool = False, **options: Json) -> Loading:
    """Load files of one kind; the outcome."""
    source = build_source({"kind": kind, "files": list[Json](paths), "complete": False, **options})
    assert isinstance(source, Source)
    return load_reading(live, source.read(build_context(live, Naming(), folder, source.source)), at, strict=strict)


def read_checks(live: LiveGraph, dataset: AssetKey) -> dict[str, Result]:
    """The checks of a dataset by name, those of columns as `column: name`."""
    node = live.index.assets.find_by_key(dataset)
    assert node is not None, dataset
    (results,) = read_latest(live, live.index, [node])
    return {format_check_name(live, result): result for result in results}


def format_check_name(live: LiveGraph, result: Result) -> str:
    return result.name if result.asset == result.dataset else f"{live.index.assets.get_key(result.asset).name}: {result.name}"


def list_outcomes(found: Mapping[str, Result]) -> dict[str, str]:
    return {name: str(result.outcome) for name, result in found.items()}


def list_refusals(loading: Loading) -> Sequence[str]:
    return [str(error) for error in loading.refused]
