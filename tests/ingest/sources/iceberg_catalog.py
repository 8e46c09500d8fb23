"""A real Iceberg REST catalog for tests, and what they do with it."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyiceberg.catalog import Catalog, load_catalog

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.iceberg.source import Iceberg
from meshline.ingest.sources.reading_loader import Loading, load_reading

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "servers" / "iceberg_rest.py"

LOCAL_FILES = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}  # or pyiceberg warns that it has no pyarrow


class Server(NamedTuple):
    url: str
    warehouse: Path
    process: subprocess.Popen[str]

    def open_client(self) -> Catalog:
        """pyiceberg, as a person would use it."""
        return load_catalog("lake", **{"type": "rest", "uri": self.url, **LOCAL_FILES})


@contextmanager
def run_catalog(home: Path) -> Iterator[Server]:
    """Run a catalog; a missing requirement is a failure, not a skip."""
    with subprocess.Popen([sys.executable, str(SCRIPT), str(home)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                pytest.fail("no Iceberg REST catalog can be had: see above", pytrace=False)
            yield Server(url, home / "warehouse", process)
        finally:
            process.terminate()


def sync_catalog(graph: LiveGraph, source: Iceberg, folder: Path = Path()) -> Loading:
    context = build_context(graph, Naming(), folder, source.source)
    return load_reading(graph, source.read(context._replace(variables=os.environ.get)), get_current_micros())


def count_outcomes(loading: Loading) -> tuple[int, int, int, int, int]:
    """New, changed, unchanged, retracted, refused."""
    return loading.new, loading.changed, loading.unchanged, loading.retracted, len(loading.refused)


def read_shown_attributes(graph: LiveGraph, key: AssetKey) -> dict[str, Any]:
    """The shown attributes of an asset, by name."""
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None, f"there is no {key}"
        return {row.attribute: row.value for row in graph.read_facts(graph.index, [node])[node] if row.chosen}


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """pyiceberg deprecates some of what it does itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
