"""The size of an index is that of what it shows, however it came to be."""

from __future__ import annotations

from hypothesis import given, settings

from meshline.graph.index import LineageIndex, Size
from meshline.graph.model import AssetKind, Statement
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from tests.index.strategies import any_statement, draw_lists
from tests.sizes import count_examples


def test_of_nothing() -> None:
    assert LineageIndex(0).changes.measure_size() == Size(0, 0, 0, 0)


@settings(max_examples=count_examples(60), deadline=None)
@given(draw_lists(any_statement))
def test_of_anything(stated: list[Statement]) -> None:
    store = SqliteStore()
    followed = LineageIndex(0)
    for statement in stated:
        followed.changes.apply(store.commit(lambda _, statement=statement: Batch(statements=[statement])))  # type: ignore[misc]
    dump = followed.dump()
    kinds = [member.kind for asset in dump.assets for member in asset.members]
    size = followed.changes.measure_size()
    assert size.edges == len(dump.flows)
    assert size.jobs == kinds.count(AssetKind.JOB)
    assert size == LineageIndex.load(store.iterate_heads(), store.read_revision()).changes.measure_size()
    store.close()
