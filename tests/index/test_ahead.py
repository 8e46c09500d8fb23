"""Batches that are made one ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from meshline.errors import StoreCorrupt
from meshline.graph.batches import prefetch_batches
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.model import Content
from meshline.graph.store.base import Batch, Head
from meshline.graph.store.head_table import HeadTable
from meshline.graph.store.sqlite import SqliteStore
from tests.index.heads import build_flow, state_lineage


class Source:
    """Three batches, and where they were made and closed."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.made: list[int] = []
        self.threads: set[int] = set()

    def yield_batches(self) -> Iterator[list[int]]:
        try:
            for n in range(3):
                self.made.append(n)
                self.threads.add(threading.get_ident())
                yield [n]
            if self.fails:
                raise StoreCorrupt("no more")
        finally:
            self.threads.add(threading.get_ident())
            self.made.append(-1)


def test_all_batches_come_in_order() -> None:
    assert list(prefetch_batches(Source().yield_batches())) == [[0], [1], [2]]
    assert list(prefetch_batches([])) == []


def test_an_error_comes_after_what_came_before_it() -> None:
    coming = prefetch_batches(Source(fails=True).yield_batches())
    assert [next(coming), next(coming), next(coming)] == [[0], [1], [2]]
    with pytest.raises(StoreCorrupt, match="no more"):
        next(coming)


def test_one_is_made_ahead_and_the_source_is_closed_where_it_ran() -> None:
    source = Source()
    coming = prefetch_batches(source.yield_batches())
    assert next(coming) == [0]
    coming.close()
    assert source.made == [0, 1, -1]
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads


@pytest.mark.parametrize("bytes_", [b"\x00", b"\x95\x90"])
def test_a_store_in_memory_goes_on_after_a_content_that_cannot_be_read(bytes_: bytes) -> None:
    store = SqliteStore()
    store.commit(lambda _: Batch(statements=[state_lineage(build_flow("a.x", "b.x"))]))

    def iterate_damaged_heads() -> Iterator[list[Head]]:
        for heads in store.iterate_heads():
            yield [head._replace(content=Content(bytes(16), bytes_)) for head in heads]

    with pytest.raises(StoreCorrupt):
        LineageIndex.load(iterate_damaged_heads(), 1)
    assert store.commit(lambda _: Batch(statements=[state_lineage(build_flow("b.x", "c.x"), scope="two")])).revision == 2
    store.close()


def test_a_table_of_heads_gives_the_heads() -> None:
    store = SqliteStore()
    store.commit(
        lambda _: Batch(statements=[state_lineage(build_flow("a.x", "b.x")), state_lineage(build_flow("b.x", "ç.x"), scope="two")])
    )
    (table,) = store.iterate_heads()
    assert isinstance(table, HeadTable)
    heads = list(table)
    assert heads == list(store.read_heads([head.scope_id for head in heads]))
    assert (len(table), table[1], table[-1:]) == (2, heads[1], heads[-1:])
    again = HeadTable.from_heads([*heads, heads[0]._replace(scope_id=3, content=None)])
    assert list(again) == heads
    assert list(HeadTable.from_heads([])) == []
    assert table.share == 1
    store.close()
