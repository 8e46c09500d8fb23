"""Cursors."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, build_dataset_key
from meshline.graph.queries.asset_lists import Filter, count_assets, list_assets, list_columns
from meshline.graph.queries.pages import SortKey, decode_cursor, encode_cursor
from tests.queries import mesh


@given(st.lists(st.integers(-(2**40), 2**40)), st.lists(st.text()))
def test_cursors_come_back(numbers: list[int], names: list[str]) -> None:
    key = SortKey(tuple(numbers), tuple(names))
    assert decode_cursor(encode_cursor(key, "ds_1"), len(numbers)) == key


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(cursor, 1)


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = encode_cursor(SortKey((1, 2), ("a",)), "ds_1")
    with pytest.raises(InvalidInput, match="no cursor of this list"):
        decode_cursor(cursor, 1)


def list_page_names(graph: LiveGraph, first: int, after: SortKey | None = None) -> tuple[list[str], SortKey | None]:
    page = list_assets(graph.index, AssetKind.DATASET, first=first, after=after)
    return mesh.list_names(graph, (entry.node for entry in page.entries)), page.entries[-1].key if page.has_next else None


def test_pages_are_stable_under_writes(graph: LiveGraph) -> None:
    first, after = list_page_names(graph, 2)
    assert first == ["pg/shop.customers", "wh/fin.report"]
    mesh.commit_statements(
        graph,
        mesh.build_schema_statement(build_dataset_key("aa", "earlier"), "x"),
        mesh.build_schema_statement(build_dataset_key("wh", "fin.revenue.a"), "x"),
    )
    second, after = list_page_names(graph, 2, after)
    assert second == ["wh/fin.revenue", "wh/fin.revenue.a"]
    rest, after = list_page_names(graph, 2, after)
    assert (rest, after) == (["wh/sales.orders"], None)


def test_the_entry_of_the_cursor_may_be_gone(graph: LiveGraph) -> None:
    _, after = list_page_names(graph, 2)
    mesh.commit_statements(
        graph, mesh.build_retraction(mesh.LINEAGE, mesh.build_run_statement(mesh.SEND, [], mesh.REPORT).scope, mesh.START + 1)
    )
    assert list_page_names(graph, 5, after)[0] == ["wh/fin.revenue", "wh/sales.orders"]


def test_names_that_look_alike_are_all_listed() -> None:
    keys = [
        build_dataset_key("a/b", "c"),
        build_dataset_key("a", "b/c"),
        build_dataset_key("a-b", "x"),
        build_dataset_key("a", "y"),
        build_dataset_key("A", "y"),
    ]
    graph = mesh.build_graph(*(mesh.build_schema_statement(key, "x") for key in keys))
    seen: list[str] = []
    after: SortKey | None = None
    while True:
        page = list_assets(graph.index, AssetKind.DATASET, first=1, after=after)
        seen += [graph.index.assets.get_key(entry.node).id for entry in page.entries]
        if not page.has_next:
            break
        after = page.entries[-1].key
    assert sorted(seen) == sorted(key.id for key in keys)
    graph.store.close()


def test_filters(graph: LiveGraph) -> None:
    def list_filtered_names(wanted: Filter) -> list[str]:
        page = list_assets(graph.index, AssetKind.DATASET, wanted, first=10)
        assert count_assets(graph.index, AssetKind.DATASET, wanted) == len(page.entries)
        return mesh.list_names(graph, (entry.node for entry in page.entries))

    assert list_filtered_names(Filter(text="FIN.")) == ["wh/fin.report", "wh/fin.revenue"]
    assert list_filtered_names(Filter(namespace="pg")) == ["pg/shop.customers"]
    assert list_filtered_names(Filter(domain=mesh.get_node(graph, mesh.FINANCE))) == ["wh/fin.revenue"]
    assert list_filtered_names(Filter(domain=mesh.get_node(graph, mesh.COMPANY))) == ["wh/fin.revenue"]
    assert list_filtered_names(Filter(product=mesh.get_node(graph, mesh.ORDERS_PRODUCT))) == ["wh/sales.orders"]
    assert list_filtered_names(Filter(owner=mesh.get_node(graph, mesh.SHOP_TEAM))) == ["wh/sales.orders"]
    assert list_filtered_names(Filter(described=False)) == ["wh/fin.report"]
    assert list_filtered_names(Filter(text="fin", described=True)) == ["wh/fin.revenue"]


def test_columns_come_by_position(graph: LiveGraph) -> None:
    orders = mesh.get_node(graph, mesh.ORDERS)
    page = list_columns(graph.index, orders, first=3)
    assert [graph.index.assets.get_key(entry.node).name for entry in page.entries] == ["id", "email_hash", "total"]
    assert page.has_next
    rest = list_columns(graph.index, orders, first=3, after=page.entries[-1].key)
    assert ([graph.index.assets.get_key(entry.node).name for entry in rest.entries], rest.has_next) == (["day"], False)
