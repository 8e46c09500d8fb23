from __future__ import annotations

from collections.abc import Sequence

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeType, build_column_key, build_contract_key, build_owner_key
from meshline.graph.queries.coverage import compute_coverage
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.impact_recipients import list_notices
from meshline.graph.queries.owned_assets import count_orphans, count_owned, list_orphans, list_owned
from meshline.graph.queries.pages import SortKey
from tests.queries import mesh


def list_owned_names(graph: LiveGraph, owner: AssetKey, *, inherited: bool = True, kinds: Sequence[AssetKind] = ()) -> list[str]:
    node = mesh.get_node(graph, owner)
    page = list_owned(graph.index, node, inherited=inherited, kinds=kinds, first=100)
    assert len(page.entries) == count_owned(graph.index, node, inherited=inherited, kinds=kinds)
    return mesh.list_names(graph, (entry.node for entry in page.entries))


def test_owned_by(graph: LiveGraph) -> None:
    assert list_owned_names(graph, mesh.SHOP_TEAM, inherited=False) == ["commerce"]
    assert list_owned_names(graph, mesh.SHOP_TEAM) == [
        "commerce",
        "orders",
        "wh/sales.orders",
        "wh/sales.orders.day",
        "wh/sales.orders.email_hash",
        "wh/sales.orders.id",
        "wh/sales.orders.total",
    ]
    assert list_owned_names(graph, mesh.FINANCE_TEAM, kinds=[AssetKind.DATA_PRODUCT, AssetKind.DATASET]) == ["revenue", "wh/fin.revenue"]
    assert list_owned_names(graph, mesh.ANN) == ["pg/shop.customers.email"]


def test_the_nearest_level_wins(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.OWNS, mesh.ANN, mesh.ORDERS, type="technical"))
    assert "wh/sales.orders" not in list_owned_names(graph, mesh.SHOP_TEAM)
    assert "wh/sales.orders.day" in list_owned_names(graph, mesh.ANN)


def test_a_contract_in_force_lends_its_owner_to_what_it_governs() -> None:
    keeper, promise = build_owner_key("keeper"), build_contract_key("orders-v1")
    graph = mesh.build_graph(
        mesh.build_schema_statement(mesh.ORDERS, "id", "total"),
        mesh.build_schema_statement(mesh.REPORT, "total"),
        mesh.build_run_statement(
            mesh.SUM,
            [mesh.ORDERS],
            mesh.REPORT,
            mesh.build_flow(build_column_key(mesh.ORDERS, "total"), build_column_key(mesh.REPORT, "total")),
        ),
        mesh.build_edge_statement(EdgeType.OWNS, keeper, promise, type="technical"),
        mesh.build_edge_statement(EdgeType.GOVERNS, promise, mesh.REPORT, status="active"),
    )
    everything = ["wh/fin.report", "wh/fin.report.total", "orders-v1"]
    assert list_owned_names(graph, keeper) == everything
    assert list_owned_names(graph, keeper, inherited=False) == ["orders-v1"]
    orphaned = list_orphans(graph.index, kinds=[AssetKind.DATASET], first=9).entries
    assert mesh.list_names(graph, (entry.node for entry in orphaned)) == ["wh/sales.orders"]
    assert compute_coverage(graph.index).total.owned == 1
    notices = list_notices(compute_impact(graph.index, [mesh.get_node(graph, mesh.ORDERS)]))
    assert [(notice.reason, notice.why) for notice in notices] == [("OWNS", "owns wh/fin.report (by contract orders-v1), orders-v1")]

    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.GOVERNS, promise, mesh.REPORT, at=mesh.START + 1, status="retired"))
    assert list_owned_names(graph, keeper) == ["orders-v1"]
    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.GOVERNS, promise, mesh.REPORT, at=mesh.START + 2, status="deprecated"))
    assert list_owned_names(graph, keeper) == everything, "a deprecated contract is in force"
    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.OWNS, mesh.ANN, mesh.REPORT, type="technical"))
    assert list_owned_names(graph, keeper) == ["orders-v1"]


def test_orphans(graph: LiveGraph) -> None:
    def list_orphan_names(kinds: Sequence[AssetKind], first: int = 100, after: SortKey | None = None) -> list[str]:
        return mesh.list_names(graph, (e.node for e in list_orphans(graph.index, kinds=kinds, first=first, after=after).entries))

    assert list_orphan_names([AssetKind.DATASET]) == ["pg/shop.customers", "wh/fin.report"]
    assert list_orphan_names([AssetKind.DATASET, AssetKind.DOMAIN]) == ["company", "finance", "pg/shop.customers", "wh/fin.report"]
    everything = list_orphan_names([])
    assert "pg/shop.customers.email" not in everything
    assert "pg/shop.customers.name" in everything
    assert count_orphans(graph.index, []) == len(everything)
    seen: list[str] = []
    after: SortKey | None = None
    while len(seen) < len(everything):
        page = list_orphans(graph.index, kinds=[], first=3, after=after)
        seen += mesh.list_names(graph, (entry.node for entry in page.entries))
        after = page.entries[-1].key
    assert seen == everything


def test_owners_own_nothing_of_themselves(graph: LiveGraph) -> None:
    assert list_orphans(graph.index, kinds=[AssetKind.OWNER], first=10).entries == ()
