from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from meshline.graph.index import Direction, Reach, Truncated
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeType, build_column_key, build_contract_key, build_dataset_key, build_owner_key
from meshline.graph.queries.impact import Impact, ImpactFilter, ImpactOrder, compute_impact
from meshline.graph.queries.impact_paths import ImpactPaths
from meshline.graph.queries.impact_recipients import NoticeReason, list_notices
from meshline.graph.queries.pages import Limits, SortKey
from tests.queries import mesh

TOTAL = build_column_key(mesh.REVENUE, "total")


def compute_impact_of(graph: LiveGraph, *starts: AssetKey, direction: Direction = Direction.DOWNSTREAM) -> Impact:
    return compute_impact(graph.index, [mesh.get_node(graph, start) for start in starts], direction)


def list_reached(found: Impact, wanted: ImpactFilter | None = None, order: ImpactOrder = ImpactOrder.REACH) -> list[tuple[str, str, int]]:
    page = found.build_page(wanted or ImpactFilter(), order, first=1000)
    assert page.total == len(page.entries)
    return [(found.index.assets.get_key(entry.node).qualified_name, entry.reach.name, entry.distance) for entry in page.entries]


def test_a_column(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, mesh.EMAIL)
    assert list_reached(found, ImpactFilter(kinds=[AssetKind.COLUMN])) == [
        ("wh/sales.orders.email_hash", "DIRECT", 1),
        ("wh/fin.revenue.total", "DIRECT", 2),
    ]
    datasets = list_reached(found, ImpactFilter(kinds=[AssetKind.DATASET]))
    assert datasets == [("wh/sales.orders", "DIRECT", 1), ("wh/fin.revenue", "DIRECT", 2), ("wh/fin.report", "POSSIBLE", 3)]
    assert list_reached(found, ImpactFilter(kinds=[AssetKind.CONSUMER])) == [("campaign", "DIRECT", 1), ("dashboard", "POSSIBLE", 2)]
    assert found.completeness.possible_only == 1


def test_a_filter_reaches_all_columns(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, build_column_key(mesh.CUSTOMERS, "name"))
    columns = list_reached(found, ImpactFilter(kinds=[AssetKind.COLUMN], reach=[Reach.INDIRECT]))
    assert [name for name, *_ in columns] == [
        "wh/sales.orders.day",
        "wh/sales.orders.email_hash",
        "wh/sales.orders.id",
        "wh/sales.orders.total",
        "wh/fin.revenue.day",
        "wh/fin.revenue.total",
    ]


def test_masked(graph: LiveGraph) -> None:
    page = compute_impact_of(graph, mesh.EMAIL).build_page(ImpactFilter(kinds=[AssetKind.COLUMN], masked=True), first=10)
    assert len(page.entries) == 2
    assert all(entry.masked for entry in page.entries)
    assert compute_impact_of(graph, mesh.HASH).build_page(ImpactFilter(masked=True), first=10).total == 0


def test_provenance(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, TOTAL, direction=Direction.UPSTREAM)
    assert list_reached(found, ImpactFilter(kinds=[AssetKind.COLUMN])) == [
        ("wh/sales.orders.email_hash", "DIRECT", 1),
        ("wh/sales.orders.total", "DIRECT", 1),
        ("pg/shop.customers.email", "DIRECT", 2),
        ("pg/shop.customers.name", "INDIRECT", 2),
    ]


def test_counts_add_up(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, mesh.CUSTOMERS)
    for counts in (found.count_by_kind(), found.count_by_reach(), found.count_by_domain(), found.count_by_product()):
        assert sum(count.size for count in counts) == found.total == len(list_reached(found))
    kinds = {count.key: count.size for count in found.count_by_kind()}
    for kind in AssetKind:
        assert kinds.get(kind, 0) == len(list_reached(found, ImpactFilter(kinds=[kind])))
    for reach in Reach:
        assert {c.key: c.size for c in found.count_by_reach()}.get(reach.name, 0) == len(list_reached(found, ImpactFilter(reach=[reach])))
    for count in found.count_by_product():
        assert count.node is None or len(list_reached(found, ImpactFilter(product=count.node))) == count.size
    for count in found.count_by_owner():
        assert count.node is None or len(list_reached(found, ImpactFilter(owner=count.node))) == count.size
    assert {count.label: count.size for count in found.count_by_owner()}["team:finance"] == 4  # the product, its dataset and both columns


