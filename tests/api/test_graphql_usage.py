"""Who really read assets, in GraphQL: for a caller who sees all, and for one who sees a part."""

from __future__ import annotations

from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Statement,
    build_column_key,
    build_dataset_key,
    from_micros,
)
from meshline.graph.usage import DATASET_READS, FIRST_READ, LAST_READ, READS, USAGE, USAGE_WINDOW, WINDOWS
from tests.api.conftest import AskGraph
from tests.queries import mesh

TOTAL, HASH = build_column_key(mesh.ORDERS, "total"), mesh.HASH
DAY = 86_400 * mesh.SECOND
READ = "{ count firstRead lastRead }"


def build_month(month: int, *reads: tuple[AssetKey, AssetKey, int], whole: int = 0) -> Statement:
    """`reads`: consumer, asset, how often. `whole`: how often each reader read the dataset."""
    at = mesh.START + 30 * DAY * month
    edges = tuple(
        EdgeFact(EdgeType.CONSUMES, reader, asset, {READS: often, FIRST_READ: at, LAST_READ: at + DAY, DATASET_READS: whole or often})
        for reader, asset, often in reads
    )
    return mesh.build_statement("usage/test", (USAGE, *mesh.ORDERS.parts, f"{month}"), Facts(edges=edges))


def format_time(month: int, days: int = 0) -> str:
    return from_micros(mesh.START + 30 * DAY * month + days * DAY).isoformat()


def commit_usage(ask: AskGraph) -> AskGraph:
    window: Json = [{"from": mesh.START, "to": mesh.START + 90 * DAY, "columns": True}, "damaged", {"from": "x", "to": 1}]
    windows = Facts(assets=(AssetFact(mesh.ORDERS, {WINDOWS: window}),))
    mesh.commit_statements(
        ask.graph,
        build_month(0, (mesh.CAMPAIGN, TOTAL, 3), (mesh.CAMPAIGN, HASH, 4), whole=5),
        build_month(2, (mesh.CAMPAIGN, TOTAL, 10), (mesh.DASHBOARD, mesh.ORDERS, 2)),
        mesh.build_statement("usage/test", (USAGE_WINDOW, *mesh.ORDERS.parts), windows),
    )
    return ask


def test_usage_of_a_dataset_and_of_a_column(ask: AskGraph) -> None:
    fields = f"usage {{ readers reads {READ} windows {{ since until columns source }} }}"
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Dataset {{ {fields} }} ... on Column {{ ofColumn: {fields} }} }} }}"
    assert ask(query, id=mesh.ORDERS.id)["node"]["usage"] is None
    found = commit_usage(ask)(query, id=mesh.ORDERS.id)["node"]["usage"]
    windows = [{"since": format_time(0), "until": format_time(3), "columns": True, "source": "usage/test"}]
    assert found == {
        "readers": 2,
        "reads": {"count": 5 + 10 + 2, "firstRead": format_time(0), "lastRead": format_time(2, 1)},
        "windows": windows,
    }
    assert ask(query, id=TOTAL.id)["node"]["ofColumn"] == {
        "readers": 1,
        "reads": {"count": 13, "firstRead": format_time(0), "lastRead": format_time(2, 1)},
        "windows": windows,
    }
    day = build_column_key(mesh.REVENUE, "day")
    assert ask(query, id=day.id)["node"]["ofColumn"] is None


def test_months_are_one_use_beside_what_people_state(ask: AskGraph) -> None:
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Consumer {{ consumes {{ asset {{ name }} source reads {READ} }} }} }} }}"
    before = {one["asset"]["name"]: one["reads"] for one in ask(query, id=mesh.CAMPAIGN.id)["node"]["consumes"]}
    assert set(before.values()) == {None}
    found = commit_usage(ask)(query, id=mesh.CAMPAIGN.id)["node"]["consumes"]
    seen = {one["asset"]["name"]: one["reads"]["count"] for one in found if one["reads"]}
    assert seen == {"total": 13, "email_hash": 4}
    assert len(found) == len(before) + 2
    consumers = "query($id: ID!) { node(id: $id) { ... on Column { consumers { consumer { name } reads { count } } } } }"
    of_total = ask(consumers, id=TOTAL.id)["node"]["consumers"]
    assert {"consumer": {"name": "campaign"}, "reads": {"count": 13}} in of_total


def test_who_is_notified_is_shown_with_the_last_read(ask: AskGraph) -> None:
    query = f"query($of: [ID!]!) {{ impact(of: $of) {{ notify {{ reason recipient {{ name }} reads {READ} }} }} }}"
    found = commit_usage(ask)(query, of=[TOTAL.id])["impact"]["notify"]
    reads = {one["recipient"]["name"]: one["reads"] for one in found if one["reason"] == "CONSUMES"}
    assert reads["campaign"] == {"count": 13, "firstRead": format_time(0), "lastRead": format_time(2, 1)}
    assert all(one["reads"] is None for one in found if one["reason"] == "OWNS")


def test_a_search_places_what_more_consumers_read_first(ask: AskGraph) -> None:
    one, other = (build_dataset_key("wh", f"{name}.invoices") for name in "ab")
    mesh.commit_statements(ask.graph, mesh.build_schema_statement(one, "x"), mesh.build_schema_statement(other, "x"))
    query = '{ search(text: "invoices", kinds: [DATASET]) { nodes { name } } }'
    assert [found["name"] for found in ask(query)["search"]["nodes"]] == ["a.invoices", "b.invoices"]
    edge = EdgeFact(EdgeType.CONSUMES, mesh.CAMPAIGN, build_column_key(other, "x"), {READS: 1, FIRST_READ: 1, LAST_READ: 1})
    mesh.commit_statements(ask.graph, mesh.build_statement("usage/test", (USAGE, *other.parts, "1"), Facts(edges=(edge,))))
    assert [found["name"] for found in ask(query)["search"]["nodes"]] == ["b.invoices", "a.invoices"]
