"""Which assets a viewer sees: what each selector chooses, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, EdgeType, build_column_key, build_contract_key, build_dataset_key, build_job_key
from meshline.graph.queries.selection import Selector, SelectorKind, find_selected
from meshline.graph.queries.visibility import Rights, Ruling, compute_permitted, compute_visible
from tests.queries import mesh

DAY = 86_400 * mesh.SECOND
FREE, ARCHIVE = build_dataset_key("lake", "free"), build_dataset_key("lake", "archive")
COPY = build_job_key("dbt", "copy")
WHOLE, PART = build_job_key("airflow", "dag"), mesh.SUM


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    found = mesh.build_graph(
        *mesh.build_mesh(),
        mesh.build_schema_statement(FREE, "a", "b"),
        mesh.build_asset_statement(FREE, tags=["Level=Public"]),
        mesh.build_run_statement(COPY, [FREE], ARCHIVE),
        mesh.build_edge_statement(EdgeType.PART_OF, PART, WHOLE),
    )
    yield found
    found.store.close()


def parse_selectors(texts: Iterable[str]) -> frozenset[Selector]:
    return frozenset(Selector(SelectorKind(text.partition(":")[0]), text.partition(":")[2]) for text in texts)


def build_rights(granted: str = "", restricted: str = "", owners: str = "") -> Rights:
    return Rights(parse_selectors(granted.split()), parse_selectors(restricted.split()), frozenset(owners.split()))


def list_visible(graph: LiveGraph, rights: Rights) -> set[str]:
    """The last parts of the names of all visible assets."""
    index, visible = graph.index, compute_visible(graph.index, rights)
    return {index.assets.get_key(node).name for node in range(len(visible)) if visible[node] and index.assets.is_visible(node)}


ORDERS = {"sales.orders", "id", "email_hash", "total", "day", "load_orders", "campaign"}
REVENUE = {"fin.revenue", "day", "total", "sum_revenue", "dag", "dashboard", "revenue-v1"}


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (build_rights(), set()),
        (build_rights("domain:commerce"), {"commerce", "orders", *ORDERS, "team:shop"}),
        (build_rights("product:revenue"), {"company", "finance", "revenue", *REVENUE, "team:finance"}),
        (build_rights("domain:company"), {"company", "finance", "revenue", *REVENUE, "team:finance"}),
        (build_rights("namespace:lake"), {"lake", "free", "a", "b", "archive", "copy"}),
        (build_rights("namespace:l*e", "tag:level=pub*"), {"archive", "copy"}),
        (build_rights("tag:level"), {"free", "a", "b"}),
        (build_rights("tag:LEVEL=public"), {"free", "a", "b"}),
        (build_rights("tag:level=pub"), set()),
        (build_rights("tag:public"), set()),
        (build_rights(owners="team:shop"), {"commerce", "orders", *ORDERS, "team:shop"}),
        (build_rights(owners="team:shop", restricted="domain:commerce"), {"team:shop"}),
        (build_rights(owners="stranger"), set()),
        (build_rights("domain:commerce", restricted="product:orders"), {"commerce", "team:shop"}),
    ],
)
def test_what_rights_choose(graph: LiveGraph, rights: Rights, expected: set[str]) -> None:
    assert list_visible(graph, rights) - {"lake"} == expected - {"lake"}


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (build_rights(), set()),
        (build_rights("domain:commerce"), {"commerce", "orders", *ORDERS, "team:shop"}),
        (build_rights("product:orders"), {"orders", *ORDERS}),
        (build_rights("product:orders", restricted="tag:pii"), {"orders", *ORDERS}),
        (build_rights(owners="team:shop", restricted="product:orders"), {"commerce", "team:shop"}),
        (build_rights("namespace:lake"), {"free", "a", "b", "archive", "copy"}),
    ],
)
def test_what_something_may_be_done_with(graph: LiveGraph, rights: Rights, expected: set[str]) -> None:
    index, found = graph.index, compute_permitted(graph.index, rights)
    assert {index.assets.get_key(node).name for node in range(len(found)) if found[node] and index.assets.is_visible(node)} == expected


FROZEN = frozenset([Selector(SelectorKind.TAG, "frozen")])
COMMERCE = frozenset([Selector(SelectorKind.DOMAIN, "commerce")])


def test_what_rulings_forbid(graph: LiveGraph) -> None:
    """Of jobs and owners: those of what is forbidden, those with a tag of their own, and those of nothing if that is forbidden."""
    idle = build_job_key("airflow", "idle")
    mesh.commit_statements(
        graph, mesh.build_asset_statement(idle, description="x"), mesh.build_asset_statement(mesh.LOAD, source="mesh/tags", tags=["frozen"])
    )
    everything = build_rights("everything")
    tagged = everything._replace(forbids=frozenset([Ruling((FROZEN,), b"\0\1")]))
    assert list_visible(graph, everything) - list_visible(graph, tagged) == {"load_orders"}
    others = everything._replace(forbids=frozenset([Ruling((COMMERCE,), b"\1\0")]))
    assert list_visible(graph, others) == {"commerce", "orders", *ORDERS, "team:shop"}
    both = everything._replace(forbids=frozenset([Ruling((COMMERCE, FROZEN), b"\1\0\1\1")]))
    assert list_visible(graph, both) == {"commerce", "orders", *ORDERS, "team:shop"}
    assert list_visible(graph, everything._replace(forbids=frozenset([Ruling((), b"\1")]))) == set()


def test_a_restricted_tag_hides_a_column_and_what_would_describe_it(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph, mesh.build_edge_statement(EdgeType.GOVERNS, build_contract_key("people"), mesh.CUSTOMERS, status="active")
    )
    everything = list_visible(graph, build_rights("everything"))
    some = list_visible(graph, build_rights("everything", "tag:pii"))
    assert everything - some == {"email", "people", "ann"}
    assert {"shop.customers", "load_orders"} <= some
    index = RestrictedIndex(graph.index, compute_visible(graph.index, build_rights("everything", "tag:pii")))
    customers, load = index.assets.find_by_key(mesh.CUSTOMERS), index.assets.find_by_key(mesh.LOAD)
    assert customers is not None
    assert load is not None
    assert [index.assets.get_column_name(column) for column in index.assets.list_columns(customers)] == ["id", "name"]
    assert index.is_partly_hidden(load)
    assert index.assets.find_by_key(mesh.EMAIL) is None
    counted = {kind: index.count_of_kind(kind) for kind in KINDS}
    assert counted == {kind: len(index.assets.list_of_kind(kind)) for kind in KINDS}
    assert counted[mesh.EMAIL.kind] == graph.index.count_of_kind(mesh.EMAIL.kind) - 1


def test_what_is_hidden_now_is_hidden_then(graph: LiveGraph) -> None:
    """FREE belongs to the orders until it is moved into the revenue's product."""
    later = mesh.START + 10 * DAY
    mesh.commit_statements(graph, mesh.build_asset_statement(mesh.ORDERS_PRODUCT, source="mesh/members", members=["lake/*"]))
    then = graph.get_index(mesh.START + DAY)
    mesh.commit_statements(
        graph,
        mesh.build_asset_statement(mesh.ORDERS_PRODUCT, source="mesh/members", at=later, members=["none/*"]),
        mesh.build_asset_statement(mesh.REVENUE_PRODUCT, source="mesh/members", at=later, members=["lake/*"]),
    )
    column = build_column_key(FREE, "a")

    def is_shown(rights: Rights) -> list[bool]:
        now = graph.index, compute_visible(graph.index, rights)
        past = compute_visible(then, rights, now)
        alone = compute_visible(then, rights)
        nodes = [then.assets.find_by_key(key) for key in (FREE, column)]
        return [bool(visible[node]) for visible in (alone, past) for node in nodes if node is not None]

    assert is_shown(build_rights("product:orders")) == [True, True, False, False]
    assert is_shown(build_rights("product:revenue")) == [False] * 4  # rights of now, and the graph of then
    assert is_shown(build_rights("everything")) == [True] * 4
    mesh.commit_statements(graph, mesh.build_asset_statement(column, source="mesh/tags", at=later, tags=["pii"]))
    assert is_shown(build_rights("everything", "tag:pii")) == [True, True, True, False]


@pytest.mark.parametrize(
    ("selector", "chooses"),
    [
        ("domain:commerce", True),
        ("domain:Commerce", False),
        ("tag:pii", True),
        ("tag:pi", False),
        ("namespace:w?", True),
        ("product:none", False),
    ],
)
def test_whether_a_selector_chooses_anything(graph: LiveGraph, selector: str, *, chooses: bool) -> None:
    (one,) = parse_selectors([selector])
    assert find_selected(graph.index, one) is chooses
