"""Names by their hashes: none can choose names that collide."""

from __future__ import annotations

from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetFact, Facts, build_dataset_key
from tests.index.heads import Fold, build_statement


def test_no_source_chooses_which_names_collide() -> None:
    """Hashes differ from index to index."""
    fold = Fold()
    names = [f"name{number}" for number in range(50)]
    fold.add(build_statement(Facts(assets=tuple(AssetFact(build_dataset_key("n", name), {"x": 1}) for name in names)), ("s",), 1))
    one, other = (fold.build_index() for _ in range(2))
    assert all(index.assets.find_by_key(build_dataset_key("n", name)) is not None for index in (one, other) for name in names)
    assert list_hashes(one) != list_hashes(other)


def list_hashes(index: LineageIndex) -> list[int]:
    found: list[int] = index._tables.names.hash[:50].tolist()
    return found
