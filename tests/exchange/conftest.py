"""The example mesh as a graph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.factory import open_store


@pytest.fixture(scope="session")
def example_graph(example: str) -> Iterator[LiveGraph]:
    store = open_store(example)
    yield LiveGraph.open(store)
    store.close()
