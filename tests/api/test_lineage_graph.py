"""What a lineage graph states beside nodes and edges: the evidence of edges, jobs and consumers as nodes, and how many nodes there are."""

from __future__ import annotations

import pytest

from meshline.api.graphql import Bounds
from meshline.graph.model import (
    JOB_OUTPUT,
    EdgeFact,
    EdgeType,
    Facts,
    Statement,
    build_column_key,
    build_dataset_key,
    build_job_key,
    from_micros,
)
from tests.api.conftest import AskGraph
from tests.queries import mesh

DAY = 24 * 3600 * mesh.SECOND
EVIDENCE = """query($of: [ID!]!, $g: Granularity! = DATASET, $first: Int! = 5, $at: DateTime) {
  lineage(of: $of, granularity: $g, asOf: $at) { edges { from { name } to { name } stale provisional evidenceTotal
  evidence(first: $first) { source statement firstSeen lastObserved stale provisional job { name } } } } }"""
USERS = """query(
  $of: [ID!]!, $g: Granularity!, $d: Direction! = DOWNSTREAM, $reach: Reach! = POSSIBLE, $include: [LineageInclude!], $at: DateTime
) {
  lineage(of: $of, granularity: $g, direction: $d, reach: $reach, include: $include, asOf: $at) {
    nodes { asset { id name } } jobs { job { name } reads writes } consumers { consumer { name } uses } } }"""
TOTAL = """query($of: [ID!]!, $g: Granularity!, $limit: Int!) { lineage(of: $of, granularity: $g, limit: $limit) {
  nodes { start } completeness { truncated total } } }"""


def build_copy(at: int, *, version: str = "", provisional: bool = False) -> Statement:
    """Another job that copies the ids of customers into orders."""
    flow = mesh.build_flow(build_column_key(mesh.CUSTOMERS, "id"), build_column_key(mesh.ORDERS, "id"))
    stated = mesh.build_run_statement(build_job_key("airflow", "copy"), [mesh.CUSTOMERS], mesh.ORDERS, flow, at=at)
    return stated._replace(version=version, provisional=provisional)


def test_the_evidence_of_an_edge(ask: AskGraph) -> None:
    mesh.commit_statements(ask.graph, build_copy(mesh.START + DAY, provisional=True))
    edge = ask(EVIDENCE, of=[mesh.CUSTOMERS.id])["lineage"]["edges"][0]
    changes = ask.graph.index.changes
    stated = map(changes.get_scope, changes.list_scopes(mesh.get_node(ask.graph, mesh.ORDERS)))
    ids = {one.scope[2]: f"st_{one.scope_id}" for one in stated if one.scope[0] == JOB_OUTPUT}
    first, later = (from_micros(time).isoformat() for time in (mesh.START, mesh.START + DAY))
    plain = {"source": mesh.LINEAGE, "stale": False}
    assert edge == {
        "from": {"name": "shop.customers"}, "to": {"name": "sales.orders"}, "stale": False, "provisional": False, "evidenceTotal": 2,
        "evidence": [
            {**plain, "statement": ids["load_orders"], "firstSeen": first, "lastObserved": first, "provisional": False,
             "job": {"name": "load_orders"}},
            {**plain, "statement": ids["copy"], "firstSeen": later, "lastObserved": later, "provisional": True, "job": {"name": "copy"}},
        ],
    }  # fmt: skip
    short = ask(EVIDENCE, of=[mesh.CUSTOMERS.id], first=1)["lineage"]["edges"][0]
    assert ([one["job"]["name"] for one in short["evidence"]], short["evidenceTotal"]) == (["load_orders"], 2)
    before = ask(EVIDENCE, of=[mesh.CUSTOMERS.id], at=first)["lineage"]["edges"][0]
    assert [one["job"]["name"] for one in before["evidence"]] == ["load_orders"], "the copy was not known yet"


def test_an_edge_is_stale_when_the_latest_run_of_its_job_does_not_confirm_it(ask: AskGraph) -> None:
    other = mesh.build_run_statement(mesh.SEND, [mesh.REVENUE], mesh.ORDERS, at=mesh.START + DAY, covered=False)
    mesh.commit_statements(ask.graph, other._replace(version="later"))
    edges = {edge["to"]["name"]: edge for edge in ask(EVIDENCE, of=[mesh.REVENUE.id])["lineage"]["edges"]}
    assert (edges["fin.report"]["stale"], [one["stale"] for one in edges["fin.report"]["evidence"]]) == (True, [True])
    assert (edges["sales.orders"]["stale"], [one["stale"] for one in edges["sales.orders"]["evidence"]]) == (False, [False])