def test_who_may_read_what_is_affected(graph: LiveGraph) -> None:
    """A dataset or column counts for each who may read it or some of it; the counts are those that a look at each asset finds."""
    rights = {
        "ann": [mesh.ORDERS, build_column_key(mesh.ORDERS, "total")],
        "bob": [build_column_key(mesh.ORDERS, "email_hash")],
        "eve": [mesh.CUSTOMERS],
    }
    for name, ends in rights.items():
        for end in ends:
            mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.MAY_READ, build_owner_key(name), end, f"ranger/{end.name}"))
    index = graph.index
    found = compute_impact_of(graph, mesh.CUSTOMERS)
    expected: Counter[str] = Counter()
    for node in found.affected.nodes.tolist():
        kind = index.assets.get_kind(node)
        if kind not in (AssetKind.DATASET, AssetKind.COLUMN):
            continue
        near = [node, *(index.assets.list_columns(node) if kind is AssetKind.DATASET else [index.assets.get_dataset(node)])]
        edges = [edge for one in near for edge in index.ownership.list_edges(one, EdgeType.MAY_READ, incoming=True)]
        readers = {index.assets.get_key(edge.start).name for edge in edges}
        expected.update(readers or {"no stated grant"})
    counts = found.count_by_reader()
    assert {count.label: count.size for count in counts} == dict(expected)
    assert (expected["ann"], expected["bob"], "eve" in expected) == (
        1 + len(index.assets.list_columns(mesh.get_node(graph, mesh.ORDERS))),
        2,
        False,
    )
    for count in counts:
        assert count.node is None or len(list_reached(found, ImpactFilter(reader=count.node))) == count.size


def test_a_domain_contains_the_domains_below(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, mesh.CUSTOMERS)
    in_company = list_reached(found, ImpactFilter(domain=mesh.get_node(graph, mesh.COMPANY)))
    assert {name for name, *_ in in_company} >= {"finance", "revenue", "wh/fin.revenue", "wh/fin.revenue.day"}


@pytest.mark.parametrize("order", list(ImpactOrder))
@pytest.mark.parametrize("size", [1, 2, 7])
def test_pages_are_the_whole_in_order(graph: LiveGraph, order: ImpactOrder, size: int) -> None:
    found = compute_impact_of(graph, mesh.CUSTOMERS)
    whole = found.build_page(ImpactFilter(), order, first=1000).entries
    assert [entry.key for entry in whole] == sorted(entry.key for entry in whole)
    assert len({entry.node for entry in whole}) == len(whole) == found.total
    seen: list[int] = []
    after: SortKey | None = None
    while True:
        page = found.build_page(ImpactFilter(), order, first=size, after=after)
        seen += [entry.node for entry in page.entries]
        if not page.has_next:
            break
        after = page.entries[-1].key
    assert seen == [entry.node for entry in whole]


def test_names_order(graph: LiveGraph) -> None:
    names = [name for name, *_ in list_reached(compute_impact_of(graph, mesh.EMAIL), order=ImpactOrder.NAME)]
    assert names == sorted(names)


def test_nothing_affected(graph: LiveGraph) -> None:
    found = (
        compute_impact_of(graph, build_column_key(mesh.REPORT, "x"))
        if graph.index.assets.find_by_key(build_column_key(mesh.REPORT, "x"))
        else compute_impact_of(graph, mesh.REPORT)
    )
    assert list_reached(found, ImpactFilter(kinds=[AssetKind.COLUMN])) == []
    assert found.build_page(first=0).entries == ()


def test_limits_are_reported(graph: LiveGraph) -> None:
    found = compute_impact(graph.index, [mesh.get_node(graph, mesh.CUSTOMERS)], limits=Limits(nodes=1))
    assert found.completeness.truncated is Truncated.NODES
    shallow = compute_impact(graph.index, [mesh.get_node(graph, mesh.CUSTOMERS)], depth=1)
    assert shallow.completeness.truncated is Truncated.DEPTH


