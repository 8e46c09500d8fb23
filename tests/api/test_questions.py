"""The questions in GraphQL, over a small mesh."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
    from_micros,
)
from meshline.graph.store.base import Head
from tests.api.conftest import AskGraph
from tests.queries import mesh


def list_names(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["name"] for node in nodes]


def test_the_way_to_the_impact_of_a_column(ask: AskGraph) -> None:
    """The two queries that every client begins with, exactly as they are promised."""
    found = ask(
        "query($ns:String!,$n:String!){dataset(namespace:$ns,name:$n){id columns(first:500){nodes{id name}}}}", ns="pg", n="shop.customers"
    )
    assert found["dataset"]["id"] == mesh.CUSTOMERS.id
    ids = {node["name"]: node["id"] for node in found["dataset"]["columns"]["nodes"]}
    assert list(ids) == ["id", "email", "name"]
    found = ask(
        "query($id:ID!){impact(of:[$id]){total byKind{key count} assets(kinds:[COLUMN],first:500){nodes{reach distance node{... on"
        " Column{name dataset{namespace name}}}} pageInfo{hasNextPage endCursor}} completeness{truncated possibleOnly undescribed staleEdges}}}",
        id=ids["email"],
    )["impact"]
    assert {"key": "COLUMN", "count": 2} in found["byKind"]
    assert found["total"] == sum(count["count"] for count in found["byKind"])
    assert found["assets"]["nodes"] == [
        {"reach": "DIRECT", "distance": 1, "node": {"name": "email_hash", "dataset": {"namespace": "wh", "name": "sales.orders"}}},
        {"reach": "DIRECT", "distance": 2, "node": {"name": "total", "dataset": {"namespace": "wh", "name": "fin.revenue"}}},
    ]
    assert found["assets"]["pageInfo"]["hasNextPage"] is False
    assert found["completeness"] == {"truncated": "NONE", "possibleOnly": 1, "undescribed": 1, "staleEdges": 0}


def test_attributes_of_all_assets(ask: AskGraph) -> None:
    query = """query($id: ID!) { node(id: $id) { __typename id kind name qualifiedName description tags { key value source }
      domain { name } product { name } owners { type source owner { name } inheritedFrom { name kind } } lastObserved
      facts { source attribute value validFrom observedAt lastObserved chosen statement } } }"""
    email = ask(query, id=mesh.EMAIL.id)["node"]
    assert email["__typename"] == "Column"
    assert (email["id"], email["kind"], email["name"], email["qualifiedName"]) == (
        mesh.EMAIL.id, "COLUMN", "email", "pg/shop.customers.email",
    )  # fmt: skip
    assert email["description"] == "Where the customer is written to"
    assert {"key": "class", "value": "secret", "source": mesh.MESH} in email["tags"]
    assert email["domain"] is email["product"] is None
    assert email["owners"] == [{"type": "steward", "source": mesh.MESH, "owner": {"name": "ann"}, "inheritedFrom": None}]
    assert email["lastObserved"] == from_micros(mesh.START + mesh.SECOND).isoformat()
    descriptions = [(fact["source"], fact["value"], fact["chosen"]) for fact in email["facts"] if fact["attribute"] == "description"]
    assert descriptions == [(mesh.MESH, "Where the customer is written to", True), (mesh.LINEAGE, "from a producer", False)]
    assert re.fullmatch("st_[0-9]+", email["facts"][0]["statement"])
    hashed = ask(query, id=mesh.HASH.id)["node"]
    assert (hashed["domain"], hashed["product"]) == ({"name": "commerce"}, {"name": "orders"})
    assert hashed["owners"][0]["inheritedFrom"] == {"name": "commerce", "kind": "DOMAIN"}


def test_nodes(ask: AskGraph) -> None:
    found = ask("query($ids: [ID!]!) { nodes(ids: $ids) { name } }", ids=[mesh.ORDERS.id, "nope", mesh.ANN.id])
    assert found["nodes"] == [{"name": "sales.orders"}, None, {"name": "ann"}]
    assert ask('{ node(id: "ds_1") { name } }')["node"] is None


# ruff: noqa: E501, ISC004 - a query beside what it answers


@pytest.mark.parametrize(
    ("key", "fields", "expected"),
    [
        (mesh.COMMERCE, "... on Domain { title products { name } subdomains { name } datasets { nodes { name } totalCount } }",
         {"title": None, "products": [{"name": "orders"}], "subdomains": [], "datasets": {"nodes": [{"name": "sales.orders"}], "totalCount": 1}}),
        (mesh.COMPANY, "... on Domain { subdomains { name domain { name } } domain { name } }",
         {"subdomains": [{"name": "finance", "domain": {"name": "company"}}], "domain": None}),
        (mesh.REVENUE_PRODUCT,
         "... on DataProduct { title slo ports { direction type format dataset { name } } datasets { nodes { name } } consumers { consumer { name } asset { name } } }",
         {"title": "Revenue", "slo": {"freshness": "1d"},
          "ports": [{"direction": "input", "type": None, "format": None, "dataset": {"name": "sales.orders"}},
                    {"direction": "output", "type": None, "format": None, "dataset": {"name": "fin.revenue"}}],
          "datasets": {"nodes": [{"name": "fin.revenue"}]},
          "consumers": [{"consumer": {"name": "dashboard"}, "asset": {"name": "fin.revenue"}}]}),
        (mesh.ORDERS,
         "... on Dataset { namespace described inferred datasetType location writtenBy { name } readBy { name } products { name }"
         " consumers { purpose consumer { name } asset { qualifiedName } } contracts { name } }",
         {"namespace": "wh", "described": True, "inferred": False, "datasetType": None, "location": None,
          "writtenBy": [{"name": "load_orders"}], "readBy": [{"name": "sum_revenue"}], "products": [{"name": "orders"}, {"name": "revenue"}],
          "consumers": [{"purpose": "matching", "consumer": {"name": "campaign"}, "asset": {"qualifiedName": "wh/sales.orders.email_hash"}}],
          "contracts": []}),
        (mesh.HASH, "... on Column { dataset { name } dataType nullable position inferred unlisted formerNames { name } consumers { consumer { name } } }",
         {"dataset": {"name": "sales.orders"}, "dataType": "string", "nullable": None, "position": 2, "inferred": False, "unlisted": False, "formerNames": [],
          "consumers": [{"consumer": {"name": "campaign"}}]}),
        (mesh.SUM, "... on Job { namespace jobType processingType integration sql reads { name } writes { name } parents { name } children { name } }",
         {"namespace": "airflow", "jobType": None, "processingType": None, "integration": None, "sql": None,
          "reads": [{"name": "sales.orders"}], "writes": [{"name": "fin.revenue"}], "parents": [], "children": []}),
        (mesh.DASHBOARD, "... on Consumer { title consumerType consumes { purpose contractName contract { name governs { name } } asset { name } source } }",
         {"title": "Board dashboard", "consumerType": "dashboard",
          "consumes": [{"purpose": "the board's numbers", "contractName": "revenue-v1", "source": mesh.MESH, "asset": {"name": "fin.revenue"},
                        "contract": {"name": "revenue-v1", "governs": [{"name": "fin.revenue"}]}}]}),
        (mesh.FINANCE_TEAM, "... on Owner { title contact ownerType owns(inherited: false) { nodes { name } totalCount } }",
         {"title": "Finance", "contact": "finance@example.org", "ownerType": "team", "owns": {"nodes": [{"name": "revenue"}], "totalCount": 1}}),
    ],
)  # fmt: skip
def test_attributes_of_each_kind(ask: AskGraph, key: AssetKey, fields: str, expected: dict[str, Any]) -> None:
    assert ask(f"query($id: ID!) {{ node(id: $id) {{ {fields} }} }}", id=key.id)["node"] == expected


def test_columns_that_swapped_their_names(ask: AskGraph) -> None:
    """What was stated about a name before the swap belongs to the column that had the name; one statement refers to both columns."""
    later = mesh.START + mesh.SECOND
    typed = tuple(AssetFact(build_column_key(mesh.REPORT, name), {"type": type_}) for name, type_ in (("a", "int"), ("b", "text")))
    mesh.commit_statements(ask.graph, mesh.build_statement(mesh.LINEAGE, ("dataset", *mesh.REPORT.parts, "schema"), Facts(assets=typed)))
    for old, new in (("a", "b"), ("b", "a")):
        swap = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, build_column_key(mesh.REPORT, old), build_column_key(mesh.REPORT, new)),))
        mesh.commit_statements(
            ask.graph, mesh.build_statement("iceberg/lake", ("column-renamed", *mesh.REPORT.parts, old, new, str(later)), swap, later)
        )
    query = "query($id: ID!) { node(id: $id) { name ... on Column { dataType formerNames { name until } } } }"
    until = "2023-11-14T22:13:21+00:00"
    for name, type_, former in (("a", "text", "b"), ("b", "int", "a")):
        found = ask(query, id=build_column_key(mesh.REPORT, name).id)["node"]
        assert found == {"name": name, "dataType": type_, "formerNames": [{"name": former, "until": until}]}


def test_any_alias_finds_the_dataset(ask: AskGraph) -> None:
    path = build_dataset_key("s3://lake", "orders")
    mesh.commit_statements(ask.graph, mesh.build_edge_statement(EdgeType.SAME_AS, path, mesh.ORDERS, why="location"))
    query = "query($ns: String!, $n: String!) { dataset(namespace: $ns, name: $n) { id name aliases { namespace name why source since } } }"
    for namespace, name in (("s3a://lake/", "//orders"), ("wh", "sales.orders")):
        found = ask(query, ns=namespace, n=name)["dataset"]
        assert found["name"] == "sales.orders"  # the output port's name
        assert [(a["namespace"], a["name"], a["why"], a["source"]) for a in found["aliases"]] == [
            ("s3://lake", "orders", "location", mesh.MESH)
        ]
    assert ask("query($id: ID!) { node(id: $id) { name } }", id=path.id)["node"] == {"name": "sales.orders"}
    assert ask(query, ns="wh", n="nope")["dataset"] is None


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("domains", ["commerce", "company", "finance"]),
        ("products", ["orders", "revenue"]),
        ("datasets", ["shop.customers", "fin.report", "fin.revenue", "sales.orders"]),
        ("jobs", ["load_orders", "send_report", "sum_revenue"]),
        ("consumers", ["campaign", "dashboard"]),
        ("owners", ["ann", "team:finance", "team:shop"]),
    ],
)
def test_lists(ask: AskGraph, field: str, expected: list[str]) -> None:
    found = ask(
        f"{{ {field} {{ nodes {{ name }} edges {{ cursor node {{ name }} }} totalCount pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
    )
    assert list_names(found[field]["nodes"]) == [edge["node"]["name"] for edge in found[field]["edges"]] == expected
    assert found[field]["totalCount"] == len(expected)
    assert found[field]["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": False}
    seen, after = [], None
    while True:
        query = f"query($after: String) {{ {field}(first: 1, after: $after) {{ nodes {{ name }} pageInfo {{ hasNextPage startCursor endCursor }} }} }}"
        page = ask(query, after=after)[field]
        seen += list_names(page["nodes"])
        assert page["pageInfo"]["startCursor"] == page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == expected


def test_filters(ask: AskGraph) -> None:
    query = "query($f: AssetFilter) { datasets(filter: $f) { nodes { name } totalCount } }"
    assert list_names(ask(query, f={"domain": mesh.COMPANY.id})["datasets"]["nodes"]) == ["fin.revenue"]
    assert ask(query, f={"text": "FIN", "described": False})["datasets"] == {"nodes": [{"name": "fin.report"}], "totalCount": 1}
    assert ask.get_error_code(query, f={"domain": "nope"}) == "NOT_FOUND"


def test_search(ask: AskGraph) -> None:
    query = """query($t: String!, $k: [AssetKind!], $a: String, $tag: String) { search(text: $t, kinds: $k, first: 2, after: $a, tag: $tag) {
      nodes { qualifiedName } edges { cursor node { name } } totalCount truncated pageInfo { hasNextPage endCursor } } }"""
    first = ask(query, t="orders")["search"]
    assert [node["qualifiedName"] for node in first["nodes"]] == ["orders", "wh/sales.orders"]
    assert (first["totalCount"] > 2, first["truncated"]) == (True, False)
    second = ask(query, t="orders", a=first["pageInfo"]["endCursor"])["search"]
    assert second["nodes"][0]["qualifiedName"] == "airflow/load_orders"
    assert ask(query, t="", tag="pii")["search"]["nodes"] == [{"qualifiedName": "pg/shop.customers.email"}]
    assert ask(query, t="nothing like it")["search"]["nodes"] == []


def test_each_result_of_a_search_has_its_reasons(ask: AskGraph) -> None:
    query = "query($t: String!) { search(text: $t, first: 2) { edges { node { name } why { word found meaning place } } } }"
    assert ask(query, t="cust eml written")["search"]["edges"][0] == {
        "node": {"name": "email"},
        "why": [
            {"word": "cust", "found": "customers", "meaning": "BEGINNING", "place": "CONTEXT"},
            {"word": "eml", "found": "email", "meaning": "ABBREVIATION", "place": "NAME"},
            {"word": "written", "found": "written", "meaning": "TEXT", "place": "TEXT"},
        ],
    }


def test_lineage(ask: AskGraph) -> None:
    query = """query($of: [ID!]!, $g: Granularity!, $d: Direction!, $at: DateTime) { lineage(of: $of, granularity: $g, direction: $d, asOf: $at) {
      nodes { asset { name } reach distance masked start } ungrouped completeness { truncated asOf revision }
      edges { from { name } to { name } reach type subtype masking count jobs { name } } } }"""
    found = ask(query, of=[mesh.EMAIL.id], g="COLUMN", d="DOWNSTREAM")["lineage"]
    assert found["nodes"][0] == {"asset": {"name": "email"}, "reach": "DIRECT", "distance": 0, "masked": False, "start": True}
    assert {
        "from": {"name": "email"}, "to": {"name": "email_hash"}, "reach": "DIRECT", "type": "DIRECT", "subtype": "TRANSFORMATION",
        "masking": True, "count": 1, "jobs": [{"name": "load_orders"}],
    } in found["edges"]  # fmt: skip
    products = ask(query, of=[mesh.ORDERS.id], g="PRODUCT", d="DOWNSTREAM")["lineage"]
    assert [(e["from"]["name"], e["to"]["name"], e["count"], e["type"]) for e in products["edges"]] == [("orders", "revenue", 3, None)]
    before = ask(query, of=[mesh.REVENUE.id], g="DATASET", d="UPSTREAM", at=from_micros(mesh.START).isoformat())["lineage"]
    assert before["completeness"]["asOf"] == from_micros(mesh.START).isoformat()
    assert len(before["edges"]) == 2
    early = from_micros(mesh.START - 1).isoformat()
    assert ask.get_error_code(query, of=[mesh.REVENUE.id], g="DATASET", d="UPSTREAM", at=early) == "NOT_FOUND"


def test_impact(ask: AskGraph) -> None:
    found = ask(
        """query($id: ID!) { impact(of: [$id]) { total byReach { key label count } byDomain { key label count asset { name } }
        byProduct { label count } byOwner { label count asset { kind } }
        assets(kinds: [CONSUMER], orderBy: NAME) { totalCount edges { cursor node { masked node { name } } }
          nodes { reach distance node { name } via { asset { name } edgeType type subtype masking reach job { name } source lastObserved } } }
        notify { reason why reach total contact recipient { name kind } assets(first: 2) { name } } } }""",
        id=mesh.EMAIL.id,
    )["impact"]
    assert sum(count["count"] for count in found["byReach"]) == found["total"] == sum(count["count"] for count in found["byDomain"])
    assert found["byDomain"][-1] == {"key": "", "label": "no domain", "count": found["byDomain"][-1]["count"], "asset": None}
    assert {"commerce", "finance"} <= {count["asset"]["name"] for count in found["byDomain"] if count["asset"]}
    campaign, dashboard = found["assets"]["nodes"]
    assert (campaign["node"]["name"], campaign["reach"], campaign["distance"]) == ("campaign", "DIRECT", 1)
    assert [(step["asset"]["name"], step["edgeType"]) for step in campaign["via"]] == [
        ("email", None), ("email_hash", "FLOWS_TO"), ("campaign", "CONSUMES"),
    ]  # fmt: skip
    assert campaign["via"][1]["job"] == {"name": "load_orders"}
    assert campaign["via"][1]["masking"] is True
    assert campaign["via"][1]["source"] == mesh.LINEAGE
    assert (dashboard["node"]["name"], dashboard["reach"]) == ("dashboard", "POSSIBLE")
    notices = {notice["recipient"]["name"]: notice for notice in found["notify"]}
    assert set(notices) == {"campaign", "dashboard", "team:finance", "team:shop"}
    assert notices["team:finance"]["contact"] == "finance@example.org"
    assert notices["campaign"] == {
        "reason": "CONSUMES", "why": "consumes wh/sales.orders.email_hash", "reach": "DIRECT", "total": 1, "contact": None,
        "recipient": {"name": "campaign", "kind": "CONSUMER"}, "assets": [{"name": "email_hash"}],
    }  # fmt: skip


def test_contracts_and_owners_lead_to_what_they_govern_and_own(ask: AskGraph) -> None:
    """The same in every question that starts from assets; downstream of a consumer it is refused."""
    contract = {"of": [build_contract_key("revenue-v1").id]}
    impact = (
        "query($of: [ID!]!) { impact(of: $of) { total assets(kinds: [DATASET]) { nodes { node { name } } } completeness { unbound } } }"
    )
    found = ask(impact, **contract)["impact"]
    assert [one["node"]["name"] for one in found["assets"]["nodes"]] == ["fin.revenue", "fin.report"]
    assert found["completeness"] == {"unbound": 0}
    owned = ask(impact, of=[mesh.FINANCE_TEAM.id])["impact"]
    assert [one["node"]["name"] for one in owned["assets"]["nodes"]] == ["fin.revenue", "fin.report"]
    lineage = "query($of: [ID!]!) { lineage(of: $of, granularity: DATASET) { nodes { asset { name } start } } }"
    drawn = [{"asset": {"name": "fin.revenue"}, "start": True}, {"asset": {"name": "fin.report"}, "start": False}]
    assert ask(lineage, **contract)["lineage"]["nodes"] == drawn
    provenance = "query($of: [ID!]!) { provenance(of: $of) { assets(kinds: [DATASET]) { nodes { node { name } } } } }"
    before = ask(provenance, **contract)["provenance"]["assets"]["nodes"]
    assert {"sales.orders", "shop.customers"} <= {one["node"]["name"] for one in before}
    products = "query($of: [ID!]!) { productImpact(of: $of) { products { product { name } } } }"
    assert ask(products, **contract)["productImpact"]["products"] == [{"product": {"name": "revenue"}}]
    for query in (impact, lineage, products):
        assert ask.get_error_code(query, of=[mesh.DASHBOARD.id]) == "INVALID_INPUT"
    assert ask(provenance, of=[mesh.DASHBOARD.id])["provenance"]["assets"]["nodes"] != []
    idle = {"of": [mesh.ANN.id]}
    assert ask(impact, **idle)["impact"]["total"] > 0, "an owner of a column"


def test_an_answer_about_the_past_names_what_was_first_stated_later(ask: AskGraph) -> None:
    late = mesh.START + 3600 * mesh.SECOND
    mesh.commit_statements(ask.graph, mesh.build_edge_statement(EdgeType.CONSUMES, mesh.CAMPAIGN, mesh.REPORT, source="dbt/shop", at=late))
    query = "query($of: [ID!]!, $at: DateTime) { impact(of: $of, asOf: $at) { completeness { knownLater { relation sourceKind since } } } }"
    then = ask(query, of=[mesh.ORDERS.id], at=from_micros(mesh.START).isoformat())["impact"]["completeness"]
    assert then == {"knownLater": [{"relation": "CONSUMES", "sourceKind": "dbt", "since": from_micros(late).isoformat()}]}
    assert ask(query, of=[mesh.ORDERS.id])["impact"]["completeness"] == {"knownLater": []}
    alone = "query($at: DateTime) { knownLater(asOf: $at) { relation sourceKind since } }"
    assert ask(alone, at=from_micros(late - 1).isoformat())["knownLater"] == then["knownLater"]
    assert ask(alone)["knownLater"] == []


def test_a_name_where_an_id_is_wanted_is_refused_with_a_way_out(ask: AskGraph) -> None:
    errors = ask.list_errors("query($of: [ID!]!) { impact(of: $of) { total } }", of=["shop.customers"])
    assert "that is no id; `resolve` gives the id of the asset that a name refers to" in errors[0]["message"]


def test_filters_of_an_impact(ask: AskGraph) -> None:
    def list_affected(arguments: str) -> list[str]:
        query = f"query($id: ID!) {{ impact(of: [$id]) {{ assets({arguments}) {{ nodes {{ node {{ qualifiedName }} }} }} }} }}"
        return [node["node"]["qualifiedName"] for node in ask(query, id=mesh.EMAIL.id)["impact"]["assets"]["nodes"]]

    assert list_affected("kinds: [COLUMN], masked: true") == ["wh/sales.orders.email_hash", "wh/fin.revenue.total"]
    assert list_affected("reach: POSSIBLE, kinds: [DATASET]") == ["wh/fin.report"]
    assert list_affected(f'kinds: [DATASET], domain: "{mesh.COMPANY.id}"') == ["wh/fin.revenue"]
    assert list_affected(f'kinds: [DATASET], product: "{mesh.ORDERS_PRODUCT.id}"') == ["wh/sales.orders"]
    assert list_affected(f'kinds: [COLUMN], owner: "{mesh.FINANCE_TEAM.id}"') == ["wh/fin.revenue.total"]


def test_provenance(ask: AskGraph) -> None:
    query = "query($id: ID!) { provenance(of: [$id]) { assets(kinds: [COLUMN]) { nodes { reach node { name } via { asset { name } } } } } }"
    nodes = ask(query, id=build_column_key(mesh.REVENUE, "total").id)["provenance"]["assets"]["nodes"]
    assert [(node["node"]["name"], node["reach"]) for node in nodes] == [
        ("email_hash", "DIRECT"), ("total", "DIRECT"), ("email", "DIRECT"), ("name", "INDIRECT"),
    ]  # fmt: skip
    assert list_names([step["asset"] for step in nodes[2]["via"]]) == ["email", "email_hash", "total"]


def test_paths(ask: AskGraph) -> None:
    query = "query($a: ID!, $b: ID!) { paths(from: $a, to: $b) { steps { asset { name } edgeType subtype masking job { name } source } } }"
    (path,) = ask(query, a=mesh.EMAIL.id, b=build_column_key(mesh.REVENUE, "total").id)["paths"]
    assert path["steps"][0] == {
        "asset": {"name": "email"},
        "edgeType": None,
        "subtype": None,
        "masking": False,
        "job": None,
        "source": None,
    }
    assert [step["subtype"] for step in path["steps"]] == [None, "TRANSFORMATION", "AGGREGATION"]
    assert ask.get_error_code(query, a=mesh.EMAIL.id, b=mesh.COMMERCE.id) == "INVALID_INPUT"


def test_an_owner_by_contract_is_notified_with_the_contract(ask: AskGraph) -> None:
    keeper = build_owner_key("keeper")
    mesh.commit_statements(ask.graph, mesh.build_edge_statement(EdgeType.OWNS, keeper, build_contract_key("revenue-v1"), type="technical"))
    query = "query($id: ID!) { impact(of: [$id]) { notify { recipient { name } byContract { asset { name } contract { name id } } } } }"
    found = {one["recipient"]["name"]: one["byContract"] for one in ask(query, id=mesh.HASH.id)["impact"]["notify"]}
    contract = {"name": "revenue-v1", "id": build_contract_key("revenue-v1").id}
    assert found["keeper"] == [{"asset": {"name": "fin.revenue"}, "contract": contract}]
    assert not any(found[name] for name in found if name != "keeper")
    cut = query.replace("byContract", "byContract(first: 0)")
    assert not any(one["byContract"] for one in ask(cut, id=mesh.HASH.id)["impact"]["notify"])


def test_owned_by_and_orphans(ask: AskGraph) -> None:
    query = "query($o: ID!, $i: Boolean!) { ownedBy(owner: $o, inherited: $i, kinds: [DOMAIN, DATASET]) { nodes { name } totalCount } }"
    assert ask(query, o=mesh.SHOP_TEAM.id, i=True)["ownedBy"] == {
        "nodes": [{"name": "commerce"}, {"name": "sales.orders"}],
        "totalCount": 2,
    }
    assert list_names(ask(query, o=mesh.SHOP_TEAM.id, i=False)["ownedBy"]["nodes"]) == ["commerce"]
    orphans = ask("{ orphans(kinds: [DATASET], first: 1) { nodes { name } totalCount pageInfo { hasNextPage } } }")["orphans"]
    assert orphans == {"nodes": [{"name": "shop.customers"}], "totalCount": 2, "pageInfo": {"hasNextPage": True}}


def test_changes_of_each_hour(ask: AskGraph) -> None:
    query = """query($a: DateTime!, $b: DateTime!, $of: [ID!]) {
      changes(from: $a, to: $b, of: $of, bucket: HOUR) { at until added removed moved times } }"""
    first, last = (from_micros(mesh.START + hours * 3_600_000_000).isoformat() for hours in (-1, 1))
    start = from_micros(mesh.START).isoformat()
    found = ask(query, a=first, b=last)["changes"]
    assert found == [
        {"at": first, "until": start, "added": 7, "removed": 0, "moved": 0, "times": [start]},
        {"at": start, "until": last, "added": 0, "removed": 0, "moved": 0, "times": []},
    ]
    assert [one["added"] for one in ask(query, a=first, b=last, of=[mesh.HASH.id])["changes"]] == [2, 0]
    assert [one["added"] for one in ask(query, a=first, b=last, of=[mesh.REVENUE.id, "ds_unknown"])["changes"]] == [4, 0]


def test_the_difference_between_two_times(ask: AskGraph) -> None:
    query = """query($a: DateTime!, $b: DateTime!) { lineageDiff(from: $a, to: $b) { totalAdded totalRemoved removed { fromName }
      added { from { name } to { name } fromName toName type subtype masking jobName source observedAt } } }"""
    found = ask(query, a=from_micros(mesh.START - 1).isoformat(), b=from_micros(mesh.START).isoformat())["lineageDiff"]
    assert (found["totalAdded"], found["totalRemoved"], found["removed"]) == (7, 0, [])
    assert {
        "from": {"name": "email"}, "to": {"name": "email_hash"}, "fromName": "pg/shop.customers.email", "toName": "wh/sales.orders.email_hash",
        "type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True, "jobName": "airflow/load_orders", "source": mesh.LINEAGE,
        "observedAt": from_micros(mesh.START).isoformat(),
    } in found["added"]  # fmt: skip


def test_long_lists_of_an_answer_are_read_page_by_page(ask: AskGraph) -> None:
    """The differences between two times, what is behind a number of completeness, and the schemas of a dataset."""
    flow = "fromName toName type subtype"
    diff = f"""query($a: DateTime!, $b: DateTime!, $first: Int!, $after: String) {{ list: lineageDiff(from: $a, to: $b) {{
      added {{ {flow} }} page: addedFlows(first: $first, after: $after) {{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {flow} }} }}
      removedFlows {{ totalCount nodes {{ {flow} }} }} }} }}"""
    gaps = """query($id: ID!, $first: Int!, $after: String) { list: impact(of: [$id]) { completeness { staleEdges possibleOnly
      page: items(gap: POSSIBLE_ONLY, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        nodes: flows { from { name } to { name } } } } } }"""
    schemas = """query($id: ID!, $first: Int!, $after: String) { list: node(id: $id) { ... on Dataset { schemaHistory { since }
      page: schemas(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { since source } } } } }"""
    for second in (10, 20, 30):
        new = build_column_key(mesh.CUSTOMERS, f"added_{second}")
        facts = Facts(edges=tuple(EdgeFact(EdgeType.HAS_COLUMN, mesh.CUSTOMERS, one, {}) for one in (mesh.EMAIL, new)))
        mesh.commit_statements(
            ask.graph, mesh.build_statement("catalog/x", ("dataset", *mesh.CUSTOMERS.parts), facts, mesh.START + second * mesh.SECOND)
        )
    other = build_dataset_key("fin", "copy")
    copied = mesh.build_run_statement(build_job_key("j", "copy"), [mesh.REVENUE], other, at=mesh.START + 40 * mesh.SECOND, covered=False)
    mesh.commit_statements(ask.graph, copied)

    def read(query: str, **variables: str) -> tuple[list[Any], dict[str, Any]]:
        nodes: list[Any] = []
        after: str | None = None
        while True:
            whole = ask(query, first=2, after=after, **variables)["list"]
            page = whole.get("page") or whole["completeness"]["page"]
            assert len(page["nodes"]) <= 2
            nodes += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(nodes)
                return nodes, whole
            after = page["pageInfo"]["endCursor"]

    start, end = from_micros(mesh.START - 1).isoformat(), from_micros(mesh.START).isoformat()
    added, whole = read(diff, a=start, b=end)
    assert added == whole["added"]
    assert whole["removedFlows"] == {"totalCount": 0, "nodes": []}
    assert len(added) == 7
    possible, whole = read(gaps, id=mesh.EMAIL.id)
    assert len(possible) == whole["completeness"]["possibleOnly"] == 2
    listed, whole = read(schemas, id=mesh.CUSTOMERS.id)
    assert [one["since"] for one in listed] == [one["since"] for one in whole["schemaHistory"]]
    assert len([one for one in listed if one["source"] == "catalog/x"]) == 3
    assert ask.get_error_code(schemas, id=mesh.CUSTOMERS.id, first=2, after="no cursor") == "INVALID_INPUT"


def test_coverage_and_about(ask: AskGraph) -> None:
    fields = "datasets described owned withLineage withColumnLineage"
    found = ask(
        f"{{ coverage {{ total {{ {fields} }} orphans bySource {{ source covered {{ datasets }} }} byDomain {{ domain {{ name }} covered {{ {fields} }} }} }} }}"
    )
    assert found["coverage"]["total"] == {"datasets": 4, "described": 3, "owned": 2, "withLineage": 3, "withColumnLineage": 2}
    assert found["coverage"]["orphans"] == 2
    assert found["coverage"]["byDomain"][-1]["domain"] is None
    about = ask("{ about { version revision assets { kind count } } }")["about"]
    assert about["revision"] == ask.graph.index.revision
    assert {"kind": "DATASET", "count": 4} in about["assets"]


def test_coverage_of_a_past_time(ask: AskGraph) -> None:
    """What is described, owned and fed later does not count then; nor does a source that stated nothing yet."""
    later = mesh.START + 1000 * mesh.SECOND
    counts = "datasets described owned withLineage withColumnLineage"
    query = f"""query($asOf: DateTime) {{ coverage(asOf: $asOf) {{
      total {{ {counts} }} bySource {{ source covered {{ {counts} }} }} byDomain {{ domain {{ name }} covered {{ {counts} }} }} orphans }} }}"""
    before = ask(query)["coverage"]
    feed = mesh.build_flow(build_column_key(mesh.REVENUE, "total"), build_column_key(mesh.REPORT, "total"))
    mesh.commit_statements(
        ask.graph,
        mesh.build_schema_statement(mesh.REPORT, "total", source="iceberg/lake", at=later),
        mesh.build_edge_statement(EdgeType.OWNS, mesh.ANN, mesh.REPORT, at=later),
        mesh.build_edge_statement(EdgeType.PART_OF, mesh.REPORT, mesh.COMMERCE, at=later),
        mesh.build_run_statement(mesh.SEND, [mesh.REVENUE], mesh.REPORT, feed, at=later),
    )
    assert ask(query, asOf=from_micros(mesh.START + mesh.SECOND).isoformat())["coverage"] == before
    now = ask(query)["coverage"]
    assert now["total"] == {"datasets": 4, "described": 4, "owned": 3, "withLineage": 3, "withColumnLineage": 3}
    assert (before["total"]["described"], before["orphans"], now["orphans"]) == (3, 2, 1)


def test_resolve(ask: AskGraph) -> None:
    query = "query($n: String!) { resolve(name: $n) { kind qualifiedName } }"
    assert ask(query, n="customers.email")["resolve"] == {"kind": "COLUMN", "qualifiedName": "pg/shop.customers.email"}
    assert ask.get_error_code(query, n="nothing") == "NOT_FOUND"
    (error,) = ask.list_errors(query, n="total")
    assert error["extensions"] == {"code": "AMBIGUOUS", "candidates": ["column:wh/fin.revenue.total", "column:wh/sales.orders.total"]}


def test_one_read_of_the_store_for_each_level(ask: AskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        mesh.build_asset_statement(build_column_key(build_dataset_key("n", f"d{n}"), f"c{m}"), description=f"{n}.{m}")
        for n in range(20)
        for m in range(5)
    ]
    graph: LiveGraph = ask.graph
    mesh.commit_statements(
        graph, *many, *(mesh.build_schema_statement(build_dataset_key("n", f"d{n}"), *(f"c{m}" for m in range(5))) for n in range(20))
    )
    statements = graph.store.read_heads
    reads: list[int] = []

    def count_reads(scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        reads.append(len(scope_ids))
        return statements(scope_ids, as_of)

    monkeypatch.setattr(graph.store, "read_heads", count_reads)
    found = ask("{ datasets(first: 100) { nodes { description tags { key } columns { nodes { description dataType tags { key } } } } } }")
    described = [c["description"] for d in found["datasets"]["nodes"] for c in d["columns"]["nodes"]]
    assert {f"{n}.{m}" for n in range(20) for m in range(5)} <= set(described)
    assert len(reads) <= 2, reads


def test_lists_have_an_order_and_a_time(ask: AskGraph) -> None:
    later = mesh.START + 1000 * mesh.SECOND
    mesh.commit_statements(ask.graph, mesh.build_schema_statement(build_dataset_key("wh", "fin.later"), "total", at=later))
    query = """query($first: Int, $after: String, $asOf: DateTime, $order: ListOrder!) {
        datasets(orderBy: $order, first: $first, after: $after, asOf: $asOf) { totalCount nodes { name } pageInfo { hasNextPage endCursor } }
    }"""
    newest = ask(query, order="LAST_OBSERVED", first=1)["datasets"]
    assert (newest["totalCount"], list_names(newest["nodes"])) == (5, ["fin.later"])
    rest = ask(query, order="LAST_OBSERVED", after=newest["pageInfo"]["endCursor"])["datasets"]
    assert "fin.later" not in list_names(rest["nodes"])
    assert len(rest["nodes"]) == 4
    then = ask(query, order="NAME", asOf=from_micros(mesh.START).isoformat())["datasets"]
    assert (then["totalCount"], "fin.later" in list_names(then["nodes"])) == (4, False)
    by_dependants = list_names(ask(query, order="DEPENDANTS")["datasets"]["nodes"])
    assert by_dependants == ["shop.customers", "fin.revenue", "sales.orders", "fin.later", "fin.report"]
    assert ask.get_error_code(query, order="NAME", after=newest["pageInfo"]["endCursor"]) == "INVALID_INPUT"
    assert ask.get_error_code("{ owners(orderBy: HEALTH) { nodes { name } } }") == "INVALID_INPUT"
    standing = "{ products(orderBy: HEALTH, first: 1, health: [%s]) { totalCount nodes { health { state } } pageInfo { endCursor } } }"
    known = [node["health"]["state"] for node in ask("{ products { nodes { health { state } } } }")["products"]["nodes"]]
    for one in ("KEPT", "BROKEN", "UNKNOWN"):
        found = ask(standing % one)["products"]
        assert found["totalCount"] == known.count(one)
        assert found["nodes"] == [{"health": {"state": one}}][: known.count(one)]
    assert ask.get_error_code("{ owners(orderBy: DEPENDANTS) { nodes { name } } }") == "INVALID_INPUT"


def test_assets_and_searches_of_a_time(ask: AskGraph) -> None:
    later = mesh.START + 1000 * mesh.SECOND
    key = build_dataset_key("wh", "fin.later")
    mesh.commit_statements(ask.graph, mesh.build_schema_statement(key, "total", at=later))
    query = """query($id: ID!, $asOf: DateTime) {
        nodes(ids: [$id], asOf: $asOf) { name } dataset(namespace: "wh", name: "fin.later", asOf: $asOf) { name }
        search(text: "later", asOf: $asOf) { nodes { name } }
    }"""
    assert ask(query, id=key.id) == {
        "nodes": [{"name": "fin.later"}],
        "dataset": {"name": "fin.later"},
        "search": {"nodes": [{"name": "fin.later"}, {"name": "total"}]},
    }
    assert ask(query, id=key.id, asOf=from_micros(mesh.START).isoformat()) == {"nodes": [None], "dataset": None, "search": {"nodes": []}}


def test_tags_and_namespaces_are_pages(ask: AskGraph) -> None:
    query = "query($after: String) { tags(first: 1, after: $after) { totalCount nodes { key value assets } pageInfo { endCursor hasNextPage } } }"
    first = ask(query)["tags"]
    assert (first["totalCount"], first["nodes"]) == (3, [{"key": "class", "value": "secret", "assets": 1}])
    second = ask(query, after=first["pageInfo"]["endCursor"])["tags"]
    assert second["nodes"] == [{"key": "gdpr", "value": None, "assets": 1}]
    assert ask("{ namespaces(first: 1) { totalCount nodes { name datasets jobs } } }")["namespaces"] == {
        "totalCount": 3,
        "nodes": [{"name": "airflow", "datasets": 0, "jobs": 3}],
    }
    assert ask.get_error_code("{ tags(first: -1) { nodes { key } } }") == "INVALID_INPUT"
    assert ask.get_error_code("{ namespaces(first: 100000) { nodes { name } } }") == "LIMIT_EXCEEDED"


def test_what_is_behind_each_number_of_completeness(ask: AskGraph) -> None:
    provisional = mesh.build_run_statement(mesh.SEND, [mesh.REVENUE], mesh.REPORT, at=mesh.START + 1000 * mesh.SECOND)
    mesh.commit_statements(ask.graph, provisional._replace(provisional=True, scope=(*provisional.scope, "running")))
    items = (
        "{ totalCount assets { kind name } flows { from { name } to { name } type subtype job { name } source statement lastObserved } }"
    )
    found = ask(
        f"""query($id: ID!) {{ impact(of: [$id]) {{ completeness {{ possibleOnly undescribed staleEdges provisional unbound silentOnFilters
            POSSIBLE_ONLY: items(gap: POSSIBLE_ONLY) {items} UNDESCRIBED: items(gap: UNDESCRIBED) {items} STALE: items(gap: STALE) {items}
            PROVISIONAL: items(gap: PROVISIONAL) {items} UNBOUND: items(gap: UNBOUND) {items}
            SILENT_ON_FILTERS: items(gap: SILENT_ON_FILTERS) {items} none: items(gap: UNDESCRIBED, first: 0) {items} }} }} }}""",
        id=mesh.EMAIL.id,
    )["impact"]["completeness"]
    numbers = {
        "POSSIBLE_ONLY": "possibleOnly",
        "UNDESCRIBED": "undescribed",
        "STALE": "staleEdges",
        "PROVISIONAL": "provisional",
        "UNBOUND": "unbound",
        "SILENT_ON_FILTERS": "silentOnFilters",
    }
    for gap, number in numbers.items():
        assert found[gap]["totalCount"] == found[number] == len(found[gap]["assets"]) + len(found[gap]["flows"]), gap
    assert found["UNDESCRIBED"]["assets"] == [{"kind": "DATASET", "name": "fin.report"}]
    (pair,) = found["POSSIBLE_ONLY"]["flows"]
    assert (pair["from"]["name"], pair["to"]["name"], pair["source"]) == ("fin.revenue", "fin.report", None)
    assert [flow["job"]["name"] for flow in found["PROVISIONAL"]["flows"]] == ["send_report"] * found["provisional"]
    assert found["none"] == {"totalCount": 1, "assets": [], "flows": []}


def test_the_items_of_a_report_of_several_answers_are_refused(ask: AskGraph) -> None:
    query = '{ blastRadius(change: { words: ["drop shop.customers.email"] }) { completeness { items(gap: STALE) { totalCount } } } }'
    assert ask.get_error_code(query) == "INVALID_INPUT"
    query = "query($id: ID!) { impact(of: [$id]) { completeness { items(gap: STALE, first: 100000) { totalCount } } } }"
    assert ask.get_error_code(query, id=mesh.EMAIL.id) == "LIMIT_EXCEEDED"


def test_suggestions_while_a_name_is_typed(ask: AskGraph) -> None:
    query = "query($text: String!, $first: Int! = 10) { suggest(text: $text, first: $first) { kind qualifiedName } }"

    def suggest(text: str, first: int = 10) -> list[str]:
        return [asset["qualifiedName"] for asset in ask(query, text=text, first=first)["suggest"]]

    assert suggest("email") == ["pg/shop.customers.email", "wh/sales.orders.email_hash"]
    assert suggest("customers.em") == ["pg/shop.customers.email"]
    assert suggest("orders", 2) == ["orders", "wh/sales.orders"]
    assert suggest("nosuchname") == suggest("") == suggest("orders", 0) == []
    assert ask.get_error_code(query, text="a", first=100_000) == "LIMIT_EXCEEDED"
    assert ask.get_error_code(query, text="a", first=-1) == "INVALID_INPUT"