def test_an_edge_is_provisional_until_a_run_completes(ask: AskGraph) -> None:
    extra = build_column_key(mesh.REVENUE, "total")
    flow = mesh.build_flow(extra, build_column_key(mesh.ORDERS, "id"))
    stated = mesh.build_run_statement(build_job_key("airflow", "back"), [mesh.REVENUE], mesh.ORDERS, flow, at=mesh.START + DAY)
    mesh.commit_statements(ask.graph, stated._replace(provisional=True, version="run"))
    edges = {edge["to"]["name"]: edge for edge in ask(EVIDENCE, of=[extra.id], g="COLUMN")["lineage"]["edges"]}
    assert (edges["id"]["provisional"], edges["id"]["stale"]) == (True, False)


def test_jobs_and_consumers_as_nodes(ask: AskGraph) -> None:
    idle = Facts(edges=(EdgeFact(EdgeType.READS, build_job_key("airflow", "export"), mesh.REPORT),))
    mesh.commit_statements(ask.graph, mesh.build_statement(mesh.LINEAGE, ("job-reads", "airflow", "export"), idle, mesh.START + DAY))
    found = ask(USERS, of=[mesh.ORDERS.id], g="DATASET", include=["JOB", "CONSUMER"])["lineage"]
    names = {node["asset"]["id"]: node["asset"]["name"] for node in found["nodes"]}
    assert [(one["job"]["name"], [names[id_] for id_ in one["reads"]], [names[id_] for id_ in one["writes"]]) for one in found["jobs"]] == [
        ("export", ["fin.report"], []),
        ("send_report", ["fin.revenue"], ["fin.report"]),
        ("sum_revenue", ["sales.orders"], ["fin.revenue"]),
    ]
    assert [(one["consumer"]["name"], [names[id_] for id_ in one["uses"]]) for one in found["consumers"]] == [
        ("campaign", ["sales.orders"]),
        ("dashboard", ["fin.revenue"]),
    ]
    assert [
        one["job"]["name"] for one in ask(USERS, of=[mesh.ORDERS.id], g="DATASET", reach="DIRECT", include=["JOB"])["lineage"]["jobs"]
    ] == ["sum_revenue"]
    upstream = ask(USERS, of=[mesh.ORDERS.id], g="DATASET", d="UPSTREAM", include=["JOB"])["lineage"]
    assert [one["job"]["name"] for one in upstream["jobs"]] == ["load_orders"], "who reads orders is not upstream of it"
    earlier = ask(USERS, of=[mesh.ORDERS.id], g="DATASET", include=["JOB"], at=from_micros(mesh.START).isoformat())["lineage"]
    assert [one["job"]["name"] for one in earlier["jobs"]] == ["send_report", "sum_revenue"]


def test_a_consumer_of_a_column_that_was_not_reached_is_not_shown(ask: AskGraph) -> None:
    found = ask(USERS, of=[build_column_key(mesh.CUSTOMERS, "id").id], g="DATASET", include=["CONSUMER"], reach="DIRECT")["lineage"]
    assert "sales.orders" in {node["asset"]["name"] for node in found["nodes"]}
    assert found["consumers"] == [], "campaign uses email_hash, into which no value of the id goes"


def test_a_consumer_of_a_product_uses_its_drawn_datasets(ask: AskGraph) -> None:
    edge = mesh.build_edge_statement(EdgeType.CONSUMES, mesh.DASHBOARD, mesh.REVENUE_PRODUCT, at=mesh.START + DAY)
    mesh.commit_statements(
        ask.graph, mesh.build_retraction(mesh.MESH, ("edge", EdgeType.CONSUMES, mesh.DASHBOARD.id, mesh.REVENUE.id), mesh.START + DAY), edge
    )
    for granularity, used in (("DATASET", mesh.REVENUE.id), ("PRODUCT", mesh.REVENUE_PRODUCT.id)):
        found = ask(USERS, of=[mesh.ORDERS.id], g=granularity, include=["CONSUMER"])["lineage"]
        assert {"consumer": {"name": "dashboard"}, "uses": [used]} in found["consumers"]


