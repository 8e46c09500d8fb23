"""A mesh of drawn statements, and the answers by which two meshes are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from meshline.app.exchange.mesh_state import MeshState
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Direction
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeFact, EdgeType, Facts, Statement, build_owner_key
from meshline.graph.store.base import Batch
from meshline.graph.store.factory import open_store
from tests.index.heads import build_statement, to_dataset
from tests.index.strategies import builds, datasets, lineages, merges, models, outputs, partings, producers, schemas, times
from tests.index.test_laws import Answer, collect_answer

KINDS = (AssetKind.DATASET, AssetKind.COLUMN)
# Statements of a mesh. Left out are replaced queries and catalogs: columns of the former, and columns that a catalog does not list, remain
# in the graph although nothing flows there any more or no list shows them.
described = schemas.filter(lambda one: not one.source.startswith("iceberg"))
owned = st.builds(
    lambda who, of, type_, at: build_statement(
        Facts(edges=(EdgeFact(EdgeType.OWNS, build_owner_key(who), to_dataset(of), {"type": type_}),)), ("owner", who, of), at
    ),
    st.sampled_from(("ann@x", "team:core", "user:bob")),
    datasets,
    st.sampled_from(("technical", "steward", "sponsor")),
    times,
)
statements = st.one_of(
    lineages, lineages, outputs, outputs, producers, models, builds, described, described, merges, merges, partings, owned
)


def build_graph(statements: Iterable[Statement]) -> LiveGraph:
    """A graph in memory."""
    graph = LiveGraph.open(open_store("sqlite://"))
    graph.commit(lambda _: Batch(statements=tuple(statements)))
    return graph


def read_state(graph: LiveGraph) -> MeshState:
    return MeshState(graph, graph.index)


def list_assets(index: LineageIndex) -> list[AssetKey]:
    """The shown names of the datasets and columns that some source describes, or that a flow which is followed leads to or from."""
    found = {asset.shown for asset in index.dump().assets}
    kept = {key for key in found if key.kind in KINDS and not is_inferred(index, key)}
    return sorted({*kept, *(row[0] for key in found if key.kind in KINDS for row in collect_answer(index, key, Direction.DOWNSTREAM))})


def is_inferred(index: LineageIndex, key: AssetKey) -> bool:
    """Whether only flows mention the asset."""
    node = index.assets.find_by_key(key)
    assert node is not None
    return index.assets.is_inferred(node)


def collect_reached(index: LineageIndex, keys: Sequence[AssetKey]) -> dict[AssetKey, Answer]:
    """What each of these assets reaches downstream: by which reach, at which distance, masked or not."""
    return {key: collect_answer(index, key, Direction.DOWNSTREAM) for key in keys}


def collect_owners(index: LineageIndex, keys: Sequence[AssetKey]) -> dict[AssetKey, set[tuple[str, str]]]:
    """The owners of the datasets, by name and type."""
    found = {}
    for key in keys:
        node = index.assets.find_by_key(key)
        assert node is not None
        owners = index.ownership.list_direct_owners(node) if key.kind is AssetKind.DATASET else []
        found[key] = {(index.assets.get_key(one.owner).name, one.type) for one in owners}
    return found
