"""Checks and health in GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from meshline.graph.model import build_column_key, from_micros
from tests.api.conftest import AskGraph
from tests.queries import mesh
from tests.queries.test_quality import build_check, build_suite, build_suite_run

TOTAL = build_column_key(mesh.ORDERS, "total")
DAY = 86_400 * mesh.SECOND
DECLARED = {"id": "ID", "after": "String"}


def commit_checks(ask: AskGraph) -> AskGraph:
    mesh.commit_statements(
        ask.graph,
        build_suite_run(build_check(TOTAL, "a"), build_check(mesh.ORDERS, "z", labels={"team": "x"})),
        build_suite_run(
            build_check(TOTAL, "a", "FAILED", expected={"max": 1}, observed=2, message="too much"),
            build_check(mesh.ORDERS, "z"),
            at=mesh.START + DAY,
        ),
        build_suite_run(build_check(build_column_key(mesh.REVENUE, "day"), "e", "ERROR")),
        build_suite("w", build_check(mesh.ORDERS, "n", "NOT_RUN")),
    )
    return ask


def test_checks_of_a_dataset_and_of_a_column(ask: AskGraph) -> None:
    fields = "name kind outcome expected observed message suite labels at source failingSince asset { name kind } dataset { name }"
    query = f"""query($id: ID!) {{ node(id: $id) {{
      ... on Dataset {{ quality {{ {fields} history {{ outcome observed message at lastAt }} }}
        qualityCounts {{ passed failed warned errors skipped notRun }} }}
      ... on Column {{ ofColumn: quality {{ name outcome }} }} }} }}"""
    found = commit_checks(ask)(query, id=mesh.ORDERS.id)["node"]
    assert found["qualityCounts"] == {"passed": 1, "failed": 1, "warned": 0, "errors": 0, "skipped": 0, "notRun": 1}
    assert [(one["name"], one["outcome"], one["at"] is None) for one in found["quality"]] == [
        ("n", "NOT_RUN", True), ("z", "PASSED", False), ("a", "FAILED", False),
    ]  # fmt: skip
    first, later = from_micros(mesh.START).isoformat(), from_micros(mesh.START + DAY).isoformat()
    assert found["quality"][2] == {
        "name": "a", "kind": "kind", "outcome": "FAILED", "expected": {"max": 1}, "observed": 2, "message": "too much", "suite": "s",
        "labels": None, "at": later, "source": "gx/test", "failingSince": later,
        "asset": {"name": "total", "kind": "COLUMN"}, "dataset": {"name": "sales.orders"},
        "history": [
            {"outcome": "FAILED", "observed": 2, "message": "too much", "at": later, "lastAt": later},
            {"outcome": "PASSED", "observed": None, "message": None, "at": first, "lastAt": first},
        ],
    }  # fmt: skip
    assert found["quality"][0]["history"] == []
    assert ask(query, id=TOTAL.id)["node"]["ofColumn"] == [{"name": "a", "outcome": "FAILED"}]
    assert ask(query, id=mesh.HASH.id)["node"]["ofColumn"] == []


def test_health_of_a_product(ask: AskGraph) -> None:
    query = """{ products { nodes { name health { state checks { passed failed errors }
      openFailures { name dataset { name } }
      freshness { state promised promisedSeconds ports { state evidence ageSeconds lastWritten dataset { name } } } } } } }"""
    found = {one["name"]: one["health"] for one in commit_checks(ask)(query)["products"]["nodes"]}
    assert found["orders"]["state"] == "BROKEN"
    assert found["orders"]["checks"] == {"passed": 1, "failed": 1, "errors": 0}
    assert found["orders"]["openFailures"] == [{"name": "a", "dataset": {"name": "sales.orders"}}]
    assert found["orders"]["freshness"]["promised"] is None
    assert found["orders"]["freshness"]["state"] == "UNKNOWN"
    freshness = found["revenue"]["freshness"]
    (port,) = freshness["ports"]
    assert (freshness["state"], freshness["promised"], freshness["promisedSeconds"]) == ("BROKEN", "1d", 86400)
    assert (port["evidence"], port["lastWritten"], port["dataset"]) == ("RUN", from_micros(mesh.START).isoformat(), {"name": "fin.revenue"})
    assert port["ageSeconds"] > 86400


def list_failures(ask: AskGraph, arguments: str = "", **variables: Any) -> Any:
    declared = f"query({', '.join(f'${name}: {DECLARED[name]}' for name in variables)}) " if variables else ""
    fields = "nodes { name dataset { name } } totalCount pageInfo { hasNextPage endCursor }"
    return ask(f"{declared}{{ qualityFailures{f'({arguments})' if arguments else ''} {{ {fields} }} }}", **variables)["qualityFailures"]


def test_failures(ask: AskGraph) -> None:
    commit_checks(ask)
    everything = list_failures(ask)
    assert everything["nodes"] == [{"name": "e", "dataset": {"name": "fin.revenue"}}, {"name": "a", "dataset": {"name": "sales.orders"}}]
    assert everything["totalCount"] == 2
    first = list_failures(ask, "first: 1")
    assert (first["nodes"], first["pageInfo"]["hasNextPage"]) == (everything["nodes"][:1], True)
    rest = list_failures(ask, "first: 1, after: $after", after=first["pageInfo"]["endCursor"])
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == (everything["nodes"][1:], False)
    for argument, key, expected in (
        ("domain", mesh.FINANCE, ["e"]),
        ("product", mesh.ORDERS_PRODUCT, ["a"]),
        ("owner", mesh.SHOP_TEAM, ["a"]),
        ("owner", mesh.ANN, []),
    ):
        found = list_failures(ask, f"{argument}: $id", id=key.id)
        assert [one["name"] for one in found["nodes"]] == expected, argument
    assert [one["name"] for one in list_failures(ask, "outcomes: [PASSED]")["nodes"]] == ["z"]
    assert ask.get_error_code('{ qualityFailures(after: "nonsense") { totalCount } }') == "INVALID_INPUT"
    assert ask.get_error_code("{ qualityFailures(outcomes: [FAILED, NOT_RUN]) { totalCount } }") == "INVALID_INPUT"
    assert ask.get_error_code('{ qualityFailures(domain: "dom_00000000000000000000000000000000") { totalCount } }') == "NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ datasets { nodes { quality { name } qualityCounts { failed } } } }", 1),
        # The attributes of the ports, their checks, and the promises of the products: once for all lists and fields.
        ("{ a: products(health: [BROKEN]) { totalCount } b: products(health: [UNKNOWN]) { nodes { health { state } } } }", 3),
    ],
)
def test_what_an_answer_needs_of_checks_is_read_at_once(ask: AskGraph, query: str, expected: int) -> None:
    commit_checks(ask)
    reads = []
    statements = ask.graph.store.read_heads

    def count_reads(scope_ids: Any, as_of: int | None = None) -> Any:
        reads.append(len(scope_ids))
        return statements(scope_ids, as_of)

    ask.graph.store.read_heads = count_reads  # type: ignore[method-assign]
    ask(query)
    assert len(reads) == expected