def test_jobs_and_consumers_are_asked_for(ask: AskGraph) -> None:
    found = ask(USERS, of=[mesh.ORDERS.id], g="DATASET")["lineage"]
    assert (found["jobs"], found["consumers"]) == ([], [])
    assert ask(USERS, of=[mesh.ORDERS.id], g="DATASET", include=["CONSUMER"])["lineage"]["jobs"] == []


def test_the_total_of_a_drawing(ask: AskGraph) -> None:
    assert ask(TOTAL, of=[mesh.CUSTOMERS.id], g="DATASET", limit=2)["lineage"] == {
        "nodes": [{"start": True}, {"start": False}],
        "completeness": {"truncated": "NODES", "total": 4},
    }
    whole = ask(TOTAL, of=[mesh.CUSTOMERS.id], g="COLUMN", limit=100)["lineage"]
    assert whole["completeness"] == {"truncated": "NONE", "total": len(whole["nodes"])}
    impact = ask("query($of: [ID!]!) { impact(of: $of) { completeness { total } } }", of=[mesh.CUSTOMERS.id])
    assert impact["impact"]["completeness"]["total"] is None, "an impact has a total of its own"


def test_evidence_counts_as_part_of_the_answer(ask: AskGraph) -> None:
    nodes = len(ask(USERS, of=[mesh.CUSTOMERS.id], g="DATASET")["lineage"]["nodes"])
    few = AskGraph(ask.graph, Bounds(objects=2 * nodes + 3 + 2))
    few(EVIDENCE, of=[mesh.CUSTOMERS.id], first=0)
    assert few.get_error_code(EVIDENCE, of=[mesh.CUSTOMERS.id], first=5) == "LIMIT_EXCEEDED"
    assert ask.get_error_code(EVIDENCE, of=[mesh.CUSTOMERS.id], first=-1) == "INVALID_INPUT"
    assert ask.get_error_code(EVIDENCE, of=[mesh.CUSTOMERS.id], first=1_001) == "LIMIT_EXCEEDED"


def test_the_neighbours_of_a_node(ask: AskGraph) -> None:
    query = """query($of: [ID!]!, $g: Granularity! = DATASET, $depth: Int, $reach: Reach! = POSSIBLE, $since: DateTime) {
      lineage(of: $of, granularity: $g, depth: $depth, reach: $reach, seenSince: $since) { nodes { asset { name }
        upstream { direct shown stale hidden ungrouped } downstream { direct shown stale hidden ungrouped } } } }"""

    def build_count(direct: int, shown: int, **more: int) -> dict[str, int]:
        return {"direct": direct, "shown": shown, "stale": 0, "hidden": 0, "ungrouped": 0, **more}

    def count_hops(**variables: object) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
        nodes = ask(query, **variables)["lineage"]["nodes"]
        return {node["asset"]["name"]: (node["upstream"], node["downstream"]) for node in nodes}

    found = count_hops(of=[mesh.ORDERS.id], depth=1)
    assert found["sales.orders"] == (build_count(1, 0), build_count(1, 1))
    assert found["fin.revenue"] == (build_count(1, 1), build_count(1, 0)), "the report is one hop further"
    weak = count_hops(of=[mesh.REVENUE.id], reach="INDIRECT")
    assert weak["fin.revenue"][1] == build_count(0, 0, hidden=1), "only a flow without known columns leads to the report"
    later = from_micros(mesh.START + 1).isoformat()
    assert count_hops(of=[mesh.REVENUE.id], since=later)["fin.revenue"][1] == build_count(0, 0, hidden=1)
    groups = count_hops(of=[mesh.REVENUE_PRODUCT.id], g="PRODUCT")
    assert groups["revenue"] == (build_count(1, 0), build_count(0, 0, ungrouped=1)), "the report belongs to no product"
    other = mesh.build_run_statement(mesh.SEND, [mesh.REVENUE], mesh.ORDERS, at=mesh.START + DAY, covered=False)
    mesh.commit_statements(ask.graph, other._replace(version="later"))
    assert count_hops(of=[mesh.REVENUE.id])["fin.revenue"][1] == build_count(2, 2, stale=1)


