"""Lists in other orders than by name, and the lists of tags and namespaces, against what is counted one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.index import Direction, LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKind, EdgeType, Facts, Statement, build_dataset_key, build_job_key
from meshline.graph.queries import asset_lists
from meshline.graph.queries.asset_lists import ListOrder, NamespaceCount, TagCount, is_listed, list_assets, list_namespaces, list_tags
from meshline.graph.queries.assets import find_last_observed
from meshline.graph.queries.pages import SortKey
from meshline.graph.queries.search import Scope, search_assets
from tests.index.heads import Fold, build_statement, state_drop, state_merge, state_schema, to_key
from tests.index.strategies import any_statement, columns, datasets, draw_lists, times
from tests.queries import mesh
from tests.sizes import count_examples

compute = asset_lists._compute_order_values
KINDS = (AssetKind.DATASET, AssetKind.JOB, AssetKind.DATA_PRODUCT, AssetKind.DOMAIN)
tags = st.lists(st.sampled_from(("pii", "pii=email", "PII", "gold", "=", "a=b=c")), max_size=3)
tagged = st.builds(
    lambda name, found, at, scope: build_statement(Facts(assets=(AssetFact(to_key(name), {"tags": found}),)), ("tags", str(scope)), at),
    st.one_of(datasets, columns),
    tags,
    times,
    st.integers(0, 4),
)


def list_all(index: LineageIndex, kind: AssetKind, order: ListOrder, size: int) -> list[int]:
    """All pages."""
    found: list[int] = []
    after: SortKey | None = None
    while True:
        page = list_assets(index, kind, order=order, first=size, after=after)
        found += [entry.node for entry in page.entries]
        if not page.has_next:
            return found
        after = page.entries[-1].key


def count_by_steps(index: LineageIndex, kind: AssetKind, node: int) -> int:
    """The datasets outside an asset that are one flow away, by a traversal from each of its datasets."""
    if kind is AssetKind.JOB:
        return len({edge.end for edge in index.ownership.list_edges(node, EdgeType.WRITES)})

    def find_group(dataset: int) -> int | None:
        if kind is AssetKind.DATASET:
            return dataset
        return index.ownership.find_product(dataset) if kind is AssetKind.DATA_PRODUCT else index.ownership.find_domain(dataset)

    def find_dataset(end: int) -> int:
        return index.assets.get_dataset(end) if index.assets.get_kind(end) is AssetKind.COLUMN else end

    everything = {index.assets.find_by_key(build_dataset_key("db", name)) for name in "abcde"} - {None}
    reached: set[int] = set()
    for dataset in (one for one in everything if one is not None and find_group(one) == node):
        flows = index.lineage.traverse([dataset], Direction.DOWNSTREAM, depth=1).list_flows()
        reached |= {find_dataset(flow.end) for flow in flows if find_dataset(flow.start) == dataset}
    return len({one for one in reached if find_group(one) != node})


@given(draw_lists(any_statement), st.sampled_from((None, 6)), st.integers(1, 3))
@settings(max_examples=count_examples(60), deadline=None)
def test_lists_are_sorted_by_what_each_asset_has_and_pages_neither_skip_nor_repeat(
    statements: list[Statement], as_of: int | None, size: int
) -> None:
    fold = Fold()
    fold.add(*statements)
    index = fold.build_index(as_of)
    for kind in KINDS:
        by_name = list_all(index, kind, ListOrder.NAME, size)
        times = {node: find_last_observed(index, node) for node in by_name}
        observed = {node: -1 if time is None else time for node, time in times.items()}  # 0 is a time, too
        assert list_all(index, kind, ListOrder.LAST_OBSERVED, size) == sorted(by_name, key=lambda node: -observed[node])
        counted = {node: count_by_steps(index, kind, node) for node in by_name}
        assert list_all(index, kind, ListOrder.DEPENDANTS, size) == sorted(by_name, key=lambda node: -counted[node])


def test_an_edge_that_is_not_visible_is_no_observation_of_its_ends() -> None:
    """That a dataset is the same as one which was dropped later: `lastObserved` and the order by it had differed."""
    fold = Fold()
    fold.add(state_schema("b", "x", at=1), state_merge("a", "b", at=2), state_drop("a", 2))
    index = fold.build_index()
    node = index.assets.find_by_key(to_key("b"))
    assert node is not None
    assert find_last_observed(index, node) == index.changes.compute_last_observed()[node]


@given(draw_lists(st.one_of(tagged, tagged, any_statement)))
@settings(max_examples=count_examples(60), deadline=None)
def test_tags_and_namespaces_are_counted_by_asset(statements: list[Statement]) -> None:
    fold = Fold()
    fold.add(*statements)
    index = fold.build_index()
    keys = [to_key(name) for name in (*"abcde", *(f"{of}.{column}" for of in "abcde" for column in ("x", "X", "y", "straße", "STRASSE")))]
    nodes = {node for key in keys if (node := index.assets.find_by_key(key)) is not None}
    expected: dict[str, int] = {}
    for node in nodes:
        for tag in index.assets.list_tags(node):
            expected[tag] = expected.get(tag, 0) + 1
    found = list_tags(index)
    assert {tag.key if tag.value is None else f"{tag.key}={tag.value}": tag.assets for tag in found} == expected
    assert [(tag.key,) if tag.value is None else (tag.key, tag.value) for tag in found] == sorted(
        (key,) if not equals else (key, value) for key, equals, value in (text.partition("=") for text in expected)
    )
    listed = {kind: sum(is_listed(index, node) for node in index.assets.list_of_kind(kind)) for kind in (AssetKind.DATASET, AssetKind.JOB)}
    spaces = list_namespaces(index)
    assert sum(one.datasets for one in spaces) == listed[AssetKind.DATASET]
    assert sum(one.jobs for one in spaces) == listed[AssetKind.JOB]


def test_tags_namespaces_and_orders_of_the_mesh(graph: LiveGraph) -> None:
    assert list_tags(graph.index) == [TagCount("class", "secret", 1), TagCount("gdpr", None, 1), TagCount("pii", None, 1)]
    assert list_namespaces(graph.index) == [
        NamespaceCount("airflow", 0, 3),
        NamespaceCount("pg", 1, 0),
        NamespaceCount("wh", 3, 0),
    ]
    mesh.commit_statements(graph, mesh.build_schema_statement(mesh.REVENUE, "day", "total", at=mesh.START + 1000 * mesh.SECOND))
    page = list_assets(graph.index, AssetKind.DATASET, order=ListOrder.LAST_OBSERVED, first=1)
    assert mesh.list_names(graph, (entry.node for entry in page.entries)) == ["wh/fin.revenue"]


def test_only_products_are_sorted_by_health(graph: LiveGraph) -> None:
    with pytest.raises(InvalidInput, match="HEALTH"):
        list_assets(graph.index, AssetKind.DATASET, order=ListOrder.HEALTH, first=1)


@pytest.mark.parametrize("kind", [AssetKind.OWNER, AssetKind.CONSUMER, AssetKind.CONTRACT])
def test_kinds_without_data_have_no_dependants(graph: LiveGraph, kind: AssetKind) -> None:
    with pytest.raises(InvalidInput, match="DEPENDANTS"):
        list_assets(graph.index, kind, order=ListOrder.DEPENDANTS, first=1)


def test_an_order_is_computed_again_after_a_commit(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then."""
    computed: list[object] = []

    def count_and_compute(index: LineageIndex, *asked: Any) -> object:
        computed.append(asked)
        return compute(index, *asked)

    monkeypatch.setattr(asset_lists, "_compute_order_values", count_and_compute)

    def list_names() -> list[str]:
        page = list_assets(graph.index, AssetKind.DATASET, order=ListOrder.LAST_OBSERVED, first=2)
        page = list_assets(graph.index, AssetKind.DATASET, order=ListOrder.LAST_OBSERVED, first=1, after=page.entries[0].key)
        return mesh.list_names(graph, (entry.node for entry in page.entries))

    before = list_names()
    assert list_names() == before
    assert len(computed) == 1
    for at, of in enumerate((mesh.ORDERS, mesh.REVENUE), start=1000):
        mesh.commit_statements(graph, mesh.build_schema_statement(of, "day", at=mesh.START + at * mesh.SECOND))
    assert list_names() == ["wh/sales.orders"] != before
    assert len(computed) == 2


