from __future__ import annotations

import pytest

from meshline.errors import InvalidInput
from meshline.graph.index import Direction, Truncated
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Facts, build_column_key, build_dataset_key, build_job_key
from meshline.graph.queries.impact_paths import list_paths
from meshline.graph.queries.lineage import Granularity, Lineage, build_lineage
from meshline.graph.queries.lineage_users import list_job_nodes
from tests.queries import mesh


def draw_lineage(graph: LiveGraph, start: AssetKey, granularity: Granularity, direction: Direction = Direction.DOWNSTREAM) -> Lineage:
    return build_lineage(graph.index, [mesh.get_node(graph, start)], direction, granularity=granularity)


def list_nodes(graph: LiveGraph, found: Lineage) -> list[tuple[str, str, int]]:
    return [(graph.index.assets.get_key(n.node).qualified_name, n.reach.name, n.distance) for n in found.nodes]


def list_edges(graph: LiveGraph, found: Lineage) -> set[tuple[str, str, str, int]]:
    name = graph.index.assets.get_key
    return {(name(e.start).qualified_name, name(e.end).qualified_name, e.reach.name, e.flows) for e in found.edges}


def test_by_column(graph: LiveGraph) -> None:
    found = draw_lineage(graph, mesh.EMAIL, Granularity.COLUMN)
    assert list_nodes(graph, found) == [
        ("pg/shop.customers.email", "DIRECT", 0),
        ("wh/sales.orders.email_hash", "DIRECT", 1),
        ("wh/fin.revenue.total", "DIRECT", 2),
        ("wh/fin.report", "POSSIBLE", 3),
        ("wh/fin.revenue", "DIRECT", 2),  # a flow begins at it as a whole
    ]
    assert ("wh/fin.revenue", "wh/fin.report", "POSSIBLE", 1) in list_edges(graph, found)
    first = next(edge for edge in found.edges if edge.end == mesh.get_node(graph, mesh.HASH))
    assert (first.type, first.subtype, first.masking) == ("DIRECT", "TRANSFORMATION", True)
    assert mesh.list_names(graph, first.jobs) == ["airflow/load_orders"]


def test_every_node_but_the_starts_is_at_an_edge(graph: LiveGraph) -> None:
    for direction in Direction:
        for start in (mesh.EMAIL, mesh.HASH, mesh.ORDERS, mesh.REVENUE):
            found = draw_lineage(graph, start, Granularity.COLUMN, direction)
            ends = {end for edge in found.edges for end in (edge.start, edge.end)}
            datasets = {node for node in ends if graph.index.assets.get_kind(node) is AssetKind.DATASET}
            contained = {column for dataset in datasets for column in graph.index.assets.list_columns(dataset)}
            assert {node.node for node in found.nodes if not node.start} <= ends | contained


def test_by_dataset(graph: LiveGraph) -> None:
    found = draw_lineage(graph, mesh.CUSTOMERS, Granularity.DATASET)
    assert [name for name, *_ in list_nodes(graph, found)] == ["pg/shop.customers", "wh/sales.orders", "wh/fin.revenue", "wh/fin.report"]
    assert list_edges(graph, found) == {
        ("pg/shop.customers", "wh/sales.orders", "DIRECT", 3),
        ("wh/sales.orders", "wh/fin.revenue", "DIRECT", 3),
        ("wh/fin.revenue", "wh/fin.report", "POSSIBLE", 1),
    }


def test_by_product_and_domain(graph: LiveGraph) -> None:
    found = draw_lineage(graph, mesh.ORDERS, Granularity.PRODUCT)
    assert [name for name, *_ in list_nodes(graph, found)] == ["orders", "revenue"]
    assert list_edges(graph, found) == {("orders", "revenue", "DIRECT", 3)}
    assert found.ungrouped == 1
    assert list_edges(graph, draw_lineage(graph, mesh.ORDERS, Granularity.DOMAIN)) == {("commerce", "finance", "DIRECT", 3)}


