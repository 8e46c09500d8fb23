"""Policies and violations in GraphQL: pages hang together, follow the graph, and keep to limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshline.api.graphql import Executor
from meshline.app.policy_service import PolicyService
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType, build_column_key, build_consumer_key, build_data_product_key
from meshline.graph.naming import Naming
from tests.queries import mesh

QUERY = """query($policy: String, $severity: Severity, $first: Int, $after: String) {
  policyViolations(policy: $policy, severity: $severity, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
    nodes { fingerprint policy severity verdict text new asset { qualifiedName } path { name masking } }
  }
}"""


def ask_policies(graphql: Executor, query: str = QUERY, **variables: object) -> dict[str, Any]:
    answer = graphql.execute(query, variables)
    assert "errors" not in answer.body, answer.body["errors"]
    found: dict[str, Any] = answer.body["data"]
    return found


@pytest.fixture
def live() -> LiveGraph:
    campaign = mesh.build_edge_statement(EdgeType.CONSUMES, build_consumer_key("mailer"), build_column_key(mesh.CUSTOMERS, "email"))
    return mesh.build_graph(*mesh.build_mesh(), campaign)


def test_pages_give_all_that_is_broken_once_and_in_order(live: LiveGraph) -> None:
    graphql = Executor(live, Naming())
    whole = ask_policies(graphql, first=1_000)["policyViolations"]
    assert len(whole["nodes"]) == whole["totalCount"] > 2
    found: list[Any] = []
    after = None
    while True:
        page = ask_policies(graphql, first=2, after=after)["policyViolations"]
        assert page["pageInfo"]["hasPreviousPage"] == bool(found)
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == whole["nodes"]
    assert len({one["fingerprint"] for one in found}) == len(found)
    order = ["error", "warning", "info"]
    assert [order.index(one["severity"]) for one in found] == sorted(order.index(one["severity"]) for one in found)


def test_only_of_a_policy_or_a_severity(live: LiveGraph) -> None:
    graphql = Executor(live, Naming())
    (found,) = ask_policies(graphql, policy="pii-unmasked")["policyViolations"]["nodes"]
    assert (found["asset"]["qualifiedName"], found["severity"], found["verdict"], found["new"]) == ("mailer", "error", "BREAKING", False)
    assert [step["name"] for step in found["path"]] == ["pg/shop.customers.email", "mailer"]
    assert found["text"] == "pg/shop.customers.email gives mailer personal data unmasked", "it is the source itself"
    assert "campaign" not in found["text"], "what it uses is masked"
    errors = ask_policies(graphql, severity="ERROR")["policyViolations"]["nodes"]
    assert errors
    assert {one["severity"] for one in errors} == {"error"}


def test_they_follow_the_graph(live: LiveGraph) -> None:
    graphql = Executor(live, Naming())
    before = ask_policies(graphql, policy="pii-unmasked")["policyViolations"]["totalCount"]
    mesh.commit_statements(
        live, mesh.build_edge_statement(EdgeType.CONSUMES, build_consumer_key("other"), build_column_key(mesh.CUSTOMERS, "email"))
    )
    assert ask_policies(graphql, policy="pii-unmasked")["policyViolations"]["totalCount"] == before + 1
    of_policies = ask_policies(graphql, "{ policies { id violations } }")["policies"]
    assert {one["id"]: one["violations"] for one in of_policies}["pii-unmasked"] == before + 1


def test_ones_own_policies_count(live: LiveGraph, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: pii-unmasked\noff: all consumers may\n")
    (tmp_path / "b.yaml").write_text('id: titled\nkind: product\nrequire: title != ""\nseverity: info\nmessage: "{name} has no title"\n')
    graphql = Executor(live, Naming(), governing=PolicyService(live, tmp_path))
    policies = {one["id"]: one for one in ask_policies(graphql, "{ policies { id off own severity } }")["policies"]}
    assert policies["pii-unmasked"] == {"id": "pii-unmasked", "off": "all consumers may", "own": True, "severity": "ERROR"}
    assert ask_policies(graphql, policy="pii-unmasked")["policyViolations"]["totalCount"] == 0
    assert [one["text"] for one in ask_policies(graphql, policy="titled")["policyViolations"]["nodes"]] == [
        f"{mesh.ORDERS_PRODUCT.name} has no title"
    ]
    assert build_data_product_key("revenue").name not in str(ask_policies(graphql, policy="titled"))


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"policy": "nix"}, "INVALID_INPUT"),
        ({"first": -1}, "INVALID_INPUT"),
        ({"first": 1_001}, "LIMIT_EXCEEDED"),
        ({"after": "x"}, "INVALID_INPUT"),
    ],
)
def test_bad_questions_are_refused(live: LiveGraph, variables: dict[str, object], code: str) -> None:
    body = Executor(live, Naming()).execute(QUERY, variables).body
    assert body["errors"][0]["extensions"]["code"] == code


def test_a_bad_file_is_an_error_with_its_place(live: LiveGraph, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: mine\nkind: product\nrequire: owner\nseverity: info\nmessage: x\n")
    body = Executor(live, Naming(), governing=PolicyService(live, tmp_path)).execute(QUERY).body
    assert "a.yaml:3: mine: require: owner is no field here" in body["errors"][0]["message"]
