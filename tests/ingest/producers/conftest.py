"""The graph of what a producer recorded: each file has a fixture `events` with its recording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.graph.live_graph import LiveGraph
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import Event
from tests.ingest.producers.recordings import ask_graph, open_graph


@pytest.fixture(scope="module")
def graph(events: list[Event]) -> Iterator[LiveGraph]:
    with open_graph(events) as live:
        yield live


@pytest.fixture(scope="module")
def ask(graph: LiveGraph) -> AskGraph:
    return ask_graph(graph)
