"""Answers that are filled in by plans are those that graphql-core gives field by field."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from meshline.api.graphql import Bounds, Executor
from meshline.api.graphql.asset import Asset
from meshline.api.graphql.fast_executor import PlanningExecutor
from meshline.api.graphql.schema import build_schema
from meshline.graph.model import EdgeType, build_dataset_key
from meshline.graph.naming import Naming
from tests.api.test_any_query import draw_query
from tests.queries import mesh
from tests.sizes import count_examples


class Both(NamedTuple):
    planned: Executor
    plain: Executor

    def ask_both(self, query: str, **variables: object) -> dict[str, Any]:
        """The answer, equal whether planned or not, at one time: cursors of products by health have it."""
        with mock.patch("time.time_ns", return_value=time.time_ns()):
            planned, plain = (graphql.execute(query, variables, request_id="r").body for graphql in self)
        assert planned == plain
        assert list_in_order(planned) == list_in_order(plain)
        return planned


def stop_planning(executor: Executor) -> None:
    """By a schema of its own: the others share theirs."""
    bounds = executor.bounds
    executor.schema = build_schema.__wrapped__(bounds.depth, bounds.aliases, bounds.tokens)
    executor.schema.execution_context_class = StrawberryGraphQLCoreExecutionContext


def list_in_order(body: object) -> object:
    """The specification wants fields in the order in which they are asked."""
    if isinstance(body, dict):
        return [(name, list_in_order(value)) for name, value in body.items()]
    return [list_in_order(value) for value in body] if isinstance(body, list) else body


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    same = mesh.build_edge_statement(EdgeType.SAME_AS, build_dataset_key("s3://lake", "orders"), mesh.ORDERS, why="location")
    graph = mesh.build_graph(*mesh.build_mesh(), same)
    bounds = Bounds(depth=50, aliases=500)
    found = Both(Executor(graph, Naming(), bounds), Executor(graph, Naming(), bounds))
    stop_planning(found.plain)
    yield found
    graph.store.close()


def test_cursors_that_have_the_time(both: Both) -> None:
    found = both.ask_both("{ products(health: [BROKEN]) { edges { cursor } } }")
    assert found["data"]["products"]["edges"]


@settings(max_examples=count_examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(query=draw_query())
def test_any_query(both: Both, query: str) -> None:
    both.ask_both(query)


IMPACT = """
query Impact($of: [ID!]!, $counted: Boolean!, $bare: Boolean!) {
  impact(of: $of) {
    all: total
    byDomain @include(if: $counted) { label count asset { __typename id ...named } }
    byProduct { ...counted label @skip(if: $bare) }
    assets(first: 25) { nodes { reach masked node { kind ...named ... on Column { dataset { name } position } ... on Job { namespace } } } }
    completeness { truncated asOf revision }
  }
}
fragment counted on Count { key size: count }
fragment named on Asset { name domain { name } owners { type owner { name } inheritedFrom { id } } }
"""


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_directives_aliases_and_fragments(both: Both, *, counted: bool, bare: bool) -> None:
    found = both.ask_both(IMPACT, of=[mesh.CUSTOMERS.id], counted=counted, bare=bare)["data"]["impact"]
    assert ("byDomain" in found) is counted
    assert {tuple(count) for count in found["byProduct"]} == {("key", "size") if bare else ("key", "size", "label")}
    assert {node["node"]["kind"] for node in found["assets"]["nodes"]} >= {"COLUMN", "DATASET", "JOB", "CONSUMER"}


def test_what_fails_in_a_plan_fails_with_its_place(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, both: Both) -> None:
    """An error in the midst of a list: no fault of a plan is hidden by the way that is tried afterwards."""

    class Breaking:
        """An attribute that cannot be read."""

        def __get__(self, asset: object, of: type) -> str:
            raise ZeroDivisionError

        def __set__(self, asset: object, value: str) -> None: ...

    monkeypatch.setattr(Asset, "name", Breaking(), raising=False)
    body = both.ask_both("query Q($of: [ID!]!) { nodes(ids: $of) { id name } }", of=[mesh.CUSTOMERS.id])
    assert [error["path"] for error in body["errors"]] == [["nodes", 0, "name"]]
    assert body["data"] == {"nodes": [None]}
    (logged,) = [record for record in caplog.records if "a plan failed" in record.message]
    assert logged.exc_info is not None
    assert logged.exc_info[0] is ZeroDivisionError


def test_the_limit_of_a_request_applies_to_planned_queries(caplog: pytest.LogCaptureFixture, both: Both) -> None:
    graph = both.planned.live
    small = Both(*(Executor(graph, Naming(), Bounds(objects=5)) for _ in range(2)))
    stop_planning(small.plain)
    body = small.ask_both("query Q($of: [ID!]!) { impact(of: $of) { assets { nodes { node { id } } } } }", of=[mesh.CUSTOMERS.id])
    assert body["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert not [record for record in caplog.records if "a plan failed" in record.message], "an error that a resolver means"


def test_plain_fields_are_planned(monkeypatch: pytest.MonkeyPatch, both: Both) -> None:
    """Plans are used: only the two fields with arguments are left to graphql-core."""
    left: list[str] = []
    parent = StrawberryGraphQLCoreExecutionContext.execute_field

    def count_field(self: Any, type_: Any, source: Any, details: Any, *rest: Any) -> Any:
        left.append(details[0].node.name.value)
        return parent(self, type_, source, details, *rest)

    monkeypatch.setattr(StrawberryGraphQLCoreExecutionContext, "execute_field", count_field)
    assert issubclass(PlanningExecutor, StrawberryGraphQLCoreExecutionContext)
    query = "query Q($of: [ID!]!) { impact(of: $of) { total byOwner { label } assets(first: 5) { nodes { node { id kind } distance } } } }"
    both.planned.execute(query, {"of": [mesh.CUSTOMERS.id]})
    assert left == ["impact", "assets"]
