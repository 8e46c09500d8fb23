from __future__ import annotations

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_dataset_key
from meshline.graph.queries.assets import Attributes, find_last_observed, read_aliases, read_attributes
from tests.queries import mesh


def read_asset(graph: LiveGraph, key: AssetKey) -> Attributes:
    return read_attributes(graph, graph.index, [mesh.get_node(graph, key)])[0]


def test_the_stronger_source_is_shown_and_all_are_kept(graph: LiveGraph) -> None:
    email = read_asset(graph, mesh.EMAIL)
    assert email.find_text("description") == "Where the customer is written to"
    rows = [(row.source, row.value, row.chosen) for row in email.rows if row.attribute == "description"]
    assert rows == [(mesh.MESH, "Where the customer is written to", True), (mesh.LINEAGE, "from a producer", False)]


def test_tags_are_united(graph: LiveGraph) -> None:
    assert [(tag.key, tag.value) for tag in read_asset(graph, mesh.EMAIL).tags] == [("class", "secret"), ("gdpr", None), ("pii", None)]


def test_unknown_attributes_are_nothing(graph: LiveGraph) -> None:
    report = read_asset(graph, mesh.REPORT)
    assert (report.find_text("description"), report.find_value("x"), report.tags) == (None, None, ())


def test_many_at_once_come_in_order(graph: LiveGraph) -> None:
    keys = [mesh.ORDERS, mesh.EMAIL, mesh.REPORT, mesh.EMAIL]
    found = read_attributes(graph, graph.index, [mesh.get_node(graph, key) for key in keys])
    assert [part.find_text("description") for part in found] == [
        "One row for each order",
        "Where the customer is written to",
        None,
        "Where the customer is written to",
    ]


def test_last_observed(graph: LiveGraph) -> None:
    assert find_last_observed(graph.index, mesh.get_node(graph, mesh.EMAIL)) == mesh.START + mesh.SECOND
    assert find_last_observed(graph.index, mesh.get_node(graph, mesh.ORDERS)) == mesh.START


def test_aliases_have_a_reason(graph: LiveGraph) -> None:
    path = build_dataset_key("s3://lake", "orders")
    mesh.commit_statements(
        graph,
        mesh.build_edge_statement(EdgeType.SAME_AS, path, mesh.ORDERS, at=mesh.START + 5, why="location"),
        mesh.build_asset_statement(mesh.ORDERS, source="openlineage/x", spelling=["WH", "sales.orders"]),
    )
    (found,) = read_aliases(graph, graph.index, [mesh.get_node(graph, mesh.ORDERS)], [read_asset(graph, mesh.ORDERS)])
    assert [alias[:5] for alias in found] == [
        ("WH", "sales.orders", "spelling", "openlineage/x", mesh.START),
        ("s3://lake", "orders", "location", mesh.MESH, mesh.START + 5),
    ]
