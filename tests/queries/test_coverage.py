from __future__ import annotations

from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.coverage import CoverageCounts, compute_coverage
from tests.queries import mesh


def test_coverage(graph: LiveGraph) -> None:
    found = compute_coverage(graph.index)
    assert found.total == CoverageCounts(datasets=4, described=3, owned=2, with_lineage=3, with_column_lineage=2)
    by_domain = {None if part.domain is None else graph.index.assets.get_key(part.domain).name: part.covered for part in found.by_domain}
    assert by_domain == {
        "commerce": CoverageCounts(1, 1, 1, 1, 1),
        "finance": CoverageCounts(1, 1, 1, 1, 1),
        None: CoverageCounts(2, 1, 0, 1, 0),
    }
    assert {part.source: part.covered.datasets for part in found.by_source} == {mesh.LINEAGE: 4, mesh.MESH: 3}


def test_of_nothing() -> None:
    graph = mesh.build_graph()
    assert compute_coverage(graph.index) == (CoverageCounts(), (), ())
    graph.store.close()
