"""The example mesh as its catalogs, contracts and products describe it, and its state in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest import mesh
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text, build_proposal
from meshline.ingest.changes.graph_state import build_graph_state
from meshline.ingest.sources.base import Source
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.reading_loader import load_reading

EXAMPLE = Path(__file__).parents[3] / "examples" / "mesh"
SOURCES = ("iceberg", "delta", "contract", "product", "sql")

Ask: TypeAlias = Callable[..., Proposal]


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGraph]:
    path = EXAMPLE / "mesh.yaml"
    read = mesh.parse_mesh_file(mesh.read_mesh_file(path), str(path), strict=True)
    store = SqliteStore(str(tmp_path_factory.mktemp("known") / "mesh.db"))
    graph = LiveGraph.open(store)
    naming = read.naming.build_naming() if read.naming is not None else Naming()
    mesh.load_mesh(graph, read, naming, 1)
    for configured in read.sources:
        source = configured.source
        if source.kind in SOURCES and isinstance(source, Source):
            load_reading(graph, source.read(build_context(graph, naming, EXAMPLE, source.source, read.namespaces)), 2, strict=True)
    yield graph
    store.close()


@pytest.fixture(scope="package")
def naming() -> Naming:
    path = EXAMPLE / "mesh.yaml"
    read = mesh.parse_mesh_file(mesh.read_mesh_file(path), str(path), strict=True)
    assert read.naming is not None
    return read.naming.build_naming()


@pytest.fixture(scope="package")
def known(live: LiveGraph, naming: Naming) -> GraphState:
    read = mesh.parse_mesh_file(mesh.read_mesh_file(EXAMPLE / "mesh.yaml"), "mesh.yaml", strict=True)
    return build_graph_state(live, naming, build_context(live, naming, EXAMPLE, "person/check", read.namespaces))


@pytest.fixture(scope="package")
def ask(known: GraphState) -> Ask:
    """Propose texts: `ask(kind, after, before=..., option=...)`; a path is a file of the example."""

    def ask_proposal(
        kind: str, after: str | bytes | Path | None, *, before: str | bytes | Path | None = None, file: str = "new", **options: str
    ) -> Proposal:
        return build_proposal(ChangeInput(kind, read_text(before, "old"), read_text(after, file), options), known)

    return ask_proposal


def read_text(given: str | bytes | Path | None, file: str) -> Text | None:
    if isinstance(given, Path):
        return Text(given.as_posix(), (EXAMPLE / given).read_bytes())
    return None if given is None else Text(file, given.encode() if isinstance(given, str) else given)