def test_a_search_in_the_past_finds_what_was_true_then(graph: LiveGraph) -> None:
    later = mesh.START + 10
    mesh.commit_statements(
        graph,
        mesh.build_asset_statement(mesh.REPORT, source="catalog/late", at=later, description="quarterly numbers", tags=["gold"]),
        mesh.build_schema_statement(build_dataset_key("wh", "fin.later"), "total", at=later),
        mesh.build_edge_statement(EdgeType.PART_OF, build_job_key("airflow", "later"), mesh.LOAD),
    )

    def search_at(at: int, text: str, tag: str | None = None) -> list[str]:
        found = search_assets(graph, graph.get_index(at), text, Scope(tag=tag), first=50)
        return mesh.list_names(graph, (entry.node for entry in found.page.entries))

    assert search_at(later, "quarterly") == search_at(later, "", "gold") == search_at(later, "report", "GOLD") == ["wh/fin.report"]
    assert search_at(later - 1, "quarterly") == search_at(later - 1, "", "gold") == []
    assert search_at(later - 1, "fin report")[0] == "wh/fin.report"
    assert search_at(later - 1, "", "class=secret") == ["pg/shop.customers.email"]
    assert search_at(later, "fin later")[:2] == ["wh/fin.later", "wh/fin.later.total"]
    assert not any("later" in name for name in search_at(later - 1, "fin later"))