COMPACT = """query($of: [ID!]!, $g: Granularity! = DATASET, $limit: Int! = 10000, $at: DateTime) {
  compactLineage(of: $of, granularity: $g, limit: $limit, asOf: $at) {
    ids kinds names qualifiedNames reach distance masked start domain product dataset domains { name } products { name } datasets { id }
    edges { from to bits count } ungrouped completeness { truncated total asOf } } }"""


@pytest.mark.parametrize("granularity", ["COLUMN", "DATASET", "PRODUCT", "DOMAIN"])
def test_a_compact_lineage_has_the_nodes_of_the_lineage(ask: AskGraph, granularity: str) -> None:
    lineage = """query($of: [ID!]!, $g: Granularity!) { lineage(of: $of, granularity: $g) { ungrouped nodes { reach distance masked start
      asset { id kind name qualifiedName domain { name } product { name } ... on Column { dataset { id } } } } } }"""
    nodes = ask(lineage, of=[mesh.CUSTOMERS.id], g=granularity)["lineage"]["nodes"]
    found = ask(COMPACT, of=[mesh.CUSTOMERS.id], g=granularity)["compactLineage"]
    for column, name in (("ids", "id"), ("kinds", "kind"), ("names", "name"), ("qualifiedNames", "qualifiedName")):
        assert found[column] == [node["asset"][name] for node in nodes]
    for name in ("reach", "distance", "masked", "start"):
        assert found[name] == [node[name] for node in nodes]
    if granularity in ("COLUMN", "DATASET"):
        for name, many in (("domain", "domains"), ("product", "products"), ("dataset", "datasets")):
            assert [None if at < 0 else found[many][at] for at in found[name]] == [node["asset"].get(name) for node in nodes]


def test_a_compact_lineage_is_as_of_a_time_and_has_a_limit_of_its_own(ask: AskGraph) -> None:
    extra = mesh.build_run_statement(build_job_key("airflow", "more"), [mesh.REPORT], build_dataset_key("wh", "more"), at=mesh.START + DAY)
    mesh.commit_statements(ask.graph, extra)
    assert len(ask(COMPACT, of=[mesh.CUSTOMERS.id])["compactLineage"]["ids"]) == 4
    uncovered = mesh.build_run_statement(
        build_job_key("airflow", "more"), [mesh.REPORT], build_dataset_key("wh", "more"), at=mesh.START + 2 * DAY, covered=False
    )
    mesh.commit_statements(ask.graph, uncovered)
    assert len(ask(COMPACT, of=[mesh.CUSTOMERS.id])["compactLineage"]["ids"]) == 5
    then = ask(COMPACT, of=[mesh.CUSTOMERS.id], at=from_micros(mesh.START).isoformat())["compactLineage"]
    assert (len(then["ids"]), then["completeness"]["asOf"]) == (4, from_micros(mesh.START).isoformat())
    cut = ask(COMPACT, of=[mesh.CUSTOMERS.id], limit=2)["compactLineage"]
    assert (len(cut["ids"]), cut["completeness"]["truncated"], cut["completeness"]["total"]) == (2, "NODES", 5)
    assert cut["edges"] == {"from": [0], "to": [1], "bits": [0], "count": [3]}
    small_pages = AskGraph(ask.graph, Bounds(page=1))
    assert len(small_pages(COMPACT, of=[mesh.CUSTOMERS.id])["compactLineage"]["ids"]) == 5, "the size of pages does not bound a drawing"
    assert ask.get_error_code(COMPACT, of=[mesh.CUSTOMERS.id], limit=10_001) == "LIMIT_EXCEEDED"
    assert ask.get_error_code(COMPACT, of=[mesh.CUSTOMERS.id], limit=-1) == "INVALID_INPUT"
    assert AskGraph(ask.graph, Bounds(objects=8)).get_error_code(COMPACT, of=[mesh.CUSTOMERS.id]) == "LIMIT_EXCEEDED"


COMPACT_USERS = """query($of: [ID!]!, $include: [LineageInclude!]) { compactLineage(of: $of, granularity: DATASET, include: $include) {
  ids edges { from to } users { ids kinds names qualifiedNames
    reads { user node } writes { user node } uses { user node } carries { user node } } } }"""