def list_recipients(found: Impact) -> dict[tuple[str, str], tuple[str, list[str]]]:
    name = found.index.assets.get_key
    return {
        (notice.reason, name(notice.recipient).name): (notice.reach.name, [name(node).qualified_name for node in notice.assets])
        for notice in list_notices(found)
    }


def test_recipients(graph: LiveGraph) -> None:
    found = list_recipients(compute_impact_of(graph, mesh.EMAIL))
    assert found["CONSUMES", "campaign"] == ("DIRECT", ["wh/sales.orders.email_hash"])
    assert found["CONSUMES", "dashboard"] == ("POSSIBLE", ["wh/fin.revenue"])
    assert found["OWNS", "team:finance"][0] == "DIRECT"
    assert set(found["OWNS", "team:finance"][1]) == {"wh/fin.revenue", "revenue"}
    assert set(found["OWNS", "team:shop"][1]) == {"wh/sales.orders", "orders"}
    assert ("OWNS", "ann") not in found


def test_the_owner_of_a_column_is_notified(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.OWNS, mesh.ANN, TOTAL, type="steward"))
    assert list_recipients(compute_impact_of(graph, mesh.EMAIL))["OWNS", "ann"] == ("DIRECT", ["wh/fin.revenue.total"])
    why = next(
        notice.why
        for notice in list_notices(compute_impact_of(graph, mesh.EMAIL))
        if notice.reason is NoticeReason.OWNS and "total" in notice.why
    )
    assert why == "owns wh/fin.revenue.total"


def build_path_to(found: Impact, key: AssetKey) -> list[tuple[str | None, str]]:
    node = found.index.assets.find_by_key(key)
    assert node is not None
    return [(step.edge, found.index.assets.get_key(step.node).qualified_name) for step in ImpactPaths(found).build_path(node)]


def test_the_path_to_an_affected_asset(graph: LiveGraph) -> None:
    found = compute_impact_of(graph, mesh.EMAIL)
    start = [(None, "pg/shop.customers.email"), ("FLOWS_TO", "wh/sales.orders.email_hash")]
    assert build_path_to(found, mesh.HASH) == start
    assert build_path_to(found, TOTAL) == [*start, ("FLOWS_TO", "wh/fin.revenue.total")]
    assert build_path_to(found, mesh.CAMPAIGN) == [*start, ("CONSUMES", "campaign")]
    assert build_path_to(found, mesh.REVENUE) == [*start, ("FLOWS_TO", "wh/fin.revenue.total"), ("HAS_COLUMN", "wh/fin.revenue")]
    assert build_path_to(found, mesh.DASHBOARD)[-1] == ("CONSUMES", "dashboard")
    assert build_path_to(found, mesh.REVENUE_PRODUCT)[-1] == ("PORT", "revenue")
    assert build_path_to(found, mesh.FINANCE)[-1] == ("PART_OF", "finance")
    assert build_path_to(found, mesh.REPORT)[-1] == ("FLOWS_TO", "wh/fin.report")


@pytest.mark.parametrize("start", [None, build_contract_key("revenue-v1"), mesh.SHOP_TEAM, mesh.ANN], ids=str)
def test_every_affected_asset_has_a_path(graph: LiveGraph, start: AssetKey | None) -> None:
    for direction in Direction:
        starts: Sequence[AssetKey] = [start or (mesh.CUSTOMERS if direction is Direction.DOWNSTREAM else mesh.REPORT)]
        found = compute_impact_of(graph, *starts, direction=direction)
        assert found.total
        via = ImpactPaths(found)
        for entry in found.build_page(first=1000).entries:
            steps = via.build_path(entry.node)
            assert steps, found.index.assets.get_key(entry.node)
            assert steps[0].edge is None
            end = steps[-1] if direction is Direction.DOWNSTREAM else steps[0]
            assert end.node == entry.node


def test_a_dataset_that_no_source_describes(graph: LiveGraph) -> None:
    unknown = build_dataset_key("wh", "nowhere")
    mesh.commit_statements(graph, mesh.build_run_statement(mesh.LOAD, [unknown], mesh.CUSTOMERS, covered=False))
    found = compute_impact_of(graph, unknown)
    assert found.completeness.undescribed >= 1
    assert found.completeness.possible_only >= 1
