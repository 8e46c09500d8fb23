"""`mayRead` of datasets, columns and owners, for callers who see everything and for others."""

from __future__ import annotations

from typing import Any

from meshline.graph.model import EdgeType, build_column_key, build_dataset_key, build_owner_key
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import Rights, compute_visible
from tests.api.conftest import AskGraph
from tests.queries import mesh
from tests.queries.mesh import build_asset_statement, build_edge_statement

QUERY = """query($of: ID!) { node(id: $of) {
  ... on Dataset { mayRead(first: 2) { totalCount nodes { principal { name title } asset { name } grant rowFilter masked source } pageInfo
    { hasNextPage endCursor } } }
  ... on Column { mayRead { totalCount nodes { principal { name title } asset { name } grant rowFilter masked source } } }
  ... on Owner { mayRead { totalCount nodes { asset { name } grant } } }
} }"""
ROLE = build_owner_key("postgres://db/reporting")
ANN = build_owner_key("ann@example.com")


def state_rights(ask: AskGraph) -> None:
    mesh.commit_statements(
        ask.graph,
        build_asset_statement(ROLE, title="reporting", owner_type="role"),
        build_edge_statement(EdgeType.MAY_READ, ROLE, mesh.ORDERS, "postgres/shop", grant="PUBLIC", row_filter=True),
        build_edge_statement(EdgeType.MAY_READ, ANN, build_column_key(mesh.ORDERS, "email"), "postgres/shop", masked=True),
        build_edge_statement(EdgeType.MAY_READ, build_owner_key("zoe"), mesh.ORDERS, "postgres/shop"),
    )


def ask_of(ask: AskGraph, of: Any) -> Any:
    return ask(QUERY, of=of.id)["node"]["mayRead"]


def test_of_datasets_columns_and_owners(ask: AskGraph) -> None:
    state_rights(ask)
    found = ask_of(ask, mesh.ORDERS)
    assert found["totalCount"] == 3
    assert found["pageInfo"]["hasNextPage"]
    ann = {
        "principal": {"name": "ann@example.com", "title": None},
        "asset": {"name": "email"},
        "grant": None,
        "rowFilter": False,
        "masked": True,
        "source": "postgres/shop",
    }
    role = {
        "principal": {"name": "postgres://db/reporting", "title": "reporting"},
        "asset": {"name": mesh.ORDERS.name},
        "grant": "PUBLIC",
        "rowFilter": True,
        "masked": False,
        "source": "postgres/shop",
    }
    assert found["nodes"] == [ann, role]
    of_column = ask_of(ask, build_column_key(mesh.ORDERS, "email"))
    assert [one["principal"]["name"] for one in of_column["nodes"]] == ["ann@example.com", "postgres://db/reporting", "zoe"]
    of_other = ask_of(ask, build_column_key(mesh.ORDERS, "total"))
    assert [one["principal"]["name"] for one in of_other["nodes"]] == ["postgres://db/reporting", "zoe"]
    assert ask_of(ask, ROLE) == {"totalCount": 1, "nodes": [{"asset": {"name": mesh.ORDERS.name}, "grant": "PUBLIC"}]}


def test_a_right_makes_no_dataset_and_nothing_follows_it(ask: AskGraph) -> None:
    """Who may read is no consumer: impact and ownership are as before."""
    before = ask("query($of: ID!) { impact(of: [$of]) { total byKind { key count } } }", of=mesh.EMAIL.id)
    state_rights(ask)
    unknown = build_dataset_key("wh", "only.granted")
    mesh.commit_statements(ask.graph, build_edge_statement(EdgeType.MAY_READ, ROLE, unknown, "postgres/shop"))
    assert ask("query($of: ID!) { impact(of: [$of]) { total byKind { key count } } }", of=mesh.EMAIL.id) == before
    names = [one["name"] for one in ask("{ datasets(first: 100) { nodes { name } } }")["datasets"]["nodes"]]
    assert "only.granted" not in names


def test_who_does_not_see_a_principal_does_not_see_its_rights(ask: AskGraph) -> None:
    """An owner is visible by what it owns, not by what it may read."""
    state_rights(ask)
    index = ask.graph.index
    rights = Rights(frozenset({Selector(SelectorKind.NAMESPACE, "*")}), frozenset(), frozenset())
    visible = compute_visible(index, rights)
    nodes = [index.assets.find_by_key(key) for key in (mesh.ORDERS, ROLE)]
    assert None not in nodes
    assert [bool(visible[node]) for node in nodes if node is not None] == [True, False]
