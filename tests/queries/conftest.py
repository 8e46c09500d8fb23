from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.graph.live_graph import LiveGraph
from tests.queries import mesh


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    found = mesh.build_graph(*mesh.build_mesh())
    yield found
    found.store.close()