def test_upstream(graph: LiveGraph) -> None:
    found = draw_lineage(graph, mesh.REVENUE, Granularity.DATASET, Direction.UPSTREAM)
    assert [name for name, *_ in list_nodes(graph, found)] == ["wh/fin.revenue", "wh/sales.orders", "pg/shop.customers"]
    assert ("wh/sales.orders", "wh/fin.revenue", "DIRECT", 3) in list_edges(graph, found)


@pytest.mark.parametrize("granularity", list(Granularity))
def test_the_limit_is_reported(graph: LiveGraph, granularity: Granularity) -> None:
    found = build_lineage(graph.index, [mesh.get_node(graph, mesh.ORDERS)], granularity=granularity, limit=1)
    assert len(found.nodes) <= 1
    assert found.completeness.truncated is Truncated.NODES
    shown = {node.node for node in found.nodes}
    assert all(edge.start in shown and edge.end in shown for edge in found.edges)


def test_a_self_edge_is_not_drawn(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph,
        mesh.build_run_statement(mesh.LOAD, [mesh.ORDERS], mesh.ORDERS, mesh.build_flow(mesh.HASH, build_column_key(mesh.ORDERS, "id"))),
    )
    for granularity in Granularity:
        found = draw_lineage(graph, mesh.ORDERS, granularity)
        assert all(edge.start != edge.end for edge in found.edges)


def list_steps(graph: LiveGraph, start: AssetKey, end: AssetKey) -> list[list[tuple[str | None, str]]]:
    found = list_paths(graph.index, mesh.get_node(graph, start), mesh.get_node(graph, end))
    return [[(step.edge, graph.index.assets.get_key(step.node).qualified_name) for step in path] for path in found]


def test_a_job_that_derives_a_column_from_itself_is_at_its_dataset(graph: LiveGraph) -> None:
    """As in an impact, where the job reads a column of the start; no flow joins that column to another drawn node."""
    key = build_dataset_key("wh", "sales.sessions")
    mesh.commit_statements(
        graph,
        mesh.build_statement(
            mesh.LINEAGE,
            ("job-output", "dbt", "dedup", *key.parts, "query"),
            Facts(
                flows=(
                    mesh.build_flow(build_column_key(key, "id"), build_column_key(key, "id"))._replace(job=build_job_key("dbt", "dedup")),
                )
            ),
            mesh.START,
        ),
    )
    start = mesh.get_node(graph, key)
    for granularity in (Granularity.COLUMN, Granularity.DATASET):
        drawing = build_lineage(graph.index, [start], Direction.DOWNSTREAM, granularity=granularity).drawing
        (job,) = list_job_nodes(drawing)
        assert (job.reads, job.writes) == ((start,), (start,))


def test_paths(graph: LiveGraph) -> None:
    assert list_steps(graph, mesh.EMAIL, build_column_key(mesh.REVENUE, "total")) == [
        [(None, "pg/shop.customers.email"), ("FLOWS_TO", "wh/sales.orders.email_hash"), ("FLOWS_TO", "wh/fin.revenue.total")]
    ]
    assert list_steps(graph, build_column_key(mesh.REVENUE, "total"), mesh.EMAIL) == []


def test_a_path_through_a_filter_shows_the_containment(graph: LiveGraph) -> None:
    found = list_steps(graph, build_column_key(mesh.CUSTOMERS, "name"), build_column_key(mesh.REVENUE, "day"))
    assert found[0] == [
        (None, "pg/shop.customers.name"),
        ("FLOWS_TO", "wh/sales.orders"),
        ("HAS_COLUMN", "wh/sales.orders.day"),
        ("FLOWS_TO", "wh/fin.revenue.day"),
    ]


def test_paths_are_between_columns_or_datasets(graph: LiveGraph) -> None:
    with pytest.raises(InvalidInput, match="a path is between columns or datasets"):
        list_steps(graph, mesh.COMMERCE, mesh.ORDERS)
    with pytest.raises(InvalidInput):
        list_paths(graph.index, mesh.get_node(graph, mesh.EMAIL), mesh.get_node(graph, mesh.HASH), first=-1)