def test_the_users_of_a_compact_lineage_are_positions(ask: AskGraph) -> None:
    found = ask(COMPACT_USERS, of=[mesh.ORDERS.id], include=["JOB", "CONSUMER"])["compactLineage"]
    expected = ask(USERS, of=[mesh.ORDERS.id], g="DATASET", include=["JOB", "CONSUMER"])["lineage"]
    users = found["users"]
    jobs, consumers = ([one[name]["name"] for one in expected[f"{name}s"]] for name in ("job", "consumer"))
    assert users["names"] == [*jobs, *consumers]
    assert users["kinds"] == ["JOB"] * len(jobs) + ["CONSUMER"] * len(consumers)
    for name, field, many in (("reads", "jobs", jobs), ("writes", "jobs", jobs), ("uses", "consumers", consumers)):
        rows = zip(users[name]["user"], users[name]["node"], strict=True)
        pairs = [(users["names"][user], found["ids"][node]) for user, node in rows]
        assert pairs == [(one, node) for one, node_list in zip(many, expected[field], strict=True) for node in node_list[name]]
        assert pairs, f"the mesh has no {name}"
    edges = list(zip(found["edges"]["from"], found["edges"]["to"], strict=True))
    carried = [(users["names"][user], edges[edge]) for user, edge in zip(users["carries"]["user"], users["carries"]["node"], strict=True)]
    assert {edge for _, edge in carried} == set(edges), "each edge of the mesh has a job"
    assert ask(COMPACT_USERS, of=[mesh.ORDERS.id])["compactLineage"]["users"]["ids"] == []
    few = AskGraph(ask.graph, Bounds(objects=8))
    assert few(COMPACT_USERS, of=[mesh.ORDERS.id])["compactLineage"]["users"]["ids"] == []
    assert few.get_error_code(COMPACT_USERS, of=[mesh.ORDERS.id], include=["JOB"]) == "LIMIT_EXCEEDED"


def test_the_bits_of_a_compact_edge(ask: AskGraph) -> None:
    other = mesh.build_run_statement(mesh.SEND, [mesh.REVENUE], mesh.ORDERS, at=mesh.START + DAY, covered=False)
    mesh.commit_statements(ask.graph, other._replace(version="later", provisional=True))
    found = ask(COMPACT, of=[mesh.EMAIL.id], g="COLUMN")["compactLineage"]
    edges = zip(found["edges"]["from"], found["edges"]["to"], found["edges"]["bits"], strict=True)
    bits = {(found["names"][start], found["names"][end]): value for start, end, value in edges}
    assert bits["email", "email_hash"] == 4, "DIRECT, masking"
    assert bits["fin.revenue", "fin.report"] == 2 + 8, "POSSIBLE, stale"
    assert bits["fin.revenue", "sales.orders"] == 2 + 16, "POSSIBLE, provisional"


def test_a_consumer_of_a_column_uses_the_column_where_columns_are_drawn(ask: AskGraph) -> None:
    found = ask(USERS, of=[mesh.EMAIL.id], g="COLUMN", include=["CONSUMER"])["lineage"]
    uses = {one["consumer"]["name"]: one["uses"] for one in found["consumers"]}
    assert uses["campaign"] == [mesh.HASH.id]
    assert set(uses["dashboard"]) == {mesh.REVENUE.id, build_column_key(mesh.REVENUE, "total").id}, "it uses the dataset as a whole"


def test_what_is_not_confirmed_comes_after_what_is_not_complete(ask: AskGraph) -> None:
    later = mesh.build_run_statement(mesh.LOAD, [mesh.CUSTOMERS], mesh.REPORT, at=mesh.START + DAY)
    running = build_copy(mesh.START - DAY, provisional=True)
    mesh.commit_statements(ask.graph, later._replace(version="later"), running)
    edges = {edge["to"]["name"]: edge for edge in ask(EVIDENCE, of=[mesh.CUSTOMERS.id])["lineage"]["edges"]}
    found = [(one["job"]["name"], one["stale"], one["provisional"]) for one in edges["sales.orders"]["evidence"]]
    assert found == [("copy", False, True), ("load_orders", True, False)]
    assert (edges["sales.orders"]["stale"], edges["sales.orders"]["provisional"]) == (False, False), "neither is true of all"
